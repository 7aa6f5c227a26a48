//! Images for the double: of some layers, in an index with attestations, with what refers to them.

use bytes::Bytes;
use ghcr_double::Double;
use serde_json::{Value, json};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// An image before it is anywhere.
pub(crate) struct Image {
    config: Value,
    layers: Vec<Bytes>,
}

/// An image in a repository, under its digest.
pub(crate) struct Put {
    pub(crate) digest: String,
    pub(crate) layers: Vec<String>,
    pub(crate) manifest: String,
}

pub(crate) struct Index {
    pub(crate) digest: String,
    /// Images, then their attestations.
    pub(crate) children: Vec<String>,
}

impl Image {
    /// One layer with this content.
    pub(crate) fn small(architecture: &str, content: &str) -> Self {
        Self {
            config: json!({ "architecture": architecture, "os": "linux", "title": content }),
            layers: vec![Bytes::from(content.to_owned())],
        }
    }

    /// So many layers of so many bytes.
    pub(crate) fn of_layers(architecture: &str, layers: u8, bytes: usize) -> Self {
        Self {
            config: json!({ "architecture": architecture, "os": "linux" }),
            layers: (0..layers).map(|fill| vec![fill; bytes].into()).collect(),
        }
    }

    /// The same with these labels in its config.
    pub(crate) fn labelled(mut self, labels: &[(&str, &str)]) -> Self {
        let labels: serde_json::Map<String, Value> = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        self.config["config"] = json!({ "Labels": labels });
        self
    }

    /// The same with a time in its config.
    pub(crate) fn created(mut self, time: &str) -> Self {
        self.config["created"] = json!(time);
        self
    }

    pub(crate) fn config(&self) -> &Value {
        &self.config
    }

    pub(crate) fn layers(&self) -> &[Bytes] {
        &self.layers
    }

    pub(crate) fn put(&self, double: &Double, name: &str) -> Put {
        let config = self.config.to_string();
        let size = config.len();
        let config = double.put_blob(name, config);
        let described: Vec<Value> = self
            .layers
            .iter()
            .map(|layer| {
                let digest = double.put_blob(name, layer.clone());
                json!({ "mediaType": LAYER, "digest": digest, "size": layer.len() })
            })
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "digest": config, "size": size },
            "layers": described,
        })
        .to_string();
        let text = |value: &Value| value["digest"].as_str().unwrap().to_owned();
        Put {
            digest: put_by_digest(double, name, MANIFEST, &manifest),
            layers: described.iter().map(text).collect(),
            manifest,
        }
    }
}

/// An index of two platforms, each with an attestation as BuildKit writes it.
pub(crate) fn attested_index(double: &Double, name: &str, tag: &str) -> Index {
    let architectures = ["amd64", "arm64"];
    let images = architectures.map(|one| Image::small(one, one).put(double, name));
    let attestations = architectures
        .map(|one| Image::small("unknown", &format!("attestation of {one}")).put(double, name));
    let entry = |put: &Put, platform: Value| json!({ "mediaType": MANIFEST, "digest": put.digest, "size": put.manifest.len(), "platform": platform });
    let unknown = json!({ "architecture": "unknown", "os": "unknown" });
    let described = images
        .iter()
        .zip(architectures)
        .map(|(put, one)| entry(put, json!({ "architecture": one, "os": "linux" })));
    let attested = attestations.iter().zip(&images).map(|(put, image)| {
        let mut entry = entry(put, unknown.clone());
        entry["annotations"] = json!({
            "vnd.docker.reference.digest": image.digest,
            "vnd.docker.reference.type": "attestation-manifest",
        });
        entry
    });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": described.chain(attested).collect::<Vec<_>>(),
    });
    Index {
        digest: double.put_manifest(name, tag, INDEX, index.to_string()),
        children: images
            .into_iter()
            .chain(attestations)
            .map(|put| put.digest)
            .collect(),
    }
}

/// Something that refers to `subject`, filed under the fallback tag.
pub(crate) fn referrer(double: &Double, name: &str, subject: &str, kind: &str) -> String {
    let layer = double.put_blob(name, kind.to_owned());
    let empty = double.put_blob(name, "{}");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": format!("application/vnd.test.{kind}"),
        "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2 },
        "layers": [{ "mediaType": "text/plain", "digest": layer, "size": kind.len() }],
        "subject": { "mediaType": MANIFEST, "digest": subject, "size": 1 },
    })
    .to_string();
    let digest = put_by_digest(double, name, MANIFEST, &manifest);
    let entry = json!({ "mediaType": MANIFEST, "digest": digest, "size": manifest.len() });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
    double.put_manifest(name, &subject.replace(':', "-"), INDEX, index.to_string());
    digest
}

/// The double takes any reference; a tag of its own is never looked at.
fn put_by_digest(double: &Double, name: &str, media_type: &str, manifest: &str) -> String {
    let digest = double.put_blob("nowhere/else", manifest.to_owned());
    double.put_manifest(name, &digest, media_type, manifest.to_owned())
}
