//! Events that are about another commit than `GITHUB_SHA`, through every place that can name a commit.

use serde_json::{Value, json};

use crate::context::Context;
use crate::inputs::Inputs;
use crate::plan::Plan;
use crate::vars::Vars;

const BASE: &str = "ba5eba5eba5eba5eba5eba5eba5eba5eba5eba5e";
const HEAD: &str = "4ead4ead4ead4ead4ead4ead4ead4ead4ead4ead";

/// Every rule that can name a commit, each alone: where it gives nothing, the fallback is seen.
const RULES: &[&str] = &[
    "type=sha",
    "type=sha,format=long",
    "type=raw,value=x-{{sha}}",
    "type=raw,value=x,prefix={{sha}}-",
    "type=raw,value=x,suffix=-{{sha}}",
    "type=schedule,pattern={{sha}}",
    "type=semver,pattern={{version}},value=1.0.0-{{sha}}",
    "type=match,pattern=.*,value={{sha}}",
    "type=raw,value=floating",
    "type=ref,event=tag",
];

fn plan(event: &str, payload: &Value, inputs: &[(&str, &str)]) -> Plan {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("event.json");
    std::fs::write(&file, payload.to_string()).unwrap();
    let path = file.display().to_string();
    let run = [
        ("GITHUB_REPOSITORY", "acme/Widget"),
        ("GITHUB_EVENT_NAME", event),
        ("GITHUB_EVENT_PATH", path.as_str()),
        ("GITHUB_REF", "refs/heads/main"),
        ("GITHUB_SHA", BASE),
        ("GITHUB_RUN_ID", "42"),
        ("GITHUB_ACTIONS", "true"),
        ("INPUT_ALLOW-UNTRUSTED-PULL-REQUEST", "true"),
        ("INPUT_LABELS", "of={{sha}}"),
    ];
    let vars = Vars::of(&[&run, inputs].concat());
    let context = Context::from_vars(&vars).unwrap();
    let inputs = Inputs::from_vars(&vars, &[]).unwrap();
    Plan::new(&inputs, &context, |_| true, chrono::DateTime::UNIX_EPOCH).unwrap()
}

/// Everything by which a commit could be named in a registry.
fn names(plan: &Plan) -> Vec<String> {
    let tags = plan.tags.iter().map(|planned| planned.tag.to_string());
    let listed = plan.tag_names.iter().map(ToString::to_string);
    let pairs = plan.labels.iter().chain(&plan.annotations);
    let engine = plan.build.names.iter().map(ToString::to_string);
    tags.chain(listed)
        .chain([plan.primary.to_string(), plan.version.clone()])
        .chain(pairs.map(|(key, value)| format!("{key}={value}")))
        .chain(engine)
        .collect()
}

fn comment() -> Value {
    json!({"issue": {"number": 7, "pull_request": {"url": "x"}}})
}

fn target(repository: &str) -> Value {
    json!({"number": 7, "pull_request": {"head": {"ref": "main", "sha": HEAD, "repo": {"full_name": repository}}}})
}

fn run_of(repository: &str, head: Option<&str>) -> Value {
    json!({"workflow_run": {"head_sha": head, "head_repository": {"full_name": repository}}})
}

/// The events that are not about `GITHUB_SHA`.
fn events() -> Vec<(&'static str, Value)> {
    vec![
        ("issue_comment", comment()),
        ("pull_request_target", target("joe/widget")),
        ("workflow_run", run_of("joe/widget", Some(HEAD))),
        ("workflow_run", run_of("acme/widget", Some(HEAD))),
        ("workflow_run", run_of("acme/widget", None)),
    ]
}

#[test]
fn no_tag_and_no_label_names_the_commit_of_the_base() {
    for (event, payload) in events() {
        for rules in RULES {
            for flavor in ["", "prefix={{sha}}-,onlatest=true\nlatest=true"] {
                let plan = plan(
                    event,
                    &payload,
                    &[("INPUT_TAGS", rules), ("INPUT_FLAVOR", flavor)],
                );
                let short = &BASE[..7];
                let named = names(&plan).into_iter().find(|name| name.contains(short));
                assert_eq!(named, None, "{event} {payload} {rules} {flavor}");
            }
        }
    }
}

#[test]
fn code_of_a_fork_names_no_commit() {
    let strangers = events().into_iter().take(3);
    for (event, payload) in strangers {
        for rules in RULES {
            let plan = plan(event, &payload, &[("INPUT_TAGS", rules)]);
            let named = names(&plan)
                .into_iter()
                .find(|name| name.contains(&HEAD[..7]));
            assert_eq!(named, None, "{event} {payload} {rules}");
        }
    }
}

#[test]
fn no_dockerfile_can_name_the_commit_of_untrusted_code() {
    for (event, payload) in events().into_iter().take(3) {
        let plan = plan(event, &payload, &[]);
        let labels = plan.labels.iter();
        let revision = labels.filter(|(key, _)| key == "org.opencontainers.image.revision");
        let values: Vec<&str> = revision.map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, [""], "{event}");
    }
}

#[test]
fn an_image_without_a_commit_is_named_by_its_pull_request_or_its_run() {
    let check = |event, payload: &Value, rules, expected: &str| {
        let plan = plan(event, payload, &[("INPUT_TAGS", rules)]);
        assert_eq!(plan.primary.as_str(), expected, "{event} {rules}");
    };
    check("issue_comment", &comment(), "type=sha", "pr-7");
    check("issue_comment", &comment(), "floating", "pr-7");
    check(
        "pull_request_target",
        &target("joe/widget"),
        "floating",
        "pr-7",
    );
    let fork = run_of("joe/widget", Some(HEAD));
    check("workflow_run", &fork, "floating", "run-42-1");
    let own = run_of("acme/widget", Some(HEAD));
    check("workflow_run", &own, "floating", &format!("sha-{HEAD}"));
    let own_target = target("acme/widget");
    check(
        "pull_request_target",
        &own_target,
        "type=sha",
        &format!("sha-{}", &BASE[..7]),
    );
}

#[test]
fn a_rule_without_its_commit_says_why() {
    let plan = plan(
        "issue_comment",
        &comment(),
        &[("INPUT_TAGS", "type=sha\nx-{{sha}}")],
    );
    let expected = "Nothing(\"the code comes from pull request 7\")";
    for outcome in &plan.outcomes {
        assert_eq!(
            format!("{:?}", outcome.outcome),
            expected,
            "{}",
            outcome.rule
        );
    }
}
