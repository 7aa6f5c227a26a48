//! What a run achieved in one registry: the image, and what became of each tag.

use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::publish::attest::Attestation;
use crate::publish::compare::Comparison;
use crate::registry::verify::Verified;

/// What a registry holds of the image.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) name: ImageName,
    pub(crate) verified: Option<Verified>,
    /// The tags that point to the image.
    pub(crate) tags: Vec<Tag>,
    /// The floating tags that were left where they were.
    pub(crate) skipped: Vec<Skipped>,
    /// What became of each of `tags`.
    pub(crate) changes: Vec<(Tag, Change)>,
    /// Tags that were written and that no rule gives: the one of the first push, those of referrers.
    pub(crate) others: Vec<Tag>,
    pub(crate) attestations: Vec<Attestation>,
    /// What changed since another image; of the first name only.
    pub(crate) comparison: Option<Comparison>,
}

/// A floating tag that does not show the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skipped {
    pub(crate) tag: Tag,
    /// Completes the sentence "it stays, since ...".
    pub(crate) reason: String,
    /// What it shows, if it exists.
    pub(crate) holds: Option<Digest>,
    /// What to do about it, when the tag stays only because a request got no response: the step fails.
    pub(crate) fix: Option<String>,
}

impl Skipped {
    pub(super) fn since(tag: &Tag, reason: String, shown: Option<&Manifest>) -> Self {
        Self {
            tag: tag.clone(),
            reason,
            holds: shown.map(|shown| shown.digest.clone()),
            fix: None,
        }
    }
}

/// What became of a tag that shows the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It did not exist before.
    Created,
    /// It showed the image before.
    Unchanged,
    /// It showed another image before.
    Moved { from: Digest },
}

impl Change {
    /// What became of a tag that showed `before` and shows `now`.
    pub(super) fn of(before: Option<&Digest>, now: &Digest) -> Self {
        match before {
            None => Self::Created,
            Some(before) if before == now => Self::Unchanged,
            Some(before) => Self::Moved {
                from: before.clone(),
            },
        }
    }
}

impl Published {
    pub(super) fn new(name: ImageName) -> Self {
        Self {
            name,
            verified: None,
            tags: Vec::new(),
            skipped: Vec::new(),
            changes: Vec::new(),
            others: Vec::new(),
            attestations: Vec::new(),
            comparison: None,
        }
    }

    /// What became of one of the tags.
    pub(crate) fn change(&self, tag: &Tag) -> Option<&Change> {
        let mut changes = self.changes.iter();
        changes
            .find(|(other, _)| other == tag)
            .map(|(_, change)| change)
    }

    /// Whether a tag shows another image than before the run.
    pub(super) fn has_changed(&self) -> bool {
        let mut changes = self.changes.iter();
        changes.any(|(_, change)| *change != Change::Unchanged)
    }

    /// `name:tag` for each of `tags`.
    pub(crate) fn references(&self, tags: &[Tag]) -> impl Iterator<Item = String> {
        tags.iter().map(|tag| format!("{}:{tag}", self.name))
    }
}
