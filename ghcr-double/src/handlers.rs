//! The handlers of all routes: functions over `State` that never wait. An `Err` is an error response.

mod api;
mod attestations;
mod auth;
mod blobs;
mod comments;
mod docker;
mod lists;
mod manifests;
mod pages;
mod versions;

use hyper::Method;

use crate::clock::http_date;
use crate::github::{Pages, Registry, Server};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::route::Route;
use crate::state::State;

/// The response to a request whose fault, if any, lets it be served.
pub(crate) fn handle(state: &mut State, request: &Request) -> Response {
    let result = match &request.route {
        Route::Token => return auth::exchange(state, request).unwrap_or_else(|error| error),
        Route::Api { path } => {
            return limited(state, &request.method, |state| {
                api::handle(state, request, path)
            });
        }
        Route::Attestations { repository, digest } => {
            let digest = digest.as_deref();
            let serve =
                |state: &mut State| attestations::handle(state, request, repository, digest);
            return limited(state, &request.method, serve);
        }
        Route::Comments {
            repository,
            comments,
        } => {
            let serve = |state: &mut State| comments::handle(state, request, repository, comments);
            return limited(state, &request.method, serve);
        }
        Route::GraphQl => {
            return limited(state, &request.method, |state| {
                comments::viewer(state, request)
            });
        }
        Route::Versions {
            owner,
            package,
            version,
        } => {
            let serve =
                |state: &mut State| versions::handle(state, request, owner, package, version);
            return limited(state, &request.method, serve);
        }
        Route::Storage { digest } => return blobs::download(state, request, digest),
        Route::Website { path } => return page(request.site.pages, path),
        Route::Unknown => Err(Response::page_not_found()),
        Route::Ping => auth::ping(state, request),
        Route::Uploads { name } => blobs::start(state, request, name),
        Route::Upload { name, session } => blobs::upload(state, request, name, session)
            .map(|response| docker::replace_digest(state, request, response)),
        Route::Blob { name, digest } => blobs::read(state, request, name, digest),
        Route::Manifest { name, reference } => match request.registry {
            Registry::Container => manifests::handle(state, request, name, reference),
            Registry::Docker => docker::handle(state, request, name, reference)
                .map(|response| docker::replace_digest(state, request, response)),
        },
        Route::Tags { name } => lists::tags(state, request, name),
        Route::Referrers { name, subject } => lists::referrers(state, request, name, subject),
    };
    let mut response = result.unwrap_or_else(|error| error);
    response.set_header("docker-distribution-api-version", "registry/2.0");
    response
}

/// The response of the API, with the headers of its rate limit. GHES has no limits by default.
fn limited(
    state: &mut State,
    method: &Method,
    serve: impl FnOnce(&mut State) -> Result<Response, Response>,
) -> Response {
    if matches!(state.server, Server::Ghes { .. } | Server::GhesFlat) {
        return serve(state).unwrap_or_else(|error| error);
    }
    let now = state.store.clock.now();
    let points = state.points.take(method, now);
    let response = match (state.rate.take(now), points) {
        (true, Ok(())) => serve(state).unwrap_or_else(|error| error),
        (true, Err(wait)) => Response::secondary_limit().header("retry-after", wait.to_string()),
        (false, _) => Response::api_error(
            403,
            "API rate limit exceeded for installation ID 1.",
            "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api",
        ),
    };
    let headers = state.rate.headers().into_iter();
    headers.fold(
        response.header("date", http_date(now)),
        |response, (name, value)| response.header(name, value),
    )
}

/// A page of the web interface, or the redirect to its login.
fn page(pages: Pages, path: &str) -> Response {
    if pages == Pages::Login && path != "/login" {
        return Response::new(302).header("location", "/login");
    }
    Response::new(200)
        .header("content-type", "text/html; charset=utf-8")
        .body("<!DOCTYPE html>\n<title>Sign in to your account</title>\n")
}
