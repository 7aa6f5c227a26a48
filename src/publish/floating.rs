//! Floating tags: each moves only forward, and stays where it is when it is not known whether it may.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::Instant;

use crate::image::manifest::Manifest;
use crate::image::tag::Tag;
use crate::plan::decision::Floating;
use crate::plan::tag_order::{Standing, Unanswered};
use crate::plan::tags::PlannedTag;
use crate::publish::Skipped;
use crate::publish::standing::Listed;
use crate::publish::tag_update::{Moved, Refused, Settling};
use crate::registry::PARALLEL;
use crate::registry::answer::Trouble;

/// How long an answer is good enough to write by; after that the question is asked again.
const FRESH: Duration = Duration::from_secs(5);
impl Settling<'_> {
    /// Moves each of the tags unless it shows something newer.
    pub(super) async fn advance_all(
        &self,
        manifest: &Manifest,
        floating: &[&PlannedTag],
        list: &Listed,
    ) -> Result<Vec<Skipped>, Trouble> {
        let steps = floating
            .iter()
            .map(|planned| self.advance(manifest, planned, list));
        // All of them to their end: a write that is dropped half-way may still arrive.
        let ended: Vec<Result<Option<Skipped>, Trouble>> =
            stream::iter(steps).buffered(PARALLEL).collect().await;
        let skipped: Vec<Option<Skipped>> = ended.into_iter().collect::<Result<_, _>>()?;
        Ok(skipped.into_iter().flatten().collect())
    }

    /// Asks and writes; asks again when the answers took long, and when the write did.
    async fn advance(
        &self,
        manifest: &Manifest,
        planned: &PlannedTag,
        list: &Listed,
    ) -> Result<Option<Skipped>, Trouble> {
        let tag = &planned.tag;
        let patience = self.repository.patience();
        let mut list = list.clone();
        let mut refused = Refused::default();
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
            let took = patience.pace().since(asked);
            if took > FRESH && !patience.is_over() {
                list = self.listed(&[planned]).await;
                continue;
            }
            let noted = self.note_attempt(tag, shown.cloned());
            let condition = refused.condition(before.as_ref());
            // One try: what the tag shows is asked again before the next one.
            let repository = self.repository.at_most(Duration::ZERO);
            match repository.put_over(manifest, tag, condition).await {
                Ok(()) => {
                    self.note_write(asked);
                    return Ok(None);
                }
                Err(trouble) if trouble.is_overtaken() && condition.is_some() => {
                    self.forget_attempt(tag, noted);
                    refused.count(before.as_ref());
                }
                Err(trouble) => {
                    tries += 1;
                    if !trouble.is_passing() || !patience.wait(tries, trouble.asked()).await {
                        return Err(trouble);
                    }
                    let text = format!("{trouble}; asking again what `{tag}` shows");
                    self.session.console.say(&text);
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
        match self.standing(planned, shown, list).await {
            Ok(Standing::Newer | Standing::Same) => None,
            Ok(Standing::Incomparable(remark)) => {
                self.session
                    .console
                    .say(&format!("`{tag}` moves although {remark}"));
                None
            }
            Ok(Standing::Older(reason)) => {
                self.session
                    .console
                    .say(&format!("`{tag}` stays where it is, since {reason}"));
                Some(Skipped::since(tag, reason, shown))
            }
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
        self.session
            .console
            .say(&format!("`{tag}` stays where it is, since {reason}"));
        Skipped {
            fix: Some(fix),
            ..Skipped::since(tag, reason, shown)
        }
    }

    /// Leaves every tag where it is, and tells what each shows.
    pub(super) async fn leave_all(
        &self,
        floating: &[&PlannedTag],
        reason: &str,
    ) -> Result<Vec<Skipped>, Trouble> {
        let looks = floating.iter().map(|planned| async move {
            let shown = self.repository.manifest_of(&planned.tag).await?;
            self.session.console.say(&format!(
                "`{}` stays where it is, since {reason}",
                planned.tag
            ));
            Ok(Skipped::since(
                &planned.tag,
                reason.to_owned(),
                shown.as_ref(),
            ))
        });
        stream::iter(looks).buffered(PARALLEL).try_collect().await
    }

    /// Noted before the write, which may arrive although no answer comes back. What is put back later is
    /// what was there before the last write, since another run may have written between two of ours.
    ///
    /// Returns what was noted until now, for [`Settling::forget_attempt`].
    pub(super) fn note_attempt(&self, tag: &Tag, before: Option<Manifest>) -> Option<Moved> {
        let mut moved = self.moved.borrow_mut();
        let tag = tag.clone();
        match moved.iter_mut().find(|known| known.tag == tag) {
            Some(known) => Some(std::mem::replace(known, Moved { tag, before })),
            None => {
                moved.push(Moved { tag, before });
                None
            }
        }
    }

    /// A conditional write that was refused has not moved the tag.
    pub(super) fn forget_attempt(&self, tag: &Tag, noted: Option<Moved>) {
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
