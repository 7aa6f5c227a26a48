//! What an image for one platform consists of, from its manifest and config
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md>).

#[cfg(test)]
mod fixture;
mod layer;
mod settings;

#[cfg(test)]
pub(crate) use fixture::contents;
pub(crate) use layer::{Layer, one_line};

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::image::contents::layer::{Step, layers};
use crate::image::digest::Digest;
use crate::image::manifest::Content;

pub(crate) const BASE_NAME: &str = "org.opencontainers.image.base.name";
pub(crate) const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// An image for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Of the manifest.
    pub(crate) digest: Digest,
    /// Bytes of config and layers, compressed, as the manifest lists them.
    pub(crate) size: u64,
    /// Digest and size of the config.
    pub(crate) config: Option<(String, u64)>,
    /// From the base upwards.
    pub(crate) layers: Vec<Layer>,
    pub(crate) settings: BTreeMap<(Field, String), Value>,
    annotations: BTreeMap<String, String>,
}

/// What two images may differ in, besides their layers. Those from `Port` on have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    BaseName,
    BaseDigest,
    Entrypoint,
    Command,
    User,
    WorkingDirectory,
    HealthCheck,
    StopSignal,
    Port,
    Volume,
    Variable,
    Label,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A list or an object is JSON.
    Text(String),
    /// The name is everything.
    Present,
    /// Of an environment variable: compared, never shown.
    Hidden(Hidden),
}

/// A text that is compared and never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hidden(String);

/// The parts of an image config that matter here. What cannot be read counts as absent.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    config: Option<settings::Execution>,
    history: Option<Vec<Step>>,
}

impl Contents {
    /// `manifest` has the digest `digest`; `config` is the blob that it names.
    pub(crate) fn new(digest: &Digest, manifest: &Content, config: &[u8]) -> Self {
        let config: Config = serde_json::from_slice(config).unwrap_or_default();
        let history = config.history.unwrap_or_default();
        let contents = Self {
            digest: digest.clone(),
            size: manifest.size(),
            config: manifest
                .config
                .as_ref()
                .map(|it| (it.digest.clone(), it.size)),
            layers: layers(&manifest.layers, &history),
            settings: config.config.map(settings::read).unwrap_or_default(),
            annotations: manifest.annotations.clone(),
        };
        contents.with_base()
    }

    /// The same image in an index with these annotations: they count where the manifest has none.
    pub(crate) fn below(mut self, index: &BTreeMap<String, String>) -> Self {
        for (key, value) in index {
            let own = self.annotations.entry(key.clone());
            own.or_insert_with(|| value.clone());
        }
        self.with_base()
    }

    fn with_base(mut self) -> Self {
        for (field, key) in [
            (Field::BaseName, BASE_NAME),
            (Field::BaseDigest, BASE_DIGEST),
        ] {
            if let Some(text) = self.said(key).map(str::to_owned) {
                self.settings
                    .insert((field, String::new()), Value::Text(text));
            }
        }
        self
    }

    /// An annotation, else the label with the same key.
    pub(crate) fn said(&self, key: &str) -> Option<&str> {
        let annotation = self.annotations.get(key).map(String::as_str);
        annotation.or_else(
            || match self.settings.get(&(Field::Label, key.to_owned()))? {
                Value::Text(text) => Some(text),
                Value::Present | Value::Hidden(_) => None,
            },
        )
    }

    /// Digest and size of config and layers, each once.
    pub(crate) fn blobs(&self) -> BTreeMap<&str, u64> {
        let layers = self.layers.iter().map(|layer| (&layer.digest, layer.size));
        let config = self.config.iter().map(|(digest, size)| (digest, *size));
        let blobs = config.chain(layers);
        blobs
            .map(|(digest, size)| (digest.as_str(), size))
            .collect()
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Field {
    /// The name in the output `changes`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BaseName => "base-name",
            Self::BaseDigest => "base-digest",
            Self::Entrypoint => "entrypoint",
            Self::Command => "cmd",
            Self::User => "user",
            Self::WorkingDirectory => "workdir",
            Self::HealthCheck => "healthcheck",
            Self::StopSignal => "stop-signal",
            Self::Port => "port",
            Self::Volume => "volume",
            Self::Variable => "env",
            Self::Label => "label",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    #[test]
    fn layers_have_the_instructions_that_made_them() {
        let config = json!({ "history": [
            { "created_by": "ADD rootfs /" },
            { "created_by": "ENV A=1", "empty_layer": true },
            { "created_by": "RUN /bin/sh -c make # buildkit", "empty_layer": false },
        ]});
        let layers = [("sha256:a", 5), ("sha256:b", 7)];
        let instructions = |layers: &[(&str, u64)]| {
            let contents = contents(layers, &json!({}), &config);
            let layers = contents.layers.into_iter();
            layers.map(|layer| layer.instruction).collect::<Vec<_>>()
        };
        let expected = ["ADD rootfs /", "RUN make"].map(|text| Some(text.to_owned()));
        assert_eq!(instructions(&layers), expected);
        // With a history of another length, no layer has an instruction rather than a wrong one.
        assert_eq!(instructions(&layers[..1]), [None]);
    }

    #[test]
    fn annotations_of_the_manifest_win_over_the_index_and_labels() {
        let labels =
            json!({ "config": { "Labels": { BASE_NAME: "label", BASE_DIGEST: "label" } } });
        let of = |annotations: &Json, index: &[(&str, &str)]| {
            let index = index
                .iter()
                .map(|(key, value)| (key.to_string(), value.to_string()));
            let contents = contents(&[], annotations, &labels).below(&index.collect());
            [BASE_NAME, BASE_DIGEST].map(|key| contents.said(key).unwrap().to_owned())
        };
        assert_eq!(of(&json!({}), &[]), ["label", "label"]);
        assert_eq!(of(&json!({}), &[(BASE_NAME, "index")]), ["index", "label"]);
        let own = json!({ BASE_NAME: "own" });
        assert_eq!(of(&own, &[(BASE_NAME, "index")]), ["own", "label"]);
    }

    #[test]
    fn a_value_of_the_environment_is_not_printed() {
        let config = json!({ "config": { "Env": ["TOKEN=hunter2"] } });
        let contents = contents(&[], &json!({}), &config);
        let key = (Field::Variable, "TOKEN".to_owned());
        assert!(contents.settings.contains_key(&key));
        assert!(!format!("{contents:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_no_config_leaves_the_sizes() {
        for config in ["", "[]", r#"{"config": {"Env": 1}}"#, r#"{"history": {}}"#] {
            let layers = r#"{"config": {"digest": "c", "size": 3}, "layers": [{"digest": "a", "size": 5}, {"digest": "a", "size": 5}]}"#;
            let content = serde_json::from_str(layers).unwrap();
            let contents = Contents::new(&Digest::of(b""), &content, config.as_bytes());
            assert_eq!((contents.size, contents.layers.len()), (13, 2));
            assert_eq!(contents.blobs(), BTreeMap::from([("a", 5), ("c", 3)]));
            assert_eq!(contents.settings, BTreeMap::new());
        }
    }
}
