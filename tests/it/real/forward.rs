//! Tags move only forward on both stores: the containerd store writes annotations, a graph driver drops them
//! and leaves only the labels of the config.

use std::time::Duration;

use ghcr_double::{Double, Endpoint, Fault, Repository};
use serde_json::Value;

use super::world::{graph_engine, publication};
use crate::publication::registry;
use crate::support::{Action, Run};

const NAME: &str = "acme/widget";
const OLDER: &str = "1111111111111111111111111111111111111111";
const NEWER: &str = "2222222222222222222222222222222222222222";

fn double() -> Double {
    let date = "2026-11-20T10:00:00Z";
    let repository = Repository::new("acme/Widget")
        .commit(OLDER, &[], date)
        .commit(NEWER, &[OLDER], date);
    registry().repository(repository).start().unwrap()
}

/// A push of a commit: to `main`, or of a tag.
fn push(engine: Option<&str>, double: &Double, git_ref: &str, commit: &str) -> Action {
    let action = publication(engine)
        .event("push_branch")
        .env("GITHUB_REF", git_ref)
        .env("GITHUB_SHA", commit)
        .env("GITHUB_API_URL", double.api_url())
        .input("registry", double.host());
    // Another file in each image, so that no two are the same.
    std::fs::write(action.path("workspace/hello.txt"), commit).unwrap();
    action
}

#[track_caller]
fn succeeds(action: Action) -> Run {
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run
}

fn reasons(run: &Run) -> Vec<String> {
    let skipped: Value = serde_json::from_str(run.output("skipped-tags")).unwrap();
    let skipped = skipped.as_array().unwrap().iter();
    skipped
        .map(|skipped| skipped["reason"].as_str().unwrap().to_owned())
        .collect()
}

/// The question that decides, and the faults that leave it without an answer.
struct Case {
    newer: &'static str,
    older: &'static str,
    tag: &'static str,
    question: Endpoint,
    reason: &'static str,
    fix: &'static str,
}

const BRANCH: Case = Case {
    newer: "refs/heads/main",
    older: "refs/heads/main",
    tag: "main",
    question: Endpoint::Api,
    reason: "it shows the commit `2222222`, which is newer",
    fix: "run the job again when GitHub's API answers",
};

const BACKPORT: Case = Case {
    newer: "refs/tags/v2.0.0",
    older: "refs/tags/v1.2.9",
    tag: "latest",
    question: Endpoint::TagList,
    reason: "`v2.0.0` is newer than `v1.2.9`",
    fix: "run the job again when the registry responds",
};

/// The newer one is published; then the older one: with answers, with answers after a minute, without any.
fn moves_only_forward(engine: Option<&str>, case: &Case) {
    let double = double();
    let newer = succeeds(push(engine, &double, case.newer, NEWER));
    let shown = double.tags(NAME)[case.tag].clone();
    assert_eq!(shown, newer.output("digest"));
    let older = || push(engine, &double, case.older, OLDER);
    let outage = Fault::on(case.question).answer(503);

    let run = succeeds(older());
    assert_eq!(reasons(&run), [case.reason]);
    assert_eq!(double.tags(NAME)[case.tag], shown);
    assert_ne!(run.output("digest"), shown);

    double.script(outage.clone().lasting(Duration::from_secs(60)));
    let run = succeeds(older());
    assert_eq!(reasons(&run), [case.reason]);
    assert_eq!(double.tags(NAME)[case.tag], shown);

    double.clear_script();
    double.script(outage.always());
    let run = older().input("push-timeout", "3s").run();
    assert!(!run.succeeded, "{}", run.stdout);
    run.assert_error(case.fix);
    assert_eq!(double.tags(NAME)[case.tag], shown);

    // And forward it does move, once there are answers.
    double.clear_script();
    let run = succeeds(push(engine, &double, case.newer, NEWER));
    assert_eq!(double.tags(NAME)[case.tag], run.output("digest"));
}

#[test]
fn an_older_commit_does_not_move_main_on_the_containerd_store() {
    moves_only_forward(None, &BRANCH);
}

#[test]
fn an_older_commit_does_not_move_main_on_a_graph_driver() {
    moves_only_forward(Some(&graph_engine()), &BRANCH);
}

#[test]
fn a_backport_does_not_move_latest_on_the_containerd_store() {
    moves_only_forward(None, &BACKPORT);
}

#[test]
fn a_backport_does_not_move_latest_on_a_graph_driver() {
    moves_only_forward(Some(&graph_engine()), &BACKPORT);
}
