//! Whether the image grew by more than `max-growth`, and how much it grew in words.

use crate::console::{signed_size, size};
use crate::error::Problem;
use crate::image::changes::PlatformChange;
use crate::image::contents::one_line;
use crate::inputs::compare::MaxGrowth;
use crate::publish::compare::{Comparison, Missing};
use crate::session::Session;

/// Layers that an error names for each platform.
const MAX_NAMED: usize = 3;
const MAX_TITLE: usize = 80;
const MAX_PLATFORM: usize = 40;

/// Says why there is no comparison. An error if the image grew by more than `max-growth`, or if that is not known.
pub(in crate::publish) fn check(
    session: &Session,
    comparison: &Result<Comparison, Missing>,
) -> Result<(), Problem> {
    let max = session.plan.max_growth.as_ref();
    let console = session.console;
    match (comparison, max) {
        (Ok(comparison), Some(max)) => require(comparison, max)?,
        (Err(Missing::Unread(problem)), Some(max)) => return Err(unknown(problem, max)),
        (Err(Missing::Unread(problem)), None) => console.notice(&one_text(problem)),
        (Err(Missing::Nothing(why)), Some(max)) => console.notice(&format!(
            "`max-growth: {max}` has nothing to compare the image with: {why}"
        )),
        (Err(Missing::Nothing(why)), None) if session.inputs.compare.with.is_some() => console
            .notice(&format!(
                "nothing to compare the image with, see the input `compare-with`: {why}"
            )),
        (Ok(_) | Err(Missing::Nothing(_) | Missing::NotAsked), _) => {}
    }
    Ok(())
}

fn require(comparison: &Comparison, max: &MaxGrowth) -> Result<(), Problem> {
    let exceeds = |change: &&PlatformChange| {
        let sizes = change.sizes();
        sizes.is_some_and(|(before, after)| max.is_exceeded(before, after))
    };
    let grown = comparison.platforms.iter().filter(exceeds);
    let grown: Vec<String> = grown.map(grown_text).collect();
    if grown.is_empty() {
        return Ok(());
    }
    let since = &comparison.since;
    let what = format!(
        "the image has grown by more than `max-growth: {max}` since `{since}`, so no tag of the plan was written"
    );
    let fix = "make the named layers smaller, or set `max-growth` to a larger value";
    Err(Problem::new(what, fix).because(grown.join("; ")))
}

/// A platform that grew, with the largest of its new layers.
fn grown_text(change: &PlatformChange) -> String {
    let platform = one_line(&change.platform, MAX_PLATFORM);
    let layers = change.new_layers().into_iter().take(MAX_NAMED);
    let layers =
        layers.map(|layer| format!("{} in `{}`", size(layer.size), layer.title(MAX_TITLE)));
    let layers: Vec<String> = layers.collect();
    let grown = size_text(change);
    match layers.is_empty() {
        true => format!("{platform} has {grown}"),
        false => format!(
            "{platform} has {grown}; its largest new layers: {}",
            layers.join(", ")
        ),
    }
}

fn unknown(problem: &Problem, max: &MaxGrowth) -> Problem {
    let what = format!(
        "it is not known whether the image has grown by more than `max-growth: {max}`, so no tag of the plan was written"
    );
    Problem::new(what, problem.fix()).because(one_text(problem))
}

/// What failed and why.
fn one_text(problem: &Problem) -> String {
    match problem.cause() {
        Some(cause) => format!("{problem}: {cause}"),
        None => problem.to_string(),
    }
}

/// The size of a platform, and how it differs: `41.2 MB, +1.3 MB (+3.3 %)`.
pub(crate) fn size_text(change: &PlatformChange) -> String {
    match (&change.before, &change.after) {
        (_, None) => "removed".to_owned(),
        (None, Some(after)) => format!("{}, new", size(after.size)),
        (Some(_), Some(after)) => format!("{}, {}", size(after.size), difference_text(change)),
    }
}

/// `+1.3 MB (+3.3 %)`, or `same size`.
pub(crate) fn difference_text(change: &PlatformChange) -> String {
    let Some(difference) = change.difference().filter(|difference| *difference != 0) else {
        return "same size".to_owned();
    };
    let share = change.per_mille().map(|per_mille| {
        let sign = if difference < 0 { '-' } else { '+' };
        let tenths = per_mille.unsigned_abs();
        format!(" ({sign}{}.{} %)", tenths / 10, tenths % 10)
    });
    format!("{}{}", signed_size(difference), share.unwrap_or_default())
}
