//! `Facts`: what rules and labels may ask of a run, by the answers docker/metadata-action gives.

use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::context::checkout::Checkout;
use crate::context::event::RepositoryFacts;
use crate::context::{Context, GitRef, checkout, uncommitted};
use crate::error::Problem;
use crate::vars::Vars;

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

    /// The current time as labels have it, in milliseconds and UTC (RFC 3339).
    pub(crate) fn created(&self) -> String {
        self.now.to_rfc3339_opts(SecondsFormat::Millis, true)
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

    /// The branch that a merge queue merges into, as far as the payload says.
    pub(crate) fn merge_group_base(&self) -> Option<&'a str> {
        let base = self.context.event.merge_group_base_ref.as_deref();
        base.map(without_heads)
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

impl Context {
    /// The same with the time of the commit that is checked out, when the event did not say it.
    pub(crate) fn with_commit_time(self, directory: &Path) -> anyhow::Result<Self> {
        if self.commit_time.is_some() {
            return Ok(self);
        }
        let checkout = Checkout::find(directory)?;
        Ok(Self {
            commit_time: checkout.and_then(|checkout| checkout.commit_time),
            ..self
        })
    }

    /// The same with ref and commit as the git checkout has them, whatever the event says
    /// (`git-context: git`).
    pub(crate) fn of_checkout(self, directory: &Path) -> anyhow::Result<Self> {
        let checkout = Checkout::find(directory)?;
        let unknown = |what| {
            let problem = Problem::new(
                format!("`git-context` is `git`, and the checkout does not say the {what}"),
                "check out the repository before this step, or set `git-context: workflow`",
            );
            problem.because(format!("looked in `{}`", directory.display()))
        };
        let full_ref = checkout.as_ref().and_then(|c| c.full_ref.as_deref());
        let commit = checkout.as_ref().and_then(|c| c.commit.clone());
        let git_ref = GitRef::parse(full_ref.ok_or_else(|| unknown("ref"))?);
        // The tags of a stranger's checkout are the stranger's: they name no version here.
        let git_ref = if self.untrusted_head().is_some() {
            self.git_ref.clone()
        } else {
            git_ref
        };
        Ok(Self {
            git_ref,
            commit: commit.ok_or_else(|| unknown("commit"))?,
            knows_commit: true,
            commit_time: checkout.and_then(|c| c.commit_time),
            ..self
        })
    }

    /// The same, with the uncommitted changes of the checkout around `named`, whose commit names the image, and of
    /// `directory`, which is built.
    ///
    /// In Actions, steps generate files on purpose, and `GITHUB_SHA` names the commit that is built.
    pub(crate) fn with_uncommitted(self, named: &Path, directory: &Path, vars: &Vars) -> Self {
        let is_named = vars.get("GITHUB_SHA").is_some();
        if self.in_actions || is_named {
            return self;
        }
        Self {
            uncommitted: uncommitted::uncommitted(named, directory),
            ..self
        }
    }

    /// The warning when `directory`, which is built, is at another commit than the one that is
    /// named.
    ///
    /// Outside Actions both come from the checkout. A checkout of another repository has other commits.
    pub(crate) fn remark_on_checkout(&self, directory: &Path, vars: &Vars) -> Option<String> {
        let commit = self.named_commit().ok()?;
        if !self.in_actions {
            return None;
        }
        let checkout = inside(vars.workspace(), directory)?;
        let here = self.repository.to_string();
        let is_other = |name: &String| !name.eq_ignore_ascii_case(&here);
        if checkout.repository.as_ref().is_some_and(is_other) {
            return None;
        }
        let head = checkout.commit?;
        // A pull request may be named by the commit that was pushed, and is built as it would be merged.
        let is_merge = self.event_name.contains("pull_request")
            && vars.get("GITHUB_SHA") == Some(head.as_str());
        (head != commit && !is_merge).then(|| {
            format!("the checkout is at `{head}`, while tags and labels name `{commit}`, the commit of the event: check out that commit, or set `git-context: git` to name the one that is checked out")
        })
    }
}

/// The checkout around `directory`, unless it is one around the whole workspace.
fn inside(workspace: &Path, directory: &Path) -> Option<Checkout> {
    let repository = checkout::open(directory).ok()??;
    let root = repository.workdir()?.canonicalize().ok()?;
    let is_inside = root.starts_with(workspace.canonicalize().ok()?);
    is_inside.then(|| Checkout::read(&repository))
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
