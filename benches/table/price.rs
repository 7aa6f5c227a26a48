//! `Price`: what a job pays besides the work itself: downloads before it, and containers around its steps.

use std::path::Path;

use crate::actions::Action;
use crate::checkout;
use crate::figure::{Figure, Unit};
use crate::image::Image;
use crate::meter::Meter;
use crate::network::Network;
use crate::ours::PROGRAM;
use crate::row::{Group, Row, Section};
use crate::trial::{Contender, Measured, Series, Trial};
use crate::world::{World, command};

/// How fast a runner downloads, in bytes a second: 100 Mbit/s.
const SPEED: f64 = 100_000_000.0 / 8.0;
/// One for the step, and one for its post step.
const CONTAINERS: f64 = 2.0;

/// What the price of ours is made of.
pub(crate) struct Price {
    image: Image,
    start: Measured,
    /// The size of the archive of this repository in bytes.
    archive: u64,
}

impl Price {
    /// `None` if the image of the action is not known.
    pub(crate) fn of(world: &World) -> Option<Self> {
        let name = world.image.as_ref()?;
        Some(Self {
            image: Image::read(name)?,
            start: start(world, name),
            archive: checkout::archive_size(Path::new(env!("CARGO_MANIFEST_DIR"))),
        })
    }

    /// Of downloads and containers.
    pub(crate) fn seconds(&self) -> f64 {
        let start = self.start.ours.time().median().unwrap_or_default();
        self.download() + CONTAINERS * start
    }

    fn download(&self) -> f64 {
        seconds(self.image.layers + self.archive)
    }

    fn rows(&self, actions: &[&Action]) -> Vec<Row> {
        let archives = sum(actions);
        let of_actions = !actions.is_empty();
        let both = |what: &str, unit, ours, of_archives: f64| Row {
            actions: of_actions.then(|| Figure::one(unit, of_archives)),
            ..Row::alone(what, Figure::one(unit, ours))
        };
        let bytes = |what, size: u64| Row::alone(what, Figure::one(Unit::Bytes, size as f64));
        vec![
            bytes("program in the image, after `gzip -9`", self.image.program),
            bytes("layer with the program, compressed", self.image.own_layer),
            bytes("all layers of the image, compressed", self.image.layers),
            both("archives of the repositories of the actions", Unit::Bytes, self.archive as f64, archives as f64),
            both("download of layers and archives at 100 Mbit/s, computed", Unit::Seconds, self.download(), seconds(archives)),
            self.start.row("container start: `docker run IMAGE --version` (plain: the program without a container)", Series::time),
            both("download and two container starts", Unit::Seconds, self.seconds(), seconds(archives)),
        ]
    }
}

/// How long the download of actions takes, in seconds. They need no container: node is part of the runner.
pub(crate) fn of_archives(actions: &[&Action]) -> f64 {
    seconds(sum(actions))
}

fn sum(actions: &[&Action]) -> u64 {
    actions.iter().map(|action| action.archive).sum()
}

fn seconds(bytes: u64) -> f64 {
    bytes as f64 / SPEED
}

fn start(world: &World, image: &str) -> Measured {
    let container: Contender<'_> = Box::new(|_, meter: &mut Meter| {
        meter.run(command("docker").args(["run", "--rm", image, "--version"]));
    });
    let program: Contender<'_> = Box::new(|_, meter: &mut Meter| {
        meter.run(command(PROGRAM).arg("--version"));
    });
    let trial = Trial::new(Network::Loopback);
    trial.run(world, &[Some(container), Some(program), None])
}

pub(crate) fn groups() -> Vec<Group> {
    let rows = |world: &World| match world.price() {
        Some(price) => price.rows(&world.usual()),
        None => vec![Row::alone(
            "size and start of the image",
            Figure::Text("not measured: `IMAGE` names no image with compressed layers"),
        )],
    };
    vec![Group::new(Section::Price, "size, container start", rows)]
}
