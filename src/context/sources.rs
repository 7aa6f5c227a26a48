//! The checkout that a build reads, and whether it is the commit that tags and labels name.

use std::path::Path;

use crate::context::checkout::Checkout;
use crate::context::{Context, GitRef, checkout};
use crate::error::Problem;
use crate::vars::Vars;

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

    /// The same, with the uncommitted changes of `directory`, which is built.
    ///
    /// In Actions, steps generate files on purpose, and `GITHUB_SHA` names the commit that is built.
    pub(crate) fn with_uncommitted(self, directory: &Path, vars: &Vars) -> Self {
        let is_named = vars.get("GITHUB_SHA").is_some();
        if self.in_actions || is_named {
            return self;
        }
        Self {
            uncommitted: checkout::uncommitted(directory),
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
