//! The steps of a run.

mod cleanup;
mod comment;
mod post;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::buildx::builder::Builder;
use crate::console::debug;
use crate::console::{Console, Level, Reader, Screen, Stream};
use crate::context::asked::AskedEvent;
use crate::error::Explanation;
use crate::inputs::{Inputs, Mode};
use crate::publish::{self, Done, after_cancel, preflight};
use crate::report::result::verification::Verification;
use crate::report::result::{Body, RunResult};
use crate::report::{self, Answer, Report};
use crate::session::Session;
use crate::signals::StopSignals;
use crate::vars::Vars;
use crate::verify;

/// What the command line asks for.
#[derive(Debug)]
pub struct Request {
    /// What to do; the input `mode` says it when the command line does not.
    pub mode: Option<Mode>,
    /// With `restore`: the versions.
    pub ids: Vec<u64>,
    /// With `plan`: the event to plan for, if it is not the one that happened.
    pub event: Option<AskedEvent>,
    /// Inputs of the command line, which win over the environment's.
    pub with: Vec<(String, String)>,
    /// Whether the result goes to stdout as JSON, and the log to stderr.
    pub json: bool,
    pub verbosity: Verbosity,
    /// Whether stderr, which has the log, is a terminal.
    pub log_is_terminal: bool,
    /// Whether stdout is a terminal: no program reads it.
    pub stdout_is_terminal: bool,
}

/// How much the log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Warnings and errors.
    Quiet,
    Normal,
    /// Debug lines too; `RUNNER_DEBUG=1` asks for them unless the log is to be quiet.
    Verbose,
}

impl Request {
    fn shows_debug_lines(&self, vars: &Vars) -> bool {
        match self.verbosity {
            Verbosity::Quiet => false,
            Verbosity::Normal => vars.get("RUNNER_DEBUG") == Some("1"),
            Verbosity::Verbose => true,
        }
    }

    /// What stdout gets at the end of a publication.
    fn answer(&self, vars: &Vars) -> Answer {
        match self.json {
            true => Answer::Json,
            false if vars.in_actions() || self.stdout_is_terminal => Answer::Text,
            false => Answer::Reference,
        }
    }
}

/// Does what `request` asks; false when it failed, after the reason was printed.
pub async fn run(request: &Request, vars: &Vars, now: DateTime<Utc>) -> bool {
    let mut stop = StopSignals::install();
    let console = console(request, vars);
    if request.shows_debug_lines(vars) {
        debug::show(console, request.verbosity == Verbosity::Verbose);
    }
    // Two users of TLS, one provider. A second call finds it installed, which is as well.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    if request.mode == Some(Mode::Post) {
        return post::run(vars, now, console, &mut stop).await;
    }
    let mode = request.mode.or_else(|| Mode::given(vars, &request.with));
    let task = Task {
        mode: mode.unwrap_or(Mode::Publish),
        with: &request.with,
        asked: request.event.as_ref(),
        answer: request.answer(vars),
        vars,
        now,
        console,
    };
    match task.mode {
        Mode::Verify => task.verify(&mut stop).await,
        Mode::Cleanup => task.clean_up(&mut stop).await,
        Mode::Restore => task.restore(&request.ids, &mut stop).await,
        _ => task.run(&mut stop).await,
    }
}

/// What a run has to do, and whom it tells.
struct Task<'a> {
    mode: Mode,
    with: &'a [(String, String)],
    asked: Option<&'a AskedEvent>,
    answer: Answer,
    vars: &'a Vars,
    now: DateTime<Utc>,
    console: Console,
}

impl Task<'_> {
    /// Publishes, plans or checks; false when it failed, after the reason was printed.
    async fn run(&self, stop: &mut StopSignals) -> bool {
        let (vars, console) = (self.vars, self.console);
        let mut done = Done::default();
        let session = Session::new(self.mode, self.with, self.asked, vars, self.now, console);
        let (session, outcome) = match stop.unless(session).await {
            Ok(session) => {
                let outcome = act_until_stopped(&session, &mut done, stop).await;
                (Some(session), outcome)
            }
            Err(error) => (None, Err(error)),
        };
        let builder = done.builder.take();
        let is_done = self.tell(session, done, outcome, stop).await;
        // After the report: a runner kills a cancelled step, and removing a builder takes time.
        if let Some(builder) = builder {
            remove_builder(builder, vars, console, stop).await;
        }
        is_done
    }

    /// Whether every image is as it should be.
    async fn verify(&self, stop: &mut StopSignals) -> bool {
        let mut verification = Verification::default();
        let verified = verify::verify(self.with, &mut verification, self.vars, self.console);
        let failures = match stop.unless(async { Ok(verified.await) }).await {
            Ok(failures) => failures,
            Err(error) => vec![error],
        };
        self.end(Some(&Body::Verification(verification)), &failures, None)
    }

    /// Reports how the run ended, then comments on the pull request if all went well; false when the run or its report
    /// failed.
    async fn tell(
        &self,
        session: Option<Session>,
        mut done: Done,
        outcome: anyhow::Result<()>,
        stop: &mut StopSignals,
    ) -> bool {
        // The plan that was carried out, where it is another.
        let session = session.map(|session| match done.plan.take() {
            Some(plan) => Session { plan, ..session },
            None => session,
        });
        let report = Report::new(self.mode, session, done, outcome.as_ref().err());
        let told = report::tell(&report, self.vars, self.answer, self.console);
        let failures: Vec<anyhow::Error> = outcome.err().into_iter().chain(told.failures).collect();
        let has_succeeded = self.end(told.body.as_ref(), &failures, report.inputs());
        if has_succeeded && self.answer == Answer::Reference {
            report::say_reference(&report, self.console);
        }
        if has_succeeded {
            tokio::select! {
                () = comment::keep(&report) => {}
                _signal = stop.received() => {
                    let text = "the run was cancelled while it wrote the comment";
                    self.console.notice(text);
                }
            }
        }
        has_succeeded
    }

    /// Prints the failures, and the result for a program, without the secrets in `inputs`; true if there are no failures.
    fn end(
        &self,
        body: Option<&Body>,
        failures: &[anyhow::Error],
        inputs: Option<&Inputs>,
    ) -> bool {
        let explanations = failures.iter().map(Explanation::of);
        explanations.for_each(|explanation| self.console.failure(&explanation));
        if self.answer == Answer::Json {
            let parse = || Inputs::from_vars(self.vars, self.with).ok();
            let parsed = inputs.is_none().then(parse).flatten();
            let inputs = inputs.or(parsed.as_ref()).into_iter();
            let secrets = inputs.flat_map(Inputs::secrets);
            RunResult::new(self.mode, body, failures).print(secrets, self.console);
        }
        failures.is_empty()
    }
}

/// Runs the mode. On a signal the current operation is dropped, no further tag moves, and the registries are asked what
/// they hold.
async fn act_until_stopped(
    session: &Session,
    done: &mut Done,
    stop: &mut StopSignals,
) -> anyhow::Result<()> {
    let stopped = tokio::select! {
        outcome = act(session, done) => return outcome,
        stopped = stop.received() => stopped,
    };
    after_cancel::read_back(session, done).await;
    Err(stopped.into())
}

async fn act(session: &Session, done: &mut Done) -> anyhow::Result<()> {
    match session.mode {
        Mode::Plan => Ok(()),
        Mode::Verify | Mode::Cleanup | Mode::Restore | Mode::Post => {
            unreachable!("they need no session")
        }
        Mode::Check => preflight::check(session).await,
        Mode::Publish | Mode::Merge => publish::publish(session, done).await,
    }
}

/// How long a stopped step may take to remove its builder; the post step removes what is left then.
const REMOVAL: Duration = Duration::from_secs(3);

/// Removes the builder, until the next signal comes. A person decides how long a stopped run may take, a runner does
/// not wait.
async fn remove_builder(builder: Builder, vars: &Vars, console: Console, stop: &mut StopSignals) {
    let left = builder.if_left(vars);
    let is_short = stop.was_received && vars.in_actions();
    tokio::select! {
        () = builder.remove(console) => return,
        _signal = stop.received() => {}
        () = tokio::time::sleep(REMOVAL), if is_short => {}
    }
    console.warning(None, &left);
}

/// Who reads the log, and where it goes.
fn console(request: &Request, vars: &Vars) -> Console {
    let reader = if vars.in_actions() {
        Reader::Runner
    } else {
        Reader::Person(screen(request, vars))
    };
    let level = match request.verbosity {
        Verbosity::Quiet => Level::Warning,
        Verbosity::Normal | Verbosity::Verbose => Level::Info,
    };
    let answers = match request.json {
        true => Stream::Stderr,
        false => Stream::Stdout,
    };
    // A runner looks for commands on stdout, and shows both.
    let stream = match reader {
        Reader::Runner => answers,
        Reader::Person(_) => Stream::Stderr,
    };
    Console {
        reader,
        stream,
        level,
        answers,
    }
}

/// The capabilities of a person's log: `NO_COLOR` (<https://no-color.org>) means what it says, and a machine that
/// sets `CI` stores the log as a file.
fn screen(request: &Request, vars: &Vars) -> Screen {
    let is_dumb = vars.get("TERM").is_none_or(|terminal| terminal == "dumb");
    match vars.get("NO_COLOR") {
        _ if !request.log_is_terminal || is_dumb || vars.get("CI").is_some() => Screen::Paper,
        Some(_) => Screen::Mono,
        None => Screen::Colour,
    }
}
