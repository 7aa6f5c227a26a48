//! The handlers of all routes: plain functions over `State` that return an answer and never wait.

mod api;
mod auth;
mod blobs;
mod docker;
mod lists;
mod manifests;

use crate::github::{Pages, Registry};
use crate::http::request::Call;
use crate::http::response::Answer;
use crate::http::route::Route;
use crate::state::State;

/// Answers a request that no scripted fault intercepts.
pub(crate) fn answer(state: &mut State, call: &Call) -> Answer {
    let mut answer = match &call.route {
        Route::Token => return auth::exchange(state, call),
        Route::Api { path } => return api::answer(state, call, path),
        Route::Storage { digest } => return blobs::stored(state, call, digest),
        Route::Website { path } => return page(call.site.pages, path),
        Route::Nowhere => Answer::page_not_found(),
        Route::Ping => auth::ping(state, call),
        Route::Uploads { name } => blobs::start(state, call, name),
        Route::Upload { name, session } => {
            let answer = blobs::upload(state, call, name, session);
            docker::with_digest(state, call, answer)
        }
        Route::Blob { name, digest } => blobs::read(state, call, name, digest),
        Route::Manifest { name, reference } => match call.registry {
            Registry::Container => manifests::answer(state, call, name, reference),
            Registry::Docker => docker::manifest(state, call, name, reference),
        },
        Route::Tags { name } => lists::tags(state, call, name),
        Route::Referrers { name, subject } => lists::referrers(state, call, name, subject),
    };
    answer.set_header("docker-distribution-api-version", "registry/2.0");
    answer
}

/// The web interface: a client that looks for a registry there gets a page, or a redirect to the login.
fn page(pages: Pages, path: &str) -> Answer {
    if pages == Pages::Login && path != "/login" {
        return Answer::new(302).header("location", "/login");
    }
    Answer::new(200)
        .header("content-type", "text/html; charset=utf-8")
        .body("<!DOCTYPE html>\n<title>Sign in to your account</title>\n")
}
