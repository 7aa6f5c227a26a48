//! The manifests of the older GitHub Docker registry, which GHES still has: one platform, read by tag only.
//!
//! <https://docs.github.com/en/enterprise-server/packages/working-with-a-github-packages-registry/working-with-the-docker-registry>

use serde_json::Value;

use super::auth::authorize;
use super::manifests;
use crate::github::Registry;
use crate::github::account::Action;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::reference::is_digest;
use crate::state::{ContentDigest, State};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

pub(crate) fn handle(
    state: &mut State,
    request: &Request,
    name: &str,
    reference: &str,
) -> Result<Response, Response> {
    match request.method.as_str() {
        "GET" | "HEAD" => read(state, request, name, reference),
        "PUT" => put(state, request, name, reference),
        _ => Err(Response::unsupported()),
    }
}

/// A digest is unknown even if the manifest exists.
fn read(
    state: &State,
    request: &Request,
    name: &str,
    reference: &str,
) -> Result<Response, Response> {
    if !is_digest(reference) {
        return manifests::read(state, request, name, reference);
    }
    authorize(state, request, name, Action::Pull)?;
    Err(Response::manifest_unknown())
}

fn put(
    state: &mut State,
    request: &Request,
    name: &str,
    reference: &str,
) -> Result<Response, Response> {
    authorize(state, request, name, Action::Push)?;
    if is_digest(reference) {
        return Err(Response::unsupported());
    }
    check_media_types(request)?;
    let (manifest, _) = manifests::check(state, request, name, reference)?;
    let digest = state.store.put_manifest(name, reference, manifest);
    Ok(Response::new(201)
        .header("location", format!("/v2/{name}/manifests/{reference}"))
        .header("docker-content-digest", digest))
}

/// Accepts only an image of one platform in Docker's media types, with all its layers in this registry.
fn check_media_types(request: &Request) -> Result<(), Response> {
    let invalid = |message| Response::error(400, "MANIFEST_INVALID", message);
    let content: Value =
        serde_json::from_slice(&request.body).map_err(|_syntax| invalid("manifest invalid"))?;
    let media_types = [
        request.header("content-type"),
        content["mediaType"].as_str(),
    ];
    if media_types.into_iter().flatten().any(|it| it != MANIFEST) {
        return Err(invalid("manifest media type is not supported"));
    }
    let layers = content["layers"].as_array().into_iter().flatten();
    for descriptor in layers.chain(content.get("config")) {
        let media_type = descriptor["mediaType"].as_str().unwrap_or_default();
        if descriptor.get("urls").is_some() || media_type.contains(".foreign.") {
            return Err(invalid("foreign layers are not supported"));
        }
        if media_type.starts_with("application/vnd.oci.") {
            return Err(invalid("blob media type is not supported"));
        }
    }
    Ok(())
}

/// Sets `Docker-Content-Digest` in a response of the older registry as its [`ContentDigest`] says.
pub(crate) fn replace_digest(state: &State, request: &Request, mut response: Response) -> Response {
    const HEADER: &str = "docker-content-digest";
    if request.registry == Registry::Container || state.content_digest == ContentDigest::Correct {
        return response;
    }
    response.remove_header("etag");
    let digest = response.take_header(HEADER);
    if let (Some(digest), ContentDigest::Odd) = (digest, state.content_digest) {
        response.set_header(HEADER, digest.trim_start_matches("sha256:"));
    }
    response
}
