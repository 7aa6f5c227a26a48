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
    run.assert_log(said);
}

#[test]
fn existing_image_of_commit_is_not_rebuilt() {
    let double = double();
    let digest = double.put_image("acme/widget", &format!("sha-{COMMIT}"), &of(COMMIT));
    published(&run(&double), &double, &digest);
    assert_eq!(double.count(Endpoint::BlobPut), 0);
}

#[test]
fn short_tag_is_used_when_image_names_commit() {
    let double = double();
    let digest = double.put_image("acme/widget", "sha-0123456", &of(COMMIT));
    published(&run(&double), &double, &digest);
}

#[test]
fn commit_is_read_from_labels_without_annotations() {
    let double = double();
    let digest = double.put_labelled_image("acme/widget", "sha-0123456", &of(COMMIT));
    published(&run(&double), &double, &digest);
}

#[test]
fn short_tag_of_another_commit_is_ignored() {
    let double = double();
    double.put_image("acme/widget", "sha-0123456", &of(OTHER));
    is_built(&run(&double), "does not name this commit");
}

#[test]
fn full_commit_tag_needs_image_that_names_commit() {
    let double = double();
    double.put_image("acme/widget", &format!("sha-{COMMIT}"), &[]);
    is_built(&run(&double), "does not name this commit");
}

#[test]
fn image_of_another_repository_is_ignored() {
    let double = double();
    let foreign = (
        "org.opencontainers.image.source",
        "https://github.com/joe/widget",
    );
    let annotations = [foreign, ("org.opencontainers.image.revision", COMMIT)];
    double.put_image("acme/widget", &format!("sha-{COMMIT}"), &annotations);
    is_built(&run(&double), "does not name this commit");
}

#[test]
fn tag_contradicted_by_image_is_ignored() {
    let double = double();
    double.put_image("acme/widget", &format!("sha-{COMMIT}"), &of(OTHER));
    let run = action(&double, "sha").input("fixed-tags", "replace").run();
    is_built(&run, "does not name this commit");
}

#[test]
fn missing_image_of_commit_is_built() {
    let said = "no image of this commit found; building it";
    is_built(&run(&double()), said);
}

#[test]
fn image_without_platform_is_ignored() {
    let double = double();
    double.put_image("acme/widget", &format!("sha-{COMMIT}"), &of(COMMIT));
    let run = action(&double, "sha")
        .input("platforms", "linux/arm64")
        .run();
    is_built(&run, "is not for linux/arm64; ignored");
}
