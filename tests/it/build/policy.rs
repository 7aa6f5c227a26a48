//! A policy next to the Dockerfile, against a scripted `buildx`.

use std::fs;
use std::os::unix::fs::symlink;

use expect_test::expect;

use super::{action, arguments, succeeded};
use crate::support::{Action, Run};

fn with_policy(action: Action, version: &str) -> Action {
    fs::write(action.path("workspace/Dockerfile.rego"), "package docker\n").unwrap();
    let version = format!("github.com/docker/buildx {version} x\n");
    fs::write(action.path("version"), version).unwrap();
    action
}

fn error(run: &Run) -> String {
    assert!(!run.succeeded);
    let error = run.stderr.replace("%0A", "\n");
    run.stable(&error, "127.0.0.1")
}

#[test]
fn a_policy_is_enforced_or_the_build_fails() {
    let run = succeeded(with_policy(action(""), "v0.38.2"));
    assert_eq!(arguments(&run, &["--policy"]), "--policy=strict=true");
    let without = succeeded(action(""));
    assert_eq!(arguments(&without, &["--policy"]), "");
    let unsupported = "echo 'ERROR: failed to build: strict policy is not supported by the current BuildKit daemon, please upgrade to version v0.27+' >&2; exit 1";
    let run = with_policy(action(unsupported), "v0.38.2").run();
    expect![[r#"
        ::error title=ghcr-publish::the build failed
          because: strict policy is not supported by the current BuildKit daemon, please upgrade to version v0.27+
          fix: set `driver: docker-container` for a BuildKit that enforces `Dockerfile.rego`, or update the engine
    "#]].assert_eq(&error(&run));
}

#[test]
fn a_buildx_that_ignores_policies_is_refused() {
    let run = with_policy(action(""), "v0.30.1").run();
    expect![[r#"
        ::error title=ghcr-publish::buildx 0.30.1 at `<directory>/bin/buildx` is too old
          because: buildx 0.31.0 or newer is required by the policy `Dockerfile.rego`
          fix: install a newer version, for example the package `docker-buildx-plugin` of Docker's repository, or run the action from its image, which contains one
    "#]].assert_eq(&error(&run));
}

#[test]
fn a_policy_outside_of_the_workspace_is_refused() {
    let action = action("");
    fs::write(action.path("theirs.rego"), "").unwrap();
    symlink("../theirs.rego", action.path("workspace/Dockerfile.rego")).unwrap();
    let version = "github.com/docker/buildx v0.38.2 x\n";
    fs::write(action.path("version"), version).unwrap();
    let run = action.run();
    expect![[r#"
        ::error title=ghcr-publish::the input `file` is `Dockerfile.rego`, which is outside the workspace
          because: it resolves to `<directory>/theirs.rego`
          fix: use a path inside the checkout; copy the file there in an earlier step if it comes from elsewhere
    "#]].assert_eq(&error(&run));
}

/// In the image of the action, buildx knows policies; the context may have one.
#[test]
fn a_policy_in_a_context_that_the_engine_fetches_is_enforced() {
    let remote = |action: Action| action.input("context", "https://github.com/acme/other.git");
    let run = succeeded(remote(action("")).env("GHCR_PUBLISH_IMAGE", "true"));
    assert_eq!(arguments(&run, &["--policy"]), "--policy=strict=true");
    let own = succeeded(remote(action("")));
    assert_eq!(arguments(&own, &["--policy"]), "");
}
