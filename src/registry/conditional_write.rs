//! Writes a tag only while it still shows what was read.

use std::time::Duration;

use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::tag::Tag;
use crate::registry::Repository;
use crate::registry::error::RegistryError;
use crate::registry::manifests::Tagged;

/// How often a conditional write may be refused although the tag shows the same image: its entity tag is
/// then of no use, for example a weak one (<https://www.rfc-editor.org/rfc/rfc9110#section-8.8.1>).
const MAX_UNCHANGED: u32 = 2;

/// Conditional writes that were refused although the tag still shows the same image.
#[derive(Default)]
pub(crate) struct RefusedWrites {
    shown: Option<Digest>,
    times: u32,
}

impl RefusedWrites {
    /// Writes the tag in one attempt, if it still shows what was read: what it shows is read again before the next
    /// one. False if it shows something else now.
    pub(crate) async fn write(
        &mut self,
        repository: Repository<'_>,
        manifest: &Manifest,
        tag: &Tag,
        shown: Option<&Tagged>,
    ) -> Result<bool, RegistryError> {
        let digest = shown.map(|shown| &shown.manifest.digest);
        let is_useless = self.times >= MAX_UNCHANGED && self.shown.as_ref() == digest;
        let etag = shown.and_then(|shown| shown.etag.as_deref());
        let etag = etag.filter(|_| !is_useless);
        let creates = shown.is_none() && !is_useless;
        let repository = repository.at_most(Duration::ZERO);
        let written = match creates {
            true => repository.put_new(manifest, tag).await,
            false => repository.put_over(manifest, tag, etag).await,
        };
        match written {
            Ok(()) => Ok(true),
            Err(error) if error.is_precondition_failed() && (creates || etag.is_some()) => {
                let is_same = self.shown.as_ref() == digest;
                self.times = if is_same { self.times } else { 0 } + 1;
                self.shown = digest.cloned();
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
