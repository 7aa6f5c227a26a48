//! `GitHub`: questions only the GitHub API can answer, and its attestation store.

pub(crate) mod attestations;
mod error;

use std::backtrace::Backtrace;
use std::time::Duration;

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Limited};
use octocrab::{FromResponse as _, Octocrab};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, USER_AGENT};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

use crate::console::Console;
use crate::console::debug::Exchange;
use crate::context::event::{OwnerKind, RepositoryFacts};
use crate::context::history::Relation;
use crate::context::{Context, RepositoryName};
use crate::deadline::{Deadline, Failure, Pace};
use crate::github::error::ApiError;
use crate::link::next_page;
use crate::plan::tag_order::Unanswered;
use crate::secret::Secret;
use crate::tls::{self, Trust};

/// The API of the server a run belongs to, asked with the token of the inputs.
#[derive(Clone, Debug)]
pub(crate) struct GitHub {
    base: String,
    token: Option<Secret>,
    trust: Trust,
    console: Console,
    /// Made for the first question: most runs have none.
    client: OnceCell<Octocrab>,
}

/// How two commits compare
/// (<https://docs.github.com/en/rest/commits/commits#compare-two-commits>).
#[derive(Deserialize)]
struct Comparison {
    #[serde(default)]
    status: String,
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

/// A request below the URL of the API, and the limits of one attempt.
struct Request<'a> {
    path: &'a str,
    /// The JSON that `POST` sends; without it, the method is `GET`.
    body: Option<&'a RawValue>,
    /// For request and response.
    time: Duration,
    /// In bytes; a longer response is not what was asked for.
    max_body: usize,
}

/// An answer, or a part of it.
struct Page<T> {
    content: T,
    /// The query of the next page.
    next: Option<String>,
}

/// For one request and its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// In bytes.
const MAX_BODY: usize = 4 << 20;

impl GitHub {
    pub(crate) fn new(
        api_url: &str,
        token: Option<Secret>,
        trust: Trust,
        console: Console,
    ) -> Self {
        Self {
            base: api_url.trim_end_matches('/').to_owned(),
            token,
            trust,
            console,
            client: OnceCell::new(),
        }
    }

    /// Asks for what the event payload did not say of the repository: description, licence, default
    /// branch. Labels do without when there is no answer.
    pub(crate) async fn complete(&self, context: &mut Context) {
        if self.token.is_none() || context.event.repository.is_some() {
            return;
        }
        let path = format!("/repos/{}", context.repository);
        match self.get::<Value>(&path, once()).await {
            Ok(repository) => context.event.repository = RepositoryFacts::from_json(&repository),
            Err(error) => self.console.say(&format!("GitHub does not describe {}, so labels go without its description and licence: it {error}", context.repository)),
        }
    }

    /// How `ours`, the published commit, relates to `shown`, another one of the repository. Asks until
    /// the deadline passes.
    pub(crate) async fn relation(
        &self,
        repository: &RepositoryName,
        ours: &str,
        shown: &str,
        deadline: Deadline,
    ) -> Result<Relation, Unanswered> {
        if shown == ours {
            return Ok(Relation::Same);
        }
        let short = shown.get(..7).unwrap_or(shown);
        if shown.len() < 7 || !shown.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let why = format!("its image names the commit `{shown}`, which is not a commit id");
            return Ok(Relation::Unrelated(why));
        }
        // The second page is without the changed files.
        let path = format!("/repos/{repository}/compare/{shown}...{ours}?per_page=1&page=2");
        let unanswered = |error: &ApiError| Unanswered {
            reason: format!(
                "it shows the commit `{short}`, and GitHub did not say whether that is newer than `{}`: its API {error}",
                ours.get(..7).unwrap_or(ours)
            ),
            fix: self.fix(error).to_owned(),
        };
        match self.get::<Comparison>(&path, deadline).await {
            Ok(comparison) => match comparison.status.as_str() {
                "ahead" => Ok(Relation::Ahead),
                "behind" => Ok(Relation::Behind),
                "identical" => Ok(Relation::Same),
                "diverged" => Ok(Relation::Diverged),
                _ => Err(unanswered(&ApiError::passing(
                    "answered without the `status` of the comparison",
                ))),
            },
            Err(ApiError::Refused { status: 404, .. }) => {
                // Either commit may be missing. Whoever sees ours may see the repository.
                let path = format!("/repos/{repository}/git/commits/{ours}");
                match self.get::<IgnoredAny>(&path, deadline).await {
                    Ok(_own_commit) => Ok(Relation::Unrelated(format!(
                        "it shows the commit `{short}`, which GitHub does not find in the history of this repository"
                    ))),
                    Err(error) => Err(unanswered(&error)),
                }
            }
            Err(error) => Err(unanswered(&error)),
        }
    }

    /// What GitHub shows of a container package, if it answers.
    pub(crate) async fn package(
        &self,
        owner: &str,
        kind: OwnerKind,
        name: &str,
    ) -> Option<Package> {
        let kind = match kind {
            OwnerKind::User => "users",
            OwnerKind::Organization => "orgs",
        };
        let name = name.replace('/', "%2F");
        let path = format!("/{kind}/{owner}/packages/container/{name}");
        self.get(&path, once()).await.ok()
    }

    fn connect(&self) -> anyhow::Result<Octocrab> {
        let mut builder = Octocrab::builder()
            .base_uri(self.base.as_str())
            .with_context(|| format!("`{}` is not a URL", self.base))?
            .add_header(USER_AGENT, tls::USER_AGENT.to_owned());
        if let Some(token) = &self.token {
            // `personal_token` panics when no header can hold the token.
            builder = builder.add_header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        Ok(builder.build_with_reqwest(self.trust.client().build()?)?)
    }

    /// What lets the API answer.
    fn fix(&self, error: &ApiError) -> &'static str {
        match error {
            ApiError::Passing { .. } => {
                "run the job again when GitHub's API answers: the build is cached"
            }
            ApiError::Refused { status: 401, .. } => "check the token in `github-token`",
            ApiError::Refused { .. } if self.token.is_none() => {
                "give a token that may read the repository, in `github-token` or `GITHUB_TOKEN`"
            }
            ApiError::Refused { .. } => "add `contents: read` to the job's `permissions:`",
        }
    }

    /// `GET` until there is an answer, a refusal, or the deadline passes.
    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        deadline: Deadline,
    ) -> Result<T, ApiError> {
        self.ask(&Request::get(path), deadline).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        deadline: Deadline,
    ) -> Result<T, ApiError> {
        Ok(self.ask_for_page(request, deadline).await?.content)
    }

    /// Sends a request until there is an answer, a refusal, or the deadline passes.
    async fn ask_for_page<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        deadline: Deadline,
    ) -> Result<Page<T>, ApiError> {
        let client = self.client.get_or_try_init(async || self.connect()).await;
        let client =
            client.map_err(|error| ApiError::passing(&format!("cannot be asked: {error:#}")))?;
        let attempt = async |number| {
            let sent = self.send(client, request, number);
            let sent = deadline.pace().timeout(request.time, sent).await;
            let response = sent.unwrap_or_else(|_elapsed| Err(request.is_late()));
            response.map_err(|error| match error {
                ApiError::Passing { wait, .. } => Failure::Transient(error, wait),
                ApiError::Refused { .. } => Failure::Permanent(error),
            })
        };
        let describe = |error: &ApiError| format!("GitHub's API {error}");
        deadline.retried(self.console, describe, attempt).await
    }

    /// One request and its response, of a limited length.
    async fn send<T: DeserializeOwned>(
        &self,
        client: &Octocrab,
        request: &Request<'_>,
        attempt: u32,
    ) -> Result<Page<T>, ApiError> {
        let url = format!("{}{}", self.base, request.path);
        let exchange = Exchange::start(&request.method(), &url, attempt);
        let failed = |error| ApiError::of(error, request.max_body);
        let sent = match request.body {
            Some(body) => client._post(request.path, Some(body)).await,
            None => client._get(request.path).await,
        };
        let sent = sent.map_err(failed);
        match &sent {
            Ok(response) => exchange.answered(response.status(), response.headers(), None),
            Err(error) => exchange.failed(error),
        }
        let response = sent?.map(|body| {
            let limited = Limited::new(body, request.max_body);
            let error = |source| octocrab::Error::Other {
                source,
                backtrace: Backtrace::disabled(),
            };
            limited.map_err(error).boxed()
        });
        let response = octocrab::map_github_error(response).await;
        let response = response.map_err(failed)?;
        let next = next_page(response.headers()).map(str::to_owned);
        let content = T::from_response(response).await.map_err(failed)?;
        Ok(Page { content, next })
    }
}

impl<'a> Request<'a> {
    fn get(path: &'a str) -> Self {
        Self {
            path,
            body: None,
            time: REQUEST_TIMEOUT,
            max_body: MAX_BODY,
        }
    }

    fn method(&self) -> Method {
        match self.body {
            Some(_) => Method::POST,
            None => Method::GET,
        }
    }

    fn is_late(&self) -> ApiError {
        ApiError::passing(&format!("did not answer within {} s", self.time.as_secs()))
    }
}

/// One try: the response is not worth a wait.
fn once() -> Deadline {
    Deadline::after(Duration::ZERO, Pace::REAL)
}

#[cfg(test)]
mod tests;
