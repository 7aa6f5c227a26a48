//! The plan as a person reads it.

use crate::context::Context;
use crate::inputs::attest::Stores;
use crate::inputs::candidate::{Candidate, Source};
use crate::inputs::destination::{FixedTags, MoveTags};
use crate::plan::Plan;
use crate::plan::build::BuildRequest;
use crate::plan::decision::Floating;
use crate::plan::tags::{Motion, Outcome, PlannedTag};

/// The plan as a table.
pub(crate) fn text(plan: &Plan, context: &Context) -> String {
    let decision = if plan.push.is_push() {
        "yes"
    } else if plan.is_promotion() {
        "no"
    } else {
        "no, build only"
    };
    let references = plan.references().map(|reference| reference.to_string());
    let labels = plan
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"));
    let rows = [
        ("event", event(context)),
        ("unknown", unknown(context)),
        ("publish", references.collect()),
        ("also", others(plan)),
        ("versions", versions(plan)),
        ("floating", floating(plan)),
        ("rules", rules(plan)),
        ("push", vec![format!("{decision}: {}", plan.push.reason())]),
        ("attest", attest(plan)),
        ("part", part(plan)),
        ("tags", moves(plan)),
        what_is_published(plan),
        ("args", plan.build.parameters.shown_args.clone()),
        ("labels", labels.collect()),
    ];
    rows.iter()
        .map(|(name, lines)| paragraph(name, lines))
        .collect()
}

/// The event of `--event` and `--ref`.
fn event(context: &Context) -> Vec<String> {
    let assumed = context.assumed.iter();
    let text = assumed.map(|assumed| {
        let (event, git_ref, commit) = (&assumed.event, &assumed.git_ref, &context.commit);
        format!("{event} of {git_ref} at {commit}")
    });
    text.collect()
}

/// What is not known of this event.
fn unknown(context: &Context) -> Vec<String> {
    let assumed = context.assumed.as_ref();
    assumed.map_or_else(Vec::new, |assumed| assumed.unknown.clone())
}

/// The tags that are versions, and what happens to one that exists.
fn versions(plan: &Plan) -> Vec<String> {
    let rule = match plan.fixed {
        FixedTags::Once => "written once",
        FixedTags::Replace => "replaced if they exist",
    };
    let versions = plan.tags.iter().filter(|planned| planned.is_version);
    listed(versions, rule)
}

/// The tags that float, and when they move.
fn floating(plan: &Plan) -> Vec<String> {
    let rule = match &plan.floating {
        Floating::Forward => "move only forward".to_owned(),
        Floating::Always => "always move".to_owned(),
        Floating::Never { reason } => format!("never move, because {reason}"),
    };
    let is_floating = |planned: &&PlannedTag| planned.motion == Motion::Floating;
    listed(plan.tags.iter().filter(is_floating), &rule)
}

/// One line with the tags and what holds for them; none without a tag.
fn listed<'a>(tags: impl Iterator<Item = &'a PlannedTag>, rule: &str) -> Vec<String> {
    let tags: Vec<&str> = tags.map(|planned| planned.tag.as_str()).collect();
    let line = (!tags.is_empty()).then(|| format!("{}: {rule}", tags.join(", ")));
    line.into_iter().collect()
}

/// Where the image is attested, if it is.
fn attest(plan: &Plan) -> Vec<String> {
    let stores = plan.attest.map(|stores| match stores {
        Stores::GitHub => "yes, stored on GitHub",
        Stores::Registry => "yes, stored in the registry",
        Stores::Both => "yes, stored on GitHub and in the registry",
    });
    stores.into_iter().map(str::to_owned).collect()
}

/// When the tags are written, if this step does not write them.
fn moves(plan: &Plan) -> Vec<String> {
    let when = match plan.move_tags {
        MoveTags::Now => None,
        MoveTags::AfterJob => Some("written in the post step, if the job has succeeded"),
        MoveTags::Never => Some("left to a later job, which gets the output `staged`"),
    };
    when.into_iter().map(str::to_owned).collect()
}

/// What this job does of an image that several jobs build.
fn part(plan: &Plan) -> Vec<String> {
    let part = plan.part.iter().map(|part| {
        let own = part.own.join(", ");
        let others = part.platforms.iter().filter(|one| !part.own.contains(one));
        let others: Vec<&str> = others.map(String::as_str).collect();
        match others.as_slice() {
            [] => format!("{own}: all platforms of the image"),
            others => format!("{own}; other jobs of the run build {}", others.join(", ")),
        }
    });
    part.collect()
}

/// What is written besides, and why.
fn others(plan: &Plan) -> Vec<String> {
    let carriers = plan.carriers.iter().map(|reference| {
        format!("{reference} (the first push; not needed when a builder is created for the run)")
    });
    let caches = plan
        .caches()
        .map(|cache| format!("{cache} (the build cache)"));
    carriers.chain(caches).collect()
}

/// `name` before the first of its lines, and room before the others.
fn paragraph(name: &str, lines: &[String]) -> String {
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    names
        .zip(lines)
        .map(|(name, line)| format!("{name:<9}{line}\n"))
        .collect()
}

/// Each rule and its tag, or why it gives none on this event.
fn rules(plan: &Plan) -> Vec<String> {
    let outcomes = plan.outcomes.iter();
    let rules = outcomes.map(|outcome| (outcome.rule.as_str(), &outcome.outcome));
    let rules: Vec<(&str, &Outcome)> = rules.chain([("latest", &plan.latest)]).collect();
    let widths = rules.iter().map(|(rule, _)| rule.chars().count());
    let width = widths.max().unwrap_or(0);
    let row = |(rule, outcome): &(&str, &Outcome)| match outcome {
        Outcome::Tag(tag) => format!("{rule:<width$}  → {tag}"),
        Outcome::Nothing(reason) => format!("{rule:<width$}  – {reason}"),
    };
    rules.iter().map(row).collect()
}

/// The build, or the image in place of one.
fn what_is_published(plan: &Plan) -> (&'static str, Vec<String>) {
    let build = build_text(&plan.build);
    let from = match &plan.candidate {
        None => return ("build", vec![build]),
        Some(Candidate::OfCommit) => vec![
            "the image of this commit, if the registry has it".to_owned(),
            format!("else built: {build}"),
        ],
        Some(Candidate::From(sources)) => sources.iter().map(source_text).collect(),
    };
    ("from", from)
}

fn source_text(source: &Source) -> String {
    match source {
        Source::Engine(name) => format!("the image `{name}` of the engine"),
        Source::Registry(_) | Source::File(_) => source.to_string(),
    }
}

fn build_text(build: &BuildRequest) -> String {
    let platforms = if build.parameters.platforms.is_empty() {
        "the engine's platform".to_owned()
    } else {
        build.parameters.platforms.join(", ")
    };
    format!(
        "{} in {} for {platforms}",
        build.dockerfile(),
        build.context
    )
}
