//! Bare `buildx build --push`: the program itself, without the `docker` command in front.

use std::path::Path;
use std::process::Command;

use crate::world::command;

pub(crate) struct Build<'a> {
    pub(crate) context: &'a Path,
    pub(crate) references: Vec<String>,
    /// The engine's own when empty.
    pub(crate) platforms: &'a [&'a str],
    /// Flags for labels and annotations: others in each round, so that each round builds a new image.
    pub(crate) description: Vec<String>,
}

impl Build<'_> {
    pub(crate) fn with(&self, buildx: &Path, login: &Path) -> Command {
        let mut command = command(buildx);
        command
            .env("DOCKER_CONFIG", login)
            .env("BUILDX_NO_DEFAULT_ATTESTATIONS", "1")
            .args(["build", "--progress=plain", "--push"])
            .args(self.references.iter().map(|one| format!("--tag={one}")))
            .args(&self.description);
        if !self.platforms.is_empty() {
            command.arg(format!("--platform={}", self.platforms.join(",")));
        }
        command.arg(self.context);
        command
    }
}
