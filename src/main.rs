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
    /// With `verify`: the images, for example `ghcr.io/acme/app:1.2.3`; with `restore`: the ids of versions
    #[arg(value_name = "REFERENCE")]
    references: Vec<String>,
    /// With `verify`: the repository that must have signed. Default: the one that the image names as its source
    #[arg(long, value_name = "OWNER/REPO")]
    repository: Option<String>,
    /// With `verify`: the workflow that must have signed, for example `release.yml`
    #[arg(long)]
    workflow: Option<String>,
    /// With `verify`: the git ref that must have been built, for example `refs/tags/v1.2.3`
    #[arg(long = "ref", value_name = "REF")]
    git_ref: Option<String>,
    /// With `verify`: the issuer that the certificate must name. Default: the issuer of the GitHub server
    #[arg(long, value_name = "URL")]
    oidc_issuer: Option<String>,
    /// With `verify`: the trusted root of another Sigstore, a file in this directory
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<String>,
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

impl Arguments {
    /// The arguments of `restore`: the first that is no id is an error.
    fn ids(&mut self) -> Result<Vec<u64>, String> {
        if self.mode != Some(Mode::Restore) {
            return Ok(Vec::new());
        }
        let ids = std::mem::take(&mut self.references);
        if ids.is_empty() {
            return Err("name the versions to restore by their ids".to_owned());
        }
        let ids = ids.iter().map(|id| {
            let number = id.parse();
            number.map_err(|_text| format!("`{id}` is not the id of a version, which is a number"))
        });
        ids.collect()
    }

    /// The arguments of `verify`, as inputs.
    fn of_verify(&self) -> Vec<(String, String)> {
        let references = self.references.join("\n");
        let references = (!references.is_empty()).then_some(references);
        let given = [
            ("references", references.as_ref()),
            ("repository", self.repository.as_ref()),
            ("workflow", self.workflow.as_ref()),
            ("ref", self.git_ref.as_ref()),
            ("oidc-issuer", self.oidc_issuer.as_ref()),
            ("trusted-root", self.trusted_root.as_ref()),
        ];
        let given = given.into_iter();
        given
            .filter_map(|(name, value)| Some((name.to_owned(), value?.clone())))
            .collect()
    }
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
    let mut arguments = Arguments::parse();
    let ids = match arguments.ids() {
        Ok(ids) => ids,
        Err(why) => return wrong_usage(ErrorKind::ValueValidation, &why),
    };
    let mode = is_post_step().then_some(Mode::Post).or(arguments.mode);
    let of_verify = arguments.of_verify();
    if mode != Some(Mode::Verify)
        && let Some((name, _)) = of_verify.first()
    {
        let why = format!("`{name}` is an argument of `verify`");
        return wrong_usage(ErrorKind::ArgumentConflict, &why);
    }
    let Arguments {
        with,
        json,
        verbose,
        ..
    } = arguments;
    let with = with.into_iter().chain(of_verify).collect();
    let with = match ghcr_publish::merged(with) {
        Ok(with) => with,
        Err(why) => return wrong_usage(ErrorKind::ArgumentConflict, &why),
    };
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let vars = Vars::new(variables, std::env::current_dir().unwrap_or_default());
    if mode.is_none() && !vars.in_actions() {
        let why = "name a subcommand: `publish`, `plan`, `check`, `verify`, `merge`, `cleanup` or `restore`";
        return wrong_usage(ErrorKind::MissingSubcommand, why);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a process that just started can open a few file descriptors");
    let terminal = stderr().is_terminal() && (json || stdout().is_terminal());
    let request = Request {
        mode,
        ids,
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
