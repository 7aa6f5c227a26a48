//! Which image the new one is compared with.

use std::time::Duration;

use ghcr_double::{Endpoint, Fault};
use serde_json::json;

use super::images::put;
use super::{changes, image, publish, succeeded};
use crate::publication::{NAME, PUSHED, registry};
use crate::support::Action;

#[test]
fn a_pull_request_is_compared_with_its_base_branch() {
    let double = registry().start().unwrap();
    put(&double, "main", &[image("linux/amd64", &[1])]);
    let digest = put(&double, "pr-2", &[image("linux/amd64", &[1, 2])]);
    let run = Action::publishing("pull_request", &double).buildx_pushes(&digest);
    let run = succeeded(run);
    run.assert_log(" since main\n");
    run.assert_summary("#### Changes since `main`\n");
}

#[test]
fn without_another_image_nothing_is_compared() {
    let double = registry().start().unwrap();
    let digest = put(&double, PUSHED, &[image("linux/amd64", &[1])]);
    let run = succeeded(publish(&double, &digest));
    assert_eq!(run.output("changes"), "");
    assert!(!run.stdout.contains("::notice"), "{}", run.stdout);
    let run = succeeded(publish(&double, &digest).input("compare-with", "none"));
    assert_eq!(run.output("changes"), "");
}

#[test]
fn an_image_of_another_name_can_be_compared() {
    let other = ghcr_double::Package::of("acme/Widget");
    let double = registry().package("acme/other", other).start().unwrap();
    let digest = put(&double, PUSHED, &[image("linux/amd64", &[1])]);
    double.put_image("acme/other", "1.0", &[]);
    let reference = format!("{}/acme/other:1.0", double.host());
    let run = succeeded(publish(&double, &digest).input("compare-with", &reference));
    assert_eq!(changes(&run)["with"], reference);
    run.assert_log(format!(" since {reference}\n"));
}

#[test]
fn image_of_the_input_that_does_not_exist_is_a_notice() {
    let double = registry().start().unwrap();
    let digest = put(&double, PUSHED, &[image("linux/amd64", &[1])]);
    let run = succeeded(publish(&double, &digest).input("compare-with", "stabel"));
    assert_eq!(run.output("changes"), "");
    let name = format!("{}/{NAME}", double.host());
    run.assert_log(format!("::notice title=ghcr-publish::nothing to compare the image with, see the input `compare-with`: `{name}:stabel` does not exist"));
}

/// A registry that answers late delays no tag for longer.
#[test]
fn image_that_is_not_read_within_ten_seconds_is_a_notice() {
    let other = ghcr_double::Package::of("acme/Widget");
    let double = registry().package("acme/other", other).start().unwrap();
    let digest = put(&double, PUSHED, &[image("linux/amd64", &[1])]);
    double.put_image("acme/other", "1.0", &[]);
    let slow = Fault::on(Endpoint::ManifestRead).path("acme/other");
    double.script(slow.hang(Duration::from_secs(25)).always());
    let reference = format!("{}/acme/other:1.0", double.host());
    let run = succeeded(publish(&double, &digest).input("compare-with", &reference));
    assert_eq!(run.output("changes"), "");
    run.assert_log(format!(
        "cannot compare the image with `{reference}`: no answer within 10 seconds"
    ));
}

/// An engine that cannot push by digest writes a tag first.
#[test]
fn pull_request_is_compared_with_its_own_image_of_before() {
    let double = registry().start().unwrap();
    put(&double, "pr-2", &[image("linux/amd64", &[1])]);
    let old = double.tags(NAME)["pr-2"].clone();
    let digest = put(
        &double,
        "pr-2-sha-0123456",
        &[image("linux/amd64", &[1, 2])],
    );
    let run = Action::publishing("pull_request", &double).buildx_pushes(&digest);
    let run = succeeded(run.input("compare-with", "pr-2"));
    assert_eq!(double.tags(NAME)["pr-2"], digest);
    assert_eq!(changes(&run)["from"], old);
}

/// It is read while the version is written, and before it moves itself.
#[test]
fn floating_tag_of_a_release_is_compared_before_it_moves() {
    let double = registry().start().unwrap();
    put(&double, "1.2", &[image("linux/amd64", &[1])]);
    let old = double.tags(NAME)["1.2"].clone();
    let digest = put(&double, PUSHED, &[image("linux/amd64", &[1, 2])]);
    let rules = "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}.{{minor}}";
    let action = Action::publishing("push_tag", &double).buildx_pushes(&digest);
    let run = succeeded(action.input("tags", rules).input("flavor", "latest=false"));
    assert_eq!(double.tags(NAME)["1.2"], digest);
    let changes = changes(&run);
    let compared = [&changes["from"], &changes["to"]];
    assert_eq!(compared, [&json!(old), &json!(digest)]);
}
