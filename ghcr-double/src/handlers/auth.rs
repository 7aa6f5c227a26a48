//! Authentication and authorization: the challenge, the token endpoint, and what a bearer token allows.
//!
//! Modelled on <https://distribution.github.io/distribution/spec/auth/token/> and reports about GHCR from 2022 to 2026.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::time::Instant;

use crate::github::Registry;
use crate::github::account::{Access, Account, Action, Grant, Scope};
use crate::github::denial::Denial;
use crate::github::package::Package;
use crate::github::permissions;
use crate::http::request::{Request, pairs};
use crate::http::response::Response;
use crate::reference::is_name;
use crate::state::{Deletes, Login, State};

/// `GET /v2/`. The scope of its challenge is a placeholder (GHCR, observed in 2024).
pub(crate) fn ping(state: &State, request: &Request) -> Result<Response, Response> {
    grant(state, request, "user/image")?;
    Ok(Response::json(200, &json!({})))
}

/// The grant of a caller who may perform the action on that name, or the error response.
///
/// Stricter than GHCR is known to be: a bearer token allows only the scopes that it was requested for.
pub(crate) fn authorize(
    state: &State,
    request: &Request,
    name: &str,
    action: Action,
) -> Result<Grant, Response> {
    let grant = grant(state, request, name)?;
    if !is_name(name) {
        let message = "invalid repository name";
        return Err(Response::error(400, "NAME_INVALID", message));
    }
    if !grant.covers(name, action) {
        return Err(challenge(state, request, name, &unauthenticated(request)));
    }
    let mut target = state.target(name);
    let package;
    if request.registry == Registry::Docker {
        package = docker_package(state, name).ok_or_else(Response::name_unknown)?;
        target.package = Some(&package);
    }
    let allowed = match (&grant.account, action) {
        (account, Action::Pull) => permissions::read(account.as_ref(), target),
        (Some(account), Action::Push | Action::Delete) => permissions::write(account, target),
        (None, Action::Push | Action::Delete) => Err(Denial::AccessDenied),
    };
    allowed.map_err(|denial| Response::denied(&denial))?;
    Ok(grant)
}

/// The package `OWNER/REPO/IMAGE` of the older registry, which belongs to the repository in its name.
fn docker_package(state: &State, name: &str) -> Option<Package> {
    let (repository, _image) = name.rsplit_once('/')?;
    (repository.split('/').count() == 2).then(|| state.package_of(repository))
}

/// What the credentials of the request allow. The older registry does not accept anonymous requests.
fn grant(state: &State, request: &Request, name: &str) -> Result<Grant, Response> {
    let header = request.header("authorization").unwrap_or_default();
    let (scheme, value) = header.split_once(' ').unwrap_or((header, ""));
    let granted = match (
        scheme.to_ascii_lowercase().as_str(),
        login_of(state, request),
    ) {
        ("bearer", Login::Token) => bearer(state, value.trim()),
        ("basic", Login::Basic) => basic_account(state, request).map(Grant::unlimited),
        ("basic", Login::Token) if request.registry == Registry::Container => {
            return Err(Response::denied(&Denial::BasicOnRegistry));
        }
        _ => Err(unauthenticated(request)),
    };
    let granted = match request.registry {
        Registry::Container => granted,
        Registry::Docker => granted
            .ok()
            .filter(|grant| grant.account.is_some())
            .ok_or(unauthenticated(request)),
    };
    granted.map_err(|denial| challenge(state, request, name, &denial))
}

/// The authentication scheme of the addressed registry.
fn login_of(state: &State, request: &Request) -> Login {
    match request.registry {
        Registry::Container => Login::Token,
        Registry::Docker => state.login,
    }
}

/// The error of the addressed registry for a request that is not authenticated.
fn unauthenticated(request: &Request) -> Denial {
    match request.registry {
        Registry::Container => Denial::AuthenticationRequired,
        Registry::Docker => Denial::NotAuthenticatedForPackages,
    }
}

/// The grant of a bearer token that was issued here, or of `base64(<GitHub token>)`, which GHCR accepts as well.
fn bearer(state: &State, value: &str) -> Result<Grant, Denial> {
    if let Some(grant) = state.grants.get(value) {
        let expired = grant.until.is_some_and(|until| until <= Instant::now());
        return if expired {
            Err(Denial::AuthenticationRequired)
        } else {
            Ok(grant.clone())
        };
    }
    let token = decode(value).ok_or(Denial::NotAuthenticated)?;
    let account = state.account(&token).ok_or(Denial::NotAuthenticated)?;
    Ok(Grant::unlimited(Some(account.clone())))
}

fn challenge(state: &State, request: &Request, name: &str, denial: &Denial) -> Response {
    let value = match login_of(state, request) {
        Login::Token => format!(
            r#"Bearer realm="{scheme}://{host}/token",service="{host}",scope="repository:{name}:pull""#,
            scheme = state.scheme,
            host = request.host
        ),
        Login::Basic => r#"Basic realm="GitHub Package Registry""#.to_owned(),
    };
    Response::denied(denial).header("www-authenticate", value)
}

/// `/token`: issues a bearer token for every known GitHub token, even if it does not allow the requested push.
pub(crate) fn exchange(state: &mut State, request: &Request) -> Result<Response, Response> {
    if login_of(state, request) == Login::Basic {
        return Err(Response::page_not_found());
    }
    let account = match request.method.as_str() {
        "GET" => basic_account(state, request),
        "POST" => return Err(oauth(state, request)),
        _ => return Err(Response::unsupported()),
    };
    let scopes: Vec<Scope> = request
        .query
        .iter()
        .filter(|(key, _)| key == "scope")
        .flat_map(|(_, value)| value.split(' '))
        .filter_map(Scope::parse)
        .collect();
    let account = match (account, request.registry) {
        (Ok(None) | Err(_), Registry::Docker) => Err(unauthenticated(request)),
        (Ok(None), Registry::Container) => check_anonymous(state, &scopes).map(|()| None),
        (account, _) => account,
    };
    let account = account.map_err(|denial| Response::denied(&denial))?;
    let scopes = granted(state, account.as_ref(), scopes);
    let token = issue(state, account, scopes);
    Ok(Response::json(200, &json!({ "token": token })))
}

/// The scopes without `delete` if the registry does not delete, or the account may not write: a token server may grant
/// less than was requested (<https://distribution.github.io/distribution/spec/auth/token/>).
fn granted(state: &State, account: Option<&Account>, mut scopes: Vec<Scope>) -> Vec<Scope> {
    let may_write = account.is_some_and(|account| account.packages >= Access::Write);
    if state.deletes == Deletes::Unsupported || !may_write {
        for scope in &mut scopes {
            scope.actions.retain(|action| action != "delete");
        }
    }
    scopes
}

/// The account of the `Basic` credentials, with any user name; `None` without credentials. Refuses `Bearer`.
fn basic_account(state: &State, request: &Request) -> Result<Option<Account>, Denial> {
    let Some(header) = request.header("authorization") else {
        return Ok(None);
    };
    let (scheme, value) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Denial::AuthenticationRequired);
    }
    let credentials = decode(value).ok_or(Denial::InvalidCredentials)?;
    let (user, token) = credentials
        .split_once(':')
        .ok_or(Denial::InvalidCredentials)?;
    match state.account(token) {
        Some(account) if !user.is_empty() => Ok(Some(account.clone())),
        _ => Err(Denial::InvalidCredentials),
    }
}

/// Without credentials, only pulls of public packages are allowed.
fn check_anonymous(state: &State, scopes: &[Scope]) -> Result<(), Denial> {
    for scope in scopes {
        if scope.covers(&scope.name, Action::Push) {
            return Err(Denial::AccessDenied);
        }
        permissions::read(None, state.target(&scope.name))?;
    }
    Ok(())
}

/// The OAuth2 form of the exchange, which BuildKit tries first: always an error. With 403 for wrong credentials BuildKit
/// fails (as its users report); after 405 it retries with `GET`.
fn oauth(state: &State, request: &Request) -> Response {
    let form = pairs(&String::from_utf8_lossy(&request.body));
    let password = form.iter().find(|(key, _)| key == "password");
    match password {
        Some((_, token)) if state.account(token).is_none() => {
            Response::denied(&match request.registry {
                Registry::Container => Denial::InvalidCredentials,
                Registry::Docker => unauthenticated(request),
            })
        }
        _ => Response::unsupported(),
    }
}

/// Issues an opaque bearer token: not a JWT, and without `expires_in` in the response (GHCR, observed in 2024 and 2026).
fn issue(state: &mut State, account: Option<Account>, scopes: Vec<Scope>) -> String {
    let number = state.next();
    let token = STANDARD.encode(format!("v1:opaque-bearer:{number:016x}"));
    let grant = Grant {
        account,
        scopes: Some(scopes),
        until: Some(Instant::now() + state.bearer_life),
    };
    state.grants.insert(token.clone(), grant);
    token
}

fn decode(value: &str) -> Option<String> {
    let bytes = STANDARD.decode(value.trim()).ok()?;
    String::from_utf8(bytes).ok()
}
