//! What a manifest or index names: children, blobs, platforms
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md>).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::image::digest::Digest;

/// Media types a registry may answer with; all are accepted, none is converted.
pub(crate) const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A manifest or index exactly as the registry has it.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
}

impl Manifest {
    pub(crate) fn new(media_type: &str, bytes: Vec<u8>) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(&bytes),
            bytes,
        }
    }

    /// What it names.
    pub(crate) fn content(&self) -> serde_json::Result<Content> {
        serde_json::from_slice(&self.bytes)
    }

    /// Where the image is from; nothing if that cannot be read.
    pub(crate) fn origin(&self) -> Origin {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    /// The digest of the image config; nothing for an index.
    pub(crate) fn config_digest(&self) -> Option<Digest> {
        self.content().ok()?.config?.digest.parse().ok()
    }
}

/// The fields of a manifest or an index that matter here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Content {
    pub(crate) config: Option<Descriptor>,
    #[serde(deserialize_with = "null_as_empty")]
    pub(crate) layers: Vec<Descriptor>,
    #[serde(deserialize_with = "null_as_empty")]
    pub(crate) manifests: Vec<Descriptor>,
    #[serde(deserialize_with = "null_as_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// BuildKit writes the layers of an image without layers as `null`, as Go does for a list that nothing was added to.
pub(crate) fn null_as_empty<'de, D, T>(json: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(json).map(Option::unwrap_or_default)
}

/// The fields that say where an image is from, in little memory however much the manifest lists.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Origin {
    #[serde(deserialize_with = "null_as_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) config: Option<Descriptor>,
    /// The first image of an index.
    #[serde(rename = "manifests", deserialize_with = "first_image")]
    pub(crate) image: Option<Descriptor>,
}

fn first_image<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Descriptor>, D::Error> {
    json.deserialize_any(FirstImage)
}

struct FirstImage;

impl<'de> Visitor<'de> for FirstImage {
    type Value = Option<Descriptor>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of manifests")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut first = None;
        while let Some(child) = list.next_element::<Descriptor>()? {
            let platform = child.platform.as_ref().and_then(Platform::name);
            if first.is_none() && platform.is_some() {
                first = Some(child);
            }
        }
        Ok(first)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: String,
    #[serde(default)]
    pub(crate) size: u64,
    pub(crate) platform: Option<Platform>,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(crate) urls: Vec<String>,
}

/// Operating system and architecture, in an index or in an image config.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Platform {
    pub(crate) os: String,
    pub(crate) architecture: String,
    pub(crate) variant: Option<String>,
}

impl Platform {
    /// `linux/amd64`, `linux/arm/v7`; nothing for the `unknown/unknown` of an attestation.
    pub(crate) fn name(&self) -> Option<String> {
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
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config
            .iter()
            .chain(&self.layers)
            .filter(|blob| blob.urls.is_empty())
    }

    /// Bytes of config and layers, compressed.
    pub(crate) fn size(&self) -> u64 {
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
    fn null_is_an_empty_list() {
        let json = r#"{"config":{"digest":"x","urls":null},"layers":null,"manifests":null,"annotations":null}"#;
        let content: Content = serde_json::from_str(json).unwrap();
        assert!(content.layers.is_empty() && content.manifests.is_empty());
        assert_eq!(content.blobs().count(), 1);
        let origin: Origin = serde_json::from_str(json).unwrap();
        assert!(origin.config.is_some());
    }

    #[test]
    fn impossible_sizes_do_not_panic() {
        let layer = r#"{"digest":"x","size":18446744073709551615}"#;
        let content: Content =
            serde_json::from_str(&format!(r#"{{"layers":[{layer},{layer}]}}"#)).unwrap();
        assert_eq!(content.size(), u64::MAX);
    }
}
