//! What a manifest refers to.

use serde::Deserialize;

use crate::image::digest::Digest;
use crate::image::manifest::{
    DOCKER_LIST, DOCKER_MANIFEST, Descriptor, Manifest, OCI_INDEX, OCI_MANIFEST, null_as_empty,
};
use crate::plan::part::{RECORD_ANNOTATION, RECORD_TYPE};

/// The manifest of an artifact, which a release candidate of the image specification had
/// (<https://github.com/opencontainers/image-spec/blob/v1.1.0-rc2/artifact.md>).
const ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";

/// What is known of the manifest of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Read(Links),
    /// The registry did not answer, or the manifest has an unknown form. The reason completes the sentence "it cannot
    /// be read: ...".
    Unreadable(String),
}

/// The manifests that a manifest refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// Those that it cannot do without: the entries of an index; for the record of a part, the manifests of that part.
    pub(crate) children: Vec<Child>,
    /// The image that it is about
    /// (<https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#image-manifest-property-descriptions>).
    pub(crate) subject: Option<Digest>,
    pub(crate) is_part_record: bool,
}

/// An entry of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) digest: Digest,
    /// Whether its media type says that it has no children.
    pub(crate) is_plain: bool,
}

/// The fields that matter here. The specification allows them in no other media type than those of [`Content::of`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    #[serde(default, deserialize_with = "null_as_empty")]
    manifests: Vec<Listed>,
    subject: Option<Descriptor>,
    #[serde(default)]
    artifact_type: String,
    #[serde(default)]
    annotations: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    media_type: String,
    digest: Digest,
}

#[derive(Deserialize)]
struct Record {
    manifests: Vec<Listed>,
}

impl Content {
    /// Reads the manifest that a registry has under a digest.
    pub(crate) fn of(manifest: &Manifest) -> Self {
        let media_type = manifest.media_type.split(';').next().unwrap_or_default();
        match media_type.trim() {
            OCI_INDEX | OCI_MANIFEST | DOCKER_LIST | DOCKER_MANIFEST | ARTIFACT => {
                let links = Links::parse(&manifest.bytes);
                links.map_or_else(|error| Self::Unreadable(error.to_string()), Self::Read)
            }
            other => Self::Unreadable(format!("it has the unknown media type `{other}`")),
        }
    }

    pub(crate) fn links(&self) -> Option<&Links> {
        match self {
            Self::Read(links) => Some(links),
            Self::Unreadable(_) => None,
        }
    }
}

impl Links {
    fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let fields: Fields = serde_json::from_slice(bytes)?;
        let is_part_record = fields.artifact_type == RECORD_TYPE;
        let mut children = fields.manifests;
        if is_part_record {
            let annotations = fields.annotations.unwrap_or_default();
            let record = annotations
                .get(RECORD_ANNOTATION)
                .and_then(|text| text.as_str());
            let record: Record = serde_json::from_str(record.unwrap_or_default())?;
            children.extend(record.manifests);
        }
        let subject = fields.subject.map(|subject| subject.digest.parse());
        Ok(Self {
            children: children.into_iter().map(Child::of).collect(),
            subject: subject.transpose().map_err(serde::de::Error::custom)?,
            is_part_record,
        })
    }
}

impl Child {
    fn of(listed: Listed) -> Self {
        Self {
            is_plain: matches!(
                listed.media_type.as_str(),
                OCI_MANIFEST | DOCKER_MANIFEST | ARTIFACT
            ),
            digest: listed.digest,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn content(media_type: &str, body: &Value) -> Content {
        Content::of(&Manifest::new(media_type, body.to_string().into_bytes()))
    }

    fn child(text: &str, is_plain: bool) -> Child {
        Child {
            digest: digest(text),
            is_plain,
        }
    }

    #[test]
    fn indexes_and_lists_have_children() {
        let body = json!({"schemaVersion": 2, "manifests": [
            {"mediaType": OCI_MANIFEST, "digest": digest("a"), "size": 1, "platform": {"os": "linux", "architecture": "amd64"}},
            {"mediaType": OCI_INDEX, "digest": digest("b"), "size": 1},
            {"digest": digest("c")},
            {"mediaType": DOCKER_MANIFEST, "digest": digest("d")},
        ]});
        let children = vec![
            child("a", true),
            child("b", false),
            child("c", false),
            child("d", true),
        ];
        let expected = Content::Read(Links {
            children,
            ..Links::default()
        });
        for media_type in [
            OCI_INDEX,
            DOCKER_LIST,
            "application/vnd.oci.image.index.v1+json; charset=utf-8",
        ] {
            assert_eq!(content(media_type, &body), expected);
        }
    }

    #[test]
    fn manifests_of_every_kind_may_have_a_subject() {
        let body = json!({"config": {"digest": digest("c")}, "subject": {"mediaType": OCI_INDEX, "digest": digest("s"), "size": 3}});
        let subject = Some(digest("s"));
        let expected = Content::Read(Links {
            subject,
            ..Links::default()
        });
        for media_type in [OCI_MANIFEST, OCI_INDEX, ARTIFACT] {
            assert_eq!(content(media_type, &body), expected);
        }
        assert_eq!(
            content(DOCKER_MANIFEST, &json!({})),
            Content::Read(Links::default())
        );
        let body = json!({"subject": null, "annotations": null});
        assert_eq!(
            content(OCI_MANIFEST, &body),
            Content::Read(Links::default())
        );
    }

    #[test]
    fn record_of_a_part_names_the_manifests_of_the_part() {
        let record = json!({"platform": "linux/amd64", "manifests": [{"mediaType": OCI_MANIFEST, "digest": digest("a"), "size": 1}]});
        let body = json!({"artifactType": RECORD_TYPE, "annotations": {RECORD_ANNOTATION: record.to_string()}});
        let expected = Links {
            children: vec![child("a", true)],
            subject: None,
            is_part_record: true,
        };
        assert_eq!(content(OCI_MANIFEST, &body), Content::Read(expected));
        let other = json!({"annotations": {RECORD_ANNOTATION: record.to_string()}});
        assert_eq!(
            content(OCI_MANIFEST, &other),
            Content::Read(Links::default())
        );
    }

    #[track_caller]
    fn unreadable(media_type: &str, body: &Value, reason: &str) {
        match content(media_type, body) {
            Content::Unreadable(text) => assert!(text.contains(reason), "{text}"),
            read @ Content::Read(_) => panic!("{read:?}"),
        }
    }

    #[test]
    fn what_is_not_understood_is_unreadable() {
        let unknown = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        unreadable(unknown, &json!({}), "unknown media type");
        unreadable("", &json!({}), "unknown media type");
        unreadable(OCI_INDEX, &json!([]), "invalid");
        unreadable(OCI_INDEX, &json!({"manifests": 1}), "invalid type");
        unreadable(
            OCI_INDEX,
            &json!({"manifests": [{"digest": "sha512:00"}]}),
            "not a sha256 digest",
        );
        unreadable(OCI_INDEX, &json!({"manifests": [{}]}), "missing field");
        unreadable(
            OCI_MANIFEST,
            &json!({"subject": {"digest": "x"}}),
            "not a sha256 digest",
        );
        unreadable(OCI_MANIFEST, &json!({"artifactType": RECORD_TYPE}), "EOF");
    }
}
