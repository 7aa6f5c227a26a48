//! What it costs that a version is written once, beside one that would be replaced.

use crate::network::Network;
use crate::ours::{self, borrowed};
use crate::row::{Group, Row, Section};
use crate::runner::Job;
use crate::trial::{Contender, Series, Trial};
use crate::world::{TOKEN, World};

const NAME: &str = "publish, version written once (plain: this program with `fixed-tags: replace`)";

pub(crate) fn groups() -> Vec<Group> {
    vec![Group::new(Section::Other, NAME, version)]
}

fn version(world: &World) -> Vec<Row> {
    let run = |fixed_tags: &'static str| -> Contender<'_> {
        Box::new(move |round, meter| {
            let job = Job::new(world, &world.example, &format!("v1.0.{round}"), TOKEN);
            let inputs = [
                ("registry", world.double.host()),
                ("images", world.package(fixed_tags)),
                ("fixed-tags", fixed_tags.to_owned()),
            ];
            ours::publish(&job, &borrowed(&inputs), meter);
        })
    };
    let trial = Trial::new(Network::Loopback);
    let measured = trial.run(world, &[Some(run("once")), Some(run("replace")), None]);
    vec![
        measured.row(format!("{NAME}: time"), Series::time),
        measured.row(format!("{NAME}: requests"), Series::requests),
    ]
}
