//! Reads moved tags again after a delay, and corrects those that a concurrent run has moved back.

use std::time::Duration;

use futures_util::future::try_join;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::Instant;

use crate::image::manifest::Manifest;
use crate::image::tag::Tag;
use crate::plan::decision::Floating;
use crate::plan::tag_order::{Freshness, MAX_ROUNDS, RaceOutcome, Unanswered, recheck_delay};
use crate::plan::tags::PlannedTag;
use crate::publish::Skipped;
use crate::publish::floating::Listed;
use crate::publish::move_tags::TagUpdate;
use crate::registry::conditional_write::RefusedWrites;
use crate::registry::error::RegistryError;
use crate::registry::manifests::{TagList, Tagged};
use crate::registry::{PARALLEL, STALE_READS};

/// What a tag we moved shows.
enum TagState {
    /// What we wrote last.
    Ours,
    Others(Tagged),
    /// What it showed before we moved it, or nothing, for a whole minute.
    Before(Option<Tagged>),
}

/// The first look at a tag, together with those at the others.
#[derive(Clone, Copy)]
struct Look {
    asked: Instant,
    /// Whether it shows what we wrote.
    is_ours: bool,
}

impl TagUpdate<'_> {
    /// Looks at each moved tag until it shows ours, or somebody else's that is not older. The tags are listed
    /// again: a newer version may have been published while our write was under way.
    pub(super) async fn recheck(&self, manifest: &Manifest) -> Result<Vec<Skipped>, RegistryError> {
        let planned = self.session.plan.tags.iter();
        let moved: Vec<&PlannedTag> = planned
            .filter(|planned| self.has_moved(&planned.tag))
            .collect();
        if moved.is_empty() {
            return Ok(Vec::new());
        }
        let pace = self.repository.pace();
        if self.session.plan.floating == Floating::Forward {
            let passed = pace.since(self.last_write.get());
            pace.sleep(recheck_delay(self.gap.get()).saturating_sub(passed))
                .await;
        }
        let asked = Instant::now();
        let (list, are_ours) = try_join(self.list_for(&moved), self.show(manifest, &moved)).await?;
        let looks = moved.iter().zip(are_ours).map(|(planned, is_ours)| {
            let look = Look { asked, is_ours };
            self.watch(manifest, planned, list.clone(), look)
        });
        let skipped: Vec<Option<Skipped>> =
            stream::iter(looks).buffered(PARALLEL).try_collect().await?;
        Ok(skipped.into_iter().flatten().collect())
    }

    /// Whether each of the tags shows the image now.
    async fn show(
        &self,
        image: &Manifest,
        tags: &[&PlannedTag],
    ) -> Result<Vec<bool>, RegistryError> {
        let digest = &image.digest;
        let reads = tags.iter().map(|planned| async move {
            let shown = self.repository.digest_of(&planned.tag, digest).await?;
            Ok(shown.as_ref() == Some(digest))
        });
        stream::iter(reads).buffered(PARALLEL).try_collect().await
    }

    /// Looks until nothing has to be put right. What we wrote last is ours, or the image of a newer version.
    async fn watch(
        &self,
        ours: &Manifest,
        planned: &PlannedTag,
        mut list: Option<TagList>,
        first: Look,
    ) -> Result<Option<Skipped>, RegistryError> {
        let tag = &planned.tag;
        let mut written = ours.clone();
        let mut overtaken = None;
        let mut lost = false;
        let mut refused = RefusedWrites::default();
        for round in 1..=MAX_ROUNDS {
            let (asked, state) = match round {
                1 if first.is_ours => (first.asked, TagState::Ours),
                _ => (Instant::now(), self.tag_state(&written, tag).await?),
            };
            let over = match state {
                TagState::Ours => {
                    let newer = self.newer_release(planned, list.as_ref(), &written).await?;
                    let Some((newer, reason)) = newer else {
                        return Ok(overtaken);
                    };
                    self.console.say(&format!("Moving `{tag}` again: {reason}"));
                    overtaken = Some(Skipped::since(tag, reason, Some(&newer)));
                    written = newer;
                    self.repository.tagged(tag).await?
                }
                TagState::Others(other) => {
                    let listed = list.map(Ok);
                    if let Some(skipped) = self.gives_way(planned, &other.manifest, &listed).await {
                        return Ok(Some(skipped));
                    }
                    Some(other)
                }
                TagState::Before(_) if lost => return Err(self.repository.still_elsewhere(tag)),
                TagState::Before(before) => {
                    lost = true;
                    before
                }
            };
            self.write_again(&written, tag, over.as_ref(), &mut refused, round)
                .await?;
            let pace = self.repository.pace();
            pace.sleep(recheck_delay(pace.since(asked))).await;
            list = self.list_for(&[planned]).await?;
        }
        Err(self.repository.still_elsewhere(tag))
    }

    async fn write_again(
        &self,
        written: &Manifest,
        tag: &Tag,
        over: Option<&Tagged>,
        refused: &mut RefusedWrites,
        round: u32,
    ) -> Result<(), RegistryError> {
        let before = over.map(|over| &over.manifest);
        let is_ours = before.is_some_and(|before| before.digest == self.image.digest);
        if !is_ours {
            let text = format!("`{tag}` shows an older image again; moving it forward");
            self.console.say(&text);
        }
        let noted = (!is_ours).then(|| self.note_attempt(tag, before.cloned()));
        let deadline = self.repository.deadline;
        match refused.write(self.repository, written, tag, over).await {
            // Somebody wrote in between: the next round looks at it.
            Ok(false) => {
                if let Some(noted) = noted {
                    self.forget_attempt(tag, noted);
                }
                Ok(())
            }
            Err(error)
                if error.is_transient() && deadline.wait(round, error.retry_after()).await =>
            {
                Ok(())
            }
            written => written.map(drop),
        }
    }

    /// The image of a newer version in the line of the tag, when that is not what we wrote there. Our write
    /// came late then, and the run of that version has had its second look.
    async fn newer_release(
        &self,
        planned: &PlannedTag,
        list: Option<&TagList>,
        written: &Manifest,
    ) -> Result<Option<(Manifest, String)>, RegistryError> {
        let (Some(line), Some(list)) = (&planned.line, list) else {
            return Ok(None);
        };
        let Freshness::Older(reason) = Freshness::by_version(line, &list.names) else {
            return Ok(None);
        };
        let newest = line.newest(&list.names);
        let Some(newest) = newest.and_then(|(_version, tag)| Tag::sanitized(tag)) else {
            return Ok(None);
        };
        let newer = self.repository.manifest_of(&newest).await?;
        Ok(newer
            .filter(|newer| newer.digest != written.digest)
            .map(|newer| (newer, reason)))
    }

    /// What the tag shows. What it showed before may be a stale read, so it is read again until that has passed.
    async fn tag_state(&self, written: &Manifest, tag: &Tag) -> Result<TagState, RegistryError> {
        let pace = self.repository.pace();
        let start = Instant::now();
        let mut delay = Duration::from_millis(250);
        loop {
            let digest = &written.digest;
            if self.repository.digest_of(tag, digest).await?.as_ref() == Some(digest) {
                return Ok(TagState::Ours);
            }
            let now = self.repository.tagged(tag).await?;
            match now {
                Some(now) if now.manifest.digest == *digest => return Ok(TagState::Ours),
                Some(now) if !self.was_before(tag, &now.manifest) => {
                    return Ok(TagState::Others(now));
                }
                now if pace.since(start) >= STALE_READS => return Ok(TagState::Before(now)),
                _ => {}
            }
            pace.sleep(delay).await;
            delay = (delay * 2).min(Duration::from_secs(5));
        }
    }

    /// Why another run's image stays under the tag, when it does.
    async fn gives_way(
        &self,
        planned: &PlannedTag,
        other: &Manifest,
        list: &Listed,
    ) -> Option<Skipped> {
        let freshness = match self.is_same_commit(other).await {
            Ok(true) => Ok(Freshness::Same),
            Ok(false) if self.session.plan.floating == Floating::Always => {
                Ok(Freshness::Incomparable(String::new()))
            }
            Ok(false) => self.freshness(planned, Some(other), list).await,
            Err(unanswered) => Err(unanswered),
        };
        let tag = &planned.tag;
        match freshness.map(Freshness::after_a_race) {
            Ok(RaceOutcome::Restore) => None,
            Ok(RaceOutcome::Keep(reason)) => {
                self.console
                    .say(&format!("`{tag}` shows another image: {reason}"));
                Some(Skipped::since(tag, reason, Some(other)))
            }
            Err(unanswered) => Some(self.stays(tag, Some(other), unanswered.or_always())),
        }
    }

    /// Two runs of one commit do not fight.
    async fn is_same_commit(&self, other: &Manifest) -> Result<bool, Unanswered> {
        let theirs = self.identity(other).await?.commit();
        Ok(theirs.is_ok_and(|theirs| self.image.commit.as_ref() == Ok(&theirs)))
    }

    fn was_before(&self, tag: &Tag, now: &Manifest) -> bool {
        let moved = self.moved.borrow();
        let before = moved.iter().find(|moved| moved.tag == *tag);
        before
            .and_then(|moved| moved.before.as_ref())
            .is_some_and(|before| before.digest == now.digest)
    }
}
