//! A policy next to the Dockerfile, with a BuildKit that enforces policies and with one that does not.

use std::fs;

use super::{double, run_number};
use crate::real::world::{engine_version, output_of, publication, repository_file};
use crate::support::{Action, Run, process};

/// Only files of the build context are allowed.
const POLICY: &str = "package docker\n\ndefault allow := false\n\nallow if input.local\n\ndecision := {\"allow\": allow}\n";

/// Fetches a file that does not exist: an allowed source would be the error.
const FETCHES: &str = "FROM scratch\nADD http://127.0.0.1:9/x /x\n";

fn with_policy(number: u32) -> Action {
    let action = publication(None)
        .event("push_tag")
        .env("GITHUB_RUN_ID", run_number(number))
        .input("push", "false");
    fs::write(action.path("workspace/Dockerfile.rego"), POLICY).unwrap();
    let state = action.path("state").display().to_string();
    action.env("GITHUB_STATE", state)
}

fn in_container(action: Action) -> Run {
    let script = repository_file("testbed/recent-buildkit");
    let image = output_of(&mut process(script.to_str().unwrap()));
    let image = image.lines().last().unwrap().to_owned();
    let action = action.input("driver", "docker-container");
    action
        .input("driver-opts", format!("image={image}\nnetwork=host"))
        .run()
}

#[test]
fn a_policy_is_honoured() {
    let allowed = in_container(with_policy(12));
    assert!(allowed.succeeded, "{}{}", allowed.stdout, allowed.stderr);
    allowed.assert_log("loading policies Dockerfile.rego");
    let denied = with_policy(13);
    fs::write(denied.path("workspace/Dockerfile"), FETCHES).unwrap();
    let denied = in_container(denied);
    denied.assert_error(r#"source "http://127.0.0.1:9/x" not allowed by policy"#);
    denied.assert_error("fix: use a source that `Dockerfile.rego` allows, or allow it there");
}

/// BuildKit enforces policies since 0.27; engines before version 29 have an older one.
#[test]
fn an_engine_that_ignores_policies_does_not_build() {
    if engine_version() >= 29 {
        return;
    }
    let run = with_policy(14).run();
    run.assert_error("strict policy is not supported by the current BuildKit daemon");
    run.assert_error("fix: set `driver: docker-container`");
}

/// A recent BuildKit attaches attestations as OCI artifacts.
#[test]
fn attestations_of_a_recent_buildkit_are_verified() {
    let double = double();
    let run = in_container(
        with_policy(15)
            .input("push", "true")
            .input("registry", double.host())
            .input("provenance", "max")
            .input("platforms", "linux/amd64,linux/386"),
    );
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.output("pushed"), "true");
}
