//! What goes to stdout and what to stderr.

use expect_test::expect;
use ghcr_double::{Double, Endpoint, Fault, Package};

use crate::publication::{NAME, PUSHED, registry, registry_with_image};
use crate::support::{Action, Run, TOKEN};

/// A publication of a release by a person.
fn publication(double: &Double, digest: &str) -> Action {
    Action::publishing("push_tag", double)
        .without("GITHUB_ACTIONS")
        // The shell in front of a terminal passes on no name with a `-`.
        .env("INPUT_GITHUB_TOKEN", TOKEN)
        .buildx_pushes(digest)
        .arguments(&["publish"])
}

fn doubles() -> (Double, String, String) {
    let (double, digest) = registry_with_image(PUSHED);
    let reference = format!("{}/{NAME}@{digest}\n", double.host());
    (double, digest, reference)
}

fn streams(run: &Run) -> (&str, &str, bool) {
    (&run.stdout, &run.stderr, run.succeeded)
}

#[test]
fn stdout_is_the_reference_alone() {
    let (double, digest, reference) = doubles();
    let run = publication(&double, &digest).run();
    assert_eq!(run.stdout, reference, "{}", run.stderr);
    assert!(run.stderr.contains("Push access to "), "{}", run.stderr);
    assert!(run.stderr.contains("tag      "), "{}", run.stderr);
}

/// `$(ghcr-publish publish)` is one word.
#[test]
fn several_names_give_the_reference_of_the_first() {
    let other = Package::of("acme/Widget");
    let double = registry().package("acme/other", other).start().unwrap();
    let digest = double.put_image(NAME, PUSHED, &[]);
    double.put_image("acme/other", PUSHED, &[]);
    let names = [NAME, "acme/other"].map(|name| format!("{}/{name}", double.host()));
    let action = publication(&double, &digest).input("images", names.join("\n"));
    let run = action.run();
    let reference = format!("{}@{digest}\n", names[0]);
    assert_eq!(run.stdout, reference, "{}", run.stderr);
}

#[test]
fn nothing_is_on_stdout_unless_an_image_was_published() {
    let (double, digest, _) = doubles();
    let run = publication(&double, &digest).input("push", "false").run();
    assert_eq!((run.stdout.as_str(), run.succeeded), ("", true));
    double.script(Fault::on(Endpoint::BlobPost).answer(403).always());
    let run = publication(&double, &digest).run();
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)));
}

/// The shell starts the command around `$(...)` whatever the exit status is.
#[test]
fn publication_that_fails_after_the_push_gives_no_reference() {
    let (double, digest, _) = doubles();
    double.script(Fault::on(Endpoint::TagPut).answer(403).always());
    let run = publication(&double, &digest).run();
    assert_eq!((run.stdout.as_str(), run.status), ("", Some(1)));
    run.assert_error(&digest);
}

#[test]
fn terminal_shows_the_log_and_no_reference_after_it() {
    let (double, digest, reference) = doubles();
    let run = publication(&double, &digest).run_on_a_terminal();
    assert!(run.succeeded, "{}", run.stdout);
    assert!(run.stdout.contains("digest   sha256:"), "{}", run.stdout);
    assert!(!run.stdout.contains(reference.trim_end()), "{}", run.stdout);
}

#[test]
fn in_actions_the_log_is_on_stdout() {
    let (double, digest, reference) = doubles();
    let action = Action::publishing("push_tag", &double).buildx_pushes(&digest);
    let run = action.arguments(&["publish"]).run();
    assert!(run.succeeded && run.stderr.is_empty(), "{}", run.stderr);
    assert!(run.stdout.contains("digest   sha256:"), "{}", run.stdout);
    assert!(!run.stdout.contains(&reference), "{}", run.stdout);
}

#[test]
fn quiet_run_prints_warnings_and_errors_only() {
    let (double, digest, reference) = doubles();
    let quiet = || publication(&double, &digest).arguments(&["publish", "--quiet"]);
    assert_eq!(streams(&quiet().run()), (reference.as_str(), "", true));
    let run = quiet().input("tagz", "x").input("push", "false").run();
    expect![[r#"
        warning: the unknown input `tagz` is ignored; did you mean `tags`?
    "#]]
    .assert_eq(&run.stderr);
    let run = quiet().buildx("echo broken >&2; exit 1").run();
    assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    assert_eq!(run.status, Some(1));
    let (double, digest, _) = doubles();
    let quiet = publication(&double, &digest).arguments(&["publish", "--quiet"]);
    assert_eq!(streams(&quiet.run_on_a_terminal()), ("", "", true));
}

#[test]
fn quiet_run_in_actions_masks_secrets_all_the_same() {
    let (double, digest, _) = doubles();
    let action = Action::publishing("push_tag", &double).buildx_pushes(&digest);
    let action = action.env("RUNNER_DEBUG", "1");
    let run = action.arguments(&["publish", "-q"]).run();
    assert!(run.succeeded, "{}", run.stderr);
    let mut lines = run.stdout.lines().peekable();
    assert!(lines.peek().is_some());
    assert!(
        lines.all(|line| line.starts_with("::add-mask::")),
        "{}",
        run.stdout
    );
    assert_eq!(run.output("pushed"), "true");
}

/// The answer of each mode is on stdout, also of a quiet run, and its log is on stderr.
#[test]
fn answer_of_each_mode_is_on_stdout() {
    let (double, digest, _) = doubles();
    let image = format!("{}/{NAME}:{PUSHED}", double.host());
    for (arguments, answer) in [
        (&["plan", "-q"][..], "publish  "),
        (&["check", "-q"], "Push access to "),
        (&["verify", "-q", &image], "✓ "),
    ] {
        let run = publication(&double, &digest).arguments(arguments).run();
        assert!(run.stdout.starts_with(answer), "{}", run.stdout);
        assert!(!run.stderr.contains(answer), "{}", run.stderr);
    }
}

#[test]
fn with_json_the_answer_is_in_the_log() {
    let (double, digest, _) = doubles();
    let action = publication(&double, &digest).arguments(&["check", "--json"]);
    let run = action.run();
    assert!(
        run.stdout.starts_with("{\"mode\":\"check\""),
        "{}",
        run.stdout
    );
    assert!(run.stderr.contains("Push access to "), "{}", run.stderr);
}
