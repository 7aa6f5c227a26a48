//! The files of this machine that a build reads: all of them inside the workspace, none missing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::inputs::secrets::SecretContent;
use crate::plan::build::BuildRequest;
use crate::plan::build::place::Place;
use crate::problem::Problem;

/// Refuses a build that reads what is not there, or what is none of its business: a path may come from
/// somebody who should see the workspace and nothing else.
pub(super) fn check(request: &BuildRequest, workspace: &Path) -> Result<(), Problem> {
    let inside = Workspace(workspace);
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
            let path = inside.path(&input, file)?;
            fs::File::open(path).map_err(|error| not_readable(&input, file, &error))?;
        }
    }
    dockerfile(request, &inside)
}

/// The bytes of a secret file that was checked.
pub(super) fn read_secret(id: &str, file: &str, workspace: &Path) -> Result<Vec<u8>, Problem> {
    let input = format!("secret-files` for `{id}");
    let path = Workspace(workspace).path(&input, file)?;
    fs::read(path).map_err(|error| not_readable(&input, file, &error))
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
        Err(Problem::new(
            format!("the input `{input}` is `{path}`, which leaves the workspace"),
            "name something inside the checkout; copy it there in an earlier step if it must come from elsewhere",
        )
        .because(format!("it leads to `{}`", real.display())))
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
