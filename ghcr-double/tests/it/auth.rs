//! Challenges, the token endpoint, and the lifetime of bearer tokens.

use crate::client::{NAME, TOKEN, basic, bearer, double, send};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ghcr_double::{Account, Credential, Double, Endpoint, Package};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn ping_challenges_with_a_placeholder_scope() {
    let double = double();
    let reply = send(&double, "GET", "/v2/", &[], b"").unwrap();
    assert_eq!(reply.status, 401);
    assert_eq!(
        reply.header("www-authenticate").unwrap(),
        format!(
            r#"Bearer realm="{}/token",service="{}",scope="repository:user/image:pull""#,
            double.url(),
            double.host()
        )
    );
    assert_eq!(
        reply.header("docker-distribution-api-version"),
        Some("registry/2.0")
    );
}

#[test]
fn repository_challenges_with_its_own_scope() {
    let double = double();
    let target = format!("/v2/{NAME}/manifests/latest");
    let reply = send(&double, "GET", &target, &[], b"").unwrap();
    assert_eq!(reply.status, 401);
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(challenge.ends_with(r#"scope="repository:acme/widget:pull""#));
}

#[test]
fn bearer_token_is_opaque_and_has_no_stated_lifetime() {
    let double = double();
    let authorization = basic(TOKEN);
    let headers = [("authorization", authorization.as_str())];
    let target = "/token?scope=repository:acme/widget:pull";
    let reply = send(&double, "GET", target, &headers, b"").unwrap().json();
    assert_eq!(reply.as_object().unwrap().len(), 1);
    assert!(!reply["token"].as_str().unwrap().contains('.'));
}

#[track_caller]
fn check_exchange(method: &str, headers: &[(&str, &str)], scope: &str, body: &[u8], expected: u16) {
    let double = Double::builder()
        .token(TOKEN, Account::workflow("acme/widget"))
        .package("acme/open", Package::of("acme/widget").public())
        .package(NAME, Package::of("acme/widget"))
        .start()
        .unwrap();
    let target = format!("/token?scope=repository:{scope}");
    let reply = send(&double, method, &target, headers, body).unwrap();
    assert_eq!(reply.status, expected, "{}", reply.text());
}

fn header(value: &str) -> [(&str, &str); 1] {
    [("authorization", value)]
}

#[test]
fn token_endpoint_accepts_basic_and_anonymous_requests() {
    let (good, bad) = (basic(TOKEN), basic("wrong"));
    let raw = format!("Bearer {TOKEN}");
    check_exchange("GET", &header(&good), "other/thing:pull,push", b"", 200);
    check_exchange("GET", &header(&bad), "acme/open:pull", b"", 403);
    check_exchange("GET", &header(&raw), "acme/open:pull", b"", 401);
    check_exchange("GET", &[], "acme/open:pull", b"", 200);
    check_exchange("GET", &[], "acme/open:pull,push", b"", 403);
    check_exchange("GET", &[], "acme/widget:pull", b"", 401);
}

#[test]
fn oauth_makes_buildkit_fall_back_to_get() {
    let form = |token: &str| format!("grant_type=password&username=x&password={token}");
    check_exchange("POST", &[], "acme/widget:pull", form(TOKEN).as_bytes(), 405);
    check_exchange(
        "POST",
        &[],
        "acme/widget:pull",
        form("wrong").as_bytes(),
        403,
    );
}

#[test]
fn bearer_token_expires() {
    let double = Double::builder()
        .token(TOKEN, Account::workflow("acme/widget"))
        .bearer_life(Duration::ZERO)
        .start()
        .unwrap();
    let bearer = bearer(&double, TOKEN, NAME);
    let headers = [("authorization", bearer.as_str())];
    let reply = send(&double, "GET", "/v2/", &headers, b"").unwrap();
    assert_eq!(reply.status, 401);
}

#[track_caller]
fn check_direct(authorization: &str, expected: u16, message: &str) {
    let target = format!("/v2/{NAME}/blobs/uploads/");
    let headers = [("authorization", authorization)];
    let reply = send(&double(), "POST", &target, &headers, b"").unwrap();
    assert_eq!(reply.status, expected);
    assert!(reply.text().contains(message), "{}", reply.text());
}

#[test]
fn token_in_base64_is_accepted_as_bearer_but_not_as_basic() {
    check_direct(&format!("Bearer {}", STANDARD.encode(TOKEN)), 202, "");
    check_direct(&basic(TOKEN), 403, "invalid token");
    check_direct(
        &format!("Bearer {}", STANDARD.encode("revoked")),
        401,
        "unauthenticated: User cannot be authenticated with the token provided.",
    );
}

#[test]
fn bearer_token_is_valid_for_its_repository_only() {
    let double = double();
    let bearer = bearer(&double, TOKEN, "acme/other");
    let target = format!("/v2/{NAME}/blobs/uploads/");
    let headers = [("authorization", bearer.as_str())];
    let reply = send(&double, "POST", &target, &headers, b"").unwrap();
    assert_eq!(reply.status, 401);
}

#[test]
fn requests_are_recorded_without_secrets() {
    let double = double();
    bearer(&double, TOKEN, NAME);
    let seen = &double.requests()[0];
    assert_eq!((seen.endpoint, seen.status), (Endpoint::Token, Some(200)));
    assert_eq!(
        (seen.credential, seen.path.as_str()),
        (Credential::Basic, "/token")
    );
    assert_eq!(double.count(Endpoint::Any), 1);
    assert_eq!(double.count(Endpoint::TagPut), 0);
}

#[test]
fn tls_handshake_gets_a_plain_http_response() {
    let double = double();
    let mut stream = TcpStream::connect(double.address()).unwrap();
    stream
        .write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
}
