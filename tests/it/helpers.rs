//! Credential helpers of the user's docker configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Action, TOKEN};

/// A run that would push to a registry; its credentials come from a helper, which is this shell script.
fn action(script: &str) -> Action {
    let action = Action::new().event("push_tag").buildx("exit 1");
    let helper = action.path("bin/docker-credential-test");
    let directory = action.path("home").display().to_string();
    fs::write(&helper, format!("#!/bin/sh\ncd {directory}\n{script}\n")).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(action.path("home/.docker")).unwrap();
    let config = r#"{"credHelpers":{"registry.invalid":"test"}}"#;
    fs::write(action.path("home/.docker/config.json"), config).unwrap();
    action
        .input("registry", "registry.invalid")
        .input("push", "true")
        .arguments(&["check"])
}

#[test]
fn a_run_is_stopped_while_a_helper_hangs() {
    let action = action("touch hangs; exec sleep 30");
    let hangs = action.path("home/hangs");
    let run = action.run_and_stop_when(|| hangs.exists());
    assert!(!run.succeeded);
    run.assert_error("the run was cancelled");
}

#[test]
fn a_helper_gets_neither_inputs_nor_the_tokens_of_github_and_actions() {
    let script =
        r#"env >some; mv some seen; echo '{"ServerURL":"x","Username":"joe","Secret":"hunter2"}'"#;
    let action = action(script)
        .env("GH_TOKEN", TOKEN)
        .env("ACTIONS_RUNTIME_TOKEN", TOKEN)
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", TOKEN)
        .env("AWS_SESSION_TOKEN", "of the cloud")
        .input("secrets", format!("npm={TOKEN}"));
    let asked = action.path("home/seen");
    // The registry does not exist, and with credentials it is retried.
    let run = action.run_and_stop_when(|| asked.exists());
    let seen = run.noted("home/seen");
    assert!(seen.contains("AWS_SESSION_TOKEN=of the cloud"), "{seen}");
    assert!(!seen.contains(TOKEN) && !seen.contains("INPUT_"), "{seen}");
}
