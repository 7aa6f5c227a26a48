//! The effect of every scripted fault on a client.

use crate::client::{NAME, ask, double};
use ghcr_double::{Denial, Double, Endpoint, Fault};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

const BODY: &[u8] = br#"{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

fn put_tag(double: &Double) -> Result<u16, ErrorKind> {
    ask(double, "PUT", "manifests/v1", BODY)
        .map(|reply| reply.status)
        .map_err(|error| error.kind())
}

/// Scripts a fault for the tag, puts the tag twice, and checks the results and whether the first push was stored.
#[track_caller]
fn check(fault: Fault, expected: [Result<u16, ErrorKind>; 2], stored: bool) {
    let double = double();
    double.script(fault);
    let first = put_tag(&double);
    assert_eq!(double.tags(NAME).contains_key("v1"), stored);
    assert_eq!([first, put_tag(&double)], expected);
}

#[test]
fn scripted_response_replaces_the_handler() {
    let fault = || Fault::on(Endpoint::TagPut);
    check(fault().answer(503), [Ok(503), Ok(201)], false);
    check(fault().times(2).answer(503), [Ok(503), Ok(503)], false);
    check(fault().after(1).answer(503), [Ok(201), Ok(503)], true);
    check(
        fault().deny(&Denial::SecondaryRateLimit),
        [Ok(403), Ok(201)],
        false,
    );
}

#[test]
fn connections_are_dropped() {
    let fault = || Fault::on(Endpoint::TagPut);
    let reset = Err(ErrorKind::ConnectionReset);
    let closed = Err(ErrorKind::UnexpectedEof);
    check(fault().reset(), [reset, Ok(201)], false);
    check(fault().close(), [closed, Ok(201)], false);
    check(fault().cut_upload(8), [reset, Ok(201)], false);
    check(fault().reset_after_serving(), [reset, Ok(201)], true);
}

#[test]
fn scripted_response_has_headers_and_body() {
    let double = double();
    let fault = Fault::on(Endpoint::TagPut)
        .answer(429)
        .header("retry-after", "2")
        .body("text/html", "<!DOCTYPE html>");
    double.script(fault);
    let reply = ask(&double, "PUT", "manifests/v1", BODY).unwrap();
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (429, Some("2"))
    );
    assert_eq!(reply.header("content-type"), Some("text/html"));
    assert_eq!(reply.text(), "<!DOCTYPE html>");
}

#[test]
fn digest_header_is_wrong_or_missing_while_the_tag_moves() {
    let double = double();
    double.script(Fault::on(Endpoint::TagPut).lie_about_digest());
    double.script(Fault::on(Endpoint::TagPut).without_header("docker-content-digest"));
    let lie = ask(&double, "PUT", "manifests/v1", BODY).unwrap();
    let header = lie.header("docker-content-digest").unwrap();
    assert!(header.ends_with("000"));
    assert_ne!(header, double.tags(NAME)["v1"]);
    let missing = ask(&double, "PUT", "manifests/v1", BODY).unwrap();
    assert_eq!(
        (missing.status, missing.header("docker-content-digest")),
        (201, None)
    );
}

#[test]
fn body_of_the_response_ends_half_way() {
    let double = double();
    double.put_image(NAME, "v1", &[]);
    double.script(Fault::on(Endpoint::ManifestRead).cut_answer());
    let error = ask(&double, "GET", "manifests/v1", b"").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(
        ask(&double, "GET", "manifests/v1", b"").unwrap().status,
        200
    );
}

#[test]
fn request_is_delayed_and_served() {
    let double = double();
    let pause = Duration::from_millis(50);
    double.script(Fault::on(Endpoint::TagPut).hang(pause));
    let start = Instant::now();
    assert_eq!(put_tag(&double), Ok(201));
    assert!(start.elapsed() >= pause);
}

fn read(double: &Double) -> (u16, Option<String>) {
    let reply = ask(double, "HEAD", "manifests/v1", b"").unwrap();
    let digest = reply.header("docker-content-digest").map(str::to_owned);
    (reply.status, digest)
}

#[test]
fn stale_reads_start_when_the_tag_moves() {
    let double = double();
    let before = Some(double.put_image(NAME, "v1", &[]));
    double.script(Fault::on(Endpoint::ManifestRead).times(2).stale());
    assert_eq!(read(&double), (200, before.clone()));
    put_tag(&double).unwrap();
    let after = Some(double.tags(NAME)["v1"].clone());
    assert_eq!(read(&double), (200, before.clone()));
    assert_eq!(read(&double), (200, before));
    assert_eq!(read(&double), (200, after));
}

#[test]
fn new_manifest_is_missing_until_the_fault_ends() {
    let double = double();
    double.put_image(NAME, "v1", &[]);
    double.script(Fault::on(Endpoint::ManifestRead).times(1).missing());
    assert_eq!(read(&double).0, 200);
    put_tag(&double).unwrap();
    assert_eq!(read(&double).0, 404);
    assert_eq!(read(&double).0, 200);
}

#[test]
fn outage_ends_after_its_period_and_a_script_can_be_cleared() {
    let double = double();
    double.script(
        Fault::on(Endpoint::TagPut)
            .lasting(Duration::ZERO)
            .answer(503),
    );
    assert_eq!(put_tag(&double), Ok(201));
    double.script(
        Fault::on(Endpoint::Any)
            .path("/manifests/v1")
            .always()
            .answer(500),
    );
    assert_eq!(put_tag(&double), Ok(500));
    double.clear_script();
    assert_eq!(put_tag(&double), Ok(201));
    let statuses: Vec<_> = double
        .requests()
        .iter()
        .filter(|seen| seen.endpoint == Endpoint::TagPut)
        .map(|seen| seen.status)
        .collect();
    assert_eq!(statuses, [Some(201), Some(500), Some(201)]);
}

#[test]
fn dropped_requests_are_recorded_without_a_status() {
    let double = double();
    double.script(Fault::on(Endpoint::TagPut).reset());
    put_tag(&double).unwrap_err();
    assert_eq!(double.requests().last().unwrap().status, None);
}
