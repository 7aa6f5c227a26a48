//! What a lost builder leaves in the log, and who removes a builder: the run, or the post step.

use expect_test::expect;

use super::{NOTHING_LEFT, calls, check, scripted, stable};
use crate::publication::registry;
use crate::support::without_environment;

const DIES: &str = "build) echo 'ERROR: failed to build: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF' >&2; exit 1;;";

#[test]
fn log_of_a_lost_builder_is_shown() {
    const ANSWERS: &[(&str, &str)] = &[
        (
            "GET /containers/json",
            r#"[{"Names":["/buildx_buildkit_mine0"]}]"#,
        ),
        (
            "GET /containers/buildx_buildkit_mine0/logs",
            "\u{2}\0\0\0\0\0\0\u{1b}out of memory\n::error::forged\n",
        ),
    ];
    let double = registry().start().unwrap();
    let run = scripted(DIES)
        .engine(ANSWERS)
        .input("registry", double.host())
        .input("builder", "mine")
        .run();
    assert!(!run.succeeded);
    let log = without_environment(&run.stdout);
    let log = log
        .lines()
        .skip_while(|line| !line.starts_with("::group::"));
    expect![[r#"
        ::group::the last 50 log lines of buildx_buildkit_mine0
        out of memory
        <zero-width space>::error::forged
        ::endgroup::"#]]
    .assert_eq(
        &log.collect::<Vec<_>>()
            .join("\n")
            .replace('\u{200b}', "<zero-width space>"),
    );
    let fix = "and read the builder's log above";
    run.assert_error(fix);
}

#[test]
fn a_failed_build_still_removes_the_builder() {
    const ANSWERS: &[(&str, &str)] = &[NOTHING_LEFT[0], NOTHING_LEFT[1]];
    let double = registry().start().unwrap();
    let run = scripted(DIES)
        .engine(ANSWERS)
        .input("registry", double.host())
        .input("driver", "docker-container")
        .run();
    assert!(!run.succeeded);
    expect![[r#"
        create --name=ghcr-publish-42-<own> --driver=docker-container
        inspect --bootstrap -- ghcr-publish-42-<own>
        build --builder=ghcr-publish-42-<own>
        rm --force -- ghcr-publish-42-<own>
    "#]]
    .assert_eq(&calls(&run));
    expect![[r#"
        ::error title=ghcr-publish::the builder `ghcr-publish-42-<own>` was lost during the build
          because: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF
          fix: run the job again; if it happens again, check that the machine has enough memory and disk space
    "#]].assert_eq(&stable(&run, &run.stderr.replace("%0A", "\n")));
}

#[test]
fn a_stopped_run_removes_its_builder() {
    const ANSWERS: &[(&str, &str)] = &[NOTHING_LEFT[0], NOTHING_LEFT[1]];
    let double = registry().start().unwrap();
    let run = scripted("inspect) exec sleep 20;;")
        .engine(ANSWERS)
        .input("registry", double.host())
        .input("driver", "docker-container")
        .run_until_building();
    assert!(!run.succeeded);
    assert!(
        calls(&run).ends_with("\nrm --force -- ghcr-publish-42-<own>\n"),
        "{}",
        calls(&run)
    );
    let private = run.noted("environment");
    let private = private
        .lines()
        .find_map(|line| line.strip_prefix("DOCKER_CONFIG="));
    assert!(!std::path::Path::new(private.unwrap()).exists());
}

#[test]
fn the_post_step_removes_what_a_run_left() {
    const ANSWERS: &[(&str, &str)] = &[
        (
            "GET /containers/json",
            r#"[{"Names":["/buildx_buildkit_ghcr-publish-42-abcdef-ghijkl0"]}]"#,
        ),
        (
            "GET /volumes",
            r#"{"Volumes":[{"Name":"buildx_buildkit_ghcr-publish-42-abcdef-ghijkl0_state"},{"Name":"theirs"}]}"#,
        ),
        ("DELETE ", ""),
    ];
    let run = scripted("")
        .engine(ANSWERS)
        .env("STATE_builder", "ghcr-publish-42-abcdef-ghijkl")
        .env("GITHUB_WORKSPACE", "/")
        .arguments(&["post"])
        .run();
    check(
        &run,
        expect![[r#"
        create --name=ghcr-publish-42-<own> --driver=docker-container
        rm --force -- ghcr-publish-42-<own>
    "#]],
    );
    expect![[r#"
        GET /containers/json?all=true&filters=%7B%22name%22%3A%5B%22buildx_buildkit_ghcr-publish-42-abcdef-ghijkl%22%5D%7D
        DELETE /containers/buildx_buildkit_ghcr-publish-42-abcdef-ghijkl0?force=true&v=true
        GET /volumes?filters=%7B%22name%22%3A%5B%22buildx_buildkit_ghcr-publish-42-abcdef-ghijkl%22%5D%7D
        DELETE /volumes/buildx_buildkit_ghcr-publish-42-abcdef-ghijkl0_state?force=true&v=true
        GET /containers/json?all=true&filters=%7B%22name%22%3A%5B%22buildx_buildkit_ghcr-publish-42-b2e377-%22%5D%7D
        GET /volumes?filters=%7B%22name%22%3A%5B%22buildx_buildkit_ghcr-publish-42-b2e377-%22%5D%7D
    "#]].assert_eq(&run.noted("engine-requests"));
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    assert!(run.outputs.is_empty() && run.summary.is_empty());
}

#[test]
fn the_post_step_of_a_run_that_cleaned_up_only_looks() {
    const ANSWERS: &[(&str, &str)] = &[NOTHING_LEFT[0], NOTHING_LEFT[1]];
    for state in ["", "somebody-elses"] {
        let run = scripted("")
            .engine(ANSWERS)
            .env("STATE_builder", state)
            .arguments(&["post"])
            .run();
        check(&run, expect![[""]]);
        let asked = run.noted("engine-requests");
        assert!(asked.lines().all(|request| request.starts_with("GET ")));
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    }
}
