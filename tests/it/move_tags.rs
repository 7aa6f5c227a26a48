//! `move-tags`: tags wait for the tests, in the post step or in a later job.

use std::fs;

use expect_test::expect;
use ghcr_double::Double;
use serde_json::Value;

use crate::publication::{NAME, registry};
use crate::support::{Action, Run};

/// A registry with the image that `buildx` claims to push by its digest.
fn registry_with_build() -> (Double, String) {
    let double = registry().start().unwrap();
    let digest = double.put_platform_image(NAME, "linux/amd64");
    (double, digest)
}

fn job(double: &Double) -> Action {
    let action = Action::publishing("push_tag", double);
    let at = |name: &str| action.path(name).display().to_string();
    let (state, variables) = (at("state"), at("variables"));
    action
        .env("GITHUB_RUN_ID", "42")
        .env("GITHUB_STATE", state)
        .env("GITHUB_ENV", variables)
        .input("job-status", "success")
}

fn build(double: &Double, digest: &str, moves: &str) -> Action {
    job(double)
        .input("driver", "remote")
        .input("endpoint", "tcp://127.0.0.1:9")
        .input("move-tags", moves)
        .buildx_pushes(digest)
}

#[track_caller]
fn succeeded(action: Action) -> Run {
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run
}

/// The state that a step left for its post step.
fn staged(run: &Run) -> String {
    let state = run.noted("state");
    let line = state.lines().find_map(|line| line.strip_prefix("staged="));
    line.unwrap().to_owned()
}

fn post(double: &Double, staged: &str, status: &str) -> Run {
    let action = job(double)
        .env("STATE_staged", staged)
        .input("job-status", status)
        .input("move-tags", "after-job")
        .input("attest", "false")
        .input("tags", "evaluated-differently");
    action.arguments(&["post"]).run()
}

#[test]
fn tags_move_in_the_post_step_of_a_job_that_succeeds() {
    let (double, digest) = registry_with_build();
    let run = succeeded(build(&double, &digest, "after-job"));
    let outputs = ["digest", "pushed", "tags", "tag-names", "staged"];
    assert_eq!(
        outputs.map(|name| run.output(name)),
        [&digest, "true", "", "v1.2.3\nlatest", ""]
    );
    assert!(run.output("ref").ends_with(&digest));
    assert_eq!(double.tags(NAME).len(), 0);
    run.assert_log("tags     move when the job has succeeded");
    run.assert_summary("pushed and verified, not tagged yet");
    let staged = staged(&run);
    let ended = post(&double, &staged, "success");
    assert!(ended.succeeded, "{}{}", ended.stdout, ended.stderr);
    let tags = double.tags(NAME);
    assert_eq!([&tags["v1.2.3"], &tags["latest"]], [&digest, &digest]);
    assert_eq!(tags.len(), 2);
    let variables = ended.noted("variables");
    assert!(variables.starts_with("GHCR_PUBLISH_TAGS<<"), "{variables}");
    assert!(variables.contains(":v1.2.3\n"), "{variables}");
    ended.assert_summary("published");
    let again = post(&double, &staged, "success");
    assert!(again.succeeded, "{}", again.stderr);
    assert_eq!(double.tags(NAME), tags);
}

#[test]
fn no_tag_moves_after_a_job_that_did_not_succeed() {
    let (double, digest) = registry_with_build();
    let run = succeeded(build(&double, &digest, "after-job"));
    let staged = staged(&run);
    for (status, how) in [("failure", "failed"), ("cancelled", "was cancelled")] {
        let ended = post(&double, &staged, status);
        assert!(ended.succeeded, "{}", ended.stderr);
        ended.assert_summary(format!("built and verified, not tagged: the job {how}"));
    }
    for status in ["", "skipped", "Success!"] {
        let ended = post(&double, &staged, status);
        assert!(!ended.succeeded, "{status}: {}", ended.stdout);
        ended.assert_error("no tag was moved: it is not known whether the job succeeded");
    }
    assert_eq!(double.tags(NAME).len(), 0);
}

#[test]
fn a_state_of_another_run_or_none_moves_nothing() {
    let (double, digest) = registry_with_build();
    let run = succeeded(build(&double, &digest, "after-job"));
    let staged = staged(&run);
    let other_tag = staged.replace(r#""tag":"latest""#, r#""tag":"stable""#);
    let other_commit = [
        (
            "org.opencontainers.image.source",
            "https://github.com/acme/Widget",
        ),
        ("org.opencontainers.image.revision", "fedcba9"),
    ];
    let other_image = double.put_image(NAME, "other", &other_commit);
    let cases = [
        (
            staged.replace(&digest, &other_image),
            "is of another commit",
        ),
        (
            staged.replace(r#""run":"42""#, r#""run":"43""#),
            "it is of the run 43",
        ),
        (
            staged.replace("acme/Widget", "acme/other"),
            "it is of `acme/other`",
        ),
        (other_tag, "its tags are v1.2.3, stable"),
        (
            staged.replace(&digest, "latest"),
            "the state of the step is not one of this action",
        ),
        (
            "{}".to_owned(),
            "the state of the step is not one of this action",
        ),
    ];
    for (state, reason) in cases {
        let ended = post(&double, &state, "success");
        assert!(!ended.succeeded, "{state}: {}", ended.stdout);
        ended.assert_error(reason);
    }
    let none = post(&double, "", "success");
    assert!(none.succeeded, "{}", none.stderr);
    let tags: Vec<String> = double.tags(NAME).into_keys().collect();
    assert_eq!(tags, ["other"]);
}

#[test]
fn a_later_job_writes_the_tags_of_a_staged_image() {
    let (double, digest) = registry_with_build();
    let rules = "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}";
    let run = succeeded(build(&double, &digest, "never").input("tags", rules));
    assert_eq!(double.tags(NAME).len(), 0);
    let staged: Value = serde_json::from_str(run.output("staged")).unwrap();
    let tags: Vec<&str> = staged["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["tag"].as_str().unwrap())
        .collect();
    assert_eq!(
        (staged["digest"].as_str(), tags),
        (Some(digest.as_str()), vec!["1.2.3", "1", "latest"])
    );
    let release = || {
        job(&double)
            .input("candidate", run.output("staged"))
            .env("PATH", "/nowhere")
    };
    let overruled = release().input("tags", "edge").run();
    assert!(!overruled.succeeded);
    expect![[r#"
        ::error title=ghcr-publish::the input `tags` is set, and `candidate` is a staged image
          fix: remove `tags` here: names and tags are those that the other job planned
    "#]]
    .assert_eq(&overruled.errors(double.host()));
    let released = succeeded(release());
    assert_eq!(released.output("digest"), digest);
    for tag in ["1.2.3", "1", "latest"] {
        assert_eq!(double.tags(NAME)[tag], digest);
    }
}

#[test]
fn what_cannot_wait_for_the_job_is_refused_before_the_build() {
    let (double, digest) = registry_with_build();
    for (action, reason) in [
        (
            build(&double, &digest, "after-job").env("ACT", "true"),
            "does not work under act",
        ),
        (
            build(&double, &digest, "after-job").input("job-status", ""),
            "the input `job-status` is empty",
        ),
        (
            build(&double, &digest, "after-job")
                .input("platforms", "linux/amd64")
                .input("part", "linux/amd64"),
            "exclude each other",
        ),
    ] {
        let run = action.run();
        assert!(!run.succeeded, "{}", run.stdout);
        run.assert_error(reason);
        assert!(!fs::exists(run.path("calls")).unwrap());
    }
}

/// An engine that cannot push by digest writes a tag that no rule gives.
#[test]
fn an_engine_that_needs_a_tag_writes_that_of_the_commit() {
    let carrier = format!("sha-{}", crate::publication::COMMIT);
    let double = registry().start().unwrap();
    let digest = double.put_image(NAME, &carrier, &[]);
    let action = job(&double)
        .input("move-tags", "after-job")
        .buildx_pushes(&digest);
    let run = succeeded(action);
    assert_eq!(
        double.tags(NAME).into_keys().collect::<Vec<_>>(),
        [carrier.as_str()]
    );
    let ended = post(&double, &staged(&run), "success");
    assert!(ended.succeeded, "{}", ended.stderr);
    assert_eq!(double.tags(NAME)["latest"], digest);
}
