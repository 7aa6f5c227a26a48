//! Deletes manifests.

use reqwest::Method;

use crate::image::digest::Digest;
use crate::registry::Repository;
use crate::registry::auth::Scope;
use crate::registry::error::RegistryError;
use crate::registry::http::Request;

/// What became of a manifest that was to be deleted
/// (<https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#deleting-manifests>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ManifestDeletion {
    Deleted,
    /// The registry does not have it: it was deleted before, maybe by an attempt whose answer was lost.
    Gone,
    /// The registry deletes no manifests. Those of GitHub do it only through the API.
    Unsupported,
}

impl Repository<'_> {
    /// Deletes the manifest with `digest`, and with it the tags that show it; blobs and manifests that it lists are not
    /// deleted.
    ///
    /// The token for it is requested with the action `delete`, which only this request needs; a token server that does
    /// not grant it leads to a refusal by the registry.
    pub(crate) async fn delete(self, digest: &Digest) -> Result<ManifestDeletion, RegistryError> {
        let scope = Scope::Delete(self.path.to_owned());
        let request = Request::new(Method::DELETE, format!("manifests/{digest}"));
        match self.send_as(&scope, request).await {
            Ok(_accepted) => Ok(ManifestDeletion::Deleted),
            Err(RegistryError::NotFound(_)) => Ok(ManifestDeletion::Gone),
            Err(error) if error.is_unsupported() => Ok(ManifestDeletion::Unsupported),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
