//! Reads the source repository, commit and version from an image's annotations or labels
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md>).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::image::digest::Digest;
use crate::image::manifest::{Descriptor, Manifest, Origin};
use crate::registry::copy_source::CopySource;
use crate::registry::error::RegistryError;

pub(crate) const SOURCE: &str = "org.opencontainers.image.source";
pub(crate) const REVISION: &str = "org.opencontainers.image.revision";
pub(crate) const CREATED: &str = "org.opencontainers.image.created";
const VERSION: &str = "org.opencontainers.image.version";
const NO_COMMIT: &str = "its image names no commit of this repository";

/// What an image says of its source, as far as it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The image is built from this repository.
    Own {
        /// The commit; with the suffix `-dirty` when the working tree was changed.
        revision: Option<String>,
        /// The text of the first tag the image was published under.
        version: Option<String>,
    },
    /// It is not known to be of this repository; the reason completes the sentence "it moves although ...".
    Unknown(String),
}

/// The part of an image config that holds the labels
/// (<https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md>).
#[derive(Default, Deserialize)]
struct ImageConfig {
    #[serde(default)]
    config: Option<Labels>,
}

#[derive(Default, Deserialize)]
struct Labels {
    #[serde(default, rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

impl Identity {
    fn of(annotations: &BTreeMap<String, String>) -> Self {
        let revision = annotations
            .get(REVISION)
            .filter(|revision| !revision.is_empty());
        Self::Own {
            revision: revision.cloned(),
            version: annotations.get(VERSION).cloned(),
        }
    }

    /// Whether the image is built from this commit of this repository, and nothing else.
    pub(crate) fn is_of(&self, commit: &str) -> bool {
        matches!(self, Self::Own { revision: Some(revision), .. } if revision == commit)
    }

    /// The commit of this repository that the image is built from, a changed working tree included; else why
    /// that is unknown, which completes the sentence "it moves although ...".
    pub(crate) fn commit(self) -> Result<String, String> {
        match self {
            Self::Own {
                revision: Some(revision),
                ..
            } => {
                let commit = revision.strip_suffix("-dirty");
                Ok(commit.unwrap_or(&revision).to_owned())
            }
            Self::Own { revision: None, .. } => Err(NO_COMMIT.to_owned()),
            Self::Unknown(why) => Err(why),
        }
    }

    /// From annotations alone; nothing when they do not say it.
    fn of_annotations(annotations: &BTreeMap<String, String>, own: &str) -> Option<Self> {
        match annotations.get(SOURCE) {
            Some(source) if is_same_repository(source, own) => annotations
                .contains_key(REVISION)
                .then(|| Self::of(annotations)),
            Some(source) => Some(Self::Unknown(format!("its image comes from `{source}`"))),
            None => None,
        }
    }

    /// From the labels of an image config. Labels can be inherited from a base image, so those of another
    /// repository say nothing of this image.
    fn of_config(config: &[u8], own: &str) -> Self {
        let config: ImageConfig = serde_json::from_slice(config).unwrap_or_default();
        let labels = config.config.and_then(|config| config.labels);
        let own_labels = labels.filter(|labels| {
            let source = labels.get(SOURCE);
            source.is_some_and(|source| is_same_repository(source, own))
        });
        own_labels.map_or_else(Self::silent, |labels| Self::of(&labels))
    }

    fn silent() -> Self {
        Self::Unknown(NO_COMMIT.to_owned())
    }
}

impl CopySource<'_> {
    /// What the image says of its source: its annotations, else the labels of its config, since the
    /// engine's graph drivers drop annotations.
    ///
    /// `own` is the page of this repository, for example `https://github.com/acme/app`. Asks for nothing
    /// when the annotations are enough, else for one blob, and for one manifest of an index.
    pub(crate) async fn identity(
        self,
        image: &Manifest,
        own: &str,
    ) -> Result<Identity, RegistryError> {
        let origin = image.origin();
        if let Some(identity) = Identity::of_annotations(&origin.annotations, own) {
            return Ok(identity);
        }
        match self.just_pushed().config_of(&origin).await {
            Ok(Some(config)) => Ok(Identity::of_config(&config, own)),
            Ok(None) => Ok(Identity::silent()),
            // Nobody can pull an image that lacks its config, so nothing is lost when the tag moves.
            Err(RegistryError::NotFound { .. }) => Ok(Identity::Unknown(
                "its image is incomplete in the registry".to_owned(),
            )),
            Err(error) => Err(error),
        }
    }

    /// The page of the repository that the image says it is from, in its annotations or the labels of its config.
    pub(crate) async fn source_url(
        self,
        image: &Manifest,
    ) -> Result<Option<String>, RegistryError> {
        self.said(image, SOURCE).await
    }

    /// When the image says it was built, in its annotations or the labels of its config.
    pub(crate) async fn created(
        self,
        image: &Manifest,
    ) -> Result<Option<DateTime<Utc>>, RegistryError> {
        let said = self.said(image, CREATED).await?;
        let time = said.and_then(|text| DateTime::parse_from_rfc3339(&text).ok());
        Ok(time.map(|time| time.to_utc()))
    }

    /// An annotation, else the label with the same key.
    async fn said(self, image: &Manifest, key: &str) -> Result<Option<String>, RegistryError> {
        let origin = image.origin();
        if let Some(text) = origin.annotations.get(key) {
            return Ok(Some(text.clone()));
        }
        let config = self.config_of(&origin).await?.unwrap_or_default();
        let config: ImageConfig = serde_json::from_slice(&config).unwrap_or_default();
        let labels = config.config.and_then(|config| config.labels);
        Ok(labels.and_then(|labels| labels.get(key).cloned()))
    }

    /// The config of an image, or of the first platform of an index; nothing when it is no image.
    async fn config_of(self, origin: &Origin) -> Result<Option<Vec<u8>>, RegistryError> {
        let this = self.reading_once();
        let parsed = |descriptor: &Descriptor| descriptor.digest.parse::<Digest>().ok();
        let config = match origin.image.as_ref().and_then(parsed) {
            Some(child) => this.manifest(&child).await?.config_digest(),
            None => origin.config.as_ref().and_then(parsed),
        };
        match config {
            Some(config) => this.small_blob(&config).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Whether two addresses are of the same repository, with or without `.git`.
pub(crate) fn is_same_repository(source: &str, own: &str) -> bool {
    let bare = |url: &str| {
        let url = url.trim_end_matches('/');
        url.trim_end_matches(".git").to_lowercase()
    };
    bare(source) == bare(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci_layout::tests::Fixture;
    use serde_json::{Value, json};

    const OWN: &str = "https://github.com/acme/Widget";
    const FOREIGN: &str = "https://github.com/debian/base";

    fn said(source: &str, revision: &str) -> Value {
        json!({ SOURCE: source, REVISION: revision, VERSION: "1.2.3" })
    }

    fn own(revision: &str) -> Identity {
        Identity::Own {
            revision: Some(revision.to_owned()),
            version: Some("1.2.3".to_owned()),
        }
    }

    /// An image, or an index around it, with these annotations and labels.
    async fn identity(annotations: &Value, labels: &Value, is_index: bool) -> Identity {
        let fixture = Fixture::new();
        let config = json!({ "os": "linux", "config": { "Labels": labels } }).to_string();
        let config = fixture.blob(config.as_bytes());
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let image = json!({ "mediaType": media_type, "config": { "digest": config.as_str() } });
        let mut annotated = image.clone();
        annotated["annotations"] = annotations.clone();
        let root = if is_index {
            let child = fixture.manifest(media_type, &image);
            let attestation = json!({ "digest": "sha256:0", "platform": { "os": "unknown", "architecture": "unknown" } });
            let child = json!({ "digest": child.digest.as_str(), "platform": { "os": "linux", "architecture": "amd64" } });
            fixture.index(&json!({ "manifests": [attestation, child], "annotations": annotations }))
        } else {
            fixture.manifest(media_type, &annotated)
        };
        let source = CopySource::Layout(&fixture.layout);
        source.identity(&root, OWN).await.unwrap()
    }

    #[track_caller]
    fn check(annotations: &Value, labels: &Value, expected: &Identity) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        for is_index in [false, true] {
            let found = runtime.block_on(identity(annotations, labels, is_index));
            assert_eq!(&found, expected, "index: {is_index}");
        }
    }

    #[test]
    fn annotations_win_over_labels() {
        let annotations = said("https://github.com/Acme/widget.git", "abc");
        check(&annotations, &said(OWN, "def"), &own("abc"));
        let foreign = Identity::Unknown(format!("its image comes from `{FOREIGN}`"));
        check(&said(FOREIGN, "abc"), &said(OWN, "def"), &foreign);
    }

    #[test]
    fn labels_count_where_annotations_are_missing() {
        check(&json!({}), &said(OWN, "abc"), &own("abc"));
        check(&json!({ SOURCE: OWN }), &said(OWN, "abc"), &own("abc"));
    }

    #[test]
    fn labels_of_base_image_are_ignored() {
        let silent = Identity::silent();
        check(&json!({}), &said(FOREIGN, "abc"), &silent);
        check(&json!({}), &json!({ REVISION: "abc" }), &silent);
        check(&json!({}), &Value::Null, &silent);
    }

    #[test]
    fn dirty_revision_counts_as_its_commit_for_order_only() {
        for (revision, is_of) in [("abc", true), ("abc-dirty", false), ("abcd", false)] {
            let commit = own(revision).commit().unwrap();
            assert_eq!(commit == "abc", revision != "abcd");
            assert_eq!(own(revision).is_of("abc"), is_of, "{revision}");
        }
    }

    #[test]
    fn an_empty_revision_names_no_commit_and_hides_those_below() {
        let nameless = Identity::Own {
            revision: None,
            version: Some("1.2.3".to_owned()),
        };
        check(&json!({}), &said(OWN, ""), &nameless);
        check(&said(OWN, ""), &said(OWN, "abc"), &nameless);
    }
}
