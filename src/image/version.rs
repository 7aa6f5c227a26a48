//! `Version`: a manifest of a container package as GitHub's packages API lists it.

use chrono::{DateTime, Utc};

use crate::image::digest::Digest;

/// A version of a container package: a manifest, whether it has tags or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) id: u64,
    pub(crate) digest: Digest,
    /// Empty for a version that only an index or a digest reaches. For a moment after a tag moved, two versions may
    /// list it.
    pub(crate) tags: Vec<String>,
    /// When it was pushed.
    pub(crate) created_at: DateTime<Utc>,
    /// When it last changed, for example because it got a tag.
    pub(crate) updated_at: DateTime<Utc>,
}

impl Version {
    /// The later of both times.
    pub(crate) fn changed_at(&self) -> DateTime<Utc> {
        self.created_at.max(self.updated_at)
    }

    /// The order in which versions were pushed.
    pub(crate) fn push_order(&self) -> (DateTime<Utc>, u64) {
        (self.created_at, self.id)
    }

    /// For messages: the first tag, or the digest.
    pub(crate) fn name(&self) -> String {
        let name = self
            .tags
            .first()
            .map_or(self.digest.as_str(), String::as_str);
        format!("`{name}`")
    }
}
