//! Blobs: uploads, mounts and reads.

use crate::client::{NAME, TOKEN, ask, basic, bearer, double, send};
use ghcr_double::{Account, Double, Package};

fn digest(bytes: &[u8]) -> String {
    double().put_blob("x/y", bytes.to_vec())
}

/// The part of the location of an upload after the name.
fn session(double: &Double) -> String {
    let reply = ask(double, "POST", "blobs/uploads/", b"").unwrap();
    assert_eq!(reply.status, 202);
    let location = reply.location();
    location
        .strip_prefix("/v2/acme/widget/")
        .unwrap()
        .to_owned()
}

#[test]
fn session_has_a_relative_location_and_creates_no_package() {
    let double = Double::builder()
        .token(TOKEN, Account::workflow("acme/widget"))
        .start()
        .unwrap();
    let reply = ask(&double, "POST", "blobs/uploads/", b"").unwrap();
    let id = reply.header("docker-upload-uuid").unwrap();
    assert_eq!(
        reply.header("location"),
        Some(&*format!("/v2/{NAME}/blobs/upload/{id}"))
    );
    assert_eq!(reply.header("range"), Some("0-0"));
    assert!(double.package(NAME).is_none());
}

#[test]
fn monolithic_put_is_stored() {
    let double = double();
    let digest = digest(b"hello");
    let target = format!("{}?digest={digest}", session(&double));
    let reply = ask(&double, "PUT", &target, b"hello").unwrap();
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("docker-content-digest"), Some(&*digest));
    assert_eq!(double.blob(NAME, &digest).unwrap(), "hello");
    let again = ask(&double, "PUT", &target, b"hello").unwrap();
    assert_eq!(
        (again.status, again.error().0.as_str()),
        (404, "BLOB_UPLOAD_UNKNOWN")
    );
}

#[test]
fn post_with_a_digest_still_opens_a_session() {
    let target = format!("blobs/uploads/?digest={}", digest(b"hello"));
    let reply = ask(&double(), "POST", &target, b"hello").unwrap();
    assert_eq!(reply.status, 202);
}

#[test]
fn streamed_patch_may_be_large() {
    let double = double();
    let bytes = vec![7; 6 * 1024 * 1024];
    let session = session(&double);
    let patched = ask(&double, "PATCH", &session, &bytes).unwrap();
    assert_eq!(
        (patched.status, patched.header("range")),
        (202, Some("0-6291455"))
    );
    let digest = digest(&bytes);
    let reply = ask(&double, "PUT", &format!("{session}?digest={digest}"), b"").unwrap();
    assert_eq!(reply.status, 201);
}

#[track_caller]
fn check_ranged(length: usize, range: &str, expected: u16) -> String {
    let double = double();
    let target = format!("/v2/{NAME}/{}", session(&double));
    let bearer = bearer(&double, TOKEN, NAME);
    let headers = [("authorization", bearer.as_str()), ("content-range", range)];
    let reply = send(&double, "PATCH", &target, &headers, &vec![0; length]).unwrap();
    assert_eq!(reply.status, expected);
    reply.text()
}

#[test]
fn patch_with_a_range_is_limited_to_four_mebibytes() {
    const LIMIT: usize = 4 * 1024 * 1024;
    check_ranged(LIMIT, "0-4194303", 202);
    check_ranged(1, "5-5", 416);
    assert_eq!(
        check_ranged(LIMIT + 1, "0-4194304", 416),
        concat!(
            r#"{"errors":[{"code":"REQUESTED_RANGE_NOT_SATISFIABLE","message":"the request body is too large "#,
            r#"and exceeds the maximum permissible limit of 4.00MiB"}]}"#
        )
    );
}

#[test]
fn wrong_digest_is_refused_and_cancelling_is_unsupported() {
    let double = double();
    let target = session(&double);
    let reply = ask(&double, "DELETE", &target, b"").unwrap();
    assert_eq!(
        (reply.status, reply.error().0.as_str()),
        (405, "UNSUPPORTED")
    );
    let target = format!("{target}?digest={}", digest(b"other"));
    let reply = ask(&double, "PUT", &target, b"hello").unwrap();
    assert_eq!(
        (reply.status, reply.error().0.as_str()),
        (400, "DIGEST_INVALID")
    );
}

#[test]
fn mount_requires_read_access_to_the_source() {
    let double = double();
    double.set_package("acme/base", Package::of("acme/widget"));
    double.set_package("acme/closed", Package::unlinked());
    let digest = double.put_blob("acme/base", "layer");
    double.put_blob("acme/closed", "layer");
    let scopes = "scope=repository:acme/widget:pull,push&scope=repository:acme/base:pull\
                  &scope=repository:acme/closed:pull";
    let authorization = basic(TOKEN);
    let headers = [("authorization", authorization.as_str())];
    let reply = send(&double, "GET", &format!("/token?{scopes}"), &headers, b"").unwrap();
    let bearer = format!("Bearer {}", reply.json()["token"].as_str().unwrap());
    let mount = |from: &str| {
        let target = format!("/v2/{NAME}/blobs/uploads/?mount={digest}&from={from}");
        let headers = [("authorization", bearer.as_str())];
        send(&double, "POST", &target, &headers, b"")
            .unwrap()
            .status
    };
    assert_eq!(mount("acme/closed"), 202);
    assert!(double.blob(NAME, &digest).is_none());
    assert_eq!(mount("acme/base"), 201);
    assert!(double.blob(NAME, &digest).is_some());
}

#[test]
fn blob_is_read_from_another_host_without_credentials() {
    let double = double();
    let digest = double.put_blob(NAME, "0123456789");
    let head = ask(&double, "HEAD", &format!("blobs/{digest}"), b"").unwrap();
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("10"))
    );
    let get = ask(&double, "GET", &format!("blobs/{digest}"), b"").unwrap();
    assert_eq!(get.status, 307);
    assert!(
        get.header("location")
            .unwrap()
            .starts_with("http://localhost:")
    );
    let target = get.location();
    let credentials = [("authorization", "Bearer x")];
    let refused = send(&double, "GET", &target, &credentials, b"").unwrap();
    assert_eq!(refused.status, 400);
    let part = send(&double, "GET", &target, &[("range", "bytes=2-4")], b"").unwrap();
    assert_eq!((part.status, part.text().as_str()), (206, "234"));
    let whole = send(&double, "GET", &target, &[], b"").unwrap();
    assert_eq!((whole.status, whole.text().as_str()), (200, "0123456789"));
}

#[test]
fn blob_of_another_name_is_unknown() {
    let double = double();
    let digest = double.put_blob("acme/other", "layer");
    let reply = ask(&double, "HEAD", &format!("blobs/{digest}"), b"").unwrap();
    assert_eq!((reply.status, reply.body.len()), (404, 0));
}
