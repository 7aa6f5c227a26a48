//! The files of this machine that a build reads: all of them inside the workspace, none missing.

use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use crate::buildx::policy;
use crate::error::Problem;
use crate::inputs::secrets::SecretContent;
use crate::inputs::spec::Spec;
use crate::plan::build::BuildRequest;
use crate::plan::build::context_source::ContextSource;
use crate::workspace::{Workspace, not_readable};

/// The largest secret that BuildKit accepts, in bytes
/// (<https://github.com/moby/buildkit/blob/v0.25.0/session/secrets/secretsprovider/secretsprovider.go>).
const MAX_SECRET: u64 = 500 * 1024;

/// Refuses a build that reads missing files or files outside the workspace: a path may come from
/// someone who may read only the workspace. What it writes stays there too, or in `temp`, the
/// directory of the job.
pub(crate) fn check(
    request: &BuildRequest,
    workspace: &Path,
    temp: Option<&Path>,
) -> Result<(), Problem> {
    let inside = Workspace(workspace);
    for (input, path) in places(request) {
        inside.place(input, path, temp)?;
    }
    if let Some(directory) = request.context.local_directory() {
        inside.directory("context", directory)?;
    }
    for (name, place) in &request.contexts {
        let Some(directory) = place.local_directory() else {
            continue;
        };
        inside.directory(&format!("build-contexts` for `{name}"), directory)?;
    }
    for secret in &request.parameters.secrets {
        if let SecretContent::File(file) = &secret.content {
            let input = format!("secret-files` for `{}", secret.id);
            inside.file(&input, file)?;
        }
    }
    dockerfile(request, &inside)
}

/// The bytes of a secret file that was checked.
pub(crate) fn read_secret(id: &str, file: &str, workspace: &Path) -> Result<Vec<u8>, Problem> {
    let input = format!("secret-files` for `{id}");
    let opened = Workspace(workspace).file(&input, file)?;
    let mut bytes = Vec::new();
    let read = opened.take(MAX_SECRET + 1).read_to_end(&mut bytes);
    read.map_err(|error| not_readable(&input, file, &error))?;
    if bytes.len() as u64 > MAX_SECRET {
        return Err(Problem::new(
            format!("the input `{input}` is `{file}`, which is larger than 500 KiB"),
            "BuildKit accepts no larger secret; mount a large file with `build-contexts`",
        ));
    }
    Ok(bytes)
}

/// Directories and archives that the build writes or keeps its cache in, each with the input that names it.
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

/// The Dockerfile must be there before the engine is asked; one at an address, or in a context at one, is
/// the engine's to find.
fn dockerfile(request: &BuildRequest, workspace: &Workspace) -> Result<(), Problem> {
    let is_address = request
        .parameters
        .file
        .as_ref()
        .is_some_and(|file| file.starts_with("https://") || file.starts_with("http://"));
    if is_address || !matches!(request.context, ContextSource::Directory(_)) {
        return Ok(());
    }
    let dockerfile = request.dockerfile();
    let path = workspace.0.join(&dockerfile);
    if path.is_file() {
        let policy = policy::path(request, workspace.0);
        let mut files = [dockerfile].into_iter().chain(policy);
        return files.try_for_each(|file| workspace.path("file", &file).map(drop));
    }
    let because = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => format!("`{dockerfile}` is a directory"),
        _ => format!("the workspace has no file `{dockerfile}`"),
    };
    Err(Problem::new(
        "cannot find the Dockerfile",
        "set the input `context` to its directory, or the input `file` to its path; both start at the root of the checkout",
    )
    .because(because))
}

#[cfg(test)]
mod properties;

/// The path of `file`, which is given from the workspace, as it is in the repository: the checkout may lie
/// in a directory of the workspace.
pub(crate) fn path_in_repository(file: &str, workspace: &Path) -> String {
    let path = plain(
        Path::new(file)
            .strip_prefix(workspace)
            .unwrap_or(Path::new(file)),
    );
    let mut directories = path.ancestors().skip(1);
    let checkout = directories.find(|directory| workspace.join(directory).join(".git").exists());
    let path = checkout
        .and_then(|directory| path.strip_prefix(directory).ok())
        .unwrap_or(&path);
    path.display().to_string()
}

/// Without `.` and, where that is clear, without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            Component::ParentDir
            | Component::Normal(_)
            | Component::RootDir
            | Component::Prefix(_) => {
                plain.push(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;

    #[test]
    fn too_large_secret_is_not_read() {
        let workspace = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(workspace.path().join("large")).unwrap();
        file.set_len(1 << 30).unwrap();
        let problem = read_secret("x", "large", workspace.path()).unwrap_err();
        let text = Explanation::of(&problem.into()).to_string();
        assert!(text.contains("500 KiB"), "{text}");
    }

    #[test]
    fn a_path_starts_where_the_checkout_is() {
        let workspace = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(workspace.path().join("src/.git")).unwrap();
        let check = |file: &str, expected: &str| {
            assert_eq!(path_in_repository(file, workspace.path()), expected);
        };
        check("./app/../app/./Dockerfile", "app/Dockerfile");
        check("src/app/Dockerfile", "app/Dockerfile");
        check(
            &workspace
                .path()
                .join("src/Dockerfile")
                .display()
                .to_string(),
            "Dockerfile",
        );
        check("../Dockerfile", "../Dockerfile");
    }
}
