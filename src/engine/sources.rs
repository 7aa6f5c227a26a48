//! The files of this machine that a build reads: all of them inside the workspace, none missing.

use std::fs;
use std::path::Path;

use crate::inputs::secrets::SecretContent;
use crate::plan::build::BuildRequest;
use crate::plan::build::place::Place;
use crate::problem::Problem;
use crate::workspace::{Workspace, not_readable};

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
    Workspace(workspace).read(&input, file)
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
