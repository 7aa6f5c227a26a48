//! `Report`: plan + built + verified, ready to be shown.

mod bake;
mod markdown;
mod outputs;
mod plan;
mod summary;

use anyhow::Context as _;
use serde_json::{Map, Value};

use crate::Decided;
use crate::image::{Digest, ImageName};
use crate::inputs::Mode;
use crate::plan::Plan;
use crate::plan::decision::PushDecision;
use crate::problem::{Explanation, Problem};
use crate::publish::Done;
use crate::registry::Proof;
use crate::server::Kind;
use crate::vars::Vars;
use crate::workflow::Console;

/// Everything there is to say about a run, however far it came.
#[derive(Debug, Default)]
pub(crate) struct Report {
    decided: Option<Decided>,
    done: Done,
    failure: Option<Explanation>,
}

impl Report {
    pub(crate) fn new(decided: Option<Decided>, done: Done, error: Option<&anyhow::Error>) -> Self {
        Self {
            decided,
            done,
            failure: error.map(Explanation::of),
        }
    }

    fn plan(&self) -> Option<&Plan> {
        self.decided.as_ref().map(|decided| &decided.plan)
    }

    /// Whether the server of the run keeps attestations.
    fn can_attest(&self) -> bool {
        let decided = self.decided.as_ref();
        decided.is_some_and(|decided| decided.context.server.keeps_attestations())
    }

    /// What pulls the first image: by digest, but for the older Docker registry, which serves tags only.
    fn pullable(&self, digest: &str) -> Option<String> {
        let decided = self.decided.as_ref()?;
        let image = self.image()?;
        Some(match decided.context.server.kind(image.registry()) {
            Kind::Docker => format!("{image}:{}", decided.plan.primary),
            Kind::Container | Kind::Generic => format!("{image}@{digest}"),
        })
    }

    /// Whether the author of the workflow wants a summary; yes, as long as nobody said no.
    fn wants_summary(&self) -> bool {
        self.is_publication()
            && self
                .decided
                .as_ref()
                .is_none_or(|decided| decided.inputs.summary)
    }

    fn exports_metadata(&self) -> bool {
        self.decided
            .as_ref()
            .is_some_and(|decided| decided.inputs.set_output_env)
    }

    /// Why the image was only built, if it was.
    fn not_pushed(&self) -> Option<&str> {
        let planned = match &self.plan()?.push {
            PushDecision::BuildOnly { reason } | PushDecision::NoLogin { reason, .. } => {
                Some(reason.as_str())
            }
            PushDecision::Push { .. } | PushDecision::PushIfAllowed { .. } => None,
        };
        self.done.not_pushed.as_deref().or(planned)
    }

    fn digest(&self) -> Option<&Digest> {
        self.done.built.as_ref().map(|built| &built.digest)
    }

    /// Whether a registry is known to hold the image.
    fn is_pushed(&self) -> bool {
        self.proof().is_some()
    }

    /// The first image that is not in its registry, when others are.
    fn missing(&self) -> Option<&ImageName> {
        let is_held = |name: &&ImageName| self.done.held.iter().any(|held| held.name == **name);
        let images = &self.plan()?.images;
        images
            .iter()
            .find(|name| self.is_pushed() && !is_held(name))
    }

    /// The image that is named in the outputs: the first that a registry holds, or else the first of the plan.
    fn image(&self) -> Option<&ImageName> {
        let held = self.done.held.iter().find(|held| held.proof.is_some());
        held.map(|held| &held.name)
            .or_else(|| self.plan()?.images.first())
    }

    fn proof(&self) -> Option<&Proof> {
        self.done.held.iter().find_map(|held| held.proof.as_ref())
    }

    /// Whether the run was meant to build something.
    fn is_publication(&self) -> bool {
        self.decided
            .as_ref()
            .is_none_or(|decided| decided.mode == Mode::Publish)
    }
}

/// Tells everybody: the runner's files, then the person or program that reads stdout.
pub(crate) fn tell(
    report: &Report,
    vars: &Vars,
    as_json: bool,
    console: Console,
) -> anyhow::Result<()> {
    let files = match &report.decided {
        Some(decided) => bake::write(decided, vars)?,
        None => Vec::new(),
    };
    let outputs = outputs::of_report(report, &files);
    if let Some(path) = vars.path("GITHUB_OUTPUT") {
        outputs::append(path, &outputs)?;
    }
    if let Some(path) = vars
        .path("GITHUB_ENV")
        .filter(|_| report.exports_metadata())
    {
        outputs::append_variables(path, &outputs)?;
    }
    if let Some(path) = vars.path("GITHUB_ARTIFACTS") {
        outputs::append_artifacts(path, &report.done)?;
    }
    if let Some(path) = vars
        .path("GITHUB_STEP_SUMMARY")
        .filter(|_| report.wants_summary())
    {
        outputs::append_text(path, &summary::markdown(report)).with_context(|| {
            Problem::new(
                format!("cannot write the summary to `{}`", path.display()),
                "let `GITHUB_STEP_SUMMARY` name a writable file, or unset it",
            )
        })?;
    }
    match (report.plan(), as_json) {
        (Some(plan), true) if !report.is_publication() => {
            console.result(&format!("{}\n", plan::json(plan)))
        }
        (_, true) => console.result(&format!("{}\n", outputs_json(&outputs))),
        (Some(plan), false) if !report.is_publication() => console.say(&plan::text(plan)),
        (Some(plan), false) => console.say(&summary::text(report, plan)),
        (None, false) => {}
    }
    Ok(())
}

fn outputs_json(outputs: &[outputs::Output]) -> Value {
    outputs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())))
        .collect::<Map<_, _>>()
        .into()
}
