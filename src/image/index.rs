//! Assembles an index from the descriptors of its manifests
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md>).

use serde_json::{Map, Value, json};

use crate::image::manifest::Manifest;

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// The index of `manifests`, which are descriptors with all their fields. It is a list in Docker's form if all of them are
/// Docker manifests and there are no annotations, which that form does not have. The same arguments give the same bytes.
pub(crate) fn assemble(manifests: &[Value], annotations: &[(String, String)]) -> Manifest {
    let is_docker = |descriptor: &Value| descriptor["mediaType"] == DOCKER_MANIFEST;
    let media_type = match annotations.is_empty() && manifests.iter().all(is_docker) {
        true => DOCKER_LIST,
        false => OCI_INDEX,
    };
    let mut index = json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": manifests,
    });
    if !annotations.is_empty() {
        let annotations = annotations.iter();
        let annotations: Map<String, Value> = annotations
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect();
        index["annotations"] = annotations.into();
    }
    let bytes = serde_json::to_vec_pretty(&index).expect("a value of JSON has a text");
    Manifest::new(media_type, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(media_type: &str) -> Value {
        json!({
            "mediaType": media_type,
            "digest": format!("sha256:{}", "0".repeat(64)),
            "size": 7,
            "platform": { "architecture": "arm64", "os": "linux" },
        })
    }

    #[test]
    fn index_has_its_manifests_and_annotations() {
        let oci = descriptor("application/vnd.oci.image.manifest.v1+json");
        let annotations = [("a".to_owned(), "b".to_owned())];
        let index = assemble(std::slice::from_ref(&oci), &annotations);
        let content: Value = serde_json::from_slice(&index.bytes).unwrap();
        let expected = json!({
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [oci],
            "annotations": { "a": "b" },
        });
        assert_eq!((index.media_type.as_str(), content), (OCI_INDEX, expected));
    }

    #[test]
    fn docker_manifests_without_annotations_become_a_list() {
        let docker = descriptor(DOCKER_MANIFEST);
        let list = assemble(&[docker.clone(), docker.clone()], &[]);
        assert_eq!(list.media_type, DOCKER_LIST);
        let annotations = [("a".to_owned(), "b".to_owned())];
        assert_eq!(assemble(&[docker], &annotations).media_type, OCI_INDEX);
    }
}
