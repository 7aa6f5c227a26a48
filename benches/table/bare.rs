//! Bare `buildx build --push`: the program itself, without the `docker` command in front.

use std::path::Path;
use std::process::Command;

use crate::world::command;

pub(crate) struct Build<'a> {
    pub(crate) context: &'a Path,
    pub(crate) image: &'a str,
    pub(crate) tags: Vec<String>,
    /// The engine's own when empty.
    pub(crate) platforms: &'a str,
    /// The value of a label, so that each round builds a new image, as the others do.
    pub(crate) round: usize,
}

impl Build<'_> {
    pub(crate) fn with(&self, buildx: &Path, login: &Path) -> Command {
        let mut command = command(buildx);
        command
            .env("DOCKER_CONFIG", login)
            .env("BUILDX_NO_DEFAULT_ATTESTATIONS", "1")
            .args(["build", "--progress=plain", "--push"])
            .args(
                self.tags
                    .iter()
                    .map(|tag| format!("--tag={}:{tag}", self.image)),
            )
            .arg(format!("--label=round={}", self.round));
        if !self.platforms.is_empty() {
            command.arg(format!("--platform={}", self.platforms));
        }
        command.arg(self.context);
        command
    }
}
