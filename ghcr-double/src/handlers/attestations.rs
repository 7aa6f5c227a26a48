//! The attestation store of the GitHub API.
//!
//! Modelled on <https://docs.github.com/en/rest/repos/attestations>; the texts of the refusals are from public reports
//! (actions/attest#216, actions/attest-build-provenance#762).

use hyper::Method;
use serde_json::{Value, json};

use crate::github::Server;
use crate::github::account::{Access, Account};
use crate::github::attestation::{Attestation, Invalid, Statement};
use crate::github::package::Visibility;
use crate::github::repository::Repository;
use crate::handlers::api::{caller, is_organization, not_found, reader, visible};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::state::State;

/// How many attestations a page has unless the request says so, and at most.
const PAGE: usize = 30;
const MAX_PAGE: usize = 100;

pub(crate) fn handle(
    state: &mut State,
    request: &Request,
    repository: &str,
    digest: Option<&str>,
) -> Result<Response, Response> {
    if matches!(state.server, Server::Ghes { .. } | Server::GhesFlat) {
        return Err(not_found());
    }
    match (&request.method, digest) {
        (&Method::POST, None) => store(state, request, repository),
        (&Method::GET, Some(digest)) => list(state, request, repository, digest),
        _ => Err(not_found()),
    }
}

fn store(state: &mut State, request: &Request, full_name: &str) -> Result<Response, Response> {
    let account = caller(state, request)?;
    let repository = visible(state, Some(account), full_name).ok_or_else(not_found)?;
    permitted(account, full_name, Access::Write)?;
    available(state, repository)?;
    let mut body: Value = serde_json::from_slice(&request.body)
        .map_err(|_syntax| refused(400, "Problems parsing JSON"))?;
    let bundle = body["bundle"].take();
    let statement = Statement::of(&bundle).map_err(|invalid| match invalid {
        Invalid::Bundle => refused(422, "Invalid request."),
        Invalid::DuplicateSubject => {
            refused(422, "Invalid Argument - duplicate subject in statement")
        }
    })?;
    let id = state.next();
    state.attestations.push(Attestation {
        repository: full_name.to_lowercase(),
        statement,
        bundle,
    });
    Ok(Response::json(201, &json!({ "id": id })))
}

/// Everybody may read the attestations of a public repository.
fn list(
    state: &State,
    request: &Request,
    full_name: &str,
    digest: &str,
) -> Result<Response, Response> {
    if let Some(account) = reader(state, request, full_name)? {
        permitted(account, full_name, Access::Read)?;
    }
    let of_digest = state.attestations_of(full_name, digest);
    if of_digest.is_empty() {
        return Err(not_found());
    }
    let wanted = request.query("predicate_type");
    let found = of_digest.into_iter().rev().filter(|attestation| {
        wanted.is_none_or(|wanted| attestation.statement.predicate_type == wanted)
    });
    let number = |name| request.query(name).and_then(|text| text.parse().ok());
    let size = number("per_page").unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let start = number("after").unwrap_or(0);
    let found: Vec<Value> = found
        .map(|found| json!({ "bundle": found.bundle, "repository_id": 1 }))
        .collect();
    let rest = found.get(start..).unwrap_or_default();
    let page = rest.get(..size).unwrap_or(rest);
    let response = Response::json(200, &json!({ "attestations": page }));
    Ok(match rest.len() > size {
        true => {
            let path = format!("/repositories/1/attestations/{digest}");
            let query = format!("per_page={size}&after={}", start + size);
            response.header("link", format!(r#"<{path}?{query}>; rel="next""#))
        }
        false => response,
    })
}

fn permitted(account: &Account, full_name: &str, access: Access) -> Result<(), Response> {
    if account.reaches(full_name) && account.attestations >= access {
        return Ok(());
    }
    Err(refused(403, account.refusal()))
}

/// Whether GitHub stores attestations for this repository.
fn available(state: &State, repository: &Repository) -> Result<(), Response> {
    let owner = repository.full_name.split('/').next().unwrap_or_default();
    if repository.visibility == Visibility::Public {
        Ok(())
    } else if !is_organization(state, owner) {
        Err(refused(
            403,
            "Feature not available for user-owned private repositories. To enable this feature, please make this \
             repository public.",
        ))
    } else if repository.attestations {
        Ok(())
    } else {
        let message = format!(
            "Feature not available for the {owner} organization. To enable this feature, please upgrade the billing \
             plan, or make this repository public."
        );
        Err(refused(403, &message))
    }
}

fn refused(status: u16, message: &str) -> Response {
    let documentation = "https://docs.github.com/rest/repos/attestations#create-an-attestation";
    Response::api_error(status, message, documentation)
}
