//! Opens an archive or layout of the workspace.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::Problem;
use crate::inputs::candidate::file::{Choice, Form, ImageFile};
use crate::oci_layout::archive::Archive;
use crate::oci_layout::expand::{Scratch, plain};
use crate::oci_layout::{LayoutError, OciLayout, Present};
use crate::vars::Vars;
use crate::workspace::Workspace;

/// The image of an archive or layout. Reads headers and manifests; a gzip archive is expanded, and the layers of a Docker
/// archive are compressed, into unnamed files.
pub(crate) fn open(file: &ImageFile, vars: &Vars) -> anyhow::Result<(OciLayout, Present)> {
    let root = root(&file.path, vars);
    let ImageFile { form, path, choice } = file;
    if *form == Form::OciLayout {
        let directory = directory(root, path)?;
        let title = format!("the layout `{path}`");
        let mut layout = OciLayout::within(root.0.to_owned(), directory, title);
        let present = layout.present(choice)?;
        return Ok((layout, present));
    }
    let opened = root.file("candidate", path)?;
    let title = format!("the archive `{path}`");
    of_archive(*form, opened, choice, title, Scratch(vars))
}

/// Fails if there is no such file or directory, before anything is read.
pub(crate) fn require(file: &ImageFile, vars: &Vars) -> Result<(), Problem> {
    let root = root(&file.path, vars);
    match file.form {
        Form::OciLayout => directory(root, &file.path).map(drop),
        Form::OciArchive | Form::DockerArchive => root.file("candidate", &file.path).map(drop),
    }
}

fn directory(root: Workspace<'_>, path: &str) -> Result<PathBuf, Problem> {
    let directory = root.path("candidate", path)?;
    if directory.is_dir() {
        return Ok(directory);
    }
    Err(Problem::new(
        format!("the layout `{path}` is not a directory"),
        format!("write `oci-archive:{path}` or `docker-archive:{path}` for a tar file"),
    ))
}

/// The image of an archive that is open.
pub(crate) fn of_archive(
    form: Form,
    file: File,
    choice: &Choice,
    title: String,
    scratch: Scratch<'_>,
) -> anyhow::Result<(OciLayout, Present)> {
    let archive = plain(file, scratch).and_then(Archive::index);
    let archive = archive.map_err(|what| LayoutError {
        title: title.clone(),
        what,
    })?;
    let mut layout = OciLayout::of_archive(archive, title);
    let present = if form == Form::DockerArchive && layout.needs_conversion()? {
        let root = layout.compress_docker_archive(choice, scratch)?;
        Present { root, left_out: 0 }
    } else {
        layout.present(choice)?
    };
    Ok((layout, present))
}

/// The directory that holds the path and that nothing may leave: `RUNNER_TEMP` for an absolute path in it, else the
/// workspace.
fn root<'a>(path: &str, vars: &'a Vars) -> Workspace<'a> {
    let temp = vars.path("RUNNER_TEMP");
    let path = Path::new(path);
    let temp = temp.filter(|temp| path.is_absolute() && path.starts_with(temp));
    Workspace(temp.unwrap_or_else(|| vars.workspace()))
}
