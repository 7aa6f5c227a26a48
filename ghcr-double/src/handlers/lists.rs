//! The lists of tags and of referrers.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers>

use serde_json::{Value, json};

use super::auth::authorize;
use super::manifests::subject_of;
use crate::github::Registry;
use crate::github::account::Action;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::state::{Referrers, State};
use crate::store::Store;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// `GET …/tags/list`. As in GHCR, a page has 100 tags, or up to 1000 if the client asks for them.
pub(crate) fn tags(state: &State, request: &Request, name: &str) -> Result<Response, Response> {
    if request.method != hyper::Method::GET {
        return Err(Response::unsupported());
    }
    authorize(state, request, name, Action::Pull)?;
    let contents = state.store.names.get(name);
    let Some(contents) = contents.filter(|_| state.is_known(request.registry, name)) else {
        return Err(Response::name_unknown());
    };
    let requested = request.query("n").and_then(|n| n.parse().ok());
    let size = requested.unwrap_or(100).clamp(1, 1000);
    let last = request.query("last").unwrap_or_default();
    let rest: Vec<&String> = contents
        .tags
        .keys()
        .filter(|tag| tag.as_str() > last)
        .collect();
    let page = rest.get(..size).unwrap_or(&rest);
    let response = Response::json(200, &json!({ "name": name, "tags": page }));
    Ok(match page.last() {
        Some(last) if page.len() < rest.len() => {
            let link = format!(r#"</v2/{name}/tags/list?last={last}&n={size}>; rel="next""#);
            response.header("link", link)
        }
        _ => response,
    })
}

/// How many referrers a page has.
const REFERRERS: usize = 100;

/// `GET …/referrers/<digest>`, in pages.
pub(crate) fn referrers(
    state: &State,
    request: &Request,
    name: &str,
    subject: &str,
) -> Result<Response, Response> {
    authorize(state, request, name, Action::Pull)?;
    if state.referrers == Referrers::Absent || request.registry == Registry::Docker {
        return Err(Response::manifest_unknown());
    }
    let filter = request.query("artifactType");
    let found: Vec<Value> = with_subject(&state.store, name, subject)
        .into_iter()
        .filter(|descriptor| {
            filter.is_none_or(|kind| descriptor["artifactType"].as_str() == Some(kind))
        })
        .collect();
    let start = request.query("start").and_then(|start| start.parse().ok());
    let rest = found.get(start.unwrap_or(0)..).unwrap_or_default();
    let page = rest.get(..REFERRERS).unwrap_or(rest);
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": page });
    let response = Response::new(200)
        .header("content-type", INDEX)
        .body(index.to_string());
    let response = match rest.len() > page.len() {
        true => {
            let next = found.len() - rest.len() + page.len();
            let link = format!(r#"</v2/{name}/referrers/{subject}?start={next}>; rel="next""#);
            response.header("link", link)
        }
        false => response,
    };
    Ok(match filter {
        Some(_) => response.header("oci-filters-applied", "artifactType"),
        None => response,
    })
}

/// The descriptors of all manifests of a repository name that have this subject.
fn with_subject(store: &Store, name: &str, subject: &str) -> Vec<Value> {
    let contents = store.names.get(name);
    let manifests = contents.into_iter().flat_map(|known| &known.manifests);
    manifests
        .filter_map(|(digest, manifest)| {
            let content: Value = serde_json::from_slice(&manifest.bytes).ok()?;
            (subject_of(&content) == Some(subject)).then(|| manifest.descriptor(digest, &content))
        })
        .collect()
}
