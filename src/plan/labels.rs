//! OCI labels and annotations
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md>).

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::context::Context;

/// What every image says of its origin, with `own` on top, sorted by key.
pub(super) fn labels(
    own: &[(String, String)],
    context: &Context,
    version: &str,
    now: DateTime<Utc>,
) -> Vec<(String, String)> {
    let facts = context.repository_facts();
    let origin = [
        ("title", facts.name),
        ("description", facts.description),
        ("url", facts.html_url.clone()),
        ("source", facts.html_url),
        ("version", version.to_owned()),
        ("created", now.to_rfc3339_opts(SecondsFormat::Millis, true)),
        ("revision", context.commit.clone()),
        ("licenses", facts.license),
    ];
    let origin = origin.map(|(key, value)| (format!("org.opencontainers.image.{key}"), value));
    let merged: BTreeMap<String, String> = origin.into_iter().chain(own.iter().cloned()).collect();
    merged.into_iter().collect()
}
