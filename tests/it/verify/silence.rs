//! How long `verify` waits: not for a server that never answered, but for one that has an outage.

use std::time::{Duration, Instant};

use ghcr_double::{Endpoint, Fault};

use super::{Attested, REPOSITORY};
use crate::support::Action;

#[test]
fn server_that_does_not_exist_is_given_up_soon() {
    let start = Instant::now();
    let arguments = [
        "verify",
        "127.0.0.1:1/acme/app:1",
        "--repository",
        "acme/app",
    ];
    let run = Action::new().arguments(&arguments).run();
    run.assert_error("cannot read `127.0.0.1:1/acme/app:1`");
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn outage_of_a_registry_that_answers_is_waited_for() {
    let attested = Attested::new("registry");
    let outage = Fault::on(Endpoint::ManifestRead).lasting(Duration::from_secs(7));
    attested.double.script(outage.answer(503));
    let run = attested.verify(&attested.image(":v1.2.3"), &REPOSITORY);
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
}
