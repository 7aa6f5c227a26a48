//! What `verify` found out.

use serde::Serialize;

use crate::image::digest::Digest;
use crate::report::result::Failure;

/// The images in the order of the references.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Verification {
    pub(crate) images: Vec<ImageResult>,
}

/// What is known of one reference, up to the first check that failed.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ImageResult {
    /// As it was given.
    pub(crate) reference: String,
    pub(crate) digest: Option<Digest>,
    /// Those whose manifest and blobs are complete.
    pub(crate) platforms: Vec<String>,
    pub(crate) attestation: Option<SignerResult>,
    pub(crate) error: Option<Failure>,
}

/// Who signed the provenance.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SignerResult {
    pub(crate) identity: String,
    pub(crate) repository: Option<String>,
    #[serde(rename = "ref")]
    pub(crate) git_ref: Option<String>,
    pub(crate) commit: Option<String>,
    pub(crate) signed_at: String,
    /// `registry` or `github`.
    pub(crate) source: &'static str,
}
