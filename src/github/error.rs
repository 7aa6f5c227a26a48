//! `ApiError`: why the API gave no answer.

use std::fmt;
use std::time::Duration;

use http_body_util::LengthLimitError;
use reqwest::header::HeaderMap;

use crate::deadline::{Failure, retry_after};

/// In characters, of what the API says in its own words.
const MAX_REASON: usize = 300;
/// How long a limit lasts that names no time
/// (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit>).
const UNNAMED_LIMIT: Duration = Duration::from_secs(60);

/// Why the API gave no answer; its text completes the sentence "GitHub's API ...".
#[derive(Debug)]
pub(super) enum ApiError {
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
    /// Whether a rate limit was exceeded.
    pub(super) fn is_limit(&self) -> bool {
        matches!(self, Self::Passing { said, .. } if said.to_lowercase().contains("rate limit"))
    }

    /// Whether another attempt may succeed, and when.
    pub(super) fn into_failure(self) -> Failure<Self> {
        match self {
            Self::Passing { wait, .. } => Failure::Transient(self, wait),
            Self::Refused { .. } => Failure::Permanent(self),
        }
    }

    pub(super) fn passing(said: &str) -> Self {
        let said = said.to_owned();
        Self::Passing { said, wait: None }
    }

    /// octocrab wraps the error of the HTTP client, and a body's error once more.
    pub(super) fn of(error: octocrab::Error, max_body: usize) -> Self {
        use octocrab::Error;
        let silent = |error: anyhow::Error| Self::passing(&format!("did not answer: {error:#}"));
        match error {
            Error::GitHub { source, .. } => Self::refusal(&source),
            // A page of a proxy, for example.
            Error::Json { .. } | Error::Serde { .. } => {
                Self::passing("answered something other than the expected JSON")
            }
            Error::Reqwest { source, .. } => silent(source.without_url().into()),
            Error::Service { source, .. } | Error::Other { source, .. } => {
                match source.downcast::<Error>() {
                    Ok(wrapped) => Self::of(*wrapped, max_body),
                    Err(source) if source.is::<LengthLimitError>() => {
                        Self::passing(&format!("answered more than {max_body} bytes"))
                    }
                    Err(source) => silent(anyhow::anyhow!(source)),
                }
            }
            error => silent(error.into()),
        }
    }

    fn refusal(error: &octocrab::GitHubError) -> Self {
        let status = error.status_code;
        // A page has no message.
        let message = error.message.lines().next();
        let message = message.filter(|line| !line.starts_with(['<', '{']));
        let reason = message.or(status.canonical_reason()).unwrap_or_default();
        let reason: String = reason.chars().take(MAX_REASON).collect();
        let said = format!("answered {} {reason}", status.as_u16());
        let is_limit = reason.to_lowercase().contains("rate limit");
        let is_passing = match status.as_u16() {
            403 => is_limit,
            408 | 425 | 429 | 500..=599 => true,
            _ => false,
        };
        if is_passing {
            let wait = error.headers.as_ref().and_then(wait);
            let wait = wait.or(is_limit.then_some(UNNAMED_LIMIT));
            return Self::Passing { said, wait };
        }
        let status = status.as_u16();
        Self::Refused { status, said }
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
    let seconds = u64::try_from(reset - now).unwrap_or_default();
    Some(Duration::from_secs(seconds))
}
