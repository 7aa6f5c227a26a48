//! The tag of an image that no rule names: that of the commit, the pull request or the run.

use crate::context::{Context, GitRef};
use crate::image::tag::Tag;
use crate::plan::tags::{Motion, PlannedTag};

/// `sha-<first digits of the commit>`.
pub(crate) fn commit_tag(commit: &str, digits: usize) -> Tag {
    prefixed("sha", commit, digits)
}

fn prefixed(prefix: &str, commit: &str, digits: usize) -> Tag {
    let short = commit.get(..digits).unwrap_or(commit);
    Tag::sanitized(&format!("{prefix}-{short}"))
        .expect("it starts with a letter, so something valid is left")
}

impl PlannedTag {
    /// The tag of an image that no rule names.
    pub(crate) fn fallback(context: &Context) -> Self {
        Self {
            tag: own_tag(context, 7),
            motion: Motion::Fixed,
            line: None,
            names_commit: context.named_commit().is_ok(),
        }
    }
}

/// A tag that no other run writes: that of the commit with `digits` digits. Code whose commit may not be
/// named has its pull request, else the run.
pub(crate) fn own_tag(context: &Context, digits: usize) -> Tag {
    if let Ok(commit) = context.named_commit() {
        return commit_tag(commit, digits);
    }
    if context.uncommitted.is_some() {
        return prefixed("dirty", &context.commit, digits);
    }
    let text = match (&context.git_ref, &context.run) {
        (GitRef::PullRequest(number), _) => format!("pr-{number}"),
        (_, Some(run)) => format!("run-{}-{}", run.id, run.attempt),
        (_, None) => "run".to_owned(),
    };
    Tag::sanitized(&text).expect("it starts with a letter, so something valid is left")
}
