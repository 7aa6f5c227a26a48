//! `Repository`: a GitHub repository with its commits, branches and tags, as the API returns it.

use std::collections::{BTreeMap, BTreeSet};

use crate::github::package::Visibility;

/// A repository. By default it is public and its default branch is `main`.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(crate) full_name: String,
    pub(crate) description: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) default_branch: String,
    pub(crate) visibility: Visibility,
    /// Whether the plan of its organization includes attestations while it is not public.
    pub(crate) attestations: bool,
    pub(crate) commits: BTreeMap<String, Commit>,
    branches: BTreeMap<String, String>,
    pub(crate) pull_requests: BTreeMap<u64, PullRequest>,
}

/// The state of a pull request; one that was merged is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullRequest {
    /// It can be merged.
    Open,
    /// It was merged or closed.
    Closed,
}

#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) parents: Vec<String>,
    pub(crate) date: String,
}

/// How many commits `head` is ahead of and behind `base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) ahead: usize,
    pub(crate) behind: usize,
}

impl Comparison {
    pub(crate) fn status(self) -> &'static str {
        match (self.ahead, self.behind) {
            (0, 0) => "identical",
            (_, 0) => "ahead",
            (0, _) => "behind",
            _ => "diverged",
        }
    }
}

impl Repository {
    /// The repository `owner/name`.
    #[must_use]
    pub fn new(full_name: &str) -> Self {
        Self {
            full_name: full_name.to_owned(),
            description: None,
            license: None,
            default_branch: "main".to_owned(),
            visibility: Visibility::Public,
            attestations: true,
            commits: BTreeMap::new(),
            branches: BTreeMap::new(),
            pull_requests: BTreeMap::new(),
        }
    }

    /// Sets its one-line description.
    #[must_use]
    pub fn description(mut self, text: &str) -> Self {
        self.description = Some(text.to_owned());
        self
    }

    /// Sets its license, as an SPDX identifier.
    #[must_use]
    pub fn license(mut self, spdx_id: &str) -> Self {
        self.license = Some(spdx_id.to_owned());
        self
    }

    /// Sets the name of its default branch.
    #[must_use]
    pub fn default_branch(mut self, branch: &str) -> Self {
        self.default_branch = branch.to_owned();
        self
    }

    /// Sets who may see it.
    #[must_use]
    pub fn visibility(mut self, visibility: Visibility) -> Self {
        self.visibility = visibility;
        self
    }

    /// Makes its organization one whose plan includes attestations only for public repositories.
    #[must_use]
    pub fn without_attestations(mut self) -> Self {
        self.attestations = false;
        self
    }

    /// Adds a commit with its parents and its date, for example `2026-11-20T16:00:00Z`.
    #[must_use]
    pub fn commit(mut self, sha: &str, parents: &[&str], date: &str) -> Self {
        let parents = parents.iter().map(|parent| (*parent).to_owned()).collect();
        let date = date.to_owned();
        self.commits
            .insert(sha.to_owned(), Commit { parents, date });
        self
    }

    /// Adds a branch or tag that points to a commit.
    #[must_use]
    pub fn branch(mut self, name: &str, sha: &str) -> Self {
        self.branches.insert(name.to_owned(), sha.to_owned());
        self
    }

    /// Adds a pull request.
    #[must_use]
    pub fn pull_request(mut self, number: u64, state: PullRequest) -> Self {
        self.pull_requests.insert(number, state);
        self
    }

    /// The commit of a branch, a tag, a full hash or a prefix of at least seven digits.
    pub(crate) fn resolve(&self, name: &str) -> Option<&str> {
        if let Some(sha) = self.branches.get(name) {
            return Some(sha);
        }
        let starts = |sha: &&String| name.len() >= 7 && sha.starts_with(name);
        self.commits
            .get_key_value(name)
            .map(|(sha, _)| sha)
            .or_else(|| self.commits.keys().find(starts))
            .map(String::as_str)
    }

    /// The counts of `compare/{base}...{head}`; `None` when a commit is unknown or the histories share no commit.
    pub(crate) fn compare(&self, base: &str, head: &str) -> Option<Comparison> {
        let base = self.history(self.resolve(base)?);
        let head = self.history(self.resolve(head)?);
        base.intersection(&head).next()?;
        Some(Comparison {
            ahead: head.difference(&base).count(),
            behind: base.difference(&head).count(),
        })
    }

    fn history(&self, sha: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut next = vec![sha.to_owned()];
        while let Some(sha) = next.pop() {
            if let Some(commit) = self.commits.get(&sha)
                && found.insert(sha)
            {
                next.extend(commit.parents.iter().cloned());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::Repository;

    /// a - b - c
    ///      \
    ///       d      x (unrelated)
    fn repository() -> Repository {
        let date = "2026-01-01T00:00:00Z";
        Repository::new("acme/widget")
            .commit("a", &[], date)
            .commit("b", &["a"], date)
            .commit("c", &["b"], date)
            .commit("d", &["b"], date)
            .commit("x", &[], date)
            .branch("main", "c")
    }

    #[track_caller]
    fn check(base: &str, head: &str, expected: Option<&str>) {
        let comparison = repository().compare(base, head);
        assert_eq!(comparison.map(super::Comparison::status), expected);
    }

    #[test]
    fn comparison_follows_the_parents() {
        check("c", "c", Some("identical"));
        check("a", "main", Some("ahead"));
        check("main", "b", Some("behind"));
        check("c", "d", Some("diverged"));
        check("c", "x", None);
        check("c", "unknown", None);
    }
}
