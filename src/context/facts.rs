//! `Facts`: what rules and labels may ask of a run, by the answers docker/metadata-action gives.

use chrono::{DateTime, Utc};

use crate::context::event::RepositoryFacts;
use crate::context::{Context, GitRef};

/// A view of the context, the clock, and how short a commit id is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    context: &'a Context,
    now: DateTime<Utc>,
    short_sha_length: usize,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(context: &'a Context, now: DateTime<Utc>, short_sha_length: usize) -> Self {
        Self {
            context,
            now,
            short_sha_length,
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The time of the commit; the current time if unknown.
    pub(crate) fn commit_time(&self) -> DateTime<Utc> {
        self.context.commit_time.unwrap_or(self.now)
    }

    pub(crate) fn git_ref(&self) -> &'a GitRef {
        &self.context.git_ref
    }

    /// The commit that is built; else why none may be named.
    pub(crate) fn commit(&self) -> Result<&'a str, String> {
        self.context.named_commit()
    }

    pub(crate) fn revision(&self) -> String {
        self.context.revision()
    }

    pub(crate) fn repository(&self) -> RepositoryFacts {
        self.context.repository_facts()
    }

    pub(crate) fn event_name(&self) -> &'a str {
        &self.context.event_name
    }

    /// The first digits of the commit.
    pub(crate) fn short_sha(&self) -> Result<&'a str, String> {
        let commit = self.commit()?;
        Ok(commit.get(..self.short_sha_length).unwrap_or(commit))
    }

    /// The branch; on a pull request its head branch; in a merge queue the queue's branch.
    pub(crate) fn branch(&self) -> &'a str {
        let event = &self.context.event;
        match &self.context.git_ref {
            GitRef::Branch(name) => name,
            GitRef::PullRequest(_) => {
                let head = event
                    .pull_request
                    .as_ref()
                    .and_then(|pull| pull.head_ref.as_deref());
                let queue = event.merge_group_head_ref.as_deref().map(without_heads);
                head.or(queue).unwrap_or_default()
            }
            GitRef::Tag(_) | GitRef::Other(_) => "",
        }
    }

    pub(crate) fn tag(&self) -> Option<&'a str> {
        match &self.context.git_ref {
            GitRef::Tag(name) => Some(name),
            GitRef::Branch(_) | GitRef::PullRequest(_) | GitRef::Other(_) => None,
        }
    }

    /// The branch a tag was pushed from, as far as the payload says, or a pull request goes to.
    pub(crate) fn base_ref(&self) -> &'a str {
        let event = &self.context.event;
        let base = match &self.context.git_ref {
            GitRef::Tag(_) => event.base_ref.as_deref().map(without_heads),
            GitRef::PullRequest(_) => event
                .pull_request
                .as_ref()
                .and_then(|pull| pull.base_ref.as_deref()),
            GitRef::Branch(_) | GitRef::Other(_) => None,
        };
        base.unwrap_or_default()
    }

    pub(crate) fn default_branch(&self) -> Option<&'a str> {
        self.context
            .event
            .repository
            .as_ref()?
            .default_branch
            .as_deref()
    }

    /// Whether the ref is the default branch, or the event always runs on it whatever the ref says.
    pub(crate) fn is_default_branch(&self) -> bool {
        let branch = match &self.context.git_ref {
            GitRef::Branch(name) => Some(name.as_str()),
            GitRef::Tag(_) | GitRef::PullRequest(_) | GitRef::Other(_) => None,
        };
        let always = ["create", "discussion", "issues", "schedule"];
        branch != Some("")
            && (branch.is_some_and(|name| self.default_branch() == Some(name))
                || always.iter().any(|event| self.event_name().contains(event)))
    }
}

fn without_heads(full_ref: &str) -> &str {
    full_ref.strip_prefix("refs/heads/").unwrap_or(full_ref)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::event::Event;
    use crate::vars::Vars;
    use serde_json::json;

    fn context(event_name: &str, full_ref: &str) -> Context {
        let variables = [
            ("GITHUB_REPOSITORY", "acme/widget"),
            ("GITHUB_EVENT_NAME", event_name),
            ("GITHUB_REF", full_ref),
            ("GITHUB_SHA", "0123456789abcdef"),
        ];
        Context {
            event: Event::from_payload(&json!({
                "base_ref": "refs/heads/1.x",
                "repository": {"name": "widget", "default_branch": "main"},
                "merge_group": {"head_ref": "refs/heads/gh-readonly-queue/main/pr-1-ab"},
            })),
            ..Context::from_vars(&Vars::of(&variables)).unwrap()
        }
    }

    #[track_caller]
    fn check(event_name: &str, full_ref: &str, is_default: bool, branch: &str, base: &str) {
        let context = context(event_name, full_ref);
        let facts = Facts::new(&context, DateTime::UNIX_EPOCH, 9);
        let seen = (facts.is_default_branch(), facts.branch(), facts.base_ref());
        assert_eq!(seen, (is_default, branch, base));
        assert_eq!(facts.short_sha(), Ok("012345678"));
    }

    #[test]
    fn answers_follow_the_event_and_the_ref() {
        check("push", "refs/heads/main", true, "main", "");
        check("push", "refs/heads/dev", false, "dev", "");
        check("schedule", "refs/heads/dev", true, "dev", "");
        check("issues", "refs/tags/v1", true, "", "1.x");
        check("issue_comment", "refs/tags/v1", false, "", "1.x");
        let queue = "gh-readonly-queue/main/pr-1-ab";
        check(
            "merge_group",
            &format!("refs/heads/{queue}"),
            false,
            queue,
            "",
        );
    }
}
