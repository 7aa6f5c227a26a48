//! The SBOMs that BuildKit attached to an image
//! (<https://docs.docker.com/build/metadata/attestations/attestation-storage/>).

use serde_json::Value;

use crate::image::digest::Digest;
use crate::image::manifest::{Descriptor, Manifest};
use crate::registry::Repository;
use crate::registry::error::RegistryError;
use crate::registry::stream::Blob;

/// The predicate type that BuildKit gives an SBOM, without its version.
const SPDX: &str = "https://spdx.dev/Document";
/// The largest document that GitHub accepts, in bytes
/// (<https://github.com/actions/attest#inputs>).
const MAX_BYTES: u64 = 16 << 20;

/// The SBOM of the image for one platform.
#[derive(Debug)]
pub(crate) struct Sbom {
    pub(crate) image: Manifest,
    /// `https://spdx.dev/Document/v2.3`, for example.
    pub(crate) predicate_type: String,
    pub(crate) document: Value,
}

impl Repository<'_> {
    /// The SBOMs that the index lists, one per platform; none for an image without index. Fails if a document cannot be
    /// read, or is larger than 16 MiB.
    pub(crate) async fn sboms(self, index: &Manifest) -> Result<Vec<Sbom>, RegistryError> {
        let content: Value = serde_json::from_slice(&index.bytes).unwrap_or_default();
        let listed = content["manifests"].as_array().into_iter().flatten();
        let mut sboms = Vec::new();
        for entry in listed {
            let annotations = &entry["annotations"];
            if annotations["vnd.docker.reference.type"] != "attestation-manifest" {
                continue;
            }
            let (Some(attestation), Some(image)) = (
                digest(&entry["digest"]),
                digest(&annotations["vnd.docker.reference.digest"]),
            ) else {
                continue;
            };
            if let Some((predicate_type, document)) = self.sbom_in(&attestation).await? {
                sboms.push(Sbom {
                    image: self.manifest(&image).await?,
                    predicate_type,
                    document,
                });
            }
        }
        Ok(sboms)
    }

    /// The predicate type and the document in a manifest of attestations.
    async fn sbom_in(self, attestation: &Digest) -> Result<Option<(String, Value)>, RegistryError> {
        let manifest = self.manifest(attestation).await?;
        let content: Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
        let layers = content["layers"].as_array().into_iter().flatten();
        let mut of_sbom =
            layers.filter(|layer| layer["annotations"]["in-toto.io/predicate-type"] == SPDX);
        let Some(layer) = of_sbom.next() else {
            return Ok(None);
        };
        let blob = serde_json::from_value::<Descriptor>(layer.clone()).ok();
        let blob = blob.and_then(|layer| Blob::of(&layer).ok());
        let unreadable = || {
            self.invalid(format!(
                "holds an SBOM in {attestation} that cannot be read"
            ))
        };
        let blob = blob.ok_or_else(unreadable)?;
        if blob.size > MAX_BYTES {
            let (size, limit) = (blob.size, MAX_BYTES >> 20);
            let what =
                format!("holds an SBOM of {size} bytes; at most {limit} MiB can be attested");
            return Err(self.invalid(what));
        }
        let bytes = self.bytes_of(&blob).await?;
        let statement: Value = serde_json::from_slice(&bytes).map_err(|_error| unreadable())?;
        let document = statement["predicate"].clone();
        let version = document["spdxVersion"].as_str();
        let version = version.and_then(|version| version.strip_prefix("SPDX-"));
        let version = version.ok_or_else(unreadable)?;
        Ok(Some((format!("{SPDX}/v{version}"), document)))
    }
}

fn digest(value: &Value) -> Option<Digest> {
    value.as_str()?.parse().ok()
}
