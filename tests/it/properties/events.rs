//! Every event of the corpus through the program: pushed, only built, or refused.

use std::fs;

use serde_json::Value;

use crate::support::{Action, TOKEN};
use testkit::corpus;
use testkit::proof::Proof;

fn outcome(event: &Value) -> Result<(), String> {
    let text = |name: &str| event[name].as_str().unwrap();
    let action = Action::new()
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_ACTOR", "octocat")
        .env("GITHUB_REPOSITORY", "acme/Widget")
        .env("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567")
        .env("GITHUB_EVENT_NAME", text("event"))
        .env("GITHUB_REF", text("ref"))
        .input("github-token", TOKEN)
        .arguments(&["plan", "--json"]);
    let path = action.path("event.json");
    fs::write(&path, event["payload"].to_string()).unwrap();
    let mut action = action.env("GITHUB_EVENT_PATH", path.display().to_string());
    for (name, value) in event["env"].as_object().into_iter().flatten() {
        action = action.env(name, value.as_str().unwrap());
    }
    let run = action.run();
    let plan: Value = serde_json::from_str(&run.stdout).unwrap_or_default();
    let decision = plan["push"]["decision"].as_str().unwrap_or("refused");
    let is_refusal = run
        .stderr
        .contains("with the permissions of this repository");
    if decision != text("expect") || (decision == "refused") != is_refusal {
        return Err(format!("{}: {decision} {}", text("because"), run.stderr));
    }
    match &event["tags"] {
        Value::Array(tags) if plan["tag-names"] != Value::from(tags.clone()) => {
            Err(format!("{}: {}", text("because"), plan["tag-names"]))
        }
        _ => Ok(()),
    }
}

#[test]
fn every_event_is_decided_as_the_corpus_says() {
    let mut proof = Proof::of("events: pushed, only built, or refused");
    corpus::events()
        .iter()
        .for_each(|event| proof.case(outcome(event)));
    proof.end();
}
