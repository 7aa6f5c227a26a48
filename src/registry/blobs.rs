//! Blobs of a repository: whether one is there, and taking one over from a repository beside it
//! (<https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-from-another-repository>).

use reqwest::header::LOCATION;
use reqwest::{Method, StatusCode};

use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::manifest::Descriptor;
use crate::registry::Repository;
use crate::registry::auth::Scope;
use crate::registry::error::RegistryError;
use crate::registry::http::Request;

/// Config or layer, by what names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

/// What a registry says to a mount.
pub(super) enum Mounted {
    Done,
    /// It opened an upload instead, which goes on there.
    Session(String),
    /// It knows no such thing, or does not let us.
    Refused,
}

impl Blob {
    pub(super) fn of(descriptor: &Descriptor) -> Result<Self, Problem> {
        Ok(Self {
            digest: descriptor.digest.parse()?,
            size: descriptor.size,
        })
    }
}

impl Repository<'_> {
    /// A small blob, for example an image config.
    pub(super) async fn small_blob(self, digest: &Digest) -> Result<Vec<u8>, RegistryError> {
        let request = Request::new(Method::GET, format!("blobs/{digest}"));
        let response = self.send(request).await?;
        self.check_digest(digest, &response.body)?;
        Ok(response.body)
    }

    /// Fails unless the blob exists.
    pub(super) async fn require_blob(self, digest: &Digest) -> Result<(), RegistryError> {
        let request = Request::new(Method::HEAD, format!("blobs/{digest}"));
        self.send(request).await.map(drop)
    }

    /// The response with a blob, its body unread. The registry may redirect to its storage; the redirected
    /// request carries no credentials.
    pub(super) async fn open_blob(
        self,
        digest: &Digest,
    ) -> Result<reqwest::Response, RegistryError> {
        let request = Request::new(Method::GET, format!("blobs/{digest}"));
        let registry = self.registry;
        let response = match registry.open(&self.scope(), &request).await? {
            Ok(response) if response.status().is_success() => return Ok(response),
            Ok(response) => registry.read_response(response).await?,
            Err(denied) => denied,
        };
        Err(registry.error(&response))
    }

    /// Whether the blob is there. A repository that does not exist yet may be denied to us.
    pub(super) async fn has_blob(self, digest: &Digest) -> Result<bool, RegistryError> {
        match self.require_blob(digest).await {
            Ok(()) => Ok(true),
            Err(RegistryError::NotFound(_) | RegistryError::Denied(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes the blob over from the repository `from` of the same registry, without its bytes.
    pub(super) async fn mount(self, digest: &Digest, from: &str) -> Result<Mounted, RegistryError> {
        let path = format!("blobs/uploads/?mount={digest}&from={from}");
        let scope = Scope::Mount {
            into: self.path.to_owned(),
            from: from.to_owned(),
        };
        let response = match self.send_as(&scope, Request::new(Method::POST, path)).await {
            Ok(response) => response,
            Err(RegistryError::Denied(_) | RegistryError::NotFound(_)) => {
                return Ok(Mounted::Refused);
            }
            Err(RegistryError::Unexpected(response))
                if response.status == StatusCode::METHOD_NOT_ALLOWED =>
            {
                return Ok(Mounted::Refused);
            }
            Err(error) => return Err(error),
        };
        Ok(match (response.status, response.header(LOCATION)) {
            (StatusCode::CREATED, _) => Mounted::Done,
            (_, Some(location)) => Mounted::Session(location.to_owned()),
            (_, None) => Mounted::Refused,
        })
    }
}
