//! `Report`: plan + built + verified, ready to be shown.

mod attestations;
mod changes;
pub(crate) mod cleanup;
pub(crate) mod comment;
mod github_output;
mod markdown;
pub(crate) mod metadata;
mod plan;
pub(crate) mod result;
mod summary;
mod tag_changes;

use crate::console::Console;
use crate::context::server::RegistryKind;
use crate::error::Explanation;
use crate::image::digest::Digest;
use crate::image::name::ImageName;
use crate::inputs::destination::MoveTags;
use crate::inputs::staged::Staged;
use crate::inputs::{Inputs, Mode};
use crate::plan::Plan;
use crate::plan::decision::PushDecision;
use crate::plan::tags::Motion;
use crate::publish::Done;
use crate::publish::attest::Attestation;
use crate::publish::compare::Comparison;
use crate::publish::part::PartDone;
use crate::registry::verify::Verified;
use crate::session::Session;
use crate::vars::Vars;

/// What stdout gets besides the log of a runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// What a person reads.
    Text,
    /// The same, and the reference of an image that was published.
    Reference,
    Json,
}

/// Everything there is to say about a run, however far it came.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Of the run; a publication if it is not known.
    mode: Option<Mode>,
    session: Option<Session>,
    done: Done,
    failure: Option<Explanation>,
}

impl Report {
    pub(crate) fn new(
        mode: Mode,
        session: Option<Session>,
        done: Done,
        error: Option<&anyhow::Error>,
    ) -> Self {
        Self {
            mode: Some(mode),
            session,
            done,
            failure: error.map(Explanation::of),
        }
    }

    /// The session of a run that publishes.
    pub(crate) fn publication(&self) -> Option<&Session> {
        self.session.as_ref().filter(|_| self.is_publication())
    }

    /// Unknown if the run failed before they were all read.
    pub(crate) fn inputs(&self) -> Option<&Inputs> {
        self.session.as_ref().map(|session| &session.inputs)
    }

    fn plan(&self) -> Option<&Plan> {
        self.session.as_ref().map(|session| &session.plan)
    }

    /// What pulls each image that is published: by digest, but from the older Docker registry, which serves tags only.
    fn pullable(&self, digest: &Digest) -> Vec<String> {
        let Some(session) = &self.session else {
            return Vec::new();
        };
        let tags = &session.plan.tags;
        let fixed = tags.iter().find(|planned| planned.motion == Motion::Fixed);
        let tag = fixed.map_or(&session.plan.primary, |planned| &planned.tag);
        let reference = |name: &ImageName| match session.context.server.kind(name.registry()) {
            RegistryKind::Docker => format!("{name}:{tag}"),
            RegistryKind::Container | RegistryKind::Generic => format!("{name}@{digest}"),
        };
        self.published().map(reference).collect()
    }

    /// Whether the author of the workflow wants a summary; yes by default.
    fn wants_summary(&self) -> bool {
        let session = self.session.as_ref();
        self.is_publication() && session.is_none_or(|session| session.inputs.summary)
    }

    fn exports_metadata(&self) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|session| session.inputs.set_output_env)
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

    /// The images that are verified in their registries.
    fn verified(&self) -> impl Iterator<Item = (&ImageName, &Verified)> {
        let published = self.done.published.iter();
        published.filter_map(|published| Some((&published.name, published.verified.as_ref()?)))
    }

    /// What changed since another image.
    fn comparison(&self) -> Option<&Comparison> {
        let mut published = self.done.published.iter();
        published.find_map(|published| published.comparison.as_ref())
    }

    /// The part of the image that this job pushed.
    fn part_digest(&self) -> Option<&Digest> {
        self.done.part.as_ref()?.digest.as_ref()
    }

    /// What became of the part, if this job did not complete the image.
    fn incomplete(&self) -> Option<&PartDone> {
        let part = self.done.part.as_ref();
        part.filter(|part| !part.missing.is_empty())
    }

    /// When the tags move, if this step does not move them.
    fn moves_later(&self) -> Option<&'static str> {
        match self.plan()?.move_tags {
            MoveTags::Now => None,
            MoveTags::AfterJob => Some("move when the job has succeeded"),
            MoveTags::Never => Some("are for a later job, which gets the output `staged`"),
        }
    }

    /// Whether a registry is known to hold the image.
    fn is_pushed(&self) -> bool {
        self.verified().next().is_some()
    }

    fn published(&self) -> impl Iterator<Item = &ImageName> {
        self.verified().map(|(name, _)| name)
    }

    /// The images that are not in their registries, when others are.
    fn missing(&self) -> Vec<&ImageName> {
        let published = &self.done.published;
        let is_there = |name: &ImageName| published.iter().any(|one| one.name == *name);
        let plan = self.plan().filter(|_| self.is_pushed()).into_iter();
        let images = plan.flat_map(|plan| &plan.images);
        images.filter(|name| !is_there(name)).collect()
    }

    /// The image that is named in the outputs: the first that a registry holds, or else the first of the plan.
    fn image(&self) -> Option<&ImageName> {
        let mut published = self.published();
        published.next().or_else(|| self.plan()?.images.first())
    }

    /// Every reference that was written and that is none of the tags of the rules.
    fn other_references(&self) -> Vec<String> {
        let Some(plan) = self.plan() else {
            return Vec::new();
        };
        if !self.is_publication() {
            return plan.other_references();
        }
        let published = self.done.published.iter();
        let tags = published.flat_map(|published| published.references(&published.others));
        let is_exported = self.done.built.is_some()
            && self.done.published_from.is_empty()
            && self.done.record.unwritten_cache.is_none();
        let caches = plan.caches().filter(|_| is_exported);
        tags.chain(caches.map(str::to_owned)).collect()
    }

    /// Whether the run was meant to build something.
    fn is_publication(&self) -> bool {
        self.mode
            .is_none_or(|mode| matches!(mode, Mode::Publish | Mode::Merge))
    }
}

/// What telling left.
pub(crate) struct Told {
    /// The result for a program.
    pub(crate) body: Option<result::Body>,
    /// What could not be written.
    pub(crate) failures: Vec<anyhow::Error>,
}

/// Tells everybody, the log first: a digest that was pushed is reported whatever becomes of the files. One
/// place that cannot be written keeps nothing from the others. Later steps read the outputs, so without them the run
/// fails; the bake files and the summary are worth a warning.
pub(crate) fn tell(report: &Report, vars: &Vars, answer: Answer, console: Console) -> Told {
    if let Some(session) = &report.session {
        say_result(report, session, answer, console);
    }
    let warn = |error: &anyhow::Error| {
        console.warning(None, &Explanation::of(error).to_string());
    };
    let session = report.session.as_ref();
    let files = session.map_or(Ok(Vec::new()), |session| {
        let mut files = metadata::bake_files(&session.plan, &session.inputs.metadata_format);
        files.extend(attestations::bundle_file(&report.done));
        let written = metadata::write_files(&files, vars)?;
        attestations::list_path(vars, &written)?;
        Ok(written)
    });
    let files = files.inspect_err(warn).unwrap_or_default();
    let result = result::publication::Publication::of(report, &files);
    let mut others = files;
    others.extend(attestations::outputs(report));
    let outputs = github_output::of_report(report, &result, &others);
    let failures = write_outputs(report, &result, &outputs, vars);
    if let Err(error) = write_summary(report, vars) {
        warn(&error);
    }
    let body = match report.is_publication() {
        true => Some(result::Body::Publication(Box::new(result))),
        false => session.map(|session| {
            let plan = result::plan::PlanResult::new(&session.plan, &session.context);
            result::Body::Plan(Box::new(plan))
        }),
    };
    Told { body, failures }
}

/// The page of an attestation on GitHub.
fn attestation_url(session: &Session, attestation: &Attestation) -> Option<String> {
    let context = &session.context;
    let (server, repository, id) = (&context.server_url, &context.repository, attestation.id?);
    Some(format!("{server}/{repository}/attestations/{id}"))
}

/// Says in the summary that the image of the step got no tag, because the job `how`. False if that cannot be written.
pub(crate) fn say_not_tagged(staged: &Staged, how: &str, vars: &Vars, console: Console) -> bool {
    let Some(path) = vars.path("GITHUB_STEP_SUMMARY") else {
        return true;
    };
    let text = summary::not_tagged(staged, how);
    let fix = "set `GITHUB_STEP_SUMMARY` to a writable file, or unset it";
    let written = github_output::append_text(path, &text, "the summary", fix);
    written
        .inspect_err(|error| console.warning(None, &Explanation::of(error).to_string()))
        .is_ok()
}

/// The result of a publication in the log, or a plan; one that goes to a program is not repeated in the log.
fn say_result(report: &Report, session: &Session, answer: Answer, console: Console) {
    if report.is_publication() {
        console.say(&summary::text(report));
    } else if answer != Answer::Json {
        console.answer(&plan::text(&session.plan, &session.context));
    }
}

/// One line with the reference that pulls the published image, for `$(ghcr-publish publish)`; nothing if none is published.
pub(crate) fn say_reference(report: &Report, console: Console) {
    let digest = report.digest().filter(|_| report.is_publication());
    let references = digest.map(|digest| report.pullable(digest));
    if let Some(first) = references.unwrap_or_default().first() {
        console.result(&format!("{first}\n"));
    }
}

/// What later steps read.
fn write_outputs(
    report: &Report,
    result: &result::publication::Publication,
    outputs: &[metadata::Output],
    vars: &Vars,
) -> Vec<anyhow::Error> {
    let exported = vars
        .path("GITHUB_ENV")
        .filter(|_| report.exports_metadata());
    let (output, artifacts) = (vars.path("GITHUB_OUTPUT"), vars.path("GITHUB_ARTIFACTS"));
    // Outputs of a post step reach nobody; job outputs can read the environment.
    let moved = vars
        .path("GITHUB_ENV")
        .filter(|_| vars.get("STATE_staged").is_some());
    let written = [
        moved.map(|path| github_output::append_moved_tags(path, report, result)),
        output.map(|path| github_output::append(path, outputs)),
        exported.map(|path| github_output::append_variables(path, outputs)),
        artifacts.map(|path| github_output::append_artifacts(path, report)),
    ];
    let written = written.into_iter().flatten();
    written.filter_map(Result::err).collect()
}

fn write_summary(report: &Report, vars: &Vars) -> anyhow::Result<()> {
    let path = vars.path("GITHUB_STEP_SUMMARY");
    let Some(path) = path.filter(|_| report.wants_summary()) else {
        return Ok(());
    };
    let fix = "set `GITHUB_STEP_SUMMARY` to a writable file, or unset it";
    github_output::append_text(path, &summary::markdown(report), "the summary", fix)
}
