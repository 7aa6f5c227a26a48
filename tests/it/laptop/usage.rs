//! The command line: its help, and the exit status.

use expect_test::expect_file;

use super::wrong_usage;
use crate::publication::{PUSHED, registry_with_image};
use crate::support::{Action, Run, TOKEN};

fn help() -> String {
    let run = Action::new().arguments(&["--help"]).run();
    assert!(run.succeeded && run.stderr.is_empty());
    run.stdout
}

#[test]
fn help_is_as_expected() {
    expect_file!["help.txt"].assert_eq(&help());
}

/// The commands in the examples, as their words.
fn examples(help: &str) -> Vec<Vec<String>> {
    let (_, examples) = help.split_once("\nExamples:\n").unwrap();
    let lines = examples.lines().map(str::trim);
    let commands = lines.filter_map(|line| {
        let (_, command) = line.split_once("ghcr-publish ")?;
        Some(command.trim_end_matches(")\""))
    });
    let words = |command: &str| command.split(' ').map(str::to_owned).collect();
    commands.map(words).collect()
}

#[test]
fn every_mode_has_an_example_and_every_example_is_accepted() {
    let examples = examples(&help());
    let modes = [
        "publish", "plan", "check", "verify", "merge", "cleanup", "restore",
    ];
    for mode in modes {
        let mut named = examples.iter().map(|example| example[0].as_str());
        assert!(named.any(|named| named == mode), "{mode}");
    }
    for example in examples {
        let (double, digest) = registry_with_image(PUSHED);
        let arguments: Vec<&str> = example.iter().map(String::as_str).collect();
        let run = Action::publishing("push_tag", &double)
            .without("GITHUB_ACTIONS")
            .buildx_pushes(&digest)
            .input("push-timeout", "1s")
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .arguments(&arguments)
            .run();
        assert_ne!(run.status, Some(2), "{example:?}: {}", run.stderr);
    }
}

/// The reference has a row for the exit status.
#[track_caller]
fn is_documented(run: &Run, status: i32) {
    assert_eq!(run.status, Some(status), "{}{}", run.stdout, run.stderr);
    let reference = include_str!("../../../docs/reference.md");
    let (_, table) = reference.split_once("| Status | Meaning |\n").unwrap();
    let table = table.split("\n\n").next().unwrap();
    assert_eq!(table.lines().count(), 4, "{table}");
    let row = format!("\n| {status} | ");
    assert!(table.contains(&row), "{table}");
}

#[test]
fn exit_status_is_as_documented() {
    let run = |arguments: &[&str]| {
        let action = Action::new().event("push_tag").without("GITHUB_ACTIONS");
        let action = action.buildx("exit 1").input("github-token", TOKEN);
        action.arguments(arguments).run()
    };
    is_documented(&run(&["plan"]), 0);
    is_documented(&run(&["--version"]), 0);
    is_documented(&run(&["plan", "--with", "push=perhaps"]), 1);
    is_documented(&run(&["plan", "--event", "pull-request"]), 1);
    is_documented(&run(&["publish", "--with", "push=false"]), 1);
    is_documented(&run(&["plan", "--with", "tagz=1"]), 2);
    is_documented(&run(&["plan", "--colour"]), 2);
    let action = Action::new().event("push_tag").buildx("exec sleep 30");
    let action = action.input("push", "false").arguments(&["publish"]);
    is_documented(&action.run_until_building(), 1);
}

#[test]
fn argument_of_another_mode_is_an_error() {
    for (arguments, expected) in [
        (
            &["publish", "--event", "push"][..],
            "`--event` is an argument of `plan`",
        ),
        (
            &["check", "--ref", "refs/heads/main"],
            "`--ref` is an argument of `plan` and `verify`",
        ),
        (
            &["verify", "x.io/a/b:1", "--event", "push"],
            "`--event` is an argument of `plan`",
        ),
        (&["plan", "-v", "-q"], "cannot be used with"),
    ] {
        let said = wrong_usage(arguments);
        assert!(said.contains(expected), "{said}");
    }
}
