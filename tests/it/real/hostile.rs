//! A Dockerfile that attacks the log, built by the real engine.

use std::fs;

use super::world::{output_of, publication};
use crate::support::process;
use testkit::runner::commands::{Command, commands};

/// Commands in names, arguments, output and a failing line. `printf` makes the bytes a Dockerfile cannot hold.
const DOCKERFILE: &str = include_str!("hostile.Dockerfile");

fn publish(dockerfile: &str) -> crate::support::Run {
    let action = publication(None).event("push_tag");
    let action = action
        .input("push", "false")
        .input("no-cache", "true")
        .input("images", "localhost/real-engine/hostile");
    fs::write(action.path("workspace/Dockerfile"), dockerfile).unwrap();
    action.run()
}

/// Commands that are not ours: an attacker's data begins with `forged`.
fn foreign(log: &str) -> Vec<Command> {
    let ours = [
        "add-mask", "group", "endgroup", "notice", "warning", "error",
    ];
    let found = commands(log.as_bytes()).into_iter();
    found
        .filter(|command| {
            !ours.contains(&command.name.as_str())
                || command.data.trim_start().starts_with("forged")
        })
        .collect()
}

#[test]
fn a_hostile_dockerfile_gives_the_runner_no_command() {
    let run = publish(DOCKERFILE);
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    output_of(process("docker").args([
        "image",
        "rm",
        "localhost/real-engine/hostile:v1.2.3",
        "localhost/real-engine/hostile:latest",
    ]));
    assert_eq!(foreign(&run.stdout), [], "{}", run.stdout);
    assert_eq!(foreign(&run.stderr), []);
    for shown in [
        "stop-commands",
        "bytes more)",
        "output clipped",
        "\u{200b}::error::forged\n",
    ] {
        assert!(run.stdout.contains(shown), "{shown}: {}", run.stdout);
    }
    assert!(run.output("digest").starts_with("sha256:"));
}

#[test]
fn a_hostile_failure_is_one_error_in_its_place() {
    let long = "x".repeat(60_000);
    let failing = format!(
        "FROM testbed/debian:trixie\n# ::error::forged\nRUN printf '::error::forged\\r##[error]forged\\n'; : ::error::forged '##[error]forged' {long}; exit 3\n# ##[error]forged\n"
    );
    let run = publish(&failing);
    assert!(!run.succeeded);
    assert_eq!(foreign(&run.stdout), [], "{}", run.stdout);
    let errors = commands(run.stderr.as_bytes());
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(run.stderr.starts_with("::error file=Dockerfile,line=3,title=ghcr-publish::the build failed at `[2/2] RUN printf"), "{}", run.stderr);
    assert!(
        errors[0].data.contains("exit code: 3"),
        "{}",
        errors[0].data
    );
    assert!(errors[0].data.len() < 8000, "{}", errors[0].data.len());
}
