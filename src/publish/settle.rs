//! One image in one registry: prove it, let the tags point to it, read them back, undo what fails half-way.

use std::time::Duration;

use crate::context::server::RegistryKind;
use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::tag::Tag;
use crate::plan::decision::Floating;
use crate::plan::tag_order::{MAX_ROUNDS, second_look};
use crate::plan::tags::{Motion, Outcome, PlannedTag};
use crate::publish::commit_tags::Claim;
use crate::publish::tag_update::{Moved, Refused, Settling};
use crate::publish::{Held, Skipped};
use crate::registry::answer::Trouble;
use crate::registry::proof::Proof;
use crate::registry::refusal::{AGAIN, half_way};
use crate::registry::{Repository, STALE_READS, refusal};

/// How long the truth is looked for after a failure, and tags are put back.
const AFTERWARDS: Duration = Duration::from_secs(60);

/// Proves the digest, lets the tags point to it, the floating ones last, and reads them back.
pub(super) async fn settle(
    settling: &Settling<'_>,
    digest: &Digest,
    held: &mut Held,
) -> anyhow::Result<()> {
    let proof = settling.prove(digest).await;
    let proof = proof.map_err(|trouble| settling.unproven(digest, &trouble))?;
    let manifest = proof.manifest.clone();
    held.proof = Some(proof);
    if let Err(error) = settling.write_tags(&manifest, held).await {
        settling.roll_back(digest).await;
        held.tags = settling.truth(digest).await;
        return Err(error);
    }
    settling.require_answers(digest, &held.skipped)
}

impl<'a> Settling<'a> {
    async fn prove(&self, digest: &Digest) -> Result<Proof, Trouble> {
        let tag = &self.session.plan.primary;
        self.repository.prove(digest, tag).await
    }

    async fn write_tags(&self, manifest: &Manifest, held: &mut Held) -> anyhow::Result<()> {
        let digest = &manifest.digest;
        let unsettled = |trouble: Trouble| self.unsettled(digest, &trouble);
        let fixed = self.tags(Motion::Fixed);
        let unpushed = self.unpushed(&fixed);
        self.require_free(digest, &unpushed).await?;
        let put = self.repository.put_all(manifest, &unpushed).await;
        put.map_err(unsettled)?;
        held.skipped = self.float(manifest).await.map_err(unsettled)?;
        let read = self.repository.read_back(digest, &fixed, STALE_READS).await;
        self.require_all(digest, &fixed, &read.map_err(unsettled)?)?;
        let overtaken = self.look_again(manifest).await.map_err(unsettled)?;
        held.skipped.extend(overtaken);
        let shows_ours = |tag: &Tag| held.skipped.iter().all(|skipped| skipped.tag != *tag);
        let planned = self.session.plan.tags.iter().map(|planned| &planned.tag);
        held.tags = planned.filter(|tag| shows_ours(tag)).cloned().collect();
        Ok(())
    }

    async fn require_free(&self, digest: &Digest, tags: &[Tag]) -> Result<(), Problem> {
        let claim = Claim {
            session: self.session,
            commit: &self.image.commit,
            digest: Some(digest),
        };
        let name = &self.subject.name;
        claim.require(name, self.repository, tags).await
    }

    fn unpushed(&self, tags: &[Tag]) -> Vec<Tag> {
        // The older Docker registry got the image under this tag: it has no other door.
        let opened = match self.repository.kind() {
            RegistryKind::Docker => Some(&self.session.plan.primary),
            RegistryKind::Container | RegistryKind::Generic => self.image.tag,
        };
        let unpushed = tags.iter().filter(|tag| Some(*tag) != opened);
        unpushed.cloned().collect()
    }

    fn require_all(&self, digest: &Digest, wanted: &[Tag], held: &[Tag]) -> Result<(), Problem> {
        let missing = wanted.iter().filter(|tag| !held.contains(tag));
        let missing: Vec<String> = missing.map(|tag| format!("`{tag}`")).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let because = format!(
            "after 90 seconds {} still shows another image",
            missing.join(", ")
        );
        Err(Problem::new(self.pushed_only(digest), AGAIN).because(because))
    }

    /// Moves the floating tags that may move, `latest` after all others.
    async fn float(&self, manifest: &Manifest) -> Result<Vec<Skipped>, Trouble> {
        let planned = self.session.plan.tags.iter();
        let floating: Vec<&PlannedTag> = planned
            .filter(|planned| planned.motion == Motion::Floating)
            .collect();
        if floating.is_empty() {
            return Ok(Vec::new());
        }
        if let Floating::Never { reason } = &self.session.plan.floating {
            return self.leave_all(&floating, reason).await;
        }
        let list = self.listed(&floating).await;
        let (last, first): (Vec<_>, Vec<_>) = floating
            .into_iter()
            .partition(|planned| self.is_latest(&planned.tag));
        let mut skipped = self.advance_all(manifest, &first, &list).await?;
        skipped.extend(self.advance_all(manifest, &last, &list).await?);
        Ok(skipped)
    }

    /// An error when a tag stays because it is not known whether it may move. Nothing is rolled back: the
    /// others moved for good reasons.
    fn require_answers(&self, digest: &Digest, skipped: &[Skipped]) -> anyhow::Result<()> {
        let unanswered = skipped.iter().filter(|skipped| skipped.fix.is_some());
        let unanswered: Vec<&Skipped> = unanswered.collect();
        let Some(first) = unanswered.first() else {
            return Ok(());
        };
        let tags: Vec<String> = unanswered
            .iter()
            .map(|skipped| format!("`{}`", skipped.tag))
            .collect();
        let mut reasons: Vec<&str> = unanswered
            .iter()
            .map(|skipped| skipped.reason.as_str())
            .collect();
        reasons.dedup();
        let name = &self.subject.name;
        let what = format!(
            "cannot tell whether {} may move to `{name}@{digest}`, which is pushed",
            tags.join(", ")
        );
        let fix = first.fix.clone().unwrap_or_default();
        Err(Problem::new(what, fix).because(reasons.join("; ")).into())
    }

    /// Lets each tag we moved show again what it showed before our last write, the last one first, as long as
    /// it still shows ours. Looks again afterwards, since a write of ours may arrive late.
    async fn roll_back(&self, ours: &Digest) {
        let repository = self.repository_afterwards();
        let moved = self.moved.take().into_iter().rev();
        let mut moved: Vec<_> = moved.map(|moved| (moved, Refused::default())).collect();
        for round in 1..=MAX_ROUNDS {
            let mut restored = Vec::new();
            for (moved, mut refused) in moved {
                let restore = self.restore(repository, ours, &moved, &mut refused, round);
                if restore.await {
                    restored.push((moved, refused));
                }
            }
            if restored.is_empty() {
                return;
            }
            moved = restored;
            repository.pace().sleep(second_look(self.gap.get())).await;
        }
    }

    /// Whether the tag was written, and has to be looked at again.
    async fn restore(
        &self,
        repository: Repository<'_>,
        ours: &Digest,
        Moved { tag, before }: &Moved,
        refused: &mut Refused,
        round: u32,
    ) -> bool {
        let now = match repository.tagged(tag).await {
            Ok(Some(now)) if now.manifest.digest == *ours => now,
            Ok(_) => return false,
            Err(trouble) => {
                self.session
                    .console
                    .say(&format!("`{tag}` may show the new image: {trouble}"));
                return false;
            }
        };
        let Some(before) = before else {
            self.session.console.say(&format!(
                "`{tag}` shows the new image; it did not exist before"
            ));
            return false;
        };
        // One try: what the tag shows is asked again before the next one.
        let once = repository.at_most(Duration::ZERO);
        let condition = refused.condition(Some(&now));
        match once.put_over(before, tag, condition).await {
            Ok(()) => {
                let digest = &before.digest;
                self.session
                    .console
                    .say(&format!("`{tag}` shows {digest} again, as before"));
                true
            }
            Err(trouble) if trouble.is_overtaken() && condition.is_some() => {
                refused.count(Some(&now));
                true
            }
            Err(trouble)
                if trouble.is_passing()
                    && repository.patience().wait(round, trouble.asked()).await =>
            {
                true
            }
            Err(trouble) => {
                self.session
                    .console
                    .say(&format!("`{tag}` still shows the new image: {trouble}"));
                false
            }
        }
    }

    /// The tags that show the image now; those that cannot be read are not among them.
    async fn truth(&self, digest: &Digest) -> Vec<Tag> {
        let repository = self.repository_afterwards();
        let mut tags = Vec::new();
        for planned in &self.session.plan.tags {
            match repository.digest_of(&planned.tag, digest).await {
                Ok(Some(now)) if now == *digest => tags.push(planned.tag.clone()),
                Ok(_) => {}
                Err(trouble) => {
                    let tag = &planned.tag;
                    self.session
                        .console
                        .say(&format!("what `{tag}` shows is not known: {trouble}"));
                }
            }
        }
        tags
    }

    /// A patience of its own: the one for the push may be over.
    fn repository_afterwards(&self) -> Repository<'a> {
        self.repository.afresh(AFTERWARDS)
    }

    fn tags(&self, motion: Motion) -> Vec<Tag> {
        let planned = self.session.plan.tags.iter();
        planned
            .filter(|planned| planned.motion == motion)
            .map(|planned| planned.tag.clone())
            .collect()
    }

    /// `latest`, also when the flavor puts something around it.
    fn is_latest(&self, tag: &Tag) -> bool {
        tag.as_str() == "latest" || self.session.plan.latest == Outcome::Tag(tag.clone())
    }

    fn unproven(&self, digest: &Digest, trouble: &Trouble) -> Problem {
        let what = format!("cannot prove `{}@{digest}`", self.subject.name);
        refusal::refusal(&what, &self.subject, trouble)
    }

    fn unsettled(&self, digest: &Digest, trouble: &Trouble) -> anyhow::Error {
        half_way(&self.pushed_only(digest), &self.subject, trouble).into()
    }

    fn pushed_only(&self, digest: &Digest) -> String {
        let name = &self.subject.name;
        format!("`{name}@{digest}` was pushed, but its tags are not all in place")
    }
}
