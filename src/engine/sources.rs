//! The files of this machine that a build reads: all of them inside the workspace, none missing.

use std::fs;
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use crate::inputs::secrets::SecretContent;
use crate::inputs::spec::Spec;
use crate::plan::build::BuildRequest;
use crate::plan::build::place::Place;
use crate::problem::Problem;

/// What BuildKit takes for a secret, in bytes
/// (<https://github.com/moby/buildkit/blob/v0.25.0/session/secrets/secretsprovider/secretsprovider.go>).
const LARGEST_SECRET: u64 = 500 * 1024;

/// Refuses a build that reads what is not there, or what is none of its business: a path may come from
/// somebody who should see the workspace and nothing else. What it writes stays there too, or in `temp`, the
/// folder of the job.
pub(super) fn check(
    request: &BuildRequest,
    workspace: &Path,
    temp: Option<&Path>,
) -> Result<(), Problem> {
    let inside = Workspace(workspace);
    for (input, path) in places(request) {
        inside.place(input, path, temp)?;
    }
    if let Some(folder) = request.context.local_folder() {
        inside.folder("context", folder)?;
    }
    for (name, place) in &request.contexts {
        let Some(folder) = place.local_folder() else {
            continue;
        };
        inside.folder(&format!("build-contexts` for `{name}"), folder)?;
    }
    for secret in &request.secrets {
        if let SecretContent::File(file) = &secret.content {
            let input = format!("secret-files` for `{}", secret.id);
            inside.file(&input, file)?;
        }
    }
    dockerfile(request, &inside)
}

/// The bytes of a secret file that was checked.
pub(super) fn read_secret(id: &str, file: &str, workspace: &Path) -> Result<Vec<u8>, Problem> {
    let input = format!("secret-files` for `{id}");
    let opened = Workspace(workspace).file(&input, file)?;
    let mut bytes = Vec::new();
    let read = opened.take(LARGEST_SECRET + 1).read_to_end(&mut bytes);
    read.map_err(|error| not_readable(&input, file, &error))?;
    if bytes.len() as u64 > LARGEST_SECRET {
        return Err(Problem::new(
            format!("the input `{input}` is `{file}`, which is larger than 500 KiB"),
            "no engine takes a larger secret; mount a large file with `build-contexts`",
        ));
    }
    Ok(bytes)
}

/// Folders and archives that the build writes or keeps its cache in, each with the input that names it.
fn places(request: &BuildRequest) -> impl Iterator<Item = (&'static str, &str)> {
    let outputs = request
        .outputs
        .iter()
        .filter_map(|spec| Some(("outputs", spec.get("dest")?)));
    let local = |spec: &&Spec| spec.kind() == "local";
    let written = request.cache_to.iter().filter(local);
    let written = written.filter_map(|spec| Some(("cache-to", spec.get("dest")?)));
    let read = request.cache_from.iter().filter(local);
    let read = read.filter_map(|spec| Some(("cache-from", spec.get("src")?)));
    outputs.chain(written).chain(read)
}

struct Workspace<'a>(&'a Path);

impl Workspace<'_> {
    /// The real place of `path`, with every link followed.
    fn path(&self, input: &str, path: &str) -> Result<PathBuf, Problem> {
        let root = self.0.canonicalize().unwrap_or_else(|_| self.0.to_owned());
        let real = self.0.join(path).canonicalize();
        let real = real.map_err(|error| self.not_there(input, path, &error))?;
        if real.starts_with(&root) {
            return Ok(real);
        }
        Err(leaves(input, path, &real))
    }

    /// The file at `path`, opened once: what is checked is what is read, whatever the path becomes meanwhile.
    fn file(&self, input: &str, path: &str) -> Result<fs::File, Problem> {
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
            format!("the input `{input}` is `{path}`, which is no file"),
            "name a file of the checkout",
        ))
    }

    /// Where something is written need not be there yet; the nearest folder that is must lie inside.
    fn place(&self, input: &str, path: &str, temp: Option<&Path>) -> Result<(), Problem> {
        let path_there = self.0.join(path);
        let there = path_there
            .ancestors()
            .find_map(|there| Some((there, there.canonicalize().ok()?)));
        let Some((there, real)) = there else {
            return Err(leaves(input, path, &path_there));
        };
        let rest = path_there.strip_prefix(there).unwrap_or(Path::new(""));
        let goes_down = rest
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let next = rest.components().next().map(|next| there.join(next));
        let is_link = next.is_some_and(|next| next.symlink_metadata().is_ok());
        let roots = [Some(self.0), temp].into_iter().flatten();
        let mut roots = roots.map(|root| root.canonicalize().unwrap_or_else(|_| root.to_owned()));
        if goes_down && !is_link && roots.any(|root| real.starts_with(root)) {
            return Ok(());
        }
        Err(leaves(input, path, &real.join(rest)))
    }

    fn folder(&self, input: &str, folder: &str) -> Result<(), Problem> {
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

fn leaves(input: &str, path: &str, real: &Path) -> Problem {
    Problem::new(
        format!("the input `{input}` is `{path}`, which leaves the workspace"),
        "name something inside the checkout; copy it there in an earlier step if it must come from elsewhere",
    )
    .because(format!("it leads to `{}`", real.display()))
}

/// Opens a file to read, and never waits: nobody may write to a pipe.
pub(super) fn open_at_once(path: &Path) -> io::Result<fs::File> {
    let never_wait = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    fs::OpenOptions::new()
        .read(true)
        .custom_flags(never_wait)
        .open(path)
}

/// Where an open file really is, with every link followed (`proc_pid_fd(5)`).
pub(super) fn place_of(file: &fs::File) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

fn not_readable(input: &str, path: &str, error: &io::Error) -> Problem {
    Problem::new(
        format!("the input `{input}` is `{path}`, which cannot be read"),
        "let this step be allowed to read it",
    )
    .because(error.to_string())
}

/// The Dockerfile must be there before the engine is asked; one at an address, or in a context at one, is
/// the engine's to find.
fn dockerfile(request: &BuildRequest, workspace: &Workspace) -> Result<(), Problem> {
    let is_address = request
        .file
        .as_ref()
        .is_some_and(|file| file.starts_with("https://") || file.starts_with("http://"));
    if is_address || !matches!(request.context, Place::Folder(_)) {
        return Ok(());
    }
    let dockerfile = request.dockerfile();
    let path = workspace.0.join(&dockerfile);
    if path.is_file() {
        return workspace.path("file", &dockerfile).map(drop);
    }
    let because = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => format!("`{dockerfile}` is a folder"),
        _ => format!("there is no file `{dockerfile}` in the workspace"),
    };
    Err(Problem::new(
        "there is no Dockerfile to build",
        "name the folder in the input `context`, or the file in the input `file`; both start at the root of the checkout",
    )
    .because(because))
}

#[cfg(test)]
mod proofs;

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
    fn a_secret_of_a_size_no_engine_takes_is_not_read() {
        let world = world();
        let root = world.path().join("workspace");
        let file = fs::File::create(root.join("large")).unwrap();
        file.set_len(1 << 30).unwrap();
        let problem = read_secret("x", "large", &root).unwrap_err();
        let text = Explanation::of(&problem.into()).to_string();
        assert!(text.contains("500 KiB"), "{text}");
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
