//! What became of each tag, in the log and in the output `tag-changes`.

use serde_json::{Value, json};

use crate::image::digest::Digest;
use crate::image::tag::Tag;
use crate::publish::{Change, Published, Skipped};
use crate::report::Report;

/// The output: a list of `name`, `tag`, `change`, `from` and `reason`. `from` is what the tag showed before; of a tag
/// that is kept, what it shows.
pub(super) fn output(report: &Report) -> String {
    let published = report.done.published.iter();
    published.flat_map(entries).collect::<Value>().to_string()
}

fn entries(published: &Published) -> impl Iterator<Item = Value> {
    let entry = |tag: &Tag, change: &str, from: Option<&Digest>, reason: Option<&str>| {
        json!({
            "name": published.name.to_string(),
            "tag": tag.as_str(),
            "change": change,
            "from": from.map(Digest::as_str),
            "reason": reason,
        })
    };
    let shown = published.tags.iter().filter_map(move |tag| {
        let (change, from) = match published.change(tag)? {
            Change::Created => ("created", None),
            Change::Unchanged => ("unchanged", None),
            Change::Moved { from } => ("moved", Some(from)),
        };
        Some(entry(tag, change, from, None))
    });
    let kept = published.skipped.iter().map(move |skipped| {
        let Skipped {
            tag, reason, holds, ..
        } = skipped;
        entry(tag, "kept", holds.as_ref(), Some(reason))
    });
    shown.chain(kept)
}

/// What became of a tag in words, for example `created`; nothing where it is not known. `digest` writes a digest.
pub(super) fn text(published: &Published, tag: &Tag, digest: fn(&str) -> String) -> Option<String> {
    Some(match published.change(tag)? {
        Change::Created => "created".to_owned(),
        Change::Unchanged => "unchanged".to_owned(),
        Change::Moved { from } => format!("moved from {}", digest(from.as_str())),
    })
}

/// What a kept tag shows, for example `at sha256:…`.
pub(super) fn place(skipped: &Skipped, digest: fn(&str) -> String) -> String {
    match &skipped.holds {
        Some(held) => format!("at {}", digest(held.as_str())),
        None => "unwritten".to_owned(),
    }
}
