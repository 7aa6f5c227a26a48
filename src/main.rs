//! The program: reads arguments, environment and clock, starts the run, sets the exit status.

use std::io::{IsTerminal, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::Utc;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};
use ghcr_publish::{Mode, Request, Vars};

/// Build, push and verify a container image in one step: tags, login, build, push, digest check
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Task of the run. Default in GitHub Actions: the input `mode`, else `publish`; required elsewhere
    #[arg(value_enum)]
    mode: Option<Mode>,
    /// Set an input, like `with:` in a workflow. Repeat it for a list to add lines
    #[arg(long, value_name = "NAME=VALUE", value_parser = ghcr_publish::name_and_value)]
    with: Vec<(String, String)>,
    /// Print the result as one JSON object to stdout, and the log to stderr
    #[arg(long)]
    json: bool,
    /// Print a line to stderr for every HTTP exchange, program that is started, and decision about a tag
    #[arg(short, long)]
    verbose: bool,
}

/// Whether this is the post step. The runner starts it under another name and without arguments, and it must never
/// publish.
fn is_post_step() -> bool {
    let program = std::env::args_os().next().map(PathBuf::from);
    let name = program.as_deref().and_then(Path::file_name);
    name.is_some_and(|name| name == "ghcr-publish-post")
}

/// Prints why the command line is invalid.
fn wrong_usage(kind: ErrorKind, why: &str) -> ExitCode {
    let error = Arguments::command().error(kind, why);
    let _closed_stderr = error.print();
    ExitCode::from(2)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads environment and clock"
)]
fn main() -> ExitCode {
    let Arguments {
        mode,
        with,
        json,
        verbose,
    } = Arguments::parse();
    let mode = is_post_step().then_some(Mode::Post).or(mode);
    let with = match ghcr_publish::merged(with) {
        Ok(with) => with,
        Err(why) => return wrong_usage(ErrorKind::ArgumentConflict, &why),
    };
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let vars = Vars::new(variables, std::env::current_dir().unwrap_or_default());
    if mode.is_none() && !vars.in_actions() {
        let why = "name a subcommand: `publish`, `plan` or `check`";
        return wrong_usage(ErrorKind::MissingSubcommand, why);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a process that just started can open a few file descriptors");
    let terminal = stderr().is_terminal() && (json || stdout().is_terminal());
    let request = Request {
        mode,
        with,
        json,
        verbose,
        terminal,
    };
    let done = runtime.block_on(ghcr_publish::run(&request, &vars, Utc::now()));
    // Does not wait for a name lookup that hangs.
    runtime.shutdown_background();
    if done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
