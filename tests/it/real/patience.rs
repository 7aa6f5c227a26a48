//! The engine's own uploads, spoiled: BuildKit alone gives up after seven seconds of errors, and at once
//! on 429 and on a lost upload. And how many requests many tags cost.

use std::time::{Duration, Instant};

use ghcr_double::{Denial, Double, Endpoint, Fault, Seen};

use super::world::{Crane, engine_is_recent, publication};
use crate::publication::empty_registry;
use crate::support::{Action, Run};

fn double() -> Double {
    empty_registry().start().unwrap()
}

/// A file of its own, so that there is something to upload.
fn fresh(double: &Double) -> Action {
    let action = publication(None)
        .event("push_tag")
        .input("registry", double.host());
    let unique = format!("{}\n", double.address());
    std::fs::write(action.path("workspace/hello.txt"), unique).unwrap();
    action
}

#[track_caller]
fn is_published(double: &Double, run: &Run, what: &str) {
    assert!(run.succeeded, "{what}: {}{}", run.stdout, run.stderr);
    let crane = Crane::new(&double.host());
    let tags: Vec<&str> = run.output("tags").lines().collect();
    assert_eq!(tags.len(), 2, "{what}");
    for tag in tags {
        assert_eq!(crane.digest(tag), run.output("digest"), "{what}: {tag}");
    }
}

#[track_caller]
fn survives(
    what: &str,
    action: fn(&Double) -> Action,
    spoil: impl Fn(Fault) -> Fault,
    on: Endpoint,
) {
    let double = double();
    double.script(spoil(Fault::on(on)));
    let run = action(&double).run();
    is_published(&double, &run, what);
}

#[test]
fn a_spoiled_upload_of_a_blob_is_survived() {
    survives(
        "429",
        fresh,
        |fault| fault.answer(429).times(8),
        Endpoint::BlobPut,
    );
    survives(
        "reset",
        fresh,
        |fault| fault.cut_upload(10).times(5),
        Endpoint::BlobPut,
    );
    let unknown = |fault: Fault| {
        fault.error(
            404,
            "BLOB_UPLOAD_UNKNOWN",
            "blob upload unknown to registry",
        )
    };
    survives("lost session", fresh, unknown, Endpoint::BlobPut);
    survives(
        "rate limit",
        fresh,
        |fault| fault.after(2).deny(&Denial::TooManyRequests),
        Endpoint::BlobPost,
    );
}

#[test]
fn a_minute_without_uploads_is_survived() {
    let outage = |fault: Fault| fault.answer(503).lasting(Duration::from_secs(60));
    survives("503 for 60 s", fresh, outage, Endpoint::BlobPut);
}

#[test]
fn a_minute_without_manifests_is_survived() {
    let outage = |fault: Fault| fault.answer(503).lasting(Duration::from_secs(60));
    survives("503 for 60 s", fresh, outage, Endpoint::TagPut);
}

/// An engine before 28 keeps the registry's words to itself, and a status `400` alone cannot be told from a refusal for good.
#[track_caller]
fn survives_when_told(
    what: &str,
    action: fn(&Double) -> Action,
    spoil: impl Fn(Fault) -> Fault,
    on: Endpoint,
) {
    if engine_is_recent() {
        return survives(what, action, spoil, on);
    }
    let double = double();
    double.script(spoil(Fault::on(on)));
    let run = action(&double).run();
    assert!(
        !run.succeeded && run.stderr.contains("400 Bad Request"),
        "{what}: {}{}",
        run.stdout,
        run.stderr
    );
    assert!(double.tags("acme/widget").is_empty(), "{what}");
}

#[test]
fn a_spoiled_manifest_is_survived() {
    let unknown = |fault: Fault| {
        fault.error(
            400,
            "MANIFEST_BLOB_UNKNOWN",
            "manifest blob unknown to registry",
        )
    };
    let tag = |fault: Fault| unknown(fault).path("/v1.2.3");
    survives("blob not there yet", fresh, tag, Endpoint::TagPut);
    survives(
        "wrong digest",
        fresh,
        |fault| fault.path("/v1.2.3").lie_about_digest(),
        Endpoint::TagPut,
    );
    // Several platforms make an index, and its children are put by digest.
    let index = |double: &Double| fresh(double).input("platforms", "linux/amd64,linux/arm64");
    survives_when_told("child", index, unknown, Endpoint::ManifestPut);
}

#[test]
fn a_build_that_fails_is_not_tried_again() {
    let double = double();
    let action = fresh(&double);
    let dockerfile = "FROM scratch\nCOPY nothing.txt /\n";
    std::fs::write(action.path("workspace/Dockerfile"), dockerfile).unwrap();
    let run = action.run();
    assert!(!run.succeeded);
    assert!(!run.stdout.contains("; retry "), "{}", run.stdout);
}

/// `count` tags: one that never moves and pushes the image, others like it, and `latest`.
fn with_tags(double: &Double, count: usize) -> (Run, Duration) {
    let rules: String = (2..count)
        .map(|number| format!("v1.2.3-{{{{sha}}}}-{number}\n"))
        .collect();
    let action = fresh(double).input("tags", format!("type=ref,event=tag\n{rules}"));
    let dockerfile = "FROM scratch\nCOPY hello.txt /one\nCOPY Dockerfile /two\n";
    std::fs::write(action.path("workspace/Dockerfile"), dockerfile).unwrap();
    let start = Instant::now();
    let run = action.run();
    (run, start.elapsed())
}

#[test]
fn twenty_tags_cost_at_most_sixty_four_requests() {
    let double = double();
    let (run, _) = with_tags(&double, 20);
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.output("tags").lines().count(), 20);
    // BuildKit's own 106 for as many tags were counted where nobody has to log in; so are these.
    let requests = double.requests();
    let login = |seen: &&Seen| seen.status == Some(401) || seen.endpoint == Endpoint::Token;
    let logins = requests.iter().filter(login).count();
    let work = requests.len() - logins;
    let shown: Vec<String> = requests
        .iter()
        .map(|seen| format!("{} {}", seen.method, seen.path))
        .collect();
    assert!(work <= 64, "{work} and {logins}: {}", shown.join("\n"));
    assert!(logins <= 8, "{logins}: {}", shown.join("\n"));
}
