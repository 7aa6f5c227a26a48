//! Whose code a run builds, and with which permissions.
//!
//! | Event | Runs on | Token | Says whose code it is about |
//! |---|---|---|---|
//! | `pull_request`, `pull_request_review`, `pull_request_review_comment` | the merge commit | a fork's only reads | `pull_request.head` |
//! | `pull_request_target` | the base branch | the base's | `pull_request.head` |
//! | `workflow_run` | the default branch | the base's | `workflow_run.head_repository`, `workflow_run.head_sha` |
//! | `issue_comment` with `issue.pull_request` | the default branch | the base's | nothing |
//!
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows>

use crate::context::Context;

impl Context {
    /// Whether the run has the permissions of this repository although it builds another head.
    pub(crate) fn has_rights_of_base(&self) -> bool {
        let events = ["pull_request_target", "workflow_run"];
        self.event.is_comment_on_pull_request || events.contains(&self.event_name.as_str())
    }

    /// Where the code comes from, when that is not known to be this repository.
    pub(crate) fn foreign_head(&self) -> Option<String> {
        let event = &self.event;
        if event.is_comment_on_pull_request {
            return Some(match event.number {
                Some(number) => format!("pull request {number}"),
                None => "a pull request".to_owned(),
            });
        }
        let pull = event.pull_request.as_ref();
        // A run with the permissions of this repository must know whose code it builds.
        let head = match (self.event_name.as_str(), pull) {
            ("workflow_run", _) => event.workflow_run.head_repository.as_ref(),
            ("pull_request_target", pull) => pull.and_then(|pull| pull.head_repository.as_ref()),
            (_, Some(pull)) => pull.head_repository.as_ref(),
            (_, None) => return None,
        };
        match head {
            None => Some("a deleted repository".to_owned()),
            Some(head) if head.eq_ignore_ascii_case(&self.repository.to_string()) => None,
            Some(head) => Some(format!("the fork `{head}`")),
        }
    }

    /// The origin of the code, if it is built with permissions that its author does not have.
    pub(crate) fn untrusted_head(&self) -> Option<String> {
        self.foreign_head().filter(|_| self.has_rights_of_base())
    }

    /// The commit that tags and labels may name; else why there is none. A completed sentence is
    /// "it names no commit, since ...".
    ///
    /// `GITHUB_SHA` is a commit of the base when the code is not, and no tag of a commit may show
    /// other code. Nor may the head's commit be named: its author chooses it, and it can be one of ours.
    pub(crate) fn named_commit(&self) -> Result<&str, String> {
        if let Some(head) = self.untrusted_head() {
            return Err(format!("the code comes from {head}"));
        }
        if !self.knows_commit {
            let event = &self.event_name;
            return Err(format!(
                "the event `{event}` does not say which commit it is about"
            ));
        }
        match &self.uncommitted {
            Some(why) => Err(why.clone()),
            None => Ok(&self.commit),
        }
    }

    /// The commit that the image counts as when a branch tag moves: uncommitted changes are newer than the
    /// commit they were made on, and older than those that follow it.
    pub(crate) fn base_commit(&self) -> Result<String, String> {
        match &self.uncommitted {
            Some(_) => Ok(self.commit.clone()),
            None => self.named_commit().map(str::to_owned),
        }
    }

    /// What the label `revision` says: `-dirty` marks uncommitted changes, as `git describe --dirty` does. Empty
    /// when no commit may be named.
    pub(crate) fn revision(&self) -> String {
        match &self.uncommitted {
            Some(_) => format!("{}-dirty", self.commit),
            None => self.named_commit().unwrap_or_default().to_owned(),
        }
    }
}
