//! Uploads a blob: mounted where possible, else one streamed `PUT`, with retries
//! (<https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#post-then-put>).

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Body, Method, StatusCode, Url};

use crate::deadline::Failure;
use crate::error::Problem;
use crate::image::digest::Digest;
use crate::registry::client::IDLE_TIMEOUT;
use crate::registry::copy_source::CopySource;
use crate::registry::error::RegistryError;
use crate::registry::http::{Request, Response};
use crate::registry::stream::{Blob, Feed, Mounted, Reader, StreamError};
use crate::registry::{Registry, Repository};

/// Why an image was not copied.
#[derive(Debug)]
pub(crate) enum CopyError {
    Reading(RegistryError),
    Writing(RegistryError),
}

impl CopyError {
    pub(crate) fn registry_error(&self) -> &RegistryError {
        match self {
            Self::Reading(error) | Self::Writing(error) => error,
        }
    }

    fn into_registry_error(self) -> RegistryError {
        match self {
            Self::Reading(error) | Self::Writing(error) => error,
        }
    }
}

/// A failed request concerns the target, unless the caller says otherwise.
impl From<RegistryError> for CopyError {
    fn from(error: RegistryError) -> Self {
        Self::Writing(error)
    }
}

/// How long a registry may take to respond once it has all bytes: some hash and move them first.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(300);

/// How a blob came to be where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It was there, or was taken over inside the registry.
    WithoutBytes,
    /// So many bytes went through our hands.
    Sent(u64),
}

impl Arrival {
    pub(super) fn bytes(self) -> u64 {
        match self {
            Self::WithoutBytes => 0,
            Self::Sent(bytes) => bytes,
        }
    }
}

impl Repository<'_> {
    /// Sees to it that the blob is there.
    pub(super) async fn place(
        self,
        blob: &Blob,
        source: CopySource<'_>,
    ) -> Result<Arrival, CopyError> {
        let open = async || source.open(blob).await;
        self.place_from(blob, source.path_beside(self), open).await
    }

    /// The same for bytes in memory.
    pub(super) async fn place_bytes(self, bytes: &[u8]) -> Result<(), RegistryError> {
        let blob = Blob::new(bytes);
        let open = async || Ok(Reader::Memory(Bytes::copy_from_slice(bytes)));
        let placed = self.place_from(&blob, None, open).await;
        placed.map(drop).map_err(CopyError::into_registry_error)
    }

    /// `beside` is the path of a repository of this registry that may have the blob; `open` reads it from elsewhere.
    async fn place_from<'s>(
        self,
        blob: &Blob,
        beside: Option<&str>,
        open: impl AsyncFn() -> Result<Reader<'s>, RegistryError>,
    ) -> Result<Arrival, CopyError> {
        let mut session = None;
        match beside {
            Some(from) => match self.mount(&blob.digest, from).await? {
                Mounted::Done => return Ok(Arrival::WithoutBytes),
                Mounted::Session(location) => session = Some(location),
                Mounted::Refused => {}
            },
            None if self.has_blob(&blob.digest).await? => return Ok(Arrival::WithoutBytes),
            None => {}
        }
        let attempt = async |number| {
            // The bytes may have arrived although the response did not.
            if number > 1
                && self
                    .has_blob(&blob.digest)
                    .await
                    .map_err(|error| Failure::Permanent(error.into()))?
            {
                return Ok(());
            }
            let sent = self.upload(blob, &open, session.take(), number).await;
            sent.map_err(|error| {
                let cause = error.registry_error();
                let asked = cause.retry_after();
                match cause.is_transient() {
                    true => Failure::Transient(error, asked),
                    false => Failure::Permanent(error),
                }
            })
        };
        let describe =
            |error: &CopyError| format!("cannot send {}: {}", blob.digest, error.registry_error());
        let retried = self
            .deadline
            .retried(self.registry.console, describe, attempt);
        retried.await.map(|()| Arrival::Sent(blob.size))
    }

    /// Sends the bytes once, to the upload that is open or to a new one.
    async fn upload<'s>(
        self,
        blob: &Blob,
        open: &impl AsyncFn() -> Result<Reader<'s>, RegistryError>,
        session: Option<String>,
        attempt: u32,
    ) -> Result<(), CopyError> {
        let location = match session {
            Some(location) => Some(location),
            None => {
                let request = Request::new(Method::POST, "blobs/uploads/");
                let response = self.send(request).await?;
                response.header(LOCATION).map(str::to_owned)
            }
        };
        let target = self.upload_address(location.as_deref(), &blob.digest)?;
        let response = self.stream(&target, blob, open, attempt).await?;
        if response.status == StatusCode::UNAUTHORIZED
            && let Some(challenge) = response.challenge()
        {
            // The bearer may have aged while others were sent; a body cannot be sent twice.
            let (scope, registry) = (self.scope(), self.registry);
            let used = registry.access(&scope).await?;
            let fresh = registry.renew(&scope, &challenge, used.as_ref()).await?;
            if matches!(fresh, Ok(Some(_))) {
                let response = self.stream(&target, blob, open, attempt).await?;
                return self.judged(&response);
            }
        }
        self.judged(&response)
    }

    fn judged(self, response: &Response) -> Result<(), CopyError> {
        if response.status.is_success() {
            return Ok(());
        }
        Err(CopyError::Writing(self.registry.error(response)))
    }

    fn upload_address(self, location: Option<&str>, digest: &Digest) -> Result<Url, RegistryError> {
        let location = location.ok_or_else(|| {
            self.invalid("started an upload without a `Location` header".to_owned())
        })?;
        let opened = self.registry.url(self.path, "blobs/uploads/")?;
        let target = with_digest(&opened, location, digest);
        target.ok_or_else(|| self.invalid(format!("sent the invalid upload location `{location}`")))
    }

    /// Streams the blob into an open upload, and waits for the response.
    async fn stream<'s>(
        self,
        target: &Url,
        blob: &Blob,
        open: &impl AsyncFn() -> Result<Reader<'s>, RegistryError>,
        attempt: u32,
    ) -> Result<Response, CopyError> {
        let registry = self.registry;
        let reader = open().await.map_err(CopyError::Reading)?;
        let (feed, body) = Feed::of(blob.size);
        let request = registry.http.put(target.clone());
        let request = request
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(Body::wrap(body));
        let access = registry.access(&self.scope()).await?;
        // Another host gets the bytes, and never the login.
        let own = access.filter(|_| target.origin() == registry.base.origin());
        let authorization = own.as_ref().map(|own| &own.header);
        let (exchange, sending) = registry.exchange(request, authorization, attempt)?;
        let sent = registry.fed(sending, reader.pump(blob, feed, registry.pace));
        let sent = sent.await;
        exchange.end(sent.as_ref().map_err(|error| error.registry_error() as _));
        Ok(registry.read_response(sent?).await?)
    }
}

impl Registry {
    /// The response to a request whose body is read meanwhile.
    async fn fed(
        &self,
        sending: impl Future<Output = reqwest::Result<reqwest::Response>>,
        pumping: impl Future<Output = Result<(), StreamError>>,
    ) -> Result<reqwest::Response, CopyError> {
        let mut sending = pin!(sending);
        let response = tokio::select! {
            response = &mut sending => response,
            pumped = pumping => {
                match pumped {
                    Err(StreamError::Reading(error)) => return Err(CopyError::Reading(error)),
                    Err(StreamError::Stalled) => return Err(CopyError::Writing(
                        self.interrupted(anyhow::anyhow!("it accepted no data for {} seconds", IDLE_TIMEOUT.as_secs())),
                    )),
                    Ok(()) | Err(StreamError::Unwanted) => {}
                }
                let answered = self.pace.timeout(COMMIT_TIMEOUT, sending).await;
                answered.map_err(|elapsed| self.timed_out(elapsed))?
            }
        };
        Ok(response.map_err(|error| self.unreachable(error))?)
    }
}

/// The location of an open upload, which may be relative, with the digest that ends it. What stands in its
/// query is the registry's own and stays as it is. Nobody is led from TLS to plain text.
fn with_digest(opened: &Url, location: &str, digest: &Digest) -> Option<Url> {
    let mut url = opened.join(location).ok()?;
    if opened.scheme() == "https" && url.scheme() != "https" {
        return None;
    }
    let query = match url.query().filter(|query| !query.is_empty()) {
        Some(query) => format!("{query}&digest={digest}"),
        None => format!("digest={digest}"),
    };
    url.set_query(Some(&query));
    Some(url)
}

impl From<Problem> for CopyError {
    fn from(problem: Problem) -> Self {
        Self::Reading(RegistryError::Invalid {
            host: "the image".to_owned(),
            what: format!("holds a manifest in which {problem}"),
        })
    }
}

#[cfg(test)]
mod tests;
