//! Images for tests.

use serde_json::{Value, json};

use crate::image::contents::Contents;
use crate::image::digest::Digest;

/// An image of these layers (digest, size), with a config of 10 bytes.
pub(crate) fn contents(layers: &[(&str, u64)], annotations: &Value, config: &Value) -> Contents {
    let layer = |(digest, size): &(&str, u64)| json!({ "digest": digest, "size": size });
    let layers: Vec<Value> = layers.iter().map(layer).collect();
    let config = config.to_string();
    let config_digest = Digest::of(config.as_bytes());
    let manifest = json!({
        "config": { "digest": config_digest.as_str(), "size": 10 },
        "layers": layers,
        "annotations": annotations,
    });
    let manifest = manifest.to_string();
    let content = serde_json::from_str(&manifest).unwrap();
    Contents::new(
        &Digest::of(manifest.as_bytes()),
        &content,
        config.as_bytes(),
    )
}
