//! Comments on pull requests in the GitHub API, and who the holder of a token is in GraphQL.
//!
//! Modelled on <https://docs.github.com/en/rest/issues/comments>: each endpoint takes one of the permissions
//! `pull-requests` and `issues`. Who may write may also edit the comments of others. The texts of the refusals are from
//! public reports (hasura/comment-progress#9, jmikedupont2/ai-ticket#51).

use hyper::Method;
use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::github::account::{Access, Account};
use crate::github::comment::{Comment, MAX_BODY};
use crate::handlers::api::{Links, caller, not_found, reader, visible};
use crate::handlers::pages;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::route::Comments;
use crate::state::State;

pub(crate) fn handle(
    state: &mut State,
    request: &Request,
    repository: &str,
    comments: &Comments,
) -> Result<Response, Response> {
    match (&request.method, comments) {
        (&Method::GET, Comments::Of(number)) => list(state, request, repository, number),
        (&Method::POST, Comments::Of(number)) => create(state, request, repository, number),
        (&Method::PATCH, Comments::One(id)) => update(state, request, repository, id),
        _ => Err(not_found()),
    }
}

/// The only query that is known: `{ viewer { login } }` (<https://docs.github.com/en/graphql/reference/queries#viewer>).
pub(crate) fn viewer(state: &State, request: &Request) -> Result<Response, Response> {
    let account = caller(state, request)?;
    let body: Value = serde_json::from_slice(&request.body).map_err(|_syntax| not_json())?;
    let query = body["query"].as_str().unwrap_or_default();
    let words: Vec<&str> = query.split_whitespace().collect();
    let answer = match words.as_slice() {
        ["{", "viewer", "{", "login", "}", "}"] => {
            json!({ "data": { "viewer": { "login": account.login() } } })
        }
        _ => {
            json!({ "errors": [{ "message": "A query attribute must be specified and must be a string." }] })
        }
    };
    Ok(Response::json(200, &answer))
}

/// Everybody may read those of a public repository.
fn list(
    state: &State,
    request: &Request,
    full_name: &str,
    number: &str,
) -> Result<Response, Response> {
    if let Some(account) = reader(state, request, full_name)? {
        permitted(account, full_name, Access::Read)?;
    }
    let number = pull_request(state, full_name, number)?;
    let links = Links::of(state, request);
    let comments = state.comments.iter();
    let found: Vec<&Comment> = comments
        .filter(|comment| comment.is_on(full_name, number))
        .collect();
    let url = format!("{}/repositories/1/issues/{number}/comments", links.api);
    Ok(pages::answer(request, &url, &found, |comment| {
        shown(&links, comment)
    }))
}

fn create(
    state: &mut State,
    request: &Request,
    full_name: &str,
    number: &str,
) -> Result<Response, Response> {
    let author = writer(state, request, full_name)?;
    let number = pull_request(state, full_name, number)?;
    let body = body(request)?;
    let links = Links::of(state, request);
    let comment = state.add_comment(full_name, number, &author, &body);
    Ok(Response::json(201, &shown(&links, comment)))
}

fn update(
    state: &mut State,
    request: &Request,
    full_name: &str,
    id: &str,
) -> Result<Response, Response> {
    writer(state, request, full_name)?;
    let id: u64 = id.parse().map_err(|_text| not_found())?;
    let body = body(request)?;
    let (links, now) = (Links::of(state, request), state.store.clock.now());
    let mut comments = state.comments.iter_mut();
    let comment = comments
        .find(|one| one.id == id && one.repository.eq_ignore_ascii_case(full_name))
        .ok_or_else(not_found)?;
    comment.body = body;
    comment.updated = now;
    Ok(Response::json(200, &shown(&links, comment)))
}

/// The login of the caller, if it may write comments.
fn writer(state: &State, request: &Request, full_name: &str) -> Result<String, Response> {
    let account = caller(state, request)?;
    visible(state, Some(account), full_name).ok_or_else(not_found)?;
    permitted(account, full_name, Access::Write)?;
    Ok(account.login())
}

fn permitted(account: &Account, full_name: &str, access: Access) -> Result<(), Response> {
    if account.reaches(full_name) && account.pull_requests.max(account.issues) >= access {
        return Ok(());
    }
    Err(Response::api_error(403, account.refusal(), DOCUMENTATION))
}

/// The number of a pull request that exists.
fn pull_request(state: &State, full_name: &str, number: &str) -> Result<u64, Response> {
    let number = number.parse().map_err(|_text| not_found())?;
    let repository = state.repository(full_name).ok_or_else(not_found)?;
    let is_known = repository.pull_requests.contains_key(&number);
    is_known.then_some(number).ok_or_else(not_found)
}

fn body(request: &Request) -> Result<String, Response> {
    let sent: Value = serde_json::from_slice(&request.body).map_err(|_syntax| not_json())?;
    let text = sent["body"].as_str().unwrap_or_default();
    let message = match text.chars().count() {
        0 => "Body cannot be blank".to_owned(),
        length if length > MAX_BODY => {
            format!("Body is too long (maximum is {MAX_BODY} characters)")
        }
        _ => return Ok(text.to_owned()),
    };
    let error = json!({
        "resource": "IssueComment", "code": "unprocessable", "field": "data", "message": message,
    });
    Err(Response::json(
        422,
        &json!({
            "message": "Validation Failed",
            "errors": [error],
            "documentation_url": DOCUMENTATION,
            "status": "422",
        }),
    ))
}

fn shown(links: &Links, comment: &Comment) -> Value {
    let Comment {
        id,
        author,
        body,
        repository,
        number,
        created,
        updated,
    } = comment;
    let kind = if author.ends_with("[bot]") {
        "Bot"
    } else {
        "User"
    };
    json!({
        "id": id,
        "url": format!("{}/repos/{repository}/issues/comments/{id}", links.api),
        "html_url": format!("{}/{repository}/pull/{number}#issuecomment-{id}", links.web),
        "issue_url": format!("{}/repos/{repository}/issues/{number}", links.api),
        "user": { "login": author, "type": kind },
        "created_at": rfc3339(*created),
        "updated_at": rfc3339(*updated),
        "body": body,
    })
}

fn not_json() -> Response {
    Response::api_error(400, "Problems parsing JSON", DOCUMENTATION)
}

const DOCUMENTATION: &str = "https://docs.github.com/rest/issues/comments";
