//! Manifests: pushes by digest or tag, which create the package, and reads.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests>

use serde_json::Value;

use super::auth::authorize;
use crate::github::account::{Account, Action, TokenKind};
use crate::github::package::Package;
use crate::http::request::{Request, View};
use crate::http::response::Response;
use crate::reference::{digest_of, is_digest, is_tag};
use crate::state::{Conditions, Deletes, Referrers, State};
use crate::store::Manifest;

const MAX_BYTES: usize = 4 * 1024 * 1024;

pub(crate) fn handle(
    state: &mut State,
    request: &Request,
    name: &str,
    reference: &str,
) -> Result<Response, Response> {
    match request.method.as_str() {
        "GET" | "HEAD" => read(state, request, name, reference),
        "PUT" => put(state, request, name, reference),
        "DELETE" if state.deletes == Deletes::ByDigest => delete(state, request, name, reference),
        _ => Err(Response::unsupported()),
    }
}

pub(crate) fn read(
    state: &State,
    request: &Request,
    name: &str,
    reference: &str,
) -> Result<Response, Response> {
    authorize(state, request, name, Action::Pull)?;
    if !state.is_known(request.registry, name) {
        return Err(Response::name_unknown());
    }
    let found = if request.view == View::Stale {
        state.store.previous(name, reference)
    } else {
        state.store.manifest(name, reference)
    };
    let Some((digest, manifest)) = found else {
        return Err(Response::manifest_unknown());
    };
    Ok(Response::new(200)
        .header("content-type", manifest.media_type.as_str())
        .header("docker-content-digest", digest)
        .header("etag", state.conditions.etag(digest))
        .body(manifest.bytes.clone()))
}

/// Responds with `OCI-Subject` only if the registry has the referrers API, and ignores `?tag=`: GHCR supports neither.
fn put(
    state: &mut State,
    request: &Request,
    name: &str,
    reference: &str,
) -> Result<Response, Response> {
    let grant = authorize(state, request, name, Action::Push)?;
    let (manifest, content) = check(state, request, name, reference)?;
    check_condition(state, request, name, reference)?;
    if let Some(account) = grant.account.filter(|_| !state.packages.contains_key(name)) {
        let package = new_package(state, request, &account, &content);
        state.packages.insert(name.to_owned(), package);
    }
    let digest = state.store.put_manifest(name, reference, manifest);
    let response = Response::new(201)
        .header("location", format!("/v2/{name}/manifests/{digest}"))
        .header("docker-content-digest", digest);
    Ok(
        match subject_of(&content).filter(|_| state.referrers == Referrers::Api) {
            Some(subject) => response.header("oci-subject", subject),
            None => response,
        },
    )
}

/// Tags cannot be deleted.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#deleting-manifests>
fn delete(
    state: &mut State,
    request: &Request,
    name: &str,
    digest: &str,
) -> Result<Response, Response> {
    authorize(state, request, name, Action::Delete)?;
    if !is_digest(digest) {
        return Err(Response::unsupported());
    }
    if state.store.delete(name, digest) {
        Ok(Response::new(202))
    } else if state.is_known(request.registry, name) {
        Err(Response::manifest_unknown())
    } else {
        Err(Response::name_unknown())
    }
}

/// The pushed manifest, checked, and its parsed content.
pub(crate) fn check(
    state: &State,
    request: &Request,
    name: &str,
    reference: &str,
) -> Result<(Manifest, Value), Response> {
    if request.body.len() > MAX_BYTES {
        return Err(Response::error(
            413,
            "MANIFEST_INVALID",
            "manifest too large",
        ));
    }
    let invalid = || Response::error(400, "MANIFEST_INVALID", "manifest invalid");
    let content: Value = serde_json::from_slice(&request.body).map_err(|_syntax| invalid())?;
    if !content.is_object() {
        return Err(invalid());
    }
    if is_digest(reference) && digest_of(&request.body) != reference {
        let message = "provided digest did not match uploaded content";
        return Err(Response::error(400, "DIGEST_INVALID", message));
    }
    if !is_digest(reference) && !is_tag(reference) {
        let message = "manifest tag did not match URI";
        return Err(Response::error(400, "TAG_INVALID", message));
    }
    check_children(state, name, &content)?;
    let media_type = request
        .header("content-type")
        .or(content["mediaType"].as_str())
        .ok_or_else(invalid)?
        .to_owned();
    let bytes = request.body.clone();
    Ok((Manifest { media_type, bytes }, content))
}

/// Checks that everything a manifest refers to was pushed before it, except layers with `urls`.
fn check_children(state: &State, name: &str, content: &Value) -> Result<(), Response> {
    let descriptors = |key: &str| content[key].as_array().into_iter().flatten();
    let digest = |descriptor: &Value| descriptor["digest"].as_str().unwrap_or_default().to_owned();
    if descriptors("manifests").any(|child| state.store.manifest(name, &digest(child)).is_none()) {
        return Err(Response::manifest_unknown());
    }
    let config = content.get("config");
    let mut blobs = config
        .into_iter()
        .chain(descriptors("layers").filter(|layer| layer.get("urls").is_none()));
    if blobs.any(|blob| !state.store.has_blob(name, &digest(blob))) {
        let message = "manifest blob unknown to registry";
        return Err(Response::error(400, "MANIFEST_BLOB_UNKNOWN", message));
    }
    Ok(())
}

/// Compares `If-Match` with the current manifest (<https://www.rfc-editor.org/rfc/rfc9110#field.if-match>), and requires
/// that there is none with `If-None-Match: *` (<https://www.rfc-editor.org/rfc/rfc9110#field.if-none-match>).
fn check_condition(
    state: &State,
    request: &Request,
    name: &str,
    reference: &str,
) -> Result<(), Response> {
    let current = state.store.manifest(name, reference);
    let is_refused = current.is_some() && state.conditions != Conditions::Ignored;
    if request.header("if-none-match") == Some("*") && is_refused {
        let message = "the manifest exists";
        return Err(Response::error(412, "PRECONDITION_FAILED", message));
    }
    let Some(expected) = request.header("if-match") else {
        return Ok(());
    };
    let holds = match state.conditions {
        Conditions::Ignored => true,
        Conditions::Honoured => {
            current.is_some_and(|(digest, _)| state.conditions.etag(digest) == expected)
        }
        Conditions::Weak => false,
    };
    if holds {
        return Ok(());
    }
    let message = "the manifest has changed";
    Err(Response::error(412, "PRECONDITION_FAILED", message))
}

/// The package that the first push creates. For a workflow it is linked to the repository and has its visibility; for a
/// personal token it is private, and linked only if the manifest names a repository as its source.
fn new_package(state: &State, request: &Request, account: &Account, content: &Value) -> Package {
    let TokenKind::Workflow { repository } = &account.kind else {
        let package = Package::unlinked();
        return match source(state, request, content) {
            Some(repository) => package.linked(&repository),
            None => package,
        };
    };
    state.package_of(repository)
}

/// The repository in the annotation or label `org.opencontainers.image.source`. An index has only annotations.
fn source(state: &State, request: &Request, content: &Value) -> Option<String> {
    const KEY: &str = "org.opencontainers.image.source";
    let label = || {
        let digest = content["config"]["digest"].as_str()?;
        let config: Value = serde_json::from_slice(state.store.blob(digest)?).ok()?;
        config["config"]["Labels"][KEY].as_str().map(str::to_owned)
    };
    let annotation = content["annotations"][KEY].as_str().map(str::to_owned);
    let url = annotation.or_else(label)?;
    state.server.repository_of(&url, &request.host)
}

/// The digest of the manifest that this one has as its subject.
pub(crate) fn subject_of(content: &Value) -> Option<&str> {
    content["subject"]["digest"].as_str()
}
