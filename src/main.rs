//! The program: reads arguments, environment and clock, starts the run, sets the exit status.

use std::io::{IsTerminal, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::Utc;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};
use ghcr_publish::{AskedEvent, Mode, Request, Vars, Verbosity};

/// Build, push and verify a container image in one step: tags, login, build, push, digest check
#[derive(Parser)]
#[command(version, after_long_help = EXAMPLES)]
struct Arguments {
    /// Task of the run. Default in GitHub Actions: the input `mode`, else `publish`; required elsewhere
    #[arg(value_enum)]
    mode: Option<Mode>,
    /// With `verify`: the images, for example `ghcr.io/acme/app:1.2.3`; with `restore`: the ids of versions
    #[arg(value_name = "REFERENCE")]
    references: Vec<String>,
    /// With `plan`: the event to plan for, for example `pull_request`. Default: the one that fits `--ref`
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
    /// With `plan`: the git ref to plan for, for example `refs/tags/v1.2.3`; with `verify`: the one that must have been built
    #[arg(long = "ref", value_name = "REF")]
    git_ref: Option<String>,
    /// With `verify`: the repository that must have signed. Default: the one that the image names as its source
    #[arg(long, value_name = "OWNER/REPO")]
    repository: Option<String>,
    /// With `verify`: the workflow that must have signed, for example `release.yml`
    #[arg(long)]
    workflow: Option<String>,
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
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    /// Print only warnings and errors in the log
    #[arg(short, long)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  Show what would be published from this checkout, or by another event:
    ghcr-publish plan
    ghcr-publish plan --event push --ref refs/tags/v1.2.3
    ghcr-publish plan --event pull_request --ref refs/pull/5/merge
  Ask the registry for push access:
    ghcr-publish check
  Publish, only build, or run what was published:
    ghcr-publish publish
    ghcr-publish publish --with push=false
    docker run --rm \"$(ghcr-publish publish --quiet)\"
  Check that an image is complete, and who signed it:
    ghcr-publish verify ghcr.io/acme/app:1.2.3 --workflow release.yml
  Complete an image whose parts other jobs pushed:
    ghcr-publish merge --with platforms=linux/amd64,linux/arm64
  Show what a clean-up would delete, delete it, or restore a version:
    ghcr-publish cleanup --with dry-run=true
    ghcr-publish cleanup
    ghcr-publish restore 1234567

Exit status: 0 for success, 1 for a failure, 2 for an invalid command line";

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

    /// The event and the git ref that `plan` is asked about, if it is.
    fn of_plan(&mut self) -> Result<Option<AskedEvent>, String> {
        if self.event.is_none() && (self.git_ref.is_none() || self.mode == Some(Mode::Verify)) {
            return Ok(None);
        }
        if self.mode != Some(Mode::Plan) {
            let why = match self.event {
                Some(_) => "`--event` is an argument of `plan`",
                None => "`--ref` is an argument of `plan` and `verify`",
            };
            return Err(format!("{why}; other modes act on what has happened"));
        }
        Ok(Some(AskedEvent {
            name: self.event.take(),
            git_ref: self.git_ref.take(),
        }))
    }

    /// The arguments of `verify`, as inputs.
    fn of_verify(&self) -> Result<Vec<(String, String)>, String> {
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
        let given: Vec<(String, String)> = given
            .filter_map(|(name, value)| Some((name.to_owned(), value?.clone())))
            .collect();
        match given.first() {
            Some((name, _)) if self.mode != Some(Mode::Verify) => {
                Err(format!("`{name}` is an argument of `verify`"))
            }
            _ => Ok(given),
        }
    }

    fn verbosity(&self) -> Verbosity {
        match (self.verbose, self.quiet) {
            (true, _) => Verbosity::Verbose,
            (false, true) => Verbosity::Quiet,
            (false, false) => Verbosity::Normal,
        }
    }

    /// The arguments as one request; else why the command line is invalid.
    fn request(mut self, vars: &Vars) -> Result<Request, (ErrorKind, String)> {
        let conflict = |why| (ErrorKind::ArgumentConflict, why);
        let ids = self
            .ids()
            .map_err(|why| (ErrorKind::ValueValidation, why))?;
        let event = self.of_plan().map_err(conflict)?;
        let of_verify = self.of_verify().map_err(conflict)?;
        let verbosity = self.verbosity();
        let with = self.with.into_iter().chain(of_verify).collect();
        let with = ghcr_publish::merged(with).map_err(conflict)?;
        let mode = is_post_step().then_some(Mode::Post).or(self.mode);
        if mode.is_none() && !vars.in_actions() {
            let why = "name a subcommand: `publish`, `plan`, `check`, `verify`, `merge`, `cleanup` or `restore`";
            return Err((ErrorKind::MissingSubcommand, why.to_owned()));
        }
        Ok(Request {
            mode,
            ids,
            event,
            with,
            json: self.json,
            verbosity,
            log_is_terminal: stderr().is_terminal(),
            stdout_is_terminal: stdout().is_terminal(),
        })
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
    let arguments = Arguments::parse();
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let vars = Vars::new(variables, std::env::current_dir().unwrap_or_default());
    let request = match arguments.request(&vars) {
        Ok(request) => request,
        Err((kind, why)) => return wrong_usage(kind, &why),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a process that just started can open a few file descriptors");
    let done = runtime.block_on(ghcr_publish::run(&request, &vars, Utc::now()));
    // Does not wait for a name lookup that hangs.
    runtime.shutdown_background();
    if done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
