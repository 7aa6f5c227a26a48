//! A clean-up of a package with many versions, as a dry run: what it costs to decide.

use std::time::Duration;

use ghcr_double::{Double, Package};
use serde_json::json;

use crate::meter::{Contender, Series, alternating};
use crate::ours;
use crate::row::{Figure, Group, Row};
use crate::runner::Job;
use crate::world::{REPOSITORY, TOKEN, World};

const NAME: &str = "clean-up of 10,000 versions, dry run";
const PACKAGE: &str = "acme/versions";
const VERSIONS: usize = 10_000;
/// Each with two platforms and an attestation.
const TAGGED: usize = 300;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn groups() -> Vec<Group> {
    vec![Group::new(NAME, clean_up)]
}

fn clean_up(world: &World) -> Vec<Row> {
    fill(&world.double);
    let image = world.image("versions");
    let registry = world.double.host();
    let run: Contender<'_> = Box::new(|_, meter| {
        let job = Job::new(world, &world.example, "v1.2.3", TOKEN);
        let inputs = [
            ("mode", "cleanup"),
            ("registry", registry.as_str()),
            ("images", image.as_str()),
            ("retention", "untagged,older-than=7d"),
            ("dry-run", "true"),
        ];
        meter.run(&mut ours::step(&job, &inputs));
    });
    let [series] = alternating(&world.double, &[Some(run)]).map(Option::unwrap);
    let row = |figure: &str, of: fn(&Series) -> Figure| Row {
        what: format!("{NAME}: {figure}"),
        ours: of(&series),
        plain: None,
        actions: None,
    };
    vec![
        row("time", Series::time),
        row("requests", Series::requests),
        row("peak memory", Series::peak),
    ]
}

/// Old versions: indexes under tags, and images that nothing refers to.
fn fill(double: &Double) {
    double.set_package(PACKAGE, Package::of(REPOSITORY).public());
    let now = double.time();
    double.set_time(now - 60 * DAY);
    for number in 0..TAGGED {
        let platforms = ["linux/amd64", "linux/arm64", "unknown/unknown"];
        let children = platforms.map(|platform| {
            let digest = put_image(double, &format!("{number} {platform}"));
            (platform, digest)
        });
        let children = children
            .each_ref()
            .map(|(platform, digest)| (*platform, digest.as_str()));
        double.put_index(PACKAGE, &format!("edge-{number}"), &children, &[]);
    }
    for number in 0..VERSIONS - 4 * TAGGED {
        put_image(double, &number.to_string());
    }
    double.set_time(now);
    double.clear_requests();
}

/// An image without a tag; its digest.
fn put_image(double: &Double, text: &str) -> String {
    let config = double.put_blob(PACKAGE, text.to_owned());
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
    double.put_manifest(PACKAGE, &config, MANIFEST, manifest.to_string())
}
