//! A clean-up of a package with many versions, as a dry run: what it costs to decide.

use std::collections::BTreeMap;
use std::time::Duration;

use ghcr_double::{Double, Package};
use serde_json::json;

use crate::actions::{Action, Actions, End, Steps};
use crate::figure::grouped;
use crate::meter::Meter;
use crate::network::Network;
use crate::ours;
use crate::row::{Group, Row, Section};
use crate::runner::Job;
use crate::trial::{Contender, Measured, Trial};
use crate::world::{REPOSITORY, TOKEN, World};

const VERSIONS: usize = 10_000;
/// One version in so many is an index under a tag, with two platforms and an attestation.
const VERSIONS_OF_A_TAG: usize = 33;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn groups() -> Vec<Group> {
    vec![Group::new(Section::Other, name(VERSIONS), |world| {
        let measured = clean_up(world, VERSIONS, Trial::new(Network::Loopback));
        rows(&measured, world, VERSIONS)
    })]
}

fn name(versions: usize) -> String {
    format!("clean-up of {} versions, dry run", grouped(versions))
}

pub(crate) fn rows(measured: &Measured, world: &World, versions: usize) -> Vec<Row> {
    let peer = world.actions.iter().flat_map(|actions| &actions.cleanup);
    let what = name(versions) + " (actions: dataaxiom/ghcr-cleanup-action)";
    measured.rows(&what, world, &peer.collect::<Vec<_>>())
}

/// Deletes nothing: every column decides which versions without a tag are older than a week.
pub(crate) fn clean_up(world: &World, versions: usize, trial: Trial) -> Measured {
    let package = Fixture::new(world, versions);
    let ours: Contender<'_> = Box::new(|_, meter| package.ours(meter));
    let peer = world.actions.as_ref();
    let peer = peer.and_then(|actions| Some((actions, actions.cleanup.as_ref()?)));
    let peer = peer.map(|(actions, action)| -> Contender<'_> {
        let package = &package;
        Box::new(move |_, meter| package.peer(actions, action, meter))
    });
    trial.run(world, &[Some(ours), None, peer])
}

/// A package with old versions: indexes under tags, and images that nothing refers to.
struct Fixture<'a> {
    world: &'a World,
    name: String,
    /// How many versions have to go.
    untagged: usize,
}

impl<'a> Fixture<'a> {
    fn new(world: &'a World, versions: usize) -> Self {
        let tagged = versions.div_ceil(VERSIONS_OF_A_TAG);
        let fixture = Self {
            world,
            name: format!("versions-{versions}"),
            untagged: versions - 4 * tagged,
        };
        fixture.fill(&world.double, tagged);
        fixture
    }

    fn fill(&self, double: &Double, tagged: usize) {
        let package = self.package();
        double.set_package(&package, Package::of(REPOSITORY).public());
        let now = double.time();
        double.set_time(now - 60 * DAY);
        for number in 0..tagged {
            let platforms = ["linux/amd64", "linux/arm64", "unknown/unknown"];
            let children = platforms.map(|platform| {
                let digest = put_image(double, &package, &format!("{number} {platform}"));
                (platform, digest)
            });
            let children = children
                .each_ref()
                .map(|(platform, digest)| (*platform, digest.as_str()));
            double.put_index(&package, &format!("edge-{number}"), &children, &[]);
        }
        for number in 0..self.untagged {
            put_image(double, &package, &number.to_string());
        }
        double.set_time(now);
    }

    fn package(&self) -> String {
        format!("acme/{}", self.name)
    }

    fn job(&self) -> Job {
        Job::new(self.world, &self.world.example, "v1.2.3", TOKEN)
    }

    fn ours(&self, meter: &mut Meter) {
        let job = self.job();
        let image = self.world.package(&self.name);
        let registry = self.world.double.host();
        let budget = self.untagged.to_string();
        let inputs = [
            ("mode", "cleanup"),
            ("registry", registry.as_str()),
            ("images", image.as_str()),
            ("retention", "untagged,older-than=7d"),
            ("cleanup-budget", budget.as_str()),
            ("dry-run", "true"),
        ];
        meter.run(&mut ours::step(&job, &inputs));
        self.assert_decided(&job.entries("OUTPUT"));
    }

    fn peer(&self, actions: &Actions, action: &Action, meter: &mut Meter) {
        let double = &self.world.double;
        let (registry, api) = (double.url(), double.api_url());
        let inputs = [
            ("token", TOKEN),
            ("owner", "acme"),
            ("package", self.name.as_str()),
            ("registry-url", registry.as_str()),
            ("github-api-url", api.as_str()),
            ("delete-untagged", "true"),
            ("older-than", "7 days"),
            ("dry-run", "true"),
        ];
        let mut steps = Steps::new(actions, self.job());
        steps.run(action, &inputs, &End::Success, meter);
        let summary = steps.summary();
        let count = format!("<td>Total images deleted</td><td>{}</td>", self.untagged);
        assert!(summary.contains(&count), "{summary}");
    }

    /// Whoever is fast found all of them.
    fn assert_decided(&self, outputs: &BTreeMap<String, String>) {
        let deleted: Vec<serde_json::Value> = serde_json::from_str(&outputs["deleted"]).unwrap();
        assert_eq!(deleted.len(), self.untagged);
    }
}

/// An image without a tag; its digest.
fn put_image(double: &Double, package: &str, text: &str) -> String {
    let config = double.put_blob(package, text.to_owned());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config,
            "size": text.len(),
        },
        "layers": [],
    });
    // What looks like a digest is no tag.
    double.put_manifest(package, &config, MANIFEST, manifest.to_string())
}
