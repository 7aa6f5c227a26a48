//! What an attestation adds to a publication, with a Sigstore on loopback.

use std::fs;

use ghcr_double::Sigstore;
use serde_json::json;

use crate::network::Network;
use crate::ours::{self, borrowed};
use crate::row::{Group, Row, Section};
use crate::runner::Job;
use crate::trial::{Contender, Series, Trial};
use crate::world::{TOKEN, World};

const NAME: &str = "publish, 5 tags, attested";
const TAGS: &str = "type=ref,event=tag\nmoving-1\nmoving-2\nmoving-3\nmoving-4";

pub(crate) fn groups() -> Vec<Group> {
    vec![Group::new(Section::Other, NAME, |world| {
        vec![attested(world)]
    })]
}

/// The plain tool is this program without `attest`.
fn attested(world: &World) -> Row {
    let claims = json!({ "iss": "https://token.actions.githubusercontent.com" });
    let sigstore = Sigstore::start(&claims).unwrap();
    let checkout = tempfile::tempdir().unwrap();
    for file in fs::read_dir(&world.example).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), checkout.path().join(file.file_name())).unwrap();
    }
    fs::write(checkout.path().join("root.json"), sigstore.trusted_root()).unwrap();
    let job = |round| Job::new(world, checkout.path(), &format!("v1.0.{round}"), TOKEN);
    let inputs = |who: &str| {
        [
            ("registry", world.double.host()),
            ("images", world.package(who)),
            ("tags", TAGS.to_owned()),
            ("flavor", "latest=false".to_owned()),
            ("attest", (who == "attested").to_string()),
            ("fulcio-url", sigstore.url()),
            ("rekor-url", sigstore.url()),
            ("trusted-root", "root.json".to_owned()),
        ]
    };
    let (job, inputs, sigstore) = (&job, &inputs, &sigstore);
    let run = |who: &'static str| -> Contender<'_> {
        Box::new(move |round, meter| {
            let job = job(round);
            let mut step = ours::step(&job, &borrowed(&inputs(who)));
            step.env("ACTIONS_ID_TOKEN_REQUEST_URL", sigstore.token_url());
            step.env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", Sigstore::REQUEST_TOKEN);
            meter.run(&mut step);
        })
    };
    let trial = Trial::new(Network::Loopback);
    let measured = trial.run(world, &[Some(run("attested")), Some(run("without")), None]);
    let what = format!("{NAME} (plain: this program without `attest`): time");
    measured.row(what, Series::time)
}
