//! What goes wrong on the way from one registry to another.

use ghcr_double::{Double, Endpoint, Fault};

use super::images::{Image, Put};
use super::{action_between, double, published};
use crate::support::Run;

/// A publication between two registries after `spoil`.
fn run(spoil: impl Fn(&Double, &Double, &Put)) -> (Run, Double, Double, Put) {
    let (source, target) = (double(), double());
    let image = Image::of_layers("amd64", 1, 300_000).put(&source, "acme/tested");
    spoil(&source, &target, &image);
    let candidate = format!("{}/acme/tested@{}", source.host(), image.digest);
    let run = action_between(&source, &target, &candidate)
        .input("push-timeout", "30s")
        .run();
    (run, source, target, image)
}

#[track_caller]
fn survives(said: &str, spoil: impl Fn(&Double, &Double, &Put)) -> Double {
    let (run, _source, target, image) = run(spoil);
    published(&run, &target, &image.digest);
    run.assert_log(said);
    target
}

#[test]
fn transient_upload_error_is_retried() {
    let target = survives("answered 503", |_, target, _| {
        target.script(Fault::on(Endpoint::BlobPut).answer(503));
    });
    assert_eq!(target.count(Endpoint::BlobPut), 3);
}

#[test]
fn expired_upload_session_is_reopened() {
    survives("BLOB_UPLOAD_UNKNOWN", |_, target, _| {
        let fault = Fault::on(Endpoint::BlobPut);
        target.script(fault.error(
            404,
            "BLOB_UPLOAD_UNKNOWN",
            "blob upload unknown to registry",
        ));
    });
}

#[test]
fn interrupted_upload_is_retried() {
    survives("did not respond", |_, target, _| {
        target.script(Fault::on(Endpoint::BlobPut).cut_upload(1000));
    });
}

#[test]
fn uploaded_blob_without_response_is_not_resent() {
    let target = survives("did not respond", |_, target, _| {
        target.script(Fault::on(Endpoint::BlobPut).reset_after_serving());
    });
    assert_eq!(target.count(Endpoint::BlobPut), 2);
}

#[test]
fn interrupted_download_is_retried() {
    survives("did not respond", |source, _, image| {
        let path = format!("/storage/{}", image.layers[0]);
        source.script(Fault::on(Endpoint::Any).path(&path).cut_answer());
    });
    survives("did not respond", |source, _, _| {
        source.script(Fault::on(Endpoint::BlobGet).reset());
    });
}

#[test]
fn bytes_of_another_digest_are_never_published() {
    let (run, _source, target, image) = run(|source, _, image| {
        let path = format!("/storage/{}", image.layers[0]);
        let other = "x".repeat(300_000);
        let fault = Fault::on(Endpoint::Any).path(&path).always().answer(200);
        source.script(fault.body("application/octet-stream", &other));
    });
    assert!(!run.succeeded, "{}", run.stdout);
    let layer = &image.layers[0];
    run.assert_error(format!(
        "sent content that does not match {layer} (300000 bytes)"
    ));
    assert!(target.tags("acme/widget").is_empty());
    assert!(target.blob("acme/widget", layer).is_none());
    assert_eq!(run.output("pushed"), "false");
}

/// The upload waits two of three seconds, so a tag that asks for two more comes too late.
#[test]
fn copy_and_tags_share_one_deadline() {
    let (source, target) = (double(), double());
    let image = Image::of_layers("amd64", 1, 1000).put(&source, "acme/tested");
    let busy = |endpoint| Fault::on(endpoint).answer(503).header("Retry-After", "2");
    target.script(busy(Endpoint::BlobPut));
    target.script(busy(Endpoint::TagPut));
    let candidate = format!("{}/acme/tested@{}", source.host(), image.digest);
    let run = action_between(&source, &target, &candidate)
        .input("push-timeout", "3s")
        .run();
    assert!(!run.succeeded, "{}", run.stdout);
    // The layer arrived after its wait, and the tag was tried once.
    assert!(target.blob("acme/widget", &image.layers[0]).is_some());
    assert_eq!(target.count(Endpoint::TagPut), 1, "{}", run.stdout);
    assert!(target.tags("acme/widget").is_empty());
}
