//! Protects commit tags: a tag that names a commit never moves to an image of another commit.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::deadline::Deadline;
use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::publish::early_answers::EarlyAnswers;
use crate::publish::preflight::{Registries, names_in, subject};
use crate::publish::tag_reads::LIST_FROM;
use crate::registry::copy_source::CopySource;
use crate::registry::error::RegistryError;
use crate::registry::explain::explain_read;
use crate::registry::identity::{REVISION, SOURCE};
use crate::registry::manifests::TagList;
use crate::registry::{PARALLEL, Repository};
use crate::session::Session;

/// The image that is about to be published.
pub(super) struct CommitTagCheck<'a> {
    session: &'a Session,
    /// The commit it is of; else why that is not known.
    commit: &'a Result<String, String>,
    /// Unknown before it is built.
    digest: Option<&'a Digest>,
}

/// Those of `tags` that the repository may have: all of them without a list; in a repository that does not exist yet,
/// only `first`, the one that the engine writes.
async fn not_absent(
    list: impl Future<Output = Result<TagList, RegistryError>>,
    mut tags: Vec<Tag>,
    first: &Tag,
) -> Vec<Tag> {
    if tags.len() < LIST_FROM {
        return tags;
    }
    if let Ok(list) = list.await {
        let is_new = list.names.is_empty() && !list.is_complete;
        tags.retain(|tag| match is_new {
            true => tag == first,
            false => !list.lacks(tag),
        });
    }
    tags
}

impl<'a> CommitTagCheck<'a> {
    pub(super) fn new(
        session: &'a Session,
        commit: &'a Result<String, String>,
        digest: Option<&'a Digest>,
    ) -> Self {
        Self {
            session,
            commit,
            digest,
        }
    }

    /// Refuses when a tag of the plan that names a commit shows another one, before anything is written. What `early` has is
    /// not read again.
    ///
    /// A repository that may not be read yet is read again when the image is in it: before the first
    /// push, registries hide what does not exist.
    pub(super) async fn require_all(
        &self,
        registries: &Registries,
        deadline: Deadline,
        early: &EarlyAnswers,
    ) -> anyhow::Result<()> {
        let names = names_in(registries, self.session);
        let checks = names.map(|name| {
            let registry = &registries[name.registry()];
            let repository = registry.repository(name.repository(), deadline);
            self.require_of(name, repository, early)
        });
        join_all(checks).await.into_iter().collect()
    }

    async fn require_of(
        &self,
        name: &ImageName,
        repository: Repository<'_>,
        early: &EarlyAnswers,
    ) -> anyhow::Result<()> {
        let plan = &self.session.plan;
        let list = early.list(name, repository.at_most(Duration::ZERO));
        let tags = not_absent(list, plan.commit_tags(), &plan.primary).await;
        let checks = tags.into_iter().map(|tag| async move {
            let shown = early.read(name, &tag, repository).await;
            match self.other_image(repository, &tag, shown).await {
                Err(RegistryError::Denied(_)) => Ok(()),
                other => self.require_no(other, name, &tag),
            }
        });
        let checks = stream::iter(checks).buffered(PARALLEL);
        Ok(checks.try_collect().await?)
    }

    /// The same for one tag that names a commit, with the image in the registry and what the tag shows.
    pub(super) async fn require(
        &self,
        name: &ImageName,
        repository: Repository<'_>,
        tag: &Tag,
        shown: Result<Option<Manifest>, RegistryError>,
    ) -> Result<(), Problem> {
        let other = self.other_image(repository, tag, shown).await;
        self.require_no(other, name, tag)
    }

    fn require_no(
        &self,
        other: Result<Option<String>, RegistryError>,
        name: &ImageName,
        tag: &Tag,
    ) -> Result<(), Problem> {
        match other {
            Ok(None) => Ok(()),
            Ok(Some(shown)) => Err(self.refusal(name, tag, &shown)),
            Err(error) => {
                let what =
                    format!("cannot read `{name}:{tag}`, which may belong to another commit");
                Err(explain_read(&what, &subject(self.session, name), &error))
            }
        }
    }

    /// The image of another commit that the tag shows, if it shows one. The text completes the sentence "it shows
    /// an image that ...".
    async fn other_image(
        &self,
        repository: Repository<'_>,
        tag: &Tag,
        shown: Result<Option<Manifest>, RegistryError>,
    ) -> Result<Option<String>, RegistryError> {
        let published = shown?.filter(|published| Some(&published.digest) != self.digest);
        let Some(published) = published else {
            return Ok(None);
        };
        let own = self.session.context.repository_facts().html_url;
        let source = CopySource::Repository(repository);
        let commit = source.identity(&published, &own).await?.commit();
        let is_same = commit.is_ok() && commit == *self.commit;
        if is_same || self.has_our_labels(source, &published).await? {
            return Ok(None);
        }
        let digest = &published.digest;
        Ok(match commit {
            Ok(commit) => Some(format!("is of the commit `{commit}`: {digest}")),
            Err(_unknown) if self.is_whole(tag) => None,
            Err(_unknown) => Some(format!("names no commit of this repository: {digest}")),
        })
    }

    /// Whether the image says of its source what the author of the workflow lets ours say.
    async fn has_our_labels(
        &self,
        source: CopySource<'_>,
        published: &Manifest,
    ) -> Result<bool, RegistryError> {
        let labels = &self.session.plan.labels;
        let label = |key: &str| {
            let found = labels.iter().find(|(other, _)| other == key);
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let (page, revision) = (label(SOURCE), label(REVISION));
        if self.session.plan.is_promotion() || page.is_empty() || revision.is_empty() {
            return Ok(false);
        }
        let commit = source.identity(published, page).await?.commit();
        Ok(commit.as_deref() == Ok(revision))
    }

    /// Whether no other commit can have the tag: it holds all of ours.
    fn is_whole(&self, tag: &Tag) -> bool {
        let commit = self.commit.as_deref().unwrap_or_default();
        commit.len() >= 40 && tag.as_str().contains(commit)
    }

    fn refusal(&self, name: &ImageName, tag: &Tag, shown: &str) -> Problem {
        let fix = if self.is_whole(tag) {
            "find the run that pushed it; if the tag is wrong, delete that version of the package"
        } else {
            "use the full commit (`type=sha,format=long`); if the tag is wrong, delete that version of the package"
        };
        let ours = match self.commit {
            Ok(commit) => format!("the image to publish is of `{commit}`"),
            Err(why) => why.clone(),
        };
        Problem::new(
            format!("the tag `{name}:{tag}` exists for another image, and commit tags never move"),
            fix,
        )
        .because(format!("it shows an image that {shown}; {ours}"))
    }
}
