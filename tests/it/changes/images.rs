//! Images that are generated, and what changed between two of them, computed from what the double stores.

use std::collections::BTreeMap;

use ghcr_double::Double;
use serde_json::{Value, json};

use crate::publication::NAME;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An image for one platform. A layer is a number, which gives its bytes and its instruction.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) platform: &'static str,
    pub(crate) layers: Vec<u64>,
    pub(crate) base: u64,
    pub(crate) label: u64,
    pub(crate) variable: Option<u64>,
}

impl Image {
    fn config(&self) -> Value {
        let (os, architecture) = self.platform.split_once('/').unwrap();
        let mut history = vec![json!({ "created_by": "ENV A=1", "empty_layer": true })];
        let layers = self.layers.iter();
        history.extend(layers.map(|layer| {
            json!({ "created_by": format!("RUN |1 SECRET=hunter2 /bin/sh -c make {layer} # buildkit") })
        }));
        let variable = self
            .variable
            .map(|value| format!("VARIABLE=hunter2-{value}"));
        json!({
            "os": os,
            "architecture": architecture,
            "config": {
                "Env": variable.into_iter().collect::<Vec<_>>(),
                "Labels": { "label": self.label.to_string() },
                "Entrypoint": ["/app"],
            },
            "history": history,
        })
    }

    /// Stores the image and returns its manifest.
    fn manifest(&self, double: &Double) -> Value {
        let config = self.config().to_string();
        let layers = self.layers.iter().map(|layer| {
            let bytes = layer.to_string().repeat(usize::try_from(layer * 37 % 5000 + 100).unwrap());
            let size = bytes.len();
            json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": double.put_blob(NAME, bytes), "size": size })
        });
        let layers: Vec<Value> = layers.collect();
        json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "size": config.len(),
                "digest": double.put_blob(NAME, config),
            },
            "layers": layers,
            "annotations": {
                "org.opencontainers.image.base.name": "docker.io/library/debian:13",
                "org.opencontainers.image.base.digest": format!("sha256:{:064x}", self.base),
                "org.opencontainers.image.source": "https://github.com/other/app",
            },
        })
    }
}

/// Stores the images, as an index if there are several, under the tag, and returns the digest.
pub(crate) fn put(double: &Double, tag: &str, images: &[Image]) -> String {
    if let [only] = images {
        return double.put_manifest(NAME, tag, MANIFEST, only.manifest(double).to_string());
    }
    let digests = images.iter().map(|image| {
        let manifest = image.manifest(double).to_string();
        double.put_manifest(
            NAME,
            &format!("part-{}", manifest.len()),
            MANIFEST,
            manifest,
        )
    });
    let digests: Vec<String> = digests.collect();
    let platforms = images.iter().map(|image| image.platform);
    let children: Vec<_> = platforms.zip(digests.iter().map(String::as_str)).collect();
    let source = [(
        "org.opencontainers.image.source",
        "https://github.com/other/app",
    )];
    double.put_index(NAME, tag, &children, &source)
}

/// A sequence of numbers that is the same in every run (Knuth's linear congruential generator).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Who reads the documents of an image.
pub(crate) trait Reader {
    /// A manifest or index, as it is.
    fn manifest(&self, digest: &str) -> Vec<u8>;

    /// The config of the manifest with this digest.
    fn config(&self, digest: &str) -> Vec<u8>;
}

impl Reader for &Double {
    fn manifest(&self, digest: &str) -> Vec<u8> {
        Double::manifest(self, NAME, digest).unwrap().1.into()
    }

    fn config(&self, digest: &str) -> Vec<u8> {
        let manifest = Reader::manifest(self, digest);
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let config = manifest["config"]["digest"].as_str().unwrap();
        self.blob(NAME, config).unwrap().into()
    }
}

/// Manifest and config of each platform under a digest.
fn stored(reader: &dyn Reader, digest: &str) -> BTreeMap<String, (String, Value, Value)> {
    let read = |digest: &str| -> (String, Value) {
        let bytes = reader.manifest(digest);
        (digest_of(&bytes), serde_json::from_slice(&bytes).unwrap())
    };
    let config =
        |digest: &str| -> Value { serde_json::from_slice(&reader.config(digest)).unwrap() };
    let (digest, root) = read(digest);
    let images = match root["manifests"].as_array() {
        None => vec![(digest, root)],
        Some(children) => {
            let digests = children
                .iter()
                .map(|child| child["digest"].as_str().unwrap());
            digests.map(read).collect()
        }
    };
    let named = images.into_iter().map(|(digest, manifest)| {
        let config = config(&digest);
        let [os, architecture] = ["os", "architecture"].map(|key| config[key].as_str().unwrap());
        (format!("{os}/{architecture}"), (digest, manifest, config))
    });
    named.collect()
}

fn digest_of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = "sha256:".to_owned();
    for byte in ring::digest::digest(&ring::digest::SHA256, bytes).as_ref() {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

/// Every blob of a manifest with its size.
fn blobs(manifest: &Value) -> Vec<(&str, u64)> {
    let layers = manifest["layers"].as_array().unwrap().iter();
    let blobs = [&manifest["config"]].into_iter().chain(layers);
    let pair = |blob: &'_ Value| blob["size"].as_u64().unwrap();
    blobs
        .map(|blob| (blob["digest"].as_str().unwrap(), pair(blob)))
        .collect()
}

fn side((digest, manifest, _): &(String, Value, Value)) -> Value {
    let size: u64 = blobs(manifest).iter().map(|(_, size)| size).sum();
    json!({
        "digest": digest,
        "size": size,
        "layers": manifest["layers"].as_array().unwrap().len(),
        "base-name": manifest["annotations"]["org.opencontainers.image.base.name"],
        "base-digest": manifest["annotations"]["org.opencontainers.image.base.digest"],
    })
}

/// The platforms of the output `changes`, by name.
pub(crate) fn expected(reader: &dyn Reader, before: &str, after: &str) -> BTreeMap<String, Value> {
    let (before, after) = (stored(reader, before), stored(reader, after));
    let names = before.keys().chain(after.keys());
    let change = |name: &String| {
        (
            name.clone(),
            platform(name, before.get(name), after.get(name)),
        )
    };
    names.map(change).collect()
}

type Stored = (String, Value, Value);

fn platform(name: &str, before: Option<&Stored>, after: Option<&Stored>) -> Value {
    let change = match (before, after) {
        (None, _) => "added",
        (_, None) => "removed",
        (Some(before), Some(after)) if before.0 == after.0 => "unchanged",
        _ => "changed",
    };
    let size = |side: &Value| side["size"].as_i64().unwrap();
    let (old, new) = (before.map(side), after.map(side));
    let sizes = old.as_ref().map(size).zip(new.as_ref().map(size));
    let difference = sizes.map(|(old, new)| new - old);
    let percent = sizes.map(|(old, new)| {
        let (old, new) = (
            f64::from(i32::try_from(old).unwrap()),
            f64::from(i32::try_from(new).unwrap()),
        );
        ((new - old) * 1000.0 / old).round() / 10.0
    });
    let known = before
        .map(|(_, manifest, _)| blobs(manifest))
        .unwrap_or_default();
    let mut new_blobs = after
        .map(|(_, manifest, _)| blobs(manifest))
        .unwrap_or_default();
    new_blobs.retain(|blob| !known.contains(blob));
    new_blobs.sort_unstable();
    new_blobs.dedup();
    json!({
        "platform": name,
        "change": change,
        "before": old,
        "after": new,
        "difference": difference,
        "percent": percent,
        "fetched": new_blobs.iter().map(|(_, size)| size).sum::<u64>(),
        "new-layers": after.map(|after| new_layers(after, &known)).unwrap_or_default(),
        "config": before.zip(after).map(|(before, after)| differences(before, after)).unwrap_or_default(),
    })
}

fn new_layers((_, manifest, config): &Stored, known: &[(&str, u64)]) -> Vec<Value> {
    let layers = manifest["layers"].as_array().unwrap().iter();
    let steps = config["history"].as_array().unwrap().iter();
    let steps = steps.filter(|step| step["empty_layer"] != true);
    let mut new: Vec<Value> = Vec::new();
    for (layer, step) in layers.zip(steps) {
        let digest = layer["digest"].as_str().unwrap();
        let is_new = known.iter().all(|(other, _)| *other != digest);
        if is_new && new.iter().all(|other| other["digest"] != digest) {
            let number = step["created_by"]
                .as_str()
                .unwrap()
                .split(' ')
                .nth(6)
                .unwrap();
            new.push(json!({ "digest": digest, "size": layer["size"], "instruction": format!("RUN make {number}") }));
        }
    }
    new.sort_by_key(|layer| std::cmp::Reverse(layer["size"].as_u64()));
    new
}

fn differences(before: &Stored, after: &Stored) -> Vec<Value> {
    let mut differences = Vec::new();
    let mut add = |field: &str, name: Option<&str>, shows: bool, [old, new]: [&Value; 2]| {
        let change = match (old, new) {
            _ if old == new => return,
            (Value::Null, _) => "added",
            (_, Value::Null) => "removed",
            _ => "changed",
        };
        let [old, new] = [old, new].map(|value| if shows { value.clone() } else { Value::Null });
        differences.push(
            json!({ "field": field, "name": name, "change": change, "before": old, "after": new }),
        );
    };
    let base = "org.opencontainers.image.base.digest";
    add(
        "base-digest",
        None,
        true,
        [
            &before.1["annotations"][base],
            &after.1["annotations"][base],
        ],
    );
    add(
        "env",
        Some("VARIABLE"),
        false,
        [&before.2["config"]["Env"][0], &after.2["config"]["Env"][0]],
    );
    let label = |stored: &Stored| stored.2["config"]["Labels"]["label"].clone();
    add(
        "label",
        Some("label"),
        true,
        [&label(before), &label(after)],
    );
    differences
}
