//! Every case of `tests/vectors/metadata.jsonl`: what docker/metadata-action v6.2.0 wrote for it.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{Plan, metadata};
use crate::context::Context;
use crate::inputs::Inputs;
use crate::vars::Vars;

/// A case as the program is started with it.
struct Case {
    name: String,
    vars: Vars,
    now: DateTime<Utc>,
    expect: Map<String, Value>,
    _event: tempfile::NamedTempFile,
}

fn cases() -> Vec<Case> {
    let lines = include_str!("../../tests/vectors/metadata.jsonl").lines();
    lines
        .map(|line| case(&serde_json::from_str(line).unwrap()))
        .collect()
}

fn case(vector: &Value) -> Case {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pairs = |key: &str| vector[key].as_object().unwrap().iter();
    let event = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&event, payload(vector).to_string()).unwrap();
    let env = pairs("env").map(|(name, value)| (name.clone(), text(value)));
    let inputs = pairs("inputs").map(|(name, value)| {
        let variable = format!("INPUT_{}", name.to_uppercase());
        (variable, text(value))
    });
    let path = event.path().to_str().unwrap().to_owned();
    let vars = env
        .chain(inputs)
        .chain([("GITHUB_EVENT_PATH".to_owned(), path)]);
    Case {
        name: text(&vector["name"]),
        vars: Vars::new(vars, PathBuf::from("/nowhere")),
        now: vector["now"].as_str().unwrap().parse().unwrap(),
        expect: vector["expect"].as_object().unwrap().clone(),
        _event: event,
    }
}

/// The event, with the commit's date where GitHub would be asked for it.
fn payload(vector: &Value) -> Value {
    let mut event = vector["event"].clone();
    if event.get("head_commit").is_none() {
        let commit = &vector["env"]["GITHUB_SHA"];
        event["head_commit"] = json!({"id": commit, "timestamp": vector["commit_date"]});
    }
    event
}

/// What the program writes: through the same door as the program itself.
fn outputs(case: &Case) -> anyhow::Result<Vec<(&'static str, String)>> {
    let inputs = Inputs::from_vars(&case.vars, &[])?;
    let context = Context::from_vars(&case.vars)?;
    let plan = Plan::new(&inputs, &context, |_| false, case.now)?;
    Ok(metadata::outputs(&plan, &inputs.layout))
}

/// The outputs that differ from what is expected.
fn differences(case: &Case) -> Vec<String> {
    let outputs = match (outputs(case), case.expect.get("error")) {
        (Ok(outputs), None) => outputs,
        (Err(_), Some(_)) => return Vec::new(),
        (Ok(_), Some(error)) => return vec![format!("succeeds instead of {error}")],
        (Err(error), None) => return vec![format!("fails: {error:#}")],
    };
    let expected = case
        .expect
        .iter()
        .map(|(name, value)| (name, value.as_str().unwrap()));
    let differing = expected.filter_map(|(name, value)| {
        let ours = outputs.iter().find(|(other, _)| other == name);
        let ours = ours.map(|(_, text)| text.as_str());
        (ours != Some(value)).then(|| format!("{name}\n  theirs {value:?}\n  ours   {ours:?}"))
    });
    differing.collect()
}

#[test]
fn every_case_gives_what_the_peer_wrote() {
    let cases = cases();
    assert_eq!(cases.len(), 560);
    let failures: Vec<String> = cases
        .iter()
        .flat_map(|case| {
            let differences = differences(case).into_iter();
            differences.map(move |difference| format!("{}: {difference}", case.name))
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
