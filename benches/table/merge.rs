//! Two parts that are there become one image with five tags, beside `docker buildx imagetools create`.

use std::process::Child;

use ghcr_double::{Endpoint, Fault};

use crate::network::Network;
use crate::ours::{self, borrowed};
use crate::row::{Group, Row, Section};
use crate::runner::Job;
use crate::trial::{Contender, Series, Trial};
use crate::world::{TOKEN, World, command, login};

const NAME: &str = "completing an image of two parts, 5 tags";
const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];
const TAGS: [&str; 5] = ["1.2.3", "1.2", "1", "stable", "edge"];

pub(crate) fn groups() -> Vec<Group> {
    vec![Group::new(Section::Other, NAME, merge)]
}

fn merge(world: &World) -> Vec<Row> {
    let job = &Job::new(world, &world.example, "v1.2.3", TOKEN);
    let config = login(&[world.double.host()], TOKEN);
    let ours: Contender<'_> = Box::new(move |round, meter| {
        let inputs = inputs(world, round);
        push_parts(world, job, &inputs);
        world.double.clear_requests();
        let mut inputs = borrowed(&inputs);
        inputs.push(("mode", "merge"));
        meter.run(&mut ours::step(job, &inputs));
    });
    let config = config.path();
    let plain: Contender<'_> = Box::new(move |round, meter| {
        let image = image(world, round);
        let mut create = command(&world.buildx);
        create.env("DOCKER_CONFIG", config);
        create.args(["imagetools", "create"]);
        let tags = TAGS.map(|tag| format!("--tag={image}:plain-{tag}"));
        create.args(tags).args(parts(world, round));
        meter.run(&mut create);
    });
    let trial = Trial::new(Network::Loopback);
    let measured = trial.run(world, &[Some(ours), Some(plain), None]);
    let what = format!("{NAME} (plain: `docker buildx imagetools create`)");
    vec![
        measured.row(format!("{what}: time"), Series::time),
        measured.row(format!("{what}: requests"), Series::requests),
    ]
}

fn image(world: &World, round: usize) -> String {
    world.package(&format!("parts-{round}"))
}

fn inputs(world: &World, round: usize) -> [(&'static str, String); 5] {
    [
        ("registry", world.double.host()),
        ("images", image(world, round)),
        (
            "tags",
            TAGS.map(|tag| format!("type=raw,value={tag}")).join("\n"),
        ),
        ("flavor", "latest=false".to_owned()),
        ("platforms", PLATFORMS.join(",")),
    ]
}

/// Two jobs at once that cannot see each other's record, so that neither completes the image. Not counted.
fn push_parts(world: &World, job: &Job, inputs: &[(&str, String)]) {
    let records = Fault::on(Endpoint::ManifestRead).path("manifests/part-");
    world.double.script(records.missing().always());
    let jobs = PLATFORMS.map(|platform| -> Child {
        let mut inputs = borrowed(inputs);
        inputs.push(("part", platform));
        let mut step = ours::step(job, &inputs);
        step.stdout(std::process::Stdio::null()).spawn().unwrap()
    });
    for mut job in jobs {
        assert!(job.wait().unwrap().success());
    }
    world.double.clear_script();
}

/// The references of the two images that the parts were.
fn parts(world: &World, round: usize) -> Vec<String> {
    let package = format!("acme/parts-{round}");
    let (_, index) = world.double.manifest(&package, TAGS[0]).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    let manifests = index["manifests"].as_array().unwrap().iter();
    let digests = manifests.map(|manifest| manifest["digest"].as_str().unwrap());
    digests
        .map(|digest| format!("{}@{digest}", image(world, round)))
        .collect()
}
