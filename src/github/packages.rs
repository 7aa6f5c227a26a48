//! Container packages and their versions (<https://docs.github.com/en/rest/packages/packages>), and what refusals mean.
//!
//! The paths are written here and not by octocrab's typed calls: those read an answer of any length, write no debug
//! line, and accept a version without tags.

pub(crate) mod restore;

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use octocrab::Page;
use serde::Deserialize;
use serde_json::Value;

use crate::context::event::OwnerKind;
use crate::deadline::Deadline;
use crate::error::Problem;
use crate::github::meaning::{Meaning, REPORT, meaning};
use crate::github::{ApiError, GitHub, NoContent, Request, Verb, encoded, once};
use crate::image::version::Version;

/// A container package by its owner and name; shown as `acme/widget/base`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackageName<'a> {
    pub(crate) owner: &'a str,
    pub(crate) kind: OwnerKind,
    /// The image name after registry and owner, for example `widget/base`.
    pub(crate) name: &'a str,
}

/// A container package
/// (<https://docs.github.com/en/rest/packages/packages#get-a-package-for-an-organization>).
#[derive(Deserialize)]
pub(crate) struct Package {
    #[serde(default)]
    pub(crate) visibility: String,
    /// The repository on whose page it is shown.
    pub(crate) repository: Option<PackageRepository>,
}

#[derive(Deserialize)]
pub(crate) struct PackageRepository {
    pub(crate) full_name: String,
}

/// What became of a version that was to be deleted.
#[derive(Debug)]
pub(crate) enum VersionDeletion {
    Deleted,
    /// It was deleted before, maybe by an attempt whose answer was lost.
    Gone,
    /// GitHub keeps this version, and may delete others: the last tagged one, or one with many downloads.
    Retained(Problem),
    /// A rate limit lasts longer than the deadline allows.
    Limited(Problem),
    /// GitHub refuses, or does not answer until the deadline.
    Refused(Problem),
}

/// A question about versions that has no answer.
#[derive(Debug)]
pub(crate) struct NoAnswer {
    pub(crate) problem: Problem,
    /// Whether it is because of a rate limit that lasts longer than the deadline allows.
    pub(crate) is_limit: bool,
}

/// A version as GitHub lists it
/// (<https://docs.github.com/en/rest/packages/packages#list-package-versions-for-a-package-owned-by-an-organization>).
#[derive(Deserialize)]
struct Listed {
    id: u64,
    /// The digest.
    name: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    container: Container,
}

#[derive(Deserialize)]
struct Container {
    tags: Vec<String>,
}

/// A page of versions, newest first.
struct VersionPage {
    versions: Vec<Version>,
    has_next: bool,
    /// The number of the last page, if the answer names it.
    last: Option<usize>,
}

/// How many pages are read at once.
const PARALLEL: usize = 10;
/// Pages of 100 versions.
const MAX_PAGES: usize = 5000;

/// The messages for a version that GitHub keeps whoever asks. The first match counts.
pub(crate) const RETAINED: &[Meaning] = &[
    meaning(
        &["cannot delete the last tagged version"],
        "no other version of `{package}` has a tag, and GitHub deletes the last tagged one only with the whole package",
        "keep this version, or delete the package on its page, which deletes its settings too",
    ),
    meaning(
        &["downloads cannot be deleted"],
        "GitHub keeps versions of public packages that were downloaded more than 5000 times",
        "keep this version, or ask GitHub's support to delete it",
    ),
];

/// The messages for a token that may not delete. The first match counts.
pub(crate) const REFUSED: &[Meaning] = &[
    meaning(
        &["resource not accessible by integration"],
        "the token may not delete versions of `{package}`",
        "add `packages: write` to the job's `permissions:`, and give the repository the role Admin in the settings of the package, under Manage Actions access",
    ),
    meaning(
        &["resource not accessible by personal access token"],
        "a fine-grained personal access token cannot delete versions of `{package}`",
        "use the workflow's own token (no input is needed), or a classic token with `delete:packages`",
    ),
    meaning(
        &["delete:packages and read:packages scopes"],
        "the personal access token may not delete packages",
        "give the token the scope `delete:packages`",
    ),
    meaning(
        &["404", "not found"],
        "`{package}` does not exist, or the repository does not have the role Admin for it",
        "give the repository the role Admin in the settings of the package, under Manage Actions access",
    ),
];

impl GitHub {
    /// What GitHub shows of a container package, if it answers.
    pub(crate) async fn package(&self, package: PackageName<'_>) -> Option<Package> {
        self.get(&package.path(), once()).await.ok()
    }

    /// All versions of a package that are not deleted, newest first. A list that changes while it is read may lack a
    /// version, if another one is deleted.
    ///
    /// # Errors
    ///
    /// If GitHub refuses to list them, does not answer until the deadline, or describes one without id, digest, tags or
    /// times.
    pub(crate) async fn versions(
        &self,
        package: PackageName<'_>,
        deadline: Deadline,
    ) -> Result<Vec<Version>, NoAnswer> {
        let mut page = self.version_page(package, 1, deadline).await?;
        let mut versions = page.versions;
        let mut read = 1;
        if let Some(last) = page.last.take() {
            let last = last.min(MAX_PAGES);
            let pages = (2..=last).map(|number| self.version_page(package, number, deadline));
            let mut pages = stream::iter(pages).buffered(PARALLEL);
            while let Some(next) = pages.try_next().await? {
                versions.extend(next.versions);
                page.has_next = next.has_next;
                read += 1;
            }
        }
        // A version that was pushed meanwhile moves the oldest one to another page.
        while page.has_next {
            read += 1;
            let next = self.version_page(package, read, deadline).await?;
            versions.extend(next.versions);
            page.has_next = next.has_next;
        }
        let mut seen = BTreeSet::new();
        versions.retain(|version| seen.insert(version.id));
        Ok(versions)
    }

    /// The versions that are not among `known`: the newest pages, up to the first one with nothing else.
    ///
    /// # Errors
    ///
    /// As [`GitHub::versions`].
    pub(crate) async fn new_versions(
        &self,
        package: PackageName<'_>,
        known: &BTreeSet<u64>,
        deadline: Deadline,
    ) -> Result<Vec<Version>, NoAnswer> {
        let mut new = Vec::new();
        for number in 1.. {
            let page = self.version_page(package, number, deadline).await?;
            let before = new.len();
            let versions = page.versions.into_iter();
            new.extend(versions.filter(|version| !known.contains(&version.id)));
            if new.len() == before || !page.has_next {
                break;
            }
        }
        Ok(new)
    }

    /// The newest version that is `wanted`. Pages are read one after the other until it is found: a version of the last
    /// minutes is on the first one.
    ///
    /// # Errors
    ///
    /// As [`GitHub::versions`].
    pub(crate) async fn find_version(
        &self,
        package: PackageName<'_>,
        wanted: impl Fn(&Version) -> bool,
        deadline: Deadline,
    ) -> Result<Option<Version>, NoAnswer> {
        for number in 1.. {
            let page = self.version_page(package, number, deadline).await?;
            let found = page.versions.into_iter().find(&wanted);
            if found.is_some() || !page.has_next {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Deletes one version. Its tags are deleted too; manifests that it lists are not. GitHub can restore it for 30 days.
    /// If the answer is lost, the request is sent again.
    pub(crate) async fn delete_version(
        &self,
        package: PackageName<'_>,
        id: u64,
        deadline: Deadline,
    ) -> VersionDeletion {
        let path = format!("{}/versions/{id}", package.path());
        let request = Request {
            verb: Verb::Delete,
            ..Request::get(&path)
        };
        match self.ask::<NoContent>(&request, deadline).await {
            Ok(NoContent) => VersionDeletion::Deleted,
            Err(error) => self.not_deleted(package, id, &error),
        }
    }

    async fn version_page(
        &self,
        package: PackageName<'_>,
        number: usize,
        deadline: Deadline,
    ) -> Result<VersionPage, NoAnswer> {
        if number > MAX_PAGES {
            return Err(package.too_long().into());
        }
        let query = format!("state=active&per_page=100&page={number}");
        let path = format!("{}/versions?{query}", package.path());
        let page = self.ask(&Request::get(&path), deadline).await;
        let page = page.map_err(|error| NoAnswer {
            problem: self.not_listed(package, &error),
            is_limit: error.is_limit(),
        })?;
        VersionPage::of(page).map_err(|what| package.not_read(&what).into())
    }

    fn not_deleted(&self, package: PackageName<'_>, id: u64, error: &ApiError) -> VersionDeletion {
        let said = error.to_string();
        if restore::is_gone(error) {
            return VersionDeletion::Gone;
        }
        let what = format!("cannot delete version {id} of `{package}`: GitHub's API {said}");
        let fill = |text: &str| text.replace("{package}", &package.to_string());
        if let Some(known) = Meaning::of(RETAINED, &said) {
            return VersionDeletion::Retained(known.explain(what, fill));
        }
        VersionDeletion::Refused(match Meaning::of(REFUSED, &said) {
            Some(known) => known.explain(what, fill),
            None if error.is_limit() => {
                return VersionDeletion::Limited(Problem::new(what, self.package_fix(error)));
            }
            None => Problem::new(what, self.package_fix(error)),
        })
    }

    fn not_listed(&self, package: PackageName<'_>, error: &ApiError) -> Problem {
        let what = format!("cannot list the versions of `{package}`: GitHub's API {error}");
        match error {
            ApiError::Refused { status: 403, .. } => Problem::new(
                what,
                "add `packages: read` to the job's `permissions:`; a classic token needs `read:packages`",
            ),
            ApiError::Refused { status: 404, .. } => Problem::new(
                what,
                "give the repository access in the settings of the package, under Manage Actions access",
            )
            .because(format!("`{package}` does not exist, or the token may not read it")),
            _ => Problem::new(what, self.package_fix(error)),
        }
    }

    fn package_fix(&self, error: &ApiError) -> &'static str {
        match error {
            ApiError::Passing { .. } => "run the job again when GitHub's API answers",
            ApiError::Refused { status: 401, .. } => self.fix(error),
            ApiError::Refused { .. } => REPORT,
        }
    }
}

impl From<Problem> for NoAnswer {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            is_limit: false,
        }
    }
}

impl From<NoAnswer> for anyhow::Error {
    fn from(no_answer: NoAnswer) -> Self {
        no_answer.problem.into()
    }
}

impl PackageName<'_> {
    /// Below the URL of the API.
    fn path(self) -> String {
        let kind = match self.kind {
            OwnerKind::User => "users",
            OwnerKind::Organization => "orgs",
        };
        let (owner, name) = (encoded(self.owner), encoded(self.name));
        format!("/{kind}/{owner}/packages/container/{name}")
    }

    fn too_long(self) -> Problem {
        let maximum = MAX_PAGES * 100;
        let what = format!("cannot list the versions of `{self}`: it has more than {maximum}");
        Problem::new(what, "delete old versions first")
    }

    fn not_read(self, what: &str) -> Problem {
        let what = format!(
            "cannot list the versions of `{self}`: GitHub's API describes one in an unknown form: {what}"
        );
        Problem::new(what, REPORT)
    }
}

impl fmt::Display for PackageName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl VersionPage {
    fn of(page: Page<Value>) -> Result<Self, String> {
        let versions = page.items.into_iter().map(Listed::read);
        let last = page.last.as_ref().and_then(|link| link.query());
        let number = |query: &str| {
            let mut pairs = query.split('&');
            pairs.find_map(|pair| pair.strip_prefix("page=")?.parse().ok())
        };
        Ok(Self {
            versions: versions.collect::<Result<_, _>>()?,
            has_next: page.next.is_some(),
            last: last.and_then(number),
        })
    }
}

impl Listed {
    fn read(listed: Value) -> Result<Version, String> {
        let listed = serde_json::from_value(listed).map_err(|error| error.to_string())?;
        let Self {
            id,
            name,
            created_at,
            updated_at,
            metadata,
        } = listed;
        Ok(Version {
            id,
            digest: name.parse().map_err(|error: Problem| error.to_string())?,
            tags: metadata.container.tags,
            created_at,
            updated_at,
        })
    }
}

#[cfg(test)]
mod tests;
