//! The endpoints of the GitHub API for repositories, commits, comparisons, pull
//! requests, owners and packages, and what all of the API shares.
//!
//! Modelled on <https://docs.github.com/en/rest/repos/repos>, `/rest/commits/commits` and `/rest/packages/packages`.

use serde_json::{Value, json};

use crate::github::account::{Access, Account};
use crate::github::package::{Package, Visibility};
use crate::github::permissions;
use crate::github::repository::{PullRequest, Repository};
use crate::github::{Api, Server};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::state::State;

pub(crate) fn handle(
    state: &State,
    request: &Request,
    path: &[String],
) -> Result<Response, Response> {
    let account = caller(state, request)?;
    if request.method != hyper::Method::GET {
        return Err(not_found());
    }
    let links = Links::of(state, request);
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let found = match path.as_slice() {
        ["users", login] => owner(state, &links, login),
        [
            kind @ ("orgs" | "users"),
            owner,
            "packages",
            "container",
            name @ ..,
        ] => container(state, account, kind, owner, &name.join("/"))
            .map(|package| package_json(&links, kind, owner, &name.join("/"), package)),
        ["repos", owner, name, "pulls", number] => {
            pull_request(state, account, &links, &format!("{owner}/{name}"), number)?
        }
        ["repos", owner, name, rest @ ..] => {
            visible(state, Some(account), &format!("{owner}/{name}"))
                .and_then(|repository| repository_resource(&links, repository, rest))
        }
        _ => None,
    };
    found
        .map(|value| Response::json(200, &value))
        .ok_or_else(not_found)
}

/// The base URLs of the web interface and the API, for links.
pub(super) struct Links {
    pub(super) web: String,
    pub(super) api: String,
}

impl Links {
    pub(super) fn of(state: &State, request: &Request) -> Self {
        let host_url = format!("{}://{}", state.scheme, request.host);
        let api = match (&state.server, request.site.api) {
            (Server::Github, _) => "https://api.github.com".to_owned(),
            (_, Api::Root) => host_url,
            (_, Api::Prefixed | Api::Absent) => format!("{host_url}/api/v3"),
        };
        let web = state.web_url(&request.host);
        Self { web, api }
    }
}

/// The account of the token, which is sent as `Bearer` or `token`.
pub(super) fn caller<'a>(state: &'a State, request: &Request) -> Result<&'a Account, Response> {
    let message = |text: &str| Response::json(401, &json!({ "message": text, "status": "401" }));
    let header = request
        .header("authorization")
        .ok_or_else(|| message("Requires authentication"))?;
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    let known = matches!(scheme.to_ascii_lowercase().as_str(), "bearer" | "token");
    state
        .account(token.trim())
        .filter(|_| known)
        .ok_or_else(|| message("Bad credentials"))
}

pub(super) fn not_found() -> Response {
    Response::json(404, &json!({ "message": "Not Found", "status": "404" }))
}

pub(super) fn visible<'a>(
    state: &'a State,
    account: Option<&Account>,
    full_name: &str,
) -> Option<&'a Repository> {
    state.repository(full_name).filter(|repository| {
        repository.visibility == Visibility::Public
            || account.is_some_and(|account| account.acts_for(owner_of(full_name)))
    })
}

/// The account that needs a permission to read what belongs to the repository: everybody may if it is public.
pub(super) fn reader<'a>(
    state: &'a State,
    request: &Request,
    full_name: &str,
) -> Result<Option<&'a Account>, Response> {
    let account = match request.header("authorization") {
        Some(_) => Some(caller(state, request)?),
        None => None,
    };
    let repository = visible(state, account, full_name).ok_or_else(not_found)?;
    Ok(account.filter(|_| repository.visibility != Visibility::Public))
}

fn repository_resource(links: &Links, repository: &Repository, rest: &[&str]) -> Option<Value> {
    match rest {
        [] => Some(repository_json(links, repository)),
        ["commits", reference @ ..] => commit(repository, &reference.join("/")),
        ["git", "commits", sha] => git_commit(repository, sha),
        ["compare", range @ ..] => {
            let range = range.join("/");
            let (base, head) = range.split_once("...")?;
            let comparison = repository.compare(base, head)?;
            Some(json!({
                "status": comparison.status(),
                "ahead_by": comparison.ahead,
                "behind_by": comparison.behind,
                "total_commits": comparison.ahead,
            }))
        }
        _ => None,
    }
}

fn repository_json(links: &Links, repository: &Repository) -> Value {
    let full_name = &repository.full_name;
    let (owner, name) = full_name.split_once('/').unwrap_or(("", full_name));
    let license = repository.license.as_ref().map(|spdx_id| {
        let key = spdx_id.to_lowercase();
        json!({ "key": key, "name": spdx_id, "spdx_id": spdx_id, "url": null, "node_id": key })
    });
    json!({
        "id": 1,
        "node_id": "R_1",
        "name": name,
        "full_name": full_name,
        "private": repository.visibility != Visibility::Public,
        "owner": { "login": owner },
        "html_url": format!("{}/{full_name}", links.web),
        "url": format!("{}/repos/{full_name}", links.api),
        "description": repository.description,
        "default_branch": repository.default_branch,
        "visibility": repository.visibility.as_str(),
        "license": license,
    })
}

/// <https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request>: everybody may read those of a public repository.
fn pull_request(
    state: &State,
    account: &Account,
    links: &Links,
    full_name: &str,
    number: &str,
) -> Result<Option<Value>, Response> {
    let Some(repository) = visible(state, Some(account), full_name) else {
        return Ok(None);
    };
    if repository.visibility != Visibility::Public && account.pull_requests < Access::Read {
        return Err(Response::api_error(
            403,
            "Resource not accessible by integration",
            "https://docs.github.com/rest/pulls/pulls#get-a-pull-request",
        ));
    }
    let number = number.parse().map_err(|_text| not_found())?;
    Ok(repository.pull_requests.get(&number).map(|pull| {
        let is_closed = *pull == PullRequest::Closed;
        json!({
            "number": number,
            "state": if is_closed { "closed" } else { "open" },
            "html_url": format!("{}/{}/pull/{number}", links.web, repository.full_name),
            "closed_at": is_closed.then_some("2026-11-20T16:00:00Z"),
            "merged": false,
        })
    }))
}

fn commit(repository: &Repository, reference: &str) -> Option<Value> {
    let sha = repository.resolve(reference)?;
    let commit = repository.commits.get(sha)?;
    let parents: Vec<Value> = commit
        .parents
        .iter()
        .map(|parent| json!({ "sha": parent }))
        .collect();
    let person = json!({ "name": "A. Committer", "email": "a@example.com", "date": commit.date });
    Some(json!({
        "sha": sha,
        "commit": { "author": person, "committer": person, "message": "a commit" },
        "parents": parents,
    }))
}

/// A Git commit object, by its full hash (<https://docs.github.com/en/rest/git/commits#get-a-commit-object>).
fn git_commit(repository: &Repository, sha: &str) -> Option<Value> {
    let commit = repository.commits.get(sha)?;
    let person = json!({ "name": "A. Committer", "email": "a@example.com", "date": commit.date });
    Some(json!({ "sha": sha, "author": person, "committer": person, "message": "a commit" }))
}

fn owner(state: &State, links: &Links, login: &str) -> Option<Value> {
    let kind = if is_organization(state, login) {
        "Organization"
    } else if state.target(login).owner_exists {
        "User"
    } else {
        return None;
    };
    Some(json!({ "login": login, "type": kind, "html_url": format!("{}/{login}", links.web) }))
}

/// `None` also for a package that the token cannot read, and for the wrong kind of owner.
fn container<'a>(
    state: &'a State,
    account: &Account,
    kind: &str,
    owner: &str,
    name: &str,
) -> Option<&'a Package> {
    if (kind == "orgs") != is_organization(state, owner) {
        return None;
    }
    let key = format!("{owner}/{name}").to_lowercase();
    let package = state.packages.get(&key)?;
    permissions::read(Some(account), state.target(&key)).ok()?;
    Some(package)
}

fn package_json(links: &Links, kind: &str, owner: &str, name: &str, package: &Package) -> Value {
    let page = name.replace('/', "%2F");
    let mut value = json!({
        "id": 1,
        "name": name,
        "package_type": "container",
        "owner": { "login": owner },
        "visibility": package.visibility.as_str(),
        "html_url": format!("{}/{kind}/{owner}/packages/container/package/{page}", links.web),
    });
    if let Some(repository) = &package.repository {
        value["repository"] = json!({
            "full_name": repository,
            "html_url": format!("{}/{repository}", links.web),
        });
    }
    value
}

pub(super) fn is_organization(state: &State, login: &str) -> bool {
    state
        .organizations
        .iter()
        .any(|name| name.eq_ignore_ascii_case(login))
}

fn owner_of(full_name: &str) -> &str {
    full_name.split('/').next().unwrap_or_default()
}
