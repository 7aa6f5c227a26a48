//! The post step: removes what the run left, and does what had to wait for the end of the job.

use chrono::{DateTime, Utc};

use crate::buildx::builder::create;
use crate::console::Console;
use crate::credentials::keep;
use crate::error::{Explanation, Problem};
use crate::inputs::Mode;
use crate::inputs::staged::Staged;
use crate::publish::{Done, part};
use crate::report::{self, Answer};
use crate::run::Task;
use crate::session::Session;
use crate::signals::StopSignals;
use crate::vars::Vars;

/// False when something failed, after the reason was printed.
pub(super) async fn run(
    vars: &Vars,
    now: DateTime<Utc>,
    console: Console,
    stop: &mut StopSignals,
) -> bool {
    let is_clean = clean_up(vars, console, stop).await;
    let is_complete = match part::is_left_incomplete(vars) && is_clean {
        true => complete_parts(vars, now, console, stop).await,
        false => true,
    };
    let is_tagged = match vars.get("STATE_staged").filter(|text| !text.is_empty()) {
        Some(staged) if is_clean => move_tags(staged, vars, now, console, stop).await,
        _ => true,
    };
    is_clean && is_complete && is_tagged
}

/// How the job went, as the runner tells each step
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/contexts#job-context>).
enum JobStatus {
    Success,
    /// The text completes the sentence "not tagged, because the job ...".
    Ended(&'static str),
    Unknown(String),
}

impl JobStatus {
    fn of(vars: &Vars) -> Self {
        match vars
            .get("INPUT_JOB-STATUS")
            .map(str::trim)
            .unwrap_or_default()
        {
            "success" => Self::Success,
            "failure" => Self::Ended("failed"),
            "cancelled" => Self::Ended("was cancelled"),
            other => Self::Unknown(other.to_owned()),
        }
    }
}

/// Moves the tags of the image that the step published, if the job has succeeded so far.
async fn move_tags(
    text: &str,
    vars: &Vars,
    now: DateTime<Utc>,
    console: Console,
    stop: &mut StopSignals,
) -> bool {
    let fail = |problem: Problem| {
        console.failure(&Explanation::of(&problem.into()));
        false
    };
    let staged: Staged = match serde_json::from_str(text) {
        Ok(staged) => staged,
        Err(error) => {
            let what = "no tag was moved: the state of the step is not one of this action";
            let fix = "run the job again";
            return fail(Problem::new(what, fix).because(error.to_string()));
        }
    };
    match JobStatus::of(vars) {
        JobStatus::Success => {}
        JobStatus::Ended(how) => {
            console.say(&format!(
                "{} is built and verified, not tagged: the job {how}",
                staged.digest
            ));
            return report::say_not_tagged(&staged, how, vars, console);
        }
        JobStatus::Unknown(status) => {
            let what = "no tag was moved: it is not known whether the job succeeded";
            let fix =
                "remove `job-status` from the inputs of this step, so that it has its default";
            let because = format!("the input `job-status` is `{status}`");
            return fail(Problem::new(what, fix).because(because));
        }
    }
    let with = staged.inputs_of_post_step(text);
    let task = Task {
        with: &with,
        ..task(Mode::Publish, vars, now, console)
    };
    task.run(stop).await
}

fn task(mode: Mode, vars: &Vars, now: DateTime<Utc>, console: Console) -> Task<'_> {
    Task {
        mode,
        with: &[],
        asked: None,
        answer: Answer::Text,
        vars,
        now,
        console,
    }
}

/// Removes what the run left.
async fn clean_up(vars: &Vars, console: Console, stop: &mut StopSignals) -> bool {
    let removal = async {
        keep::remove_kept(vars, console).await;
        create::remove_leftover(vars, console).await;
        Ok(())
    };
    if stop.unless(removal).await.is_ok() {
        return true;
    }
    let problem = Problem::new(
        "the post step was stopped before it removed the builder of this run",
        "on a self-hosted runner, find it with `docker ps --all --filter name=buildx_buildkit_ghcr-publish-`, and remove it with `docker rm --force --volumes`",
    );
    console.failure(&Explanation::of(&problem.into()));
    false
}

/// The post step of a job that left an image without all of its parts.
async fn complete_parts(
    vars: &Vars,
    now: DateTime<Utc>,
    console: Console,
    stop: &mut StopSignals,
) -> bool {
    let mut done = Done::default();
    let completed = async {
        let session = Session::new(Mode::Merge, &[], None, vars, now, console).await?;
        let outcome = part::look_again(&session, &mut done).await;
        Ok((session, outcome))
    };
    let (session, outcome) = match stop.unless(completed).await {
        Ok((session, outcome)) => (Some(session), outcome),
        Err(error) => (None, Err(error)),
    };
    if outcome.is_ok() && done.part.is_none() {
        return true;
    }
    let task = task(Mode::Merge, vars, now, console);
    task.tell(session, done, outcome, stop).await
}
