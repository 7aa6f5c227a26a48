//! Git refs: what an event is about.

use crate::context::event::Event;

/// A parsed full git ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GitRef {
    /// `refs/heads/<name>`
    Branch(String),
    /// `refs/tags/<name>`
    Tag(String),
    /// `refs/pull/<N>/merge`, `refs/pull/<N>/head`, or a merge queue's branch for pull request N.
    PullRequest(u64),
    /// Any other ref, in full.
    Other(String),
}

impl GitRef {
    /// The ref an event is about. `pull_request_target` and comments run on a branch of the base, yet are
    /// about the pull request that their payload names.
    pub(super) fn of_event(event_name: &str, full_ref: &str, event: &Event) -> Self {
        let is_about_pull = event.is_comment_on_pull_request || event_name == "pull_request_target";
        match event.number.filter(|_| is_about_pull) {
            Some(number) => Self::PullRequest(number),
            None => Self::parse(full_ref),
        }
    }

    pub(super) fn parse(full_ref: &str) -> Self {
        if let Some(branch) = full_ref.strip_prefix("refs/heads/") {
            return merge_queue_pull_request(branch)
                .map_or_else(|| Self::Branch(branch.to_owned()), Self::PullRequest);
        }
        if let Some(tag) = full_ref.strip_prefix("refs/tags/") {
            return Self::Tag(tag.to_owned());
        }
        pull_request_number(full_ref)
            .map_or_else(|| Self::Other(full_ref.to_owned()), Self::PullRequest)
    }
}

fn pull_request_number(full_ref: &str) -> Option<u64> {
    let (number, side) = full_ref.strip_prefix("refs/pull/")?.split_once('/')?;
    matches!(side, "merge" | "head").then(|| number.parse().ok())?
}

/// The number in `gh-readonly-queue/<base>/pr-<N>-<sha>`, the branch a merge queue tests
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#merge_group>).
fn merge_queue_pull_request(branch: &str) -> Option<u64> {
    let (_base, last) = branch
        .strip_prefix("gh-readonly-queue/")?
        .rsplit_once('/')?;
    let (number, _sha) = last.strip_prefix("pr-")?.split_once('-')?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(full_ref: &str, expected: &GitRef) {
        assert_eq!(&GitRef::parse(full_ref), expected);
    }

    #[test]
    fn full_refs_are_parsed() {
        check(
            "refs/heads/releases/v1",
            &GitRef::Branch("releases/v1".to_owned()),
        );
        check("refs/tags/v1.2.3", &GitRef::Tag("v1.2.3".to_owned()));
        check("refs/pull/2/merge", &GitRef::PullRequest(2));
        check("refs/pull/2/head", &GitRef::PullRequest(2));
        check(
            "refs/heads/gh-readonly-queue/main/pr-12-0123abc",
            &GitRef::PullRequest(12),
        );
        check(
            "refs/heads/gh-readonly-queue/release/1.x/pr-7-ff",
            &GitRef::PullRequest(7),
        );
        check(
            "refs/heads/gh-readonly-queue/other",
            &GitRef::Branch("gh-readonly-queue/other".to_owned()),
        );
        check(
            "refs/pull/x/merge",
            &GitRef::Other("refs/pull/x/merge".to_owned()),
        );
    }

    #[test]
    fn pull_request_target_is_about_the_pull_request() {
        let event = Event::from_payload(&json!({"number": 9}));
        assert_eq!(
            GitRef::of_event("pull_request_target", "refs/heads/main", &event),
            GitRef::PullRequest(9)
        );
        assert_eq!(
            GitRef::of_event("push", "refs/heads/main", &event),
            GitRef::Branch("main".to_owned())
        );
    }

    #[test]
    fn a_comment_is_about_the_pull_request_and_not_about_an_issue() {
        let of = |issue| {
            let event = Event::from_payload(&json!({"number": 1, "issue": issue}));
            GitRef::of_event("issue_comment", "refs/heads/main", &event)
        };
        let on_pull = of(json!({"number": 9, "pull_request": {"url": "x"}}));
        assert_eq!(on_pull, GitRef::PullRequest(9));
        let main = GitRef::Branch("main".to_owned());
        assert_eq!(of(json!({"number": 9})), main);
        assert_eq!(of(json!({"number": 9, "pull_request": null})), main);
        assert_eq!(of(json!({"pull_request": {}})), main);
    }
}
