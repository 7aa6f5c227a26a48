//! `GitHub`: questions only the GitHub API can answer.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::Value;

use crate::console::Console;
use crate::context::event::OwnerKind;
use crate::context::event::RepositoryFacts;
use crate::context::history::Relation;
use crate::context::{Context, RepositoryName};
use crate::deadline::{Deadline, retry_after};
use crate::plan::tag_order::Unanswered;
use crate::secret::Secret;
use crate::tls::Trust;

/// The API of the server a run belongs to, asked with the token of the inputs.
#[derive(Debug)]
pub(crate) struct GitHub {
    base: String,
    token: Option<Secret>,
    trust: Trust,
    /// Made for the first question: most runs have none.
    client: OnceLock<Client>,
}

/// A container package, as far as it matters who sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) is_private: bool,
    /// `owner/name` of the repository on whose page it is shown.
    pub(crate) repository: Option<String>,
}

const PATIENCE: Duration = Duration::from_secs(10);
/// An answer that is longer is not what was asked for.
const LONGEST: usize = 4 << 20;

impl GitHub {
    pub(crate) fn new(api_url: &str, token: Option<Secret>, trust: Trust) -> Self {
        Self {
            base: api_url.trim_end_matches('/').to_owned(),
            token,
            trust,
            client: OnceLock::new(),
        }
    }

    /// Asks for what the event payload did not say of the repository: description, licence, default
    /// branch. Labels do without when there is no answer.
    pub(crate) async fn complete(&self, context: &mut Context, console: Console) {
        if self.token.is_none() || context.event.repository.is_some() {
            return;
        }
        match self.get(&format!("/repos/{}", context.repository)).await {
            Ok(repository) => context.event.repository = RepositoryFacts::from_json(&repository),
            Err(error) => console.say(&format!("GitHub does not describe {}, so labels go without its description and licence: {error:#}", context.repository)),
        }
    }

    /// How `ours`, the published commit, relates to `shown`, another one of the repository. Asks until
    /// `patience` ends.
    pub(crate) async fn relation(
        &self,
        repository: &RepositoryName,
        ours: &str,
        shown: &str,
        patience: Deadline,
        console: Console,
    ) -> Result<Relation, Unanswered> {
        if shown == ours {
            return Ok(Relation::Same);
        }
        let short = shown.get(..7).unwrap_or(shown);
        if shown.len() < 7 || !shown.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let why = format!("its image names the commit `{shown}`, which is not a commit id");
            return Ok(Relation::Unrelated(why));
        }
        // The second page is without the changed files
        // (<https://docs.github.com/en/rest/commits/commits#compare-two-commits>).
        let path = format!("/repos/{repository}/compare/{shown}...{ours}?per_page=1&page=2");
        let unanswered = |error: &ApiError| Unanswered {
            reason: format!(
                "it shows the commit `{short}`, and GitHub did not say whether that is newer than `{}`: its API {error}",
                ours.get(..7).unwrap_or(ours)
            ),
            fix: self.fix(error).to_owned(),
        };
        match self.ask(&path, patience, console).await {
            Ok(answer) => match answer["status"].as_str() {
                Some("ahead") => Ok(Relation::Ahead),
                Some("behind") => Ok(Relation::Behind),
                Some("identical") => Ok(Relation::Same),
                Some("diverged") => Ok(Relation::Diverged),
                _ => Err(unanswered(&ApiError::Passing {
                    said: "answered without the `status` of the comparison".to_owned(),
                    wait: None,
                })),
            },
            Err(ApiError::Refused { status: 404, .. }) => {
                // Either commit may be missing. Whoever sees ours may see the repository.
                let path = format!("/repos/{repository}/git/commits/{ours}");
                match self.ask(&path, patience, console).await {
                    Ok(_own_commit) => Ok(Relation::Unrelated(format!(
                        "it shows the commit `{short}`, which GitHub does not find in the history of this repository"
                    ))),
                    Err(error) => Err(unanswered(&error)),
                }
            }
            Err(error) => Err(unanswered(&error)),
        }
    }

    /// What GitHub shows of a container package
    /// (<https://docs.github.com/en/rest/packages/packages#get-a-package-for-an-organization>).
    pub(crate) async fn package(
        &self,
        owner: &str,
        kind: OwnerKind,
        name: &str,
    ) -> anyhow::Result<Package> {
        let kind = match kind {
            OwnerKind::User => "users",
            OwnerKind::Organization => "orgs",
        };
        let name = name.replace('/', "%2F");
        let path = format!("/{kind}/{owner}/packages/container/{name}");
        let package = self.get(&path).await?;
        let text = |pointer: &str| package.pointer(pointer)?.as_str().map(str::to_owned);
        Ok(Package {
            is_private: text("/visibility").as_deref() == Some("private"),
            repository: text("/repository/full_name"),
        })
    }

    fn client(&self) -> anyhow::Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let builder = self.trust.client().connect_timeout(PATIENCE);
        let client = builder.timeout(PATIENCE).build()?;
        Ok(self.client.get_or_init(|| client))
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

    /// `GET` until there is an answer, a refusal, or `patience` ends.
    async fn ask(
        &self,
        path: &str,
        patience: Deadline,
        console: Console,
    ) -> Result<Value, ApiError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let sent = patience.pace().timeout(PATIENCE, self.send(path));
            let error = match sent.await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error @ ApiError::Refused { .. })) => return Err(error),
                Ok(Err(error)) => error,
                Err(_elapsed) => ApiError::passing("did not answer within 10 s"),
            };
            let ApiError::Passing { wait, .. } = &error else {
                return Err(error);
            };
            if !patience.wait(tries, *wait).await {
                return Err(error);
            }
            console.say(&format!("GitHub's API {error}; asking again"));
        }
    }

    /// `GET`, and the answer as JSON.
    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.send(path).await;
        answer.map_err(|error| anyhow::anyhow!("it {error}"))
    }

    /// One request, and its answer as JSON
    /// (<https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api>).
    async fn send(&self, path: &str) -> Result<Value, ApiError> {
        let passing =
            |error: anyhow::Error| ApiError::passing(&format!("did not answer: {error:#}"));
        let url = format!("{}{path}", self.base);
        let url =
            Url::parse(&url).map_err(|error| passing(anyhow::Error::new(error).context(url)))?;
        let json = HeaderValue::from_static("application/vnd.github+json");
        let mut request = self
            .client()
            .map_err(passing)?
            .get(url)
            .header(ACCEPT, json);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let response = request.send().await;
        let response = response.map_err(|error| passing(error.without_url().into()))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = body(response).await.map_err(passing)?;
        let answer: Option<Value> = serde_json::from_slice(&body).ok();
        match answer {
            Some(answer) if status.is_success() => Ok(answer),
            // A page of a proxy, for example.
            None if status.is_success() => {
                Err(ApiError::passing("answered something other than JSON"))
            }
            answer => Err(ApiError::of(status, &headers, answer.as_ref())),
        }
    }
}

/// Why the API gave no answer; its text completes the sentence "GitHub's API ...".
#[derive(Debug)]
enum ApiError {
    /// It says no, and would say it again.
    Refused { status: u16, said: String },
    /// A later try may succeed.
    Passing {
        said: String,
        wait: Option<Duration>,
    },
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { said, .. } | Self::Passing { said, .. } => f.write_str(said),
        }
    }
}

impl ApiError {
    fn passing(said: &str) -> Self {
        let said = said.to_owned();
        Self::Passing { said, wait: None }
    }

    fn of(status: StatusCode, headers: &HeaderMap, answer: Option<&Value>) -> Self {
        let message = answer.and_then(|answer| answer["message"].as_str());
        let reason = message.or(status.canonical_reason()).unwrap_or_default();
        let said = format!("answered {} {reason}", status.as_u16());
        let is_limit = reason.to_lowercase().contains("rate limit");
        match status.as_u16() {
            403 | 429 if is_limit || status == StatusCode::TOO_MANY_REQUESTS => Self::Passing {
                said,
                wait: wait(headers),
            },
            408 | 425 | 500..=599 => Self::Passing {
                said,
                wait: wait(headers),
            },
            status => Self::Refused { status, said },
        }
    }
}

/// How long a limit lasts
/// (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit>).
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let date = text("date");
    if let Some(value) = text("retry-after") {
        return retry_after(value, date);
    }
    if text("x-ratelimit-remaining")? != "0" {
        return None;
    }
    let reset: i64 = text("x-ratelimit-reset")?.parse().ok()?;
    let now = chrono::DateTime::parse_from_rfc2822(date?)
        .ok()?
        .timestamp();
    u64::try_from(reset - now).ok().map(Duration::from_secs)
}

async fn body(mut response: Response) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        anyhow::ensure!(
            body.len() <= LONGEST,
            "it answers more than {LONGEST} bytes"
        );
    }
    Ok(body)
}
