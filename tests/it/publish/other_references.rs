//! References that are written in addition to the tags: where they are listed, and when they are not.

use expect_test::expect;

use super::publish;
use crate::publication::registry_with_image;
use crate::support::{Action, TOKEN};

#[test]
fn extra_references_are_in_log_outputs_and_summary() {
    let own = "sha-0123456789abcdef0123456789abcdef01234567";
    let (double, digest) = registry_with_image(own);
    let run = publish("push_branch", &double, &digest)
        .input("cache", "registry")
        .input("builder", "mine")
        .run();
    assert!(run.succeeded, "{}", run.stderr);
    expect![[r#"
        <registry>/acme/widget:sha-0123456789abcdef0123456789abcdef01234567
        <registry>/acme/widget/cache:main"#]]
    .assert_eq(&run.stable(run.output("other-references"), double.host()));
    for reference in run.output("other-references").lines() {
        run.assert_log(format!("also     {reference}\n"));
        run.assert_summary(format!("`{reference}`"));
    }
    // docker/metadata-action lists what its rules give, and so does this output.
    assert_eq!(
        run.output("tags"),
        format!("{}/acme/widget:main", double.host())
    );
}

#[test]
fn plan_lists_extra_references() {
    let run = Action::new()
        .event("push_branch")
        .input("github-token", TOKEN)
        .input("cache", "registry")
        .arguments(&["plan"])
        .run();
    assert!(run.succeeded, "{}", run.stderr);
    let lines = run
        .stdout
        .lines()
        .skip_while(|line| !line.starts_with("publish"));
    let lines: Vec<&str> = lines
        .take_while(|line| !line.starts_with("rules"))
        .collect();
    expect![[r#"
        publish  ghcr.io/acme/widget:main
        also     ghcr.io/acme/widget:sha-0123456789abcdef0123456789abcdef01234567 (the first push; not needed when a builder is created for the run)
                 ghcr.io/acme/widget/cache:main (the build cache)
        floating main: move only forward"#]].assert_eq(&lines.join("\n"));
    expect![[r#"
        ghcr.io/acme/widget:sha-0123456789abcdef0123456789abcdef01234567
        ghcr.io/acme/widget/cache:main"#]]
    .assert_eq(run.output("other-references"));
    assert_eq!(run.output("tags"), "ghcr.io/acme/widget:main");
}

#[test]
fn unwritten_references_are_not_listed() {
    let (double, digest) = registry_with_image("sha-0123456789abcdef0123456789abcdef01234567");
    let branch = || publish("push_branch", &double, &digest).input("cache", "registry");
    let failed = branch().buildx("exit 1").run();
    assert!(!failed.succeeded);
    assert_eq!(failed.output("other-references"), "");
    let by_digest = branch()
        .input("driver", "remote")
        .input("endpoint", "tcp://127.0.0.1:1")
        .run();
    assert!(by_digest.succeeded, "{}", by_digest.stderr);
    let cache = format!("{}/acme/widget/cache:main", double.host());
    assert_eq!(by_digest.output("other-references"), cache);
    let promoted = branch()
        .input(
            "candidate",
            format!("{}/acme/widget@{digest}", double.host()),
        )
        .run();
    assert!(promoted.succeeded, "{}", promoted.stderr);
    assert_eq!(promoted.output("other-references"), "");
}

#[test]
fn failed_cache_export_is_not_listed() {
    let own = "sha-0123456789abcdef0123456789abcdef01234567";
    let (double, digest) = registry_with_image(own);
    let failed = r#"{"vertexes":[{"digest":"sha256:c","name":"exporting cache to registry","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:01Z","error":"denied"}]}"#;
    let run = publish("push_branch", &double, &digest)
        .buildx(&format!(
            "[ \"$1\" != build ] || {{ echo '{failed}' >&2; echo '{{\"containerimage.digest\":\"{digest}\"}}' > \"$metadata\"; }}"
        ))
        .input("cache", "registry")
        .input("builder", "mine")
        .run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    let pushed = format!("{}/acme/widget:{own}", double.host());
    assert_eq!(run.output("other-references"), pushed);
}
