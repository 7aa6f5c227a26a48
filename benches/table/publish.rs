//! A publication of examples/hello in three ways, and one that is refused.

use std::fs;

use crate::actions::{Actions, End, Steps};
use crate::bare::Build;
use crate::meter::{Contender, Meter, Series, alternating, rounds};
use crate::ours::{self, borrowed};
use crate::row::{Figure, Group, Row};
use crate::runner::Job;
use crate::world::{READER, TOKEN, World, login};

const THREE_PLATFORMS: &str = "linux/amd64,linux/arm64,linux/arm/v7";
const DENIAL: &str = "preflight denial";
const NOISE: usize = 32 << 20;

/// What is published: under which tags, for which platforms.
#[derive(Clone, Copy)]
struct Work {
    /// Tells the packages apart.
    name: &'static str,
    words: &'static str,
    tags: Tags,
    platforms: &'static str,
}

#[derive(Clone, Copy)]
enum Tags {
    /// The git tag and this many names that move.
    Moving(usize),
    /// What the rules give when nobody writes any.
    GitTagAndLatest,
}

const WORKS: [Work; 7] = [
    work("1", "1 tag", Tags::Moving(0), ""),
    work("5", "5 tags", Tags::Moving(4), ""),
    work("20", "20 tags", Tags::Moving(19), ""),
    work(
        "1x3",
        "1 tag, 3 platforms",
        Tags::Moving(0),
        THREE_PLATFORMS,
    ),
    work(
        "5x3",
        "5 tags, 3 platforms",
        Tags::Moving(4),
        THREE_PLATFORMS,
    ),
    work(
        "20x3",
        "20 tags, 3 platforms",
        Tags::Moving(19),
        THREE_PLATFORMS,
    ),
    work(
        "latest",
        "git tag and `latest`, which moves",
        Tags::GitTagAndLatest,
        "",
    ),
];

const DENIED: Work = work("denied", "1 tag", Tags::Moving(0), "");

const fn work(
    name: &'static str,
    words: &'static str,
    tags: Tags,
    platforms: &'static str,
) -> Work {
    Work {
        name,
        words,
        tags,
        platforms,
    }
}

/// Newer than that of the round before, so that what moves has to move.
fn git_tag(round: usize) -> String {
    format!("v1.0.{round}")
}

impl Work {
    /// Inputs that ours and docker/metadata-action both have.
    fn inputs(self, world: &World, image: &str) -> [(&'static str, String); 5] {
        let (rules, flavor) = match self.tags {
            Tags::GitTagAndLatest => (String::new(), "latest=auto"),
            Tags::Moving(more) => {
                let moving = (0..more).map(|n| format!("\ntype=raw,value=moving-{n}"));
                let rules = ["type=ref,event=tag".to_owned()].into_iter().chain(moving);
                (rules.collect(), "latest=false")
            }
        };
        [
            ("registry", world.double.host()),
            ("images", image.to_owned()),
            ("tags", rules),
            ("flavor", flavor.to_owned()),
            ("platforms", self.platforms.to_owned()),
        ]
    }

    /// What those rules give.
    fn plain_tags(self, round: usize) -> Vec<String> {
        let moving: Vec<String> = match self.tags {
            Tags::GitTagAndLatest => vec!["latest".to_owned()],
            Tags::Moving(more) => (0..more).map(|n| format!("moving-{n}")).collect(),
        };
        [vec![git_tag(round)], moving].concat()
    }

    /// Whoever is fast did all of it: each tag of the last round names one image.
    fn assert_published(self, world: &World, image: &str) {
        let (_, name) = image.split_once('/').unwrap();
        let held = world.double.tags(name);
        let tags = self.plain_tags(rounds());
        assert!(
            tags.iter().all(|tag| held.get(tag) == held.get(&tags[0])),
            "{image}: {held:?}"
        );
        assert!(held.contains_key(&tags[0]), "{image}: {held:?}");
    }
}

pub(crate) fn groups() -> Vec<Group> {
    let published = WORKS.map(|work| {
        let name = format!("publish, {}", work.words);
        Group::new(name, move |world| publish(world, work))
    });
    let refused = Group::new(DENIAL, |world| vec![denial(world)]);
    published.into_iter().chain([refused]).collect()
}

fn publish(world: &World, work: Work) -> Vec<Row> {
    let [ours_image, plain_image, actions_image] =
        ["ours", "plain", "actions"].map(|who| world.image(&format!("{who}-{}", work.name)));
    let config = login(&[world.double.host()], TOKEN);
    let job = |round| Job::new(world, &world.example, &git_tag(round), TOKEN);
    let ours: Contender<'_> = Box::new(|round, meter| {
        let inputs = work.inputs(world, &ours_image);
        ours::publish(&job(round), &borrowed(&inputs), meter);
    });
    let plain: Contender<'_> = Box::new(|round, meter| {
        let build = Build {
            context: &world.example,
            image: &plain_image,
            tags: work.plain_tags(round),
            platforms: work.platforms,
            round,
        };
        meter.run(&mut build.with(&world.buildx, config.path()));
    });
    let actions = world.actions.as_ref().map(|actions| -> Contender<'_> {
        Box::new(|round, meter| {
            let inputs = work.inputs(world, &actions_image);
            usual(actions, job(round), &inputs, TOKEN, &End::Success, meter);
        })
    });
    let [ours, plain, actions] = alternating(&world.double, &[ours.into(), plain.into(), actions]);
    work.assert_published(world, &ours_image);
    work.assert_published(world, &plain_image);
    if actions.is_some() {
        work.assert_published(world, &actions_image);
    }
    let (ours, plain) = (ours.unwrap(), plain.unwrap());
    let row = |figure: &str, of: fn(&Series) -> Figure| Row {
        what: format!("publish, {}: {figure}", work.words),
        ours: of(&ours),
        plain: Some(of(&plain)),
        actions: actions.as_ref().map(of),
    };
    vec![
        row("time", Series::time),
        row("requests", Series::requests),
        row("peak memory", Series::peak),
    ]
}

/// Login, metadata, setup-buildx and build-push, and their post steps. The engine's own builder, no record of the
/// build as an artifact and no provenance: the least that they can be asked for, and what the others do.
fn usual(
    actions: &Actions,
    job: Job,
    inputs: &[(&str, String)],
    token: &str,
    end: &End,
    meter: &mut Meter,
) {
    let given = |name: &str| inputs.iter().find(|(other, _)| *other == name);
    let given = |name| given(name).map_or("", |(_, value)| value.as_str());
    let mut steps = Steps::new(actions, job);
    let login = [
        ("registry", given("registry")),
        ("username", "octocat"),
        ("password", token),
    ];
    steps.run(&actions.login, &login, &End::Success, meter);
    let names = ["images", "tags", "flavor"].map(|name| (name, given(name)));
    let metadata = steps.run(&actions.metadata, &names, &End::Success, meter);
    let engine = [("driver", "docker")];
    steps.run(&actions.setup_buildx, &engine, &End::Success, meter);
    let build = [
        ("context", "."),
        ("push", "true"),
        ("provenance", "false"),
        ("platforms", given("platforms")),
        ("tags", &metadata["tags"]),
        ("labels", &metadata["labels"]),
    ];
    steps.run(&actions.build_push, &build, end, meter);
    steps.end(meter);
}

/// A token without `packages: write`, and an image whose build takes about a second: new bytes to compress each time.
fn denial(world: &World) -> Row {
    let context = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(context.path().join(name), bytes).unwrap();
    write("Dockerfile", b"FROM scratch\nCOPY noise /\n");
    let config = login(&[world.double.host()], READER);
    let image = world.image("refused");
    let inputs = DENIED.inputs(world, &image);
    let job = |round| {
        write("noise", &noise(round));
        Job::new(world, context.path(), &git_tag(round), READER)
    };
    let ours: Contender<'_> = Box::new(|round, meter| {
        meter.fail(
            &mut ours::step(&job(round), &borrowed(&inputs)),
            "packages: write",
        );
    });
    let plain: Contender<'_> = Box::new(|round, meter| {
        write("noise", &noise(rounds() + 1 + round));
        let build = Build {
            context: context.path(),
            image: &image,
            tags: DENIED.plain_tags(round),
            platforms: DENIED.platforms,
            round,
        };
        meter.fail(&mut build.with(&world.buildx, config.path()), "denied");
    });
    let actions = world.actions.as_ref().map(|actions| -> Contender<'_> {
        Box::new(|round, meter| {
            let job = job(2 * (rounds() + 1) + round);
            let end = End::FailureThatSays("denied");
            usual(actions, job, &inputs, READER, &end, meter);
        })
    });
    let [ours, plain, actions] = alternating(&world.double, &[ours.into(), plain.into(), actions]);
    Row {
        what: format!("{DENIAL}, a build of a second: time to the failure"),
        ours: ours.unwrap().time(),
        plain: plain.map(|plain| plain.time()),
        actions: actions.map(|actions| actions.time()),
    }
}

/// Bytes that do not compress, others for each seed.
fn noise(seed: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(u64::try_from(seed).unwrap());
    let mut bytes = vec![0; NOISE];
    random.fill(&mut bytes);
    bytes
}
