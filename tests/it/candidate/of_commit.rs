//! `candidate: sha`: the image of this commit, or a build.

use ghcr_double::{Double, Endpoint};

use super::{COMMIT, SOURCE, action, double, published};
use crate::support::Run;

const OTHER: &str = "0123456fffffffffffffffffffffffffffffffff";

fn run(double: &Double) -> Run {
    action(double, "sha").run()
}

fn of(commit: &str) -> [(&str, &str); 2] {
    [SOURCE, ("org.opencontainers.image.revision", commit)]
}

/// The scripted `buildx`, which fails, was started.
#[track_caller]
fn is_built(run: &Run, said: &str) {
    assert!(!run.noted("calls").is_empty(), "{}", run.stdout);
    assert!(run.stdout.contains(said), "{}", run.stdout);
}

#[test]
fn the_image_of_the_commit_is_published_and_not_built() {
    let double = double();
    let digest = double.put_image("acme/widget", &format!("sha-{COMMIT}"), &of(COMMIT));
    published(&run(&double), &double, &digest);
    assert_eq!(double.count(Endpoint::BlobPut), 0);
}

#[test]
fn a_cache_that_a_build_would_have_written_is_not_named() {
    let double = double();
    double.put_image("acme/widget", &format!("sha-{COMMIT}"), &of(COMMIT));
    let run = action(&double, "sha")
        .input("cache-to", "type=registry,ref=quay.io/acme/cache:x")
        .run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.output("other-references"), "");
}

#[test]
fn a_short_tag_counts_when_the_image_says_the_commit() {
    let double = double();
    let digest = double.put_image("acme/widget", "sha-0123456", &of(COMMIT));
    published(&run(&double), &double, &digest);
}

#[test]
fn labels_say_the_commit_where_an_engine_drops_annotations() {
    let double = double();
    let digest = double.put_labelled_image("acme/widget", "sha-0123456", &of(COMMIT));
    published(&run(&double), &double, &digest);
}

#[test]
fn a_short_tag_of_another_commit_is_left_alone() {
    let double = double();
    double.put_image("acme/widget", "sha-0123456", &of(OTHER));
    is_built(&run(&double), "is not said to be of this commit");
}

#[test]
fn a_tag_with_the_whole_commit_needs_an_image_that_says_it() {
    let double = double();
    double.put_image("acme/widget", &format!("sha-{COMMIT}"), &[]);
    is_built(&run(&double), "is not said to be of this commit");
}

#[test]
fn an_image_of_another_repository_is_left_alone() {
    let double = double();
    let foreign = (
        "org.opencontainers.image.source",
        "https://github.com/joe/widget",
    );
    let annotations = [foreign, ("org.opencontainers.image.revision", COMMIT)];
    double.put_image("acme/widget", &format!("sha-{COMMIT}"), &annotations);
    is_built(&run(&double), "is not said to be of this commit");
}

#[test]
fn a_tag_that_the_image_contradicts_is_left_alone() {
    let double = double();
    double.put_image("acme/widget", &format!("sha-{COMMIT}"), &of(OTHER));
    is_built(&run(&double), "is not said to be of this commit");
}

#[test]
fn without_an_image_of_the_commit_there_is_a_build() {
    let said = "the registry has no image of this commit, so it is built";
    is_built(&run(&double()), said);
}

#[test]
fn an_image_without_the_platform_is_left_alone() {
    let double = double();
    double.put_image("acme/widget", &format!("sha-{COMMIT}"), &of(COMMIT));
    let run = action(&double, "sha")
        .input("platforms", "linux/arm64")
        .run();
    is_built(&run, "is not for linux/arm64, and left alone");
}
