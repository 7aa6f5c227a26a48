//! Files of the checkout: a path of an input is followed to its end, which must lie inside.

use std::fs;
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use crate::error::Problem;

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
        Err(leaves(input, path, &real))
    }

    /// The file at `path`, opened once: what is checked is what is read, whatever the path becomes meanwhile.
    pub(crate) fn file(&self, input: &str, path: &str) -> Result<fs::File, Problem> {
        self.path(input, path)?;
        let not_readable = |error: io::Error| not_readable(input, path, &error);
        let opened = open_at_once(&self.0.join(path)).map_err(not_readable)?;
        let root = self.0.canonicalize().map_err(not_readable)?;
        let real = place_of(&opened).map_err(not_readable)?;
        if !real.starts_with(root) {
            return Err(leaves(input, path, &real));
        }
        if opened.metadata().map_err(not_readable)?.is_file() {
            return Ok(opened);
        }
        Err(Problem::new(
            format!("the input `{input}` is `{path}`, which is not a file"),
            "set it to a file in the checkout",
        ))
    }

    /// The bytes of the file at `path`, which has at most `limit` KiB.
    pub(crate) fn read(&self, input: &str, path: &str, limit: u64) -> Result<Vec<u8>, Problem> {
        let opened = self.file(input, path)?;
        let mut bytes = Vec::new();
        let read = opened.take(limit * 1024 + 1).read_to_end(&mut bytes);
        read.map_err(|error| not_readable(input, path, &error))?;
        if bytes.len() as u64 <= limit * 1024 {
            return Ok(bytes);
        }
        Err(Problem::new(
            format!("the input `{input}` is `{path}`, which is larger than {limit} KiB"),
            "check the path: such a file is small",
        ))
    }

    /// Where something is written need not be there yet; the nearest directory that is must lie inside.
    pub(crate) fn place(
        &self,
        input: &str,
        path: &str,
        temp: Option<&Path>,
    ) -> Result<(), Problem> {
        let path_there = self.0.join(path);
        let there = path_there
            .ancestors()
            .find_map(|there| Some((there, there.canonicalize().ok()?)));
        let Some((there, real)) = there else {
            return Err(leaves(input, path, &path_there));
        };
        let rest = path_there.strip_prefix(there).unwrap_or(Path::new(""));
        let mut parts = rest.components();
        let goes_down = parts.all(|part| matches!(part, Component::Normal(_)));
        let next = rest.components().next().map(|next| there.join(next));
        let is_link = next.is_some_and(|next| next.symlink_metadata().is_ok());
        let roots = [Some(self.0), temp].into_iter().flatten();
        let mut roots = roots.map(|root| root.canonicalize().unwrap_or_else(|_| root.to_owned()));
        if goes_down && !is_link && roots.any(|root| real.starts_with(root)) {
            return Ok(());
        }
        Err(leaves(input, path, &real.join(rest)))
    }

    pub(crate) fn directory(&self, input: &str, directory: &str) -> Result<(), Problem> {
        let real = self.path(input, directory)?;
        if real.is_dir() {
            return Ok(());
        }
        Err(Problem::new(
            format!("the input `{input}` is `{directory}`, which is not a directory"),
            "set it to a directory; the Dockerfile goes to the input `file`",
        ))
    }

    fn not_there(&self, input: &str, path: &str, error: &io::Error) -> Problem {
        let is_empty = fs::read_dir(self.0).map_or(true, |mut entries| entries.next().is_none());
        let fix = if is_empty {
            "the workspace is empty: put `- uses: actions/checkout@v5` before this step, or let the engine fetch the repository with `context: \"{{defaultContext}}:directory\"`"
        } else {
            "check the path; paths start at the root of the checkout"
        };
        let what = format!("invalid value `{path}` for the input `{input}`");
        Problem::new(what, fix).because(format!("it cannot be read: {error}"))
    }
}

fn leaves(input: &str, path: &str, real: &Path) -> Problem {
    Problem::new(
        format!("the input `{input}` is `{path}`, which is outside the workspace"),
        "use a path inside the checkout; copy the file there in an earlier step if it comes from elsewhere",
    )
    .because(format!("it resolves to `{}`", real.display()))
}

/// Opens a file without blocking: a pipe may have no writer.
fn open_at_once(path: &Path) -> io::Result<fs::File> {
    let never_wait = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    fs::OpenOptions::new()
        .read(true)
        .custom_flags(never_wait)
        .open(path)
}

/// Where an open file really is, with every link followed (`proc_pid_fd(5)`).
fn place_of(file: &fs::File) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

pub(crate) fn not_readable(input: &str, path: &str, error: &io::Error) -> Problem {
    Problem::new(
        format!("the input `{input}` is `{path}`, which cannot be read"),
        "make it readable for this step",
    )
    .because(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::error::Explanation;

    /// A workspace with a file and a directory beside it that it links to.
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
    fn every_spelling_of_an_inside_path_is_accepted() {
        let world = world();
        let root = world.path().join("workspace");
        let absolute = root.join("app").display().to_string();
        for path in ["app", ".", "./app/../app", "inside", absolute.as_str()] {
            Workspace(&root).directory("context", path).unwrap();
        }
    }

    #[test]
    fn paths_outside_the_workspace_are_refused() {
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
            assert!(text.contains("which is outside the workspace"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
