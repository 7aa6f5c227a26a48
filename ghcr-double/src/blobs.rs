//! Blobs: upload sessions, mounts, reads.
//!
//! The protocol: <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs>.

use hyper::Method;
use std::mem::take;

use crate::answer::Answer;
use crate::names::digest_of;
use crate::rights;
use crate::state::{Call, Delivery, State};
use crate::store::Session;
use crate::token::{Grant, Want, authorize};

/// GHCR's limit for a `PATCH` with `Content-Range`.
const CHUNK: usize = 4 * 1024 * 1024;

/// `POST …/blobs/uploads/`: a session, unless a mount makes one unnecessary. An open session makes no package.
pub(crate) fn start(state: &mut State, call: &Call, name: &str) -> Answer {
    if call.method != Method::POST {
        return Answer::unsupported();
    }
    let grant = match authorize(state, call, name, Want::Push) {
        Ok(grant) => grant,
        Err(answer) => return answer,
    };
    if let (Some(digest), Some(from)) = (call.query("mount"), call.query("from"))
        && mountable(state, &grant, from, digest)
    {
        state.store.link_blob(name, digest);
        return stored_at(name, digest);
    }
    let session = format!("00000000-0000-4000-8000-{:012x}", state.next());
    let received = Vec::new();
    let name = name.to_owned();
    let answer = progress(202, &name, &session, 0);
    state
        .store
        .sessions
        .insert(session, Session { name, received });
    answer
}

/// A mount takes what the caller may read; anything else ends in a plain session, as the specification has it.
fn mountable(state: &State, grant: &Grant, from: &str, digest: &str) -> bool {
    grant.covers(from, Want::Pull)
        && rights::read(grant.account.as_ref(), state.target(from)).is_ok()
        && state.store.has_blob(from, digest)
}

/// `PATCH`, `PUT`, `GET` and `DELETE` of a session; cancelling is not supported (GHCR, observed in August 2026).
pub(crate) fn upload(state: &mut State, call: &Call, name: &str, session: &str) -> Answer {
    if let Err(answer) = authorize(state, call, name, Want::Push) {
        return answer;
    }
    let known = state.store.sessions.get_mut(session);
    let Some(upload) = known.filter(|upload| upload.name == name) else {
        return Answer::error(
            404,
            "BLOB_UPLOAD_UNKNOWN",
            "blob upload unknown to registry",
        );
    };
    match call.method.as_str() {
        "GET" => progress(204, name, session, upload.received.len()),
        "PATCH" => {
            if let Err(answer) = check_range(call, upload.received.len()) {
                return answer;
            }
            upload.received.extend_from_slice(&call.body);
            progress(202, name, session, upload.received.len())
        }
        "PUT" => finish(state, call, name, session),
        _ => Answer::unsupported(),
    }
}

/// A body streamed without `Content-Range` may have any size, one with it 4 MiB.
fn check_range(call: &Call, received: usize) -> Result<(), Answer> {
    let Some(range) = call.header("content-range") else {
        return Ok(());
    };
    if call.body.len() > CHUNK {
        return Err(Answer::error(
            416,
            "REQUESTED_RANGE_NOT_SATISFIABLE",
            "the request body is too large and exceeds the maximum permissible limit of 4.00MiB",
        ));
    }
    let start = range.trim_start_matches("bytes ").split('-').next();
    if start.and_then(|start| start.parse().ok()) == Some(received) {
        return Ok(());
    }
    Err(Answer::error(
        416,
        "BLOB_UPLOAD_INVALID",
        "blob upload invalid",
    ))
}

fn finish(state: &mut State, call: &Call, name: &str, session: &str) -> Answer {
    let Some(digest) = call.query("digest") else {
        return Answer::error(400, "DIGEST_INVALID", "digest missing");
    };
    let mut bytes = match state.store.sessions.get_mut(session) {
        Some(upload) => take(&mut upload.received),
        None => Vec::new(),
    };
    let bytes = if bytes.is_empty() {
        call.body.clone()
    } else {
        bytes.extend_from_slice(&call.body);
        bytes.into()
    };
    state.store.sessions.remove(session);
    if digest_of(&bytes) != digest {
        return Answer::error(
            400,
            "DIGEST_INVALID",
            "provided digest did not match uploaded content",
        );
    }
    state.store.put_blob(name, bytes);
    stored_at(name, digest)
}

/// `Location` is relative, and says `upload`, not `uploads`.
fn progress(status: u16, name: &str, session: &str, received: usize) -> Answer {
    Answer::new(status)
        .header("location", format!("/v2/{name}/blobs/upload/{session}"))
        .header("docker-upload-uuid", session)
        .header("range", format!("0-{}", received.saturating_sub(1)))
}

fn stored_at(name: &str, digest: &str) -> Answer {
    Answer::new(201)
        .header("location", format!("/v2/{name}/blobs/{digest}"))
        .header("docker-content-digest", digest)
}

/// `HEAD` answers itself, `GET` sends the client to the storage.
pub(crate) fn read(state: &State, call: &Call, name: &str, digest: &str) -> Answer {
    if call.method != Method::GET && call.method != Method::HEAD {
        return Answer::unsupported();
    }
    if let Err(answer) = authorize(state, call, name, Want::Pull) {
        return answer;
    }
    let Some(bytes) = state
        .store
        .blob(digest)
        .filter(|_| state.store.has_blob(name, digest))
    else {
        return Answer::error(404, "BLOB_UNKNOWN", "blob unknown to registry");
    };
    if call.method == Method::GET && state.delivery == Delivery::Redirected {
        let location = format!("http://{}/storage/{digest}", storage_host(&call.host));
        return Answer::new(307).header("location", location);
    }
    Answer::new(200)
        .header("content-type", "application/octet-stream")
        .header("docker-content-digest", digest)
        .body(bytes.clone())
}

/// The same machine under another name, so that clients see another host.
fn storage_host(host: &str) -> String {
    host.replacen("127.0.0.1", "localhost", 1)
}

/// The storage behind the redirect. Like the one of GHCR it refuses credentials it did not give out, and serves ranges.
pub(crate) fn stored(state: &State, call: &Call, digest: &str) -> Answer {
    if call.headers.contains_key("authorization") {
        return Answer::new(400)
            .header("content-type", "application/xml")
            .body("<Error><Code>InvalidAuthenticationInfo</Code></Error>");
    }
    let Some(bytes) = state.store.blob(digest) else {
        return Answer::new(404);
    };
    let answer = Answer::new(200).header("content-type", "application/octet-stream");
    let range = call
        .header("range")
        .and_then(|text| range(text, bytes.len()));
    let Some((first, last)) = range else {
        return answer.body(bytes.clone());
    };
    Answer::new(206)
        .header(
            "content-range",
            format!("bytes {first}-{last}/{}", bytes.len()),
        )
        .body(bytes.slice(first..=last))
}

/// `bytes=<first>-[<last>]`
fn range(text: &str, length: usize) -> Option<(usize, usize)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let first = first.parse().ok()?;
    let end = length.checked_sub(1)?;
    let last = last.parse().map_or(end, |last: usize| last.min(end));
    (first <= last).then_some((first, last))
}
