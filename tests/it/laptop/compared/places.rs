//! Which checkout is compared, and checkouts that are rare.

use std::io::Write as _;
use std::process::Stdio;

use super::*;
use crate::support::{Run, process};

const DIRTY: &str = "the checkout has uncommitted changes (`";

fn plan(situation: Situation, context: &str) -> Run {
    let action = situation.action.input("context", context);
    let run = action.arguments(&["plan"]).run();
    assert!(run.succeeded, "{}", run.stderr);
    run
}

/// The commit that names the image is the one of the workspace.
#[test]
fn context_in_another_repository_is_an_untracked_directory() {
    let situation = Situation::new();
    git(&situation.action, "nested", &["init", "--quiet"]);
    situation.write("nested/Dockerfile", "FROM scratch\n");
    git(&situation.action, "nested", &["add", "."]);
    git(
        &situation.action,
        "nested",
        &["commit", "--quiet", "--message=one"],
    );
    let run = plan(situation, "nested");
    assert!(
        run.stderr.contains(&format!("{DIRTY}nested`)")),
        "{}",
        run.stderr
    );
}

#[test]
fn context_in_a_submodule_is_compared() {
    for is_moved in [false, true] {
        let situation = Situation::new();
        situation.add_submodule();
        if is_moved {
            let commit = ["commit", "--quiet", "--allow-empty", "--message=more"];
            git(&situation.action, "module", &commit);
        }
        let run = plan(situation, "module");
        let is_dirty = run.stderr.contains(DIRTY);
        assert_eq!(is_dirty, is_moved, "{}", run.stderr);
        assert!(!run.stderr.contains("cannot be compared"), "{}", run.stderr);
    }
}

/// git refuses to say anything about it.
#[test]
fn link_in_place_of_a_submodule_is_a_change() {
    let situation = Situation::new();
    situation.add_submodule();
    fs::rename(situation.at("module"), situation.at("../module")).unwrap();
    symlink(situation.at("../module"), situation.at("module")).unwrap();
    let run = plan(situation, ".");
    assert!(
        run.stderr.contains(&format!("{DIRTY}module`)")),
        "{}",
        run.stderr
    );
}

#[test]
fn git_directory_may_be_elsewhere() {
    let situation = Situation::new();
    let elsewhere = situation.at("../elsewhere");
    let separate = format!("--separate-git-dir={}", elsewhere.display());
    situation.git(&["init", "--quiet", &separate]);
    let run = plan(situation, ".");
    assert!(!run.stderr.contains("the checkout"), "{}", run.stderr);
}

/// The files are left out by a sparse checkout: only the index is large.
#[test]
fn large_index_is_read() {
    let situation = Situation::new();
    let blob = situation.git(&["rev-parse", "HEAD:run.sh"]);
    let blob = blob.trim();
    let workspace = situation.at("");
    let mut update = process("git")
        .args(["update-index", "--index-info"])
        .current_dir(workspace)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = (0..250_000)
        .map(|number| format!("100644 {blob}\tmany/{number:06}\n"))
        .collect();
    let mut input = update.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    drop(input);
    assert!(update.wait().unwrap().success());
    situation.git(&["commit", "--quiet", "--message=many"]);
    situation.git(&["sparse-checkout", "set", "--no-cone", "/*", "!/many/"]);
    let run = plan(situation, ".");
    assert!(!run.stderr.contains("the checkout"), "{}", run.stderr);
}
