//! The definition files for `docker buildx bake`, and the paths under which later steps find them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::error::Problem;
use crate::report::github_output::Output;
use crate::report::metadata;
use crate::session::Session;
use crate::vars::Vars;

/// Writes the files into a directory that later steps of the job can read; their outputs.
pub(super) fn write(session: &Session, vars: &Vars) -> anyhow::Result<Vec<Output>> {
    let Some(temporary) = vars
        .path("RUNNER_TEMP")
        .filter(|_| vars.get("GITHUB_OUTPUT").is_some())
    else {
        return Ok(Vec::new());
    };
    let files = metadata::bake_files(&session.plan, &session.inputs.metadata_format);
    let directory = temporary.join(format!("ghcr-publish-{:016x}", fastrand::u64(..)));
    let written = fs::create_dir(&directory).and_then(|()| {
        files
            .iter()
            .try_for_each(|file| fs::write(directory.join(file.file_name), &file.text))
    });
    written.with_context(|| {
        let what = format!("cannot write the bake files to `{}`", directory.display());
        Problem::new(
            what,
            "set `RUNNER_TEMP` to a writable directory, or unset it",
        )
    })?;
    let seen = directory_outside(&directory, temporary, vars);
    let output =
        |file: metadata::BakeFile| (file.output, seen.join(file.file_name).display().to_string());
    Ok(files.into_iter().map(output).collect())
}

/// In the container of an action the runner's temporary directory is mounted at `/github/runner_temp`,
/// and outputs are not translated back. On the machine it lies beside the directory of the repository's
/// work, which `RUNNER_WORKSPACE` names untranslated.
fn directory_outside(directory: &Path, temporary: &Path, vars: &Vars) -> PathBuf {
    let mounted = temporary == Path::new("/github/runner_temp");
    let work = vars
        .path("RUNNER_WORKSPACE")
        .and_then(Path::parent)
        .filter(|_| mounted);
    match (work, directory.strip_prefix(temporary)) {
        (Some(work), Ok(inside)) => work.join("_temp").join(inside),
        _ => directory.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_steps_see_the_directory_of_the_machine() {
        let seen = |temporary: &str| {
            let vars = Vars::of(&[("RUNNER_WORKSPACE", "/home/runner/work/widget")]);
            let temporary = Path::new(temporary);
            directory_outside(&temporary.join("x"), temporary, &vars)
        };
        assert_eq!(
            seen("/github/runner_temp"),
            Path::new("/home/runner/work/_temp/x")
        );
        assert_eq!(seen("/tmp"), Path::new("/tmp/x"));
    }
}
