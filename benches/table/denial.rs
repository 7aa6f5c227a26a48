//! A push that is refused: how long it takes to say so.

use std::fs;
use std::path::Path;

use crate::actions::End;
use crate::bare::Build;
use crate::meter::Meter;
use crate::network::Network;
use crate::ours::{self, borrowed};
use crate::row::{Group, Section};
use crate::runner::Job;
use crate::trial::{Contender, Measured, Series, Trial};
use crate::usual::Usual;
use crate::work::{Tags, Turn, Work};
use crate::world::{READER, World, login};

const NAME: &str = "preflight denial, a build of a second";
/// So many that compressing them takes about a second.
const NOISE: usize = 32 << 20;

pub(crate) fn groups() -> Vec<Group> {
    vec![Group::new(Section::Other, NAME, |world| {
        let measured = denial(world);
        let time = measured.row(format!("{NAME}: time to the failure"), Series::time);
        [time]
            .into_iter()
            .chain(measured.whole(NAME, world, &world.usual()))
            .collect()
    })]
}

/// A token without `packages: write`, and an image with new bytes to compress each time.
fn denial(world: &World) -> Measured {
    let work = Work::new("denied", "1 tag", Tags::Moving(0));
    let context = tempfile::tempdir().unwrap();
    fs::write(
        context.path().join("Dockerfile"),
        "FROM scratch\nCOPY noise /\n",
    )
    .unwrap();
    let trial = Trial::new(Network::Loopback);
    let turn = |who, round| Turn {
        who,
        network: trial.network,
        round,
    };
    let job = |turn: Turn| {
        write_noise(context.path(), turn);
        Job::new(world, context.path(), &turn.git_tag(), READER)
    };
    let config = login(&[world.double.host()], READER);
    let ours: Contender<'_> = Box::new(|round, meter| {
        let turn = turn("ours", round);
        let inputs = work.inputs(world, turn);
        meter.fail(
            &mut ours::step(&job(turn), &borrowed(&inputs)),
            "packages: write",
        );
    });
    let plain: Contender<'_> = Box::new(|round, meter: &mut Meter| {
        let turn = turn("plain", round);
        write_noise(context.path(), turn);
        let build = Build {
            context: context.path(),
            references: work.references(world, turn),
            platforms: &work.platforms,
            description: Vec::new(),
        };
        meter.fail(&mut build.with(&world.buildx, config.path()), "denied");
    });
    let usual = world.actions.as_ref().map(|actions| Usual {
        actions,
        token: READER,
        levels: "manifest",
        end: End::FailureThatSays("denied"),
    });
    let actions = usual.as_ref().map(|usual| -> Contender<'_> {
        Box::new(|round, meter| {
            let turn = turn("actions", round);
            usual.publish(job(turn), &work.inputs(world, turn), meter);
        })
    });
    trial.run(world, &[Some(ours), Some(plain), actions])
}

/// Bytes that do not compress, others for each column and round.
fn write_noise(directory: &Path, turn: Turn) {
    let seed = turn.who.len() + (turn.round << 8);
    let mut random = fastrand::Rng::with_seed(u64::try_from(seed).unwrap());
    let mut bytes = vec![0; NOISE];
    random.fill(&mut bytes);
    fs::write(directory.join("noise"), bytes).unwrap();
}
