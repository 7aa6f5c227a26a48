//! Every kind of event with every kind of token: what is decided, and why.

use std::fmt::Write as _;

use expect_test::expect;
use serde_json::{Value, json};

use crate::context::event::Event;
use crate::plan::decision::*;
use crate::vars::Vars;

/// An event as far as the decision looks at it.
struct Case {
    name: &'static str,
    event: &'static str,
    actor: &'static str,
    payload: Value,
}

fn case(name: &'static str, event: &'static str, payload: Value) -> Case {
    Case {
        name,
        event,
        actor: "octocat",
        payload,
    }
}

fn head(repository: &Value) -> Value {
    json!({"number": 2, "pull_request": {"head": {"repo": repository}}})
}

fn run_of(repository: &str) -> Value {
    json!({"workflow_run": {"head_repository": {"full_name": repository}}})
}

fn comment() -> Value {
    json!({"issue": {"number": 2, "pull_request": {"url": "https://api.github.com/repos/acme/Widget/pulls/2"}}})
}

fn cases() -> Vec<Case> {
    let own = || head(&json!({"full_name": "Acme/Widget"}));
    let fork = || head(&json!({"full_name": "joe/widget"}));
    let dependabot = |case: Case| Case {
        actor: "dependabot[bot]",
        ..case
    };
    vec![
        case("push", "push", json!({})),
        case("schedule", "schedule", json!({})),
        case("release", "release", json!({})),
        case("merge_group", "merge_group", json!({})),
        case("pull request, own", "pull_request", own()),
        case("pull request, fork", "pull_request", fork()),
        case(
            "pull request, fork gone",
            "pull_request",
            head(&Value::Null),
        ),
        case("review, fork", "pull_request_review", fork()),
        case("target, own", "pull_request_target", own()),
        case("target, fork", "pull_request_target", fork()),
        case("workflow_run, own", "workflow_run", run_of("acme/widget")),
        case("workflow_run, fork", "workflow_run", run_of("joe/widget")),
        case(
            "comment, issue",
            "issue_comment",
            json!({"issue": {"number": 2}}),
        ),
        case("comment, pull", "issue_comment", comment()),
        dependabot(case("Dependabot, push", "push", json!({}))),
        dependabot(case("Dependabot, pull", "pull_request", own())),
    ]
}

fn context(case: &Case) -> Context {
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_REPOSITORY", "acme/Widget"),
        ("GITHUB_REF", "refs/heads/main"),
        ("GITHUB_SHA", "0123456789"),
        ("GITHUB_ACTOR", case.actor),
        ("GITHUB_EVENT_NAME", case.event),
    ];
    Context {
        event: Event::from_payload(&case.payload),
        ..Context::from_vars(&Vars::of(&variables)).unwrap()
    }
}

fn line(case: &Case, variables: &[(&str, &str)]) -> String {
    let inputs = Inputs::from_vars(&Vars::of(variables), &[]).unwrap();
    let context = context(case);
    let has_token = inputs.github_token.is_some();
    let without_login = (!has_token).then_some("ghcr.io");
    let floating = match floating(&inputs, &context) {
        Floating::Forward => "forward",
        Floating::Always => "always",
        Floating::Never { .. } => "never",
    };
    match decide(&inputs, &context, without_login) {
        Ok(PushDecision::Push { reason }) => format!("push, {floating}: {reason}"),
        Ok(PushDecision::PushIfAllowed { reason }) => format!("ask, {floating}: {reason}"),
        Ok(PushDecision::BuildOnly { reason }) => format!("build: {reason}"),
        Ok(PushDecision::NoLogin { reason, .. }) => format!("build: {reason}"),
        Err(problem) => format!("refuse: {problem}"),
    }
}

fn table(variables: &[(&str, &str)]) -> String {
    let mut table = String::new();
    for case in cases() {
        writeln!(table, "{:<24}{}", case.name, line(&case, variables)).unwrap();
    }
    table
}

const TOKEN: (&str, &str) = ("INPUT_GITHUB-TOKEN", "t");

#[test]
fn trusted_events_push_with_a_token() {
    expect![[r#"
        push                    push, forward: a token is available, and the event is trusted
        schedule                push, forward: a token is available, and the event is trusted
        release                 push, forward: a token is available, and the event is trusted
        merge_group             push, forward: a token is available, and the event is trusted
        pull request, own       push, forward: a token is available, and the event is trusted
        pull request, fork      build: the pull request comes from the fork `joe/widget`, so the token of the run cannot write packages
        pull request, fork gone build: the pull request comes from a deleted repository, so the token of the run cannot write packages
        review, fork            build: the pull request comes from the fork `joe/widget`, so the token of the run cannot write packages
        target, own             push, forward: a token is available, and the event is trusted
        target, fork            refuse: the event `pull_request_target` would build code of the fork `joe/widget` with the permissions of this repository
        workflow_run, own       push, forward: a token is available, and the event is trusted
        workflow_run, fork      refuse: the event `workflow_run` would build code of the fork `joe/widget` with the permissions of this repository
        comment, issue          push, forward: a token is available, and the event is trusted
        comment, pull           refuse: the event `issue_comment` would build code of pull request 2 with the permissions of this repository
        Dependabot, push        ask, forward: a token is available, but for Dependabot it may be read-only
        Dependabot, pull        ask, forward: a token is available, but for Dependabot it may be read-only
    "#]].assert_eq(&table(&[TOKEN]));
}

#[test]
fn without_a_token_the_image_is_only_built() {
    expect![[r#"
        push                    build: no credentials for ghcr.io
        schedule                build: no credentials for ghcr.io
        release                 build: no credentials for ghcr.io
        merge_group             build: no credentials for ghcr.io
        pull request, own       build: no credentials for ghcr.io
        pull request, fork      build: the pull request comes from the fork `joe/widget`, so the token of the run cannot write packages
        pull request, fork gone build: the pull request comes from a deleted repository, so the token of the run cannot write packages
        review, fork            build: the pull request comes from the fork `joe/widget`, so the token of the run cannot write packages
        target, own             build: no credentials for ghcr.io
        target, fork            refuse: the event `pull_request_target` would build code of the fork `joe/widget` with the permissions of this repository
        workflow_run, own       build: no credentials for ghcr.io
        workflow_run, fork      refuse: the event `workflow_run` would build code of the fork `joe/widget` with the permissions of this repository
        comment, issue          build: no credentials for ghcr.io
        comment, pull           refuse: the event `issue_comment` would build code of pull request 2 with the permissions of this repository
        Dependabot, push        build: no credentials for ghcr.io
        Dependabot, pull        build: no credentials for ghcr.io
    "#]].assert_eq(&table(&[]));
}

#[test]
fn untrusted_code_is_pushed_on_request_without_floating_tags() {
    let allowed = ("INPUT_ALLOW-UNTRUSTED-PULL-REQUEST", "true");
    let always = ("INPUT_FLOATING-TAGS", "always");
    expect![[r#"
        push                    push, always: a token is available, and the event is trusted
        schedule                push, always: a token is available, and the event is trusted
        release                 push, always: a token is available, and the event is trusted
        merge_group             push, always: a token is available, and the event is trusted
        pull request, own       push, always: a token is available, and the event is trusted
        pull request, fork      build: the pull request comes from the fork `joe/widget`, so the token of the run cannot write packages
        pull request, fork gone build: the pull request comes from a deleted repository, so the token of the run cannot write packages
        review, fork            build: the pull request comes from the fork `joe/widget`, so the token of the run cannot write packages
        target, own             push, always: a token is available, and the event is trusted
        target, fork            push, never: a token is available, and `allow-untrusted-pull-request` is `true`
        workflow_run, own       push, always: a token is available, and the event is trusted
        workflow_run, fork      push, never: a token is available, and `allow-untrusted-pull-request` is `true`
        comment, issue          push, always: a token is available, and the event is trusted
        comment, pull           push, never: a token is available, and `allow-untrusted-pull-request` is `true`
        Dependabot, push        ask, always: a token is available, but for Dependabot it may be read-only
        Dependabot, pull        ask, always: a token is available, but for Dependabot it may be read-only
    "#]].assert_eq(&table(&[TOKEN, allowed, always]));
}

#[test]
fn explicit_push_is_obeyed() {
    expect![[r#"
        push                    push, forward: the input `push` is `true`
        schedule                push, forward: the input `push` is `true`
        release                 push, forward: the input `push` is `true`
        merge_group             push, forward: the input `push` is `true`
        pull request, own       push, forward: the input `push` is `true`
        pull request, fork      push, never: the input `push` is `true`
        pull request, fork gone push, never: the input `push` is `true`
        review, fork            push, never: the input `push` is `true`
        target, own             push, forward: the input `push` is `true`
        target, fork            refuse: the event `pull_request_target` would build code of the fork `joe/widget` with the permissions of this repository
        workflow_run, own       push, forward: the input `push` is `true`
        workflow_run, fork      refuse: the event `workflow_run` would build code of the fork `joe/widget` with the permissions of this repository
        comment, issue          push, forward: the input `push` is `true`
        comment, pull           refuse: the event `issue_comment` would build code of pull request 2 with the permissions of this repository
        Dependabot, push        push, forward: the input `push` is `true`
        Dependabot, pull        push, forward: the input `push` is `true`
    "#]].assert_eq(&table(&[TOKEN, ("INPUT_PUSH", "true")]));
}

/// A person without a login means to push: only the registry can say whether it needs one.
#[test]
fn outside_actions_the_registry_is_asked() {
    let inputs = Inputs::from_vars(&Vars::of(&[]), &[]).unwrap();
    let context = Context {
        in_actions: false,
        ..context(&case("push", "push", json!({})))
    };
    let decided = decide(&inputs, &context, Some("ghcr.io")).unwrap();
    assert!(decided.is_push(), "{decided:?}");
}
