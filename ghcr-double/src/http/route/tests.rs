//! Paths and what they address.

use super::{Endpoint, Owner, Route, Versions, decode};
use crate::github::Server;
use hyper::Method;

fn name(route: &Route) -> Option<&str> {
    match route {
        Route::Uploads { name }
        | Route::Upload { name, .. }
        | Route::Blob { name, .. }
        | Route::Manifest { name, .. }
        | Route::Tags { name }
        | Route::Referrers { name, .. } => Some(name),
        _ => None,
    }
}

#[track_caller]
fn check(method: &Method, path: &str, expected_name: Option<&str>, expected: Endpoint) {
    let route = Route::parse(Server::Github.site("ghcr.test"), path);
    assert_eq!(
        (name(&route), route.endpoint(method)),
        (expected_name, expected),
        "{path}"
    );
}

#[test]
fn names_may_have_many_components() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let name = Some("o/blobs/manifests/x");
    let at = |rest: &str| format!("/v2/o/blobs/manifests/x/{rest}");
    check(
        &Method::POST,
        &at("blobs/uploads/"),
        name,
        Endpoint::BlobPost,
    );
    check(
        &Method::PATCH,
        &at("blobs/upload/1"),
        name,
        Endpoint::BlobPatch,
    );
    check(&Method::PUT, &at("blobs/upload/1"), name, Endpoint::BlobPut);
    check(
        &Method::DELETE,
        &at("blobs/upload/1"),
        name,
        Endpoint::Other,
    );
    check(
        &Method::HEAD,
        &at(&format!("blobs/{digest}")),
        name,
        Endpoint::BlobHead,
    );
    check(
        &Method::PUT,
        &at("manifests/latest"),
        name,
        Endpoint::TagPut,
    );
    check(
        &Method::PUT,
        &at(&format!("manifests/{digest}")),
        name,
        Endpoint::ManifestPut,
    );
    check(
        &Method::HEAD,
        &at("manifests/latest"),
        name,
        Endpoint::ManifestRead,
    );
    check(&Method::GET, &at("tags/list"), name, Endpoint::TagList);
    check(
        &Method::GET,
        &at(&format!("referrers/{digest}")),
        name,
        Endpoint::Other,
    );
}

#[test]
fn other_routes_have_no_name() {
    check(&Method::GET, "/v2/", None, Endpoint::Ping);
    check(&Method::GET, "/token", None, Endpoint::Token);
    check(&Method::GET, "/api/v3/repos/o/r", None, Endpoint::Api);
    let attestations = "/api/v3/repos/o/r/attestations";
    check(&Method::POST, attestations, None, Endpoint::AttestationPost);
    check(&Method::GET, attestations, None, Endpoint::Api);
    let read = format!("{attestations}/sha256:{}", "a".repeat(64));
    check(&Method::GET, &read, None, Endpoint::AttestationGet);
    check(&Method::GET, &format!("{read}/x"), None, Endpoint::Api);
    let comments = "/api/v3/repos/o/r/issues/7/comments";
    check(&Method::GET, comments, None, Endpoint::CommentList);
    check(&Method::POST, comments, None, Endpoint::CommentPost);
    check(&Method::PATCH, comments, None, Endpoint::Api);
    let comment = "/api/v3/repos/o/r/issues/comments/17";
    check(&Method::PATCH, comment, None, Endpoint::CommentPatch);
    check(&Method::DELETE, comment, None, Endpoint::Api);
    check(&Method::POST, "/api/graphql", None, Endpoint::GraphQl);
    let versions = "/api/v3/orgs/o/packages/container/a%2Fb/versions";
    check(&Method::GET, versions, None, Endpoint::VersionList);
    let version = format!("{versions}/17");
    check(&Method::GET, &version, None, Endpoint::VersionGet);
    check(&Method::DELETE, &version, None, Endpoint::VersionDelete);
    check(&Method::PUT, &version, None, Endpoint::Api);
    let restore = format!("{version}/restore");
    check(&Method::POST, &restore, None, Endpoint::VersionRestore);
    let slash = "/api/v3/orgs/o/packages/container/a/b/versions";
    check(&Method::GET, slash, None, Endpoint::Api);
    check(&Method::GET, "/", None, Endpoint::Other);
    check(&Method::GET, "/v2/_catalog", None, Endpoint::Other);
}

#[test]
fn percent_encoding_is_decoded() {
    assert_eq!(decode("repo%2Fimage+x%"), "repo/image x%");
}

#[test]
fn packages_have_three_kinds_of_owner() {
    let owner = |path: &str| {
        let path = format!("/api/v3/{path}/packages/container/a%2Fb/versions/17");
        match Route::parse(Server::Github.site("ghcr.test"), &path) {
            Route::Versions {
                owner,
                package,
                version: Versions::One(id),
            } if package == "a/b" && id == "17" => owner,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(owner("orgs/acme"), Owner::Organization("acme".to_owned()));
    assert_eq!(owner("users/alice"), Owner::User("alice".to_owned()));
    assert_eq!(owner("user"), Owner::Caller);
}
