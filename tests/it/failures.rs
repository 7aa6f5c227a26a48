//! What goes wrong, in the words the user reads: nothing pushed, exit status 1, every output written.

use std::fs;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use ghcr_double::{Denial, Endpoint, Fault, Package};

use crate::publication::PUSHED;
use crate::publication::{empty_registry, registry, registry_with_image};
use crate::support::{Action, Run, TOKEN, without_environment};

#[expect(
    clippy::needless_pass_by_value,
    reason = "a snapshot is written where it is used"
)]
#[track_caller]
fn check(run: Run, expected: Expect) {
    assert!(!run.succeeded, "{}", run.stdout);
    let text = run.stderr.replace("%0A", "\n");
    let text = text.replace('\u{200b}', "<zero-width space>");
    expected.assert_eq(&run.stable(&text, "no host"));
    assert_eq!(run.output("pushed"), "false");
    assert!(run.summary.starts_with("### ❌ "), "{}", run.summary);
}

fn tag_push() -> Action {
    Action::new().event("push_tag").input("github-token", TOKEN)
}

#[test]
fn repository_is_required_outside_a_checkout() {
    check(
        Action::new().arguments(&["publish"]).run(),
        expect![[r#"
        error: the repository is unknown: `GITHUB_REPOSITORY` is not set
          because: this directory is not a git checkout either
          fix: run inside a checkout with a remote `origin`, or set `GITHUB_REPOSITORY`
    "#]],
    );
}

#[test]
fn a_payload_must_be_json() {
    let action = tag_push();
    fs::write(action.path("event"), "{").unwrap();
    let path = action.path("event").display().to_string();
    check(
        action.env("GITHUB_EVENT_PATH", &path).run(),
        expect![[r#"
        ::error title=ghcr-publish::the event payload at `<directory>/event` is not JSON
          because: EOF while parsing an object at line 1 column 1
          fix: set `GITHUB_EVENT_PATH` to the payload that the runner wrote (with act: the file given to `--eventpath`)
    "#]],
    );
}

#[test]
fn invalid_image_name_is_rejected() {
    check(
        tag_push().env("GITHUB_REPOSITORY", "acme/.github").run(),
        expect![[r#"
            ::error title=ghcr-publish::`ghcr.io/acme/.github` is not a valid image name
              because: the part `.github` breaks the rule `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
              fix: write `images: <registry>/<owner>/<name>` with letters, digits and single `.`, `_` or `-` between them, for example `ghcr.io/acme/widget`
        "#]],
    );
}

#[test]
fn missing_dockerfile_is_reported() {
    check(
        tag_push().input("context", "examples/hello").run(),
        expect![[r#"
            ::error title=ghcr-publish::invalid value `examples/hello` for the input `context`
              because: it cannot be read: No such file or directory (os error 2)
              fix: check the path; paths start at the root of the checkout
        "#]],
    );
}

#[test]
fn unreachable_engine_is_reported() {
    let double = empty_registry().start().unwrap();
    let action = tag_push()
        .input("registry", double.host())
        .buildx("exit 1")
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    check(
        action.run(),
        expect![[r#"
        ::error title=ghcr-publish::cannot reach the Docker engine at `/nowhere/docker.sock`
          because: No such file or directory (os error 2)
          fix: run the job on a runner with Docker, for example `runs-on: ubuntu-latest`; on a self-hosted runner, start the engine and make this socket available
    "#]],
    );
}

#[test]
fn unreachable_registry_is_reported() {
    // Port 9 is the discard service's; nothing listens there.
    let run = tag_push()
        .buildx("exit 1")
        .input("registry", "127.0.0.1:9")
        .run();
    assert_eq!(run.noted("arguments"), "", "the build was started");
    check(
        run,
        expect![[r#"
            ::error title=ghcr-publish::cannot reach the registry `127.0.0.1:9`
              because: cannot connect to `127.0.0.1:9`: 127.0.0.1:9 did not respond: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
              fix: check the host in `registry` or `images`, and that the registry is running
        "#]],
    );
}

#[test]
fn denied_push_fails_before_build() {
    let double = empty_registry()
        .package("acme/widget", Package::unlinked())
        .start()
        .unwrap();
    let started = Instant::now();
    let run = tag_push()
        .buildx("exit 1")
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .input("registry", double.host())
        .run();
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(run.noted("arguments"), "", "the build was started");
    // What its tags show is read meanwhile.
    let requests = double.requests();
    let questions = requests
        .iter()
        .filter(|seen| seen.endpoint != Endpoint::ManifestRead);
    assert!(
        questions.count() <= 3 && requests.len() <= 5,
        "{requests:?}"
    );
    let text = run.errors(double.host());
    expect![[r#"
        ::error title=ghcr-publish::cannot push `<registry>/acme/widget`: <registry> answered 403 DENIED: permission_denied: write_package
          because: the package exists, and this repository has no write access to it
          fix: open https://github.com/orgs/acme/packages/container/widget/settings → Manage Actions access → add acme/Widget with role Write; if it is listed there, add `packages: write` to the job's `permissions:`
    "#]].assert_eq(&text);
    assert!(!run.succeeded);
}

/// What tags show is read only with a token, also while another name waits for its own.
#[test]
fn push_that_the_token_endpoint_denies_reads_no_tag() {
    let double = empty_registry().start().unwrap();
    let late = Fault::on(Endpoint::Token).after(1).always();
    double.script(late.hang(Duration::from_millis(500)));
    let host = double.host();
    let run = tag_push()
        .buildx("exit 1")
        .input("github-token", "ghs_of-nobody")
        .input("images", format!("{host}/acme/one\n{host}/acme/two"))
        .run();
    assert!(!run.succeeded);
    assert!(double.count(Endpoint::Token) > 1);
    let reads = double.count(Endpoint::ManifestRead);
    assert_eq!(reads, 0, "{:?}", double.requests());
}

#[test]
fn failing_instruction_is_shown_with_its_line() {
    let double = empty_registry().start().unwrap();
    let progress = r#"
cat >&2 <<'END'
{"vertexes":[{"digest":"sha256:1","name":"[2/2] RUN make","started":"2026-01-01T00:00:00Z"}]}
{"logs":[{"vertex":"sha256:1","stream":2,"data":"OjplcnJvcjo6Zm9yZ2VkCiMjW2Vycm9yXWZvcmdlZAptYWtlOiAqKiogbm8gcnVsZQo="}]}
{"vertexes":[{"digest":"sha256:1","name":"[2/2] RUN make","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:02Z","error":"process \"/bin/sh -c make\" did not complete successfully: exit code: 2"}]}
Dockerfile:2
--------------------
   1 |     FROM debian
   2 | >>> RUN make
--------------------
ERROR: failed to build: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2
END
exit 1"#;
    let run = tag_push()
        .buildx(progress)
        .input("registry", double.host())
        .run();
    let log = without_environment(&run.stdout)
        .lines()
        .skip_while(|line| !line.starts_with("::group::"))
        .collect::<Vec<_>>()
        .join("\n")
        .replace('\u{200b}', "<zero-width space>");
    expect![[r#"
        ::group::[2/2] RUN make
        <zero-width space>::error::forged
        ##<zero-width space>[error]forged
        make: *** no rule
        ::endgroup::
          failed after 2.0 s"#]]
    .assert_eq(&log);
    check(
        run,
        expect![[r#"
            ::error file=Dockerfile,line=2,title=ghcr-publish::the build failed at `[2/2] RUN make`
              because: process "/bin/sh -c make" did not complete successfully: exit code: 2
              the source:
                   1 |     FROM debian
                   2 | >>> RUN make
              the last lines of the step's log:
                <zero-width space>::error::forged
                ##<zero-width space>[error]forged
                make: *** no rule
              fix: correct line 2 of `Dockerfile`
        "#]],
    );
}

#[test]
fn mistyped_target_lists_stages() {
    let double = registry().start().unwrap();
    let failed = r#"echo 'ERROR: failed to build: failed to solve: target stage "buld" could not be found' >&2; exit 1"#;
    let action = tag_push().buildx(failed).input("registry", double.host());
    let dockerfile = action.path("workspace/Dockerfile");
    std::fs::write(dockerfile, "FROM scratch AS build\nFROM scratch\n").unwrap();
    check(
        action.input("target", "buld").run(),
        expect![[r#"
            ::error title=ghcr-publish::the build failed
              because: target stage "buld" could not be found
              fix: set the input `target` to a stage of `Dockerfile`: `build`
        "#]],
    );
}

#[test]
fn rejected_credentials_of_other_registry_get_no_github_advice() {
    let said = r#"echo 'ERROR: failed to push quay.io/acme/widget:v1.2.3: unauthorized: authentication required' >&2; exit 1"#;
    let progress = r#"echo '{"vertexes":[{"digest":"sha256:p","name":"pushing quay.io/acme/widget:v1.2.3 with docker","started":"2026-01-01T00:00:00Z"}]}' >&2; echo '{"vertexes":[{"digest":"sha256:p","name":"pushing quay.io/acme/widget:v1.2.3 with docker","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:01Z","error":"unauthorized: authentication required"}]}' >&2"#;
    let double = registry().start().unwrap();
    let run = tag_push()
        .buildx(&format!("{progress}\n{said}"))
        .input("registry", double.host())
        .run();
    assert!(!run.succeeded);
    let fix = "fix: check the user name and password for ";
    run.assert_error(fix);
    assert!(!run.stderr.contains("packages: write"), "{}", run.stderr);
}

#[test]
fn pushed_image_is_reported_although_a_tag_was_denied() {
    let (double, digest) = registry_with_image(PUSHED);
    double.script(
        Fault::on(Endpoint::TagPut)
            .always()
            .deny(&Denial::WritePackage),
    );
    let run = Action::publishing("push_tag", &double)
        .buildx_pushes(&digest)
        .run();
    assert!(!run.succeeded);
    assert_eq!(
        (run.output("pushed"), run.output("digest")),
        ("true", digest.as_str())
    );
    assert_eq!(run.output("tags"), "");
    let text = run.errors(double.host()).replace(&digest, "<digest>");
    expect![[r#"
        ::error title=ghcr-publish::`<registry>/acme/widget@<digest>` was pushed, but not all of its tags were moved
          because: <registry> answered 403 DENIED: permission_denied: write_package: the package exists, and this repository has no write access to it
          fix: open https://github.com/orgs/acme/packages/container/widget/settings → Manage Actions access → add acme/Widget with role Write; if it is listed there, add `packages: write` to the job's `permissions:`; then run the job again once the registry works: the tags are moved then
    "#]].assert_eq(&text);
}

#[test]
fn wrong_content_fails_verification() {
    let double = registry().start().unwrap();
    let digest = format!("sha256:{}", "0".repeat(64));
    let other = double.put_image("acme/widget", PUSHED, &[]);
    let (media_type, bytes) = double.manifest("acme/widget", &other).unwrap();
    double.script(
        Fault::on(Endpoint::ManifestRead)
            .path(&digest)
            .always()
            .answer(200)
            .body(&media_type, std::str::from_utf8(&bytes).unwrap()),
    );
    let run = Action::publishing("push_tag", &double)
        .buildx_pushes(&digest)
        .run();
    assert!(!run.succeeded);
    run.assert_error(format!("sent content with digest {other} for {digest}"));
    assert_eq!((run.output("pushed"), run.output("tags")), ("false", ""));
}

#[test]
fn cancelled_run_leaves_no_credentials_behind() {
    let double = empty_registry().start().unwrap();
    let run = tag_push()
        .buildx("exec sleep 20")
        .input("registry", double.host())
        .run_until_building();
    let environment = run.noted("environment");
    let mut lines = environment.lines();
    let directory = lines.find_map(|line| line.strip_prefix("DOCKER_CONFIG="));
    let directory = directory.unwrap();
    assert!(directory.contains("ghcr-publish-"), "{directory}");
    assert!(!std::path::Path::new(directory).exists(), "{directory}");
    check(
        run,
        expect![[r#"
        ::error title=ghcr-publish::the run was cancelled
          fix: run it again; the log lists what was published before the cancel
    "#]],
    );
}

/// A publication whose image is in the registry, with one place of the runner that cannot be written: a file
/// that is a directory, or a directory that is a file.
fn with_unwritable(variable: &str) -> Run {
    let (double, digest) = registry_with_image(PUSHED);
    let action = Action::publishing("push_tag", &double).buildx_pushes(&digest);
    let place = match variable {
        "RUNNER_TEMP" => action.path("workspace/Dockerfile"),
        _ => action.path("home"),
    };
    let run = action.env(variable, place.display().to_string()).run();
    run.assert_log(format!("digest   {digest}"));
    run
}

#[test]
fn an_unwritable_summary_is_a_warning() {
    let run = with_unwritable("GITHUB_STEP_SUMMARY");
    assert!(run.succeeded, "{}", run.stderr);
    let warning = "::warning title=ghcr-publish::cannot write the summary";
    run.assert_log(warning);
    assert_eq!(run.output("pushed"), "true");
}

#[test]
fn unwritable_bake_files_are_a_warning() {
    let run = with_unwritable("RUNNER_TEMP");
    assert!(run.succeeded, "{}", run.stderr);
    let warning = "::warning title=ghcr-publish::cannot write the bake files";
    run.assert_log(warning);
    assert_eq!(
        (run.output("pushed"), run.output("bake-file")),
        ("true", "")
    );
    run.assert_summary("is published");
}

/// A publication that also writes variables and the list of artifacts, where one place cannot be written.
fn with_all_places_but(variable: &str) -> (Run, [bool; 4]) {
    let (double, digest) = registry_with_image(PUSHED);
    let places = ["GITHUB_ENV", "GITHUB_ARTIFACTS"];
    let action = Action::publishing("push_tag", &double)
        .buildx_pushes(&digest)
        .env("DOCKER_METADATA_SET_OUTPUT_ENV", "true");
    let action = places.into_iter().fold(action, |action, place| {
        let path = action.path(place).display().to_string();
        action.env(place, path)
    });
    let directory = action.path("home").display().to_string();
    let run = action.env(variable, directory).run();
    let written = [
        run.outputs.contains_key("digest"),
        run.noted("GITHUB_ENV")
            .contains("DOCKER_METADATA_OUTPUT_TAGS"),
        !run.noted("GITHUB_ARTIFACTS").is_empty(),
        run.summary.contains("is published"),
    ];
    (run, written)
}

#[test]
fn one_unwritable_output_does_not_block_others() {
    let places = [
        "GITHUB_OUTPUT",
        "GITHUB_ENV",
        "GITHUB_ARTIFACTS",
        "GITHUB_STEP_SUMMARY",
    ];
    for (number, place) in places.into_iter().enumerate() {
        let (run, written) = with_all_places_but(place);
        let mut expected = [true; 4];
        expected[number] = false;
        assert_eq!(written, expected, "{place}: {}{}", run.stdout, run.stderr);
        assert_eq!(run.succeeded, place == "GITHUB_STEP_SUMMARY", "{place}");
    }
}

#[test]
fn unwritable_outputs_are_an_error_after_the_result() {
    let run = with_unwritable("GITHUB_OUTPUT");
    assert_eq!(run.status, Some(1));
    run.assert_error("cannot write the outputs");
    run.assert_summary("is published");
}
