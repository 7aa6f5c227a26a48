//! Which runs and steps write the comment.

use super::*;

#[test]
fn forks_and_dependabot_get_a_notice_and_no_request() {
    let (double, digest) = server();
    let fork = job("pull_request_fork", &double, &digest);
    let dependabot =
        || job("pull_request", &double, &digest).env("GITHUB_ACTOR", "dependabot[bot]");
    for (action, expected) in [
        (
            fork,
            "no comment on pull request 3: it comes from the fork `joe/widget`, so the token of the run cannot write comments",
        ),
        (
            dependabot(),
            "no comment on pull request 2: Dependabot started the run, so its token is read-only by default",
        ),
        (
            dependabot().input("push", "false"),
            "no comment on pull request 2: Dependabot started the run",
        ),
    ] {
        let run = succeeded(action);
        run.assert_log(format!("::notice title=ghcr-publish::{expected}"));
    }
    assert_eq!(requests(&double), [0, 0, 0]);
}

#[test]
fn run_without_a_pull_request_or_an_image_says_so_once() {
    let (double, digest) = server();
    let build_only = job("pull_request", &double, &digest).input("push", "false");
    for (action, expected) in [
        (
            job("push_branch", &double, &digest),
            "No comment: the event is not about a pull request\n",
        ),
        (
            build_only,
            "No comment on pull request 2: no image was pushed\n",
        ),
    ] {
        let run = succeeded(action);
        assert_eq!(run.stdout.matches(expected).count(), 1, "{}", run.stdout);
    }
    let plan = succeeded(job("push_branch", &double, &digest).arguments(&["plan"]));
    let off = succeeded(job("pull_request", &double, &digest).input("comment", "false"));
    for run in [plan, off] {
        assert!(
            !run.stdout.to_lowercase().contains("comment"),
            "{}",
            run.stdout
        );
    }
    assert_eq!(requests(&double), [0, 0, 0]);
}

#[test]
fn failed_run_leaves_the_comment() {
    let (double, digest) = server();
    publish(&double, &digest);
    let run = job("pull_request", &double, &digest).buildx("exit 1").run();
    assert!(!run.succeeded);
    assert_eq!(requests(&double), [1, 1, 0]);
}

#[test]
fn run_that_fails_after_the_push_writes_no_comment() {
    let (double, digest) = server();
    let refused = Fault::on(Endpoint::TagPut).always();
    double.script(refused.deny(&Denial::WritePackage));
    let run = job("pull_request", &double, &digest).run();
    assert!(!run.succeeded && run.output("pushed") == "true");
    assert_eq!(requests(&double), [0, 0, 0]);
}

#[test]
fn post_step_that_moves_the_tags_writes_the_comment() {
    let (double, digest) = server();
    let action = || {
        let action = job("pull_request", &double, &digest)
            .input("job-status", "success")
            .input("move-tags", "after-job");
        let state = action.path("state").display().to_string();
        action.env("GITHUB_STATE", state)
    };
    let run = succeeded(action());
    run.assert_log("No comment on pull request 2: the step that writes the tags writes it\n");
    assert_eq!(requests(&double), [0, 0, 0]);
    let state = run.noted("state");
    let staged = state.lines().find_map(|line| line.strip_prefix("staged="));
    let post = action().env("STATE_staged", staged.unwrap());
    let run = succeeded(post.arguments(&["post"]));
    run.assert_log("Comment on pull request 2: created\n");
    assert!(comments(&double)[0].body.contains("| Tags | `pr-2` |"));
}

#[test]
fn job_that_completes_the_image_writes_the_comment() {
    let (double, first) = server();
    let second = double.put_platform_image(NAME, "linux/arm64");
    let part = |platform: &str, digest: &str| {
        let action = job("pull_request", &double, digest);
        let action = action.input("platforms", "linux/amd64,linux/arm64");
        succeeded(action.input("part", platform))
    };
    let run = part("linux/amd64", &first);
    run.assert_log("No comment on pull request 2: the job that completes the image writes it\n");
    assert_eq!(requests(&double), [0, 0, 0]);
    part("linux/arm64", &second);
    let [comment] = &comments(&double)[..] else {
        panic!("{:?}", comments(&double));
    };
    for part in [first, second] {
        assert!(comment.body.contains(&part), "{}", comment.body);
    }
}
