//! `mode: cleanup`: deletes the versions of GitHub's container packages that the rules select and nothing needs.
//!
//! [`Cleaner::decide`] reads and decides, [`Cleaner::delete`] deletes what the caller has told by then.

mod check;
mod delete;
mod pace;
mod read;
mod repair;
mod restore;
#[cfg(test)]
mod tests;

pub(crate) use crate::cleanup::restore::restore;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::cleanup::read::Inventory;
use crate::console::Console;
use crate::context::Context;
use crate::context::event::OwnerKind;
use crate::context::server::RegistryKind;
use crate::credentials::{self, Credentials};
use crate::deadline::{Deadline, Pace};
use crate::error::Problem;
use crate::github::GitHub;
use crate::github::packages::PackageName;
use crate::image::name::ImageName;
use crate::image::version::Version;
use crate::inputs::Inputs;
use crate::plan::cleanup::order::{Deletion, Kept};
use crate::plan::names;
use crate::proxy;
use crate::registry::Registry;
use crate::session::find_registry;
use crate::tls::Trust;
use crate::vars::Vars;

/// The manifests that are read, and the questions that are asked, at once.
const PARALLEL: usize = 10;

/// What a clean-up needs.
pub(crate) struct Cleaner {
    inputs: Inputs,
    context: Context,
    credentials: Credentials,
    trust: Trust,
    github: GitHub,
    images: Vec<ImageName>,
    console: Console,
    now: DateTime<Utc>,
}

/// What a clean-up does, and how far it came.
#[derive(Default)]
pub(crate) struct Cleanup {
    pub(crate) packages: Vec<PackageCleanup>,
    pub(crate) is_dry_run: bool,
    /// Whether a summary is wanted.
    pub(crate) summary: bool,
}

/// The part of a clean-up in one package.
pub(crate) struct PackageCleanup {
    pub(crate) name: ImageName,
    /// In the order in which they are made.
    pub(crate) deletions: Vec<PlannedDeletion>,
    /// How many versions more would go if the budget allowed it.
    pub(crate) later: usize,
    pub(crate) kept: Vec<KeptVersion>,
    /// Why the rest is left to the next run; completes the sentence "the clean-up stopped: ...".
    pub(crate) stopped: Option<String>,
    inventory: Inventory,
}

/// A deletion that is announced, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct PlannedDeletion {
    pub(crate) version: Version,
    pub(crate) rule: String,
    /// Why it goes; completes the sentence "it is deleted: ...".
    pub(crate) reason: String,
    /// Whether rules select it, rather than that it belongs to such a version.
    pub(crate) is_image: bool,
    /// None if it was not tried.
    pub(crate) outcome: Option<Outcome>,
}

/// What became of a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Deleted,
    /// Somebody else deleted it.
    Gone,
    /// It is needed after all. The reason completes the sentence "it is kept: ...".
    Kept(String),
    /// GitHub does not delete it.
    Retained(String),
    Failed(String),
}

/// A version that stays.
#[derive(Clone, Debug)]
pub(crate) struct KeptVersion {
    pub(crate) version: Version,
    /// Completes the sentence "it is kept: ...".
    pub(crate) reason: String,
    /// The same without names, to count versions.
    pub(crate) kind: String,
    /// The tags that rules select all the same.
    pub(crate) selected_tags: Vec<String>,
}

impl Cleaner {
    /// Reads environment and inputs, and names the packages.
    ///
    /// # Errors
    ///
    /// If an input is invalid, there is no token for GitHub's API, or a name is not in a registry of the GitHub server.
    pub(crate) async fn new(
        with: &[(String, String)],
        vars: &Vars,
        now: DateTime<Utc>,
        console: Console,
    ) -> anyhow::Result<Self> {
        let mut inputs = Inputs::from_vars(vars, with)?;
        inputs.secrets().for_each(|secret| console.mask(secret));
        let warnings = inputs.warnings.iter();
        warnings.for_each(|warning| console.warning(None, warning));
        let mut context = Context::from_vars(vars)?;
        if let Some(text) = credentials::withhold_token(&mut inputs, &context.server, vars) {
            console.notice(&text);
        }
        let trust = Trust::read(inputs.destination.ca_cert.as_ref(), vars.workspace())?;
        let trust = trust.behind(proxy::proxies(vars)?);
        let token = inputs.github_token.clone();
        if token.is_none() {
            let fix = "set `github-token`; on the command line, set `GITHUB_TOKEN` to a classic personal access token with `read:packages`, and `delete:packages` to delete or `write:packages` to restore";
            return Err(Problem::new("no token for GitHub's packages API", fix).into());
        }
        if names::needs_registry(&inputs, &context) {
            find_registry(&mut context, &trust, console).await?;
        }
        let images = names::names(&inputs, &context)?.images;
        let others = images.iter().filter(|name| !is_of_github(name, &context));
        if let Some(other) = others.into_iter().next() {
            return Err(not_of_github(other, &context).into());
        }
        Ok(Self {
            credentials: Credentials::new(&inputs, vars, &context.server)?,
            github: GitHub::new(&context.api_url, token, trust.clone(), console),
            inputs,
            context,
            trust,
            images,
            console,
            now,
        })
    }

    /// Lists, reads and decides for every package; deletes nothing. Returns why packages are left out.
    pub(crate) async fn decide(&self, cleanup: &mut Cleanup) -> Vec<anyhow::Error> {
        cleanup.is_dry_run = self.inputs.cleanup.dry_run;
        cleanup.summary = self.inputs.summary;
        let mut budget = self.inputs.cleanup.budget;
        let mut failures = Vec::new();
        for name in &self.images {
            match self.package_cleanup(name, budget).await {
                Ok(package) => {
                    budget = budget.saturating_sub(package.deletions.len());
                    cleanup.packages.push(package);
                }
                Err(error) => failures.push(error),
            }
        }
        failures
    }

    /// Makes the deletions, and checks afterwards that what stays is complete. Returns what failed.
    pub(crate) async fn delete(&self, cleanup: &mut Cleanup) -> Vec<anyhow::Error> {
        let mut failures = Vec::new();
        let mut points = pace::Points::default();
        for package in &mut cleanup.packages {
            if let Err(error) = self.delete_in(package, &mut points).await {
                failures.push(error);
            }
            if package.has_deleted()
                && let Err(error) = self.make_whole(package).await
            {
                failures.push(error);
            }
        }
        failures
    }

    /// Restores what is needed after all, and checks that nothing is missing.
    async fn make_whole(&self, package: &mut PackageCleanup) -> anyhow::Result<()> {
        self.repair(package).await?;
        self.check(package).await
    }

    async fn package_cleanup(
        &self,
        name: &ImageName,
        budget: usize,
    ) -> anyhow::Result<PackageCleanup> {
        let inventory = self.inventory(name).await?;
        let decision = inventory
            .decide(self.now)
            .map_err(|root| read::unreadable(name, &root))?;
        let kept = decision.kept.iter().map(KeptVersion::of).collect();
        let (now, later) = decision.within(budget);
        Ok(PackageCleanup {
            name: name.clone(),
            deletions: now.iter().map(PlannedDeletion::of).collect(),
            later: later.len(),
            kept,
            stopped: None,
            inventory,
        })
    }

    async fn connect(&self, host: &str) -> anyhow::Result<Registry> {
        Registry::new(
            host,
            self.context.server.kind(host),
            self.credentials.login(host).await?,
            &self.trust,
            Pace::REAL,
            self.console,
        )
    }

    /// A new one for each request: what others took does not count.
    fn deadline(&self) -> Deadline {
        self.within(self.inputs.push_timeout)
    }

    fn within(&self, time: Duration) -> Deadline {
        Deadline::after(time, Pace::REAL)
    }
}

impl PackageCleanup {
    fn has_deleted(&self) -> bool {
        let outcomes = self.deletions.iter().map(|deletion| &deletion.outcome);
        outcomes
            .into_iter()
            .any(|outcome| *outcome == Some(Outcome::Deleted))
    }
}

impl PlannedDeletion {
    fn of(deletion: &Deletion<'_>) -> Self {
        Self {
            version: deletion.version.clone(),
            rule: deletion.rule.to_owned(),
            reason: deletion.reason(),
            is_image: deletion.belongs_to.is_none(),
            outcome: None,
        }
    }
}

impl KeptVersion {
    fn of(kept: &Kept<'_>) -> Self {
        Self {
            version: kept.version.clone(),
            reason: kept.reason.to_string(),
            kind: kept.reason.kind(),
            selected_tags: kept.selected_tags.clone(),
        }
    }
}

/// The package that an image name is.
fn package_of(name: &ImageName) -> PackageName<'_> {
    let path = name.repository();
    let (owner, name) = path.split_once('/').unwrap_or((path, path));
    // The path of users serves organizations too, and the event does not always say what the owner is.
    let kind = OwnerKind::User;
    PackageName { owner, kind, name }
}

/// Whether the API of the GitHub server lists and deletes versions of `name`.
fn is_of_github(name: &ImageName, context: &Context) -> bool {
    let host = name.registry();
    context.may_be_of_github(host) && context.server.kind(host) != RegistryKind::Docker
}

fn not_of_github(name: &ImageName, context: &Context) -> Problem {
    let registries = context.server.possible_registries().into_iter();
    let container = registries.filter(|host| context.server.kind(host) == RegistryKind::Container);
    let container = container.collect::<Vec<_>>().join("` or `");
    Problem::new(
        format!("cannot clean up `{name}`"),
        format!("name images of `{container}` in `images`"),
    )
    .because(format!(
        "only the packages API of {} deletes versions, and `{}` is not its container registry",
        context.server_url,
        name.registry()
    ))
}
