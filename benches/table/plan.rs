//! `plan`, the whole process, beside the start of any process and docker/metadata-action.

use crate::actions::{End, Steps};
use crate::network::Network;
use crate::ours;
use crate::row::{Group, Row, Section};
use crate::runner::Job;
use crate::trial::{Contender, Series, Trial};
use crate::world::{TOKEN, World, command};

const INPUTS: [(&str, &str); 2] = [
    ("images", "ghcr.io/acme/a\nghcr.io/acme/b\nquay.io/acme/c"),
    (
        "tags",
        "type=schedule
type=semver,pattern={{version}}
type=semver,pattern={{major}}.{{minor}}
type=semver,pattern={{major}},enable={{is_not_default_branch}}
type=pep440,pattern={{version}}
type=match,pattern=v(\\d+).*,group=1
type=ref,event=branch
type=ref,event=pr
type=raw,value={{date 'YYYYMMDD-HHmmss' tz='Europe/Berlin'}}
type=sha,format=long",
    ),
];

pub(crate) fn groups() -> Vec<Group> {
    vec![Group::new(Section::Other, "plan", plan)]
}

fn plan(world: &World) -> Vec<Row> {
    let job = || Job::new(world, &world.example, "v1.2.3", TOKEN);
    let ours: Contender<'_> = Box::new(|_, meter| {
        meter.run(ours::step(&job(), &INPUTS).args(["plan", "--json"]));
    });
    let nothing: Contender<'_> = Box::new(|_, meter| {
        meter.run(&mut command("/bin/true"));
    });
    let metadata = world.actions.as_ref().map(|actions| -> Contender<'_> {
        Box::new(|_, meter| {
            let mut steps = Steps::new(actions, job());
            steps.run(&actions.metadata, &INPUTS, &End::Success, meter);
        })
    });
    let trial = Trial::new(Network::Loopback);
    let measured = trial.run(world, &[Some(ours), Some(nothing), metadata]);
    let what = "plan, ten rules, three images (plain: `true`; actions: metadata)";
    let metadata = world.actions.iter().map(|actions| &actions.metadata);
    let metadata: Vec<_> = metadata.collect();
    let time = measured.row(format!("{what}: time"), Series::time);
    let whole = measured.whole(what, world, &metadata);
    [time].into_iter().chain(whole).collect()
}
