//! A blob into a repository: mounted where that is possible, else one streamed `PUT`, again while that helps
//! (<https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#post-then-put>).

use std::pin::pin;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, Method, StatusCode, Url};

use crate::error::Problem;
use crate::image::digest::Digest;
use crate::registry::Repository;
use crate::registry::answer::{Reach, Trouble};
use crate::registry::blob::{Blob, Mounted};
use crate::registry::call::{Call, IDLE};
use crate::registry::origin::Origin;
use crate::registry::reply::Reply;
use crate::registry::stream::{Feed, Halt};

/// Why an image was not copied.
#[derive(Debug)]
pub(crate) enum Halted {
    Reading(Trouble),
    Writing(Trouble),
}

impl Halted {
    pub(crate) fn trouble(&self) -> &Trouble {
        match self {
            Self::Reading(trouble) | Self::Writing(trouble) => trouble,
        }
    }
}

/// Trouble with the target, unless something else is said.
impl From<Trouble> for Halted {
    fn from(trouble: Trouble) -> Self {
        Self::Writing(trouble)
    }
}

/// How long a registry may take to answer once it has all bytes: some hash and move them first.
const FILED_WITHIN: Duration = Duration::from_secs(300);

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
    pub(super) async fn place(self, blob: &Blob, origin: Origin<'_>) -> Result<Arrival, Halted> {
        let mut session = None;
        match origin.path_beside(self) {
            Some(from) => match self.mount(&blob.digest, from).await? {
                Mounted::Done => return Ok(Arrival::WithoutBytes),
                Mounted::Session(location) => session = Some(location),
                Mounted::Refused => {}
            },
            None if self.has_blob(&blob.digest).await? => return Ok(Arrival::WithoutBytes),
            None => {}
        }
        let mut tries = 0;
        loop {
            let halted = match self.upload(blob, origin, session.take()).await {
                Ok(()) => return Ok(Arrival::Sent(blob.size)),
                Err(halted) => halted,
            };
            tries += 1;
            let trouble = halted.trouble();
            if !trouble.is_passing() || !self.patience.wait(tries, trouble.asked()).await {
                return Err(halted);
            }
            self.registry
                .console
                .say(&format!("{trouble}; sending {} again", blob.digest));
            // The bytes may have arrived although the answer did not.
            if self.has_blob(&blob.digest).await? {
                return Ok(Arrival::Sent(blob.size));
            }
        }
    }

    /// Sends the bytes once, to the upload that is open or to a new one.
    async fn upload(
        self,
        blob: &Blob,
        origin: Origin<'_>,
        session: Option<String>,
    ) -> Result<(), Halted> {
        let location = match session {
            Some(location) => Some(location),
            None => {
                let call = Call::new(Method::POST, "blobs/uploads/");
                self.call(call).await?.location
            }
        };
        let target = self.upload_address(location.as_deref(), &blob.digest)?;
        let reply = self.stream(&target, blob, origin).await?;
        if reply.status == StatusCode::UNAUTHORIZED
            && let Some(challenge) = reply.challenge()
        {
            // The bearer may have aged while others were sent; a body cannot be sent twice.
            let (scope, registry) = (self.scope(), self.registry);
            let used = registry.access(&scope).await?;
            let fresh = registry.renew(&scope, &challenge, used.as_ref()).await?;
            if matches!(fresh, Ok(Some(_))) {
                let reply = self.stream(&target, blob, origin).await?;
                return self.judged(&reply);
            }
        }
        self.judged(&reply)
    }

    fn judged(self, reply: &Reply) -> Result<(), Halted> {
        if reply.status.is_success() {
            return Ok(());
        }
        Err(Halted::Writing(self.registry.trouble(reply)))
    }

    fn upload_address(self, location: Option<&str>, digest: &Digest) -> Result<Url, Trouble> {
        let location = location.ok_or_else(|| {
            self.broken("opened an upload and did not say where it goes on".to_owned())
        })?;
        let opened = self.registry.url(self.path, "blobs/uploads/")?;
        let target = with_digest(&opened, location, digest);
        target.ok_or_else(|| self.broken(format!("sends an upload to `{location}`")))
    }

    /// Streams the blob into an open upload, and waits for the answer.
    async fn stream(self, target: &Url, blob: &Blob, origin: Origin<'_>) -> Result<Reply, Halted> {
        let registry = self.registry;
        let reader = origin.open(blob).await.map_err(Halted::Reading)?;
        let (feed, body) = Feed::of(blob.size);
        let request = registry.http.put(target.clone());
        let request = request
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(Body::wrap(body));
        let access = registry.access(&self.scope()).await?;
        // Another host gets the bytes, and never the login.
        let own = access.filter(|_| target.origin() == registry.base.origin());
        let request = registry.authorized(request, own.as_ref().map(|own| &own.header))?;
        let mut sending = pin!(request.send());
        let response = tokio::select! {
            response = &mut sending => response,
            pumped = reader.pump(blob, feed, registry.pace) => {
                match pumped {
                    Err(Halt::Reading(trouble)) => return Err(Halted::Reading(trouble)),
                    Err(Halt::Stalled) => return Err(Halted::Writing(registry.stalled())),
                    Ok(()) | Err(Halt::Unwanted) => {}
                }
                let answered = registry.pace.timeout(FILED_WITHIN, sending).await;
                answered.map_err(|elapsed| registry.silent(elapsed))?
            }
        };
        let response = response.map_err(|error| registry.unreachable(error))?;
        Ok(registry.reply(response).await?)
    }
}

impl super::Registry {
    fn stalled(&self) -> Trouble {
        Trouble::Unreachable {
            host: self.host.clone(),
            reach: Reach::Interrupted,
            source: anyhow::anyhow!("it takes no bytes for {} seconds", IDLE.as_secs()),
        }
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

impl From<Problem> for Halted {
    fn from(problem: Problem) -> Self {
        Self::Reading(Trouble::Broken {
            host: "the image".to_owned(),
            what: format!("holds a manifest in which {problem}"),
        })
    }
}

#[cfg(test)]
mod tests;
