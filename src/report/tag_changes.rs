//! What became of each tag, in the log and the summary.

use crate::image::tag::Tag;
use crate::publish::{Change, Published, Skipped};

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
