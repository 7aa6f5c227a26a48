//! The few fields of the event payload that matter.
//!
//! Payloads: <https://docs.github.com/en/webhooks/webhook-events-and-payloads>. A field that is
//! missing or of another type counts as unknown, since each event has its own shape.

mod pruned;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use crate::error::Problem;

/// What the payload at `GITHUB_EVENT_PATH` says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Event {
    /// For example `closed`.
    pub(crate) action: Option<String>,
    /// Number of the pull request, for the pull request events and comments on one.
    pub(crate) number: Option<u64>,
    pub(crate) pull_request: Option<PullRequest>,
    /// Whether it is about a comment on a pull request. Such a payload says nothing of the pull request's head.
    pub(crate) is_comment_on_pull_request: bool,
    /// What a `workflow_run` ran for.
    pub(crate) workflow_run: WorkflowRun,
    pub(crate) repository: Option<RepositoryFacts>,
    /// Commit time of the pushed head commit, or of the commit that a `workflow_run` ran for, RFC 3339.
    pub(crate) head_commit_time: Option<String>,
    /// Full ref that a pushed tag was based on.
    pub(crate) base_ref: Option<String>,
    /// Full ref of the branch a merge queue tests.
    pub(crate) merge_group_head_ref: Option<String>,
    /// Full ref of the branch it merges into.
    pub(crate) merge_group_base_ref: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct PullRequest {
    pub(crate) head_ref: Option<String>,
    pub(crate) head_sha: Option<String>,
    /// `owner/name` of the head repository; unknown once the fork is deleted.
    pub(crate) head_repository: Option<String>,
    pub(crate) base_ref: Option<String>,
}

/// The head of the run that a `workflow_run` follows.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkflowRun {
    /// `owner/name`; unknown once the fork is deleted.
    pub(crate) head_repository: Option<String>,
    pub(crate) head_sha: Option<String>,
}

/// What labels and rules need to know of the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RepositoryFacts {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) html_url: String,
    pub(crate) default_branch: Option<String>,
    /// `User` or `Organization`.
    pub(crate) owner_type: Option<String>,
    /// Whether everybody may see it.
    pub(crate) is_public: bool,
    /// SPDX identifier, empty when GitHub knows no licence.
    pub(crate) license: String,
}

/// Everything that is looked at; a payload may have 25 MB.
const POINTERS: &[&str] = &[
    "/action",
    "/number",
    "/pull_request/number",
    "/pull_request/head/ref",
    "/pull_request/head/sha",
    "/pull_request/head/repo/full_name",
    "/pull_request/base/ref",
    "/issue/number",
    "/issue/pull_request",
    "/workflow_run/head_repository/full_name",
    "/workflow_run/head_sha",
    "/workflow_run/head_commit/timestamp",
    "/repository/name",
    "/repository/description",
    "/repository/html_url",
    "/repository/default_branch",
    "/repository/owner/type",
    "/repository/private",
    "/repository/license/spdx_id",
    "/head_commit/timestamp",
    "/base_ref",
    "/merge_group/head_ref",
    "/merge_group/base_ref",
];

impl Event {
    /// Reads the payload file; without a path nothing is known.
    pub(crate) fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let shown = path.display();
        let file = File::open(path).with_context(|| {
            Problem::new(
                format!("cannot read the event payload at `{shown}`"),
                "set `GITHUB_EVENT_PATH` to a readable file, or unset it",
            )
        })?;
        let event = Self::parse(file).with_context(|| {
            Problem::new(
                format!("the event payload at `{shown}` is not JSON"),
                "set `GITHUB_EVENT_PATH` to the payload that the runner wrote (with act: the file given to `--eventpath`)",
            )
        })?;
        Ok(event)
    }

    pub(crate) fn parse(payload: impl Read) -> serde_json::Result<Self> {
        pruned::read(payload, POINTERS).map(|payload| Self::from_payload(&payload))
    }

    pub(crate) fn from_payload(payload: &Value) -> Self {
        let text = |pointer: &str| text_at(payload, pointer);
        let pull_request = payload
            .get("pull_request")
            .filter(|value| value.is_object())
            .map(|pull| PullRequest {
                head_ref: text_at(pull, "/head/ref"),
                head_sha: text_at(pull, "/head/sha"),
                head_repository: text_at(pull, "/head/repo/full_name"),
                base_ref: text_at(pull, "/base/ref"),
            });
        // `issue.pull_request` is there for comments on pull requests, and not for those on issues
        // (https://docs.github.com/en/webhooks/webhook-events-and-payloads#issue_comment).
        let is_comment_on_pull_request = payload
            .pointer("/issue/pull_request")
            .is_some_and(|value| !value.is_null());
        let numbers: &[&str] = if is_comment_on_pull_request {
            &["/issue/number"]
        } else {
            &["/number", "/pull_request/number"]
        };
        let number = numbers
            .iter()
            .find_map(|pointer| payload.pointer(pointer)?.as_u64());
        Self {
            action: text("/action"),
            number,
            pull_request,
            is_comment_on_pull_request,
            workflow_run: WorkflowRun {
                head_repository: text("/workflow_run/head_repository/full_name"),
                head_sha: text("/workflow_run/head_sha"),
            },
            repository: payload
                .get("repository")
                .and_then(RepositoryFacts::from_json),
            head_commit_time: text("/head_commit/timestamp")
                .or_else(|| text("/workflow_run/head_commit/timestamp")),
            base_ref: text("/base_ref"),
            merge_group_head_ref: text("/merge_group/head_ref"),
            merge_group_base_ref: text("/merge_group/base_ref"),
        }
    }
}

impl Event {
    /// The pull request that the event is about. A merge queue is about several.
    pub(crate) fn pull_request_number(&self) -> Option<u64> {
        let is_about_one = self.pull_request.is_some() || self.is_comment_on_pull_request;
        self.number.filter(|_| is_about_one)
    }
}

impl RepositoryFacts {
    /// Reads a repository as payloads and `GET /repos/{owner}/{repo}` describe it.
    pub(crate) fn from_json(repository: &Value) -> Option<Self> {
        let text = |pointer: &str| text_at(repository, pointer);
        Some(Self {
            name: text("/name")?,
            description: text("/description").unwrap_or_default(),
            html_url: text("/html_url").unwrap_or_default(),
            default_branch: text("/default_branch"),
            owner_type: text("/owner/type"),
            is_public: repository.pointer("/private") == Some(&Value::Bool(false)),
            license: text("/license/spdx_id").unwrap_or_default(),
        })
    }
}

/// Zero bytes are replaced: JSON has them, and no argument of a program.
fn text_at(value: &Value, pointer: &str) -> Option<String> {
    let text = value.pointer(pointer)?.as_str()?;
    Some(text.replace('\0', "\u{fffd}"))
}

/// Whose packages they are: the settings live at another address for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnerKind {
    User,
    /// Also when nothing is known.
    Organization,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_of_another_type_are_unknown() {
        let event = Event::from_payload(
            &json!({"number": "x", "pull_request": null, "repository": {"name": 1}}),
        );
        assert_eq!(event.number, None);
        assert!(event.pull_request.is_none());
        assert_eq!(event.repository, None);
    }

    #[test]
    fn null_description_and_licence_become_empty() {
        let event = Event::from_payload(
            &json!({"repository": {"name": "w", "description": null, "license": null}}),
        );
        let expected = RepositoryFacts {
            name: "w".to_owned(),
            ..RepositoryFacts::default()
        };
        assert_eq!(event.repository, Some(expected));
    }
}
