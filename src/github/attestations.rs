//! The attestation store of a repository (<https://docs.github.com/en/rest/repos/attestations>), and what its refusals
//! mean.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::context::RepositoryName;
use crate::deadline::Deadline;
use crate::error::Problem;
use crate::github::error::ApiError;
use crate::github::meaning::{Meaning, REPORT, meaning};
use crate::github::{GitHub, Request, Verb, encoded};
use crate::image::digest::Digest;

/// What is stored.
#[derive(Serialize)]
struct Attestation<'a> {
    bundle: &'a RawValue,
}

#[derive(Deserialize)]
struct Stored {
    id: u64,
}

/// A page of attestations; GitHub may leave out a bundle.
#[derive(Deserialize)]
struct Attestations {
    attestations: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    bundle: Option<Box<RawValue>>,
}

/// For one attempt: a bundle with an SBOM has megabytes.
const STORE_TIMEOUT: Duration = Duration::from_secs(60);
/// How many attestations a page has, and how many pages are read.
const PAGE: usize = 30;
const MAX_PAGES: usize = 10;
/// In bytes, of one page of attestations.
const MAX_PAGE: usize = 32 << 20;

/// The known messages. The first match counts.
pub(crate) const MEANINGS: &[Meaning] = &[
    meaning(
        &["resource not accessible by integration"],
        "the token may not store attestations of `{repository}`",
        "add `attestations: write` to the job's `permissions:`; in a reusable workflow the caller grants it too",
    ),
    meaning(
        &["resource not accessible by personal access token"],
        "the personal access token may not store attestations of `{repository}`",
        "use the workflow's own token (no input is needed), or give the token the permission Attestations: Read and write",
    ),
    meaning(
        &["feature not available for user-owned private repositories"],
        "GitHub stores no attestations of private repositories that belong to a user",
        "make `{repository}` public, or set `attest: false`",
    ),
    meaning(
        &["feature not available for the", "organization"],
        "the plan of `{owner}` includes attestations only of public repositories",
        "make `{repository}` public, upgrade the plan of `{owner}`, or set `attest: false`",
    ),
    meaning(
        &["invalid argument - values do not match"],
        "the certificate of the attestation is from another Sigstore instance than GitHub expects for `{repository}`",
        "set `sigstore: public` if `{repository}` is public on github.com, else `sigstore: github`",
    ),
    meaning(
        &["invalid argument - duplicate subject in statement"],
        "the statement names one digest more than once",
        REPORT,
    ),
    meaning(
        &["server error"],
        "GitHub has an outage, or the attestation is too large",
        "run the job again; if it fails again, publish without `sbom`",
    ),
    meaning(
        &["404 not found"],
        "the token cannot see `{repository}`, or the server stores no attestations, such as GitHub Enterprise Server",
        "use a token of `{repository}`; on GitHub Enterprise Server set `attest: registry`",
    ),
];

impl GitHub {
    /// Stores a Sigstore bundle of `repository`; returns the id of the attestation. If the answer is lost, the bundle is
    /// sent again; a bundle that is stored twice does no harm.
    ///
    /// # Errors
    ///
    /// If GitHub refuses the bundle, or does not store it until the deadline.
    pub(crate) async fn store_attestation(
        &self,
        repository: &RepositoryName,
        bundle: &RawValue,
        deadline: Deadline,
    ) -> Result<u64, Problem> {
        let path = format!("/repos/{repository}/attestations");
        let body = to_raw_value(&Attestation { bundle }).expect("JSON in an object is JSON");
        let request = Request {
            verb: Verb::Post(&body),
            time: STORE_TIMEOUT,
            ..Request::get(&path)
        };
        let stored: Result<Stored, ApiError> = self.ask(&request, deadline).await;
        stored
            .map(|stored| stored.id)
            .map_err(|error| self.not_stored(repository, &error))
    }

    /// The bundles that `repository` stores for `digest`, as JSON: at most 300, the newest first; none if it stores none. A public repository
    /// needs no token.
    ///
    /// # Errors
    ///
    /// If GitHub refuses to show them, or does not answer until the deadline.
    pub(crate) async fn attestations(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        predicate_type: Option<&str>,
        deadline: Deadline,
    ) -> Result<Vec<String>, Problem> {
        let digest = digest.as_str();
        let filter = predicate_type
            .map(|wanted| format!("&predicate_type={}", encoded(wanted)))
            .unwrap_or_default();
        let mut query = format!("per_page={PAGE}{filter}");
        let mut bundles = Vec::new();
        for _page in 0..MAX_PAGES {
            let path = format!("/repos/{repository}/attestations/{digest}?{query}");
            let request = Request {
                time: STORE_TIMEOUT,
                max_body: MAX_PAGE,
                ..Request::get(&path)
            };
            let page = match self.ask_for_page::<Attestations>(&request, deadline).await {
                Ok(page) => page,
                Err(ApiError::Refused { status: 404, .. }) => break,
                Err(error) => return Err(self.not_read(repository, digest, &error)),
            };
            bundles.extend(page.content.bundles());
            let Some(next) = page.next else { break };
            query = next;
        }
        Ok(bundles)
    }

    fn not_stored(&self, repository: &RepositoryName, error: &ApiError) -> Problem {
        let what = format!("cannot store the attestation of `{repository}`: GitHub's API {error}");
        let fill = |text: &str| {
            text.replace("{repository}", &repository.to_string())
                .replace("{owner}", &repository.owner)
        };
        match (Meaning::of(MEANINGS, &error.to_string()), error) {
            (Some(known), _) => known.explain(what, fill),
            (None, ApiError::Refused { status: 401, .. } | ApiError::Passing { .. }) => {
                Problem::new(what, self.fix(error))
            }
            (None, ApiError::Refused { .. }) => Problem::new(what, REPORT),
        }
    }

    fn not_read(&self, repository: &RepositoryName, digest: &str, error: &ApiError) -> Problem {
        let what = format!(
            "cannot read the attestations of `{repository}` for `{digest}`: GitHub's API {error}"
        );
        let fix = match error {
            ApiError::Refused { status: 403, .. } if self.token.is_some() => format!(
                "use a token with `attestations: read` of `{repository}`; for the token of a job, add it to `permissions:`"
            ),
            _ => self.fix(error).to_owned(),
        };
        Problem::new(what, fix)
    }
}

impl Attestations {
    fn bundles(self) -> impl Iterator<Item = String> {
        let bundles = self
            .attestations
            .into_iter()
            .filter_map(|found| found.bundle);
        bundles.map(|bundle| bundle.get().to_owned())
    }
}

#[cfg(test)]
mod tests;
