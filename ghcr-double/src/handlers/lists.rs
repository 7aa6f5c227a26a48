//! What refers to a manifest: nothing that this registry tells, as GHCR, or the API of distribution 1.1.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers>

use serde_json::{Value, json};

use super::auth::authorize;
use super::manifests::subject_of;
use crate::github::Registry;
use crate::github::account::Want;
use crate::http::request::Call;
use crate::http::response::Answer;
use crate::state::{Referrers, State};
use crate::store::Store;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// `GET …/tags/list`, with GHCR's pages of 100, or up to 1000 on request.
pub(crate) fn tags(state: &State, call: &Call, name: &str) -> Answer {
    if call.method != hyper::Method::GET {
        return Answer::unsupported();
    }
    if let Err(answer) = authorize(state, call, name, Want::Pull) {
        return answer;
    }
    let contents = state.store.names.get(name);
    let Some(contents) = contents.filter(|_| state.is_known(call.registry, name)) else {
        return Answer::name_unknown();
    };
    let asked = call.query("n").and_then(|n| n.parse().ok());
    let size = asked.unwrap_or(100).clamp(1, 1000);
    let last = call.query("last").unwrap_or_default();
    let rest: Vec<&String> = contents
        .tags
        .keys()
        .filter(|tag| tag.as_str() > last)
        .collect();
    let page = rest.get(..size).unwrap_or(&rest);
    let answer = Answer::json(200, &json!({ "name": name, "tags": page }));
    match page.last() {
        Some(last) if page.len() < rest.len() => {
            let link = format!(r#"</v2/{name}/tags/list?last={last}&n={size}>; rel="next""#);
            answer.header("link", link)
        }
        _ => answer,
    }
}

/// `GET …/referrers/<digest>`
pub(crate) fn referrers(state: &State, call: &Call, name: &str, subject: &str) -> Answer {
    if let Err(answer) = authorize(state, call, name, Want::Pull) {
        return answer;
    }
    if state.referrers == Referrers::Absent || call.registry == Registry::Docker {
        return Answer::manifest_unknown();
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
            (subject_of(&content) == Some(subject)).then(|| manifest.descriptor(digest, &content))
        })
        .collect()
}
