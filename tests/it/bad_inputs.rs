//! Inputs that are refused before anything is done, in the words the user reads.

use std::fs;
use std::os::unix::fs::symlink;

use expect_test::{Expect, expect};

use crate::support::{Action, TOKEN};

fn action() -> Action {
    // An engine that is asked would be noticed.
    Action::new()
        .event("push_tag")
        .buildx("exit 1")
        .input("github-token", TOKEN)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a snapshot is written where it is used"
)]
#[track_caller]
fn refused(action: Action, expected: Expect) {
    let run = action.run();
    assert!(!run.succeeded, "{}", run.stdout);
    assert_eq!(run.noted("arguments"), "", "the build was started");
    assert!(!run.stdout.contains("Push access"), "{}", run.stdout);
    let text = run.stable(&run.stderr.replace("%0A", "\n"), "no host");
    expected.assert_eq(text.trim_start_matches("::error title=ghcr-publish::"));
    assert!(!run.stderr.contains("hunter2") && !run.summary.contains("hunter2"));
}

#[test]
fn a_secret_without_an_equals_sign() {
    refused(
        action().input("secrets", "hunter2"),
        expect![[r#"
        invalid entry in the input `secrets`, line 1
          because: `=` is missing
          fix: write `id=value`; put a value of several lines in quotes that begin before the id: `"key=…"`
    "#]],
    );
}

#[test]
fn a_secret_of_a_variable_that_is_not_set() {
    refused(
        action().input("secret-envs", "npm=NPM_TOKEN"),
        expect![[r#"
            invalid entry in the input `secret-envs`, line 1: `npm=NPM_TOKEN`
              because: the environment variable `NPM_TOKEN` is not set
              fix: set it under the step's `env:`, for example `NPM_TOKEN: ${{ secrets.NPM_TOKEN }}`
        "#]],
    );
}

#[test]
fn a_secret_file_that_is_not_there() {
    refused(
        action().input("secret-files", "npmrc=.npmrc"),
        expect![[r#"
            invalid value `.npmrc` for the input `secret-files` for `npmrc`
              because: it cannot be read: No such file or directory (os error 2)
              fix: check the path; paths start at the root of the checkout
        "#]],
    );
}

#[test]
fn keeping_the_credentials_on_a_laptop() {
    refused(
        action()
            .without("GITHUB_ACTIONS")
            .arguments(&["publish"])
            .input("keep-login", "true"),
        expect![[r#"
            error: the input `keep-login` is `true` outside of GitHub Actions
              because: only the post step of the action removes the credentials
              fix: run `docker login`
        "#]],
    );
}

#[test]
fn an_unknown_platform() {
    refused(
        action().input("platforms", "linux/amd64,linux/amr64"),
        expect![[r#"
            invalid platform `linux/amr64` in the input `platforms`
              because: unknown architecture `amr64`
              fix: write `amd64`, `arm64`, `arm`, `386`, `ppc64le`, `ppc64`, `s390x`, `riscv64`, `loong64`, `mips`, `mipsle`, `mips64`, `mips64le` or `wasm`; did you mean `amd64`?
        "#]],
    );
}

#[test]
fn a_build_argument_without_a_value() {
    refused(
        action().input("build-args", "VERSION"),
        expect![[r#"
        invalid line `VERSION` in the input `build-args`
          fix: write one `name=value` per line, for example `VERSION=1.2.3`
    "#]],
    );
}

#[test]
fn a_build_argument_that_is_the_token() {
    refused(
        action().input(
            "build-args",
            format!("A=1\nURL=https://x:{TOKEN}@github.com"),
        ),
        expect![[r#"
            the input `build-args` sets `URL` to the token
              because: build arguments are visible in the image history and in the provenance
              fix: pass it as a secret: `secrets: URL=…`, and `RUN --mount=type=secret,id=URL` in the Dockerfile
        "#]],
    );
}

#[test]
fn loading_several_platforms() {
    let action = action().input("platforms", "linux/amd64,linux/arm64");
    let host = format!(
        "linux/{}",
        if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "amd64"
        }
    );
    let run = action.input("load", "true").run();
    let text = run
        .stderr
        .replace("%0A", "\n")
        .replace(&format!("platforms: {host}"), "platforms: <host>");
    expect![[r#"
        ::error title=ghcr-publish::the input `load` is `true`, but `platforms` lists more than one platform
          because: the engine loads images of one platform only
          fix: set `platforms: <host>` to load the image of this machine only; push the other platforms in a separate step
    "#]].assert_eq(&text);
}

#[test]
fn pushing_files() {
    let action = action().input("push", "true");
    refused(
        action.input("outputs", "type=local,dest=out"),
        expect![[r#"
            the input `push` is `true`, and `outputs` has `type=local`
              because: only an image can be pushed, not files
              fix: write files in a step of its own with `push: false`, or leave `outputs` out
        "#]],
    );
}

#[test]
fn a_context_outside_the_workspace() {
    refused(
        action().input("context", ".."),
        expect![[r#"
        the input `context` is `..`, which is outside the workspace
          because: it resolves to `<directory>`
          fix: use a path inside the checkout; copy the file there in an earlier step if it comes from elsewhere
    "#]],
    );
}

#[test]
fn a_dockerfile_outside_the_workspace() {
    refused(
        action().input("file", "/etc/hostname"),
        expect![[r#"
        the input `file` is `/etc/hostname`, which is outside the workspace
          because: it resolves to `/etc/hostname`
          fix: use a path inside the checkout; copy the file there in an earlier step if it comes from elsewhere
    "#]],
    );
}

#[test]
fn a_link_that_leaves_the_workspace() {
    let action = action();
    fs::write(action.path("secret"), "hunter2").unwrap();
    symlink(action.path("secret"), action.path("workspace/inside")).unwrap();
    refused(
        action.input("secret-files", "id=inside"),
        expect![[r#"
        the input `secret-files` for `id` is `inside`, which is outside the workspace
          because: it resolves to `<directory>/secret`
          fix: use a path inside the checkout; copy the file there in an earlier step if it comes from elsewhere
    "#]],
    );
}

#[test]
fn a_named_context_outside_the_workspace() {
    refused(
        action().input("build-contexts", "home=../home"),
        expect![[r#"
            the input `build-contexts` for `home` is `../home`, which is outside the workspace
              because: it resolves to `<directory>/home`
              fix: use a path inside the checkout; copy the file there in an earlier step if it comes from elsewhere
        "#]],
    );
}

#[test]
fn an_output_outside_the_workspace() {
    for output in [
        "type=local,dest=../out",
        "/github/home/x",
        "type=tar,dest=up/x.tar",
        "type=oci,dest=dangling",
        "type=docker,dest=a/../../x",
    ] {
        let action = action().input("push", "false");
        symlink("..", action.path("workspace/up")).unwrap();
        symlink("../nothing", action.path("workspace/dangling")).unwrap();
        let run = action.input("outputs", output).run();
        assert_eq!(run.noted("arguments"), "", "{output}");
        assert!(
            run.stderr.contains("which is outside the workspace"),
            "{output}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_cache_directory_outside_the_workspace() {
    for (input, cache) in [
        ("cache-to", "type=local,dest=../cache"),
        ("cache-from", "type=local,src=/github/home"),
    ] {
        let run = action().input("push", "false").input(input, cache).run();
        assert_eq!(run.noted("arguments"), "", "{cache}");
        assert!(
            run.stderr.contains("which is outside the workspace"),
            "{cache}: {}",
            run.stderr
        );
    }
}

#[test]
fn keys_of_a_cache_that_buildx_takes_on_its_command_line_only() {
    refused(
        action().input(
            "cache-to",
            "type=azblob,name=x,account_url=https://x.example,secret_access_key=hunter2",
        ),
        expect![[r#"
            a cache of the type `azblob` has a `secret_access_key`
              because: buildx accepts it only on its command line, which every process on the machine can read
              fix: remove it, and use a builder that has its own Azure identity, or another type of cache
        "#]],
    );
}

#[test]
fn an_expression_that_would_never_end() {
    let action = action().env("GITHUB_REF", format!("refs/tags/{}!", "a".repeat(60)));
    refused(
        action.input("tags", "type=match,pattern=^(a|aa)+\\1$"),
        expect![[r#"
            cannot evaluate line 1 of the input `tags`: `type=match,pattern=^(a|aa)+\1$`
              because: `^(a|aa)+\1$` cannot be matched against `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!`: it takes more than 20000 backtracking steps
              fix: avoid nested repetitions that match the same text: `a+` instead of `(a+)+`
        "#]],
    );
}

#[test]
fn a_context_with_credentials() {
    refused(
        action().input("context", "https://joe:hunter2@example.com/x.git"),
        expect![[r#"
            invalid value in the input `context`
              because: the URL contains credentials, which would appear in the log and in the provenance
              fix: remove them, and pass the token as `secrets: GIT_AUTH_TOKEN=…`
        "#]],
    );
}

#[test]
fn an_output_that_renames_the_image() {
    refused(
        action().input("outputs", "type=image,name=ghcr.io/joe/other,push=true"),
        expect![[r#"
            invalid entry in the input `outputs`, line 1: `type=image,name=ghcr.io/joe/other,push=true`
              because: `name` of an image is not set here
              fix: name it with `images` and `tags`, and say with `push` whether it is pushed; the line may hold other attributes, for example `type=image,compression=zstd`
        "#]],
    );
}

#[test]
fn a_directory_of_an_empty_workspace() {
    let action = action();
    fs::remove_file(action.path("workspace/Dockerfile")).unwrap();
    refused(
        action.input("context", "app"),
        expect![[r#"
        invalid value `app` for the input `context`
          because: it cannot be read: No such file or directory (os error 2)
          fix: the workspace is empty: put `- uses: actions/checkout@v5` before this step, or let the engine fetch the repository with `context: "{{defaultContext}}:directory"`
    "#]],
    );
}

#[test]
fn a_reproducible_build_of_a_commit_without_a_time() {
    let action = action()
        .event("workflow_dispatch")
        .input("reproducible", "true");
    refused(
        action,
        expect![[r#"
        the input `reproducible` is `true`, but the time of the commit is unknown
          because: neither the event nor a checkout contains the commit time
          fix: check out the repository before this step: `- uses: actions/checkout@v5`
    "#]],
    );
}
