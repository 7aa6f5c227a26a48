//! Entry points of the fuzz targets: each accepts any text or bytes and panics where an invariant is broken.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::context::Context;
use crate::context::event::Event;
use crate::context::facts::Facts;
use crate::credentials::Credentials;
use crate::image::tag::Tag;
use crate::inputs::Inputs;
use crate::inputs::expressions::Known;
use crate::inputs::tags::date_format::{DateFormat, Zone};
use crate::inputs::tags::template::embedded::Backslash;
use crate::inputs::tags::template::{Global, Template};
use crate::plan::Plan;
use crate::vars::Vars;

pub use crate::buildx::fuzzing::progress;
pub use crate::oci_layout::fuzzing::{docker_archive, oci_archive};
pub use crate::registry::fuzzing::{challenge, manifest, refused, retry};

/// The same text as every input of the rule language, on a push of a tag.
pub fn rules(text: &str) {
    for input in ["TAGS", "FLAVOR", "IMAGES", "LABELS", "ANNOTATIONS"] {
        let vars = vars(&[(&format!("INPUT_{input}"), text)]);
        let Ok(inputs) = Inputs::from_vars(&vars, &[]) else {
            continue;
        };
        if let Ok(plan) = Plan::new(&inputs, &context(&vars), |_| true, now()) {
            let tags = plan.tags.iter().map(|planned| &planned.tag);
            for tag in tags.chain(&plan.tag_names) {
                assert_eq!(Tag::sanitized(tag.as_str()).as_ref(), Some(tag));
            }
        }
    }
}

/// The text as a template, and as a date format.
pub fn template(text: &str) {
    let context = context(&vars(&[]));
    if let Ok(template) = Template::<Global>::parse(text) {
        let shown = template.text(&Facts::new(&context, now(), 7));
        // Text without an expression is kept.
        if !text.contains("{{") {
            assert_eq!(shown, text);
        }
    }
    if let Ok(template) = Template::<Known>::embedded(text, Backslash::OfExpressions) {
        // Text without an expression is kept, but for the backslash that keeps one.
        if !text.contains("\\{{") && template.expressions().next().is_none() {
            assert_eq!(template.literal(), Some(text));
        }
    }
    let _shown = DateFormat::parse(text).format(now(), &Zone::UTC);
}

/// The text as each input in turn, read as far as the request to the engine.
pub fn inputs(text: &str) {
    for (name, ..) in crate::inputs::raw::INPUTS {
        let with = [((*name).to_owned(), text.to_owned())];
        let vars = vars(&[]);
        if let Ok(inputs) = Inputs::from_vars(&vars, &with) {
            let _plan = Plan::new(&inputs, &context(&vars), |_| true, now());
        }
    }
}

/// The text as an event payload, with the rights of the repository and without.
pub fn event(text: &str) {
    let Ok(event) = Event::parse(text.as_bytes()) else {
        return;
    };
    let vars = vars(&[]);
    let inputs = Inputs::from_vars(&vars, &[]).expect("there are no inputs");
    for event_name in [
        "push",
        "pull_request",
        "pull_request_target",
        "workflow_run",
        "issue_comment",
    ] {
        let context = Context {
            event: event.clone(),
            event_name: event_name.to_owned(),
            ..context(&vars)
        };
        let _plan = Plan::new(&inputs, &context, |_| true, now());
    }
}

/// The text as a docker configuration; helpers, which are programs, are not asked.
pub fn docker_config(text: &str) {
    if text.contains("cred") {
        return;
    }
    let directory = tempfile::tempdir().expect("there is a place for it");
    std::fs::write(directory.path().join("config.json"), text).expect("it can be written");
    let inputs = Inputs::from_vars(&vars(&[]), &[]).expect("there are no inputs");
    let place = directory.path().display().to_string();
    let vars = vars(&[("DOCKER_CONFIG", &place)]);
    if let Ok(credentials) =
        Credentials::new(&inputs, &vars, &crate::context::server::Server::Public)
    {
        let known = credentials.docker().map(|docker| docker.login("quay.io"));
        assert!(credentials.cover("quay.io") || !matches!(known, Some(Ok(Some(_)))));
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(1_795_181_400_123_000_000)
}

fn vars(inputs: &[(&str, &str)]) -> Vars {
    let env = [
        ("GITHUB_REPOSITORY", "Acme/Widget"),
        ("GITHUB_REF", "refs/tags/v1.2.3"),
        ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
    ];
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Vars::new(
        env.iter().chain(inputs).map(owned),
        PathBuf::from("/nowhere"),
    )
}

fn context(vars: &Vars) -> Context {
    Context::from_vars(vars).expect("the environment is complete")
}
