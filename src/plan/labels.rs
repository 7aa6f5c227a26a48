//! OCI labels and annotations
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md>).

mod collation;

use crate::inputs::labels::LabelLine;
use chrono::SecondsFormat;

use crate::context::facts::Facts;

/// What every image says of its origin, with `own` on top, in the order of the keys.
pub(crate) fn labels(own: &[LabelLine], facts: &Facts<'_>, version: &str) -> Vec<(String, String)> {
    let mut labels = origin(facts, version);
    for template in own.iter().map(LabelLine::template) {
        let Ok(text) = template.whole_text(facts) else {
            continue;
        };
        let Some((key, value)) = text.split_once('=') else {
            continue;
        };
        match labels.iter_mut().find(|(other, _)| other == key) {
            Some((_, other)) => value.clone_into(other),
            None => labels.push((key.to_owned(), value.to_owned())),
        }
    }
    labels.sort_by(|(a, _), (b, _)| collation::compare(a, b));
    labels
}

fn origin(facts: &Facts<'_>, version: &str) -> Vec<(String, String)> {
    let repository = facts.repository();
    let created = facts.now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let origin = [
        ("title", repository.name),
        ("description", repository.description),
        ("url", repository.html_url.clone()),
        ("source", repository.html_url),
        ("version", version.to_owned()),
        ("created", created),
        // Empty, the label still replaces one that a Dockerfile sets.
        ("revision", facts.revision()),
        ("licenses", repository.license),
    ];
    let origin = origin.map(|(key, value)| (format!("org.opencontainers.image.{key}"), value));
    origin.into()
}
