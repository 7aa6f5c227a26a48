//! An image of 200 MB that exists gets five tags: inside one registry and in another, beside `crane copy` and `crane tag`.

use ghcr_double::{Double, Package};
use serde_json::json;

use crate::meter::Meter;
use crate::network::Network;
use crate::ours::{self, borrowed};
use crate::row::{Group, Row, Section};
use crate::runner::Job;
use crate::trial::{Contender, Trial};
use crate::world::{self, REPOSITORY, TOKEN, World, command, login};

const LAYERS: u8 = 4;
const BYTES: usize = 50_000_000;
const TAGS: [&str; 5] = ["1.2.3", "1.2", "1", "stable", "edge"];

pub(crate) fn groups() -> Vec<Group> {
    let within = [Network::Delayed, Network::Loopback].map(|network| {
        let name = format!("promotion inside one registry{}", network.words());
        let what = name.clone();
        Group::new(network.section(), name, move |world| {
            promotion(world, &what, &world.double, Trial::new(network))
        })
    });
    let name = "promotion between two registries";
    let between = Group::new(Section::Other, name, move |world| {
        let source = world::registry();
        promotion(world, name, &source, Trial::new(Network::Loopback))
    });
    within.into_iter().chain([between]).collect()
}

/// From `source` to a new package of the registry of all rows, each time.
fn promotion(world: &World, name: &str, source: &Double, trial: Trial) -> Vec<Row> {
    let digest = put_image(source, "acme/tested");
    let candidate = format!("{}/acme/tested@{digest}", source.host());
    let package = |who: &str, round| {
        let way = if source.host() == world.double.host() {
            trial.network.name()
        } else {
            "between"
        };
        world.package(&format!("promoted-{way}-{who}-{round}"))
    };
    let hosts = [world.double.host(), source.host()];
    let config = login(&hosts, TOKEN);
    let ours: Contender<'_> = Box::new(|round, meter| {
        let job = Job::new(world, &world.example, "v1.2.3", TOKEN);
        let inputs = inputs(&hosts, &candidate, package("ours", round));
        ours::publish(&job, &borrowed(&inputs), meter);
    });
    let (from, config, package) = (&candidate, config.path(), &package);
    let crane = world.crane.as_ref().map(|program| -> Contender<'_> {
        Box::new(move |round, meter| {
            let run = |arguments: &[&str], meter: &mut Meter| {
                let mut crane = command(program);
                meter.run(crane.env("DOCKER_CONFIG", config).args(arguments));
            };
            let name = package("crane", round);
            let [first, others @ ..] = TAGS;
            let first = format!("{name}:{first}");
            run(&["copy", from, &first], meter);
            for tag in others {
                run(&["tag", &first, tag], meter);
            }
        })
    });
    let measured = trial.run(world, &[Some(ours), crane, None]);
    let what = format!("{name}, 200 MB, 5 tags (plain: crane)");
    measured.rows(&what, world, &[])
}

fn inputs(hosts: &[String; 2], candidate: &str, image: String) -> [(&'static str, String); 6] {
    let [host, source] = hosts;
    let logins = format!("- registry: {source}\n  username: octocat\n  password: {TOKEN}\n");
    let rules = TAGS.map(|tag| format!("type=raw,value={tag}"));
    [
        ("registry", host.clone()),
        (
            "registry-auth",
            if host == source {
                String::new()
            } else {
                logins
            },
        ),
        ("candidate", candidate.to_owned()),
        ("images", image),
        ("tags", rules.join("\n")),
        ("flavor", "latest=false".to_owned()),
    ]
}

/// Each layer has one byte over and over.
fn put_image(double: &Double, name: &str) -> String {
    let config = json!({ "architecture": "amd64", "os": "linux" }).to_string();
    let size = config.len();
    let config = double.put_blob(name, config);
    let layer = |fill| {
        let digest = double.put_blob(name, vec![fill; BYTES]);
        let media_type = "application/vnd.oci.image.layer.v1.tar";
        json!({ "mediaType": media_type, "digest": digest, "size": BYTES })
    };
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let config_type = "application/vnd.oci.image.config.v1+json";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": { "mediaType": config_type, "digest": config, "size": size },
        "layers": (0..LAYERS).map(layer).collect::<Vec<_>>(),
    });
    double.set_package(name, Package::of(REPOSITORY));
    double.put_manifest(name, "tested", media_type, manifest.to_string())
}
