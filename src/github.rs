//! `GitHub`: questions only the GitHub API can answer, its attestation store, its packages, and comments.

pub(crate) mod attestations;
pub(crate) mod comments;
mod error;
pub(crate) mod meaning;
pub(crate) mod packages;
mod pulls;

use std::backtrace::Backtrace;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Limited};
use octocrab::{FromResponse, Octocrab};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, USER_AGENT};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

use crate::console::Console;
use crate::console::debug::Exchange;
use crate::context::event::RepositoryFacts;
use crate::context::history::Relation;
use crate::context::{Context, RepositoryName};
use crate::deadline::{Deadline, Pace};
use crate::error::Problem;
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
    /// What the last answer said of the rate limit; `u64::MAX` if none did.
    remaining: Arc<AtomicU64>,
}

/// How two commits compare
/// (<https://docs.github.com/en/rest/commits/commits#compare-two-commits>).
#[derive(Deserialize)]
struct Comparison {
    #[serde(default)]
    status: String,
}

/// A request below the URL of the API, and the limits of one attempt.
struct Request<'a> {
    path: &'a str,
    verb: Verb<'a>,
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

/// A method with what it sends.
enum Verb<'a> {
    Get,
    Post(&'a RawValue),
    Patch(&'a RawValue),
    Delete,
}

/// The answer to a request that returns no content.
struct NoContent;

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
            remaining: Arc::new(AtomicU64::new(u64::MAX)),
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

    /// How many requests the primary rate limit allows until its reset, by the last answer
    /// (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#checking-the-status-of-your-rate-limit>).
    pub(crate) fn remaining_requests(&self) -> Option<u64> {
        let remaining = self.remaining.load(Ordering::Relaxed);
        (remaining != u64::MAX).then_some(remaining)
    }

    /// The description of a repository.
    pub(crate) async fn repository(
        &self,
        repository: &RepositoryName,
        deadline: Deadline,
    ) -> Result<RepositoryFacts, Problem> {
        let path = format!("/repos/{repository}");
        let found = self.get::<Value>(&path, deadline).await;
        let found = found.map_err(|error| {
            let what = format!("GitHub does not describe `{repository}`: its API {error}");
            Problem::new(what, self.fix(&error))
        })?;
        Ok(RepositoryFacts::from_json(&found).unwrap_or_default())
    }

    fn note_limit(&self, headers: &HeaderMap) {
        let text = headers.get("x-ratelimit-remaining");
        let number = text.and_then(|text| text.to_str().ok()?.parse().ok());
        if let Some(number) = number {
            self.remaining.store(number, Ordering::Relaxed);
        }
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
            ApiError::Passing { .. } => "run the job again when GitHub's API answers",
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

    /// As [`Self::ask_for_page`], without the next page.
    async fn ask<T: FromResponse>(
        &self,
        request: &Request<'_>,
        deadline: Deadline,
    ) -> Result<T, ApiError> {
        Ok(self.ask_for_page(request, deadline).await?.content)
    }

    /// Sends a request until there is an answer, a refusal, or the deadline passes.
    async fn ask_for_page<T: FromResponse>(
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
            response.map_err(ApiError::into_failure)
        };
        deadline.retried(self.console, describe, attempt).await
    }

    /// One request and its response, of a limited length.
    async fn send<T: FromResponse>(
        &self,
        client: &Octocrab,
        request: &Request<'_>,
        attempt: u32,
    ) -> Result<Page<T>, ApiError> {
        let url = format!("{}{}", self.base, request.path);
        let exchange = Exchange::start(&request.method(), &url, attempt);
        let failed = |error| ApiError::of(error, request.max_body);
        let sent = match request.verb {
            Verb::Get => client._get(request.path).await,
            Verb::Post(body) => client._post(request.path, Some(body)).await,
            Verb::Patch(body) => client._patch(request.path, Some(body)).await,
            Verb::Delete => client._delete(request.path, None::<&()>).await,
        };
        let sent = sent.map_err(failed);
        match &sent {
            Ok(response) => {
                self.note_limit(response.headers());
                exchange.answered(response.status(), response.headers(), None);
            }
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
            verb: Verb::Get,
            time: REQUEST_TIMEOUT,
            max_body: MAX_BODY,
        }
    }

    fn method(&self) -> Method {
        match self.verb {
            Verb::Get => Method::GET,
            Verb::Post(_) => Method::POST,
            Verb::Patch(_) => Method::PATCH,
            Verb::Delete => Method::DELETE,
        }
    }

    fn is_late(&self) -> ApiError {
        ApiError::passing(&format!("did not answer within {} s", self.time.as_secs()))
    }
}

/// Nothing is read: octocrab parses every body as JSON, and this one is empty.
impl<'de> Deserialize<'de> for NoContent {
    fn deserialize<D: Deserializer<'de>>(_empty: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

fn describe(error: &ApiError) -> String {
    format!("GitHub's API {error}")
}

/// One try: the response is not worth a wait.
fn once() -> Deadline {
    Deadline::after(Duration::ZERO, Pace::REAL)
}

/// `text` as a segment of a path or a value in a query (<https://www.rfc-editor.org/rfc/rfc3986#section-2.1>).
fn encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests;
