//! The versions of container packages in the GitHub API: lists, reads, deletes and restores them.
//!
//! Modelled on <https://docs.github.com/en/rest/packages/packages>; the texts of the refusals are from public reports
//! (kairos-io/kairos#4723, dataaxiom/ghcr-cleanup-action#28 and #121, vlaurin/action-ghcr-prune#64).

use hyper::Method;
use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::github::account::{Access, Account, TokenKind};
use crate::github::package::{Package, Visibility};
use crate::github::permissions;
use crate::handlers::api::{Links, caller, is_organization, not_found};
use crate::handlers::pages;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::route::{Owner, Versions};
use crate::state::State;
use crate::store::versions::Listed;

/// A public version with more downloads cannot be deleted.
const MAX_DOWNLOADS: u64 = 5000;

pub(crate) fn handle(
    state: &mut State,
    request: &Request,
    owner: &Owner,
    package: &str,
    version: &Versions,
) -> Result<Response, Response> {
    let account = caller(state, request)?;
    let owner = login(state, account, owner)?;
    let path = PackagePath::new(state, request, &owner, package);
    let key = path.key.clone();
    match (&request.method, version) {
        (&Method::GET, Versions::All) => {
            readable(state, account, &key)?;
            Ok(list(state, request, &path))
        }
        (&Method::GET, Versions::One(id)) => {
            readable(state, account, &key)?;
            let found = active(state, &key, id)?;
            Ok(Response::json(200, &path.json(&found)))
        }
        (&Method::DELETE, Versions::One(id)) => {
            let package = deletable(state, account, &key)?;
            let found = active(state, &key, id)?;
            may_go(state, package, &key, &found)?;
            state.store.delete(&key, &found.digest);
            Ok(Response::new(204))
        }
        (&Method::POST, Versions::Restore(id)) => {
            deletable(state, account, &key)?;
            let restored = id.parse().is_ok_and(|id| state.store.restore(&key, id));
            restored.then(|| Response::new(204)).ok_or_else(unknown)
        }
        _ => Err(not_found()),
    }
}

/// The login in a path. `/users` is also for organizations (actions/delete-package-versions uses nothing else), `/user`
/// not for the tokens of workflows and apps.
fn login(state: &State, account: &Account, owner: &Owner) -> Result<String, Response> {
    match owner {
        Owner::Organization(login) if is_organization(state, login) => Ok(login.clone()),
        Owner::Organization(_) => Err(not_found()),
        Owner::User(login) => Ok(login.clone()),
        Owner::Caller => match account.kind {
            TokenKind::Workflow { .. } | TokenKind::App => Err(inaccessible("integration")),
            TokenKind::Classic | TokenKind::FineGrained => {
                account.owners.first().cloned().ok_or_else(not_found)
            }
        },
    }
}

/// The package, if the token may read its versions.
fn readable<'a>(state: &'a State, account: &Account, key: &str) -> Result<&'a Package, Response> {
    let scope = "You need at least read:packages scope to get a package's versions.";
    has_permission(account, Access::Read, scope)?;
    let package = state.packages.get(key).ok_or_else(no_package)?;
    permissions::read(Some(account), state.target(key)).map_err(|_denial| no_package())?;
    Ok(package)
}

/// The package, if the token may delete its versions: one that may not gets the error for an unknown package.
fn deletable<'a>(state: &'a State, account: &Account, key: &str) -> Result<&'a Package, Response> {
    let scope =
        "You need at least delete:packages and read:packages scopes to delete a package version.";
    if account.kind == TokenKind::Classic && !account.deletes {
        return Err(refused(403, scope));
    }
    has_permission(account, Access::Write, scope)?;
    let package = state.packages.get(key).ok_or_else(no_package)?;
    let owner = key.split('/').next().unwrap_or_default();
    let is_admin = match &account.kind {
        TokenKind::Workflow { repository } => package.allows_delete(repository),
        _ => account.acts_for(owner),
    };
    is_admin.then_some(package).ok_or_else(no_package)
}

fn has_permission(account: &Account, access: Access, scope: &str) -> Result<(), Response> {
    match account.kind {
        TokenKind::App => Err(inaccessible("integration")),
        TokenKind::FineGrained => Err(inaccessible("personal access token")),
        _ if account.packages >= access => Ok(()),
        TokenKind::Workflow { .. } => Err(inaccessible("integration")),
        TokenKind::Classic => Err(refused(403, scope)),
    }
}

/// A version that is not deleted, by its id.
fn active(state: &State, key: &str, id: &str) -> Result<Listed, Response> {
    let id = id.parse().map_err(|_text| not_found())?;
    state.store.version(key, id).ok_or_else(unknown)
}

/// Whether GitHub lets a version be deleted. Only tagged versions count for the last one.
fn may_go(state: &State, package: &Package, key: &str, found: &Listed) -> Result<(), Response> {
    if !found.tags.is_empty() && state.store.tagged_versions(key) == 1 {
        let message = "You cannot delete the last tagged version of a package. You must delete the package instead.";
        return Err(refused(400, message));
    }
    if package.visibility == Visibility::Public && found.downloads > MAX_DOWNLOADS {
        let message = "Publicly visible package versions with more than 5000 downloads cannot be deleted. Contact GitHub support for further assistance.";
        return Err(refused(400, message));
    }
    Ok(())
}

/// A page by number: a deletion shifts what later pages contain.
fn list(state: &State, request: &Request, path: &PackagePath) -> Response {
    let versions = match request.query("state") {
        Some("deleted") => state.store.deleted_versions(&path.key),
        _ => state.store.versions(&path.key, request.view),
    };
    let url = format!("{}/versions", path.api);
    pages::answer(request, &url, &versions, |version| path.json(version))
}

/// A package in the URLs of a response.
struct PackagePath {
    /// `owner/name`, in lowercase.
    key: String,
    /// The URL of the package in the API.
    api: String,
    /// The URL of its page.
    web: String,
}

impl PackagePath {
    fn new(state: &State, request: &Request, owner: &str, name: &str) -> Self {
        let links = Links::of(state, request);
        let kind = if is_organization(state, owner) {
            "orgs"
        } else {
            "users"
        };
        let encoded = name.replace('/', "%2F");
        let path = format!("{kind}/{owner}/packages/container");
        Self {
            key: format!("{owner}/{name}").to_lowercase(),
            api: format!("{}/{path}/{encoded}", links.api),
            web: format!("{}/{path}/package/{encoded}", links.web),
        }
    }

    fn json(&self, version: &Listed) -> Value {
        let id = version.id;
        let page = format!("{}/{id}", self.web.replacen("/package/", "/", 1));
        let mut json = json!({
            "id": id,
            "name": version.digest,
            "url": format!("{}/versions/{id}", self.api),
            "package_html_url": self.web,
            "created_at": rfc3339(version.created),
            "updated_at": rfc3339(version.updated),
            "html_url": page,
            "metadata": {
                "package_type": "container",
                "container": { "tags": version.tags },
            },
        });
        if let Some(deleted) = version.deleted {
            json["deleted_at"] = rfc3339(deleted).into();
        }
        json
    }
}

fn no_package() -> Response {
    refused(404, "Package not found.")
}

fn unknown() -> Response {
    refused(404, "Package version not found.")
}

fn inaccessible(by: &str) -> Response {
    refused(403, &format!("Resource not accessible by {by}"))
}

fn refused(status: u16, message: &str) -> Response {
    Response::api_error(
        status,
        message,
        "https://docs.github.com/rest/packages/packages",
    )
}
