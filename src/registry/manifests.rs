//! Reads and writes manifests by digest; [`super::tags`] does by tag.

use reqwest::Method;

use crate::image::digest::Digest;
use crate::image::manifest;
use crate::image::manifest::Manifest;
use crate::registry::Repository;
use crate::registry::error::RegistryError;
use crate::registry::http::Request;

impl Repository<'_> {
    /// The manifest with `digest`.
    pub(super) async fn manifest(self, digest: &Digest) -> Result<Manifest, RegistryError> {
        let request = Request::new(Method::GET, format!("manifests/{digest}"));
        self.manifest_with(request, digest).await
    }

    /// The manifest with `digest`, which was just pushed, under any `reference` to it.
    pub(super) async fn pushed_manifest(
        self,
        reference: &str,
        digest: &Digest,
    ) -> Result<Manifest, RegistryError> {
        let request = Request::new(Method::GET, format!("manifests/{reference}"));
        self.manifest_with(request.just_pushed(), digest).await
    }

    async fn manifest_with(
        self,
        request: Request<'_>,
        digest: &Digest,
    ) -> Result<Manifest, RegistryError> {
        let response = self.send(request.accept(manifest::ACCEPTED)).await?;
        self.check_digest(digest, &response.body)?;
        Ok(Manifest::from(response))
    }

    /// Writes a manifest without a tag. Returns the subject that the registry listed it under as a referrer,
    /// if it did.
    pub(super) async fn put_by_digest(
        self,
        manifest: &Manifest,
    ) -> Result<Option<String>, RegistryError> {
        let request = Request::new(Method::PUT, format!("manifests/{}", manifest.digest))
            .body(&manifest.media_type, &manifest.bytes)
            .just_pushed();
        let response = self.send(request).await?;
        Ok(response.header("oci-subject").map(str::to_owned))
    }
}
