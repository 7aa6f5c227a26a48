//! The git tags of a release, in a repository that is pushed to.

use std::fs;

use super::{Release, VERSION, failure_of};
use crate::real::world::{output_of, repository_file};
use crate::support::process;

/// A repository with one commit, and the one it is pushed to.
fn repositories(release: &Release) -> impl Fn(&[&str]) -> String {
    let directory = release.directory.path().to_owned();
    let git = move |arguments: &[&str]| {
        let mut git = process("git");
        git.args([
            "-c",
            "user.name=octocat",
            "-c",
            "user.email=octocat@users.noreply.github.com",
        ]);
        output_of(git.args(arguments).current_dir(&directory))
    };
    git(&["init", "--quiet", "--bare", "remote.git"]);
    git(&["init", "--quiet"]);
    git(&["config", "user.name", "octocat"]);
    git(&["config", "user.email", "octocat@users.noreply.github.com"]);
    fs::copy(repository_file("action.yml"), release.file("action.yml")).unwrap();
    fs::write(release.file("README.md"), "# hello\n").unwrap();
    git(&["add", "action.yml", "README.md"]);
    git(&["commit", "--quiet", "--message", "Hello"]);
    git
}

#[test]
fn a_version_is_tagged_once_and_the_major_version_moves_forward() {
    let release = Release::hello();
    release.writes_documents();
    let git = repositories(&release);
    let tag = |version| release.says("tag", &[version, "pin-action", "remote.git"]);
    let shows = |what: &str| git(&["--git-dir=remote.git", "show", what]);

    let commit = tag(VERSION);
    let at = |name: &str| git(&["--git-dir=remote.git", "rev-parse", name]);
    assert_eq!(at(VERSION), commit);
    assert_eq!(at("v1.2.3^"), git(&["rev-parse", "HEAD"]));
    let changed = git(&[
        "--git-dir=remote.git",
        "diff",
        "--name-only",
        "v1.2.3^",
        VERSION,
    ]);
    assert_eq!(changed, "action.yml");
    let pinned = format!("\n  image: docker://{}\n", release.reference());
    assert!(shows("v1.2.3:action.yml").contains(&pinned));
    let again = release
        .script("tag", &[VERSION, "pin-action", "remote.git"])
        .output();
    let said = String::from_utf8(again.unwrap().stderr).unwrap();
    assert!(said.contains("a version is released once"), "{said}");
    let mut is_new = release.script("require-new", &[VERSION, "remote.git"]);
    let said = failure_of(&mut is_new);
    assert!(said.contains("a version is released once"), "{said}");
    assert_eq!(release.says("require-new", &["v1.2.4", "remote.git"]), "");

    let move_major = |version| release.says("move-major", &[version, "remote.git"]);
    assert_eq!(move_major(VERSION), "v1 -> v1.2.3");
    for stays in ["v1.2.2", "v1.3.0-rc.1"] {
        tag(stays);
        assert_eq!(move_major(stays), "");
    }
    assert_eq!(at("v1"), commit);
    let newer = tag("v1.10.0");
    move_major("v1.10.0");
    assert_eq!(at("v1"), newer);
}
