//! What a run costs as its work grows: the rows of the picture.

mod log;

use crate::cleanup;
use crate::figure::grouped;
use crate::network::Network;
use crate::publish::publish;
use crate::row::{Group, Row, Section};
use crate::trial::{Series, Trial};
use crate::work::{Tags, Work};
use crate::world::World;

/// The picture shows the requests of this part too.
const TAGS_PANEL: &str = "tags (50 ms)";
const TAGS: [usize; 7] = [1, 2, 5, 10, 20, 50, 100];
const PLATFORMS: [&str; 8] = [
    "linux/amd64",
    "linux/arm64",
    "linux/arm/v7",
    "linux/arm/v6",
    "linux/386",
    "linux/ppc64le",
    "linux/s390x",
    "linux/riscv64",
];
const NAMES: [usize; 5] = [1, 2, 5, 10, 20];
/// In MB.
const LOGS: [usize; 4] = [1, 10, 100, 1000];
const VERSIONS: [usize; 4] = [10, 100, 1000, 10_000];

/// Every name has the word `growth`, and those of one part of the picture another one.
pub(crate) fn groups() -> Vec<Group> {
    let tags = TAGS.map(|count| {
        let work = Work::new(&format!("tags-{count}"), "", Tags::Moving(count - 1));
        publication(TAGS_PANEL, count, work)
    });
    let platforms = (1..=PLATFORMS.len()).map(|count| {
        let key = format!("platforms-{count}");
        let work = Work::new(&key, "", Tags::Moving(0)).on(&PLATFORMS[..count]);
        publication("platforms, 1 tag (50 ms)", count, work)
    });
    let names = NAMES.map(|count| {
        let key = format!("names-{count}");
        let work = Work::new(&key, "", Tags::Moving(0)).under(count);
        publication("names, 1 tag each (50 ms)", count, work)
    });
    let logs = LOGS.map(|megabytes| group(&format!("{megabytes} MB of log"), log::rows, megabytes));
    let versions =
        VERSIONS.map(|count| group(&format!("{} versions", grouped(count)), versions, count));
    let groups = tags.into_iter().chain(platforms).chain(names);
    groups.chain(logs).chain(versions).collect()
}

fn group(what: &str, rows: fn(&World, &str, usize) -> Vec<Row>, amount: usize) -> Group {
    let name = format!("growth, {what}");
    let row_name = name.clone();
    Group::new(Section::Growth, name, move |world| {
        rows(world, &row_name, amount)
    })
}

fn publication(panel: &'static str, amount: usize, work: Work) -> Group {
    let name = format!("growth, {panel}: {amount}");
    let what = name.clone();
    Group::new(Section::Growth, name, move |world| {
        let measured = publish(world, &work, Trial::of_growth(Network::Delayed));
        let time = measured.row(format!("{what}: time"), Series::time);
        let requests = measured.row(format!("{what}: requests"), Series::requests);
        let requests = match panel {
            TAGS_PANEL => requests.at(panel, amount as f64),
            _ => requests,
        };
        vec![time.at(panel, amount as f64), requests]
    })
}

fn versions(world: &World, what: &str, versions: usize) -> Vec<Row> {
    let trial = Trial::of_growth(Network::Loopback);
    let panel = "versions in a clean-up";
    let measured = cleanup::clean_up(world, versions, trial);
    let time = measured.row(format!("{what}: time"), Series::time);
    let peak = measured.row(format!("{what}: peak memory"), Series::peak);
    let requests = measured.row(format!("{what}: requests"), Series::requests);
    vec![
        time.at(panel, versions as f64),
        requests.at(panel, versions as f64),
        peak.at(panel, versions as f64),
    ]
}
