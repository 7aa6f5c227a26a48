//! Doors for the fuzz targets: each takes any text and panics where a promise is broken.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::context::Context;
use crate::image::Tag;
use crate::inputs::Inputs;
use crate::plan::Plan;
use crate::plan::facts::Facts;
use crate::plan::moment::{DateFormat, Zone};
use crate::plan::template::Template;
use crate::plan::template::global::Global;
use crate::vars::Vars;

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
        let facts = Facts::new(&context, now(), 7);
        assert_eq!(template.text(&facts), template.text(&facts));
    }
    let _shown = DateFormat::parse(text).format(now(), &Zone::UTC);
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
