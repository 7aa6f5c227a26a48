//! ghcr-publish: from a git ref to a verified digest, in one step.
//!
//! environment -> inputs + context -> plan (pure) -> preflight -> build and push -> prove -> tag -> report.
//! The modules stand in the order in which a run meets them.

mod buildx;
mod child;
mod console;
mod context;
mod credentials;
mod deadline;
mod docker;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod github;
mod image;
mod inputs;
mod oci_layout;
mod plan;
mod private_directory;
mod proxy;
mod publish;
mod registry;
mod report;
mod secret;
mod tls;
mod vars;
mod workspace;

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::buildx::builder::{Builder, leftover};
use crate::console::{Console, Reader, Screen, Stream};
use crate::context::Context;
use crate::context::history::History;
use crate::credentials::Credentials;
use crate::error::{Explanation, Problem};
use crate::github::GitHub;
use crate::inputs::{GitContext, Inputs};
use crate::plan::Plan;
use crate::plan::names;
use crate::publish::Done;
use crate::publish::{preflight, truth};
use crate::registry::find;
use crate::report::Report;
use crate::tls::Trust;

pub use crate::inputs::Mode;
pub use crate::inputs::with::{merged, name_and_value};
pub use crate::vars::Vars;

/// What the command line asks for.
#[derive(Debug)]
pub struct Request {
    /// What to do; the input `mode` says it when the command line does not.
    pub mode: Option<Mode>,
    /// Inputs of the command line, which win over the environment's.
    pub with: Vec<(String, String)>,
    /// Whether the result goes to stdout as JSON, and the log to stderr.
    pub json: bool,
    /// Whether the log goes to a terminal.
    pub terminal: bool,
}

/// Everything that is known and decided before the first effect.
#[derive(Debug)]
struct Decided {
    mode: Mode,
    inputs: Inputs,
    credentials: Credentials,
    context: Context,
    trust: Trust,
    github: GitHub,
    history: History,
    plan: Plan,
}

/// Does what `request` asks; false when it failed, after the reason was printed.
pub async fn run(request: &Request, vars: &Vars, now: DateTime<Utc>) -> bool {
    let mut stop = StopSignals::install();
    let reader = if vars.in_actions() {
        Reader::Runner
    } else {
        Reader::Person(screen(request, vars))
    };
    let console = Console {
        reader,
        stream: if request.json {
            Stream::Stderr
        } else {
            Stream::Stdout
        },
    };
    // Two users of TLS, one provider. A second call finds it installed, which is as well.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    if request.mode == Some(Mode::Post) {
        return clean_up(vars, console, &mut stop).await;
    }
    let mut done = Done::default();
    let deciding = decide(request, vars, now, console);
    let (decided, outcome) = match stop.unless(deciding).await {
        Ok(decided) => {
            let outcome = act_until_stopped(&decided, vars, console, &mut done, &mut stop).await;
            (Some(decided), outcome)
        }
        Err(error) => (None, Err(error)),
    };
    let builder = done.builder.take();
    let report = Report::new(decided, done, outcome.as_ref().err());
    let told = report::tell(&report, vars, request.json, console);
    let failures = outcome.err().into_iter().chain(told);
    let failed = failures
        .map(|error| console.failure(&Explanation::of(&error)))
        .count();
    // After the report: a runner kills a cancelled step, and removing a builder takes time.
    if let Some(builder) = builder {
        remove(builder, vars, console, &mut stop).await;
    }
    failed == 0
}

/// The post step: removes what the run left.
async fn clean_up(vars: &Vars, console: Console, stop: &mut StopSignals) -> bool {
    let removal = async {
        leftover::remove_leftover(vars, console).await;
        Ok(())
    };
    if stop.unless(removal).await.is_ok() {
        return true;
    }
    let problem = Problem::new(
        "the post step was stopped before it had removed the builder of this run",
        "on a runner of your own, look for it with `docker ps --all --filter name=buildx_buildkit_ghcr-publish-`, and remove it with `docker rm --force --volumes`",
    );
    console.failure(&Explanation::of(&problem.into()));
    false
}

/// How long a stopped step may take to remove its builder; the post step removes what is left then.
const REMOVAL: Duration = Duration::from_secs(3);

/// Removes the builder, until the next signal comes. A person decides how long a stopped run may take, a runner does
/// not wait.
async fn remove(builder: Builder, vars: &Vars, console: Console, stop: &mut StopSignals) {
    let left = builder.if_left(vars);
    let is_short = stop.was_received && vars.in_actions();
    tokio::select! {
        () = builder.remove(console) => return,
        _signal = stop.received() => {}
        () = tokio::time::sleep(REMOVAL), if is_short => {}
    }
    console.warning(None, &left);
}

/// What a person's log can show: `NO_COLOR` (<https://no-color.org>) means what it says, and a machine that
/// calls itself `CI` keeps the log as a file.
fn screen(request: &Request, vars: &Vars) -> Screen {
    let is_dumb = vars.get("TERM").is_none_or(|terminal| terminal == "dumb");
    match vars.get("NO_COLOR") {
        _ if !request.terminal || is_dumb || vars.get("CI").is_some() => Screen::Paper,
        Some(_) => Screen::Mono,
        None => Screen::Colour,
    }
}

async fn decide(
    request: &Request,
    vars: &Vars,
    now: DateTime<Utc>,
    console: Console,
) -> anyhow::Result<Decided> {
    let mut inputs = Inputs::from_vars(vars, &request.with)?;
    inputs.secrets().for_each(|secret| console.mask(secret));
    inputs
        .warnings
        .iter()
        .for_each(|warning| console.warning(None, warning));
    let mode = request.mode.or(inputs.mode).unwrap_or(Mode::Publish);
    let now = vars.clock(now)?;
    let mut context = Context::from_vars(vars)?;
    if let Some(told) = credentials::withhold_token(&mut inputs, &context.server, vars) {
        console.notice(&told);
    }
    let sources = inputs.sources(vars.workspace());
    let checkout = sources.as_deref().unwrap_or(vars.workspace());
    if inputs.git_context == GitContext::Git {
        context = context.of_checkout(checkout)?;
    } else if let Some(folder) = &sources
        && let Some(remark) = context.remark_on_checkout(folder, vars)
    {
        console.warning(None, &remark);
    }
    if let Some(folder) = &sources {
        context = context.with_uncommitted(folder, vars);
    }
    if let Some(why) = &context.uncommitted {
        let revision = context.revision();
        console.warning(None, &format!("{why}: the image is labelled `revision={revision}` and gets no tag of the commit; commit the changes to publish a commit"));
    }
    if inputs.build.reproducible {
        context = context.with_commit_time(checkout)?;
    }
    let mut trust = Trust::read(inputs.destination.ca_cert.as_ref(), vars.workspace())?;
    if mode != Mode::Plan {
        trust = trust.behind(proxy::proxies(vars)?);
    }
    let github = GitHub::new(&context.api_url, inputs.github_token.clone(), trust.clone());
    if mode == Mode::Publish {
        github.complete(&mut context, console).await;
    }
    if mode != Mode::Plan && names::needs_registry(&inputs, &context) {
        let found = find::first_of(&context.server.possible_registries(), &trust, console).await?;
        console.say(&format!(
            "the registry of {} is {found}",
            context.server_url
        ));
        context.registry = Some(found);
    }
    let credentials = Credentials::new(&inputs, vars, &context.server)?;
    let plan = Plan::new(
        &inputs,
        &context,
        |registry| credentials.cover(registry),
        now,
    )?;
    if mode != Mode::Plan {
        plan.require_an_image()?;
    }
    plan.notices
        .iter()
        .for_each(|notice| console.notice(notice));
    Ok(Decided {
        mode,
        inputs,
        credentials,
        context,
        trust,
        github,
        history: History::of(vars),
        plan,
    })
}

/// Acts; when somebody wants the program to end, what is under way is dropped, no further tag moves, and
/// the registries are asked what they hold.
async fn act_until_stopped(
    decided: &Decided,
    vars: &Vars,
    console: Console,
    done: &mut Done,
    stop: &mut StopSignals,
) -> anyhow::Result<()> {
    let stopped = tokio::select! {
        outcome = act(decided, vars, console, done) => return outcome,
        stopped = stop.received() => stopped,
    };
    truth::look_again(decided, done, console).await;
    Err(stopped.into())
}

async fn act(
    decided: &Decided,
    vars: &Vars,
    console: Console,
    done: &mut Done,
) -> anyhow::Result<()> {
    match decided.mode {
        Mode::Plan | Mode::Post => Ok(()),
        Mode::Check => preflight::check(decided, console).await,
        Mode::Publish => publish::publish(decided, vars, console, done).await,
    }
}

/// The signals that ask the program to end. A signal that comes before they are installed kills it.
struct StopSignals {
    signals: [Option<Signal>; 2],
    was_received: bool,
}

impl StopSignals {
    fn install() -> Self {
        let kinds = [SignalKind::terminate(), SignalKind::interrupt()];
        Self {
            signals: kinds.map(|kind| signal(kind).ok()),
            was_received: false,
        }
    }

    /// Waits for the next of them.
    async fn received(&mut self) -> Problem {
        let wait = async |signals: &mut Option<Signal>| match signals {
            Some(signals) => drop(signals.recv().await),
            None => std::future::pending().await,
        };
        let [terminate, interrupt] = &mut self.signals;
        tokio::select! {
            () = wait(terminate) => {}
            () = wait(interrupt) => {}
        }
        self.was_received = true;
        Problem::new(
            "the run was stopped",
            "run it again; nothing is left half-way but what the report names",
        )
    }

    /// The outcome of `work`, which is dropped when a signal comes, and with it the processes that it started.
    async fn unless<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            outcome = work => outcome,
            stopped = self.received() => Err(stopped.into()),
        }
    }
}
