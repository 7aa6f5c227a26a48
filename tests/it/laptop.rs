//! Outside Actions: the program in the checkout of a person.

mod asked;
mod compared;
mod streams;
mod usage;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use ghcr_double::Double;

use crate::checkout::{ORIGIN, check_out, git};
use crate::properties::recorder::Recorder;
use crate::publication::registry_with_image;
use crate::support::{Action, Run, TOKEN};

/// A clean checkout of one commit, which has a Dockerfile; also gives the commit.
fn in_checkout(directory: &str) -> (Action, String) {
    let action = Action::new().input("tags", "type=sha\ntype=ref,event=branch");
    check_out(&action, directory, ORIGIN);
    fs::write(action.path("workspace/.gitignore"), "*.log\n").unwrap();
    git(&action, directory, &["add", "."]);
    git(&action, directory, &["commit", "--quiet", "--message=two"]);
    let head = git(&action, directory, &["rev-parse", "HEAD"]);
    (action, head)
}

fn publish(action: Action, double: &Double, digest: &str) -> Run {
    let run = action
        .buildx_pushes(digest)
        .input("github-token", TOKEN)
        .input("registry", double.host())
        .env("GITHUB_API_URL", double.api_url())
        .arguments(&["publish"])
        .run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run
}

fn plan(action: Action) -> Run {
    let run = action.arguments(&["plan"]).run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run
}

#[track_caller]
fn is_dirty(action: Action, head: &str, file: &str) {
    let run = plan(action);
    let warning = run.stderr.lines().find(|line| line.starts_with("warning"));
    let warning = warning.unwrap_or_else(|| panic!("no warning: {}", run.stderr));
    assert!(warning.contains(file), "{warning} does not name {file}");
    let revision = format!("revision={head}-dirty");
    run.assert_log(&revision);
    let published = run.output("tags");
    assert_eq!(published, "ghcr.io/acme/widget:main");
}

#[track_caller]
fn is_clean(action: Action, head: &str) -> Run {
    let run = plan(action);
    assert!(!run.log().contains("warning"), "{}", run.log());
    let revision = format!("revision={head}\n");
    run.assert_log(&revision);
    assert!(run.output("tags").contains(&format!(":sha-{}", &head[..7])));
    run
}

#[test]
fn a_clean_checkout_names_its_commit() {
    let (action, head) = in_checkout("");
    is_clean(action, &head);
}

#[test]
fn ignored_file_does_not_count_as_a_change() {
    let (action, head) = in_checkout("");
    fs::write(action.path("workspace/build.log"), "x").unwrap();
    is_clean(action, &head);
}

#[test]
fn changed_file_gives_a_warning_and_no_commit_tag() {
    let (action, head) = in_checkout("");
    fs::write(action.path("workspace/Dockerfile"), "FROM debian\n").unwrap();
    is_dirty(action, &head, "`Dockerfile`");
}

#[test]
fn a_staged_file_counts_as_uncommitted() {
    let (action, head) = in_checkout("");
    fs::write(action.path("workspace/Dockerfile"), "FROM debian\n").unwrap();
    git(&action, "", &["add", "."]);
    is_dirty(action, &head, "`Dockerfile`");
}

#[test]
fn a_deleted_file_counts_as_uncommitted() {
    let (action, head) = in_checkout("");
    fs::remove_file(action.path("workspace/.gitignore")).unwrap();
    is_dirty(action, &head, "`.gitignore`");
}

#[test]
fn an_untracked_file_counts_as_uncommitted() {
    let (action, head) = in_checkout("");
    fs::write(action.path("workspace/secret.txt"), "x").unwrap();
    is_dirty(action, &head, "`secret.txt`");
}

#[test]
fn a_change_beside_the_current_directory_counts_too() {
    let (action, head) = in_checkout("..");
    fs::write(action.path("beside.txt"), "x").unwrap();
    is_dirty(action, &head, "beside.txt");
}

#[test]
fn a_checkout_that_cannot_be_compared_names_no_commit() {
    let (action, head) = in_checkout("");
    fs::write(action.path("workspace/.git/index"), "broken").unwrap();
    is_dirty(action, &head, "cannot be compared");
}

/// Comparing a file means to filter it first, with a program that the checkout names.
#[test]
fn no_program_that_a_checkout_names_is_run() {
    for setting in [
        "filter.x.clean",
        "filter.x.smudge",
        "filter.x.process",
        "core.fsmonitor",
        "diff.x.textconv",
    ] {
        let (action, head) = in_checkout("");
        let program = format!("touch {}; cat", action.path("executed").display());
        git(&action, "", &["config", setting, &program]);
        git(&action, "", &["config", "filter.x.required", "true"]);
        let attributes = action.path("workspace/.git/info/attributes");
        fs::create_dir_all(attributes.parent().unwrap()).unwrap();
        fs::write(attributes, "* filter=x diff=x\n").unwrap();
        // Another time, so that its content is looked at.
        let dockerfile = action.path("workspace/Dockerfile");
        let file = fs::File::options().write(true).open(dockerfile).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        let run = is_clean(action, &head);
        assert!(!run.path("executed").exists(), "`{setting}` was run");
    }
}

#[test]
fn commit_of_the_environment_is_used() {
    let (action, _head) = in_checkout("");
    fs::write(action.path("workspace/Dockerfile"), "FROM debian\n").unwrap();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    is_clean(action.env("GITHUB_SHA", commit), commit);
}

#[test]
fn in_actions_steps_generate_files_on_purpose() {
    let (action, head) = in_checkout("");
    fs::write(action.path("workspace/generated.txt"), "x").unwrap();
    let action = action
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_REPOSITORY", "acme/Widget")
        .env("GITHUB_REF", "refs/heads/main")
        .env("GITHUB_SHA", &head)
        .input("git-context", "git");
    is_clean(action, &head);
}

#[test]
fn an_uncommitted_change_is_not_published_under_a_tag_of_the_commit() {
    let (action, head) = in_checkout("");
    let (double, digest) = registry_with_image(&format!("dirty-{head}"));
    fs::write(action.path("workspace/Dockerfile"), "FROM debian\n").unwrap();
    let run = publish(action, &double, &digest);
    let tags = double.tags("acme/widget");
    let names: Vec<&String> = tags.keys().collect();
    assert_eq!(names, [&format!("dirty-{head}"), "main"]);
    let revision = format!("revision={head}-dirty");
    assert!(run.noted("arguments").contains(&revision));
}

/// A run that stops at its command line; gives what it prints.
#[track_caller]
fn wrong_usage(arguments: &[&str]) -> String {
    let action = Action::new().buildx("exit 1").arguments(arguments);
    check_out(&action, "", ORIGIN);
    let run = action.run();
    assert_eq!((run.status, run.noted("calls").as_str()), (Some(2), ""));
    run.stderr
}

#[test]
fn a_subcommand_is_required() {
    for arguments in [
        &[][..],
        &["--with", "push=false"],
        &["--with", "mode=publish"],
    ] {
        let said = wrong_usage(arguments);
        assert!(
            said.contains("`publish`, `plan`, `check`, `verify`, `merge`, `cleanup` or `restore`"),
            "{said}"
        );
    }
}

#[test]
fn an_unknown_name_in_with_is_an_error_that_names_the_nearest_one() {
    let said = wrong_usage(&["publish", "--with", "tag=1.2.3"]);
    assert!(
        said.contains("unknown input `tag`; did you mean `tags`?"),
        "{said}"
    );
}

#[test]
fn an_input_with_one_value_is_not_given_twice() {
    let said = wrong_usage(&["plan", "--with", "target=a", "--with", "TARGET=b"]);
    assert!(said.contains("`--with target` is given twice"), "{said}");
}

#[test]
fn a_repeated_list_has_all_its_lines() {
    let (action, _head) = in_checkout("");
    let arguments = [
        "plan",
        "--with",
        "tags=one",
        "--with",
        "tags=two",
        "--with",
        "build_args=A=1",
    ];
    let run = action.arguments(&arguments).run();
    assert!(run.succeeded, "{}", run.stderr);
    let expected = "ghcr.io/acme/widget:one\nghcr.io/acme/widget:two";
    assert_eq!(run.output("tags"), expected);
}

#[test]
fn ignored_part_of_a_tag_rule_is_a_warning() {
    let (action, _head) = in_checkout("");
    let run = plan(action.input("tags", "v1,v2\ntype=raw,value={{date 'YYYY' zone='UTC'}}"));
    let expected = "ghcr.io/acme/widget:v2\nghcr.io/acme/widget:2026";
    assert_eq!(run.output("tags"), expected);
    let warnings: Vec<&str> = run.stderr.lines().take(2).collect();
    assert_eq!(
        warnings,
        [
            "warning: line 1 of the input `tags`: a line is one rule, and only its last value counts: `v1` has no effect; write one rule per line",
            "warning: line 2 of the input `tags`: the option `zone` of `{{date}}` has no effect: `date` has only the option `tz`",
        ]
    );
}

/// A run without any credentials.
fn without_login(command: &str, registry: &str) -> Action {
    let (action, _head) = in_checkout("");
    action
        .buildx("exit 1")
        .input("registry", registry)
        .arguments(&[command])
}

#[test]
fn without_a_login_the_registry_is_asked_and_its_refusal_says_how_to_log_in() {
    for command in ["check", "publish"] {
        let (double, _digest) = registry_with_image("v1");
        let run = without_login(command, &double.host()).run();
        assert_eq!(run.status, Some(1), "{}", run.stdout);
        let way = format!("docker login {}", double.host());
        run.assert_error(&way);
        assert!(!double.requests().is_empty());
        assert_eq!(run.noted("calls"), "");
    }
}

#[test]
fn in_actions_check_without_a_login_fails_and_asks_nobody() {
    let (double, _digest) = registry_with_image("v1");
    let run = Action::new()
        .event("push_branch")
        .input("registry", double.host())
        .arguments(&["check"])
        .run();
    assert_eq!(run.status, Some(1), "{}", run.stdout);
    run.assert_error("`registry-auth`");
    assert_eq!(double.requests().len(), 0);
}

#[test]
fn a_token_of_the_environment_is_not_sent_to_a_loopback_registry() {
    let run = |variable: &str| {
        let registry = Recorder::start("127.0.0.1");
        let action = without_login("publish", &registry.host());
        let run = action.env(variable, TOKEN).run();
        assert_eq!(run.status, Some(1), "{}", run.stdout);
        (registry.seen().to_lowercase(), run.stderr)
    };
    for variable in ["GITHUB_TOKEN", "GH_TOKEN"] {
        let (seen, said) = run(variable);
        assert!(seen.contains("/v2/") && !seen.contains("authorization:"));
        assert!(said.contains("or set `INPUT_PASSWORD`"), "{said}");
    }
    for variable in ["INPUT_GITHUB_TOKEN", "INPUT_PASSWORD"] {
        let (seen, _said) = run(variable);
        assert!(seen.contains("authorization:"), "{variable}: {seen}");
    }
}

/// A registry that opens an upload to anybody.
#[expect(clippy::disallowed_methods, reason = "the server of a test")]
fn open_registry() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let is_upload = request[..length].starts_with(b"POST /v2/acme/widget/blobs/uploads/ ");
            let status = if is_upload {
                "202 Accepted"
            } else {
                "404 Not Found"
            };
            let head = "Location: /v2/acme/widget/blobs/uploads/1\r\nContent-Length: 0\r\nConnection: close";
            drop(write!(stream, "HTTP/1.1 {status}\r\n{head}\r\n\r\n"));
        }
    });
    host
}

#[test]
fn a_registry_that_needs_no_login_is_found_out_by_asking() {
    let run = without_login("check", &open_registry()).run();
    assert!(run.succeeded, "{}", run.stderr);
    run.assert_log("/acme/widget: OK");
}
