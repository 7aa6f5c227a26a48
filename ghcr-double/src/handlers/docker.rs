//! The older GitHub Docker registry, as GHES still has it: images of a repository, one platform, tags only.
//!
//! <https://docs.github.com/en/enterprise-server/packages/working-with-a-github-packages-registry/working-with-the-docker-registry>

use serde_json::Value;

use super::auth::authorize;
use super::manifests;
use crate::github::Registry;
use crate::github::account::Want;
use crate::http::request::Call;
use crate::http::response::Answer;
use crate::reference::is_digest;
use crate::state::{ContentDigest, State};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

pub(crate) fn manifest(state: &mut State, call: &Call, name: &str, reference: &str) -> Answer {
    let answer = match call.method.as_str() {
        "GET" | "HEAD" => read(state, call, name, reference),
        "PUT" => put(state, call, name, reference),
        _ => Answer::unsupported(),
    };
    with_digest(state, call, answer)
}

/// Only a tag leads to an image.
fn read(state: &State, call: &Call, name: &str, reference: &str) -> Answer {
    if !is_digest(reference) {
        return manifests::read(state, call, name, reference);
    }
    authorize(state, call, name, Want::Pull)
        .err()
        .unwrap_or_else(Answer::manifest_unknown)
}

fn put(state: &mut State, call: &Call, name: &str, reference: &str) -> Answer {
    if let Err(answer) = authorize(state, call, name, Want::Push) {
        return answer;
    }
    if is_digest(reference) {
        return Answer::unsupported();
    }
    match check_kind(call).and_then(|()| manifests::check(state, call, name, reference)) {
        Ok((manifest, _)) => {
            let digest = state.store.put_manifest(name, reference, manifest);
            Answer::new(201)
                .header("location", format!("/v2/{name}/manifests/{reference}"))
                .header("docker-content-digest", digest)
        }
        Err(answer) => answer,
    }
}

/// An image of one platform in Docker's own media types, with all its layers in this registry.
fn check_kind(call: &Call) -> Result<(), Answer> {
    let invalid = |message| Answer::error(400, "MANIFEST_INVALID", message);
    let content: Value =
        serde_json::from_slice(&call.body).map_err(|_syntax| invalid("manifest invalid"))?;
    let stated = [call.header("content-type"), content["mediaType"].as_str()];
    if stated
        .into_iter()
        .flatten()
        .any(|stated| stated != MANIFEST)
    {
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

/// Spoils the digest in an answer of the older registry as it was told to.
pub(crate) fn with_digest(state: &State, call: &Call, mut answer: Answer) -> Answer {
    const HEADER: &str = "docker-content-digest";
    if call.registry == Registry::Container || state.content_digest == ContentDigest::Correct {
        return answer;
    }
    answer.remove_header("etag");
    let digest = answer.take_header(HEADER);
    if let (Some(digest), ContentDigest::Odd) = (digest, state.content_digest) {
        answer.set_header(HEADER, digest.trim_start_matches("sha256:"));
    }
    answer
}
