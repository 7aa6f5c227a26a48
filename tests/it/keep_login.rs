//! `keep-login`: a later step finds the credentials in the home directory, and the post step removes them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use serde_json::{Value, json};

use crate::publication::PUSHED;
use crate::publication::registry_with_image;
use crate::support::{Action, TOKEN};

/// A run that publishes, in a home directory that belongs to another user if the test may arrange that.
fn publishing(double: &ghcr_double::Double, digest: &str) -> Action {
    let action = Action::publishing("push_tag", double).buildx_pushes(digest);
    let _not_root = chown(action.path("home"), Some(1001), Some(1002));
    let state = action.path("state").display().to_string();
    action
        .env("GITHUB_STATE", state)
        .input("keep-login", "true")
}

/// The post step of a run, with the same home directory.
fn post(home: &Path, state: &str, double: &ghcr_double::Double) -> Action {
    let action = Action::publishing("push_tag", double).input("keep-login", "true");
    let action = action.env("HOME", home.display().to_string());
    let states = state.lines().filter_map(|line| line.split_once('='));
    states
        .fold(action, |action, (name, value)| {
            action.env(&format!("STATE_{name}"), value)
        })
        .arguments(&["post"])
}

#[test]
fn credentials_belong_to_the_owner_of_the_home_until_the_post_step() {
    let (double, digest) = registry_with_image(PUSHED);
    let run = publishing(&double, &digest).run();
    assert!(run.succeeded, "{}", run.stderr);
    let home = run.path("home");
    let config = home.join(".docker/config.json");
    let written: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    // `octocat:<the token>`
    let auth = "b2N0b2NhdDpnaHNfY2FuYXJ5Lm9mLXRoZS10ZXN0XzAxMjM0NTY3ODk=";
    assert_eq!(
        written,
        json!({ "auths": { (double.host()): { "auth": auth } } })
    );
    let metadata = |path: &Path| fs::metadata(path).unwrap();
    let owner = |path: &Path| (metadata(path).uid(), metadata(path).gid());
    for path in [config.as_path(), config.parent().unwrap()] {
        assert_eq!(owner(path), owner(&home), "{}", path.display());
    }
    assert_eq!(metadata(&config).permissions().mode() & 0o777, 0o600);
    let state = run.noted("state");
    for text in [&run.stdout, &run.stderr, &run.summary, &state] {
        let mut shown = text
            .lines()
            .filter(|line| !line.starts_with("::add-mask::"));
        assert!(
            !shown.any(|line| line.contains(TOKEN) || line.contains(auth)),
            "{text}"
        );
    }
    run.assert_log("; the post step removes them");
    let post = post(&home, &state, &double).run();
    assert!(post.succeeded, "{}", post.stderr);
    assert_eq!((post.stdout.as_str(), post.stderr.as_str()), ("", ""));
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
}

#[test]
fn credentials_are_kept_only_by_a_run_that_may_push() {
    let (double, digest) = registry_with_image(PUSHED);
    let never = publishing(&double, &digest).input("push", "false").run();
    assert!(never.succeeded, "{}", never.stderr);
    assert!(!never.path("home/.docker").exists());
    let refused = publishing(&double, &digest)
        .input("github-token", "ghs_unknown")
        .run();
    assert!(!refused.succeeded, "{}", refused.stdout);
    assert!(!refused.path("home/.docker").exists());
    let unasked = publishing(&double, &digest)
        .input("keep-login", "false")
        .run();
    assert!(unasked.succeeded, "{}", unasked.stderr);
    assert!(!unasked.path("home/.docker").exists());
}
