//! Moves floating tags: only forward, and not at all when their order cannot be determined.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::Instant;

use crate::image::manifest::Manifest;
use crate::image::tag::Tag;
use crate::plan::decision::Floating;
use crate::plan::tag_order::{Freshness, Unanswered};
use crate::plan::tags::PlannedTag;
use crate::publish::Skipped;
use crate::publish::freshness::Listed;
use crate::publish::move_tags::{MovedTag, RefusedWrites, TagUpdate};
use crate::registry::PARALLEL;
use crate::registry::error::RegistryError;

/// How long what was read is good enough to write by; after that it is read again.
const MAX_READ_AGE: Duration = Duration::from_secs(5);

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
            let asked = Instant::now();
            let before = match self.shown(tag, &list).await {
                Ok(before) => before,
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
