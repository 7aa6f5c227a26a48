//! A child: a program, its arguments, and an environment made for it.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::console::debug::redacted_command;

/// One debug line tells that it starts. The child ends with the value that holds it.
pub(crate) fn command(
    program: &Path,
    arguments: &[String],
    environment: impl IntoIterator<Item = (String, String)>,
    dir: &Path,
) -> Command {
    log::debug!("starting {}", redacted_command(program, arguments));
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where a child is started, with the environment made for it"
    )]
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(environment)
        .current_dir(dir)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}
