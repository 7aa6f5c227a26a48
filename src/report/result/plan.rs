//! What would be published.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::inputs::build::Call;
use crate::inputs::candidate::Candidate;
use crate::inputs::spec::Spec;
use crate::plan::Plan;
use crate::plan::build::BuildRequest;
use crate::plan::decision::PushDecision;
use crate::plan::tags::{Motion, PlannedTag};
use crate::report::metadata;

/// The plan. Fields that are not there do not concern it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PlanResult {
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventResult>,
    images: Vec<String>,
    version: String,
    tags: Vec<String>,
    other_references: Vec<String>,
    tag_names: Vec<String>,
    versions: Vec<String>,
    floating_tags: Vec<String>,
    fixed_tags: &'static str,
    move_tags: &'static str,
    labels: Map<String, Value>,
    annotations: Vec<String>,
    push: PushResult,
    #[serde(skip_serializing_if = "Option::is_none")]
    attest: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<PartResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build: Option<BuildResult>,
}

/// The event of `--event` and `--ref`.
#[derive(Debug, Serialize)]
struct EventResult {
    name: String,
    #[serde(rename = "ref")]
    git_ref: String,
    commit: String,
    unknown: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PushResult {
    /// `push` or `build-only`.
    decision: &'static str,
    reason: String,
}

#[derive(Debug, Serialize)]
struct PartResult {
    platforms: Vec<String>,
    of: Vec<String>,
}

/// Secrets, and build arguments without an expression, by name only: their values may be nobody else's business.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct BuildResult {
    context: String,
    file: String,
    target: Option<String>,
    platforms: Vec<String>,
    build_args: Vec<String>,
    build_contexts: Map<String, Value>,
    secrets: Vec<String>,
    cache_from: Vec<String>,
    cache_to: Vec<String>,
    attestations: Vec<String>,
    outputs: Vec<String>,
    call: Option<&'static str>,
    timestamp: Option<String>,
    no_cache: bool,
    pull: bool,
    names: Vec<String>,
}

impl PlanResult {
    pub(crate) fn new(plan: &Plan, context: &Context) -> Self {
        let floats = |planned: &PlannedTag| planned.motion == Motion::Floating;
        let build = Some(&plan.build).filter(|_| !plan.is_promotion());
        Self {
            event: EventResult::of(context),
            images: texts(&plan.images),
            version: plan.version.clone(),
            tags: plan.references().map(|tagged| tagged.to_string()).collect(),
            other_references: plan.other_references(),
            tag_names: names(plan, |_| true),
            versions: names(plan, |planned| planned.is_version),
            floating_tags: names(plan, floats),
            fixed_tags: plan.fixed.as_str(),
            move_tags: plan.move_tags.as_str(),
            labels: labels(plan),
            annotations: metadata::annotations(plan),
            push: PushResult::of(&plan.push),
            attest: plan.attest.map(|stores| stores.as_str()),
            part: plan.part.as_ref().map(|part| PartResult {
                platforms: part.own.clone(),
                of: part.platforms.clone(),
            }),
            candidate: plan.candidate.as_ref().map(Candidate::to_string),
            build: build.map(BuildResult::of),
        }
    }
}

impl EventResult {
    fn of(context: &Context) -> Option<Self> {
        let assumed = context.assumed.as_ref()?;
        Some(Self {
            name: assumed.event.clone(),
            git_ref: assumed.git_ref.clone(),
            commit: context.commit.clone(),
            unknown: assumed.unknown.clone(),
        })
    }
}

impl PushResult {
    fn of(push: &PushDecision) -> Self {
        Self {
            decision: match push.is_push() {
                true => "push",
                false => "build-only",
            },
            reason: push.reason().to_owned(),
        }
    }
}

impl BuildResult {
    fn of(build: &BuildRequest) -> Self {
        let parameters = &build.parameters;
        let contexts = build.contexts.iter();
        let contexts = contexts.map(|(name, place)| (name.clone(), place.to_string().into()));
        let secrets = parameters.secrets.iter();
        Self {
            context: build.context.to_string(),
            file: build.dockerfile(),
            target: parameters.target.clone(),
            platforms: parameters.platforms.clone(),
            build_args: parameters.shown_args.clone(),
            build_contexts: contexts.collect(),
            secrets: secrets.map(|secret| secret.id.clone()).collect(),
            cache_from: caches(&build.cache_from),
            cache_to: caches(&build.cache_to),
            attestations: kinds(&build.attestations),
            outputs: kinds(&build.outputs),
            call: parameters.call.map(Call::as_str),
            timestamp: build.timestamp.map(|time| time.to_rfc3339()),
            no_cache: parameters.no_cache,
            pull: parameters.pull,
            names: texts(&build.names),
        }
    }
}

/// The labels of the image.
pub(super) fn labels(plan: &Plan) -> Map<String, Value> {
    let labels = plan.labels.iter();
    let labels = labels.map(|(key, value)| (key.clone(), value.clone().into()));
    labels.collect()
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(T::to_string).collect()
}

fn kinds(specs: &[Spec]) -> Vec<String> {
    specs.iter().map(|spec| spec.kind().to_owned()).collect()
}

/// The planned tags that are `wanted`.
fn names(plan: &Plan, wanted: impl Fn(&PlannedTag) -> bool) -> Vec<String> {
    let tags = plan.tags.iter().filter(|planned| wanted(planned));
    tags.map(|planned| planned.tag.to_string()).collect()
}

/// A cache by what tells it from others; some attributes open it, and are nobody else's business.
fn caches(caches: &[Spec]) -> Vec<String> {
    let name = |cache: &Spec| {
        let keys = ["ref", "scope", "src", "dest"].iter();
        let shown = keys.filter_map(|key| Some(format!(",{key}={}", cache.get(key)?)));
        format!("type={}{}", cache.kind(), shown.collect::<String>())
    };
    caches.iter().map(name).collect()
}
