//! The result of a run for programs: one JSON object, which `docs/schema.json` describes.

pub(crate) mod cleanup;
pub(crate) mod plan;
pub(crate) mod publication;
mod redaction;
pub(crate) mod verification;

use serde::Serialize;

use crate::console::Console;
use crate::error::Explanation;
use crate::inputs::Mode;
use crate::report::result::cleanup::{CleanupResult, RestoreResult};
use crate::report::result::plan::PlanResult;
use crate::report::result::publication::Publication;
use crate::report::result::redaction::redacted;
use crate::report::result::verification::Verification;
use crate::secret::Secret;

/// What `--json` prints. Names are those of the outputs; what is unknown is `null`, or an empty list.
#[derive(Debug, Serialize)]
pub(crate) struct RunResult<'a> {
    pub(crate) mode: &'static str,
    pub(crate) status: Status,
    /// The first failure.
    pub(crate) error: Option<Failure>,
    /// What the mode found out; a plan that failed has none.
    #[serde(flatten)]
    pub(crate) body: Option<&'a Body>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Success,
    Failure,
}

/// An error as the log explains it, without the lines of log that it shows.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    what: String,
    because: Option<String>,
    fix: Option<String>,
}

/// The fields that only some modes have.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Body {
    Publication(Box<Publication>),
    Plan(Box<PlanResult>),
    Verification(Verification),
    Cleanup(CleanupResult),
    Restore(RestoreResult),
}

impl Failure {
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let Explanation {
            what, because, fix, ..
        } = Explanation::of(error);
        Self {
            what,
            because: (!because.is_empty()).then(|| because.join(": ")),
            fix,
        }
    }
}

impl<'a> RunResult<'a> {
    pub(crate) fn new(mode: Mode, body: Option<&'a Body>, failures: &[anyhow::Error]) -> Self {
        Self {
            mode: mode.as_str(),
            status: match failures.is_empty() {
                true => Status::Success,
                false => Status::Failure,
            },
            error: failures.first().map(Failure::of),
            body,
        }
    }

    /// Prints it to stdout, in one line in which no text is a command of the runner: `#` is escaped. A program that reads
    /// it gets no masks, so the secrets are replaced.
    pub(crate) fn print<'s>(&self, secrets: impl Iterator<Item = &'s Secret>, console: Console) {
        let value = serde_json::to_value(self).expect("its keys are texts");
        let text = redacted(value, secrets).to_string();
        console.result(&(text.replace('#', "\\u0023") + "\n"));
    }
}
