//! Which refs an event can have.
//!
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows>

use crate::context::GitRef;
use crate::error::{Problem, nearest};

use self::Refs::{Branch, BranchOrTag, MergeQueue, PullRequest as Pull, Tag};

/// The refs that an event can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refs {
    Branch,
    Tag,
    BranchOrTag,
    PullRequest,
    MergeQueue,
}

/// The events that start workflows.
const EVENTS: &[(&str, Refs)] = &[
    ("branch_protection_rule", Branch),
    ("check_run", Branch),
    ("check_suite", Branch),
    ("create", BranchOrTag),
    ("delete", Branch),
    ("deployment", BranchOrTag),
    ("deployment_status", BranchOrTag),
    ("discussion", Branch),
    ("discussion_comment", Branch),
    ("fork", Branch),
    ("gollum", Branch),
    ("image_version", Branch),
    ("issue_comment", Branch),
    ("issues", Branch),
    ("label", Branch),
    ("merge_group", MergeQueue),
    ("milestone", Branch),
    ("page_build", Branch),
    ("public", Branch),
    ("pull_request", Pull),
    ("pull_request_review", Pull),
    ("pull_request_review_comment", Pull),
    ("pull_request_target", Pull),
    ("push", BranchOrTag),
    ("registry_package", BranchOrTag),
    ("release", Tag),
    ("repository_dispatch", Branch),
    ("schedule", Branch),
    ("status", Branch),
    ("watch", Branch),
    ("workflow_dispatch", BranchOrTag),
    ("workflow_run", Branch),
];

impl Refs {
    /// The refs of an event.
    ///
    /// # Errors
    ///
    /// If no event that starts workflows has this name.
    pub(super) fn of_event(name: &str) -> Result<Self, Problem> {
        let names = EVENTS.iter().map(|(known, _)| *known);
        let found = EVENTS.iter().find(|(known, _)| *known == name);
        found.map(|(_, refs)| *refs).ok_or_else(|| {
            let near = nearest(name, names).map(|name| format!("; did you mean `{name}`?"));
            let example = "write an event that starts workflows, for example `push`, `pull_request` or `schedule`";
            let fix = example.to_owned() + &near.unwrap_or_default();
            Problem::new(format!("there is no event `{name}`"), fix)
        })
    }

    /// The kind of a full git ref; nothing if it is not one.
    pub(super) fn of(git_ref: &str) -> Option<Self> {
        match GitRef::parse(git_ref) {
            GitRef::Branch(name) if !name.is_empty() => Some(Self::Branch),
            GitRef::Tag(name) if !name.is_empty() => Some(Self::Tag),
            GitRef::PullRequest(_) if git_ref.starts_with("refs/pull/") => Some(Self::PullRequest),
            GitRef::PullRequest(_) => Some(Self::MergeQueue),
            GitRef::Branch(_) | GitRef::Tag(_) | GitRef::Other(_) => None,
        }
    }

    pub(super) fn include(self, other: Self) -> bool {
        self == other || self == BranchOrTag && matches!(other, Branch | Tag)
    }

    /// The event that most often has such a ref.
    pub(super) fn usual_event(self) -> &'static str {
        match self {
            Self::Branch | Self::Tag | Self::BranchOrTag => "push",
            Self::PullRequest => "pull_request",
            Self::MergeQueue => "merge_group",
        }
    }

    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Branch => "`--ref refs/heads/main`",
            Self::Tag => "`--ref refs/tags/v1.2.3`",
            Self::BranchOrTag => "`--ref refs/heads/main` or `--ref refs/tags/v1.2.3`",
            Self::PullRequest => "`--ref refs/pull/5/merge`",
            Self::MergeQueue => "`--ref refs/heads/gh-readonly-queue/main/pr-5-0123abc`",
        }
    }
}

pub(super) fn not_full(git_ref: &str) -> Problem {
    let fix = match git_ref.parse::<u64>() {
        Ok(number) => format!("write `refs/pull/{number}/merge` for the pull request"),
        Err(_) if git_ref.is_empty() || git_ref.starts_with("refs/") => {
            "write `refs/heads/BRANCH`, `refs/tags/TAG` or `refs/pull/NUMBER/merge`".to_owned()
        }
        Err(_) => {
            format!(
                "write `refs/heads/{git_ref}` for the branch, or `refs/tags/{git_ref}` for the git tag"
            )
        }
    };
    Problem::new(format!("`--ref {git_ref}` is not a full git ref"), fix)
}
