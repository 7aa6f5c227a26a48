//! Every case of `tests/vectors/metadata.jsonl` through the program's own `plan`: what
//! docker/metadata-action v6.2.0 wrote for it, byte for byte.

use std::fs;

use chrono::DateTime;
use serde_json::{Map, Value, json};

use crate::support::{Action, Run};

const VECTORS: &str = include_str!("../vectors/metadata.jsonl");

fn run(vector: &Value) -> Run {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pairs = |key: &str| vector[key].as_object().unwrap().iter();
    let action = Action::new();
    let event = action.path("event");
    fs::write(&event, payload(vector).to_string()).unwrap();
    let now = DateTime::parse_from_rfc3339(vector["now"].as_str().unwrap()).unwrap();
    let action = action
        .env("GITHUB_EVENT_PATH", event.display().to_string())
        .env("SOURCE_DATE_EPOCH", now.timestamp().to_string())
        .arguments(&["plan"]);
    let action = pairs("env").fold(action, |action, (name, value)| {
        action.env(name, text(value))
    });
    pairs("inputs")
        .fold(action, |action, (name, value)| {
            action.input(name, text(value))
        })
        .run()
}

/// The event, with the commit's date where the peer asks GitHub for it.
fn payload(vector: &Value) -> Value {
    let mut event = vector["event"].clone();
    if event.get("head_commit").is_none() {
        let commit = &vector["env"]["GITHUB_SHA"];
        event["head_commit"] = json!({"id": commit, "timestamp": vector["commit_date"]});
    }
    event
}

/// The outputs that differ from what is expected.
fn differences(run: &Run, expect: &Map<String, Value>) -> Vec<String> {
    if let Some(error) = expect.get("error") {
        let wrongly = run
            .succeeded
            .then(|| format!("succeeds instead of {error}"));
        return wrongly.into_iter().collect();
    }
    if !run.succeeded {
        return vec![format!("fails: {}", run.stderr)];
    }
    let differing = expect
        .iter()
        .filter(|(name, value)| run.output(name) != value.as_str().unwrap());
    let shown = differing
        .map(|(name, value)| format!("{name}\n  theirs {value}\n  ours   {:?}", run.output(name)));
    shown.collect()
}

#[test]
fn every_vector_gives_the_tags_of_metadata_action() {
    let vectors: Vec<Value> = VECTORS
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(vectors.len(), 560);
    let failures: Vec<String> = vectors
        .iter()
        .flat_map(|vector| {
            let differences = differences(&run(vector), vector["expect"].as_object().unwrap());
            differences
                .into_iter()
                .map(|difference| format!("{}: {difference}", vector["name"]))
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
