//! Finds and copies the referrers of an image: signatures, attestations, SBOMs. cosign uses tags of its own for them.

use std::collections::BTreeSet;

use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::tag::Tag;
use crate::registry::Repository;
use crate::registry::copy::copy_image;
use crate::registry::copy_source::CopySource;
use crate::registry::error::RegistryError;
use crate::registry::referrer_index::{Found, named};
use crate::registry::upload::CopyError;

/// How many referrers of one image are copied, those of referrers among them.
const MAX_REFERRERS: usize = 1000;
/// What cosign puts at the end of its tags.
const COSIGN: [&str; 3] = ["sig", "att", "sbom"];

/// What a copy transferred.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// Bytes of layers and configs.
    pub(crate) bytes: u64,
    /// The tags that were written for referrers.
    pub(crate) tags: Vec<Tag>,
}

impl Moved {
    /// Adds what another copy transferred.
    pub(crate) fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.tags.extend(other.tags);
    }
}

/// Copies the image `root` with everything that refers to it, and what refers to that; nothing when it is there
/// already.
pub(crate) async fn copy(
    source: CopySource<'_>,
    root: &Manifest,
    target: Repository<'_>,
) -> Result<Moved, CopyError> {
    if source.is(target) {
        return Ok(Moved::default());
    }
    let copied = copy_image(source, root, target).await?;
    let moved = Moved {
        bytes: copied.bytes,
        tags: Vec::new(),
    };
    let CopySource::Repository(source) = source else {
        return Ok(moved);
    };
    let mut copier = Copier {
        source,
        target,
        api: Api::NotAsked,
        referrers: 0,
        moved,
    };
    let mut seen: BTreeSet<Digest> = copied.manifests.iter().cloned().collect();
    let mut queue = copied.manifests;
    while let Some(subject) = queue.pop() {
        let copied = copier.copy_of(&subject).await?.into_iter();
        queue.extend(copied.filter(|digest| seen.insert(digest.clone())));
        for ending in COSIGN {
            copier.copy_tag(&named(&subject, Some(ending))).await?;
        }
    }
    Ok(copier.moved)
}

struct Copier<'a> {
    source: Repository<'a>,
    target: Repository<'a>,
    api: Api,
    /// How many were copied.
    referrers: usize,
    moved: Moved,
}

/// Whether the source has the referrers API.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Api {
    NotAsked,
    Answers,
    Absent,
}

impl Copier<'_> {
    /// Copies what refers to `subject`, and files it where the target does not.
    async fn copy_of(&mut self, subject: &Digest) -> Result<Vec<Digest>, CopyError> {
        let found = self.found(subject).await.map_err(CopyError::Reading)?;
        if self.referrers + found.len() > MAX_REFERRERS {
            let what =
                format!("lists more than {MAX_REFERRERS} referrers of the image, the maximum");
            return Err(CopyError::Reading(self.source.invalid(what)));
        }
        let (mut copied, mut unfiled) = (Vec::new(), Found::new());
        for (text, descriptor) in found {
            let digest: Digest = text.parse()?;
            let referrer = self.source.manifest(&digest).await;
            let referrer = referrer.map_err(CopyError::Reading)?;
            if self.copy(&referrer).await?.is_none() {
                unfiled.insert(text, descriptor);
            }
            copied.push(digest);
        }
        if !unfiled.is_empty() {
            let filed = self.target.file(subject, &unfiled).await?;
            self.moved.tags.extend(filed);
        }
        Ok(copied)
    }

    /// Gives the subject under which the target filed it, if it did.
    async fn copy(&mut self, referrer: &Manifest) -> Result<Option<String>, CopyError> {
        let source = CopySource::Repository(self.source);
        let copied = copy_image(source, referrer, self.target).await?;
        self.moved.bytes += copied.bytes;
        self.referrers += 1;
        Ok(copied.subject)
    }

    /// By the API and by the fallback tag: registries have had the one while clients wrote the other.
    async fn found(&mut self, subject: &Digest) -> Result<Found, RegistryError> {
        let mut found = self.source.filed(subject).await?;
        if self.api == Api::Absent {
            return Ok(found);
        }
        match self.source.referrers(subject).await? {
            Some(listed) => {
                self.api = Api::Answers;
                found.extend(listed);
            }
            None if self.api == Api::NotAsked => self.api = Api::Absent,
            None => {}
        }
        Ok(found)
    }

    /// Copies what a tag of the source shows, unless the target has something else there.
    async fn copy_tag(&mut self, tag: &Tag) -> Result<(), CopyError> {
        let shown = self.source.manifest_of(tag).await;
        let Some(shown) = shown.map_err(CopyError::Reading)? else {
            return Ok(());
        };
        if let Some(there) = self.target.manifest_of(tag).await? {
            if there.digest != shown.digest {
                let path = self.target.path;
                let text = format!("`{tag}` shows something else in {path} and stays");
                self.target.registry.console.say(&text);
            }
            return Ok(());
        }
        self.copy(&shown).await?;
        self.target.put(&shown, tag).await?;
        self.moved.tags.push(tag.clone());
        Ok(())
    }
}
