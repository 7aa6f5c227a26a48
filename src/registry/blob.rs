//! Blobs of a repository: whether one is there, and taking one over from a repository beside it
//! (<https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-from-another-repository>).

use reqwest::{Method, StatusCode};

use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::manifest::Descriptor;
use crate::registry::Repository;
use crate::registry::access::Scope;
use crate::registry::answer::Trouble;
use crate::registry::call::Call;

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
    /// Whether the blob is there. A repository that does not exist yet may be denied to us.
    pub(super) async fn has_blob(self, digest: &Digest) -> Result<bool, Trouble> {
        let call = Call::new(Method::HEAD, format!("blobs/{digest}"));
        match self.call(call).await {
            Ok(_) => Ok(true),
            Err(Trouble::NotFound { .. } | Trouble::Denied { .. }) => Ok(false),
            Err(trouble) => Err(trouble),
        }
    }

    /// Takes the blob over from the repository `from` of the same registry, without its bytes.
    pub(super) async fn mount(self, digest: &Digest, from: &str) -> Result<Mounted, Trouble> {
        let path = format!("blobs/uploads/?mount={digest}&from={from}");
        let scope = Scope::Mount {
            into: self.path.to_owned(),
            from: from.to_owned(),
        };
        let answer = match self.call_as(&scope, Call::new(Method::POST, path)).await {
            Ok(answer) => answer,
            Err(Trouble::Denied { .. } | Trouble::NotFound { .. }) => return Ok(Mounted::Refused),
            Err(Trouble::Unexpected { status, .. }) if status == StatusCode::METHOD_NOT_ALLOWED => {
                return Ok(Mounted::Refused);
            }
            Err(trouble) => return Err(trouble),
        };
        Ok(match (answer.status, answer.location) {
            (StatusCode::CREATED, _) => Mounted::Done,
            (_, Some(location)) => Mounted::Session(location),
            (_, None) => Mounted::Refused,
        })
    }
}
