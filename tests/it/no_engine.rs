//! What builds nothing here needs no engine: no socket, no `docker`, no `buildx`.

use std::fs;

use ghcr_double::Double;

use crate::publication::{NAME, registry, registry_with_image};
use crate::support::Action;

/// A run on a machine without Docker.
fn bare(double: &Double) -> Action {
    let action = Action::publishing("push_tag", double);
    fs::remove_file(action.path("docker.sock")).unwrap();
    action.env("PATH", "/nowhere")
}

#[track_caller]
fn succeeds(action: Action) {
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_plan_a_check_and_a_promotion_need_no_engine() {
    let (double, digest) = registry_with_image("tested");
    for mode in ["plan", "check"] {
        succeeds(bare(&double).arguments(&[mode]));
    }
    let candidate = format!("{}/{NAME}@{digest}", double.host());
    succeeds(bare(&double).input("candidate", candidate));
    assert_eq!(double.tags(NAME)["v1.2.3"], digest);
}

#[test]
fn a_remote_builder_needs_buildx_only() {
    let double = registry().start().unwrap();
    let digest = double.put_platform_image(NAME, "linux/amd64");
    let action = Action::publishing("push_tag", &double);
    fs::remove_file(action.path("docker.sock")).unwrap();
    let action = action
        .input("driver", "remote")
        .input("endpoint", "tcp://127.0.0.1:9")
        .buildx_pushes(&digest);
    succeeds(action);
    assert_eq!(double.tags(NAME)["v1.2.3"], digest);
}
