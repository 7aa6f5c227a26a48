//! What a person sees of a build.

use expect_test::{Expect, expect};

use crate::support::without_environment;
use crate::support::{Action, Run};

/// A build without a push whose `buildx` says what `script` says.
fn build(script: &str) -> Action {
    let action = Action::new().event("push_tag").input("push", "false");
    let done = "echo '{\"containerimage.digest\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\"}' > \"$metadata\"";
    action.buildx(&format!("{done}\ncat >&2 <<'END'\n{script}\nEND"))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a snapshot is written where it is used"
)]
#[track_caller]
fn check(run: Run, expected: Expect) {
    assert!(run.succeeded, "{}", run.stderr);
    expected.assert_eq(&without_environment(&run.log()).replace("%0A", "\n"));
}

/// Two steps that talk at once, one of them for longer than others wait.
const PARALLEL: &str = r#"{"vertexes":[{"digest":"sha256:1","name":"[a 1/1] RUN make a","started":"2026-01-01T00:00:00Z"},{"digest":"sha256:2","name":"[b 1/1] RUN make b","started":"2026-01-01T00:00:00Z"}]}
{"logs":[{"vertex":"sha256:1","data":"YTEK","timestamp":"2026-01-01T00:00:01Z"}]}
{"logs":[{"vertex":"sha256:2","data":"YjEK","timestamp":"2026-01-01T00:00:02Z"}]}
{"logs":[{"vertex":"sha256:1","data":"YTIK","timestamp":"2026-01-01T00:00:03Z"}]}
{"vertexes":[{"digest":"sha256:3","name":"[c 1/1] COPY c /","started":"2026-01-01T00:00:03Z","completed":"2026-01-01T00:00:04Z"}]}
{"logs":[{"vertex":"sha256:2","data":"YjIK","timestamp":"2026-01-01T00:00:04Z"}]}
{"logs":[{"vertex":"sha256:1","data":"YTMK","timestamp":"2026-01-01T00:00:08Z"}]}
{"logs":[{"vertex":"sha256:1","data":"YTQK","timestamp":"2026-01-01T00:00:09Z"}]}
{"vertexes":[{"digest":"sha256:1","name":"[a 1/1] RUN make a","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:10Z"}]}
{"logs":[{"vertex":"sha256:2","data":"YjM=","timestamp":"2026-01-01T00:00:11Z"}]}
{"vertexes":[{"digest":"sha256:2","name":"[b 1/1] RUN make b","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:12Z"}]}"#;

#[test]
fn logs_of_parallel_steps_are_not_mixed() {
    check(
        build(PARALLEL).run(),
        expect![[r#"
        ::group::[a 1/1] RUN make a
        a1
        a2
        a3
        ::endgroup::
        [c 1/1] COPY c / (1.0 s)
        ::group::[b 1/1] RUN make b
        b1
        b2
        b3
        ::endgroup::
          done in 12.0 s
        ::group::[a 1/1] RUN make a (continued)
        a4
        ::endgroup::
          done in 10.0 s
        built    sha256:0000000000000000000000000000000000000000000000000000000000000000
        pushed   no: the input `push` is `false`
    "#]],
    );
}

#[test]
fn log_file_has_the_same_lines_without_commands() {
    check(
        build(PARALLEL)
            .without("GITHUB_ACTIONS")
            .arguments(&["publish"])
            .run(),
        expect![[r#"
            [a 1/1] RUN make a
              a1
              a2
              a3
            [c 1/1] COPY c / (1.0 s)
            [b 1/1] RUN make b
              b1
              b2
              b3
              done in 12.0 s
            [a 1/1] RUN make a (continued)
              a4
              done in 10.0 s
            built    sha256:0000000000000000000000000000000000000000000000000000000000000000
            pushed   no: the input `push` is `false`
        "#]],
    );
}

#[test]
fn a_terminal_shows_colours_and_what_runs_now() {
    let terminal = || {
        build(PARALLEL)
            .without("GITHUB_ACTIONS")
            .arguments(&["publish"])
            .env("TERM", "xterm")
    };
    let (bold, live) = ("\u{1b}[1m[a 1/1] RUN make a\u{1b}[0m", "\r\u{1b}[2K");
    let shows = |action: Action, expected: [bool; 2]| {
        let run = action.run_on_a_terminal();
        assert!(run.stdout.contains("RUN make a"), "{:?}", run.stdout);
        let shown = [bold, live].map(|text| run.stdout.contains(text));
        assert_eq!(shown, expected, "{:?}", run.stdout);
    };
    shows(terminal(), [true, true]);
    shows(terminal().env("NO_COLOR", "1"), [false, true]);
    shows(terminal().env("CI", "true"), [false, false]);
    shows(terminal().env("TERM", "dumb"), [false, false]);
}

#[test]
fn transfers_are_measured() {
    let script = r#"{"vertexes":[{"digest":"sha256:1","name":"[internal] load build context","started":"2026-01-01T00:00:00Z"}]}
{"statuses":[{"id":"transferring context:","vertex":"sha256:1","current":30,"timestamp":"2026-01-01T00:00:00Z"}]}
{"statuses":[{"id":"transferring context:","vertex":"sha256:1","current":30005526,"timestamp":"2026-01-01T00:00:00Z"}]}
{"vertexes":[{"digest":"sha256:1","name":"[internal] load build context","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:00.5Z"}]}
{"vertexes":[{"digest":"sha256:2","name":"[1/1] FROM docker.io/library/debian@sha256:e57b6f28b233008675572c79ce4ed24cea6204bcf5d09d946d0beffcd333df4b","started":"2026-01-01T00:00:00Z"}]}
{"statuses":[{"id":"sha256:aa","vertex":"sha256:2","current":48000000,"total":48000000},{"id":"extracting sha256:aa","vertex":"sha256:2","current":0}]}
{"vertexes":[{"digest":"sha256:2","name":"[1/1] FROM docker.io/library/debian@sha256:e57b6f28b233008675572c79ce4ed24cea6204bcf5d09d946d0beffcd333df4b","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:03Z"}]}
{"vertexes":[{"digest":"sha256:4","name":"[2/2] RUN make","started":"2026-01-01T00:00:03Z","completed":"2026-01-01T00:00:03Z","cached":true}]}
{"vertexes":[{"digest":"sha256:3","name":"exporting to image","started":"2026-01-01T00:00:03Z"}]}
{"statuses":[{"id":"pushing layers","vertex":"sha256:3","current":0,"timestamp":"2026-01-01T00:00:10Z","started":"2026-01-01T00:00:04Z","completed":"2026-01-01T00:00:10Z"}]}
{"vertexes":[{"digest":"sha256:3","name":"exporting to image","started":"2026-01-01T00:00:03Z","completed":"2026-01-01T00:00:10Z"}]}"#;
    let run = build(script).run();
    expect![[r#"
        ### 🔨 `ghcr.io/acme/widget` was built, not pushed

        Reason: the input `push` is `false`.

        | | |
        |---|---|
        | Digest | `sha256:0000000000000000000000000000000000000000000000000000000000000000` |

        #### Build

        10.0 s in all, 1 of 2 steps from the cache (50 %), 30.0 MB sent to the builder, 48.0 MB pulled

        ```mermaid
        gantt
          dateFormat HH:mm:ss.SSS
          axisFormat %S.%L
          1. [1/1] FROM docker.io/library/debian@sha256∶e57b6f28b233 :active, 00:00:00.000, 3000ms
          2. [internal] load build context :active, 00:00:00.000, 500ms
          3. exporting to image :active, 00:00:03.000, 7000ms
          4. pushing layers :active, 00:00:04.000, 6000ms
        ```

        <details><summary>The longest steps</summary>

        | Step | Time |
        |---|--:|
        | `exporting to image` | 7.0 s |
        | `pushing layers` | 6.0 s |
        | `[1/1] FROM docker.io/library/debian@sha256:e57b6f28b233…` | 3.0 s |
        | `[internal] load build context` | 0.5 s |
        | `[2/2] RUN make` | cached |

        </details>

    "#]].assert_eq(&run.summary);
    check(
        run,
        expect![[r#"
        [internal] load build context (0.5 s, 30.0 MB)
        [1/1] FROM docker.io/library/debian@sha256:e57b6f28b233… (3.0 s, 48.0 MB)
        [2/2] RUN make (cached)
        exporting to image (7.0 s, 6.0 s of it pushing)
        built    sha256:0000000000000000000000000000000000000000000000000000000000000000
        pushed   no: the input `push` is `false`
    "#]],
    );
}

#[test]
fn dockerfile_warnings_are_annotated_once_up_to_a_limit() {
    let warning = |line: usize| {
        format!(
            r#"{{"warnings":[{{"vertex":"sha256:1","short":"SldUOiBubyAobGluZSAxKQ==","detail":["QmVjYXVzZQ=="],"url":"https://docs.docker.com/go/dockerfile/rule/x/","sourceInfo":{{"filename":"Dockerfile","data":"Rg=="}},"range":[{{"start":{{"line":{line}}},"end":{{"line":{line}}}}}]}}]}}"#
        )
    };
    let lines: Vec<String> = (1..=12).chain(1..=12).map(warning).collect();
    let action = build(&lines.join("\n"))
        .input("context", "./app")
        .input("file", "app/../app/Dockerfile");
    std::fs::create_dir(action.path("workspace/app")).unwrap();
    std::fs::write(action.path("workspace/app/Dockerfile"), "FROM scratch\n").unwrap();
    let run = action.run();
    assert_eq!(
        run.stdout
            .matches("::warning file=app/Dockerfile,line=")
            .count(),
        10,
        "{}",
        run.stdout
    );
    run.assert_summary("- and 2 more");
    let rest = without_environment(&run.stdout)
        .lines()
        .filter(|line| !line.contains(",line="))
        .collect::<Vec<_>>()
        .join("\n");
    let first = run
        .stdout
        .lines()
        .find(|line| line.contains(",line="))
        .unwrap();
    expect![[r#"
        ::warning file=app/Dockerfile,line=1,title=ghcr-publish::JWT: no%0ABecause%0Ahttps://docs.docker.com/go/dockerfile/rule/x/
        ::warning title=ghcr-publish::2 more findings in the Dockerfile; `docker build --check` lists them
        built    sha256:0000000000000000000000000000000000000000000000000000000000000000
        pushed   no: the input `push` is `false`"#]].assert_eq(&format!("{first}\n{rest}"));
}

/// What buildx 0.13.1 as Debian 13 packages it said of two builds.
const BUILT: &str = include_str!("fixtures/buildx-0.13.1-built.txt");
const FAILED: &str = include_str!("fixtures/buildx-0.13.1-failed.txt");

#[test]
fn oldest_buildx_gives_the_same_log() {
    check(
        build(BUILT.trim_end()).run(),
        expect![[r#"
        [internal] load build context (0.1 s, 1.6 MB)
        [1/2] COPY hello /hello (0.1 s)
        ::group::[2/2] RUN ["/hello"]
        hello from a step
        {"vertexes":[]}
        ::endgroup::
          done in 0.8 s
        exporting to image (0.3 s)
        ::warning file=Dockerfile,line=1,title=ghcr-publish::FromAsCasing: 'as' and 'FROM' keywords' casing do not match
        The 'as' keyword should match the case of the 'from' keyword
        https://docs.docker.com/go/dockerfile/rule/from-as-casing/
        built    sha256:0000000000000000000000000000000000000000000000000000000000000000
        pushed   no: the input `push` is `false`
    "#]],
    );
}

#[test]
fn oldest_buildx_gives_the_same_failure() {
    let script = format!("cat >&2 <<'END'\n{FAILED}END\nexit 1");
    let action = Action::new().event("push_tag").input("push", "false");
    std::fs::write(action.path("workspace/Fails"), "FROM scratch\n").unwrap();
    let run = action.input("file", "Fails").buildx(&script).run();
    assert!(!run.succeeded);
    expect![[r#"
        [1/2] COPY hello /hello (0.0 s)
        ::group::[2/2] RUN ["/hello", "{", "fail"]
        hello from a step
        {"vertexes":[]}
        it does not work
        ::endgroup::
          failed after 0.2 s
    "#]]
    .assert_eq(&without_environment(&run.stdout));
    expect![[r#"
        ::error file=Fails,line=3,title=ghcr-publish::the build failed at `[2/2] RUN ["/hello", "{", "fail"]`%0A  because: process "/hello { fail" did not complete successfully: exit code: 3%0A  the source:%0A       1 |     FROM scratch%0A       2 |     COPY hello /hello%0A       3 | >>> RUN ["/hello", "{", "fail"]%0A  the last lines of the step's log:%0A    hello from a step%0A    {"vertexes":[]}%0A    it does not work%0A  fix: correct line 3 of `Fails`
    "#]].assert_eq(&run.stderr);
}
