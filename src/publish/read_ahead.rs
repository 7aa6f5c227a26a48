//! Reads tags before they are written, in the same round trip as requests that do not depend on them.

use std::future::ready;
use std::time::Duration;

use futures_util::future::join;
use futures_util::{StreamExt, stream};

use crate::image::tag::Tag;
use crate::inputs::destination::MoveTags;
use crate::plan::compare::Compared;
use crate::plan::decision::Floating;
use crate::plan::tags::{Motion, PlannedTag};
use crate::publish::first_push;
use crate::publish::move_tags::TagUpdate;
use crate::publish::tag_reads::{LIST_FROM, TagRead};
use crate::registry::PARALLEL;
use crate::registry::error::RegistryError;
use crate::registry::manifests::{MAX_PAGES, TagList};

impl TagUpdate<'_> {
    /// Asks what the first writes depend on while the blobs are checked, if nothing but that comes before the writes.
    pub(super) async fn ask_ahead(&self) {
        let is_next = self.image.attester.is_none() && self.session.plan.move_tags == MoveTags::Now;
        if is_next {
            self.ask().await;
        }
    }

    /// Asks at once what the first writes depend on and is not known: the list of tags, and what tags show. What has no
    /// answer at the first attempt is asked again where it is needed.
    pub(super) async fn ask(&self) {
        let fixed = self.unpushed(&self.tags(Motion::Fixed));
        let tags: Vec<Tag> = match fixed.len() {
            0 => self.first_floating().cloned().collect(),
            1..LIST_FROM => fixed.clone(),
            _ => {
                let versions = fixed.iter().filter(|tag| self.is_version(tag));
                versions.cloned().collect()
            }
        };
        let name = &self.subject.name;
        let may_need_list = self.needs_all_tags() || first_push::is_asked(self.session, name);
        let lists = fixed.len() >= LIST_FROM || (may_need_list && !self.is_release());
        let list = async {
            if lists {
                self.list_once().await;
            }
        };
        join(list, self.read_ahead(&tags)).await;
    }

    /// Whether the first tag to compare with is a floating tag that is read while fixed tags are written. If it were read
    /// before, its second look would wait longer.
    pub(super) fn reads_later(&self, compared: &Compared) -> bool {
        let Compared::First(tags) = compared else {
            return false;
        };
        let is_floating = |first| self.first_floating().any(|tag| tag == first);
        self.session.plan.move_tags == MoveTags::Now
            && !self.unpushed(&self.tags(Motion::Fixed)).is_empty()
            && tags.first().is_some_and(is_floating)
    }

    /// Reads the floating tags that are written first, while the fixed tags are written.
    pub(super) async fn read_floating_ahead(&self) {
        let list = self.reads.list().unwrap_or_default();
        let tags = self.first_floating().filter(|tag| !list.lacks(tag));
        self.read_ahead(&tags.cloned().collect::<Vec<_>>()).await;
    }

    /// Reads those of `tags` that are not known, each in one attempt.
    pub(super) async fn read_ahead(&self, tags: &[Tag]) {
        let once = self.repository.at_most(Duration::ZERO);
        let release = &self.image.release;
        let unknown = tags
            .iter()
            .filter(|tag| !release.shows(&self.subject.name, tag));
        let reads = unknown.map(|tag| self.reads.read(tag, once));
        let reads = stream::iter(reads).buffer_unordered(PARALLEL);
        reads.for_each(|_read| ready(())).await;
    }

    /// What the tag shows, read a moment ago or now.
    pub(super) async fn read(&self, tag: &Tag) -> Result<TagRead, RegistryError> {
        self.reads.read(tag, self.repository).await
    }

    /// The tags that exist, if `fixed` are so many that the list saves requests; else an incomplete list.
    pub(super) fn list_of_fixed(&self, fixed: &[Tag]) -> TagList {
        if fixed.len() < LIST_FROM {
            return TagList::default();
        }
        self.reads.list().unwrap_or_default()
    }

    /// Whether a version is compared with all tags of the repository.
    fn needs_all_tags(&self) -> bool {
        let mut planned = self.session.plan.tags.iter();
        self.session.plan.floating == Floating::Forward
            && planned.any(|it| it.motion == Motion::Floating && it.line.is_some())
    }

    /// Lists the tags in one attempt; one page unless all of them are needed.
    async fn list_once(&self) {
        let once = self.repository.at_most(Duration::ZERO);
        let pages = match self.needs_all_tags() {
            true => MAX_PAGES,
            false => 1,
        };
        let _failure = self.reads.read_list(once.tags_of(pages)).await;
    }

    /// Whether versions showed the image before the run, so that most tags show it.
    fn is_release(&self) -> bool {
        let release = &self.image.release;
        release.manifest(&self.subject.name).is_some()
    }

    /// The floating tags that are written before all others: `latest` only if there is no other. None if it is known that
    /// they stay, or if most of them show the image.
    fn first_floating(&self) -> impl Iterator<Item = &Tag> {
        let plan = &self.session.plan;
        let is_kept = matches!(plan.floating, Floating::Never { .. });
        let is_release = self.is_release();
        let floating = plan.tags.iter();
        let floating =
            floating.filter(move |it| it.motion == Motion::Floating && !is_kept && !is_release);
        let is_alone = floating.clone().all(|it| self.is_latest(&it.tag));
        let first = floating.filter(move |it| is_alone || !self.is_latest(&it.tag));
        first.map(|planned: &PlannedTag| &planned.tag)
    }
}
