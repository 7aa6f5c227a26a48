//! What tags showed, and which tags there were, when they were last read before a write.

use std::time::Duration;

use tokio::time::Instant;

use crate::answers::Answers;
use crate::deadline::Pace;
use crate::image::tag::Tag;
use crate::registry::Repository;
use crate::registry::error::RegistryError;
use crate::registry::manifests::{TagList, Tagged};

/// How long what was read is good enough to write by; after that it is read again.
pub(super) const MAX_READ_AGE: Duration = Duration::from_secs(5);
/// From so many tags on, one list of all tags saves questions about single ones.
pub(super) const LIST_FROM: usize = 3;

/// What a tag showed.
pub(super) struct TagRead {
    /// When the question was sent.
    pub(super) asked: Instant,
    pub(super) shown: Option<Tagged>,
}

/// The answers of one repository that are good enough to write by.
pub(super) struct TagReads {
    pace: Pace,
    shown: Answers<Tag, Option<Tagged>>,
    list: Answers<(), TagList>,
}

impl TagReads {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            shown: Answers::default(),
            list: Answers::default(),
        }
    }

    /// What the tag shows in `repository`, read a moment ago or now.
    pub(super) async fn read(
        &self,
        tag: &Tag,
        repository: Repository<'_>,
    ) -> Result<TagRead, RegistryError> {
        let is_fresh = |asked| self.is_fresh(asked);
        let read = self.shown.get(tag, is_fresh, repository.tagged(tag)).await;
        let (asked, shown) = read?;
        Ok(TagRead { asked, shown })
    }

    /// Whether it is known what the tag showed a moment ago.
    pub(super) fn is_known(&self, tag: &Tag) -> bool {
        let kept = self.shown.kept(tag);
        kept.is_some_and(|(asked, _)| self.is_fresh(asked))
    }

    /// Keeps the list of tags that `ask` gives, unless it was read a moment ago.
    pub(super) async fn read_list(
        &self,
        ask: impl Future<Output = Result<TagList, RegistryError>>,
    ) -> Result<TagList, RegistryError> {
        let is_fresh = |asked| self.is_fresh(asked);
        let (_asked, list) = self.list.get(&(), is_fresh, ask).await?;
        Ok(list)
    }

    /// The list of tags, if it was read a moment ago.
    pub(super) fn list(&self) -> Option<TagList> {
        let kept = self
            .list
            .kept(&())
            .filter(|(asked, _)| self.is_fresh(*asked));
        kept.map(|(_asked, list)| list)
    }

    /// The last list that was read, however long ago.
    pub(super) fn last_list(&self) -> Option<TagList> {
        self.list.kept(&()).map(|(_asked, list)| list)
    }

    /// The tag is written: what it showed is not what it shows.
    pub(super) fn forget(&self, tag: &Tag) {
        self.shown.forget(tag);
    }

    pub(super) fn forget_list(&self) {
        self.list.forget(&());
    }

    fn is_fresh(&self, asked: Instant) -> bool {
        self.pace.since(asked) <= MAX_READ_AGE
    }
}
