//! `Plan::new(&facts, now)`: what to build, where it goes, how it is labelled. Pure: every fact is an argument.

mod attest;
pub(crate) mod build;
mod cache;
pub(crate) mod cleanup;
pub(crate) mod comment;
pub(crate) mod compare;
pub(crate) mod decision;
pub(crate) mod docker;
mod expand;
pub(crate) mod labels;
pub(crate) mod names;
mod other_references;
pub(crate) mod part;
mod staged;
pub(crate) mod tag_order;
pub(crate) mod tags;

#[cfg(test)]
mod commit_names;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tag_table;

use chrono::{DateTime, Utc};

use crate::context::Context;
use crate::context::facts::Facts;
use crate::error::Problem;
use crate::image::Tagged;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::inputs::attest::Stores;
use crate::inputs::builder::BuilderInputs;
use crate::inputs::candidate::Candidate;
use crate::inputs::compare::MaxGrowth;
use crate::inputs::destination::{FixedTags, MoveTags};
use crate::inputs::expressions::Values;
use crate::inputs::labels::Levels;
use crate::inputs::results::is_files;
use crate::inputs::{Inputs, Push};
use crate::plan::build::{BuildRequest, Image, Pusher, context_source};
use crate::plan::comment::Comment;
use crate::plan::compare::Compared;
use crate::plan::decision::{Floating, PushDecision};
use crate::plan::part::PartPlan;
use crate::plan::tags::{Motion, Outcome, PlannedTag, RuleOutcome, Tags};

/// Everything that was decided before anything is done.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Those that are enabled; see [`Plan::require_an_image`].
    pub(crate) images: Vec<ImageName>,
    /// The first tag the rules gave; empty when they gave none.
    pub(crate) version: String,
    /// What the rules gave, in their order, none twice; at least the tag of the commit.
    pub(crate) tags: Vec<PlannedTag>,
    /// What the rules gave as docker/metadata-action lists it; empty when they gave nothing.
    pub(crate) tag_names: Vec<Tag>,
    /// What became of each rule, and of `latest`.
    pub(crate) outcomes: Vec<RuleOutcome>,
    pub(crate) latest: Outcome,
    /// The tag the image is pushed under before any other tag moves.
    pub(crate) primary: Tag,
    /// The names that may be pushed under the primary tag first although no rule gives it.
    pub(crate) carriers: Vec<Tagged>,
    /// Whether the primary tag, when no rule gives it, is one of the commit.
    primary_names_commit: bool,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) annotations: Vec<(String, String)>,
    /// The levels of annotations; without an input they depend on the result of the build.
    pub(crate) annotation_levels: Option<Levels>,
    pub(crate) push: PushDecision,
    pub(crate) floating: Floating,
    /// Whether a version that exists is written again.
    pub(crate) fixed: FixedTags,
    /// The image that is published in place of what would be built.
    pub(crate) candidate: Option<Candidate>,
    /// Where the image is attested.
    pub(crate) attest: Option<Stores>,
    pub(crate) move_tags: MoveTags,
    pub(crate) comment: Comment,
    /// The image that the new one is compared with, as it is before the first tag moves.
    pub(crate) compared: Compared,
    /// By how much the image may grow; else no tag is written.
    pub(crate) max_growth: Option<MaxGrowth>,
    /// The time in tags and labels.
    pub(crate) time: DateTime<Utc>,
    /// What this job has to do with an image that several jobs build.
    pub(crate) part: Option<PartPlan>,
    pub(crate) build: BuildRequest,
    pub(crate) builder: BuilderInputs,
    /// What the reader should know although nothing is wrong.
    pub(crate) notices: Vec<String>,
}

impl Plan {
    /// Makes every decision. `has_credentials` says whether credentials for a registry host are known.
    pub(crate) fn new(
        inputs: &Inputs,
        context: &Context,
        has_credentials: impl Fn(&str) -> bool,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let names::Names {
            images,
            mut notices,
        } = names::names(inputs, context)?;
        let mut part = part::part(inputs, context, &images)?;
        let of_part = part.as_ref().map(|part| inputs.building(&part.own));
        let inputs = of_part.as_ref().unwrap_or(inputs);
        let candidates = inputs.candidate.iter().flat_map(Candidate::references);
        for reference in candidates.chain(inputs.compare.reference()) {
            names::check_host(&reference.name)?;
        }
        let facts = Facts::new(context, now, inputs.short_sha_length);
        let Tags {
            version,
            mut tags,
            names: tag_names,
            outcomes,
            latest,
        } = tags::tags(&inputs.tags, &inputs.flavor, &facts)?;
        let timestamp = timestamp(inputs, context)?;
        let written = Facts::new(context, timestamp.unwrap_or(now), inputs.short_sha_length);
        let values = Values {
            facts: &written,
            version: &version,
            image: images.first(),
        };
        let (inputs, slips) = expand::expanded(inputs, &values)?;
        let inputs = &inputs;
        notices.extend(slips);
        docker::check_build(&images, inputs, context)?;
        let foreign = |name| names::foreign_owner(name, inputs, context);
        notices.extend(images.iter().filter_map(foreign));
        if tags.is_empty() {
            let fallback = PlannedTag::fallback(context);
            notices.push(format!(
                "no tag rule matches this event, so the image is tagged `{}`",
                fallback.tag
            ));
            tags.push(fallback);
        }
        if let Some(part) = &mut part {
            part.tags = part::tags(&tags);
        }
        let registries = images.iter().map(ImageName::registry);
        let mut unknown = registries.filter(|registry| !has_credentials(registry));
        let push = decision::decide(inputs, context, unknown.next())?;
        let push = unless_no_image(push, inputs);
        let attest = attest::stores(inputs, context, &images, &push)?;
        staged::require_same(inputs, context, &images, &tags)?;
        let moves_later = inputs.destination.move_tags != MoveTags::Now;
        let max_growth = inputs.compare.max_growth.clone();
        let compared = compare::compared(inputs, context, &tags, now);
        let may_be_held = attest.is_some() || moves_later || max_growth.is_some();
        let primary = primary_tag(&tags, inputs.destination.fixed_tags, context);
        let primary = match may_be_held || compared.is_under(&primary, &images) {
            true => attest::carrier(&tags, context),
            false => primary,
        };
        let mut carriers = other_references::carriers(&images, &tags, &primary, inputs, context);
        carriers.retain(|_| push.is_push());
        let labels = labels::labels(&inputs.labels, &values);
        let annotations = labels::labels(&inputs.annotations, &values);
        let mut cache = cache::cache(&inputs.build, context, &facts, images.first());
        notices.append(&mut cache.notices);
        let older = docker::is_among(&images, context);
        if older && push.is_push() && !inputs.annotations.is_empty() {
            notices.push(docker::NO_ANNOTATIONS.to_owned());
        }
        let primary_names_commit = context
            .named_commit()
            .is_ok_and(|commit| primary.as_str().contains(commit));
        let image = Image {
            names: names_for_engine(&images, &tags, &primary, &push),
            pusher: match push.is_push() {
                true if older => Pusher::Ourselves,
                true => Pusher::Engine,
                false => Pusher::Nobody,
            },
            labels: labels.clone(),
            annotations: if older {
                Vec::new()
            } else {
                annotations.clone()
            },
            timestamp,
        };
        let token = context_source::secret(inputs, context);
        let told = token.as_ref();
        notices.extend(told.map(|token| context_source::notice(token, context)));
        let build = BuildRequest::new(inputs, context, cache, image, token);
        Ok(Self {
            images,
            version,
            tags,
            tag_names,
            outcomes,
            latest,
            primary,
            carriers,
            primary_names_commit,
            labels,
            annotations,
            annotation_levels: inputs.annotation_levels.clone(),
            push,
            floating: decision::floating(inputs, context),
            comment: comment::decide(inputs, context),
            fixed: inputs.destination.fixed_tags,
            candidate: inputs.candidate.clone(),
            attest,
            move_tags: inputs.destination.move_tags,
            compared,
            max_growth,
            time: now,
            part,
            build,
            builder: inputs.builder.clone(),
            notices,
        })
    }

    /// Whether an image that exists is published, and nothing is built for certain.
    pub(crate) fn is_promotion(&self) -> bool {
        self.candidate.as_ref().is_some_and(Candidate::is_image)
    }

    /// Every tag that names the commit and that the run may write, the one for the engine among them.
    pub(crate) fn commit_tags(&self) -> Vec<Tag> {
        let named = self.tags.iter().filter(|planned| planned.names_commit);
        let mut tags: Vec<Tag> = named.map(|planned| planned.tag.clone()).collect();
        let carrier = self.carriers.first();
        let carrier = carrier.filter(|_| self.primary_names_commit);
        tags.extend(carrier.map(|carrier| carrier.tag.clone()));
        tags
    }

    /// The versions that are written once.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &Tag> {
        let tags = self.tags.iter();
        tags.filter(|planned| planned.is_once(self.fixed))
            .map(|planned| &planned.tag)
    }

    /// The annotations of an index that this program makes.
    pub(crate) fn index_annotations(&self) -> Vec<(String, String)> {
        let levels = self.annotation_levels.as_ref();
        let is_wanted =
            levels.is_none_or(|levels| levels.iter().any(|level| level.to_string() == "index"));
        if is_wanted {
            self.annotations.clone()
        } else {
            Vec::new()
        }
    }

    /// Refuses to publish under no name at all.
    pub(crate) fn require_an_image(&self) -> Result<(), Problem> {
        if !self.images.is_empty() {
            return Ok(());
        }
        Err(Problem::new(
            "no image is enabled",
            "remove `enable=false` from at least one line of the input `images`",
        ))
    }

    /// The build for when a push turns out not to be allowed: it stays with the engine.
    pub(crate) fn build_only(&self) -> BuildRequest {
        let reason = String::new();
        let names = names_for_engine(
            &self.images,
            &self.tags,
            &self.primary,
            &PushDecision::BuildOnly { reason },
        );
        self.build.unpushed(names)
    }

    /// Every image name with every tag of the rules, as `docker/metadata-action` lists them.
    pub(crate) fn references(&self) -> impl Iterator<Item = Tagged> {
        self.images.iter().flat_map(|name| {
            self.tags.iter().map(|planned| Tagged {
                name: name.clone(),
                tag: planned.tag.clone(),
            })
        })
    }
}

/// Nothing is pushed where nothing but files, or an answer, is asked for.
fn unless_no_image(push: PushDecision, inputs: &Inputs) -> PushDecision {
    let build = &inputs.build;
    let outputs = &build.outputs;
    let reason = match build.parameters.call {
        Some(call) => format!(
            "the input `call` is `{}`, which builds nothing",
            call.as_str()
        ),
        None if outputs.is_empty() || !outputs.iter().all(is_files) => return push,
        None => "the input `outputs` asks for files only".to_owned(),
    };
    match push {
        PushDecision::Push { .. }
            if build.parameters.call.is_some() || inputs.push == Push::Auto =>
        {
            PushDecision::BuildOnly { reason }
        }
        push => push,
    }
}

/// The time of the commit, when the result is to be the same whenever it is built.
fn timestamp(inputs: &Inputs, context: &Context) -> Result<Option<DateTime<Utc>>, Problem> {
    if !inputs.build.reproducible {
        return Ok(None);
    }
    let unknown = || {
        Problem::new(
            "the input `reproducible` is `true`, but the time of the commit is unknown",
            "check out the repository before this step: `- uses: actions/checkout@v5`",
        )
        .because("neither the event nor a checkout contains the commit time")
    };
    context.commit_time.map(Some).ok_or_else(unknown)
}

/// The first tag that never moves, else one of its own, with the full commit: an image is complete and
/// verified under that name before a floating tag points to it. With a version that is written once, the engine
/// writes only a tag of the commit: it would overwrite any other.
fn primary_tag(tags: &[PlannedTag], fixed: FixedTags, context: &Context) -> Tag {
    let has_version = tags.iter().any(|planned| planned.is_once(fixed));
    let may_be_first = |planned: &&PlannedTag| {
        planned.motion == Motion::Fixed && (planned.names_commit || !has_version)
    };
    tags.iter().find(may_be_first).map_or_else(
        || tags::own_tag(context, usize::MAX),
        |planned| planned.tag.clone(),
    )
}

/// A push gives the engine one name per image; an image that stays local gets all its names at once.
fn names_for_engine(
    images: &[ImageName],
    tags: &[PlannedTag],
    primary: &Tag,
    push: &PushDecision,
) -> Vec<Tagged> {
    let tags: Vec<&Tag> = if push.is_push() {
        vec![primary]
    } else {
        tags.iter().map(|planned| &planned.tag).collect()
    };
    let names = images.iter().flat_map(|name| {
        tags.iter().map(|tag| Tagged {
            name: name.clone(),
            tag: (*tag).clone(),
        })
    });
    names.collect()
}
