//! Every recorded event through `plan`.

use std::fmt::Write as _;
use std::fs;

use expect_test::expect;
use serde_json::Value;

use crate::properties::recorder::Recorder;
use crate::support::{Action, TOKEN, fixture, process};

fn plan(event: &str) -> Result<Value, String> {
    let run = Action::new()
        .event(event)
        .input("github-token", TOKEN)
        .arguments(&["plan", "--json"])
        .run();
    if run.succeeded {
        Ok(serde_json::from_str(&run.stdout).unwrap())
    } else {
        Err(run.stderr)
    }
}

fn events() -> Vec<String> {
    let files = fs::read_dir(fixture("x", "env").parent().unwrap()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut events: Vec<String> = names
        .filter_map(|name| Some(name.strip_suffix(".env")?.to_owned()))
        .collect();
    events.sort();
    events
}

#[test]
fn every_event_has_its_tags_and_its_push_decision() {
    let mut table = String::new();
    for event in events() {
        match plan(&event) {
            Ok(plan) => {
                let names: Vec<&str> = plan["tag-names"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|tag| tag.as_str().unwrap())
                    .collect();
                let push = &plan["push"];
                writeln!(
                    table,
                    "{event}: {} [{}] {}",
                    names.join(" "),
                    push["decision"].as_str().unwrap(),
                    push["reason"].as_str().unwrap()
                )
                .unwrap();
            }
            Err(error) => writeln!(
                table,
                "{event}: {}",
                error.trim_end().replace("%0A", "\n   ")
            )
            .unwrap(),
        }
    }
    expect![[r#"
        create: feature-add-login [push] a token is available, and the event is trusted
        issue_comment: main [push] a token is available, and the event is trusted
        issue_comment_pull_request: ::add-mask::ghs_canary.of-the-test_0123456789
        ::error title=ghcr-publish::the event `issue_comment` would build code of pull request 7 with the permissions of this repository
             because: a comment event does not say where the code of the pull request comes from
             fix: publish from `push` or `pull_request`, or set `allow-untrusted-pull-request: true` once you trust every pull request
        merge_group: pr-12 [push] a token is available, and the event is trusted
        pull_request: pr-2 [push] a token is available, and the event is trusted
        pull_request_fork: pr-3 [build-only] the pull request comes from the fork `joe/widget`, so the token of the run cannot write packages
        pull_request_target: pr-4 [push] a token is available, and the event is trusted
        pull_request_target_fork: ::add-mask::ghs_canary.of-the-test_0123456789
        ::error title=ghcr-publish::the event `pull_request_target` would build code of the fork `joe/widget` with the permissions of this repository
             fix: publish from `push` or `pull_request`, or set `allow-untrusted-pull-request: true` once you trust every pull request
        push_branch: main [push] a token is available, and the event is trusted
        push_prerelease_tag: v2.0.8-beta.67 latest [push] a token is available, and the event is trusted
        push_release_branch: releases-v1 [push] a token is available, and the event is trusted
        push_tag: v1.2.3 latest [push] a token is available, and the event is trusted
        release: v1.2.3 latest [push] a token is available, and the event is trusted
        schedule: nightly main [push] a token is available, and the event is trusted
        workflow_dispatch: main [push] a token is available, and the event is trusted
        workflow_run: main [push] a token is available, and the event is trusted
        workflow_run_fork: ::add-mask::ghs_canary.of-the-test_0123456789
        ::error title=ghcr-publish::the event `workflow_run` would build code of the fork `joe/widget` with the permissions of this repository
             fix: publish from `push` or `pull_request`, or set `allow-untrusted-pull-request: true` once you trust every pull request
    "#]].assert_eq(&table);
}

/// The table that users know, row by row.
#[test]
fn the_default_rules_give_the_known_table() {
    let rows = [
        ("pull_request", "refs/pull/2/merge", &["pr-2"][..]),
        ("push", "refs/heads/master", &["master"]),
        ("push", "refs/heads/releases/v1", &["releases-v1"]),
        ("push", "refs/tags/v1.2.3", &["v1.2.3", "latest"]),
        (
            "push",
            "refs/tags/v2.0.8-beta.67",
            &["v2.0.8-beta.67", "latest"],
        ),
        ("workflow_dispatch", "refs/heads/master", &["master"]),
    ];
    for (event, git_ref, tags) in rows {
        let variables = [
            ("GITHUB_EVENT_NAME", event),
            ("GITHUB_REF", git_ref),
            ("GITHUB_REPOSITORY", "Acme/Widget"),
            ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
        ];
        let action = variables
            .iter()
            .fold(Action::new(), |action, (name, value)| {
                action.env(name, value)
            });
        let run = action.arguments(&["plan", "--json"]).run();
        let plan: Value = serde_json::from_str(&run.stdout).unwrap();
        let expected: Vec<String> = tags
            .iter()
            .map(|tag| format!("ghcr.io/acme/widget:{tag}"))
            .collect();
        assert_eq!(
            plan["tags"],
            Value::from(expected),
            "for {event} of {git_ref}"
        );
        assert_eq!(
            run.output("tags"),
            plan["tags"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tag| tag.as_str().unwrap())
                .collect::<Vec<_>>()
                .join("\n")
        );
    }
}

/// A checkout of `origin`, with a commit on its branch.
fn checkout(origin: &str) -> (Action, impl Fn(&[&str]) + use<>) {
    let action = Action::new();
    let directory = action.path("workspace");
    let git = move |arguments: &[&str]| {
        let status = process("git")
            .args([
                "-c",
                "user.name=octocat",
                "-c",
                "user.email=octocat@users.noreply.github.com",
            ])
            .args(arguments)
            .current_dir(&directory)
            .status();
        assert!(status.unwrap().success(), "git {arguments:?}");
    };
    git(&["init", "--quiet", "--initial-branch=trunk"]);
    git(&["remote", "add", "origin", origin]);
    git(&["commit", "--quiet", "--allow-empty", "--message=one"]);
    (action, git)
}

#[test]
fn outside_actions_the_checkout_says_what_happened() {
    let (action, git) = checkout("git@github.com:Acme/Widget.git");
    let tags = |action: Action| {
        let run = action.arguments(&["plan", "--json"]).run();
        assert!(run.succeeded, "{}", run.stderr);
        serde_json::from_str::<Value>(&run.stdout).unwrap()["tags"].clone()
    };
    git(&["tag", "--annotate", "--message=x", "v1.0.0"]);
    git(&["checkout", "--quiet", "--detach"]);
    assert_eq!(
        tags(action),
        Value::from(vec![
            "ghcr.io/acme/widget:v1.0.0",
            "ghcr.io/acme/widget:latest"
        ])
    );
}

/// The server of a checkout is known by the remote `origin` alone, which anybody may have written.
#[test]
fn a_token_of_the_environment_does_not_go_to_the_host_of_origin() {
    let run = |variables: &[(&str, &str)]| {
        let host = Recorder::start("127.0.0.2");
        let (action, _git) = checkout(&format!("https://{}/acme/widget", host.host()));
        let action = action
            .arguments(&["check"])
            .env("GITHUB_API_URL", format!("http://{}/api/v3", host.host()))
            .env("GITHUB_TOKEN", TOKEN)
            .env("GH_TOKEN", TOKEN)
            .input("registry", host.host());
        let action = variables.iter().fold(action, |action, (name, value)| {
            action.env(name, value.replace("HOST", &host.host()))
        });
        let run = action.run();
        let log = format!("{}{}", run.stdout, run.stderr).replace(&host.host(), "HOST");
        let log = log.replace(
            run.noted("workspace/.git/refs/heads/trunk").trim(),
            "COMMIT",
        );
        (host.seen().to_lowercase().contains("authorization:"), log)
    };
    let (is_sent, log) = run(&[]);
    assert!(!is_sent, "{log}");
    let said = ["notice:", "error:", "  because:", "  fix:"];
    let told = log
        .lines()
        .filter(|line| said.iter().any(|start| line.starts_with(start)));
    let told: Vec<&str> = told.collect();
    expect![[r#"
        notice: `GITHUB_TOKEN` is not sent to HOST, which only the remote `origin` names; if the token is for it, set `GITHUB_SERVER_URL` to `https://HOST`
        error: cannot push `HOST/acme/widget/widget`: no credentials for HOST
          because: HOST answered 401 {}
          fix: run `docker login HOST`, or set `GITHUB_TOKEN` to a token with `write:packages`; `push=false` builds only"#]].assert_eq(&told.join("\n"));
    let (is_sent, log) = run(&[("GITHUB_SERVER_URL", "http://HOST")]);
    assert!(is_sent, "{log}");
    let (is_sent, log) = run(&[("INPUT_GITHUB-TOKEN", TOKEN)]);
    assert!(is_sent, "{log}");
}
