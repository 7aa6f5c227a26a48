//! Files of the checkout: a path of an input is followed to its end, which must lie inside.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::problem::Problem;

/// The workspace: paths of inputs start at its root and must not leave it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workspace<'a>(pub(crate) &'a Path);

impl Workspace<'_> {
    /// The real place of `path`, with every link followed.
    pub(crate) fn path(&self, input: &str, path: &str) -> Result<PathBuf, Problem> {
        let root = self.0.canonicalize().unwrap_or_else(|_| self.0.to_owned());
        let real = self.0.join(path).canonicalize();
        let real = real.map_err(|error| self.not_there(input, path, &error))?;
        if real.starts_with(&root) {
            return Ok(real);
        }
        Err(Problem::new(
            format!("the input `{input}` is `{path}`, which leaves the workspace"),
            "name something inside the checkout; copy it there in an earlier step if it must come from elsewhere",
        )
        .because(format!("it leads to `{}`", real.display())))
    }

    /// The bytes of the file at `path`.
    pub(crate) fn read(&self, input: &str, path: &str) -> Result<Vec<u8>, Problem> {
        let real = self.path(input, path)?;
        fs::read(real).map_err(|error| not_readable(input, path, &error))
    }

    pub(crate) fn folder(&self, input: &str, folder: &str) -> Result<(), Problem> {
        let real = self.path(input, folder)?;
        if real.is_dir() {
            return Ok(());
        }
        Err(Problem::new(
            format!("the input `{input}` is `{folder}`, which is no folder"),
            "name a folder; the Dockerfile goes to the input `file`",
        ))
    }

    fn not_there(&self, input: &str, path: &str, error: &io::Error) -> Problem {
        let is_empty = fs::read_dir(self.0).map_or(true, |mut entries| entries.next().is_none());
        let fix = if is_empty {
            "the workspace is empty: put `- uses: actions/checkout@v5` before this step, or let the engine fetch the repository with `context: \"{{defaultContext}}:folder\"`"
        } else {
            "paths start at the root of the checkout"
        };
        Problem::new(format!("the input `{input}` is `{path}`"), fix)
            .because(format!("it cannot be read: {error}"))
    }
}

pub(crate) fn not_readable(input: &str, path: &str, error: &io::Error) -> Problem {
    Problem::new(
        format!("the input `{input}` is `{path}`, which cannot be read"),
        "let this step be allowed to read it",
    )
    .because(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::problem::Explanation;

    /// A workspace with a file and a folder beside it that it links to.
    fn world() -> tempfile::TempDir {
        let world = tempfile::tempdir().unwrap();
        let at = |name: &str| world.path().join(name);
        fs::create_dir_all(at("workspace/app")).unwrap();
        fs::create_dir_all(at("workspace-of-another")).unwrap();
        fs::write(at("workspace/app/Dockerfile"), "FROM scratch\n").unwrap();
        fs::write(at("secret"), "hunter2").unwrap();
        symlink(at("secret"), at("workspace/link")).unwrap();
        symlink("..", at("workspace/up")).unwrap();
        symlink("app", at("workspace/inside")).unwrap();
        world
    }

    #[test]
    fn a_path_inside_may_be_written_in_any_way() {
        let world = world();
        let root = world.path().join("workspace");
        let absolute = root.join("app").display().to_string();
        for path in ["app", ".", "./app/../app", "inside", absolute.as_str()] {
            Workspace(&root).folder("context", path).unwrap();
        }
    }

    #[test]
    fn no_way_leads_out() {
        let world = world();
        let root = world.path().join("workspace");
        let paths = [
            "..",
            "../workspace-of-another",
            "app/../../secret",
            "/etc/passwd",
            "/",
            "link",
            "up",
            "up/secret",
            "inside/../../secret",
        ];
        for path in paths {
            let problem = Workspace(&root).path("context", path).unwrap_err();
            let text = Explanation::of(&problem.into()).to_string();
            assert!(text.contains("which leaves the workspace"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
