//! Who calls: the challenge, the token endpoint, and what a bearer allows.
//!
//! After <https://distribution.github.io/distribution/spec/auth/token/> and reports of GHCR from 2022 to 2026.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::time::Instant;

use crate::github::Registry;
use crate::github::account::Account;
use crate::github::account::{Grant, Scope, Want};
use crate::github::denial::Denial;
use crate::github::package::{Package, Visibility};
use crate::github::permissions;
use crate::http::request::Call;
use crate::http::request::pairs;
use crate::http::response::Answer;
use crate::reference::is_name;
use crate::state::{Login, State};

/// `GET /v2/`: the challenge carries a scope that is a placeholder (GHCR, observed in 2024).
pub(crate) fn ping(state: &State, call: &Call) -> Answer {
    match grant(state, call, "user/image") {
        Ok(_) => Answer::json(200, &json!({})),
        Err(answer) => answer,
    }
}

/// The grant of a caller who may do this with that name, or the answer to the others.
///
/// Stricter than GHCR is known to be: a bearer is good only for the scopes it was asked for.
pub(crate) fn authorize(
    state: &State,
    call: &Call,
    name: &str,
    want: Want,
) -> Result<Grant, Answer> {
    let grant = grant(state, call, name)?;
    if !is_name(name) {
        return Err(Answer::error(
            400,
            "NAME_INVALID",
            "invalid repository name",
        ));
    }
    if !grant.covers(name, want) {
        return Err(challenge(state, call, name, &required(call)));
    }
    let mut target = state.target(name);
    let package;
    if call.registry == Registry::Docker {
        check_name(name)?;
        package = repository_package(state, name);
        target.package = Some(&package);
    }
    let allowed = match (&grant.account, want) {
        (account, Want::Pull) => permissions::read(account.as_ref(), target),
        (Some(account), Want::Push) => permissions::write(account, target),
        (None, Want::Push) => Err(Denial::AccessDenied),
    };
    match allowed {
        Ok(()) => Ok(grant),
        Err(denial) => Err(Answer::denied(&denial)),
    }
}

/// `OWNER/REPO/IMAGE`
fn check_name(name: &str) -> Result<(), Answer> {
    if is_name(name) && name.split('/').count() == 3 {
        return Ok(());
    }
    Err(Answer::name_unknown())
}

/// The package has no rights of its own: it belongs to the repository in its name.
fn repository_package(state: &State, name: &str) -> Package {
    let repository = name.rsplit_once('/').map_or(name, |(first, _)| first);
    let visibility = state
        .repository(repository)
        .map_or(Visibility::Private, |known| known.visibility);
    Package::of(repository).visibility(visibility)
}

/// The older registry knows no anonymous callers.
fn grant(state: &State, call: &Call, name: &str) -> Result<Grant, Answer> {
    let header = call.header("authorization").unwrap_or_default();
    let (scheme, value) = header.split_once(' ').unwrap_or((header, ""));
    let granted = match (scheme.to_ascii_lowercase().as_str(), desk(state, call)) {
        ("bearer", Login::Token) => bearer(state, value.trim()),
        ("basic", Login::Basic) => presented(state, call).map(Grant::unlimited),
        ("basic", Login::Token) if call.registry == Registry::Container => {
            return Err(Answer::denied(&Denial::BasicOnRegistry));
        }
        _ => Err(required(call)),
    };
    let granted = match call.registry {
        Registry::Container => granted,
        Registry::Docker => granted
            .ok()
            .filter(|grant| grant.account.is_some())
            .ok_or(required(call)),
    };
    granted.map_err(|denial| challenge(state, call, name, &denial))
}

/// How the registry that was asked wants to be logged in to.
fn desk(state: &State, call: &Call) -> Login {
    match call.registry {
        Registry::Container => Login::Token,
        Registry::Docker => state.login,
    }
}

/// What the registry that was asked says to those who have not logged in.
fn required(call: &Call) -> Denial {
    match call.registry {
        Registry::Container => Denial::AuthenticationRequired,
        Registry::Docker => Denial::NotAuthenticatedForPackages,
    }
}

/// A bearer of ours, or `base64(<token>)`, which GHCR takes without an exchange.
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

fn challenge(state: &State, call: &Call, name: &str, denial: &Denial) -> Answer {
    let value = match desk(state, call) {
        Login::Token => format!(
            r#"Bearer realm="{scheme}://{host}/token",service="{host}",scope="repository:{name}:pull""#,
            scheme = state.scheme,
            host = call.host
        ),
        Login::Basic => r#"Basic realm="GitHub Package Registry""#.to_owned(),
    };
    Answer::denied(denial).header("www-authenticate", value)
}

/// `/token`: a bearer for whoever shows a known token, even where a push will be refused.
pub(crate) fn exchange(state: &mut State, call: &Call) -> Answer {
    if desk(state, call) == Login::Basic {
        return Answer::page_not_found();
    }
    let account = match call.method.as_str() {
        "GET" => presented(state, call),
        "POST" => return oauth(state, call),
        _ => return Answer::unsupported(),
    };
    let scopes: Vec<Scope> = call
        .query
        .iter()
        .filter(|(key, _)| key == "scope")
        .flat_map(|(_, value)| value.split(' '))
        .filter_map(Scope::parse)
        .collect();
    let account = match (account, call.registry) {
        (Ok(None) | Err(_), Registry::Docker) => return Answer::denied(&required(call)),
        (Ok(account), _) => account,
        (Err(denial), _) => return Answer::denied(&denial),
    };
    if account.is_none()
        && let Err(denial) = anonymous(state, &scopes)
    {
        return Answer::denied(&denial);
    }
    let token = issue(state, account, scopes);
    Answer::json(200, &json!({ "token": token }))
}

/// `Basic` with any user; nobody at all; a token sent as `Bearer` is refused here.
fn presented(state: &State, call: &Call) -> Result<Option<Account>, Denial> {
    let Some(header) = call.header("authorization") else {
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

/// Without credentials: a bearer to pull what is public, nothing else.
fn anonymous(state: &State, scopes: &[Scope]) -> Result<(), Denial> {
    for scope in scopes {
        if scope.covers(&scope.name, Want::Push) {
            return Err(Denial::AccessDenied);
        }
        permissions::read(None, state.target(&scope.name))?;
    }
    Ok(())
}

/// The OAuth2 form of the exchange, which BuildKit tries first: 403 for wrong credentials (as its users report),
/// 405 otherwise, upon which it asks again with `GET`.
fn oauth(state: &State, call: &Call) -> Answer {
    let form = pairs(&String::from_utf8_lossy(&call.body));
    let password = form.iter().find(|(key, _)| key == "password");
    match password {
        Some((_, token)) if state.account(token).is_none() => {
            Answer::denied(&match call.registry {
                Registry::Container => Denial::InvalidCredentials,
                Registry::Docker => required(call),
            })
        }
        _ => Answer::unsupported(),
    }
}

/// An opaque bearer: not a JWT, and without `expires_in` in the answer (GHCR, observed in 2024 and 2026).
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
