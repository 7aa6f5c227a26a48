//! What it costs that a version is written once: a first release, beside one that would replace the version.

use crate::meter::{Contender, Series, alternating};
use crate::ours::{self, borrowed};
use crate::row::{Figure, Group, Row};
use crate::runner::Job;
use crate::world::{TOKEN, World};

const NAME: &str = "publish, first release";

pub(crate) fn groups() -> Vec<Group> {
    vec![Group::new(NAME, first_release)]
}

/// The plain tool is this program with `fixed-tags: replace`.
fn first_release(world: &World) -> Vec<Row> {
    let run = |fixed_tags: &'static str| -> Contender<'_> {
        Box::new(move |round, meter| {
            let job = Job::new(world, &world.example, &format!("v1.0.{round}"), TOKEN);
            let inputs = [
                ("registry", world.double.host()),
                ("images", world.image(fixed_tags)),
                ("fixed-tags", fixed_tags.to_owned()),
            ];
            ours::publish(&job, &borrowed(&inputs), meter);
        })
    };
    let series = alternating(&world.double, &[Some(run("once")), Some(run("replace"))]);
    let [once, replace] = series.map(Option::unwrap);
    let row = |figure: &str, of: fn(&Series) -> Figure| Row {
        what: format!("{NAME} (plain: this program with `fixed-tags: replace`): {figure}"),
        ours: of(&once),
        plain: Some(of(&replace)),
        actions: None,
    };
    vec![row("time", Series::time), row("requests", Series::requests)]
}
