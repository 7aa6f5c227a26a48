//! Which image the new one is compared with.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::context::facts::Facts;
use crate::context::{Context, GitRef};
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::inputs::Inputs;
use crate::inputs::candidate::{Reference, TagOrDigest};
use crate::inputs::compare::CompareWith;
use crate::plan::tags::{self, Motion, PlannedTag};

/// Where the image to compare with is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// Under the first of these tags that exists, in the repository of the first image name.
    First(Vec<Tag>),
    At(Reference),
}

/// More tags are not tried.
const MAX_TRIED: usize = 3;

/// The image of the input; else what the floating tags show, and on a pull request those of the base branch.
pub(super) fn compared(
    inputs: &Inputs,
    context: &Context,
    planned: &[PlannedTag],
    now: DateTime<Utc>,
) -> Compared {
    match &inputs.compare.with {
        Some(CompareWith::Nothing) => Compared::First(Vec::new()),
        Some(CompareWith::Tag(tag)) => Compared::First(vec![tag.clone()]),
        Some(CompareWith::Image(reference)) => Compared::At(reference.clone()),
        None if matches!(context.git_ref, GitRef::PullRequest(_)) => {
            Compared::First(of_base(inputs, context, now))
        }
        None => Compared::First(floating(planned)),
    }
}

fn floating(planned: &[PlannedTag]) -> Vec<Tag> {
    let floating = planned
        .iter()
        .filter(|planned| planned.motion == Motion::Floating);
    let tags = floating.map(|planned| planned.tag.clone());
    tags.take(MAX_TRIED).collect()
}

/// The floating tags that the rules give on a push to the base branch of a pull request; without such tags, the name of
/// the branch. An event that does not tell the base branch has the default branch.
fn of_base(inputs: &Inputs, context: &Context, now: DateTime<Utc>) -> Vec<Tag> {
    let facts = Facts::new(context, now, inputs.short_sha_length);
    let base = Some(facts.base_ref()).filter(|base| !base.is_empty());
    let base = base.or(facts.merge_group_base());
    let Some(base) = base.or(facts.default_branch()) else {
        return Vec::new();
    };
    let mut on_base = context.clone();
    on_base.git_ref = GitRef::Branch(base.to_owned());
    "push".clone_into(&mut on_base.event_name);
    let facts = Facts::new(&on_base, now, inputs.short_sha_length);
    let planned = tags::tags(&inputs.tags, &inputs.flavor, &facts);
    let tags = planned.map(|tags| floating(&tags.tags)).unwrap_or_default();
    match tags.is_empty() {
        true => Tag::sanitized(base).into_iter().collect(),
        false => tags,
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First(tags) => {
                let tags: Vec<String> = tags.iter().map(|tag| format!("`{tag}`")).collect();
                f.write_str(&tags.join(" or "))
            }
            Self::At(reference) => write!(f, "`{reference}`"),
        }
    }
}

impl Compared {
    pub(crate) fn reference(&self) -> Option<&Reference> {
        match self {
            Self::First(_) => None,
            Self::At(reference) => Some(reference),
        }
    }

    /// Whether the image is looked for under this tag of one of these names: the engine must not overwrite it then.
    pub(super) fn is_under(&self, tag: &Tag, names: &[ImageName]) -> bool {
        match self {
            Self::First(tags) => tags.contains(tag),
            Self::At(Reference { name, version }) => {
                *version == TagOrDigest::Tag(tag.clone()) && names.contains(name)
            }
        }
    }

    /// Whether no image is compared.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::First(tags) if tags.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::vars::Vars;
    use serde_json::json;

    const PULL_REQUEST: &[(&str, &str)] = &[
        ("GITHUB_EVENT_NAME", "pull_request"),
        ("GITHUB_REF", "refs/pull/7/merge"),
    ];
    const RELEASE: &[(&str, &str)] = &[("GITHUB_REF", "refs/tags/v1.2.3")];

    fn plan(event: &[(&str, &str)], inputs: &[(&str, &str)]) -> Plan {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("event.json");
        let mut payload = json!({ "repository": { "name": "app", "default_branch": "main" } });
        if event.contains(&("GITHUB_EVENT_NAME", "merge_group")) {
            payload["merge_group"] = json!({
                "head_ref": "refs/heads/gh-readonly-queue/releases/2.x/pr-7-abc",
                "base_ref": "refs/heads/releases/2.x",
            });
        } else {
            payload["number"] = json!(7);
            payload["pull_request"] =
                json!({ "base": { "ref": "releases/1.x" }, "head": { "ref": "topic" } });
        }
        std::fs::write(&file, payload.to_string()).unwrap();
        let path = file.display().to_string();
        let run = [
            ("GITHUB_REPOSITORY", "acme/app"),
            ("GITHUB_EVENT_NAME", "push"),
            ("GITHUB_EVENT_PATH", &path),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
        ];
        let vars = Vars::of(&[&run, event, inputs].concat());
        let context = Context::from_vars(&vars).unwrap();
        let inputs = Inputs::from_vars(&vars, &[]).unwrap();
        Plan::new(&inputs, &context, |_| true, DateTime::UNIX_EPOCH).unwrap()
    }

    /// The tags to compare with, or the reference.
    #[track_caller]
    fn check(event: &[(&str, &str)], tags: &str, with: &str, expected: &[&str]) {
        let inputs = [("INPUT_TAGS", tags), ("INPUT_COMPARE-WITH", with)];
        let shown = match plan(event, &inputs).compared {
            Compared::First(tags) => tags.iter().map(ToString::to_string).collect(),
            Compared::At(reference) => vec![reference.to_string()],
        };
        assert_eq!(shown, expected, "{event:?} {tags} {with}");
    }

    #[test]
    fn with_a_limit_the_first_push_uses_no_tag_of_the_plan() {
        let tags = ("INPUT_TAGS", "type=ref,event=pr\ntype=sha,format=long");
        let is_planned = |inputs: &[(&str, &str)]| {
            let plan = plan(PULL_REQUEST, inputs);
            plan.tags.iter().any(|planned| planned.tag == plan.primary)
        };
        assert!(is_planned(&[tags]));
        assert!(!is_planned(&[tags, ("INPUT_MAX-GROWTH", "10%")]));
    }

    #[test]
    fn the_first_push_does_not_overwrite_the_image_to_compare_with() {
        let primary = |with| plan(PULL_REQUEST, &[("INPUT_COMPARE-WITH", with)]).primary;
        assert_eq!(primary("main").as_str(), "pr-7");
        assert_eq!(primary("ghcr.io/acme/other:pr-7").as_str(), "pr-7");
        for with in ["pr-7", "ghcr.io/acme/app:pr-7"] {
            assert_ne!(primary(with).as_str(), "pr-7", "{with}");
        }
    }

    #[test]
    fn a_branch_is_compared_with_what_its_tag_shows() {
        check(&[], "", "", &["main"]);
        check(&[], "type=sha\ntype=edge", "", &["edge"]);
        check(&[], "type=sha", "", &[]);
    }

    #[test]
    fn a_release_is_compared_with_what_its_floating_tags_show() {
        let semver = "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}.{{minor}}";
        check(RELEASE, semver, "", &["1.2", "latest"]);
        check(RELEASE, "", "", &["latest"]);
        let many = "a\nb\nc\nd";
        check(RELEASE, many, "", &["a", "b", "c"]);
    }

    #[test]
    fn a_pull_request_is_compared_with_its_base_branch() {
        check(PULL_REQUEST, "", "", &["releases-1.x"]);
        check(PULL_REQUEST, "type=ref,event=pr", "", &["releases-1.x"]);
        let prefixed = "type=ref,event=branch,prefix=b-\ntype=ref,event=pr";
        check(PULL_REQUEST, prefixed, "", &["b-releases-1.x"]);
    }

    #[test]
    fn a_merge_queue_is_compared_with_its_base_branch() {
        let queue = [
            ("GITHUB_EVENT_NAME", "merge_group"),
            (
                "GITHUB_REF",
                "refs/heads/gh-readonly-queue/releases/2.x/pr-7-abc",
            ),
        ];
        check(&queue, "", "", &["releases-2.x"]);
    }

    #[test]
    fn the_input_wins() {
        check(PULL_REQUEST, "", "stable", &["stable"]);
        check(&[], "", "none", &[]);
        check(&[], "", "ghcr.io/acme/app:1", &["ghcr.io/acme/app:1"]);
    }
}
