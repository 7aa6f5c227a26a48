//! The action from its own Dockerfile, run by act; its outputs reach the next step.

use ghcr_double::{Account, Double};

use super::world::{output_of, repository_file};
use crate::support::{TOKEN, process};

#[test]
fn a_workflow_publishes_and_its_next_step_consumes_the_outputs() {
    let double = Double::builder()
        .token(TOKEN, Account::workflow("acme/hello"))
        .start()
        .unwrap();
    let run = repository_file("testbed/act-run");
    let log = output_of(
        process(run.to_str().unwrap())
            .arg(double.host())
            .env("GITHUB_TOKEN", TOKEN),
    );
    let digest = &double.tags("acme/hello")["latest"];
    assert!(
        log.contains(&format!("consumed {}/acme/hello@{digest}", double.host())),
        "{log}"
    );
    assert!(!log.contains(TOKEN), "the log shows the token");
}
