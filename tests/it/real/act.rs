//! The action from its own Dockerfile, run by act; its outputs reach the next step.

use ghcr_double::{Account, Double};

use super::world::{output_of, repository_file};
use crate::support::{TOKEN, process};

#[test]
fn a_workflow_publishes_and_later_steps_and_jobs_consume_the_outputs() {
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
    let parts = &double.tags("acme/hello/parts")["latest"];
    let consumed = format!("the image of two jobs is {parts}");
    assert!(log.contains(&consumed), "{log}");
    let (_, index) = double.manifest("acme/hello/parts", parts).unwrap();
    let index = String::from_utf8_lossy(&index);
    for architecture in ["amd64", "arm64"] {
        assert!(index.contains(architecture), "{index}");
    }
    let tags = |image: &str| double.tags(&format!("acme/hello/{image}"));
    let good = tags("good");
    assert_eq!(good["latest"], good["v1.2.3"]);
    let bad: Vec<String> = tags("bad").into_keys().collect();
    assert!(bad.iter().all(|tag| tag.starts_with("sha-")), "{bad:?}");
    assert!(!log.contains(TOKEN), "the log shows the token");
}
