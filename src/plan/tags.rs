//! What happened -> tags.

use crate::context::{Context, GitRef};
use crate::image::Tag;

/// The tags of a run and the one among them that names the version.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tags {
    pub(crate) version: String,
    pub(crate) tags: Vec<PlannedTag>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedTag {
    pub(crate) tag: Tag,
    pub(crate) motion: Motion,
}

/// Whether a tag is meant to point to other images later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Motion {
    /// One release, one commit, one pull request.
    Fixed,
    /// `latest`, a branch, a schedule.
    Floating,
}

/// The tags of the default rules: `type=schedule`, and `type=ref` for branch, tag and pull request.
/// `latest` comes with a git tag.
pub(crate) fn of_event(context: &Context) -> Tags {
    let mut tags = Vec::new();
    let mut add = |text: &str, motion| {
        tags.extend(Tag::sanitized(text).map(|tag| PlannedTag { tag, motion }))
    };
    if context.event_name == "schedule" {
        add("nightly", Motion::Floating);
    }
    match &context.git_ref {
        GitRef::Branch(name) => add(name, Motion::Floating),
        GitRef::Tag(name) => {
            add(name, Motion::Fixed);
            add("latest", Motion::Floating);
        }
        GitRef::PullRequest(number) => add(&format!("pr-{number}"), Motion::Fixed),
        GitRef::Other(_) => {}
    }
    tags.dedup_by(|later, earlier| later.tag == earlier.tag);
    let version = tags
        .first()
        .map(|planned| planned.tag.to_string())
        .unwrap_or_default();
    Tags { version, tags }
}

/// `sha-<first digits of the commit>`.
pub(crate) fn commit_tag(commit: &str, digits: usize) -> Tag {
    let short = commit.get(..digits).unwrap_or(commit);
    Tag::sanitized(&format!("sha-{short}"))
        .expect("`sha-` starts with a letter, so something valid is left")
}

impl PlannedTag {
    /// The tag of an image that no rule names.
    pub(crate) fn fallback(commit: &str) -> Self {
        Self {
            tag: commit_tag(commit, 7),
            motion: Motion::Fixed,
        }
    }
}
