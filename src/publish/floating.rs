//! Moves floating tags: only to an image that is newer than the one they show, and not at all when their order cannot
//! be determined.

use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::tag::Tag;
use crate::inputs::tags::version::line::VersionLine;
use crate::plan::decision::Floating;
use crate::plan::tag_order::{Freshness, Unanswered};
use crate::plan::tags::PlannedTag;
use crate::publish::Skipped;
use crate::publish::move_tags::{MovedTag, TagUpdate};
use crate::publish::tag_reads::{MAX_READ_AGE, TagRead};
use crate::registry::conditional_write::RefusedWrites;
use crate::registry::copy_source::CopySource;
use crate::registry::error::RegistryError;
use crate::registry::identity::Identity;
use crate::registry::manifests::TagList;
use crate::registry::{PARALLEL, explain};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::Instant;

impl TagUpdate<'_> {
    /// Moves each of the tags unless it shows something newer.
    pub(super) async fn advance_all(
        &self,
        manifest: &Manifest,
        floating: &[&PlannedTag],
        list: &Listed,
    ) -> Result<Vec<Skipped>, RegistryError> {
        let steps = floating
            .iter()
            .map(|planned| self.advance(manifest, planned, list));
        // All of them to their end: a write that is dropped half-way may still arrive.
        let ended: Vec<Result<Option<Skipped>, RegistryError>> =
            stream::iter(steps).buffered(PARALLEL).collect().await;
        let skipped: Vec<Option<Skipped>> = ended.into_iter().collect::<Result<_, _>>()?;
        Ok(skipped.into_iter().flatten().collect())
    }

    /// Reads the tag and writes it; reads again when reading took long, and when the write failed.
    async fn advance(
        &self,
        manifest: &Manifest,
        planned: &PlannedTag,
        list: &Listed,
    ) -> Result<Option<Skipped>, RegistryError> {
        let tag = &planned.tag;
        let deadline = self.repository.deadline;
        let mut list = list.clone();
        let mut refused = RefusedWrites::default();
        let mut tries = 0;
        loop {
            let TagRead {
                asked,
                shown: before,
            } = match self.shown(tag, &list).await {
                Ok(read) => read,
                Err(unanswered) => return Ok(Some(self.stays(tag, None, unanswered))),
            };
            let shown = before.as_ref().map(|before| &before.manifest);
            if shown.is_some_and(|shown| shown.digest == manifest.digest) {
                self.note_write(asked);
                return Ok(None);
            }
            if let Some(skipped) = self.leaves(planned, shown, &list).await {
                return Ok(Some(skipped));
            }
            let took = deadline.pace().since(asked);
            if took > MAX_READ_AGE && !deadline.is_over() {
                list = self.listed(&[planned]).await;
                continue;
            }
            let noted = self.note_attempt(tag, shown.cloned());
            self.reads.forget(tag);
            let written = refused.write(self.repository, manifest, tag, before.as_ref());
            match written.await {
                Ok(true) => {
                    self.note_write(asked);
                    return Ok(None);
                }
                Ok(false) => self.forget_attempt(tag, noted),
                Err(error) => {
                    tries += 1;
                    if !error.is_transient() || !deadline.wait(tries, error.retry_after()).await {
                        return Err(error);
                    }
                    let text = format!("{error}; reading `{tag}` again");
                    self.console.say(&text);
                }
            }
            self.reads.forget_list();
            list = self.listed(&[planned]).await;
        }
    }

    /// Why the tag stays, when it does; says what is not known when it moves.
    async fn leaves(
        &self,
        planned: &PlannedTag,
        shown: Option<&Manifest>,
        list: &Listed,
    ) -> Option<Skipped> {
        if self.session.plan.floating == Floating::Always {
            return None;
        }
        let tag = &planned.tag;
        match self.freshness(planned, shown, list).await {
            Ok(Freshness::Newer | Freshness::Same) => None,
            Ok(Freshness::Incomparable(remark)) => {
                self.console
                    .say(&format!("`{tag}` moves although {remark}"));
                None
            }
            Ok(Freshness::Older(reason)) => Some(self.kept(tag, reason, shown)),
            Err(unanswered) => Some(self.stays(tag, shown, unanswered.or_always())),
        }
    }

    /// A tag that stays because it is not known whether it may move.
    pub(super) fn stays(
        &self,
        tag: &Tag,
        shown: Option<&Manifest>,
        unanswered: Unanswered,
    ) -> Skipped {
        let Unanswered { reason, fix } = unanswered;
        Skipped {
            fix: Some(fix),
            ..self.kept(tag, reason, shown)
        }
    }

    fn kept(&self, tag: &Tag, reason: String, shown: Option<&Manifest>) -> Skipped {
        self.console.say(&format!("Kept `{tag}`: {reason}"));
        Skipped::since(tag, reason, shown)
    }

    /// Those of the tags that do not show the image: a repeated run of a release moves nothing, and needs no list.
    pub(super) async fn elsewhere<'p>(
        &self,
        digest: &Digest,
        floating: Vec<&'p PlannedTag>,
    ) -> Vec<&'p PlannedTag> {
        let reads = floating.into_iter().map(|planned| async move {
            let shown = self.repository.digest_of(&planned.tag, digest).await;
            let is_ours = shown.is_ok_and(|shown| shown.as_ref() == Some(digest));
            (!is_ours).then_some(planned)
        });
        let others: Vec<Option<&PlannedTag>> =
            stream::iter(reads).buffered(PARALLEL).collect().await;
        others.into_iter().flatten().collect()
    }

    /// Leaves every tag where it is, and tells what each shows.
    pub(super) async fn leave_all(
        &self,
        floating: &[&PlannedTag],
        reason: &str,
    ) -> Result<Vec<Skipped>, RegistryError> {
        let looks = floating.iter().map(|planned| async move {
            let shown = self.repository.manifest_of(&planned.tag).await?;
            Ok(self.kept(&planned.tag, reason.to_owned(), shown.as_ref()))
        });
        stream::iter(looks).buffered(PARALLEL).try_collect().await
    }

    /// Noted before the write, which may arrive although no response comes back. What is put back later is
    /// what was there before the last write, since another run may have written between two of ours.
    ///
    /// Returns what was noted until now, for [`TagUpdate::forget_attempt`].
    pub(super) fn note_attempt(&self, tag: &Tag, before: Option<Manifest>) -> Option<MovedTag> {
        let mut moved = self.moved.borrow_mut();
        let tag = tag.clone();
        match moved.iter_mut().find(|known| known.tag == tag) {
            Some(known) => Some(std::mem::replace(known, MovedTag { tag, before })),
            None => {
                moved.push(MovedTag { tag, before });
                None
            }
        }
    }

    /// A conditional write that was refused has not moved the tag.
    pub(super) fn forget_attempt(&self, tag: &Tag, noted: Option<MovedTag>) {
        let mut moved = self.moved.borrow_mut();
        match (moved.iter_mut().find(|known| known.tag == *tag), noted) {
            (Some(known), Some(noted)) => *known = noted,
            _ => moved.retain(|known| known.tag != *tag),
        }
    }

    fn note_write(&self, asked: Instant) {
        let gap = self.repository.pace().since(asked);
        self.gap.set(self.gap.get().max(gap));
        self.last_write.set(Instant::now());
    }

    pub(super) fn has_moved(&self, tag: &Tag) -> bool {
        self.moved.borrow().iter().any(|moved| moved.tag == *tag)
    }
}

/// The tags of the repository, listed when a version has to be compared with them.
pub(super) type Listed = Option<Result<TagList, Unanswered>>;

impl TagUpdate<'_> {
    /// The tags of the repository, when one of `floating` shows a version.
    pub(super) async fn list_for(
        &self,
        floating: &[&PlannedTag],
    ) -> Result<Option<TagList>, RegistryError> {
        match self.asks_for_list(floating) {
            true => self.repository.tags().await.map(Some),
            false => Ok(None),
        }
    }

    fn asks_for_list(&self, floating: &[&PlannedTag]) -> bool {
        self.session.plan.floating == Floating::Forward
            && floating.iter().any(|planned| planned.line.is_some())
    }

    /// The same before the tags move, read a moment ago or now: without the list they stay where they are.
    pub(super) async fn listed(&self, floating: &[&PlannedTag]) -> Listed {
        if let Some(list) = self.reads.list().filter(|_| self.asks_for_list(floating)) {
            return Some(Ok(list));
        }
        let list = self.list_for(floating).await.transpose()?;
        Some(list.map_err(|error| self.unanswered("the list of tags could not be read", &error)))
    }

    /// What the tag shows now. A list without the tag saves the request.
    pub(super) async fn shown(&self, tag: &Tag, list: &Listed) -> Result<TagRead, Unanswered> {
        let is_read = self.reads.is_known(tag);
        if !is_read && matches!(list, Some(Ok(list)) if list.lacks(tag)) {
            let asked = Instant::now();
            return Ok(TagRead { asked, shown: None });
        }
        let read = self.read(tag).await;
        read.map_err(|error| self.unanswered("its image could not be read", &error))
    }

    /// How our image compares with the one the tag shows.
    pub(super) async fn freshness(
        &self,
        planned: &PlannedTag,
        shown: Option<&Manifest>,
        list: &Listed,
    ) -> Result<Freshness, Unanswered> {
        let freshness = match (&planned.line, list, shown) {
            (Some(_), Some(Err(unanswered)), _) => Err(unanswered.clone()),
            (Some(line), Some(Ok(list)), _) => self.by_version(line, list, shown).await,
            (_, _, None) => Ok(Freshness::Newer),
            (_, _, Some(shown)) => match self.identity(shown).await {
                Ok(identity) => self.by_commit(identity).await,
                Err(unanswered) => Err(unanswered),
            },
        };
        let digest = shown.map_or("no image", |shown| shown.digest.as_str());
        let decision = match &freshness {
            Ok(freshness) => format!("{freshness:?}"),
            Err(unanswered) => format!("unknown, since {}", unanswered.reason),
        };
        let (name, tag) = (&self.subject.name, &planned.tag);
        log::debug!("tag {name}:{tag} shows {digest}; our image compared with it: {decision}");
        freshness
    }

    /// By the versions among the tags. Where they cannot tell, the image under the tag is read: the list is
    /// not complete, or this repository tags no version in full.
    async fn by_version(
        &self,
        line: &VersionLine,
        list: &TagList,
        shown: Option<&Manifest>,
    ) -> Result<Freshness, Unanswered> {
        let by_list = Freshness::by_version(line, &list.names);
        let is_sure = list.is_complete && self.tags_in_full(line);
        let (Freshness::Newer, Some(shown), false) = (&by_list, shown, is_sure) else {
            return Ok(by_list);
        };
        match self.by_shown(line, shown).await? {
            Freshness::Incomparable(_) if !list.names.is_empty() && !list.is_complete => {
                Err(cut_list())
            }
            freshness => Ok(freshness),
        }
    }

    /// By what the image under the tag says of itself: its version, else its commit.
    async fn by_shown(
        &self,
        line: &VersionLine,
        shown: &Manifest,
    ) -> Result<Freshness, Unanswered> {
        let identity = self.identity(shown).await?;
        if let Identity::Own {
            version: Some(version),
            ..
        } = &identity
            && let Some(freshness) = Freshness::by_shown_version(line, version)
        {
            return Ok(freshness);
        }
        self.by_commit(identity).await
    }

    /// Whether the plan has a tag with the whole version of `line`, so that other runs have one too.
    fn tags_in_full(&self, line: &VersionLine) -> bool {
        let mut tags = self.session.plan.tags.iter();
        tags.any(|planned| line.version_of(planned.tag.as_str()).is_some())
    }

    /// What the image says of its source.
    pub(super) async fn identity(&self, shown: &Manifest) -> Result<Identity, Unanswered> {
        let own = self.session.context.repository_facts().html_url;
        let identity = CopySource::Repository(self.repository).identity(shown, &own);
        let identity = identity.await;
        identity.map_err(|error| self.unanswered("its image could not be read", &error))
    }

    /// By the history between our commit and that of the image under the tag. Each commit is compared once.
    async fn by_commit(&self, identity: Identity) -> Result<Freshness, Unanswered> {
        let (ours, shown) = match (&self.image.commit, identity.commit()) {
            (Ok(ours), Ok(shown)) => (ours, shown),
            (_, Err(why)) => return Ok(Freshness::Incomparable(why)),
            (Err(why), Ok(_)) => return Ok(Freshness::Incomparable(why.clone())),
        };
        let shown = shown.as_str();
        let mut known = self.relations.lock().await;
        if let Some(relation) = known.get(shown) {
            return Ok(Freshness::by_ancestry(relation.clone(), shown));
        }
        let session = self.session;
        let relation = match session.history.relation(ours, shown) {
            Some(relation) => relation,
            None => {
                let repository = &session.context.repository;
                let deadline = self.repository.deadline;
                let github = &session.github;
                github.relation(repository, ours, shown, deadline).await?
            }
        };
        known.insert(shown.to_owned(), relation.clone());
        Ok(Freshness::by_ancestry(relation, shown))
    }

    /// What is not known because the registry did not respond, or denied the request.
    fn unanswered(&self, what: &str, error: &RegistryError) -> Unanswered {
        let fix = if error.is_transient() {
            "run the job again when the registry responds".to_owned()
        } else {
            explain::explain(what, &self.subject, error)
                .fix()
                .to_owned()
        };
        Unanswered {
            reason: format!("{what}: {error}"),
            fix,
        }
    }
}

fn cut_list() -> Unanswered {
    Unanswered {
        reason: "the registry has more tags than the 100,000 that are read, and its image names no version".to_owned(),
        fix: "delete tags that nobody needs, then run the job again".to_owned(),
    }
}
