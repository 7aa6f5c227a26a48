//! Writes the fixed tags: a version only where there is none, the others always.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::publish::Change;
use crate::publish::early_answers::EarlyAnswers;
use crate::publish::move_tags::TagUpdate;
use crate::publish::preflight::{Registries, names_in};
use crate::publish::release::taken;
use crate::registry::STALE_READS;
use crate::registry::error::RegistryError;
use crate::registry::manifests::TagList;
use crate::session::Session;

/// Between two reads of a version that is not seen yet.
const DELAY: Duration = Duration::from_secs(1);

impl TagUpdate<'_> {
    /// Lets each of the fixed tags `tags` point to the image, the versions before the others. A tag that `list` lacks is
    /// new.
    pub(super) async fn write_fixed(
        &self,
        manifest: &Manifest,
        tags: &[Tag],
        list: &TagList,
    ) -> anyhow::Result<()> {
        let (versions, others): (Vec<&Tag>, Vec<&Tag>) =
            tags.iter().partition(|tag| self.is_version(tag));
        let writes = versions.iter().map(|tag| self.write_version(manifest, tag));
        self.note(&versions, join_all(writes).await)?;
        let writes = others.iter().map(|tag| async move {
            let written = self.write_other(manifest, tag, list).await;
            written.map_err(|error| self.incomplete(&manifest.digest, &error))
        });
        self.note(&others, join_all(writes).await)
    }

    /// Keeps what became of each tag; the first failure, if there is one.
    fn note(&self, tags: &[&Tag], ended: Vec<anyhow::Result<Change>>) -> anyhow::Result<()> {
        let mut failure = Ok(());
        for (tag, ended) in tags.iter().zip(ended) {
            match ended {
                Ok(change) => self.changes.borrow_mut().push(((*tag).clone(), change)),
                Err(error) => failure = failure.and(Err(error)),
            }
        }
        failure
    }

    /// Whether the tag is a version that is written once.
    pub(super) fn is_version(&self, tag: &Tag) -> bool {
        self.session.plan.versions().any(|version| version == tag)
    }

    async fn write_other(
        &self,
        manifest: &Manifest,
        tag: &Tag,
        list: &TagList,
    ) -> Result<Change, RegistryError> {
        let before = match list.lacks(tag) {
            true => None,
            false => self.read(tag).await?.shown,
        };
        let before = before.as_ref().map(|before| &before.manifest.digest);
        let change = Change::of(before, &manifest.digest);
        if change != Change::Unchanged {
            self.reads.forget(tag);
            self.repository.put(manifest, tag).await?;
        }
        Ok(change)
    }

    /// Writes the version if it does not exist. It is read before each attempt: not every registry knows conditional
    /// writes.
    async fn write_version(&self, manifest: &Manifest, tag: &Tag) -> anyhow::Result<Change> {
        if self.image.release.shows(&self.subject.name, tag) {
            return Ok(Change::Unchanged);
        }
        let incomplete = |error: RegistryError| self.incomplete(&manifest.digest, &error);
        let start = Instant::now();
        let mut tries = 0;
        loop {
            let shown = self.read(tag).await.map_err(incomplete)?.shown;
            match shown.map(|shown| shown.manifest) {
                Some(shown) if shown.digest != manifest.digest => {
                    return Err(self.taken(tag, &shown).await);
                }
                Some(_ours) if tries == 0 => return Ok(Change::Unchanged),
                Some(_ours) => return Ok(Change::Created),
                None => {}
            }
            self.reads.forget(tag);
            let Err(error) = self.repository.put_new(manifest, tag).await else {
                return Ok(Change::Created);
            };
            tries += 1;
            if !self.may_pass(&error, start) || !self.wait(tries, &error).await {
                return Err(incomplete(error));
            }
            self.console.say(&format!("{error}; reading `{tag}` again"));
        }
    }

    /// A read that finds no tag, or a write that misses a part of the image, may be stale.
    fn may_pass(&self, error: &RegistryError, start: Instant) -> bool {
        let may_be_stale =
            error.is_precondition_failed() || matches!(error, RegistryError::NotFound(_));
        error.is_transient() || (may_be_stale && self.repository.pace().since(start) < STALE_READS)
    }

    async fn wait(&self, tries: u32, error: &RegistryError) -> bool {
        let deadline = self.repository.deadline;
        deadline.wait(tries, error.retry_after()).await
    }

    /// Reads the versions that were created until they show the image. One that shows another was overwritten by another
    /// run, in a registry without conditional writes.
    pub(super) async fn confirm_versions(&self, digest: &Digest) -> anyhow::Result<()> {
        let changes = self.changes.borrow().clone();
        let created = changes
            .iter()
            .filter(|(tag, change)| *change == Change::Created && self.is_version(tag));
        let read = created.map(|(tag, _)| self.confirm_version(digest, tag));
        let read: anyhow::Result<Vec<()>> = join_all(read).await.into_iter().collect();
        read.map(drop)
    }

    async fn confirm_version(&self, digest: &Digest, tag: &Tag) -> anyhow::Result<()> {
        let pace = self.repository.pace();
        let start = Instant::now();
        loop {
            let shown = self.repository.digest_of(tag, digest).await;
            match shown.map_err(|error| self.incomplete(digest, &error))? {
                Some(shown) if shown == *digest => return Ok(()),
                None if pace.since(start) < STALE_READS => pace.sleep(DELAY).await,
                _other => {
                    let shown = self.repository.manifest_of(tag).await;
                    let shown = shown.map_err(|error| self.incomplete(digest, &error))?;
                    let shown = shown.filter(|shown| shown.digest != *digest);
                    return match shown {
                        Some(shown) => Err(self.taken(tag, &shown).await),
                        None => Err(self.repository.still_elsewhere(tag))
                            .map_err(|error| self.incomplete(digest, &error)),
                    };
                }
            }
        }
    }

    /// Those of the fixed tags `tags` that have to be read back: not the versions, which are confirmed.
    pub(super) fn written(&self, tags: &[Tag]) -> Vec<Tag> {
        let others = tags.iter().filter(|tag| !self.is_version(tag));
        others.cloned().collect()
    }

    async fn taken(&self, tag: &Tag, shown: &Manifest) -> anyhow::Error {
        let (name, digest) = (&self.subject.name, &self.image.digest);
        taken(
            self.session,
            self.repository,
            name,
            tag,
            shown,
            Some(digest),
        )
        .await
        .into()
    }
}

/// What the tag that the engine writes showed before the push, under each name.
pub(super) struct BeforePush<'a> {
    tag: Option<&'a Tag>,
    shown: Vec<(ImageName, Option<Digest>)>,
}

/// Reads what the tag shows, if it is one of the plan. Of a registry that does not answer, nothing is known.
pub(super) async fn before_push<'a>(
    session: &Session,
    registries: &Registries,
    early: &EarlyAnswers,
    tag: Option<&'a Tag>,
) -> BeforePush<'a> {
    let plan = &session.plan;
    let tag = tag.filter(|tag| plan.tags.iter().any(|planned| planned.tag == **tag));
    let Some(tag) = tag else {
        return BeforePush {
            tag: None,
            shown: Vec::new(),
        };
    };
    let reads = names_in(registries, session).map(|name| async move {
        let registry = &registries[name.registry()];
        let deadline = Deadline::after(Duration::ZERO, registry.pace);
        let repository = registry.repository(name.repository(), deadline);
        let shown = early.read(name, tag, repository).await.ok()?;
        Some((name.clone(), shown.map(|shown| shown.digest)))
    });
    BeforePush {
        tag: Some(tag),
        shown: join_all(reads).await.into_iter().flatten().collect(),
    }
}

impl BeforePush<'_> {
    /// What became of the tag under `name`, which shows `digest` now.
    pub(super) fn changes(&self, name: &ImageName, digest: &Digest) -> Vec<(Tag, Change)> {
        let shown = self.shown.iter().find(|(other, _)| other == name);
        let change = shown.map(|(_, before)| Change::of(before.as_ref(), digest));
        let tag = self.tag.cloned();
        tag.zip(change).into_iter().collect()
    }
}
