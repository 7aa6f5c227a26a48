//! Keeps what a later step or job needs to write the tags of an image that is published without them.

use anyhow::Context as _;

use crate::error::Problem;
use crate::image::digest::Digest;
use crate::inputs::destination::MoveTags;
use crate::post_state::PostState;
use crate::publish::Done;
use crate::session::Session;

/// The name of the state for the post step.
const STATE: &str = "staged";

/// Fails if the plan is too long to be passed on, before anything is built.
pub(super) fn require_short(session: &Session) -> anyhow::Result<()> {
    if session.plan.move_tags == MoveTags::Now {
        return Ok(());
    }
    let digest = Digest::of(&[]);
    let staged = session
        .plan
        .staged(&session.inputs, &session.context, &digest);
    staged.to_output()?;
    Ok(())
}

/// Keeps the image for the post step, or for the output `staged`.
pub(super) fn keep(session: &Session, done: &mut Done) -> anyhow::Result<()> {
    let plan = done.plan.as_ref().unwrap_or(&session.plan);
    let Some(built) = done
        .built
        .as_ref()
        .filter(|_| plan.move_tags != MoveTags::Now)
    else {
        return Ok(());
    };
    let staged = plan.staged(&session.inputs, &session.context, &built.digest);
    if plan.move_tags == MoveTags::AfterJob {
        let state = PostState::of(&session.vars).ok_or_else(|| {
            let fix = "set `move-tags: never`, and write the tags in a later job with `candidate`";
            Problem::new("`move-tags: after-job` has no state for the post step", fix)
                .because("`GITHUB_STATE` is not set")
        })?;
        state
            .set(STATE, &staged.to_output()?)
            .context("could not record the image for the post step")?;
    }
    done.staged = Some(staged);
    Ok(())
}
