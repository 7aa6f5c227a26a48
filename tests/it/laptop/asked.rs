//! `plan --event NAME --ref REF`: what another event would publish.

use std::fs;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::in_checkout;
use crate::checkout::git;
use crate::json::result;
use crate::publication::COMMIT;
use crate::support::{Action, Run, fixture};

/// Rules that ask for everything that an event says.
const RULES: &str = "type=schedule\ntype=ref,event=branch\ntype=ref,event=tag\ntype=ref,event=pr\n\
    type=semver,pattern={{major}}.{{minor}}\ntype=edge\ntype=sha,prefix=,format=long\n\
    type=raw,value=default,enable={{is_default_branch}}\n\
    type=raw,value=at-{{branch}},enable={{is_not_default_branch}}";

fn planned(action: Action, arguments: &[&str]) -> Value {
    let arguments = [&["plan", "--json"], arguments].concat();
    let run = action.input("tags", RULES).arguments(&arguments).run();
    assert!(run.succeeded, "{arguments:?}: {}", run.stderr);
    result(&run)
}

/// The event and the ref of a recorded event.
fn event_and_ref(name: &str) -> [String; 2] {
    let text = fs::read_to_string(fixture(name, "env")).unwrap();
    ["GITHUB_EVENT_NAME=", "GITHUB_REF="].map(|start| {
        let mut values = text.lines().filter_map(|line| line.strip_prefix(start));
        values.next().unwrap().to_owned()
    })
}

/// The events that need nothing but what `--event` and `--ref` say.
const EVENTS: &[&str] = &[
    "create",
    "issue_comment",
    "merge_group",
    "push_branch",
    "push_prerelease_tag",
    "push_release_branch",
    "push_tag",
    "release",
    "schedule",
    "workflow_dispatch",
    "workflow_run",
];

/// In Actions the repository is known from the run; every other fact is of the asked event.
#[test]
fn plan_for_an_event_is_the_plan_of_the_event() {
    for name in EVENTS {
        let real = planned(Action::new().event(name), &[]);
        let [event, git_ref] = event_and_ref(name);
        let arguments = ["--event", &event, "--ref", &git_ref];
        for other in ["pull_request", "push_tag", "schedule"] {
            let asked = planned(Action::new().event(other), &arguments);
            for field in ["tags", "version", "versions", "floating-tags"] {
                let (asked, real) = (&asked[field], &real[field]);
                assert_eq!(asked, real, "{field} of {name}, asked in {other}");
            }
        }
    }
}

#[test]
fn pull_request_has_the_branches_that_the_variables_name() {
    let real = planned(Action::new().event("pull_request"), &[]);
    let action = || {
        let action = Action::new().env("GITHUB_REPOSITORY", "acme/Widget");
        action.env("GITHUB_SHA", COMMIT)
    };
    let arguments = ["--event", "pull_request", "--ref", "refs/pull/2/merge"];
    let named = action()
        .env("GITHUB_HEAD_REF", "feature/add-login")
        .env("GITHUB_BASE_REF", "main");
    assert_eq!(planned(named, &arguments)["tags"], real["tags"]);
    let payload = fixture("pull_request", "json").display().to_string();
    let given = planned(action().env("GITHUB_EVENT_PATH", payload), &arguments);
    assert_eq!(given["tags"], real["tags"]);
    assert_eq!(given["event"]["unknown"], json!([]));
    let arguments = [
        "--event",
        "pull_request_target",
        "--ref",
        "refs/pull/2/merge",
    ];
    let target = planned(action(), &arguments);
    assert_eq!(target["tag-names"][0], "pr-2");
}

/// Plans a case of docker/metadata-action for its event and ref.
fn plan_of_vector(vector: &Value, event: &str, git_ref: &str) -> Run {
    let action = Action::new();
    let place = action.path("event");
    let mut payload = vector["event"].clone();
    if payload.get("head_commit").is_none() {
        payload["head_commit"] = json!({ "timestamp": vector["commit_date"] });
    }
    fs::write(&place, payload.to_string()).unwrap();
    let now = chrono::DateTime::parse_from_rfc3339(vector["now"].as_str().unwrap());
    let action = action
        .env("GITHUB_EVENT_PATH", place.display().to_string())
        .env("SOURCE_DATE_EPOCH", now.unwrap().timestamp().to_string())
        .arguments(&["plan", "--event", event, "--ref", git_ref]);
    let env = vector["env"].as_object().unwrap().iter();
    let env = env.filter(|(name, _)| !["GITHUB_EVENT_NAME", "GITHUB_REF"].contains(&name.as_str()));
    let action = env.fold(action, |action, (name, value)| {
        action.env(name, value.as_str().unwrap())
    });
    let inputs = vector["inputs"].as_object().unwrap().iter();
    let action = inputs.fold(action, |action, (name, value)| {
        action.input(name, value.as_str().unwrap())
    });
    action.run()
}

#[test]
fn vectors_of_the_tag_language_give_the_same_tags() {
    let vectors = include_str!("../../vectors/metadata.jsonl").lines();
    let vectors = vectors.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut count = 0;
    for vector in vectors.filter(|vector| vector["expect"].get("error").is_none()) {
        let of = |name: &str| vector["env"][name].as_str().unwrap_or_default();
        let (event, git_ref) = (of("GITHUB_EVENT_NAME"), of("GITHUB_REF"));
        let run = plan_of_vector(&vector, event, git_ref);
        // Some cases have an event with a ref that it does not have on GitHub.
        let is_impossible = [
            "does not run on",
            "is not a full git ref",
            "there is no event",
        ];
        if is_impossible.iter().any(|text| run.stderr.contains(text)) {
            continue;
        }
        let name = &vector["name"];
        assert!(run.succeeded, "{name}: {}", run.stderr);
        assert_eq!(run.output("tags"), vector["expect"]["tags"], "{name}");
        count += 1;
    }
    assert!(count > 400, "only {count} cases are possible");
}

/// What `plan` says of the event.
fn head(run: &Run, commit: &str) -> String {
    let lines = run.stdout.lines();
    let lines = lines.take_while(|line| !line.starts_with("publish"));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    text.replace(commit, "<commit>")
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a snapshot is written where it is used"
)]
#[track_caller]
fn says(action: Action, commit: &str, arguments: &[&str], expected: Expect) -> Run {
    let run = action.arguments(&[&["plan"], arguments].concat()).run();
    assert!(run.succeeded, "{}", run.stderr);
    expected.assert_eq(&head(&run, commit));
    run
}

#[test]
fn plan_says_what_is_unknown() {
    let (action, commit) = in_checkout("");
    let arguments = ["--ref", "refs/tags/v1.2.3"];
    says(
        action,
        &commit,
        &arguments,
        expect![[r#"
        event    push of refs/tags/v1.2.3 at <commit>
        unknown  the commit: this checkout does not have `refs/tags/v1.2.3`, so the commit of HEAD is used
                 the default branch: `{{is_default_branch}}` is `false`
                 description and licence of the repository: labels go without them
                 the branch of the git tag: `{{base_ref}}` is empty
    "#]],
    );
    let (action, commit) = in_checkout("");
    let head = ["refs/remotes/origin/HEAD", "refs/remotes/origin/main"];
    git(&action, "", &[&["symbolic-ref"], &head[..]].concat());
    let arguments = ["--event", "pull_request", "--ref", "refs/pull/5/merge"];
    says(
        action,
        &commit,
        &arguments,
        expect![[r#"
        event    pull_request of refs/pull/5/merge at <commit>
        unknown  the commit: this checkout does not have `refs/pull/5/merge`, so the commit of HEAD is used
                 description and licence of the repository: labels go without them
                 the head branch: `{{branch}}` is empty (`GITHUB_HEAD_REF` names it)
                 the base branch: `{{base_ref}}` is empty (`GITHUB_BASE_REF` names it)
                 the head repository: the pull request is not from a fork
    "#]],
    );
    let (action, commit) = in_checkout("");
    says(
        action,
        &commit,
        &["--event", "schedule"],
        expect![[r#"
        event    schedule of refs/heads/main at <commit>
        unknown  the default branch: `{{is_default_branch}}` is `false`
                 description and licence of the repository: labels go without them
    "#]],
    );
}

#[test]
fn plan_for_a_ref_of_the_checkout_is_at_its_commit() {
    let (action, _) = in_checkout("");
    git(&action, "", &["tag", "v1.2.2", "HEAD~1"]);
    let before = git(&action, "", &["rev-parse", "HEAD~1"]);
    let run = says(
        action,
        &before,
        &["--ref", "refs/tags/v1.2.2"],
        expect![[r#"
            event    push of refs/tags/v1.2.2 at <commit>
            unknown  the default branch: `{{is_default_branch}}` is `false`
                     description and licence of the repository: labels go without them
                     the branch of the git tag: `{{base_ref}}` is empty
        "#]],
    );
    let tag = format!(":sha-{}", &before[..7]);
    assert!(run.output("tags").contains(&tag), "{}", run.output("tags"));
}

/// Uncommitted files are not what the event would build.
#[test]
fn plan_for_another_event_names_its_commit() {
    let (action, commit) = in_checkout("");
    fs::write(action.path("workspace/Dockerfile"), "FROM debian\n").unwrap();
    let run = action.arguments(&["plan", "--event", "push"]).run();
    let tag = format!(":sha-{}", &commit[..7]);
    assert!(run.output("tags").contains(&tag), "{}", run.log());
}

#[test]
fn event_and_ref_that_cannot_be_are_errors() {
    let mut said = String::new();
    for arguments in [
        &["--event", "pull-request"][..],
        &["--event", "pull_request"],
        &["--event", "release"],
        &["--event", "push", "--ref", "refs/pull/5/merge"],
        &["--event", "schedule", "--ref", "refs/tags/v1"],
        &["--ref", "main"],
        &["--ref", "5"],
        &["--ref", "refs/heads/"],
        &["--ref", ""],
    ] {
        let (action, _) = in_checkout("");
        let run = action.arguments(&[&["plan"], arguments].concat()).run();
        assert_eq!(run.status, Some(1), "{arguments:?}: {}", run.stdout);
        said += &run.stderr;
    }
    expect![[r#"
        error: there is no event `pull-request`
          fix: write an event that starts workflows, for example `push`, `pull_request` or `schedule`; did you mean `pull_request`?
        error: the git ref of the event `pull_request` is unknown
          fix: add a ref, for example `--ref refs/pull/5/merge`
        error: the git ref of the event `release` is unknown
          fix: add a ref, for example `--ref refs/tags/v1.2.3`
        error: the event `push` does not run on `refs/pull/5/merge`
          fix: write a ref of this event, for example `--ref refs/heads/main` or `--ref refs/tags/v1.2.3`
        error: the event `schedule` does not run on `refs/tags/v1`
          fix: write a ref of this event, for example `--ref refs/heads/main`
        error: `--ref main` is not a full git ref
          fix: write `refs/heads/main` for the branch, or `refs/tags/main` for the git tag
        error: `--ref 5` is not a full git ref
          fix: write `refs/pull/5/merge` for the pull request
        error: `--ref refs/heads/` is not a full git ref
          fix: write `refs/heads/BRANCH`, `refs/tags/TAG` or `refs/pull/NUMBER/merge`
        error: `--ref ` is not a full git ref
          fix: write `refs/heads/BRANCH`, `refs/tags/TAG` or `refs/pull/NUMBER/merge`
    "#]].assert_eq(&said);
}
