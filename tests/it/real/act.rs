//! The action from its own Dockerfile, run by act; its outputs reach the next step.

use std::fs;

use ghcr_double::{Access, Account, Double, PullRequest, Repository};
use serde_json::Value;

use super::world::{output_of, repository_file};
use crate::support::{TOKEN, process};

#[test]
fn a_workflow_publishes_and_later_steps_and_jobs_consume_the_outputs() {
    let account = Account::workflow("acme/hello").pull_requests(Access::Write);
    let repository = Repository::new("acme/hello").pull_request(2, PullRequest::Open);
    let double = Double::builder()
        .token(TOKEN, account)
        .repository(repository)
        .start()
        .unwrap();
    let log = act(&double, "push");
    let digest = &double.tags("acme/hello")["latest"];
    assert!(
        log.contains(&format!("consumed {}/acme/hello@{digest}", double.host())),
        "{log}"
    );
    let parts = &double.tags("acme/hello/parts")["latest"];
    let consumed = format!("the image of two jobs is {parts}");
    assert!(log.contains(&consumed), "{log}");
    let (_, index) = double.manifest("acme/hello/parts", parts).unwrap();
    let index = String::from_utf8_lossy(&index);
    for architecture in ["amd64", "arm64"] {
        assert!(index.contains(architecture), "{index}");
    }
    let tags = |image: &str| double.tags(&format!("acme/hello/{image}"));
    let good = tags("good");
    assert_eq!(good["latest"], good["v1.2.3"]);
    let bad: Vec<String> = tags("bad").into_keys().collect();
    assert!(bad.iter().all(|tag| tag.starts_with("sha-")), "{bad:?}");
    expressions_have_values(&double);
    assert!(!log.contains(TOKEN), "the log shows the token");
    a_pull_request_shows_what_changes(&double);
}

fn act(double: &Double, event: &str) -> String {
    let run = repository_file("testbed/act-run");
    output_of(
        process(run.to_str().unwrap())
            .args([double.host().as_str(), event])
            .env("GITHUB_TOKEN", TOKEN),
    )
}

/// In the output, the log and a comment; an image that has grown too much gets no tag; the other modes run.
fn a_pull_request_shows_what_changes(double: &Double) {
    let log = act(double, "pull_request");
    assert!(log.contains("changed: {\"with\":"), "{log}");
    assert!(log.contains("too large: failure"), "{log}");
    assert!(!double.tags("acme/hello").contains_key("large"), "{log}");
    let [comment] = &double.comments("acme/hello", 2)[..] else {
        panic!("not one comment: {log}");
    };
    let image = &double.tags("acme/hello")["pr-2"];
    assert!(comment.body.contains(image), "{}", comment.body);
    for mode in ["plan", "check", "merge", "cleanup"] {
        assert!(log.contains(&format!("ended: {mode}")), "{mode}: {log}");
    }
    assert!(!log.contains(TOKEN), "the log shows the token");
}

/// The inputs are those that the reference shows in place of five steps.
fn expressions_have_values(double: &Double) {
    let text = |path: &str| fs::read_to_string(repository_file(path)).unwrap();
    let workflow = text("tests/act/publish.yml");
    let (_, inputs) = workflow.split_once("tests/act/expressions\n").unwrap();
    let (inputs, _) = inputs.split_once("  stage:\n").unwrap();
    assert!(text("docs/reference.md").contains(inputs), "{inputs}");
    let name = "acme/hello/expressions";
    let tags = double.tags(name);
    let date = tags.keys().find(|tag| tag.starts_with("20")).unwrap();
    let image = &tags["1.2.3"];
    assert_eq!(&tags[date], image);
    let (_, manifest) = double.manifest(name, image).unwrap();
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let config = json(&manifest)["config"]["digest"].clone();
    let config = json(&double.blob(name, config.as_str().unwrap()).unwrap());
    let label = &config["config"]["Labels"]["built"];
    assert_eq!(*label, format!("1.2.3 on {date}"));
}
