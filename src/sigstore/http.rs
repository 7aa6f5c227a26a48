//! One request to a service of Sigstore: limited in time and size, and retried until a deadline.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use reqwest::header::{
    ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Client, Method, StatusCode, Url, redirect};
use serde_json::Value;

use crate::console::Console;
use crate::console::debug::Exchange;
use crate::deadline::{Deadline, retry_after};
use crate::error::Problem;
use crate::registry::PERMANENT_AFTER;
use crate::registry::error::ConnectionFailure;
use crate::secret::Secret;
use crate::sigstore::error::{Failure, ServiceError};
use crate::tls::Trust;

/// For one request and its response.
const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_BODY_BYTES: usize = 1 << 20;
/// In characters, of what a service says in its own words.
const MAX_MESSAGE: usize = 300;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Gives the job its OIDC tokens.
    TokenEndpoint,
    /// Issues certificates.
    Fulcio,
    /// Is the transparency log.
    Rekor,
    /// Signs timestamps (RFC 3161).
    TimestampAuthority,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TokenEndpoint => "the OIDC token endpoint",
            Self::Fulcio => "Fulcio",
            Self::Rekor => "Rekor",
            Self::TimestampAuthority => "the timestamp authority",
        })
    }
}

/// A service and the URL at which its paths start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    role: Role,
    url: Url,
}

impl Service {
    pub(crate) fn new(role: Role, url: Url) -> Self {
        Self { role, url }
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The URL of `path`, which starts with `/`.
    fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        if !path.is_empty() {
            url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        }
        url
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.host_str().unwrap_or_default();
        write!(f, "{} at {host}", self.role)?;
        self.url.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// A request as a value, so that it can be sent again.
pub(super) struct Call<'a> {
    service: &'a Service,
    method: Method,
    path: String,
    body: Option<Vec<u8>>,
    bearer: Option<&'a Secret>,
    /// What the log must not contain although the service may repeat it.
    hidden: Option<&'a Secret>,
    /// A status that is a usable answer, in addition to 2xx.
    also: Option<StatusCode>,
}

impl<'a> Call<'a> {
    pub(super) fn get(service: &'a Service, path: impl Into<String>) -> Self {
        Self {
            service,
            method: Method::GET,
            path: path.into(),
            body: None,
            bearer: None,
            hidden: None,
            also: None,
        }
    }

    pub(super) fn post(service: &'a Service, path: &str, body: &Value) -> Self {
        Self {
            method: Method::POST,
            body: Some(body.to_string().into_bytes()),
            ..Self::get(service, path)
        }
    }

    pub(super) fn bearer(self, token: &'a Secret) -> Self {
        Self {
            bearer: Some(token),
            ..self.hiding(token)
        }
    }

    pub(super) fn hiding(self, secret: &'a Secret) -> Self {
        Self {
            hidden: Some(secret),
            ..self
        }
    }

    pub(super) fn accepting(self, status: StatusCode) -> Self {
        Self {
            also: Some(status),
            ..self
        }
    }

    fn error(&self, failure: Failure, retry_after: Option<Duration>) -> ServiceError {
        ServiceError {
            service: self.service.to_string(),
            failure,
            retry_after,
        }
    }
}

/// A response that a caller can use.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The message in a JSON object, the first line of a text, or the reason of the status.
    fn message(&self, hidden: Option<&Secret>) -> String {
        let json: Option<Value> = serde_json::from_slice(&self.body).ok();
        let message = json.as_ref().and_then(|json| json["message"].as_str());
        let text = String::from_utf8_lossy(&self.body);
        let line = message.or_else(|| text.lines().next()).unwrap_or_default();
        let is_text = !line.trim().is_empty() && !line.trim().starts_with(['<', '{']);
        let line = if is_text {
            line.trim()
        } else {
            self.status.canonical_reason().unwrap_or("with no reason")
        };
        let line = match hidden {
            Some(secret) => line.replace(secret.expose(), "***"),
            None => line.to_owned(),
        };
        let line = JWT.replace_all(&line, "***");
        line.chars().take(MAX_MESSAGE).collect()
    }
}

/// A JSON Web Token, or its start: `{"` in base64 and what follows.
static JWT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("eyJ[A-Za-z0-9_.-]*").expect("a valid expression"));

/// The client of all services.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Client,
    pub(super) console: Console,
}

impl Http {
    /// It follows no redirect: a request may contain a token.
    pub(crate) fn new(trust: &Trust, console: Console) -> Result<Self, Problem> {
        let client = trust.client().redirect(redirect::Policy::none()).build();
        let client = client.map_err(|error| {
            let what = "cannot create an HTTP client for Sigstore";
            Problem::new(what, "check the input `ca-cert`").because(error.to_string())
        })?;
        Ok(Self { client, console })
    }

    /// Sends `call` until `read` understands the answer, the service refuses, or the deadline passes. Retries network
    /// errors, 408, 425, 429, 5xx, and answers that `read` does not understand.
    pub(super) async fn send<T>(
        &self,
        call: &Call<'_>,
        deadline: Deadline,
        read: impl Fn(&Answer) -> Option<T>,
    ) -> Result<T, ServiceError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.send_once(call, deadline, tries).await {
                Ok(answer) => match read(&answer) {
                    Some(value) => return Ok(value),
                    None => call.error(Failure::Invalid("an unexpected response"), None),
                },
                Err(error) => error,
            };
            let may_pass = error.is_permanent_when_repeated() && tries < PERMANENT_AFTER;
            let retry = deadline.retry(tries, error.retry_after);
            let Some(retry) = retry.filter(|_| may_pass || error.is_transient()) else {
                return Err(error);
            };
            self.console.say(&format!("{error}; {retry}"));
            retry.wait().await;
        }
    }

    async fn send_once(
        &self,
        call: &Call<'_>,
        deadline: Deadline,
        attempt: u32,
    ) -> Result<Answer, ServiceError> {
        let exchange = self.exchange(call, attempt);
        let Ok(answer) = deadline.pace().timeout(TIMEOUT, exchange).await else {
            let cause = format!("no response in {} s", TIMEOUT.as_secs());
            let failure = Failure::Unreachable(ConnectionFailure::Interrupted, cause);
            return Err(call.error(failure, None));
        };
        let answer = answer?;
        if answer.status.is_success() || Some(answer.status) == call.also {
            return Ok(answer);
        }
        let asked = answer.header(RETRY_AFTER);
        let asked = asked.and_then(|asked| retry_after(asked, answer.header(DATE)));
        let failure = Failure::Answered(answer.status, answer.message(call.hidden));
        Err(call.error(failure, asked))
    }

    async fn exchange(&self, call: &Call<'_>, attempt: u32) -> Result<Answer, ServiceError> {
        let unreachable = |error: reqwest::Error| {
            let kind = ConnectionFailure::of(&error);
            let cause = format!("{:#}", anyhow::Error::from(error.without_url()));
            call.error(Failure::Unreachable(kind, cause), None)
        };
        let request = self.request(call).map_err(unreachable)?;
        let exchange = Exchange::of(&request, attempt);
        let sent = self.client.execute(request).await.map_err(unreachable);
        exchange.end(sent.as_ref().map_err(|error| error as _));
        let mut response = sent?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(call.error(Failure::Invalid("a response of more than 1 MiB"), None));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body,
        })
    }

    fn request(&self, call: &Call<'_>) -> reqwest::Result<reqwest::Request> {
        let url = call.service.at(&call.path);
        let mut request = self.client.request(call.method.clone(), url);
        if call.service.role != Role::TimestampAuthority {
            request = request.header(ACCEPT, JSON);
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, JSON).body(body.clone());
        }
        if let Some(token) = call.bearer {
            request = request.bearer_auth(token.expose());
        }
        request.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        let answer = Answer {
            status: StatusCode::BAD_GATEWAY,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        };
        let secret = Secret::new("e30.hunter2.c2ln").unwrap();
        assert_eq!(answer.message(Some(&secret)), expected);
    }

    #[test]
    fn messages_are_read_in_each_form_and_without_the_secret() {
        check(r#"{"code":3,"message":"no key"}"#, "no key");
        check(r#"{"code":3}"#, "Bad Gateway");
        check("<html>\nhunter2", "Bad Gateway");
        check("", "Bad Gateway");
        check("no such route\nat all", "no such route");
        check(
            r#"{"message":"bad token e30.hunter2.c2ln"}"#,
            "bad token ***",
        );
        check("bad token eyJhbGci.eyJzdWIi…", "bad token ***…");
    }

    #[test]
    fn paths_are_appended_to_the_url_of_a_service() {
        let at = |url: &str, path: &str| {
            let service = Service::new(Role::Rekor, Url::parse(url).unwrap());
            (service.at(path).to_string(), service.to_string())
        };
        let expected = ("https://x.example/base/api", "Rekor at x.example");
        let (url, shown) = at("https://x.example/base/", "/api");
        assert_eq!((url.as_str(), shown.as_str()), expected);
        let (url, shown) = at("http://u:p@[::1]:3000/?q=hunter2", "");
        assert_eq!(url, "http://u:p@[::1]:3000/?q=hunter2");
        assert_eq!(shown, "Rekor at [::1]:3000");
    }
}
