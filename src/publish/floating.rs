//! Floating tags: moved only forward, looked at again, and put back when a race left an older image there.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::Instant;

use super::Skipped;
use super::settle::Settling;
use crate::context::Context;
use crate::image::Tag;
use crate::plan::decision::Floating;
use crate::plan::tags::PlannedTag;
use crate::registry::order::{Answer, MOST_ROUNDS, Standing, second_look};
use crate::registry::{Manifest, Origin, PARALLEL, STALE_READS, Trouble};

/// A floating tag that points to our image, or may, and what it pointed to before.
pub(super) struct Moved {
    pub(super) tag: Tag,
    pub(super) before: Option<Manifest>,
}

/// The tags a registry has, asked for when a version has to be compared with them.
#[derive(Clone)]
pub(super) enum Present {
    NotAsked,
    Tags(Vec<String>),
    Unknown(String),
}

/// What a tag we moved shows.
enum Sight {
    Ours,
    Others(Manifest),
    /// What it showed before we moved it, for a whole minute.
    Before,
}

/// How long an answer is good enough to write by; after that the question is asked again.
const FRESH: Duration = Duration::from_secs(5);

impl Settling<'_> {
    /// The tags the registry has, when a version has to be compared with them.
    pub(super) async fn present_tags(&self, floating: &[&PlannedTag]) -> Present {
        let asks = self.decided.plan.floating == Floating::Forward
            && floating.iter().any(|planned| planned.line.is_some());
        if !asks {
            return Present::NotAsked;
        }
        match self.repository.at_most(FRESH).tags().await {
            Ok(tags) => Present::Tags(tags),
            Err(trouble) => {
                Present::Unknown(format!("the tags that are there are not known: {trouble}"))
            }
        }
    }

    /// Moves each of the tags unless it shows something newer.
    pub(super) async fn advance_all(
        &self,
        manifest: &Manifest,
        floating: &[&PlannedTag],
        present: &Present,
    ) -> Result<Vec<Skipped>, Trouble> {
        let steps = floating
            .iter()
            .map(|planned| self.advance(manifest, planned, present));
        // All of them to their end: a write that is dropped half-way may still arrive.
        let ended: Vec<Result<Option<Skipped>, Trouble>> =
            stream::iter(steps).buffered(PARALLEL).collect().await;
        let skipped: Vec<Option<Skipped>> = ended.into_iter().collect::<Result<_, _>>()?;
        Ok(skipped.into_iter().flatten().collect())
    }

    /// Asks and writes, and asks again when writing takes long.
    async fn advance(
        &self,
        manifest: &Manifest,
        planned: &PlannedTag,
        present: &Present,
    ) -> Result<Option<Skipped>, Trouble> {
        let mut present = present.clone();
        let mut tries = 0;
        loop {
            let asked = Instant::now();
            let before = self.shown(planned, &present).await?;
            if before
                .as_ref()
                .is_some_and(|shown| shown.digest == manifest.digest)
            {
                self.note_write(asked);
                return Ok(None);
            }
            if let Some(skipped) = self.leaves(planned, before.as_ref(), &present).await {
                return Ok(Some(skipped));
            }
            self.note_attempt(&planned.tag, before);
            let trouble = match self
                .repository
                .at_most(FRESH)
                .put(manifest, &planned.tag)
                .await
            {
                Ok(()) => {
                    self.note_write(asked);
                    return Ok(None);
                }
                Err(trouble) => trouble,
            };
            tries += 1;
            let patience = self.repository.patience();
            if !trouble.is_passing() || !patience.wait(tries, trouble.asked()).await {
                return Err(trouble);
            }
            self.console.say(&format!(
                "{trouble}; asking again what `{}` shows",
                planned.tag
            ));
            present = self.present_tags(&[planned]).await;
        }
    }

    /// What the tag shows now. A list of all tags that does not have it saves the question.
    async fn shown(
        &self,
        planned: &PlannedTag,
        present: &Present,
    ) -> Result<Option<Manifest>, Trouble> {
        match present {
            Present::Tags(tags) if tags.iter().all(|tag| tag != planned.tag.as_str()) => Ok(None),
            _ => self.repository.manifest_of(&planned.tag).await,
        }
    }

    /// Why the tag stays, when it does; says what is not known when it moves.
    async fn leaves(
        &self,
        planned: &PlannedTag,
        shown: Option<&Manifest>,
        present: &Present,
    ) -> Option<Skipped> {
        if self.decided.plan.floating == Floating::Always {
            return None;
        }
        let tag = &planned.tag;
        match self.standing(planned, shown, present).await {
            Standing::Newer | Standing::Same => None,
            Standing::Unknown(remark) => {
                self.console
                    .say(&format!("`{tag}` moves although {remark}"));
                None
            }
            Standing::Older(reason) => {
                self.console
                    .say(&format!("`{tag}` stays where it is, since {reason}"));
                Some(Skipped {
                    tag: tag.clone(),
                    reason,
                    holds: shown.map(|shown| shown.digest.clone()),
                })
            }
        }
    }

    async fn standing(
        &self,
        planned: &PlannedTag,
        shown: Option<&Manifest>,
        present: &Present,
    ) -> Standing {
        match (&planned.line, present, shown) {
            (Some(line), Present::Tags(present), _) => Standing::by_version(line, present),
            (Some(_), Present::Unknown(why), _) => Standing::Unknown(why.clone()),
            (_, _, None) => Standing::Newer,
            (_, _, Some(shown)) => self.ancestry(shown).await,
        }
    }

    async fn ancestry(&self, shown: &Manifest) -> Standing {
        let context = &self.decided.context;
        let own = context.repository_facts().html_url;
        let origin = Origin::Repository(self.repository);
        let commit = match origin.identity(shown, &own).await {
            Ok(identity) => identity.commit(),
            Err(trouble) => Err(trouble.to_string()),
        };
        let commit = match commit {
            Ok(commit) => commit,
            Err(why) => return Standing::Unknown(why),
        };
        let ours = match &self.image.commit {
            Ok(ours) => ours.clone(),
            Err(why) => return Standing::Unknown(why.clone()),
        };
        let context = Context {
            commit: ours,
            ..context.clone()
        };
        let relation = self.decided.github.relation(&context, &commit).await;
        Standing::by_ancestry(relation, &commit)
    }

    /// Looks at each moved tag until it shows ours, or somebody else's that is not older.
    pub(super) async fn look_again(&self, manifest: &Manifest) -> Result<Vec<Skipped>, Trouble> {
        let planned = self.decided.plan.tags.iter();
        let moved: Vec<&PlannedTag> = planned
            .filter(|planned| self.has_moved(&planned.tag))
            .collect();
        if moved.is_empty() {
            return Ok(Vec::new());
        }
        let pace = self.repository.pace();
        if self.decided.plan.floating == Floating::Forward {
            let passed = pace.since(self.last_write.get());
            pace.sleep(second_look(self.gap.get()).saturating_sub(passed))
                .await;
        }
        let looks = moved.iter().map(|planned| self.watch(manifest, planned));
        let skipped: Vec<Option<Skipped>> =
            stream::iter(looks).buffered(PARALLEL).try_collect().await?;
        Ok(skipped.into_iter().flatten().collect())
    }

    async fn watch(
        &self,
        manifest: &Manifest,
        planned: &PlannedTag,
    ) -> Result<Option<Skipped>, Trouble> {
        let mut lost = false;
        for _round in 0..MOST_ROUNDS {
            let asked = Instant::now();
            match self.sight(manifest, &planned.tag).await? {
                Sight::Ours => return Ok(None),
                Sight::Others(other) => {
                    if let Some(overtaken) = self.gives_way(planned, &other).await {
                        return Ok(Some(overtaken));
                    }
                }
                Sight::Before if lost => return Err(self.repository.still_elsewhere(&planned.tag)),
                Sight::Before => lost = true,
            }
            let tag = &planned.tag;
            self.console.say(&format!(
                "`{tag}` shows an older image again, and is put forward"
            ));
            self.repository.put(manifest, tag).await?;
            let pace = self.repository.pace();
            pace.sleep(second_look(pace.since(asked))).await;
        }
        Err(self.repository.still_elsewhere(&planned.tag))
    }

    /// What the tag shows. What it showed before may be a stale answer, and is waited for to pass.
    async fn sight(&self, ours: &Manifest, tag: &Tag) -> Result<Sight, Trouble> {
        let pace = self.repository.pace();
        let start = Instant::now();
        let mut delay = Duration::from_millis(250);
        loop {
            if self.repository.digest_of(tag, &ours.digest).await?.as_ref() == Some(&ours.digest) {
                return Ok(Sight::Ours);
            }
            match self.repository.manifest_of(tag).await? {
                Some(now) if now.digest == ours.digest => return Ok(Sight::Ours),
                Some(now) if !self.was_before(tag, &now) => return Ok(Sight::Others(now)),
                _ => {}
            }
            if pace.since(start) >= STALE_READS {
                return Ok(Sight::Before);
            }
            pace.sleep(delay).await;
            delay = (delay * 2).min(Duration::from_secs(5));
        }
    }

    async fn gives_way(&self, planned: &PlannedTag, other: &Manifest) -> Option<Skipped> {
        let present = self.present_tags(&[planned]).await;
        let standing = match self.decided.plan.floating {
            Floating::Always => Standing::Unknown(String::new()),
            _ => match self.ancestry_if_same(other).await {
                Some(same) => same,
                None => self.standing(planned, Some(other), &present).await,
            },
        };
        match standing.after_a_race() {
            Answer::PutBack => None,
            Answer::Overtaken(reason) => {
                self.console
                    .say(&format!("`{}` shows another image: {reason}", planned.tag));
                Some(overtaken(planned, other, reason))
            }
        }
    }

    /// Two runs of one commit do not fight.
    async fn ancestry_if_same(&self, other: &Manifest) -> Option<Standing> {
        let revision = other.annotation("org.opencontainers.image.revision");
        let ours = self.image.commit.as_deref().ok();
        (revision.is_some() && revision.as_deref() == ours).then_some(Standing::Same)
    }

    /// Leaves every tag where it is, and tells what each shows.
    pub(super) async fn leave_all(
        &self,
        floating: &[&PlannedTag],
        reason: &str,
    ) -> Result<Vec<Skipped>, Trouble> {
        let looks = floating.iter().map(|planned| async move {
            let shown = self.repository.manifest_of(&planned.tag).await?;
            self.console.say(&format!(
                "`{}` stays where it is, since {reason}",
                planned.tag
            ));
            Ok(Skipped {
                tag: planned.tag.clone(),
                reason: reason.to_owned(),
                holds: shown.map(|shown| shown.digest),
            })
        });
        stream::iter(looks).buffered(PARALLEL).try_collect().await
    }

    /// Noted before the write, which may arrive although no answer comes back.
    fn note_attempt(&self, tag: &Tag, before: Option<Manifest>) {
        let mut moved = self.moved.borrow_mut();
        if moved.iter().all(|known| known.tag != *tag) {
            let tag = tag.clone();
            moved.push(Moved { tag, before });
        }
    }

    fn note_write(&self, asked: Instant) {
        let gap = self.repository.pace().since(asked);
        self.gap.set(self.gap.get().max(gap));
        self.last_write.set(Instant::now());
    }

    fn has_moved(&self, tag: &Tag) -> bool {
        self.moved.borrow().iter().any(|moved| moved.tag == *tag)
    }

    fn was_before(&self, tag: &Tag, now: &Manifest) -> bool {
        let moved = self.moved.borrow();
        let before = moved.iter().find(|moved| moved.tag == *tag);
        before
            .and_then(|moved| moved.before.as_ref())
            .is_some_and(|before| before.digest == now.digest)
    }
}

fn overtaken(planned: &PlannedTag, other: &Manifest, reason: String) -> Skipped {
    Skipped {
        tag: planned.tag.clone(),
        reason,
        holds: Some(other.digest.clone()),
    }
}
