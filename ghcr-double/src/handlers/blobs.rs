//! Blobs: upload sessions, mounts, reads.
//!
//! The protocol: <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs>.

use hyper::Method;

use super::auth::authorize;
use crate::github::account::{Grant, Want};
use crate::github::permissions;
use crate::github::{Registry, Server};
use crate::http::request::Call;
use crate::http::response::Answer;
use crate::reference::digest_of;
use crate::state::{Delivery, State};
use crate::store::Session;

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
        && call.registry == Registry::Container
        && mountable(state, &grant, from, digest)
    {
        state.store.link_blob(name, digest);
        return stored_at(name, digest);
    }
    let session = format!("00000000-0000-4000-8000-{:012x}", state.next());
    let answer = progress(202, name, &session, 0);
    let sessions = &mut state.store.sessions;
    sessions.insert(session, Session::new(name));
    answer
}

/// A mount takes what the caller may read; anything else ends in a plain session, as the specification has it.
fn mountable(state: &State, grant: &Grant, from: &str, digest: &str) -> bool {
    grant.covers(from, Want::Pull)
        && permissions::read(grant.account.as_ref(), state.target(from)).is_ok()
        && state.store.has_blob(from, digest)
}

/// `PATCH`, `PUT`, `GET` and `DELETE` of a session; cancelling is not supported (GHCR, observed in August 2026).
pub(crate) fn upload(state: &mut State, call: &Call, name: &str, session: &str) -> Answer {
    if let Err(answer) = authorize(state, call, name, Want::Push) {
        return answer;
    }
    let known = state.store.sessions.get_mut(session);
    let Some(upload) = known.filter(|upload| upload.name == name) else {
        return session_unknown();
    };
    match call.method.as_str() {
        "GET" => progress(204, name, session, upload.length()),
        "PATCH" => {
            if let Err(answer) = check_range(call, upload.length()) {
                return answer;
            }
            upload.receive(call.body.clone());
            progress(202, name, session, upload.length())
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
    let Some(mut upload) = state.store.sessions.remove(session) else {
        return session_unknown();
    };
    upload.receive(call.body.clone());
    let bytes = upload.into_bytes();
    if digest_of(&bytes) != digest {
        return Answer::error(
            400,
            "DIGEST_INVALID",
            "provided digest did not match uploaded content",
        );
    }
    state.store.keep_blob(name, digest, bytes);
    stored_at(name, digest)
}

fn session_unknown() -> Answer {
    let message = "blob upload unknown to registry";
    Answer::error(404, "BLOB_UPLOAD_UNKNOWN", message)
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
        let location = format!(
            "{}://{}/storage/{digest}",
            state.scheme,
            storage_host(&state.server, &call.host)
        );
        return Answer::new(307).header("location", location);
    }
    Answer::new(200)
        .header("content-type", "application/octet-stream")
        .header("docker-content-digest", digest)
        .body(bytes.clone())
}

/// The same machine under another name, so that clients see another host. Who asks GHCR under another name than
/// 127.0.0.1 may be on another machine, and stays there.
fn storage_host(server: &Server, host: &str) -> String {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) => (name, format!(":{port}")),
        None => (host, String::new()),
    };
    match (name, server) {
        ("127.0.0.1", _) => format!("localhost{port}"),
        ("localhost", _) => format!("127.0.0.1{port}"),
        (_, Server::Github | Server::GhesFlat) => host.to_owned(),
        (_, Server::GheCom { .. } | Server::Ghes { .. }) => format!("localhost{port}"),
    }
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

#[cfg(test)]
mod tests {
    use super::storage_host;
    use crate::github::{Isolation, Server};

    #[track_caller]
    fn check(server: &Server, asked: &str, expected: &str) {
        assert_eq!(storage_host(server, asked), expected);
    }

    #[test]
    fn storage_is_another_host_on_this_machine() {
        check(&Server::Github, "127.0.0.1:5000", "localhost:5000");
        check(&Server::Github, "localhost:5000", "127.0.0.1:5000");
        check(&Server::Github, "172.17.0.1:5000", "172.17.0.1:5000");
        let ghes = Server::ghes("ghes.test", Isolation::On);
        check(&ghes, "containers.ghes.test:5000", "localhost:5000");
        check(&ghes, "containers.ghes.test", "localhost");
    }
}
