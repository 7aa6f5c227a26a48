//! An image whose tags another step or job writes.

use crate::context::Context;
use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::name::ImageName;
use crate::inputs::Inputs;
use crate::inputs::staged::{Staged, StagedTag};
use crate::plan::Plan;
use crate::plan::tags::{Motion, PlannedTag};

impl Plan {
    /// What a later step or job needs to write the tags of this plan.
    pub(crate) fn staged(&self, inputs: &Inputs, context: &Context, digest: &Digest) -> Staged {
        Staged {
            repository: context.repository.to_string(),
            run: run(context),
            created: self.time,
            images: self.images.iter().map(ToString::to_string).collect(),
            digest: digest.clone(),
            version: self.version.clone(),
            tags: staged_tags(&self.tags),
            inputs: inputs.rules.clone(),
        }
    }
}

/// Refuses a staged image of another repository or run, or one for which other names or tags follow here.
pub(super) fn require_same(
    inputs: &Inputs,
    context: &Context,
    images: &[ImageName],
    tags: &[PlannedTag],
) -> Result<(), Problem> {
    let Some(staged) = &inputs.staged else {
        return Ok(());
    };
    let refused = |because: String| {
        let fix = "pass on the output `staged` of a job of the same run, unchanged";
        let what = "the staged image in the input `candidate` is not one of this run";
        Err(Problem::new(what, fix).because(because))
    };
    let repository = context.repository.to_string();
    if !staged.repository.eq_ignore_ascii_case(&repository) {
        return refused(format!(
            "it is of `{}`, and this run is of `{repository}`",
            staged.repository
        ));
    }
    if staged.run != run(context) {
        return refused(format!(
            "it is of the run {}, and this is the run {}",
            staged.run,
            run(context)
        ));
    }
    let planned = (
        images.iter().map(ToString::to_string).collect(),
        staged_tags(tags),
    );
    if planned != (staged.images.clone(), staged.tags.clone()) {
        let list = |tags: &[StagedTag]| {
            let tags = tags.iter().map(|tag| tag.tag.as_str());
            tags.collect::<Vec<_>>().join(", ")
        };
        let (ours, theirs) = (list(&planned.1), list(&staged.tags));
        return refused(format!(
            "its tags are {theirs}, and this job plans {ours} for {}",
            planned.0.join(", ")
        ));
    }
    Ok(())
}

fn run(context: &Context) -> String {
    let run = context.run.as_ref();
    run.map(|run| run.id.clone()).unwrap_or_default()
}

fn staged_tags(tags: &[PlannedTag]) -> Vec<StagedTag> {
    let tags = tags.iter().map(|planned| StagedTag {
        tag: planned.tag.to_string(),
        floats: planned.motion == Motion::Floating,
    });
    tags.collect()
}
