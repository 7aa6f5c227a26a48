//! What refers to a manifest: nothing that this registry tells, as GHCR, or the API of distribution 1.1.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers>

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::grant::Want;
use crate::manifests;
use crate::server::Registry;
use crate::state::{Call, State};
use crate::store::{Manifest, Store};
use crate::token::authorize;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Does the container registry have the referrers API?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referrers {
    /// No: GHCR answered `MANIFEST_UNKNOWN` in most reports of 2024 to 2026; clients keep an index under a tag.
    Absent,
    /// Yes, and `OCI-Subject` in the answer to a manifest with a subject says so.
    Api,
}

/// `GET …/referrers/<digest>`
pub(crate) fn list(state: &State, call: &Call, name: &str, subject: &str) -> Answer {
    if let Err(answer) = authorize(state, call, name, Want::Pull) {
        return answer;
    }
    if state.referrers == Referrers::Absent || call.registry == Registry::Docker {
        return manifests::unknown();
    }
    let filter = call.query("artifactType");
    let found: Vec<Value> = of(&state.store, name, subject)
        .into_iter()
        .filter(|descriptor| {
            filter.is_none_or(|kind| descriptor["artifactType"].as_str() == Some(kind))
        })
        .collect();
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": found });
    let answer = Answer::new(200)
        .header("content-type", INDEX)
        .body(index.to_string());
    match filter {
        Some(_) => answer.header("oci-filters-applied", "artifactType"),
        None => answer,
    }
}

/// The descriptors of all manifests of a name that have this subject.
fn of(store: &Store, name: &str, subject: &str) -> Vec<Value> {
    let contents = store.names.get(name);
    let manifests = contents.into_iter().flat_map(|known| &known.manifests);
    manifests
        .filter_map(|(digest, manifest)| {
            let content: Value = serde_json::from_slice(&manifest.bytes).ok()?;
            (self::subject(&content) == Some(subject))
                .then(|| descriptor(digest, manifest, &content))
        })
        .collect()
}

/// The digest of the manifest that this one refers to.
pub(crate) fn subject(content: &Value) -> Option<&str> {
    content["subject"]["digest"].as_str()
}

/// The artifact type of an image is the media type of its config; an index has none.
pub(crate) fn descriptor(digest: &str, manifest: &Manifest, content: &Value) -> Value {
    let mut descriptor = json!({
        "mediaType": manifest.media_type,
        "digest": digest,
        "size": manifest.bytes.len(),
    });
    let artifact_type = content["artifactType"]
        .as_str()
        .or(content["config"]["mediaType"].as_str());
    if let Some(artifact_type) = artifact_type {
        descriptor["artifactType"] = artifact_type.into();
    }
    if let Some(annotations) = content.get("annotations") {
        descriptor["annotations"] = annotations.clone();
    }
    descriptor
}
