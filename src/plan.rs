//! `Plan::new(&facts, now)`: what to build, where it goes, how it is labelled. Pure: every fact is an argument.

pub(crate) mod build;
pub(crate) mod decision;
mod labels;
mod registry;
pub(crate) mod tags;

use chrono::{DateTime, Utc};

use crate::context::Context;
use crate::image::{ImageName, Tag, Tagged};
use crate::inputs::Inputs;
use crate::problem::Problem;
use build::BuildRequest;
use decision::PushDecision;
use tags::{Motion, PlannedTag};

/// Everything that was decided before anything is done.
#[derive(Debug)]
pub(crate) struct Plan {
    /// At least one.
    pub(crate) images: Vec<ImageName>,
    /// The first tag the rules gave; empty when they gave none.
    pub(crate) version: String,
    /// What the rules gave, in their order.
    pub(crate) tags: Vec<PlannedTag>,
    /// The tag the image is pushed under before any other tag moves.
    pub(crate) primary: Tag,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) annotations: Vec<(String, String)>,
    pub(crate) push: PushDecision,
    pub(crate) build: BuildRequest,
    /// What the reader should know although nothing is wrong.
    pub(crate) notices: Vec<String>,
}

impl Plan {
    /// Decides. `has_credentials` tells whether anything could be sent to a registry host to log in.
    pub(crate) fn new(
        inputs: &Inputs,
        context: &Context,
        has_credentials: impl Fn(&str) -> bool,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let images = image_names(inputs, context)?;
        let tags::Tags { version, mut tags } = tags::of_event(context);
        let mut notices = Vec::new();
        if tags.is_empty() {
            let fallback = PlannedTag::fallback(&context.commit);
            notices.push(format!(
                "no tag rule matches this event, so the image is tagged `{}`",
                fallback.tag
            ));
            tags.push(fallback);
        }
        let primary = primary_tag(&tags, &context.commit);
        let push = decision::decide(
            inputs,
            context,
            images.iter().all(|image| has_credentials(image.registry())),
        )?;
        let labels = labels::labels(&inputs.labels, context, &version, now);
        let annotations = labels::labels(&inputs.annotations, context, &version, now);
        let names = names_for_engine(&images, &tags, &primary, &push);
        let build = BuildRequest::new(&inputs.build, names, push.is_push(), &labels, &annotations);
        Ok(Self {
            images,
            version,
            tags,
            primary,
            labels,
            annotations,
            push,
            build,
            notices,
        })
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

/// The registry host the token of the inputs is meant for.
pub(crate) fn token_registry(inputs: &Inputs, context: &Context) -> Result<String, Problem> {
    registry::default_registry(inputs.registry.as_deref(), &context.server_url)
}

fn image_names(inputs: &Inputs, context: &Context) -> Result<Vec<ImageName>, Problem> {
    let default_registry =
        registry::default_registry(inputs.registry.as_deref(), &context.server_url)?;
    if inputs.images.is_empty() {
        return Ok(vec![ImageName::parse(
            &format!("{default_registry}/{}", context.repository),
            &default_registry,
        )?]);
    }
    inputs
        .images
        .iter()
        .map(|text| ImageName::parse(text, &default_registry))
        .collect()
}

/// The first tag that never moves, else a tag of the full commit: an image is complete and proven
/// under a name of its own before a floating tag points to it.
fn primary_tag(tags: &[PlannedTag], commit: &str) -> Tag {
    let fixed = tags.iter().find(|planned| planned.motion == Motion::Fixed);
    fixed.map_or_else(
        || tags::commit_tag(commit, commit.len()),
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
