//! A publication of examples/hello in three ways.

use crate::actions::End;
use crate::bare::Build;
use crate::description;
use crate::network::Network;
use crate::ours::{self, borrowed};
use crate::row::Group;
use crate::runner::Job;
use crate::trial::{Contender, Measured, Trial};
use crate::usual::Usual;
use crate::work::{Tags, Turn, Work};
use crate::world::{TOKEN, World, login};

const TWO_PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];
const THREE_PLATFORMS: [&str; 3] = ["linux/amd64", "linux/arm64", "linux/arm/v7"];

const OURS: &str = "ours";
const PLAIN: &str = "plain";
const ACTIONS: &str = "actions";

/// Measured near the registry and far from it.
fn works() -> Vec<Work> {
    vec![
        Work::new("1", "1 tag", Tags::Moving(0)),
        Work::new("5", "5 tags", Tags::Moving(4)),
        Work::new("6x2", "6 tags, 2 platforms", Tags::Moving(5)).on(&TWO_PLATFORMS),
        Work::new("1x3", "1 tag, 3 platforms", Tags::Moving(0)).on(&THREE_PLATFORMS),
        Work::new(
            "latest",
            "git tag and `latest`, which moves",
            Tags::GitTagAndLatest,
        ),
        Work::new("first", "first release, 4 tags", Tags::FirstRelease),
    ]
}

/// Measured near the registry only.
fn more_works() -> Vec<Work> {
    vec![
        Work::new("20", "20 tags", Tags::Moving(19)),
        Work::new("5x3", "5 tags, 3 platforms", Tags::Moving(4)).on(&THREE_PLATFORMS),
        Work::new("20x3", "20 tags, 3 platforms", Tags::Moving(19)).on(&THREE_PLATFORMS),
    ]
}

pub(crate) fn groups() -> Vec<Group> {
    let far = works().into_iter().map(|work| (Network::Delayed, work));
    let near = works().into_iter().chain(more_works());
    let near = near.map(|work| (Network::Loopback, work));
    far.chain(near)
        .map(|(network, work)| group(network, work))
        .collect()
}

fn group(network: Network, work: Work) -> Group {
    let name = format!("publish, {}{}", work.words, network.words());
    let what = name.clone();
    Group::new(network.section(), name, move |world| {
        let measured = publish(world, &work, Trial::new(network));
        measured.rows(&what, world, &world.usual())
    })
}

/// The columns do the work in alternating rounds, and are checked.
pub(crate) fn publish(world: &World, work: &Work, trial: Trial) -> Measured {
    let turn = move |who, round| Turn {
        who,
        network: trial.network,
        round,
    };
    let config = login(&[world.double.host()], TOKEN);
    let job = |turn: Turn| Job::new(world, &world.example, &turn.git_tag(), TOKEN);
    let levels = description::levels(work);
    let ours: Contender<'_> = Box::new(|round, meter| {
        let turn = turn(OURS, round);
        let inputs = work.inputs(world, turn);
        ours::publish(&job(turn), &borrowed(&inputs), meter);
    });
    let plain: Contender<'_> = Box::new(|round, meter| {
        let turn = turn(PLAIN, round);
        let inputs = work.inputs(world, turn);
        let build = Build {
            context: &world.example,
            references: work.references(world, turn),
            platforms: &work.platforms,
            description: description::flags(&job(turn), &borrowed(&inputs), levels),
        };
        meter.run(&mut build.with(&world.buildx, config.path()));
    });
    let usual = world.actions.as_ref().map(|actions| Usual {
        actions,
        token: TOKEN,
        levels,
        end: End::Success,
    });
    let actions = usual.as_ref().map(|usual| -> Contender<'_> {
        Box::new(|round, meter| {
            let turn = turn(ACTIONS, round);
            usual.publish(job(turn), &work.inputs(world, turn), meter);
        })
    });
    let measured = trial.run(world, &[Some(ours), Some(plain), actions]);
    let last = |who| turn(who, trial.rounds);
    let mut turns = vec![last(OURS), last(PLAIN)];
    turns.extend(usual.as_ref().map(|_| last(ACTIONS)));
    for turn in &turns {
        work.assert_published(world, *turn);
    }
    description::assert_same(world, work, &turns);
    measured
}
