//! Images, indexes and referrers that tests store in the double directly, without requests.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::double::Double;
use crate::reference::digest_of;
use crate::state::Referrers;
use crate::store::Manifest;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";

impl Double {
    /// Stores a blob and returns its digest.
    pub fn put_blob(&self, name: &str, bytes: impl Into<Bytes>) -> String {
        self.shared.lock().store.put_blob(name, bytes.into())
    }

    /// Stores a manifest under a digest or tag without checking it, and returns its digest.
    pub fn put_manifest(
        &self,
        name: &str,
        reference: &str,
        media_type: &str,
        bytes: impl Into<Bytes>,
    ) -> String {
        let manifest = Manifest {
            media_type: media_type.to_owned(),
            bytes: bytes.into(),
        };
        let store = &mut self.shared.lock().store;
        store.put_manifest(name, reference, manifest)
    }

    /// Stores a small linux/amd64 image with these annotations under a tag, and returns its digest.
    pub fn put_image(&self, name: &str, tag: &str, annotations: &[(&str, &str)]) -> String {
        let mut manifest = self.image(name, "linux/amd64", small_layer());
        manifest["annotations"] = object(annotations);
        self.put_manifest(name, tag, MANIFEST, manifest.to_string())
    }

    /// Stores a small linux/amd64 image with these labels in its config and no annotations under a tag, as an engine
    /// with a graph driver pushes it, and returns its digest.
    pub fn put_labelled_image(&self, name: &str, tag: &str, labels: &[(&str, &str)]) -> String {
        let mut config = config("linux/amd64", &digest_of(&small_layer()));
        config["config"] = json!({ "Labels": object(labels) });
        let manifest = self.image_of(name, &config, small_layer());
        self.put_manifest(name, tag, MANIFEST, manifest.to_string())
    }

    /// Stores a small image for a platform such as `linux/arm/v7` without a tag, and returns its digest.
    pub fn put_platform_image(&self, name: &str, platform: &str) -> String {
        let manifest = self.image(name, platform, small_layer()).to_string();
        self.put_untagged(name, MANIFEST, manifest)
    }

    /// Stores a linux/amd64 image with one layer of that many bytes under a tag, and returns its digest.
    ///
    /// The layer cannot be compressed and is not a valid archive. Layers of the same size are equal.
    pub fn put_large_image(&self, name: &str, tag: &str, layer_bytes: usize) -> String {
        let manifest = self.image(name, "linux/amd64", noise(layer_bytes));
        self.put_manifest(name, tag, MANIFEST, manifest.to_string())
    }

    /// Stores a small linux/amd64 image in Docker's media types under a tag, and returns its digest.
    pub fn put_docker_image(&self, name: &str, tag: &str) -> String {
        let mut manifest = self.image(name, "linux/amd64", small_layer());
        manifest["mediaType"] = DOCKER_MANIFEST.into();
        manifest["config"]["mediaType"] = DOCKER_CONFIG.into();
        manifest["layers"][0]["mediaType"] = DOCKER_LAYER.into();
        self.put_manifest(name, tag, DOCKER_MANIFEST, manifest.to_string())
    }

    /// Stores an index of stored manifests, each with its platform, under a tag, and returns its digest.
    ///
    /// BuildKit uses the platform `unknown/unknown` for attestations.
    pub fn put_index(
        &self,
        name: &str,
        tag: &str,
        children: &[(&str, &str)],
        annotations: &[(&str, &str)],
    ) -> String {
        let children: Vec<Value> = children
            .iter()
            .filter_map(|(platform, digest)| {
                let (media_type, bytes) = self.manifest(name, digest)?;
                Some(json!({
                    "mediaType": media_type,
                    "digest": digest,
                    "size": bytes.len(),
                    "platform": object(&fields(platform)),
                }))
            })
            .collect();
        let index = json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": children,
            "annotations": object(annotations),
        });
        self.put_manifest(name, tag, INDEX, index.to_string())
    }

    /// Stores an artifact whose subject is this manifest, and returns its digest. Clients find it with the referrers API
    /// or, if the registry has none, as the last entry of the index under the tag `sha256-<hex>`.
    pub fn put_referrer(&self, name: &str, subject: &str, artifact_type: &str) -> String {
        let (media_type, bytes) = self.manifest(name, subject).unwrap_or_default();
        let payload = format!("{artifact_type} for {subject}");
        let size = payload.len();
        let payload = self.put_blob(name, payload);
        let config = self.put_blob(name, "{}");
        let artifact = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": artifact_type,
            "config": { "mediaType": EMPTY, "digest": config, "size": 2 },
            "layers": [{ "mediaType": artifact_type, "digest": payload, "size": size }],
            "subject": { "mediaType": media_type, "digest": subject, "size": bytes.len() },
        });
        let digest = self.put_untagged(name, MANIFEST, artifact.to_string());
        if self.shared.lock().referrers == Referrers::Absent {
            self.list_under_tag(name, subject, &digest, &artifact);
        }
        digest
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema>
    fn list_under_tag(&self, name: &str, subject: &str, digest: &str, artifact: &Value) {
        let tag = subject.replacen(':', "-", 1);
        let bytes = artifact.to_string().into();
        let media_type = MANIFEST.to_owned();
        let descriptor = Manifest { media_type, bytes }.descriptor(digest, artifact);
        let listed = self.manifest(name, &tag);
        let listed = listed.and_then(|(_, bytes)| serde_json::from_slice::<Value>(&bytes).ok());
        let mut manifests = listed
            .and_then(|index| index["manifests"].as_array().cloned())
            .unwrap_or_default();
        manifests.retain(|known| known["digest"] != descriptor["digest"]);
        manifests.push(descriptor);
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        self.put_manifest(name, &tag, INDEX, index.to_string());
    }

    fn put_untagged(&self, name: &str, media_type: &str, manifest: String) -> String {
        let digest = digest_of(manifest.as_bytes());
        self.put_manifest(name, &digest, media_type, manifest)
    }

    /// Stores the config and the layer of an image; returns its manifest, which is not stored.
    fn image(&self, name: &str, platform: &str, layer: Bytes) -> Value {
        let config = config(platform, &digest_of(&layer));
        self.image_of(name, &config, layer)
    }

    fn image_of(&self, name: &str, config: &Value, layer: Bytes) -> Value {
        let layer_size = layer.len();
        let diff_id = self.put_blob(name, layer);
        let config = config.to_string();
        let size = config.len();
        let config = self.put_blob(name, config);
        json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "digest": config, "size": size },
            "layers": [{ "mediaType": LAYER, "digest": diff_id, "size": layer_size }],
        })
    }
}

/// The config of an image with one layer.
fn config(platform: &str, diff_id: &str) -> Value {
    let mut config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [diff_id] },
    });
    for (key, value) in fields(platform) {
        config[key] = value.into();
    }
    config
}

/// A platform such as `linux/arm/v7` as fields of a descriptor or a config.
fn fields(platform: &str) -> Vec<(&str, &str)> {
    let keys = ["os", "architecture", "variant"];
    keys.into_iter().zip(platform.split('/')).collect()
}

fn object(pairs: &[(&str, &str)]) -> Value {
    let pairs: BTreeMap<_, _> = pairs.iter().copied().collect();
    json!(pairs)
}

fn small_layer() -> Bytes {
    Bytes::from_static(&[0; 1024])
}

/// Incompressible bytes: a block of a xorshift sequence, numbered each time it is repeated.
fn noise(length: usize) -> Bytes {
    let mut word = 0x9e37_79b9_7f4a_7c15_u64;
    let mut block = Vec::with_capacity(1 << 20);
    while block.len() < 1 << 20 {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        block.extend_from_slice(&word.to_le_bytes());
    }
    let mut bytes = BytesMut::with_capacity(length);
    let mut number = 0_u64;
    while bytes.len() < length {
        block.splice(..8, number.to_le_bytes());
        let rest = (length - bytes.len()).min(block.len());
        bytes.extend_from_slice(block.get(..rest).unwrap_or_default());
        number += 1;
    }
    bytes.freeze()
}
