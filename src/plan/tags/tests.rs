//! The tags that rules, flavor and event give.

use crate::context::event::Event;
use crate::context::{Context, GitRef};
use crate::inputs::tags;
use crate::inputs::tags::flavor;
use crate::plan::tags::*;
use crate::vars::Vars;
use serde_json::json;

fn context(event_name: &str, git_ref: GitRef) -> Context {
    let variables = [
        ("GITHUB_REPOSITORY", "acme/widget"),
        ("GITHUB_REF", "refs/heads/main"),
        ("GITHUB_SHA", "0123456789abcdef"),
    ];
    Context {
        event_name: event_name.to_owned(),
        git_ref,
        event: Event::from_payload(&json!({
            "repository": {"name": "widget", "default_branch": "main"},
            "pull_request": {"head": {"ref": "feat/x"}, "base": {"ref": "main"}},
        })),
        ..Context::from_vars(&Vars::of(&variables)).unwrap()
    }
}

fn decided(context: &Context, rules: &str, flavor: &str) -> Result<Tags, Problem> {
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    let facts = Facts::new(context, now, 7);
    tags(&tags::parse(rules)?, &flavor::parse(flavor)?, &facts)
}

#[track_caller]
fn check(context: &Context, rules: &str, flavor: &str, expected: &[(&str, Motion)]) {
    let tags = decided(context, rules, flavor).unwrap().tags;
    let tags: Vec<_> = tags
        .iter()
        .map(|tag| (tag.tag.as_str(), tag.motion))
        .collect();
    assert_eq!(tags, expected);
}

fn push_of_tag(name: &str) -> Context {
    context("push", GitRef::Tag(name.to_owned()))
}

fn push_of_branch(name: &str) -> Context {
    context("push", GitRef::Branch(name.to_owned()))
}

use Motion::{Fixed, Floating};

#[test]
fn default_rules_match_metadata_action() {
    let pull_request = context("pull_request", GitRef::PullRequest(2));
    check(&pull_request, "", "", &[("pr-2", Fixed)]);
    check(
        &push_of_branch("releases/v1"),
        "",
        "",
        &[("releases-v1", Floating)],
    );
    check(
        &push_of_tag("v1.2.3"),
        "",
        "",
        &[("v1.2.3", Fixed), ("latest", Floating)],
    );
    let beta = [("v2.0.8-beta.67", Fixed), ("latest", Floating)];
    check(&push_of_tag("v2.0.8-beta.67"), "", "", &beta);
    let nightly = context("schedule", GitRef::Branch("main".to_owned()));
    check(
        &nightly,
        "",
        "",
        &[("nightly", Floating), ("main", Floating)],
    );
}

#[test]
fn a_tag_moves_unless_it_names_one_version_or_commit() {
    let versions = "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}.{{minor}}\n\
                    type=semver,pattern={{major}}\ntype=semver,pattern=v{{major}}.{{minor}}.{{patch}}";
    let expected = [
        ("1.2.3", Fixed),
        ("1.2", Floating),
        ("1", Floating),
        ("v1.2.3", Fixed),
        ("latest", Floating),
    ];
    check(&push_of_tag("v1.2.3"), versions, "", &expected);
    check(
        &push_of_tag("v1.2.3-rc.1"),
        versions,
        "",
        &[("1.2.3-rc.1", Fixed)],
    );
    let main = push_of_branch("main");
    check(&main, "type=edge", "", &[("edge", Floating)]);
    check(
        &main,
        "stable\nx-{{sha}}",
        "",
        &[("stable", Floating), ("x-0123456", Fixed)],
    );
    check(
        &main,
        "type=ref,event=branch,suffix=-{{sha}}",
        "",
        &[("main-0123456", Fixed)],
    );
    check(
        &main,
        "type=sha,format=long",
        "",
        &[("sha-0123456789abcdef", Fixed)],
    );
    let found = [("1", Floating), ("latest", Floating)];
    check(
        &push_of_tag("v1.2"),
        "type=match,pattern=v(\\d+),group=1",
        "",
        &found,
    );
}

#[test]
fn the_flavor_surrounds_every_tag_that_does_not_say_otherwise() {
    let main = push_of_branch("main");
    let rules = "type=edge\nstable,suffix=\ntype=sha,prefix=g";
    let flavor = "latest=true\nprefix={{branch}}-,onlatest=true\nsuffix=-slim";
    let expected = [
        ("main-edge-slim", Floating),
        ("main-stable", Floating),
        ("g0123456-slim", Fixed),
        ("main-latest", Floating),
    ];
    check(&main, rules, flavor, &expected);
    check(&push_of_tag("v1"), "", "latest=false", &[("v1", Fixed)]);
}

#[test]
fn latest_is_pushed_once_and_listed_as_metadata_action_does() {
    let tags = decided(&push_of_branch("main"), "latest\nlatest", "latest=true").unwrap();
    assert_eq!(tags.tags.len(), 1);
    assert_eq!(tags.names.len(), 2);
}

#[test]
fn the_branch_of_a_pull_request_is_its_head() {
    let pull_request = context("pull_request", GitRef::PullRequest(2));
    let rules = "{{branch}}-on-{{base_ref}}";
    check(&pull_request, rules, "", &[("feat-x-on-main", Floating)]);
}

#[test]
fn a_floating_version_knows_its_line() {
    let tags = decided(
        &push_of_tag("v1.2.3"),
        "type=semver,pattern={{major}}",
        "suffix=-slim",
    );
    let tags = tags.unwrap().tags;
    let line = |index: usize| tags[index].line.as_ref().unwrap();
    assert!(line(0).version_of("1.9.0-slim").is_some());
    assert!(line(0).version_of("2.0.0-slim").is_none());
    assert_eq!(tags[1].tag.as_str(), "latest");
    assert!(line(1).version_of("2.0.0-slim").is_some());
}

#[track_caller]
fn reasons(context: &Context, rules: &str, latest: &str, expected: &[(usize, &str)]) {
    let tags = decided(context, rules, "").unwrap();
    let reasons = tags
        .outcomes
        .iter()
        .filter_map(|outcome| match &outcome.outcome {
            Outcome::Nothing(reason) => Some((outcome.line.unwrap(), reason.as_str())),
            Outcome::Tag(_) => None,
        });
    assert_eq!(reasons.collect::<Vec<_>>(), expected);
    assert_eq!(tags.latest, Outcome::Nothing(latest.to_owned()));
}

#[test]
fn a_rule_that_gives_nothing_says_why() {
    let rules = "type=sha\n\ntype=schedule\ntype=semver,pattern={{version}}\ntype=edge,branch=dev\n\
                 type=ref,event=pr\nstable,enable=false\n{{tag}}\n日本\nsha-{{sha}}\n\
                 type=semver,pattern={{raw}},value=1.2\ntype=match,pattern=(x)|y,group=1,value=y";
    let expected = [
        (3, "the event is `push`, not `schedule`"),
        (4, "the ref is the branch `main`, not a tag"),
        (5, "the branch is `main`, not `dev`"),
        (6, "the ref is the branch `main`, not a pull request"),
        (7, "`enable` is `false`"),
        (8, "it gives an empty value"),
        (9, "`日本` contains no character that a tag can start with"),
        (1, "an earlier rule already gives `sha-0123456`"),
        (11, "`1.2` is not a semantic version (https://semver.org)"),
        (12, "`(x)|y` has no group 1 in `y`"),
    ];
    let mut expected = expected.to_vec();
    expected.sort_by_key(|(line, _)| *line);
    reasons(
        &push_of_branch("main"),
        rules,
        "the first tag is not a release version",
        &expected,
    );
}

#[test]
fn enable_must_give_a_boolean() {
    let problem = decided(&push_of_branch("main"), "\nx,enable={{branch}}", "").unwrap_err();
    let expected = "cannot evaluate line 2 of the input `tags`: `x,enable={{branch}}`";
    assert_eq!(problem.to_string(), expected);
}

/// The tags that are versions, which are written once.
#[track_caller]
fn check_versions(context: &Context, rules: &str, expected: &[&str]) {
    let tags = decided(context, rules, "").unwrap().tags;
    let versions = tags.iter().filter(|tag| tag.is_version);
    assert!(versions.clone().all(|tag| tag.motion == Fixed));
    let versions: Vec<&str> = versions.map(|tag| tag.tag.as_str()).collect();
    assert_eq!(versions, expected, "{rules}");
}

#[test]
fn full_version_of_the_git_tag_is_a_version() {
    let release = push_of_tag("v1.2.3");
    let semver = |pattern: &str| format!("type=semver,pattern={pattern}");
    check_versions(&release, "", &["v1.2.3"]);
    check_versions(&release, &semver("{{version}}"), &["1.2.3"]);
    check_versions(&release, &semver("{{raw}}"), &["v1.2.3"]);
    check_versions(
        &release,
        &semver("r{{major}}.{{minor}}.{{patch}}"),
        &["r1.2.3"],
    );
    check_versions(&release, "type=pep440,pattern={{version}}", &["1.2.3"]);
    check_versions(&release, "type=match,pattern=v(.*),group=1", &["1.2.3"]);
    check_versions(
        &release,
        "type=semver,pattern={{version}},value={{tag}}",
        &["1.2.3"],
    );
    check_versions(
        &release,
        "type=semver,pattern={{version}},suffix=-alpine",
        &["1.2.3-alpine"],
    );
}

#[test]
fn candidates_and_suffixes_of_pep440_are_versions() {
    check_versions(&push_of_tag("v2.0.0-rc.1"), "", &["v2.0.0-rc.1"]);
    let major = "type=semver,pattern={{major}}";
    check_versions(&push_of_tag("v2.0.0-rc.1"), major, &["2.0.0-rc.1"]);
    check_versions(&push_of_tag("v1.2.3.post1"), "", &["v1.2.3.post1"]);
    check_versions(&push_of_tag("1.2.3rc2"), "", &["1.2.3rc2"]);
    let python = push_of_tag("app-1.2.3rc2");
    check_versions(
        &python,
        "type=match,pattern=app-(.*),group=1",
        &["1.2.3rc2"],
    );
}

#[test]
fn parts_values_and_other_names_are_no_versions() {
    let release = push_of_tag("v1.2.3");
    for rules in [
        "type=semver,pattern={{major}}.{{minor}}\ntype=semver,pattern={{major}}",
        "type=semver,pattern={{patch}}",
        "type=semver,pattern={{major}}.{{minor}}.0",
        "type=semver,pattern={{version}},value=1.2.3",
        "type=match,pattern=v(.*),group=1,value=v1.2.3",
        "type=match,pattern=\\d+.\\d+",
        "type=raw,value=1.2.3",
        "type=raw,value={{tag}}",
        "type=sha",
    ] {
        check_versions(&release, rules, &[]);
    }
    check_versions(&push_of_tag("1.2"), "", &[]);
    check_versions(&push_of_tag("1.2"), "type=pep440,pattern={{version}}", &[]);
    check_versions(&push_of_tag("nightly"), "", &[]);
    check_versions(&push_of_branch("v1.2.3"), "", &[]);
}
