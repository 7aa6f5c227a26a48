//! The input `part` and `mode: merge`: one image from several jobs.

use std::collections::BTreeMap;

use expect_test::expect;
use ghcr_double::{Double, Endpoint, Fault};
use serde_json::Value;

use crate::publication::{NAME, registry};
use crate::support::{Action, Run};

const PLATFORMS: &str = "linux/amd64,linux/arm64";
const AMD64: &str = "linux/amd64";
const ARM64: &str = "linux/arm64";

fn job(double: &Double) -> Action {
    let action = Action::publishing("push_branch", double);
    let state = action.path("state").display().to_string();
    action
        .env("GITHUB_RUN_ID", "42")
        .env("GITHUB_STATE", state)
        .input("platforms", PLATFORMS)
        .input("tags", "type=ref,event=branch\ntype=sha")
}

/// A job that builds the image of one platform, with a builder that can push by digest.
fn part(double: &Double, platform: &str) -> Action {
    let digest = double.put_platform_image(NAME, platform);
    job(double)
        .input("driver", "remote")
        .input("endpoint", "tcp://127.0.0.1:9")
        .input("part", platform)
        .buildx_pushes(&digest)
}

/// The tags of the repository without those of the records.
fn tags(double: &Double) -> BTreeMap<String, String> {
    let mut tags = double.tags(NAME);
    tags.retain(|tag, _| !tag.starts_with("part-"));
    tags
}

/// What a reader sees of the log, without what differs from run to run.
fn log(run: &Run, double: &Double) -> String {
    let log = run.stable(&run.stdout, double.host());
    let lines = log.lines().filter(|line| !line.starts_with("::add-mask::"));
    let lines = lines.filter(|line| !line.starts_with("creating the builder"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn two_jobs_publish_one_image_without_a_merge_job() {
    let double = registry().start().unwrap();
    let first = part(&double, AMD64).run();
    assert!(first.succeeded, "{}", first.stderr);
    let outputs = [
        "pushed", "complete", "digest", "ref", "tags", "subjects", "digests",
    ];
    assert_eq!(
        outputs.map(|name| first.output(name)),
        ["true", "false", "", "", "", "", ""]
    );
    assert!(first.output("part-digest").starts_with("sha256:"));
    assert_eq!(tags(&double), BTreeMap::new());
    expect![[r#"
        Push access to <registry>/acme/widget: OK
        Pushed linux/amd64: sha256:d41a8bedca7607ebf8317f657342d13f374c18df27845f704fc9b3d11880da7b
        linux/arm64 is not there yet, looking again
        The image is not complete: linux/arm64 is missing; the job that pushes the last part completes the image
        part     sha256:d41a8bedca7607ebf8317f657342d13f374c18df27845f704fc9b3d11880da7b (linux/amd64)
        missing  linux/arm64
    "#]].assert_eq(&log(&first, &double));
    expect![[r#"
        ### 🧩 `<registry>/acme/widget`: linux/amd64 pushed, the image is not complete

        Missing: linux/arm64. The job that pushes the last part completes the image.

        | | |
        |---|---|
        | Part | `sha256:d41a8bedca7607ebf8317f657342d13f374c18df27845f704fc9b3d11880da7b` |

    "#]]
    .assert_eq(&first.stable(&first.summary, double.host()));

    let last = part(&double, ARM64).run();
    assert!(last.succeeded, "{}", last.stderr);
    assert_eq!(
        (last.output("pushed"), last.output("complete")),
        ("true", "true")
    );
    let digest = last.output("digest");
    let shown: Vec<String> = tags(&double).into_values().collect();
    assert_eq!(shown, [digest, digest]);
    assert_eq!(last.output("tags").lines().count(), 2);
    let platforms: Value = serde_json::from_str(last.output("platform-digests")).unwrap();
    assert_eq!(platforms[AMD64], first.output("part-digest"));
    assert_eq!(platforms[ARM64], last.output("part-digest"));
    let (_, index) = double.manifest(NAME, digest).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    assert_eq!(
        index["annotations"]["org.opencontainers.image.source"],
        "https://github.com/acme/Widget"
    );
    let log = log(&last, &double);
    let text = format!("Every part is there: the image is {digest}\n");
    assert!(log.contains(&text), "{log}");
}

#[test]
fn the_post_step_completes_what_a_late_record_left() {
    let double = registry().start().unwrap();
    let hidden = Fault::on(Endpoint::ManifestRead)
        .path("linux-amd64")
        .missing();
    double.script(hidden.always());
    let first = part(&double, AMD64).run();
    let last = part(&double, ARM64).run();
    assert_eq!(
        (first.output("complete"), last.output("complete")),
        ("false", "false")
    );
    assert!(last.noted("state").contains("incomplete_part=true\n"));
    let post = || {
        let action = part(&double, ARM64).env("STATE_incomplete_part", "true");
        action.arguments(&["post"]).run()
    };
    let early = post();
    assert!(early.succeeded, "{}", early.stderr);
    assert_eq!(
        (log(&early, &double).as_str(), tags(&double).len()),
        ("", 0)
    );
    double.clear_script();
    let late = post();
    assert!(late.succeeded, "{}", late.stderr);
    assert_eq!(tags(&double).len(), 2);
    late.assert_summary("published");
    let again = post();
    assert_eq!(
        (log(&again, &double).as_str(), again.summary.as_str()),
        ("", "")
    );
}

#[test]
fn a_job_of_its_own_merges_the_parts() {
    let double = registry().start().unwrap();
    let merge = || job(&double).input("mode", "merge").without("PATH").run();
    let missing = merge();
    assert!(!missing.succeeded);
    expect![[r#"
        ::error title=ghcr-publish::the parts of linux/amd64, linux/arm64 are missing
          because: no job of this run has recorded them
          fix: see why the jobs that build them failed, or set `merge-timeout` to a longer time; the inputs that describe the image must be the same in every job
    "#]].assert_eq(&missing.errors(double.host()));
    let run = part(&double, AMD64).run();
    assert!(run.succeeded, "{}", run.stderr);
    merge().assert_error("the parts of linux/arm64 are missing");
    let complete = part(&double, ARM64).run();
    let merged = merge();
    assert!(merged.succeeded, "{}", merged.stderr);
    assert_eq!(merged.output("digest"), complete.output("digest"));
}

#[test]
fn a_job_that_may_not_push_builds_its_part_only() {
    let double = registry().start().unwrap();
    let run = part(&double, ARM64).input("push", "false").run();
    assert!(run.succeeded, "{}", run.stderr);
    assert_eq!(run.output("pushed"), "false");
    let arguments = run.noted("arguments");
    assert!(
        arguments.contains("--platform=linux/arm64\n"),
        "{arguments}"
    );
    assert!(!arguments.contains("amd64"), "{arguments}");
    assert_eq!(double.tags(NAME).len(), 0);
}

#[test]
fn the_plan_says_which_part_is_built() {
    let double = registry().start().unwrap();
    let run = part(&double, ARM64).arguments(&["plan"]).run();
    run.assert_log("part     linux/arm64; other jobs of the run build linux/amd64\n");
}

#[test]
fn job_of_a_release_that_exists_builds_nothing() {
    let double = registry().start().unwrap();
    let release = |platform: &str| {
        part(&double, platform)
            .env("GITHUB_REF", "refs/tags/v1.2.3")
            .input("tags", "type=semver,pattern={{version}}")
            .run()
    };
    assert!(release(AMD64).succeeded);
    let complete = release(ARM64);
    assert!(complete.succeeded, "{}", complete.stderr);
    let digest = complete.output("digest");
    assert_eq!(double.tags(NAME)["1.2.3"], digest);
    let again = release(AMD64);
    assert!(again.succeeded, "{}{}", again.stdout, again.stderr);
    assert_eq!(again.noted("calls"), "", "something was built");
    let outputs = ["reused", "complete", "digest"].map(|name| again.output(name));
    assert_eq!(outputs, ["true", "true", digest]);
}
