//! How two commits of the repository relate, as the git checkout knows it.

use std::path::{Path, PathBuf};

use gix::ObjectId;

use crate::context::checkout;
use crate::vars::Vars;

/// How the published commit relates to another one in the history of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Same,
    /// The published commit is the newer one.
    Ahead,
    /// The published commit is the older one.
    Behind,
    Diverged,
    /// The other commit is not in this history; the reason completes the sentence "it moves although ...".
    Unrelated(String),
}

/// The history in the git checkout, where that is the whole one: outside Actions, and under act, which runs
/// in the checkout of a person. A checkout on a runner usually has one commit, so the API is asked there.
#[derive(Clone, Debug)]
pub(crate) struct History {
    workspace: Option<PathBuf>,
}

impl History {
    pub(crate) fn of(vars: &Vars) -> Self {
        let is_local = !vars.in_actions() || vars.is_true("ACT");
        Self {
            workspace: is_local.then(|| vars.workspace().to_owned()),
        }
    }

    /// How `ours` relates to `shown`; nothing when the checkout does not hold both, or cannot tell.
    pub(crate) fn relation(&self, ours: &str, shown: &str) -> Option<Relation> {
        relation_in(self.workspace.as_deref()?, ours, shown)
    }
}

fn relation_in(workspace: &Path, ours: &str, shown: &str) -> Option<Relation> {
    let repository = checkout::open(workspace).ok()??;
    let commit = |id: &str| {
        let id = ObjectId::from_hex(id.as_bytes()).ok()?;
        repository.find_commit(id).is_ok().then_some(id)
    };
    let (ours, shown) = (commit(ours)?, commit(shown)?);
    if ours == shown {
        return Some(Relation::Same);
    }
    if is_ancestor(&repository, shown, ours)? {
        return Some(Relation::Ahead);
    }
    if is_ancestor(&repository, ours, shown)? {
        return Some(Relation::Behind);
    }
    // A shallow history ends before it could show an ancestor.
    matches!(repository.is_shallow(), Ok(false)).then_some(Relation::Diverged)
}

/// Whether `older` is in the history of `newer`; nothing when the history cannot be read.
fn is_ancestor(repository: &gix::Repository, older: ObjectId, newer: ObjectId) -> Option<bool> {
    let mut history = repository.rev_walk([newer]).all().ok()?;
    history
        .find_map(|commit| match commit {
            Ok(commit) => (commit.id == older).then_some(Some(true)),
            Err(_unreadable) => Some(None),
        })
        .unwrap_or(Some(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    use gix::objs::Write as _;

    /// a - b - c, and d, which branches off a; the ids in that order.
    fn checkout() -> (tempfile::TempDir, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        let repository = gix::init(directory.path()).unwrap();
        let tree = repository.empty_tree().id;
        let mut ids: Vec<ObjectId> = Vec::new();
        for (message, parent) in [("a", None), ("b", Some(0)), ("c", Some(1)), ("d", Some(0))] {
            let parents = parent.map(|parent: usize| ids[parent]);
            let who = "A <a@example.com> 0 +0000";
            let mut commit = format!("tree {tree}\n");
            parents
                .iter()
                .for_each(|id| writeln!(commit, "parent {id}").unwrap());
            write!(commit, "author {who}\ncommitter {who}\n\n{message}\n").unwrap();
            let written = repository.write_buf(gix::object::Kind::Commit, commit.as_bytes());
            ids.push(written.unwrap());
        }
        (directory, ids.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn newer_commit_is_found_in_the_checkout() {
        let (directory, ids) = checkout();
        let [a, b, c, d] = ids.as_slice() else {
            panic!("four commits")
        };
        let check = |ours: &str, shown: &str, expected| {
            assert_eq!(relation_in(directory.path(), ours, shown), expected);
        };
        check(c, c, Some(Relation::Same));
        check(c, a, Some(Relation::Ahead));
        check(b, c, Some(Relation::Behind));
        check(d, c, Some(Relation::Diverged));
        check(c, &"5".repeat(40), None);
        check(c, "main", None);
        std::fs::write(directory.path().join(".git/shallow"), format!("{b}\n")).unwrap();
        check(c, b, Some(Relation::Ahead));
        check(c, a, None);
        check(d, c, None);
    }

    #[test]
    fn runner_checkout_is_not_used_for_history() {
        let (directory, ids) = checkout();
        let path = directory.path().to_str().unwrap();
        let ask = |vars: &[(&str, &str)]| {
            let workspace = [("GITHUB_WORKSPACE", path)];
            let vars: Vec<_> = vars.iter().chain(&workspace).copied().collect();
            History::of(&Vars::of(&vars)).relation(&ids[2], &ids[0])
        };
        assert_eq!(ask(&[("GITHUB_ACTIONS", "true")]), None);
        let act = [("GITHUB_ACTIONS", "true"), ("ACT", "true")];
        assert_eq!(ask(&act), Some(Relation::Ahead));
        assert_eq!(ask(&[]), Some(Relation::Ahead));
    }
}
