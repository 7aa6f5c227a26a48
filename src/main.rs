//! Reads environment, clock and arguments, runs, sets the exit status.

use std::io::{IsTerminal, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::Utc;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};
use ghcr_publish::{Mode, Request, Vars};

/// Publish a container image from GitHub in one step: tags, login, build, push, proof
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What to do. In GitHub Actions the default is what the input `mode` says, else `publish`
    #[arg(value_enum)]
    mode: Option<Mode>,
    /// Set an input, as `with:` does in a workflow; repeated for a list, it adds lines
    #[arg(long, value_name = "NAME=VALUE", value_parser = ghcr_publish::name_and_value)]
    with: Vec<(String, String)>,
    /// Print the result as one JSON object on stdout, and the log on stderr
    #[arg(long)]
    json: bool,
}

/// The runner starts the post step under a name of its own: it takes no arguments there, and a publication
/// must never begin in its stead.
fn called_to_clean_up() -> bool {
    let program = std::env::args_os().next().map(PathBuf::from);
    let name = program.as_deref().and_then(Path::file_name);
    name.is_some_and(|name| name == "ghcr-publish-post")
}

/// Says what is wrong with the command line.
fn wrong_usage(kind: ErrorKind, why: &str) -> ExitCode {
    let error = Arguments::command().error(kind, why);
    let _nobody_reads = error.print();
    ExitCode::from(2)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads environment and clock"
)]
fn main() -> ExitCode {
    let Arguments { mode, with, json } = Arguments::parse();
    let mode = if called_to_clean_up() {
        Some(Mode::Post)
    } else {
        mode
    };
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
    let runtime = runtime.expect("a machine that starts programs has a few file descriptors left");
    let terminal = stderr().is_terminal() && (json || stdout().is_terminal());
    let request = Request {
        mode,
        with,
        json,
        terminal,
    };
    let done = runtime.block_on(ghcr_publish::run(&request, &vars, Utc::now()));
    // A name lookup that hangs would hold up the end.
    runtime.shutdown_background();
    if done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
