//! One call of the registry's API: sent with what authenticates it, and again while that helps.

use std::time::Duration;

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use tokio::time::{Instant, timeout};

use super::answer::{self, Trouble};
use super::patience::{Patience, retry_after};
use super::token::{self, Challenge, Granted};
use super::{Registry, STALE_READS};
use crate::secret::Secret;

/// A request as a value, so that it can be sent again.
#[derive(Debug)]
pub(super) struct Call<'a> {
    method: Method,
    /// Below the repository.
    path: String,
    accept: Option<&'static str>,
    body: Option<(&'a str, &'a [u8])>,
    missing: Missing,
}

/// What a 404 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is not there.
    Final,
    /// It was just pushed, and reads may lag behind.
    MayTurnUp,
}

/// A success.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) content_type: String,
    pub(super) content_digest: Option<String>,
    pub(super) body: Vec<u8>,
}

/// An answer of any status.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

const HEADERS_WITHIN: Duration = Duration::from_secs(30);
/// The usual limit of registries for a manifest.
const LARGEST_BODY: usize = 4 << 20;
const LARGEST_ERROR: usize = 64 << 10;

impl<'a> Call<'a> {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            accept: None,
            body: None,
            missing: Missing::Final,
        }
    }

    pub(super) fn accept(self, media_types: &'static str) -> Self {
        Self {
            accept: Some(media_types),
            ..self
        }
    }

    pub(super) fn body(self, media_type: &'a str, bytes: &'a [u8]) -> Self {
        Self {
            body: Some((media_type, bytes)),
            ..self
        }
    }

    pub(super) fn missing(self, missing: Missing) -> Self {
        Self { missing, ..self }
    }
}

impl Registry {
    /// Sends `call` until it succeeds, is refused for good, or patience ends.
    pub(super) async fn call(
        &self,
        repository: &str,
        call: &Call<'_>,
        patience: Patience,
    ) -> Result<Answer, Trouble> {
        let started = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let (trouble, asked) = match self.attempt(repository, call).await {
                Ok(reply) if reply.status.is_success() => return Ok(reply.into_answer()),
                Ok(reply) => {
                    let said = answer::said(reply.status, &reply.body);
                    let lagging = reply.status == StatusCode::NOT_FOUND
                        && call.missing == Missing::MayTurnUp
                        && started.elapsed() < STALE_READS;
                    let transient = lagging || answer::is_transient(reply.status, &said);
                    let trouble = Trouble::of(&self.host, reply.status, said);
                    if !transient {
                        return Err(trouble);
                    }
                    (trouble, reply.retry_after())
                }
                Err(trouble @ Trouble::Unreachable { .. }) => (trouble, None),
                Err(trouble) => return Err(trouble),
            };
            if !patience.wait(tries, asked).await {
                return Err(trouble);
            }
            self.console.say(&format!("{trouble}; trying again"));
        }
    }

    /// Sends once, and once more when the registry wants to know who we are.
    async fn attempt(&self, repository: &str, call: &Call<'_>) -> Result<Reply, Trouble> {
        let reply = self.send_call(repository, call).await?;
        let challenges = reply.headers.get_all(WWW_AUTHENTICATE).iter();
        let challenge = challenges
            .filter_map(|header| Challenge::parse(header.to_str().ok()?))
            .next();
        match challenge {
            Some(challenge) if reply.status == StatusCode::UNAUTHORIZED => {
                let Some(authorization) = self.authorize(repository, &challenge).await? else {
                    return Ok(reply);
                };
                self.authorizations
                    .lock()
                    .expect("no holder panics")
                    .insert(repository.to_owned(), authorization);
                self.send_call(repository, call).await
            }
            _ => Ok(reply),
        }
    }

    async fn send_call(&self, repository: &str, call: &Call<'_>) -> Result<Reply, Trouble> {
        let url = self
            .base
            .join(&format!("{repository}/{}", call.path))
            .map_err(|error| self.unreachable(error.into()))?;
        let mut request = self.http.request(call.method.clone(), url);
        if let Some(accept) = call.accept {
            request = request.header(ACCEPT, accept);
        }
        request = match call.body {
            Some((media_type, bytes)) => request
                .header(CONTENT_TYPE, media_type)
                .body(bytes.to_vec()),
            None if call.method == Method::POST => request.body(Vec::new()),
            None => request,
        };
        let authorization = self
            .authorizations
            .lock()
            .expect("no holder panics")
            .get(repository)
            .cloned();
        self.send(request, authorization.as_ref()).await
    }

    async fn send(
        &self,
        mut request: RequestBuilder,
        authorization: Option<&Secret>,
    ) -> Result<Reply, Trouble> {
        if let Some(authorization) = authorization {
            let mut value = HeaderValue::from_str(authorization.expose())
                .map_err(|error| self.unreachable(error.into()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let response = match timeout(HEADERS_WITHIN, request.send()).await {
            Ok(sent) => sent.map_err(|error| self.unreachable(error.without_url().into()))?,
            Err(elapsed) => return Err(self.unreachable(elapsed.into())),
        };
        let status = response.status();
        let headers = response.headers().clone();
        let limit = if status.is_success() {
            LARGEST_BODY
        } else {
            LARGEST_ERROR
        };
        let body = self.read(response, limit).await?;
        Ok(Reply {
            status,
            headers,
            body,
        })
    }

    /// The body up to `limit` bytes; more is cut for an error and refused for a success.
    async fn read(&self, mut response: Response, limit: usize) -> Result<Vec<u8>, Trouble> {
        let success = response.status().is_success();
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.unreachable(error.without_url().into()))?
        {
            body.extend_from_slice(&chunk[..chunk.len().min(limit - body.len())]);
            if body.len() == limit {
                if success {
                    return Err(Trouble::Broken {
                        host: self.host.clone(),
                        what: format!("sent more than {limit} bytes"),
                    });
                }
                break;
            }
        }
        Ok(body)
    }

    /// The `Authorization` header that answers `challenge`; nothing when we have no login for Basic.
    async fn authorize(
        &self,
        repository: &str,
        challenge: &Challenge,
    ) -> Result<Option<Secret>, Trouble> {
        match challenge {
            Challenge::Basic => Ok(self.basic()),
            Challenge::Bearer { realm, service } => self
                .bearer(repository, realm, service.as_deref())
                .await
                .map(Some),
        }
    }

    fn basic(&self) -> Option<Secret> {
        let login = self.login.as_ref()?;
        let encoded = Secret::new(&STANDARD.encode(format!(
            "{}:{}",
            login.username,
            login.password.expose()
        )))?;
        self.console.mask(&encoded);
        Secret::new(&format!("Basic {}", encoded.expose()))
    }

    async fn bearer(
        &self,
        repository: &str,
        realm: &str,
        service: Option<&str>,
    ) -> Result<Secret, Trouble> {
        let url = Url::parse(realm)
            .ok()
            .filter(|url| token::is_trusted(url, &self.base));
        let mut url = url.ok_or_else(|| {
            self.broken(format!(
                "sends its users to `{realm}` for a token, which is not its own host"
            ))
        })?;
        let scope = format!("repository:{repository}:pull,push");
        url.query_pairs_mut()
            .extend_pairs(service.map(|service| ("service", service)))
            .append_pair("scope", &scope);
        let reply = self.send(self.http.get(url), self.basic().as_ref()).await?;
        if !reply.status.is_success() {
            let said = answer::said(reply.status, &reply.body);
            return Err(match answer::is_transient(reply.status, &said) {
                true => self.unreachable(anyhow!(
                    "its token endpoint answered {} {said}",
                    reply.status.as_u16()
                )),
                false => Trouble::of(&self.host, reply.status, said),
            });
        }
        let granted = serde_json::from_slice::<Granted>(&reply.body)
            .ok()
            .and_then(Granted::token);
        let bearer = granted.ok_or_else(|| self.broken("granted no token".to_owned()))?;
        self.console.mask(&bearer);
        Secret::new(&format!("Bearer {}", bearer.expose()))
            .ok_or_else(|| self.broken("granted no token".to_owned()))
    }

    fn unreachable(&self, source: anyhow::Error) -> Trouble {
        Trouble::Unreachable {
            host: self.host.clone(),
            source,
        }
    }

    fn broken(&self, what: String) -> Trouble {
        Trouble::Broken {
            host: self.host.clone(),
            what,
        }
    }
}

impl Reply {
    fn header(&self, name: impl reqwest::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn retry_after(&self) -> Option<Duration> {
        retry_after(self.header(RETRY_AFTER)?, self.header(DATE))
    }

    fn into_answer(self) -> Answer {
        let content_type = self
            .header(CONTENT_TYPE)
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        Answer {
            content_type,
            content_digest: self.header("docker-content-digest").map(str::to_owned),
            body: self.body,
        }
    }
}
