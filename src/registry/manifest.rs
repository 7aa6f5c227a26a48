//! What a manifest or index names: children, blobs, platforms
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md>).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::reply::Answer;
use crate::image::Digest;

/// Media types a registry may answer with; all are accepted, none is converted.
pub(super) const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// A manifest or index exactly as the registry has it.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
}

impl Manifest {
    pub(super) fn of(answer: Answer) -> Self {
        Self {
            digest: Digest::of(&answer.body),
            media_type: answer.content_type,
            bytes: answer.body,
        }
    }
}

impl Manifest {
    /// What it names.
    pub(super) fn content(&self) -> serde_json::Result<Content> {
        serde_json::from_slice(&self.bytes)
    }

    /// The digest of the image config; nothing for an index.
    pub(crate) fn config_digest(&self) -> Option<Digest> {
        self.content().ok()?.config?.digest.parse().ok()
    }
}

/// The fields of a manifest or an index that matter here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Content {
    pub(super) config: Option<Descriptor>,
    pub(super) layers: Vec<Descriptor>,
    pub(super) manifests: Vec<Descriptor>,
    pub(super) annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) digest: String,
    #[serde(default)]
    pub(super) size: u64,
    pub(super) platform: Option<Platform>,
    #[serde(default)]
    pub(super) urls: Vec<String>,
}

/// Operating system and architecture, in an index or in an image config.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Platform {
    pub(super) os: String,
    pub(super) architecture: String,
    pub(super) variant: Option<String>,
}

impl Platform {
    /// `linux/amd64`, `linux/arm/v7`; nothing for the `unknown/unknown` of an attestation.
    pub(super) fn name(&self) -> Option<String> {
        let Self {
            os,
            architecture,
            variant,
        } = self;
        if os == "unknown" {
            return None;
        }
        let variant = variant.as_deref().filter(|variant| !variant.is_empty());
        Some(variant.map_or_else(
            || format!("{os}/{architecture}"),
            |variant| format!("{os}/{architecture}/{variant}"),
        ))
    }
}

impl Content {
    /// The blobs a manifest needs in its own repository: config and layers, but for foreign layers.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config
            .iter()
            .chain(&self.layers)
            .filter(|blob| blob.urls.is_empty())
    }

    /// Bytes of config and layers, compressed.
    pub(super) fn size(&self) -> u64 {
        self.config
            .iter()
            .chain(&self.layers)
            .fold(0, |sum, blob| sum.saturating_add(blob.size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_cannot_be_are_no_panic() {
        let layer = r#"{"digest":"x","size":18446744073709551615}"#;
        let content: Content =
            serde_json::from_str(&format!(r#"{{"layers":[{layer},{layer}]}}"#)).unwrap();
        assert_eq!(content.size(), u64::MAX);
    }
}
