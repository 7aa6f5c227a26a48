//! The older Docker registry: names, permissions, and what it refuses.

use crate::client::{Reply, TOKEN, basic, bearer, send};
use ghcr_double::{Account, ContentDigest, Double, Repository, Server};
use serde_json::{Value, json};

const NAME: &str = "acme/widget/app";
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const UNAUTHENTICATED: &str = "Your request could not be authenticated by the GitHub Packages service. Please ensure \
                               your access token is valid and has the appropriate scopes configured.";

fn double_for(account: Account, content_digest: ContentDigest) -> Double {
    Double::builder()
        .server(Server::ghes_flat())
        .content_digest(content_digest)
        .token(TOKEN, account)
        .repository(Repository::new("acme/widget"))
        .start()
        .unwrap()
}

fn double() -> Double {
    double_for(Account::workflow("acme/widget"), ContentDigest::Odd)
}

fn ask(
    double: &Double,
    method: &str,
    name: &str,
    rest: &str,
    media_type: &str,
    body: &[u8],
) -> Reply {
    let bearer = bearer(double, TOKEN, name);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", media_type),
    ];
    let target = format!("/v2/{name}/{rest}");
    send(double, method, &target, &headers, body).unwrap()
}

fn get(double: &Double, rest: &str) -> Reply {
    ask(double, "GET", NAME, rest, "", b"")
}

/// A manifest that this registry accepts once its blobs are pushed.
fn image(double: &Double) -> Value {
    double.put_docker_image(NAME, "seed");
    let (_, bytes) = double.manifest(NAME, "seed").unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn image_is_pushed_and_read_by_tag_only() {
    let double = double();
    let body = image(&double).to_string();
    let put = ask(
        &double,
        "PUT",
        NAME,
        "manifests/v1",
        MANIFEST,
        body.as_bytes(),
    );
    assert_eq!(put.status, 201);
    let read = get(&double, "manifests/v1");
    assert_eq!((read.status, read.text()), (200, body.clone()));
    assert_eq!(read.header("content-type"), Some(MANIFEST));
    let digest = &double.tags(NAME)["v1"];
    for method in ["GET", "HEAD"] {
        let by_digest = ask(
            &double,
            method,
            NAME,
            &format!("manifests/{digest}"),
            "",
            b"",
        );
        assert_eq!(by_digest.status, 404, "{method}");
    }
    let by_digest = get(&double, &format!("manifests/{digest}"));
    assert_eq!(by_digest.error().0, "MANIFEST_UNKNOWN");
    let rest = format!("manifests/{digest}");
    let put = ask(&double, "PUT", NAME, &rest, MANIFEST, body.as_bytes());
    assert_eq!((put.status, put.error().0.as_str()), (405, "UNSUPPORTED"));
    let listed = get(&double, "tags/list").json();
    assert_eq!(listed, json!({ "name": NAME, "tags": ["seed", "v1"] }));
    assert!(double.package(NAME).is_none());
}

#[track_caller]
fn check_refused(media_type: &str, change: impl Fn(&mut Value), code: &str, message: &str) {
    let double = double();
    let mut manifest = image(&double);
    change(&mut manifest);
    let body = manifest.to_string();
    let reply = ask(
        &double,
        "PUT",
        NAME,
        "manifests/v1",
        media_type,
        body.as_bytes(),
    );
    let error = (code.to_owned(), message.to_owned());
    assert_eq!((reply.status, reply.error()), (400, error));
    assert!(!double.tags(NAME).contains_key("v1"));
}

#[test]
fn only_docker_images_of_one_platform_are_accepted() {
    let kind = "manifest media type is not supported";
    for other in [
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
    ] {
        check_refused(other, |_| {}, "MANIFEST_INVALID", kind);
        let says = |manifest: &mut Value| manifest["mediaType"] = other.into();
        check_refused(MANIFEST, says, "MANIFEST_INVALID", kind);
    }
    let blob = "blob media type is not supported";
    let config = |manifest: &mut Value| {
        manifest["config"]["mediaType"] = "application/vnd.oci.image.config.v1+json".into()
    };
    check_refused(MANIFEST, config, "MANIFEST_INVALID", blob);
    let foreign = "foreign layers are not supported";
    let kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let layer = |manifest: &mut Value| manifest["layers"][0]["mediaType"] = kind.into();
    check_refused(MANIFEST, layer, "MANIFEST_INVALID", foreign);
    let urls =
        |manifest: &mut Value| manifest["layers"][0]["urls"] = json!(["https://example.com/"]);
    check_refused(MANIFEST, urls, "MANIFEST_INVALID", foreign);
}

#[test]
fn blobs_must_be_pushed_before_the_manifest() {
    let absent = format!("sha256:{}", "a".repeat(64));
    let message = "manifest blob unknown to registry";
    for part in ["/config/digest", "/layers/0/digest"] {
        let gone =
            |manifest: &mut Value| *manifest.pointer_mut(part).unwrap() = absent.as_str().into();
        check_refused(MANIFEST, gone, "MANIFEST_BLOB_UNKNOWN", message);
    }
}

#[track_caller]
fn check_name(name: &str, status: u16, code: &str) {
    let double = double();
    for (method, rest) in [("POST", "blobs/uploads/"), ("GET", "manifests/v1")] {
        let reply = ask(&double, method, name, rest, "", b"");
        assert_eq!(
            (reply.status, reply.error().0.as_str()),
            (status, code),
            "{method} {name}"
        );
    }
}

#[test]
fn names_have_three_components() {
    check_name("acme/app", 404, "NAME_UNKNOWN");
    check_name("acme/widget/app/more", 404, "NAME_UNKNOWN");
    check_name("acme/Widget/app", 400, "NAME_INVALID");
}

/// Checks the status of the first request of a push.
#[track_caller]
fn check_push(account: Account, name: &str, status: u16) {
    let double = double_for(account, ContentDigest::Odd);
    let reply = ask(&double, "POST", name, "blobs/uploads/", "", b"");
    assert_eq!(reply.status, status, "{}", reply.text());
}

#[test]
fn permissions_are_those_of_the_repository_in_the_name() {
    check_push(Account::workflow("acme/widget"), NAME, 202);
    check_push(Account::workflow("acme/other"), NAME, 403);
    check_push(Account::workflow("outsider/widget"), NAME, 403);
    check_push(Account::classic("acme"), NAME, 202);
    check_push(Account::classic("alice").owner("acme"), NAME, 202);
}

#[test]
fn public_images_cannot_be_read_without_login() {
    let double = double();
    double.put_docker_image(NAME, "v1");
    let target = format!("/v2/{NAME}/manifests/v1");
    let wrong = basic("wrong");
    let token = format!("/token?scope=repository:{NAME}:pull");
    for (target, authorization) in [
        (target.as_str(), ""),
        (&target, "Bearer d3Jvbmc="),
        ("/v2/", ""),
        (&token, ""),
        (&token, &wrong),
    ] {
        let headers = [("authorization", authorization)];
        let reply = send(&double, "GET", target, &headers, b"").unwrap();
        let error = ("UNAUTHORIZED".to_owned(), UNAUTHENTICATED.to_owned());
        assert_eq!((reply.status, reply.error()), (401, error), "{target}");
    }
    let other = double_for(Account::workflow("acme/other"), ContentDigest::Odd);
    other.put_docker_image(NAME, "v1");
    assert_eq!(get(&other, "manifests/v1").status, 200);
}

/// The digest header of the responses to a finished upload, a manifest push and a manifest read.
#[track_caller]
fn check_digests(content_digest: ContentDigest, expected: impl Fn(&str) -> Option<String>) {
    let double = double_for(Account::workflow("acme/widget"), content_digest);
    let body = image(&double).to_string();
    let started = ask(&double, "POST", NAME, "blobs/uploads/", "", b"");
    let session = started.location().replacen(&format!("/v2/{NAME}/"), "", 1);
    let layer = Double::builder().start().unwrap().put_blob("x/y", "layer");
    let rest = format!("{session}?digest={layer}");
    let uploaded = ask(&double, "PUT", NAME, &rest, "", b"layer");
    let put = ask(
        &double,
        "PUT",
        NAME,
        "manifests/v1",
        MANIFEST,
        body.as_bytes(),
    );
    let manifest = double.tags(NAME)["v1"].clone();
    let read = get(&double, "manifests/v1");
    for (reply, digest) in [(uploaded, layer), (put, manifest.clone()), (read, manifest)] {
        assert!(reply.status < 300);
        let said = reply.header("docker-content-digest").map(str::to_owned);
        assert_eq!(said, expected(&digest), "{content_digest:?}");
    }
}

#[test]
fn content_digest_is_invalid_or_missing() {
    check_digests(ContentDigest::Missing, |_| None);
    let without_algorithm = |digest: &str| digest.strip_prefix("sha256:").map(str::to_owned);
    check_digests(ContentDigest::Odd, without_algorithm);
    check_digests(ContentDigest::Correct, |digest| Some(digest.to_owned()));
}

#[test]
fn mounts_and_referrers_are_not_supported() {
    let double = double();
    let digest = double.put_blob("acme/widget/base", "layer");
    let rest = format!("blobs/uploads/?mount={digest}&from=acme/widget/base");
    let reply = ask(&double, "POST", NAME, &rest, "", b"");
    assert_eq!(reply.status, 202);
    assert!(double.blob(NAME, &digest).is_none());
    let image = double.put_docker_image(NAME, "v1");
    let reply = get(&double, &format!("referrers/{image}"));
    assert_eq!(reply.status, 404);
}
