//! The handlers of all routes: functions over `State` that never wait. An `Err` is an error response.

mod api;
mod attestations;
mod auth;
mod blobs;
mod docker;
mod lists;
mod manifests;

use crate::github::{Pages, Registry};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::route::Route;
use crate::state::State;

/// The response to a request whose fault, if any, lets it be served.
pub(crate) fn handle(state: &mut State, request: &Request) -> Response {
    let result = match &request.route {
        Route::Token => return auth::exchange(state, request).unwrap_or_else(|error| error),
        Route::Api { path } => {
            return api::handle(state, request, path).unwrap_or_else(|error| error);
        }
        Route::Attestations { repository, digest } => {
            let digest = digest.as_deref();
            return attestations::handle(state, request, repository, digest)
                .unwrap_or_else(|error| error);
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

/// A page of the web interface, or the redirect to its login.
fn page(pages: Pages, path: &str) -> Response {
    if pages == Pages::Login && path != "/login" {
        return Response::new(302).header("location", "/login");
    }
    Response::new(200)
        .header("content-type", "text/html; charset=utf-8")
        .body("<!DOCTYPE html>\n<title>Sign in to your account</title>\n")
}
