//! What a run tells its post step: values in the runner's file `GITHUB_STATE`.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::vars::Vars;

/// The file `GITHUB_STATE`. The post step finds what is appended to it as `STATE_<name>`
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#sending-values-to-the-pre-and-post-actions>).
#[derive(Clone, Debug)]
pub(crate) struct PostState(PathBuf);

impl PostState {
    /// Nothing if no runner reads it.
    pub(crate) fn of(vars: &Vars) -> Option<Self> {
        vars.path("GITHUB_STATE").map(Path::to_owned).map(Self)
    }

    /// Sets `name` to `value`, which is one line; a later value replaces an earlier one.
    pub(crate) fn set(&self, name: &str, value: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).open(&self.0)?;
        writeln!(file, "{name}={value}")
    }
}
