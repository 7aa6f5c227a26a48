//! `comment`: what a run writes on its pull request.

mod writers;

use expect_test::expect;
use ghcr_double::{Access, Account, Builder, Comment, Denial, Double};
use ghcr_double::{Endpoint, Fault, Package, PullRequest, Repository};

use crate::changes::images::{Image, put};
use crate::publication::NAME;
use crate::support::{Action, Run, TOKEN};

const REPOSITORY: &str = "acme/Widget";
const BOT: &str = "github-actions[bot]";

fn builder(account: Account) -> Builder {
    let repository = Repository::new(REPOSITORY).pull_request(2, PullRequest::Open);
    Double::builder()
        .token(TOKEN, account)
        .package(NAME, Package::of(REPOSITORY))
        .package("acme/other", Package::of(REPOSITORY))
        .repository(repository)
}

fn writer() -> Account {
    Account::workflow(REPOSITORY).pull_requests(Access::Write)
}

/// A server whose token may write comments, and the image that `buildx` claims to push.
fn server() -> (Double, String) {
    let double = builder(writer()).start().unwrap();
    let digest = double.put_platform_image(NAME, "linux/amd64");
    (double, digest)
}

fn job(event: &str, double: &Double, digest: &str) -> Action {
    Action::publishing(event, double)
        .input("comment", "true")
        .input("driver", "remote")
        .input("endpoint", "tcp://127.0.0.1:9")
        .buildx_pushes(digest)
}

#[track_caller]
fn publish(double: &Double, digest: &str) -> Run {
    succeeded(job("pull_request", double, digest))
}

#[track_caller]
fn succeeded(action: Action) -> Run {
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run
}

fn comments(double: &Double) -> Vec<Comment> {
    double.comments(REPOSITORY, 2)
}

/// How often comments were listed, created and updated.
fn requests(double: &Double) -> [usize; 3] {
    let endpoints = [
        Endpoint::CommentList,
        Endpoint::CommentPost,
        Endpoint::CommentPatch,
    ];
    endpoints.map(|endpoint| double.count(endpoint))
}

fn marker(double: &Double, name: &str) -> String {
    format!("<!-- ghcr-publish: {}/{name} -->", double.host())
}

#[test]
fn first_run_creates_the_comment() {
    let (double, digest) = server();
    let run = publish(&double, &digest);
    run.assert_log("Comment on pull request 2: created\n");
    let [comment] = &comments(&double)[..] else {
        panic!("{:?}", comments(&double));
    };
    assert_eq!(comment.author, BOT);
    expect![[r#"
        <!-- ghcr-publish: <registry>/acme/widget -->
        ### 📦 `<registry>/acme/widget`

        ```sh
        docker pull <registry>/acme/widget@sha256:d41a8bedca7607ebf8317f657342d13f374c18df27845f704fc9b3d11880da7b
        ```

        | | |
        |---|---|
        | Digest | `sha256:d41a8bedca7607ebf8317f657342d13f374c18df27845f704fc9b3d11880da7b` |
        | Tags | `pr-2` |

        | Platform | Size | Digest |
        |---|--:|---|
        | `linux/amd64` | 1.2 kB | `sha256:d41a8bedca7607ebf8317f657342d13f374c18df27845f704fc9b3d11880da7b` |

    "#]].assert_eq(&run.stable(&comment.body, double.host()));
    assert_eq!(requests(&double), [1, 1, 0]);
    assert_eq!(double.count(Endpoint::GraphQl), 0);
}

#[test]
fn comment_has_the_table_of_what_changed() {
    let (double, _) = server();
    let image = |layers: &[u64]| Image {
        platform: "linux/amd64",
        layers: layers.to_vec(),
        base: 1,
        label: 1,
        variable: None,
    };
    put(&double, "main", &[image(&[1, 2])]);
    let digest = put(&double, "pr-2", &[image(&[1, 2, 800])]);
    publish(&double, &digest);
    let body = &comments(&double)[0].body;
    let (_, section) = body.split_once("#### Changes").unwrap();
    expect![[r#"
         since `main`

        | Platform | Size | Difference | New bytes | |
        |---|--:|--:|--:|---|
        | `linux/amd64` | 14.8 kB | +14.2 kB (+2342.1 %) | 14.5 kB | ▰▰▰▰▰▰▰▰▰▱ |

        <details><summary>Layers and labels</summary>

        `linux/amd64`: 3 layers, before 2. The largest new ones:

        | Size | Layer |
        |--:|---|
        | 14.1 kB | `RUN make 800` |

        </details>

    "#]]
    .assert_eq(section);
}

#[test]
fn later_run_updates_the_comment_and_writes_only_what_changed() {
    let (double, digest) = server();
    publish(&double, &digest);
    let run = publish(&double, &digest);
    run.assert_log("Comment on pull request 2: unchanged\n");
    assert_eq!(requests(&double), [2, 1, 0]);
    let other = double.put_platform_image(NAME, "linux/arm64");
    let before = comments(&double);
    let run = publish(&double, &other);
    run.assert_log("Comment on pull request 2: updated\n");
    assert_eq!(requests(&double), [3, 1, 1]);
    let after = comments(&double);
    assert_eq!((after.len(), after[0].id), (1, before[0].id));
    assert!(after[0].body.contains(&other), "{}", after[0].body);
    assert!(!after[0].body.contains(&digest), "{}", after[0].body);
}

#[test]
fn names_of_one_run_share_a_comment_and_other_runs_have_their_own() {
    let (double, digest) = server();
    let other = double.put_platform_image("acme/other", "linux/amd64");
    assert_eq!(digest, other);
    let names = |names: &[&str]| {
        let names: Vec<String> = names
            .iter()
            .map(|name| format!("{}/{name}", double.host()))
            .collect();
        succeeded(job("pull_request", &double, &digest).input("images", names.join("\n")))
    };
    names(&[NAME, "acme/other"]);
    let [comment] = &comments(&double)[..] else {
        panic!("{:?}", comments(&double));
    };
    assert!(comment.body.starts_with(&marker(&double, NAME)));
    for name in [NAME, "acme/other"] {
        let name = format!("{}/{name}", double.host());
        for part in [
            format!("docker pull {name}@{digest}\n"),
            format!("| `{name}` | `pr-2` |"),
        ] {
            assert!(comment.body.contains(&part), "{part}: {}", comment.body);
        }
    }
    names(&["acme/other"]);
    let [_, second] = &comments(&double)[..] else {
        panic!("{:?}", comments(&double));
    };
    assert!(second.body.starts_with(&marker(&double, "acme/other")));
    names(&[NAME]);
    assert_eq!(comments(&double).len(), 2);
    assert_eq!(requests(&double), [3, 2, 1]);
}

#[test]
fn own_comment_is_found_on_every_page() {
    let (double, digest) = server();
    for number in 0..230 {
        double.add_comment(REPOSITORY, 2, "joe", &format!("comment {number}"));
    }
    publish(&double, &digest);
    assert_eq!(requests(&double), [3, 1, 0]);
    let other = double.put_platform_image(NAME, "linux/arm64");
    publish(&double, &other);
    assert_eq!(requests(&double), [6, 1, 1]);
    assert_eq!(comments(&double).len(), 231);
}

#[test]
fn comment_of_another_account_with_the_marker_stays() {
    let (double, digest) = server();
    let text = format!("{}\ndocker pull evil", marker(&double, NAME));
    for author in ["joe", "other[bot]", "github-actions"] {
        double.add_comment(REPOSITORY, 2, author, &text);
    }
    publish(&double, &digest);
    let other = double.put_platform_image(NAME, "linux/arm64");
    publish(&double, &other);
    let comments = comments(&double);
    let bodies: Vec<&str> = comments.iter().map(|one| one.body.as_str()).collect();
    assert_eq!(bodies[..3], [&text, &text, &text]);
    assert_eq!(comments[3].author, BOT);
    assert!(bodies[3].contains(&other) && bodies.len() == 4);
}

#[test]
fn own_comment_that_only_quotes_the_marker_stays() {
    let (double, digest) = server();
    let quoted = format!("> {0}\n\n{0}", marker(&double, NAME));
    double.add_comment(REPOSITORY, 2, BOT, &quoted);
    publish(&double, &digest);
    assert_eq!(comments(&double)[0].body, quoted);
    assert_eq!(requests(&double), [1, 1, 0]);
}

#[test]
fn personal_token_updates_its_own_comment() {
    let account = Account::classic("acme").pull_requests(Access::Write);
    let double = builder(account).start().unwrap();
    let digest = double.put_platform_image(NAME, "linux/amd64");
    double.add_comment(REPOSITORY, 2, BOT, &marker(&double, NAME));
    publish(&double, &digest);
    publish(&double, &digest);
    let comments = comments(&double);
    let authors: Vec<&str> = comments.iter().map(|one| one.author.as_str()).collect();
    assert_eq!(authors, [BOT, "acme"]);
    assert_eq!(requests(&double), [2, 1, 0]);
}

#[test]
fn lost_answer_makes_no_second_comment() {
    let (double, digest) = server();
    double.script(Fault::on(Endpoint::CommentPost).reset_after_serving());
    publish(&double, &digest).assert_log("Comment on pull request 2: unchanged\n");
    assert_eq!(requests(&double), [2, 1, 0]);
    let other = double.put_platform_image(NAME, "linux/arm64");
    double.script(Fault::on(Endpoint::CommentPatch).reset_after_serving());
    publish(&double, &other);
    assert_eq!(requests(&double), [4, 1, 1]);
    assert_eq!(comments(&double).len(), 1);
}

#[test]
fn outage_is_retried() {
    let (double, digest) = server();
    for endpoint in [Endpoint::CommentList, Endpoint::CommentPost] {
        double.script(Fault::on(endpoint).answer(503));
    }
    let run = publish(&double, &digest);
    run.assert_log("GitHub's API answered 503");
    run.assert_log("Comment on pull request 2: created\n");
    assert_eq!(requests(&double), [3, 2, 0]);
}

#[test]
fn token_without_the_permission_leaves_a_notice() {
    let account = Account::workflow(REPOSITORY);
    let double = builder(account).start().unwrap();
    let digest = double.put_platform_image(NAME, "linux/amd64");
    let run = publish(&double, &digest);
    let line = run
        .stdout
        .lines()
        .find(|line| line.contains("cannot write"));
    expect![[r#"
        ::notice title=ghcr-publish::cannot write the comment on pull request 2: GitHub's API answered 403 Resource not accessible by integration
          because: the token may not write comments on pull requests of `acme/Widget`
          fix: add `pull-requests: write` to the job's `permissions:`; in a reusable workflow the caller grants it too"#]].assert_eq(&line.unwrap().replace("%0A", "\n"));
    assert_eq!(run.output("pushed"), "true");
    assert_eq!(requests(&double), [1, 1, 0]);
}

#[test]
fn unknown_pull_request_and_refusals_leave_a_notice() {
    let (double, digest) = server();
    let fix = "fix: add `pull-requests: write` to the job's `permissions:`";
    for (status, message, expected) in [
        (404, "Not Found", fix),
        (403, "Forbidden", fix),
        (
            403,
            "Unable to create comment because issue is locked.",
            "fix: unlock the conversation",
        ),
        (401, "Bad credentials", "fix: check the token"),
        (422, "Validation Failed", "fix: run the job again"),
    ] {
        let body = format!(r#"{{"message":"{message}"}}"#);
        let fault = Fault::on(Endpoint::CommentPost).answer(status);
        double.script(fault.body("application/json", &body));
        let run = publish(&double, &digest);
        run.assert_log("::notice title=ghcr-publish::cannot write the comment on pull request 2");
        run.assert_log(expected);
    }
    assert_eq!(requests(&double), [5, 5, 0]);
}

#[test]
fn long_comment_is_cut() {
    let (double, digest) = server();
    let long = "x".repeat(120);
    let tags: Vec<String> = (0..600)
        .map(|number| format!("type=raw,value={long}{number}"))
        .collect();
    succeeded(job("pull_request", &double, &digest).input("tags", tags.join("\n")));
    let body = &comments(&double)[0].body;
    assert!(body.len() <= 65_536, "{}", body.len());
    let end =
        format!("| Digest | `{digest}` |\n\n*The rest is omitted: the comment is too long.*\n");
    assert!(body.ends_with(&end), "{body}");
}

#[test]
fn secret_in_a_tag_is_hidden() {
    let (double, digest) = server();
    let login = "- {registry: quay.io, username: joe, password: hunter-2}";
    let action = job("pull_request", &double, &digest)
        .input("registry-auth", login)
        .input("tags", "type=raw,value=hunter-2");
    succeeded(action);
    let body = &comments(&double)[0].body;
    assert!(!body.contains("hunter") && body.contains("`***`"), "{body}");
}

#[test]
fn input_is_true_or_false() {
    let (double, digest) = server();
    let run = job("pull_request", &double, &digest)
        .input("comment", "on")
        .run();
    assert!(!run.succeeded);
    run.assert_error("invalid value `on` for the input `comment`%0A  fix: write `true` or `false`");
}
