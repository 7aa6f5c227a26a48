//! The plan as a person reads it, and as a program does.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::plan::Plan;
use crate::plan::build::BuildRequest;

/// The plan in a few lines.
pub(crate) fn text(plan: &Plan) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        let _infallible = writeln!(text, "{name:<12} {value}");
    };
    let decision = if plan.push.is_push() {
        "yes"
    } else {
        "no, build only"
    };
    let mut names = plan.references().map(|reference| reference.to_string());
    row("publish", &names.next().unwrap_or_default());
    names.for_each(|name| row("", &name));
    row("push", &format!("{decision}: {}", plan.push.reason()));
    row("build", &build_text(&plan.build));
    for (at, (key, value)) in plan.labels.iter().enumerate() {
        row(
            if at == 0 { "labels" } else { "" },
            &format!("{key}={value}"),
        );
    }
    text
}

fn build_text(build: &BuildRequest) -> String {
    let platforms = if build.platforms.is_empty() {
        "the engine's platform".to_owned()
    } else {
        build.platforms.join(", ")
    };
    format!(
        "{} in {} for {platforms}",
        build.dockerfile(),
        build.context
    )
}

/// The plan as one JSON object.
pub(crate) fn json(plan: &Plan) -> Value {
    let object = |pairs: &[(String, String)]| {
        pairs
            .iter()
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect::<Map<_, _>>()
    };
    json!({
        "images": plan.images.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "version": plan.version,
        "tags": plan.references().map(|reference| reference.to_string()).collect::<Vec<_>>(),
        "tag-names": plan.tags.iter().map(|planned| planned.tag.to_string()).collect::<Vec<_>>(),
        "labels": object(&plan.labels),
        "annotations": plan.annotations.iter().map(|(key, value)| format!("manifest:{key}={value}")).collect::<Vec<_>>(),
        "push": {
            "decision": if plan.push.is_push() { "push" } else { "build-only" },
            "reason": plan.push.reason(),
        },
        "build": build_json(&plan.build),
    })
}

/// Build arguments by name only: their values may be nobody else's business.
fn build_json(build: &BuildRequest) -> Value {
    json!({
        "context": build.context,
        "file": build.dockerfile(),
        "target": build.target,
        "platforms": build.platforms,
        "build-args": build.build_args.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "no-cache": build.no_cache,
        "pull": build.pull,
        "names": build.names.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
