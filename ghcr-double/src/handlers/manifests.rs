//! Manifests: put by digest or tag, read back, and the package that the first one creates.
//!
//! The protocol: <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests>.

use serde_json::Value;

use super::auth::authorize;
use crate::github::account::Want;
use crate::github::account::{Account, Kind};
use crate::github::package::{Package, Visibility};
use crate::http::request::Call;
use crate::http::response::Answer;
use crate::reference::{digest_of, is_digest, is_tag};
use crate::state::{Conditions, Referrers, State};
use crate::store::Manifest;

const LIMIT: usize = 4 * 1024 * 1024;

pub(crate) fn answer(state: &mut State, call: &Call, name: &str, reference: &str) -> Answer {
    match call.method.as_str() {
        "GET" | "HEAD" => read(state, call, name, reference),
        "PUT" => put(state, call, name, reference),
        _ => Answer::unsupported(),
    }
}

pub(crate) fn read(state: &State, call: &Call, name: &str, reference: &str) -> Answer {
    if let Err(answer) = authorize(state, call, name, Want::Pull) {
        return answer;
    }
    if !state.is_known(call.registry, name) {
        return Answer::name_unknown();
    }
    let found = if call.stale {
        state.store.previous(name, reference)
    } else {
        state.store.manifest(name, reference)
    };
    let Some((digest, manifest)) = found else {
        return Answer::manifest_unknown();
    };
    Answer::new(200)
        .header("content-type", manifest.media_type.as_str())
        .header("docker-content-digest", digest)
        .header("etag", state.conditions.etag(digest))
        .body(manifest.bytes.clone())
}

/// `OCI-Subject` only with the referrers API; `?tag=` is ignored: GHCR knows neither.
fn put(state: &mut State, call: &Call, name: &str, reference: &str) -> Answer {
    let grant = match authorize(state, call, name, Want::Push) {
        Ok(grant) => grant,
        Err(answer) => return answer,
    };
    let (manifest, content) = match check(state, call, name, reference) {
        Ok(checked) => checked,
        Err(answer) => return answer,
    };
    if let Err(answer) = check_condition(state, call, name, reference) {
        return answer;
    }
    if let Some(account) = grant.account.filter(|_| !state.packages.contains_key(name)) {
        let package = created(state, call, &account, &content);
        state.packages.insert(name.to_owned(), package);
    }
    let digest = state.store.put_manifest(name, reference, manifest);
    let answer = Answer::new(201)
        .header("location", format!("/v2/{name}/manifests/{digest}"))
        .header("docker-content-digest", digest);
    match subject_of(&content).filter(|_| state.referrers == Referrers::Api) {
        Some(subject) => answer.header("oci-subject", subject),
        None => answer,
    }
}

pub(crate) fn check(
    state: &State,
    call: &Call,
    name: &str,
    reference: &str,
) -> Result<(Manifest, Value), Answer> {
    if call.body.len() > LIMIT {
        return Err(Answer::error(413, "MANIFEST_INVALID", "manifest too large"));
    }
    let invalid = || Answer::error(400, "MANIFEST_INVALID", "manifest invalid");
    let content: Value = serde_json::from_slice(&call.body).map_err(|_syntax| invalid())?;
    if !content.is_object() {
        return Err(invalid());
    }
    if is_digest(reference) && digest_of(&call.body) != reference {
        let message = "provided digest did not match uploaded content";
        return Err(Answer::error(400, "DIGEST_INVALID", message));
    }
    if !is_digest(reference) && !is_tag(reference) {
        return Err(Answer::error(
            400,
            "TAG_INVALID",
            "manifest tag did not match URI",
        ));
    }
    check_children(state, name, &content)?;
    let media_type = call
        .header("content-type")
        .or(content["mediaType"].as_str())
        .ok_or_else(invalid)?
        .to_owned();
    let bytes = call.body.clone();
    Ok((Manifest { media_type, bytes }, content))
}

/// Everything a manifest names must be there first, except layers that live elsewhere.
fn check_children(state: &State, name: &str, content: &Value) -> Result<(), Answer> {
    let descriptors = |key: &str| content[key].as_array().into_iter().flatten();
    let digest = |descriptor: &Value| descriptor["digest"].as_str().unwrap_or_default().to_owned();
    if descriptors("manifests").any(|child| state.store.manifest(name, &digest(child)).is_none()) {
        return Err(Answer::manifest_unknown());
    }
    let config = content.get("config");
    let mut blobs = config
        .into_iter()
        .chain(descriptors("layers").filter(|layer| layer.get("urls").is_none()));
    if blobs.any(|blob| !state.store.has_blob(name, &digest(blob))) {
        let message = "manifest blob unknown to registry";
        return Err(Answer::error(400, "MANIFEST_BLOB_UNKNOWN", message));
    }
    Ok(())
}

/// The package of a first push. One by a workflow belongs to its repository and is as visible; one by a person is
/// private, and linked only when the manifest names a repository as its source.
fn created(state: &State, call: &Call, account: &Account, content: &Value) -> Package {
    let Kind::Workflow { repository } = &account.kind else {
        let package = Package::unlinked();
        return match source(state, call, content) {
            Some(repository) => package.linked(&repository),
            None => package,
        };
    };
    let visibility = state
        .repository(repository)
        .map_or(Visibility::Private, |known| known.visibility);
    Package::of(repository).visibility(visibility)
}

/// The repository in `org.opencontainers.image.source`: on an index only its annotations are read.
fn source(state: &State, call: &Call, content: &Value) -> Option<String> {
    const KEY: &str = "org.opencontainers.image.source";
    let label = || {
        let digest = content["config"]["digest"].as_str()?;
        let config: Value = serde_json::from_slice(state.store.blob(digest)?).ok()?;
        config["config"]["Labels"][KEY].as_str().map(str::to_owned)
    };
    let annotation = content["annotations"][KEY].as_str().map(str::to_owned);
    let url = annotation.or_else(label)?;
    state.server.repository_of(&url, &call.host)
}

/// Whether the condition of the request holds for what the tag holds now.
fn check_condition(state: &State, call: &Call, name: &str, reference: &str) -> Result<(), Answer> {
    let Some(wanted) = call.header("if-match") else {
        return Ok(());
    };
    let now = state.store.manifest(name, reference);
    let holds = match state.conditions {
        Conditions::Ignored => true,
        Conditions::Honoured => {
            now.is_some_and(|(digest, _)| state.conditions.etag(digest) == wanted)
        }
        Conditions::Weak => false,
    };
    if holds {
        return Ok(());
    }
    let message = "the manifest has changed";
    Err(Answer::error(412, "PRECONDITION_FAILED", message))
}

/// The digest of the manifest that this one refers to.
pub(crate) fn subject_of(content: &Value) -> Option<&str> {
    content["subject"]["digest"].as_str()
}
