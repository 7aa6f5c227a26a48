//! The checkout in the workspace beside the commit that the event names.

use crate::support::{Action, Run, process};

const EVENT: &str = "0123456789abcdef0123456789abcdef01234567";
const WARNING: &str = "git-context: git";

/// Runs git in a directory of the workspace and gives what it prints.
pub(crate) fn git(action: &Action, directory: &str, arguments: &[&str]) -> String {
    let place = action.path("workspace").join(directory);
    std::fs::create_dir_all(&place).unwrap();
    let identity = [
        "-c",
        "user.name=octocat",
        "-c",
        "user.email=octocat@users.noreply.github.com",
    ];
    let output = process("git")
        .args(identity)
        .args(arguments)
        .current_dir(place)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A checkout of `origin` in `directory`; gives its commit.
pub(crate) fn check_out(action: &Action, directory: &str, origin: &str) -> String {
    git(
        action,
        directory,
        &["init", "--quiet", "--initial-branch=main"],
    );
    git(action, directory, &["remote", "add", "origin", origin]);
    git(
        action,
        directory,
        &["commit", "--quiet", "--allow-empty", "--message=one"],
    );
    git(action, directory, &["rev-parse", "HEAD"])
}

pub(crate) const ORIGIN: &str = "https://github.com/acme/Widget";

fn plan(action: Action) -> Run {
    let run = action.arguments(&["plan"]).run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run
}

fn warnings(run: &Run) -> Vec<&str> {
    let lines = run.stdout.lines();
    lines.filter(|line| line.starts_with("::warning")).collect()
}

#[track_caller]
fn is_silent(action: Action) {
    let run = plan(action);
    assert_eq!(warnings(&run), Vec::<&str>::new());
}

/// One warning, which names both commits and the way out.
#[track_caller]
fn warns(action: Action, head: &str, named: &str) {
    let run = plan(action);
    let [warning] = warnings(&run)[..] else {
        panic!("{}", run.stdout);
    };
    for part in [head, named, WARNING] {
        assert!(warning.contains(part), "{warning} does not say {part}");
    }
}

#[test]
fn another_commit_in_the_checkout_is_one_warning() {
    let action = Action::new().event("push_branch");
    let head = check_out(&action, "", ORIGIN);
    warns(action, &head, EVENT);
}

#[test]
fn checkout_of_the_event_commit_gives_no_warning() {
    let action = Action::new().event("push_branch");
    let head = check_out(&action, "", ORIGIN);
    is_silent(action.env("GITHUB_SHA", head));
}

#[test]
fn a_shallow_detached_checkout_is_read_as_well() {
    let action = Action::new().event("push_branch");
    let head = check_out(&action, "", ORIGIN);
    git(&action, "", &["checkout", "--quiet", "--detach"]);
    let shallow = action.path("workspace/.git/shallow");
    std::fs::write(shallow, format!("{head}\n")).unwrap();
    warns(action, &head, EVENT);
}

#[test]
fn workspace_without_a_checkout_gives_no_warning() {
    is_silent(Action::new().event("push_branch"));
    let action = Action::new().event("push_branch");
    std::fs::remove_file(action.path("workspace/Dockerfile")).unwrap();
    is_silent(action);
}

#[test]
fn a_checkout_around_the_workspace_is_not_the_one_that_is_built() {
    let action = Action::new().event("push_branch");
    check_out(&action, "..", ORIGIN);
    is_silent(action);
}

#[test]
fn subdirectory_of_a_checkout_is_built_without_a_fetch() {
    for has_files in [true, false] {
        let action = Action::new()
            .without("GITHUB_WORKSPACE")
            .input("context", "")
            .arguments(&["plan", "--json"]);
        check_out(&action, "..", ORIGIN);
        if !has_files {
            std::fs::remove_file(action.path("workspace/Dockerfile")).unwrap();
        }
        let run = action.run();
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        assert!(!run.stdout.contains(".git#"), "{}", run.stdout);
    }
}

#[test]
fn a_checkout_of_another_repository_has_other_commits() {
    let action = Action::new().event("push_branch");
    check_out(&action, "", "https://github.com/upstream/tool");
    is_silent(action);
}

#[test]
fn the_checkout_of_the_build_context_counts() {
    let action = Action::new()
        .event("push_branch")
        .input("context", "app/image");
    let head = check_out(&action, "app", ORIGIN);
    std::fs::create_dir(action.path("workspace/app/image")).unwrap();
    warns(action, &head, EVENT);
    let action = Action::new().event("push_branch").input("context", "image");
    let head = check_out(&action, "", ORIGIN);
    std::fs::create_dir(action.path("workspace/image")).unwrap();
    warns(action, &head, EVENT);
}

#[test]
fn git_context_uses_the_commit_of_the_checkout() {
    for (directory, context) in [("", "."), ("app", "app")] {
        let action = Action::new()
            .event("push_branch")
            .input("git-context", "git")
            .input("context", context)
            .input("tags", "type=sha");
        let head = check_out(&action, directory, ORIGIN);
        let run = plan(action);
        assert_eq!(warnings(&run), Vec::<&str>::new());
        run.assert_log(format!("sha-{}", &head[..7]));
    }
}

#[test]
fn no_warning_when_the_checkout_is_not_built() {
    for (input, value) in [
        ("candidate", "ghcr.io/acme/widget:tested"),
        ("context", "{{defaultContext}}"),
        ("context", "https://github.com/upstream/tool.git"),
    ] {
        let action = Action::new().event("push_branch").input(input, value);
        check_out(&action, "", ORIGIN);
        is_silent(action);
    }
}

#[test]
fn a_workflow_run_is_about_the_head_it_ran_for() {
    // The fixture names EVENT as head of the run.
    let action = Action::new()
        .event("workflow_run")
        .env("GITHUB_SHA", "f".repeat(40));
    let head = check_out(&action, "", ORIGIN);
    warns(action, &head, EVENT);
}

#[test]
fn the_pushed_commit_of_a_pull_request_may_be_named_for_its_merge() {
    let action = Action::new()
        .event("pull_request")
        .env("DOCKER_METADATA_PR_HEAD_SHA", "true");
    let head = check_out(&action, "", ORIGIN);
    is_silent(action.env("GITHUB_SHA", head));
}

#[test]
fn code_whose_commit_is_not_named_needs_no_warning() {
    let action = Action::new()
        .event("issue_comment_pull_request")
        .input("allow-untrusted-pull-request", "true");
    check_out(&action, "", ORIGIN);
    is_silent(action);
}

#[test]
fn tag_in_the_checkout_of_a_fork_names_no_version() {
    let action = Action::new()
        .event("pull_request_target_fork")
        .input("allow-untrusted-pull-request", "true")
        .input("git-context", "git");
    check_out(&action, "", "https://github.com/joe/widget");
    git(&action, "", &["tag", "v9.9.9"]);
    git(&action, "", &["checkout", "--quiet", "--detach"]);
    let run = plan(action);
    assert!(!run.stdout.contains("9.9.9"), "{}", run.stdout);
    run.assert_log("widget:pr-5");
}
