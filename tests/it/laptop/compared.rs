//! The files of a checkout, compared with its commit as `git status` does.

mod places;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::in_checkout;
use crate::checkout::git;
use crate::support::{Action, process};

/// A checkout with a file of every kind, made by git; then `change` does something to it.
struct Situation {
    action: Action,
}

impl Situation {
    fn new() -> Self {
        let (action, _head) = in_checkout("");
        let situation = Self { action };
        situation.write("src/main.rs", "fn main() {}\n");
        situation.write("run.sh", "#!/bin/sh\n");
        situation.write("kept.log", "kept\n");
        situation.write("target/kept", "kept\n");
        situation.write(".gitignore", "*.log\n!/wanted.log\n/target/\n");
        situation.write("src/.gitignore", "generated/\n");
        fs::set_permissions(situation.at("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("src/main.rs", situation.at("link")).unwrap();
        situation.git(&["add", "--force", "."]);
        situation.git(&["commit", "--quiet", "--message=three"]);
        situation
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.action.path("workspace").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(&self.action, "", arguments)
    }

    /// A submodule with one commit, in `module`.
    fn add_submodule(&self) {
        let source = self.at("../source");
        git(
            &self.action,
            "../source",
            &["init", "--quiet", "--initial-branch=main"],
        );
        fs::write(source.join("file"), "text\n").unwrap();
        git(&self.action, "../source", &["add", "."]);
        git(
            &self.action,
            "../source",
            &["commit", "--quiet", "--message=module"],
        );
        let source = source.to_str().unwrap();
        let add = [
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            source,
            "module",
        ];
        self.git(&add);
        self.git(&["commit", "--quiet", "--message=four"]);
    }
}

/// Later than any index that git writes, in seconds.
const FUTURE: u64 = 4_000_000_000;

/// What is done to a checkout, and whether git says that it is no longer clean.
type Change = (&'static str, bool, fn(&Situation));

const CHANGES: &[Change] = &[
    ("nothing", false, |_| {}),
    ("a file is written again", false, |s| {
        s.write("src/main.rs", "fn main() {}\n")
    }),
    ("a file has another time", false, |s| {
        set_modified(&s.at("src/main.rs"), 1_000_000_000)
    }),
    ("another file of the same size", true, |s| {
        s.write("src/main.rs", "fn niam() {}\n");
    }),
    ("a file that is longer", true, |s| {
        s.write("src/main.rs", "fn main() { }\n")
    }),
    ("a file that is empty", true, |s| s.write("src/main.rs", "")),
    ("a file that can be executed", true, |s| {
        set_mode(&s.at("src/main.rs"), 0o755)
    }),
    ("a program that cannot be executed", true, |s| {
        set_mode(&s.at("run.sh"), 0o644)
    }),
    ("a file that only its owner may read", false, |s| {
        set_mode(&s.at("src/main.rs"), 0o600)
    }),
    ("the bit when git is told not to look at it", false, |s| {
        s.git(&["config", "core.fileMode", "false"]);
        set_mode(&s.at("src/main.rs"), 0o755);
    }),
    ("a deleted file", true, |s| {
        fs::remove_file(s.at("src/main.rs")).unwrap()
    }),
    ("a deleted directory", true, |s| {
        fs::remove_dir_all(s.at("src")).unwrap()
    }),
    ("a link to something else", true, |s| {
        fs::remove_file(s.at("link")).unwrap();
        symlink("run.sh", s.at("link")).unwrap();
    }),
    ("the same link, made again", false, |s| {
        fs::remove_file(s.at("link")).unwrap();
        symlink("src/main.rs", s.at("link")).unwrap();
    }),
    ("a file where the link was", true, |s| {
        fs::remove_file(s.at("link")).unwrap();
        s.write("link", "src/main.rs");
    }),
    ("a link where a file was", true, |s| {
        fs::remove_file(s.at("run.sh")).unwrap();
        symlink("src/main.rs", s.at("run.sh")).unwrap();
    }),
    ("a link to the directory that was here", true, |s| {
        fs::rename(s.at("src"), s.at("../src")).unwrap();
        symlink(s.at("../src"), s.at("src")).unwrap();
    }),
    ("a pipe where a program was", true, |s| {
        s.git(&["config", "core.fileMode", "false"]);
        fs::remove_file(s.at("run.sh")).unwrap();
        make_pipe(&s.at("run.sh"));
    }),
    ("a pipe that git does not know", false, |s| {
        make_pipe(&s.at("pipe"))
    }),
    ("a directory where a file was", true, |s| {
        fs::remove_file(s.at("run.sh")).unwrap();
        s.write("run.sh/x.log", "x");
    }),
    ("a staged file that is back as it was", true, |s| {
        s.write("src/main.rs", "fn other() {}\n");
        s.git(&["add", "."]);
        s.write("src/main.rs", "fn main() {}\n");
    }),
    ("a staged bit", true, |s| {
        set_mode(&s.at("src/main.rs"), 0o755);
        s.git(&["add", "."]);
    }),
    (
        "a file that changed after git looked at it, in the same moment",
        true,
        |s| {
            s.git(&["config", "core.trustctime", "false"]);
            set_modified(&s.at("src/main.rs"), FUTURE);
            s.git(&["update-index", "--refresh"]);
            s.write("src/main.rs", "fn niam() {}\n");
            set_modified(&s.at("src/main.rs"), FUTURE);
        },
    ),
    ("a new file that is staged", true, |s| {
        s.write("new", "x");
        s.git(&["add", "new"]);
    }),
    ("a new file that is to be added later", true, |s| {
        s.write("new", "x");
        s.git(&["add", "--intent-to-add", "new"]);
    }),
    ("an empty file that is to be added later", true, |s| {
        s.write("new", "");
        s.git(&["add", "--intent-to-add", "new"]);
    }),
    ("a file that is deleted in the index alone", true, |s| {
        s.git(&["rm", "--quiet", "--cached", "run.sh"]);
    }),
    ("a renamed file", true, |s| {
        s.git(&["mv", "run.sh", "start.sh"]);
    }),
    ("an untracked file deep down", true, |s| {
        s.write("a/b/c", "x")
    }),
    ("empty directories", false, |s| {
        fs::create_dir_all(s.at("a/b/c")).unwrap()
    }),
    ("an untracked link", true, |s| {
        symlink("nowhere", s.at("new")).unwrap()
    }),
    ("an ignored file", false, |s| s.write("a/b/build.log", "x")),
    ("a file that is wanted after all", true, |s| {
        s.write("wanted.log", "x")
    }),
    ("a file in an ignored directory", false, |s| {
        s.write("target/new", "x")
    }),
    ("a tracked file in an ignored directory", true, |s| {
        s.write("target/kept", "new\n")
    }),
    ("a tracked file that the rules ignore", true, |s| {
        s.write("kept.log", "new\n")
    }),
    ("what a directory of its own ignores", false, |s| {
        s.write("src/generated/x", "x")
    }),
    ("what another directory ignores", true, |s| {
        s.write("generated/x", "x")
    }),
    ("what the checkout excludes", false, |s| {
        s.write(".git/info/exclude", "/local\n");
        s.write("local", "x");
    }),
    ("a name that is not UTF-8", true, |s| {
        use std::os::unix::ffi::OsStrExt as _;
        fs::write(s.at("").join(std::ffi::OsStr::from_bytes(b"\xff")), "x").unwrap();
    }),
    ("another repository inside", true, |s| {
        git(&s.action, "nested", &["init", "--quiet"]);
    }),
    ("another repository inside, ignored", false, |s| {
        git(&s.action, "target/nested", &["init", "--quiet"]);
    }),
    (
        "another repository inside, ignored by its name",
        false,
        |s| {
            s.write(".git/info/exclude", "nested/\n");
            git(&s.action, "nested", &["init", "--quiet"]);
        },
    ),
    (
        "a file that git is told to treat as unchanged",
        false,
        |s| {
            s.git(&["update-index", "--assume-unchanged", "run.sh"]);
            s.write("run.sh", "#!/bin/sh -e\n");
        },
    ),
    (
        "no file where git is told to treat it as unchanged",
        false,
        |s| {
            s.git(&["update-index", "--assume-unchanged", "run.sh"]);
            fs::remove_file(s.at("run.sh")).unwrap();
        },
    ),
    ("a file that git is told to leave out", false, |s| {
        s.git(&["update-index", "--skip-worktree", "run.sh"]);
        s.write("run.sh", "#!/bin/sh -e\n");
    }),
    ("another repository in a directory of ours", false, |s| {
        git(&s.action, "src", &["init", "--quiet"]);
    }),
    ("a file that is empty since git noted it", true, |s| {
        s.git(&["config", "core.trustctime", "false"]);
        set_modified(&s.at("src/main.rs"), FUTURE);
        s.git(&["update-index", "--refresh"]);
        s.write("src/main.rs", "fn niam() {}\n");
        set_modified(&s.at("src/main.rs"), FUTURE);
        for bit in ["--chmod=-x", "--chmod=+x"] {
            s.git(&["update-index", bit, "run.sh"]);
        }
        s.write("src/main.rs", "");
        set_modified(&s.at("src/main.rs"), FUTURE);
        set_modified(&s.at(".git/index"), FUTURE + 9);
    }),
    ("another file where a sparse checkout has none", true, |s| {
        s.git(&["sparse-checkout", "set", "--no-cone", "/*", "!/src/"]);
        s.write("src/main.rs", "fn other() {}\n");
    }),
    ("a sparse checkout", false, |s| {
        s.git(&["sparse-checkout", "set", "--no-cone", "/*", "!/src/"]);
    }),
    ("a conflict", true, |s| {
        s.git(&["checkout", "--quiet", "-b", "other", "HEAD~1"]);
        s.write("run.sh", "#!/bin/sh -u\n");
        s.git(&["add", "--force", "run.sh"]);
        s.git(&["commit", "--quiet", "--message=other"]);
        s.git(&["read-tree", "-m", "main~1", "HEAD", "main"]);
    }),
    ("line ends that git converted", false, convert_line_ends),
    ("a submodule", false, Situation::add_submodule),
    ("a submodule that is not fetched", false, |s| {
        s.add_submodule();
        s.git(&["submodule", "--quiet", "deinit", "--force", "module"]);
    }),
    ("a submodule that is gone", true, |s| {
        s.add_submodule();
        fs::remove_dir_all(s.at("module")).unwrap();
    }),
    ("a changed file in a submodule", true, |s| {
        s.add_submodule();
        s.write("module/file", "new\n");
    }),
    ("an untracked file in a submodule", true, |s| {
        s.add_submodule();
        s.write("module/new", "x\n");
    }),
    ("a submodule at another commit", true, |s| {
        s.add_submodule();
        git(
            &s.action,
            "module",
            &["commit", "--quiet", "--allow-empty", "--message=more"],
        );
    }),
];

/// Commits a file that git converts, and gives it a time at which git can have seen it.
fn convert_line_ends(situation: &Situation) {
    situation.write(".gitattributes", "*.txt text eol=crlf\n");
    situation.write("a.txt", "one\r\ntwo\r\n");
    set_modified(&situation.at("a.txt"), 1_000_000_000);
    situation.git(&["add", "."]);
    situation.git(&["commit", "--quiet", "--message=four"]);
}

fn make_pipe(path: &Path) {
    let made = process("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn set_modified(path: &Path, seconds: u64) {
    let file = fs::File::options().write(true).open(path).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    file.set_modified(time).unwrap();
}

#[test]
fn checkout_is_clean_when_git_says_so() {
    let mut wrong = Vec::new();
    for (change, is_dirty, apply) in CHANGES {
        let situation = Situation::new();
        apply(&situation);
        let status = situation.git(&["--no-optional-locks", "status", "--porcelain"]);
        assert_eq!(
            !status.is_empty(),
            *is_dirty,
            "git after `{change}`: {status}"
        );
        let run = situation.action.arguments(&["plan"]).run();
        assert!(run.succeeded, "{change}: {}", run.stderr);
        let says_dirty = run.stderr.contains("the checkout has uncommitted changes");
        if says_dirty != *is_dirty {
            wrong.push(format!("{change}: {}", run.stderr));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The content is not converted for the comparison. `git status` makes the index know the new time.
#[test]
fn converted_file_that_is_written_again_is_a_change_until_git_has_seen_it() {
    for has_seen in [false, true] {
        let situation = Situation::new();
        convert_line_ends(&situation);
        set_modified(&situation.at("a.txt"), 1_000_000_001);
        if has_seen {
            situation.git(&["status"]);
        }
        let run = situation.action.arguments(&["plan"]).run();
        assert_eq!(
            run.stderr.contains("uncommitted changes (`a.txt`)"),
            !has_seen
        );
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let situation = Situation::new();
    fs::remove_file(situation.at("src/.gitignore")).unwrap();
    make_pipe(&situation.at("src/.gitignore"));
    let run = situation.action.arguments(&["plan"]).run();
    let expected = "the checkout cannot be compared with its commit: `";
    assert!(run.stderr.contains(expected), "{}", run.stderr);
    assert!(
        run.stderr.contains("src/.gitignore` cannot be read"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("or set `GITHUB_SHA`"), "{}", run.stderr);
}
