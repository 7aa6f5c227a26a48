//! Sends requests to a registry: authenticates them, limits their time and size, and retries them.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use tokio::time::Instant;
use tokio::time::error::Elapsed;

use crate::console::debug::Exchange;
use crate::deadline;
use crate::deadline::{Deadline, Failure};
use crate::registry::auth::{FirstChallenge, Opening, Scope};
use crate::registry::error::{ConnectionFailure, RegistryError};
use crate::registry::http::{NotFound, Request, Responder, Response};
use crate::registry::{PERMANENT_AFTER, Registry, STALE_READS, diagnosis};
use crate::secret::Secret;

const HEADERS_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a body may make no progress.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// For all of a body, however it trickles in.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// The usual limit of registries for a manifest.
const MAX_BODY_BYTES: usize = 4 << 20;
const MAX_ERROR_BYTES: usize = 64 << 10;
/// What GitHub's secondary limit asks for when it names no time
/// (<https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately>).
const SECONDARY_LIMIT: Duration = Duration::from_secs(60);

impl Registry {
    /// Sends `request` until it succeeds, fails permanently, or the deadline passes.
    pub(super) async fn request(
        &self,
        scope: &Scope,
        request: &Request<'_>,
        deadline: Deadline,
    ) -> Result<Response, RegistryError> {
        let started = Instant::now();
        let attempt = async |number| {
            let attempt = Request {
                attempt: number,
                ..request.clone()
            };
            let (error, may_pass) = match self.send_once(scope, &attempt).await {
                Ok(response) if response.status.is_success() => return Ok(response),
                Ok(response) => {
                    let error = self.error(&response);
                    let is_lag = self.is_lag(&response, request, started);
                    let may_pass = is_lag || error.is_transient();
                    (error, may_pass)
                }
                Err(error) => {
                    let may_pass = matches!(error, RegistryError::Unreachable { .. });
                    (error, may_pass)
                }
            };
            let is_repeated = error.is_permanent_when_repeated() && number >= PERMANENT_AFTER;
            let asked = error.retry_after();
            Err(match may_pass && !is_repeated {
                true => Failure::Transient(error, asked),
                false => Failure::Permanent(error),
            })
        };
        let retried = deadline.retried(self.console, ToString::to_string, attempt);
        retried.await
    }

    /// Whether the content was just pushed, and this read may be older.
    fn is_lag(&self, response: &Response, request: &Request, started: Instant) -> bool {
        response.responder == Responder::Registry
            && response.status == StatusCode::NOT_FOUND
            && request.not_found == NotFound::Retry
            && self.pace.since(started) < STALE_READS
    }

    /// The error in a response that is not a success.
    pub(super) fn error(&self, response: &Response) -> RegistryError {
        let message = response.message();
        let retry_after = response.retry_after().or_else(|| {
            let limited = diagnosis::is_secondary_limit(&message).then_some(SECONDARY_LIMIT);
            limited.or_else(|| deadline::retry_after_in_message(&message))
        });
        RegistryError::of(&self.host, response.status, message, retry_after)
    }

    /// Whether this process gets any response from the registry; one request.
    pub(crate) async fn is_reachable(&self) -> bool {
        let request = self.http.get(self.base.clone());
        self.send_for_headers(request, None, 1).await.is_ok()
    }

    async fn send_once(
        &self,
        scope: &Scope,
        request: &Request<'_>,
    ) -> Result<Response, RegistryError> {
        match self.open(scope, request).await? {
            Ok(response) => self.read_response(response).await,
            Err(denied) => Ok(denied),
        }
    }

    /// Sends once, and once more when the registry asks for authentication; the body of the response is
    /// not read yet. The inner error is a response that denies access.
    pub(super) async fn open(
        &self,
        scope: &Scope,
        request: &Request<'_>,
    ) -> Result<Result<reqwest::Response, Response>, RegistryError> {
        let (access, first) = match self.opening(scope).await? {
            Opening::First(first) => (None, Some(first)),
            Opening::With(access) => (access, None),
        };
        let header = access.as_ref().map(|access| &access.header);
        let response = self.send_request(scope, request, header).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            if let Some(mut first) = first.filter(|_| response.status().is_success()) {
                *first = FirstChallenge::None;
            }
            return Ok(Ok(response));
        }
        let response = self.read_response(response).await?;
        let Some(challenge) = response.challenge() else {
            return Ok(Err(response));
        };
        if let Some(mut first) = first {
            *first = FirstChallenge::Is(challenge.clone());
        }
        match self.renew(scope, &challenge, access.as_ref()).await? {
            Ok(Some(fresh)) => {
                let retried = self.send_request(scope, request, Some(&fresh.header));
                Ok(Ok(retried.await?))
            }
            Ok(None) => Ok(Err(response)),
            Err(denied) => Ok(Err(denied)),
        }
    }

    async fn send_request(
        &self,
        scope: &Scope,
        request: &Request<'_>,
        authorization: Option<&Secret>,
    ) -> Result<reqwest::Response, RegistryError> {
        let url = self.url(scope.repository(), &request.path)?;
        let mut builder = self.http.request(request.method.clone(), url);
        if let Some(accept) = request.accept {
            builder = builder.header(ACCEPT, accept);
        }
        if let Some(etag) = request.if_match {
            builder = builder.header(IF_MATCH, etag);
        }
        if request.if_absent {
            builder = builder.header(IF_NONE_MATCH, "*");
        }
        builder = match request.body {
            Some((media_type, bytes)) => builder
                .header(CONTENT_TYPE, media_type)
                .body(bytes.to_vec()),
            None if request.method == Method::POST => builder.body(Vec::new()),
            None => builder,
        };
        self.send_for_headers(builder, authorization, request.attempt)
            .await
    }

    /// The URL of `path` in a repository.
    pub(super) fn url(&self, repository: &str, path: &str) -> Result<Url, RegistryError> {
        let url = self.base.join(&format!("{repository}/{path}"));
        url.map_err(|error| self.invalid(format!("has no valid URL for `{path}`: {error}")))
    }

    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        authorization: Option<&Secret>,
    ) -> Result<Response, RegistryError> {
        let response = self.send_for_headers(request, authorization, 1).await?;
        self.read_response(response).await
    }

    async fn send_for_headers(
        &self,
        request: RequestBuilder,
        authorization: Option<&Secret>,
        attempt: u32,
    ) -> Result<reqwest::Response, RegistryError> {
        let (exchange, request) = self.exchange(request, authorization, attempt)?;
        let sent = match self.pace.timeout(HEADERS_TIMEOUT, request).await {
            Ok(sent) => sent.map_err(|error| self.unreachable(error)),
            Err(elapsed) => Err(self.timed_out(elapsed)),
        };
        exchange.end(sent.as_ref().map_err(|error| error as _));
        sent
    }

    /// The request under way, with its debug line.
    pub(super) fn exchange(
        &self,
        request: RequestBuilder,
        authorization: Option<&Secret>,
        attempt: u32,
    ) -> Result<
        (
            Exchange,
            impl Future<Output = reqwest::Result<reqwest::Response>> + use<>,
        ),
        RegistryError,
    > {
        let request = self.authorized(request, authorization)?.build();
        let request = request.map_err(|error| self.unreachable(error))?;
        Ok((Exchange::of(&request, attempt), self.http.execute(request)))
    }

    fn authorized(
        &self,
        request: RequestBuilder,
        authorization: Option<&Secret>,
    ) -> Result<RequestBuilder, RegistryError> {
        let Some(authorization) = authorization else {
            return Ok(request);
        };
        let value = HeaderValue::from_str(authorization.expose());
        let mut value = value.map_err(|_unprintable| {
            self.invalid("cannot be sent the token: it contains characters that an HTTP header cannot contain".to_owned())
        })?;
        value.set_sensitive(true);
        Ok(request.header(AUTHORIZATION, value))
    }

    /// Reads the body of a response.
    pub(super) async fn read_response(
        &self,
        response: reqwest::Response,
    ) -> Result<Response, RegistryError> {
        let status = response.status();
        let headers = response.headers().clone();
        let limit = if status.is_success() {
            MAX_BODY_BYTES
        } else {
            MAX_ERROR_BYTES
        };
        let read = self
            .pace
            .timeout(BODY_TIMEOUT, self.read_body(response, limit));
        let body = match read.await {
            Ok(body) => body?,
            Err(elapsed) => return Err(self.timed_out(elapsed)),
        };
        Ok(Response {
            status,
            headers,
            body,
            responder: Responder::Registry,
        })
    }

    /// The body up to `limit` bytes; a longer one is cut in an error response and rejected in a success.
    async fn read_body(
        &self,
        mut response: reqwest::Response,
        limit: usize,
    ) -> Result<Vec<u8>, RegistryError> {
        let success = response.status().is_success();
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(&mut response).await? {
            let room = limit - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                if success {
                    return Err(self.invalid(format!("sent more than {limit} bytes")));
                }
                break;
            }
        }
        Ok(body)
    }

    /// The next chunk of a body; fails after a minute without one.
    pub(super) async fn chunk(
        &self,
        response: &mut reqwest::Response,
    ) -> Result<Option<Bytes>, RegistryError> {
        match self.pace.timeout(IDLE_TIMEOUT, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| self.unreachable(error)),
            Err(elapsed) => Err(self.timed_out(elapsed)),
        }
    }

    /// The server accepted the connection and then sent nothing for too long.
    pub(super) fn timed_out(&self, elapsed: Elapsed) -> RegistryError {
        self.interrupted(elapsed.into())
    }

    pub(super) fn interrupted(&self, source: anyhow::Error) -> RegistryError {
        RegistryError::Unreachable {
            host: self.host.clone(),
            failure: ConnectionFailure::Interrupted,
            source,
        }
    }

    pub(super) fn unreachable(&self, error: reqwest::Error) -> RegistryError {
        RegistryError::Unreachable {
            host: self.host.clone(),
            failure: ConnectionFailure::of(&error),
            source: error.without_url().into(),
        }
    }

    pub(super) fn invalid(&self, what: String) -> RegistryError {
        RegistryError::Invalid {
            host: self.host.clone(),
            what,
        }
    }
}

#[cfg(test)]
mod tests;
