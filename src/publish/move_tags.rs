//! Verifies one image in one registry, moves its tags, reads them back, and rolls back after a failure.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{join, try_join};
use tokio::time::Instant;

use crate::console::Console;
use crate::context::history::Relation;
use crate::context::server::RegistryKind;
use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::plan::decision::Floating;
use crate::plan::tag_order::{MAX_ROUNDS, recheck_delay};
use crate::plan::tags::{Motion, Outcome, PlannedTag};
use crate::publish::commit_tags::CommitTagCheck;
use crate::publish::preflight::subject;
use crate::publish::tag_reads::TagReads;
use crate::publish::{Change, Published, PushedImage, Skipped};
use crate::registry::conditional_write::RefusedWrites;
use crate::registry::diagnosis::Subject;
use crate::registry::error::RegistryError;
use crate::registry::explain::{RUN_AGAIN, explain_incomplete};
use crate::registry::manifests::TagList;
use crate::registry::{Repository, STALE_READS, explain};
use crate::session::Session;

/// How long the tags are read again after a failure, and tags are put back.
const ROLLBACK_TIME: Duration = Duration::from_secs(60);

/// The update of the tags of one image in one registry: what it needs to know, and what it has moved so far.
pub(super) struct TagUpdate<'a> {
    pub(super) session: &'a Session,
    pub(super) console: Console,
    pub(super) subject: Subject,
    pub(super) image: &'a PushedImage<'a>,
    pub(super) repository: Repository<'a>,
    pub(super) reads: TagReads,
    /// Floating tags that were, or may have been, moved, in the order of the attempts.
    pub(super) moved: RefCell<Vec<MovedTag>>,
    /// What became of the fixed tags.
    pub(super) changes: RefCell<Vec<(Tag, Change)>>,
    /// How our commit relates to others, as far as they were compared.
    pub(super) relations: tokio::sync::Mutex<BTreeMap<String, Relation>>,
    /// The longest time between a read and the write it led to.
    pub(super) gap: Cell<Duration>,
    pub(super) last_write: Cell<Instant>,
}

impl<'a> TagUpdate<'a> {
    pub(super) fn new(
        session: &'a Session,
        name: &ImageName,
        image: &'a PushedImage<'a>,
        repository: Repository<'a>,
    ) -> Self {
        Self {
            session,
            console: session.console,
            subject: subject(session, name),
            image,
            repository,
            reads: TagReads::new(repository.pace()),
            moved: RefCell::default(),
            changes: RefCell::default(),
            relations: tokio::sync::Mutex::default(),
            gap: Cell::default(),
            last_write: Cell::new(Instant::now()),
        }
    }
}

/// Verifies that the registry holds the image. When only blobs are left, what the tags show is read too, and `beside` begins.
pub(super) async fn verify<T>(
    update: &TagUpdate<'_>,
    digest: &Digest,
    published: &mut Published,
    beside: impl Future<Output = T>,
) -> anyhow::Result<()> {
    let tag = &update.session.plan.primary;
    let (image, repository) = (update.image, update.repository);
    let beside = join(update.ask_ahead(), beside).map(drop).boxed_local();
    let verified = match image.release.manifest(&update.subject.name) {
        Some(manifest) => repository.verify_manifest(manifest.clone(), beside).await,
        None => {
            let since = image.since;
            repository.verify(digest, tag, since, beside).await
        }
    };
    let verified = verified.map_err(|error| {
        let what = format!("cannot verify `{}@{digest}`", update.subject.name);
        explain::explain(&what, &update.subject, &error)
    })?;
    published.verified = Some(verified);
    Ok(())
}

/// Lets the tags point to the verified image, the floating ones last, and reads them back. `before_floating` begins
/// when the floating tags have been read, and ends before the first of them is written.
pub(super) async fn move_tags<T>(
    update: &TagUpdate<'_>,
    published: &mut Published,
    before_floating: impl Future<Output = T>,
) -> anyhow::Result<()> {
    let Some(verified) = &published.verified else {
        return Ok(());
    };
    let manifest = verified.manifest.clone();
    let digest = &manifest.digest;
    if let Err(error) = update
        .write_tags(&manifest, published, before_floating)
        .await
    {
        update.roll_back(digest).await;
        published.tags = update.tags_showing(digest).await;
        published.changes.extend(update.changes.take());
        let Published { tags, changes, .. } = published;
        changes.retain(|(tag, _)| tags.contains(tag));
        return Err(error);
    }
    update.require_answers(digest, &published.skipped)
}

impl<'a> TagUpdate<'a> {
    async fn write_tags<T>(
        &self,
        manifest: &Manifest,
        published: &mut Published,
        before_floating: impl Future<Output = T>,
    ) -> anyhow::Result<()> {
        let digest = &manifest.digest;
        let incomplete = |error: RegistryError| self.incomplete(digest, &error);
        let fixed = self.tags(Motion::Fixed);
        let unpushed = self.unpushed(&fixed);
        self.ask().await;
        let list = &self.list_of_fixed(&unpushed);
        self.require_commit_tags(digest, &unpushed, list).await?;
        let ahead = self
            .read_floating_ahead()
            .then(|()| before_floating)
            .map(Ok);
        try_join(self.write_fixed(manifest, &unpushed, list), ahead).await?;
        published.skipped = self.float(manifest).await.map_err(incomplete)?;
        let read_back = self.read_back(digest, self.written(&fixed));
        try_join(self.confirm_versions(digest), read_back).await?;
        let overtaken = self.recheck(manifest).await.map_err(incomplete)?;
        published.skipped.extend(overtaken);
        let shows_ours = |tag: &Tag| published.skipped.iter().all(|skipped| skipped.tag != *tag);
        let planned = self.session.plan.tags.iter().map(|planned| &planned.tag);
        published.tags = planned.filter(|tag| shows_ours(tag)).cloned().collect();
        published.changes.extend(self.changes.take());
        self.note_floating(digest, published);
        Ok(())
    }

    /// Refuses if one of the fixed tags `tags` names a commit and shows an image of another one. A tag that `list` lacks is
    /// not read.
    async fn require_commit_tags(
        &self,
        digest: &Digest,
        tags: &[Tag],
        list: &TagList,
    ) -> Result<(), Problem> {
        let existing = tags.iter().filter(|tag| !list.lacks(tag));
        let existing: Vec<Tag> = existing.cloned().collect();
        self.read_ahead(&existing).await;
        let check = CommitTagCheck::new(self.session, &self.image.commit, Some(digest));
        let of_commit = self.session.plan.commit_tags();
        for tag in existing.iter().filter(|tag| of_commit.contains(tag)) {
            let shown = self.read(tag).await;
            let shown = shown.map(|read| read.shown.map(|shown| shown.manifest));
            let name = &self.subject.name;
            check.require(name, self.repository, tag, shown).await?;
        }
        Ok(())
    }

    pub(super) fn unpushed(&self, tags: &[Tag]) -> Vec<Tag> {
        // The older Docker registry already has the image under this tag: it accepts no manifest by digest.
        let pushed = match self.repository.kind() {
            RegistryKind::Docker => Some(&self.session.plan.primary),
            RegistryKind::Container | RegistryKind::Generic => self.image.tag,
        };
        let unpushed = tags.iter().filter(|tag| Some(*tag) != pushed);
        unpushed.cloned().collect()
    }

    /// Reads the tags that were written until each of them shows the image.
    async fn read_back(&self, digest: &Digest, written: Vec<Tag>) -> anyhow::Result<()> {
        let read = self.repository.read_back(digest, &written, STALE_READS);
        let read = read
            .await
            .map_err(|error| self.incomplete(digest, &error))?;
        let missing = written.iter().filter(|tag| !read.contains(tag));
        let missing: Vec<String> = missing.map(|tag| format!("`{tag}`")).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let because = format!(
            "after 90 seconds {} still shows another image",
            missing.join(", ")
        );
        Err(Problem::new(self.pushed_only(digest), RUN_AGAIN)
            .because(because)
            .into())
    }

    /// Moves the floating tags that may move, `latest` after all others.
    async fn float(&self, manifest: &Manifest) -> Result<Vec<Skipped>, RegistryError> {
        let planned = self.session.plan.tags.iter();
        let mut floating: Vec<&PlannedTag> = planned
            .filter(|planned| planned.motion == Motion::Floating)
            .collect();
        if self.image.release.manifest(&self.subject.name).is_some() {
            floating = self.elsewhere(&manifest.digest, floating).await;
        }
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
        let tags: Vec<Tag> = last.iter().map(|planned| planned.tag.clone()).collect();
        let ahead = self.read_ahead(&tags).map(Ok);
        let (mut skipped, ()) = try_join(self.advance_all(manifest, &first, &list), ahead).await?;
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
        let tags = unanswered
            .iter()
            .map(|skipped| format!("`{}`", skipped.tag));
        let tags: Vec<String> = tags.collect();
        let reasons = unanswered.iter().map(|skipped| skipped.reason.as_str());
        let mut reasons: Vec<&str> = reasons.collect();
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
        // A deadline of its own: the one for the push may be over.
        let repository = self.repository.with_new_deadline(ROLLBACK_TIME);
        let moved = self.moved.take().into_iter().rev();
        let mut moved: Vec<_> = moved
            .map(|moved| (moved, RefusedWrites::default()))
            .collect();
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
            repository.pace().sleep(recheck_delay(self.gap.get())).await;
        }
    }

    /// Whether the tag was written, and has to be looked at again.
    async fn restore(
        &self,
        repository: Repository<'_>,
        ours: &Digest,
        MovedTag { tag, before }: &MovedTag,
        refused: &mut RefusedWrites,
        round: u32,
    ) -> bool {
        let now = match repository.tagged(tag).await {
            Ok(Some(now)) if now.manifest.digest == *ours => now,
            Ok(_) => return false,
            Err(error) => {
                self.console
                    .say(&format!("`{tag}` may show the new image: {error}"));
                return false;
            }
        };
        let Some(before) = before else {
            let text = format!("`{tag}` shows the new image; it did not exist before");
            self.console.say(&text);
            return false;
        };
        match refused.write(repository, before, tag, Some(&now)).await {
            Ok(true) => {
                let digest = &before.digest;
                let text = format!("`{tag}` shows {digest} again, as before");
                self.console.say(&text);
                true
            }
            Ok(false) => true,
            Err(error)
                if error.is_transient()
                    && repository.deadline.wait(round, error.retry_after()).await =>
            {
                true
            }
            Err(error) => {
                self.console
                    .say(&format!("`{tag}` still shows the new image: {error}"));
                false
            }
        }
    }

    /// The tags that show the image now; those that cannot be read are not among them.
    async fn tags_showing(&self, digest: &Digest) -> Vec<Tag> {
        let repository = self.repository.with_new_deadline(ROLLBACK_TIME);
        let mut tags = Vec::new();
        for planned in &self.session.plan.tags {
            match repository.digest_of(&planned.tag, digest).await {
                Ok(Some(now)) if now == *digest => tags.push(planned.tag.clone()),
                Ok(_) => {}
                Err(error) => {
                    let tag = &planned.tag;
                    self.console
                        .say(&format!("could not read `{tag}`: {error}"));
                }
            }
        }
        tags
    }

    pub(super) fn tags(&self, motion: Motion) -> Vec<Tag> {
        let planned = self.session.plan.tags.iter();
        planned
            .filter(|planned| planned.motion == motion)
            .map(|planned| planned.tag.clone())
            .collect()
    }

    /// `latest`, also when the flavor puts something around it.
    pub(super) fn is_latest(&self, tag: &Tag) -> bool {
        tag.as_str() == "latest" || self.session.plan.latest == Outcome::Tag(tag.clone())
    }

    /// Adds what became of the floating tags that show the image.
    fn note_floating(&self, digest: &Digest, published: &mut Published) {
        let moved = self.moved.borrow();
        for tag in &published.tags {
            if published.change(tag).is_none() {
                let moved = moved.iter().find(|moved| moved.tag == *tag);
                let change = moved.map_or(Change::Unchanged, |moved| {
                    let before = moved.before.as_ref().map(|before| &before.digest);
                    Change::of(before, digest)
                });
                published.changes.push((tag.clone(), change));
            }
        }
    }

    pub(super) fn incomplete(&self, digest: &Digest, error: &RegistryError) -> anyhow::Error {
        explain_incomplete(&self.pushed_only(digest), &self.subject, error).into()
    }

    fn pushed_only(&self, digest: &Digest) -> String {
        let name = &self.subject.name;
        format!("`{name}@{digest}` was pushed, but not all of its tags were moved")
    }
}

/// A floating tag that points to our image, or may, and what it pointed to before our last write.
pub(super) struct MovedTag {
    pub(super) tag: Tag,
    pub(super) before: Option<Manifest>,
}
