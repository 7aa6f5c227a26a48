//! `Inventory`: the versions of a package and their manifests, as they were read.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::cleanup::{Cleaner, PARALLEL, package_of};
use crate::error::Problem;
use crate::github::packages::NoAnswer;
use crate::image::digest::Digest;
use crate::image::name::ImageName;
use crate::image::version::Version;
use crate::plan::cleanup::links::Content;
use crate::plan::cleanup::order::Decision;
use crate::plan::cleanup::policy::Policy;
use crate::plan::cleanup::selection::{Selection, UnreadableRoot};
use crate::plan::cleanup::{Contents, Facts};
use crate::registry::Repository;
use crate::registry::copy_source::CopySource;

/// What a decision about a package follows from.
pub(super) struct Inventory {
    pub(super) versions: Vec<Version>,
    pub(super) contents: Contents,
    pub(super) policy: Policy,
    pub(super) closed: BTreeMap<u64, bool>,
    /// The versions that stay although they were selected.
    pub(super) held: BTreeSet<Digest>,
}

impl Inventory {
    fn selection(&self, now: DateTime<Utc>) -> Selection<'_> {
        let facts = Facts {
            now,
            own: &self.held,
            closed: &self.closed,
        };
        Selection::new(&self.versions, &self.policy, facts)
    }

    pub(super) fn decide(&self, now: DateTime<Utc>) -> Result<Decision<'_>, UnreadableRoot<'_>> {
        self.selection(now).decide(&self.contents)
    }

    /// Adds what a newer list says. A version that it lacks stays in the inventory, because a list that is read while
    /// somebody deletes may lack any version. What this run has deleted stays as it was, so that the rest still
    /// belongs to it.
    pub(super) fn update(&mut self, listed: Vec<Version>, deleted: &BTreeSet<u64>) {
        let changed: Vec<Version> = listed
            .into_iter()
            .filter(|version| !deleted.contains(&version.id))
            .collect();
        let ids: BTreeSet<u64> = changed.iter().map(|version| version.id).collect();
        self.versions.retain(|version| !ids.contains(&version.id));
        self.versions.extend(changed);
        self.versions
            .sort_by_key(|version| std::cmp::Reverse(version.id));
    }
}

impl Cleaner {
    /// Lists a package, asks which pull requests are closed, and reads manifests.
    pub(super) async fn inventory(&self, name: &ImageName) -> anyhow::Result<Inventory> {
        let policy = self.policy().await?;
        let versions = self.list(name).await?;
        let mut inventory = Inventory {
            closed: self.closed(&policy, &versions).await?,
            versions,
            contents: Contents::new(),
            policy,
            held: BTreeSet::new(),
        };
        self.complete(name, &mut inventory).await?;
        Ok(inventory)
    }

    /// The rules, with the default branch, whose tag is protected.
    async fn policy(&self) -> anyhow::Result<Policy> {
        let facts = self.context.event.repository.as_ref();
        let known = facts.and_then(|facts| facts.default_branch.clone());
        let default_branch = match known {
            Some(branch) => Some(branch),
            None => {
                let asked = self
                    .github
                    .repository(&self.context.repository, self.deadline());
                asked.await?.default_branch
            }
        };
        let closing = self.context.closed_pull_request();
        Ok(Policy::new(
            &self.inputs.cleanup,
            default_branch.as_deref(),
            closing,
        ))
    }

    pub(super) async fn list(&self, name: &ImageName) -> Result<Vec<Version>, NoAnswer> {
        let versions = self
            .github
            .versions(package_of(name), self.deadline())
            .await;
        versions.map_err(|no_answer| NoAnswer {
            problem: self.of_other_owner(name, no_answer.problem),
            ..no_answer
        })
    }

    /// The token of a workflow is for packages of its owner only.
    fn of_other_owner(&self, name: &ImageName, problem: Problem) -> Problem {
        let (owner, own) = (package_of(name).owner, &self.context.repository.owner);
        if owner.eq_ignore_ascii_case(own) {
            return problem;
        }
        Problem::new(
            problem.to_string(),
            "set `github-token` to a classic personal access token with `read:packages` and `delete:packages`",
        )
        .because(format!(
            "the package belongs to `{owner}`, and the token of a workflow in `{}` is for packages of `{own}`",
            self.context.repository
        ))
    }

    /// Whether each pull request that a rule asks for is closed. The oldest are asked about first, until the closed ones
    /// use up the budget.
    async fn closed(
        &self,
        policy: &Policy,
        versions: &[Version],
    ) -> Result<BTreeMap<u64, bool>, Problem> {
        let numbers: Vec<u64> = policy.pull_requests(versions).into_iter().collect();
        let mut closed = BTreeMap::new();
        for some in numbers.chunks(PARALLEL) {
            let is_limited = self.is_limited();
            let count = closed.values().filter(|is_closed| **is_closed).count();
            if is_limited || count >= self.inputs.cleanup.budget {
                break;
            }
            let answers = some.iter().map(|number| async {
                let repository = &self.context.repository;
                let is_closed = self.github.is_closed(repository, *number, self.deadline());
                Ok::<_, Problem>((*number, is_closed.await?))
            });
            closed.extend(try_join_all(answers).await?);
        }
        Ok(closed)
    }

    /// Reads until a decision is possible. A version that cannot be read because somebody has deleted it meanwhile is left
    /// out.
    pub(super) async fn complete(
        &self,
        name: &ImageName,
        inventory: &mut Inventory,
    ) -> anyhow::Result<()> {
        loop {
            self.read(name, inventory).await?;
            let (id, problem) = match inventory.decide(self.now) {
                Ok(_) => return Ok(()),
                Err(root) => (root.version.id, unreadable(name, &root)),
            };
            let asked = self.github.version(package_of(name), id, self.deadline());
            if asked.await?.is_some() {
                return Err(problem.into());
            }
            inventory.versions.retain(|version| version.id != id);
        }
    }

    /// Reads the manifests that a decision needs, each once.
    async fn read(&self, name: &ImageName, inventory: &mut Inventory) -> anyhow::Result<()> {
        let registry = self.connect(name.registry()).await?;
        loop {
            let missing = inventory.selection(self.now).missing(&inventory.contents);
            if missing.is_empty() {
                return Ok(());
            }
            let read = missing.into_iter().map(|digest| async {
                let repository = registry.read_only(name.repository(), self.deadline());
                let content = content(repository, name, &digest).await?;
                Ok::<_, Problem>((digest, content))
            });
            let read = stream::iter(read).buffer_unordered(PARALLEL);
            let read: Vec<_> = read.try_collect().await?;
            inventory.contents.extend(read);
        }
    }
}

/// What a manifest refers to. A registry that does not answer until the deadline is an error: nothing is known then.
async fn content(
    repository: Repository<'_>,
    name: &ImageName,
    digest: &Digest,
) -> Result<Content, Problem> {
    match CopySource::Repository(repository).manifest(digest).await {
        Ok(manifest) => Ok(Content::of(&manifest)),
        Err(error) if error.is_transient() => {
            let fix = "run the job again once the registry works";
            let what = format!("the clean-up of `{name}` stops: cannot read `{digest}`");
            Err(Problem::new(what, fix).because(error.to_string()))
        }
        Err(error) => Ok(Content::Unreadable(error.to_string())),
    }
}

/// What is deleted depends on a version that cannot be read.
pub(super) fn unreadable(name: &ImageName, root: &UnreadableRoot<'_>) -> Problem {
    let version = root.version;
    Problem::new(
        format!("the clean-up of `{name}` stops: version {} stays, and cannot be read", version.id),
        format!(
            "check that the image is complete: `docker buildx imagetools inspect {name}@{}`; delete the version by hand if nobody needs it",
            version.digest
        ),
    )
    .because(format!(
        "what {} refers to is unknown: {}",
        version.name(),
        root.reason
    ))
}
