//! Blobs: upload sessions, mounts and reads.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs>

use hyper::Method;

use super::auth::authorize;
use crate::github::account::{Action, Grant};
use crate::github::permissions;
use crate::github::{Registry, Server};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::reference::digest_of;
use crate::state::{Delivery, State};
use crate::store::Session;

/// GHCR's limit for a `PATCH` with `Content-Range`.
const MAX_CHUNK: usize = 4 * 1024 * 1024;

/// `POST …/blobs/uploads/`: mounts the blob or opens a session, which does not create a package.
pub(crate) fn start(
    state: &mut State,
    request: &Request,
    name: &str,
) -> Result<Response, Response> {
    if request.method != Method::POST {
        return Err(Response::unsupported());
    }
    let grant = authorize(state, request, name, Action::Push)?;
    if let (Some(digest), Some(from)) = (request.query("mount"), request.query("from"))
        && request.registry == Registry::Container
        && mountable(state, &grant, from, digest)
    {
        state.store.link_blob(name, digest);
        return Ok(created(name, digest));
    }
    let session = format!("00000000-0000-4000-8000-{:012x}", state.next());
    let response = progress(202, name, &session, 0);
    let sessions = &mut state.store.sessions;
    sessions.insert(session, Session::new(name));
    Ok(response)
}

/// Whether `from` has the blob and the caller may read it. If not, the registry opens a session, as the specification
/// requires.
fn mountable(state: &State, grant: &Grant, from: &str, digest: &str) -> bool {
    grant.covers(from, Action::Pull)
        && permissions::read(grant.account.as_ref(), state.target(from)).is_ok()
        && state.store.has_blob(from, digest)
}

/// `PATCH`, `PUT` and `GET` of a session. `DELETE` is not supported (GHCR, observed in August 2026).
pub(crate) fn upload(
    state: &mut State,
    request: &Request,
    name: &str,
    session: &str,
) -> Result<Response, Response> {
    authorize(state, request, name, Action::Push)?;
    let known = state.store.sessions.get_mut(session);
    let Some(upload) = known.filter(|upload| upload.name == name) else {
        return Err(session_unknown());
    };
    match request.method.as_str() {
        "GET" => Ok(progress(204, name, session, upload.length())),
        "PATCH" => {
            check_range(request, upload.length())?;
            upload.receive(request.body.clone());
            Ok(progress(202, name, session, upload.length()))
        }
        "PUT" => finish(state, request, name, session),
        _ => Err(Response::unsupported()),
    }
}

/// A chunk with `Content-Range` must continue the upload and have at most 4 MiB; a body without it may have any size.
fn check_range(request: &Request, received: usize) -> Result<(), Response> {
    let Some(range) = request.header("content-range") else {
        return Ok(());
    };
    if request.body.len() > MAX_CHUNK {
        return Err(Response::error(
            416,
            "REQUESTED_RANGE_NOT_SATISFIABLE",
            "the request body is too large and exceeds the maximum permissible limit of 4.00MiB",
        ));
    }
    let start = range.trim_start_matches("bytes ").split('-').next();
    if start.and_then(|start| start.parse().ok()) == Some(received) {
        return Ok(());
    }
    let message = "blob upload invalid";
    Err(Response::error(416, "BLOB_UPLOAD_INVALID", message))
}

fn finish(
    state: &mut State,
    request: &Request,
    name: &str,
    session: &str,
) -> Result<Response, Response> {
    let Some(digest) = request.query("digest") else {
        return Err(Response::error(400, "DIGEST_INVALID", "digest missing"));
    };
    let Some(mut upload) = state.store.sessions.remove(session) else {
        return Err(session_unknown());
    };
    upload.receive(request.body.clone());
    let bytes = upload.into_bytes();
    if digest_of(&bytes) != digest {
        let message = "provided digest did not match uploaded content";
        return Err(Response::error(400, "DIGEST_INVALID", message));
    }
    state.store.keep_blob(name, digest, bytes);
    Ok(created(name, digest))
}

fn session_unknown() -> Response {
    let message = "blob upload unknown to registry";
    Response::error(404, "BLOB_UPLOAD_UNKNOWN", message)
}

/// `Location` is relative and contains `upload`, not `uploads`, as in GHCR.
fn progress(status: u16, name: &str, session: &str, received: usize) -> Response {
    Response::new(status)
        .header("location", format!("/v2/{name}/blobs/upload/{session}"))
        .header("docker-upload-uuid", session)
        .header("range", format!("0-{}", received.saturating_sub(1)))
}

fn created(name: &str, digest: &str) -> Response {
    Response::new(201)
        .header("location", format!("/v2/{name}/blobs/{digest}"))
        .header("docker-content-digest", digest)
}

/// `HEAD` responds itself; `GET` redirects to the storage.
pub(crate) fn read(
    state: &State,
    request: &Request,
    name: &str,
    digest: &str,
) -> Result<Response, Response> {
    if request.method != Method::GET && request.method != Method::HEAD {
        return Err(Response::unsupported());
    }
    authorize(state, request, name, Action::Pull)?;
    let Some(bytes) = state
        .store
        .blob(digest)
        .filter(|_| state.store.has_blob(name, digest))
    else {
        let message = "blob unknown to registry";
        return Err(Response::error(404, "BLOB_UNKNOWN", message));
    };
    if request.method == Method::GET && state.delivery == Delivery::Redirected {
        let location = format!(
            "{}://{}/storage/{digest}?se=2026-11-20&sig=of-the-double",
            state.scheme,
            storage_host(&state.server, &request.host)
        );
        return Ok(Response::new(307).header("location", location));
    }
    Ok(Response::new(200)
        .header("content-type", "application/octet-stream")
        .header("docker-content-digest", digest)
        .body(bytes.clone()))
}

/// Another name of this machine, so that the redirect leads to another host. A client that uses another name for GHCR
/// may be on another machine, so it is redirected to the same host.
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

/// A download from the storage. Like that of GHCR, it refuses credentials and serves ranges.
pub(crate) fn download(state: &State, request: &Request, digest: &str) -> Response {
    if request.headers.contains_key("authorization") {
        return Response::new(400)
            .header("content-type", "application/xml")
            .body("<Error><Code>InvalidAuthenticationInfo</Code></Error>");
    }
    let Some(bytes) = state.store.blob(digest) else {
        return Response::new(404);
    };
    let response = Response::new(200).header("content-type", "application/octet-stream");
    let range = request
        .header("range")
        .and_then(|text| range(text, bytes.len()));
    let Some((first, last)) = range else {
        return response.body(bytes.clone());
    };
    Response::new(206)
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
    fn check(server: &Server, host: &str, expected: &str) {
        assert_eq!(storage_host(server, host), expected);
    }

    #[test]
    fn storage_is_another_host_of_this_machine() {
        check(&Server::Github, "127.0.0.1:5000", "localhost:5000");
        check(&Server::Github, "localhost:5000", "127.0.0.1:5000");
        check(&Server::Github, "172.17.0.1:5000", "172.17.0.1:5000");
        let ghes = Server::ghes("ghes.test", Isolation::On);
        check(&ghes, "containers.ghes.test:5000", "localhost:5000");
        check(&ghes, "containers.ghes.test", "localhost");
    }
}
