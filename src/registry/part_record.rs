//! The record of a part: which manifests one job of a run pushed for one platform of an image.
//!
//! A record is a manifest without content under a tag of its own. Its facts are one annotation. It has no `subject` and
//! no children, so deleting it takes nothing along.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::platform::is_same;
use crate::image::tag::Tag;
use crate::plan::part::{RECORD_ANNOTATION as ANNOTATION, RECORD_TYPE as TYPE};
use crate::registry::Repository;
use crate::registry::artifact::{EMPTY, EMPTY_BYTES, MANIFEST};
use crate::registry::error::RegistryError;

/// What BuildKit's attestation manifests say of the image they are about
/// (<https://github.com/moby/buildkit/blob/v0.25.0/docs/attestations/attestation-storage.md>).
const REFERENCE: &str = "vnd.docker.reference.digest";

/// What a job pushed for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartRecord {
    /// For example `linux/arm/v7`.
    pub(crate) platform: String,
    /// `GITHUB_RUN_ID`
    pub(crate) run: String,
    pub(crate) attempt: u32,
    /// What the label `revision` of the image says.
    pub(crate) commit: String,
    /// When the job began to publish.
    pub(crate) created: DateTime<Utc>,
    /// The digits of each input that tells one image of a run from another.
    pub(crate) rules: BTreeMap<String, String>,
    /// The digits of the tags that were planned at `created`.
    pub(crate) tags: String,
    /// The descriptors of the image and of its attestation manifests, as an index has them.
    pub(crate) manifests: Vec<Value>,
    /// The digest of the record itself; unknown before it is written.
    #[serde(skip)]
    pub(crate) digest: Option<Digest>,
}

/// What a tag for a record shows.
#[derive(Clone, Debug)]
pub(crate) enum FoundRecord {
    Part(PartRecord),
    /// Not a record; the reason completes the sentence "it is ignored, because ...".
    Other(String),
}

impl PartRecord {
    /// The digests of its manifests, the image first; fails with the one that is malformed.
    pub(crate) fn digests(&self) -> Result<Vec<Digest>, String> {
        let digest = |descriptor: &Value| {
            let text = descriptor["digest"].as_str().unwrap_or_default();
            text.parse().map_err(|_malformed| text.to_owned())
        };
        self.manifests.iter().map(digest).collect()
    }

    fn to_manifest(&self) -> Manifest {
        let empty = json!({
            "mediaType": EMPTY,
            "digest": Digest::of(EMPTY_BYTES).as_str(),
            "size": EMPTY_BYTES.len(),
        });
        let record = serde_json::to_string(self).expect("a record has text keys only");
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": TYPE,
            "config": empty,
            "layers": [empty],
            "annotations": {
                "org.opencontainers.image.created": self.created,
                ANNOTATION: record,
            },
        });
        Manifest::new(MANIFEST, manifest.to_string().into_bytes())
    }
}

impl FoundRecord {
    fn of(manifest: &Manifest) -> Self {
        let content: Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
        if content["artifactType"] != TYPE {
            return Self::Other("it is an image, and not the record of a part".to_owned());
        }
        let record = content["annotations"][ANNOTATION].as_str();
        match serde_json::from_str::<PartRecord>(record.unwrap_or_default()) {
            Ok(record) if record.manifests.is_empty() => Self::Other("it names no image".into()),
            Ok(record) => Self::Part(PartRecord {
                digest: Some(manifest.digest.clone()),
                ..record
            }),
            Err(error) => Self::Other(format!("it cannot be read: {error}")),
        }
    }
}

impl Repository<'_> {
    /// Lets `tag` show the record; gives its digest. Fails if the request is refused or is not answered until the deadline.
    pub(crate) async fn put_record(
        self,
        record: &PartRecord,
        tag: &Tag,
    ) -> Result<Digest, RegistryError> {
        self.place_bytes(EMPTY_BYTES).await?;
        let manifest = record.to_manifest();
        self.put(&manifest, tag).await?;
        Ok(manifest.digest)
    }

    /// Whether the registry has a manifest.
    pub(crate) async fn has_manifest(self, digest: &Digest) -> Result<bool, RegistryError> {
        match self.manifest(digest).await {
            Ok(_) => Ok(true),
            Err(RegistryError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the tag of a record shows; none if it does not exist.
    pub(crate) async fn record(self, tag: &Tag) -> Result<Option<FoundRecord>, RegistryError> {
        let shown = self.manifest_of(tag).await?;
        Ok(shown.as_ref().map(FoundRecord::of))
    }

    /// Writes the index of an image whose manifests are all there, without a tag. Fails with the first of `manifests` that
    /// is not: registries accept an index whose children are absent.
    pub(crate) async fn put_index(
        self,
        index: &Manifest,
        manifests: &[Digest],
    ) -> Result<(), RegistryError> {
        for digest in manifests {
            self.just_pushed().manifest(digest).await?;
        }
        self.put_by_digest(index).await.map(drop)
    }
}

/// The descriptors of the image for `platform` and of its attestation manifests in what was pushed as `root`; empty if it
/// has none.
pub(crate) fn manifests_for(root: &Manifest, platform: &str) -> Vec<Value> {
    let content: Value = serde_json::from_slice(&root.bytes).unwrap_or_default();
    let Some(children) = content["manifests"].as_array() else {
        return vec![json!({
            "mediaType": root.media_type,
            "digest": root.digest.as_str(),
            "size": root.bytes.len(),
            "platform": platform_object(platform),
        })];
    };
    let is_image = |child: &&Value| child["annotations"][REFERENCE].is_null();
    let is_it = |child: &&Value| is_same(&platform_name(&child["platform"]), platform);
    let Some(image) = children.iter().filter(is_image).find(is_it) else {
        return Vec::new();
    };
    let is_about_it = |child: &&Value| child["annotations"][REFERENCE] == image["digest"];
    let attestations = children.iter().filter(is_about_it);
    std::iter::once(image)
        .chain(attestations)
        .cloned()
        .collect()
}

fn platform_name(platform: &Value) -> String {
    let parts = ["os", "architecture", "variant"].map(|key| platform[key].as_str());
    let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("/")
}

fn platform_object(platform: &str) -> Value {
    let mut parts = platform.split('/');
    let keys = ["os", "architecture", "variant"];
    let object = keys
        .iter()
        .map_while(|key| Some(((*key).to_owned(), json!(parts.next()?))));
    object.collect::<Map<_, _>>().into()
}
