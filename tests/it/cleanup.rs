//! `mode: cleanup`: what goes, what stays, and in which order, against the packages API of the double.

mod bad_days;
mod limits;
mod races;

use std::time::Duration;

use ghcr_double::{Account, Builder, Double, Endpoint, Package, PullRequest, Repository};
use serde_json::{Value, json};

use crate::json::result;
use crate::publication::NAME;
use crate::support::{Action, Run, TOKEN};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DAY: u64 = 24 * 3600;

/// The package of `acme/Widget`, whose pull requests 1 and 3 are closed, and 2 is open.
pub(crate) fn builder() -> Builder {
    let repository = Repository::new("acme/Widget")
        .pull_request(1, PullRequest::Closed)
        .pull_request(2, PullRequest::Open)
        .pull_request(3, PullRequest::Closed);
    Double::builder()
        .token(TOKEN, Account::workflow("acme/Widget"))
        .organization("acme")
        .package(NAME, Package::of("acme/Widget").public())
        .repository(repository)
}

/// Pushes as many days ago.
pub(crate) fn days_ago<T>(double: &Double, days: u64, push: impl FnOnce(&Double) -> T) -> T {
    let now = double.time();
    double.set_time(now - Duration::from_secs(days * DAY));
    let pushed = push(double);
    double.set_time(now);
    pushed
}

/// An image of its own without a tag.
fn put_child(double: &Double, text: &str) -> String {
    let config = double.put_blob(NAME, text.to_owned());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": text.len() },
        "layers": [],
    });
    // What looks like a digest is no tag.
    double.put_manifest(NAME, &config, MANIFEST, manifest.to_string())
}

/// An index of two platforms and an attestation, under a tag; its digest and those of its children.
fn put_index(double: &Double, tag: &str) -> Vec<String> {
    let names = ["linux/amd64", "linux/arm64", "unknown/unknown"];
    let children = names.map(|name| put_child(double, &format!("{tag} {name}")));
    let listed = names.into_iter().zip(children.iter().map(String::as_str));
    let index = double.put_index(NAME, tag, &listed.collect::<Vec<_>>(), &[]);
    std::iter::once(index).chain(children).collect()
}

/// `main` of today, 1.2.3 of long ago, and the images of three pull requests.
fn start() -> Double {
    let double = builder().start().unwrap();
    fill(&double);
    double
}

fn fill(double: &Double) {
    days_ago(double, 60, |double| put_index(double, "1.2.3"));
    for (days, tag) in [
        (40, "pr-1"),
        (30, "pr-2"),
        (20, "pr-3"),
        (10, "sha-0123456"),
    ] {
        days_ago(double, days, |double| put_index(double, tag));
    }
    put_index(double, "main");
    double.clear_requests();
}

fn action(double: &Double) -> Action {
    Action::publishing("schedule", double).input("mode", "cleanup")
}

pub(crate) fn weekly(double: &Double, retention: &str) -> Action {
    action(double).input("retention", retention)
}

fn tags(double: &Double) -> Vec<String> {
    double.tags(NAME).into_keys().collect()
}

#[track_caller]
fn succeeded(run: Run) -> Run {
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run
}

/// The first tag or the word `untagged` of each version in an output.
fn listed(run: &Run, output: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(run.output(output)).unwrap();
    let versions = list.as_array().unwrap().iter();
    let name = |version: &Value| version["tags"][0].as_str().unwrap_or("untagged").to_owned();
    versions.map(name).collect()
}

/// Every child of every manifest in the registry is there.
#[track_caller]
fn is_whole(double: &Double) {
    for digest in double.manifests(NAME) {
        let (_, bytes) = double.manifest(NAME, &digest).unwrap();
        let manifest: Value = serde_json::from_slice(&bytes).unwrap();
        for child in manifest["manifests"].as_array().into_iter().flatten() {
            let child = child["digest"].as_str().unwrap();
            assert!(
                double.manifest(NAME, child).is_some(),
                "{digest} lacks {child}"
            );
        }
    }
}

fn deletions(double: &Double) -> usize {
    double.count(Endpoint::VersionDelete)
}

#[test]
fn default_rules_delete_images_of_closed_pull_requests() {
    let double = start();
    let run = succeeded(action(&double).run());
    assert_eq!(tags(&double), ["1.2.3", "main", "pr-2", "sha-0123456"]);
    assert_eq!(double.manifests(NAME).len(), 16);
    is_whole(&double);
    assert_eq!(listed(&run, "deleted").len(), 8);
    let kept = ["main", "sha-0123456", "pr-2", "1.2.3"];
    assert_eq!(listed(&run, "kept")[..4], kept);
    assert_eq!([run.output("retained"), run.output("failed")], ["[]", "[]"]);
    run.assert_log("deleted   ");
    let line = "deleted 8 versions, kept 16, retained by GitHub 0";
    run.assert_log(line);
    assert!(
        run.summary.contains("### 🧹 Deleting 8 of 24 versions of"),
        "{}",
        run.summary
    );
    assert!(run.summary.contains(line), "{}", run.summary);
    assert!(
        run.summary.contains("| `delete=pr-*,when=closed` | 8 |"),
        "{}",
        run.summary
    );
}

#[test]
fn closed_event_deletes_the_images_of_its_pull_request() {
    let double = start();
    // Nobody asks for its state: the event says it, also of a pull request that GitHub would call open.
    let run = closed_event(&double, 2).input("mode", "cleanup").run();
    succeeded(run);
    assert_eq!(double.count(Endpoint::PullRequestGet), 0);
    assert_eq!(
        tags(&double),
        ["1.2.3", "main", "pr-1", "pr-3", "sha-0123456"]
    );
    is_whole(&double);
}

/// The event of a pull request that was closed.
fn closed_event(double: &Double, number: u64) -> Action {
    let action = Action::publishing("pull_request", double);
    let payload = std::fs::read(crate::support::fixture("pull_request", "json")).unwrap();
    let mut payload: Value = serde_json::from_slice(&payload).unwrap();
    payload["action"] = "closed".into();
    payload["number"] = number.into();
    payload["pull_request"]["number"] = number.into();
    let path = action.path("event.json");
    std::fs::write(&path, payload.to_string()).unwrap();
    action
        .env("GITHUB_EVENT_PATH", path.display().to_string())
        .env("GITHUB_REF", format!("refs/pull/{number}/merge"))
}

#[test]
fn dry_run_says_everything_and_deletes_nothing() {
    let double = start();
    let run = succeeded(action(&double).input("dry-run", "true").run());
    assert_eq!(deletions(&double), 0);
    assert_eq!(tags(&double).len(), 6);
    let deleted = listed(&run, "deleted");
    assert_eq!([deleted[0].as_str(), deleted[4].as_str()], ["pr-1", "pr-3"]);
    assert_eq!(deleted.len(), 8);
    run.assert_log("would delete 8 versions, keeps 16");
    assert!(
        run.summary.contains("Dry run: would delete 8 of 24"),
        "{}",
        run.summary
    );
}

#[test]
fn budget_ends_between_images_and_the_next_run_continues() {
    let double = start();
    let run = succeeded(action(&double).input("cleanup-budget", "7").run());
    assert_eq!(
        tags(&double),
        ["1.2.3", "main", "pr-2", "pr-3", "sha-0123456"]
    );
    run.assert_log("has reached `cleanup-budget`; 4 versions are left for the next run");
    is_whole(&double);
    let run = succeeded(action(&double).run());
    assert_eq!(listed(&run, "deleted").len(), 4);
    assert_eq!(tags(&double), ["1.2.3", "main", "pr-2", "sha-0123456"]);
    let run = succeeded(action(&double).run());
    assert_eq!(run.output("deleted"), "[]");
}

#[test]
fn every_deletion_is_written_before_the_first_one() {
    let double = start();
    let gate = double.gate();
    let started = action(&double).start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        loop {
            match gate.waiting().first() {
                Some(seen) if seen.endpoint == Endpoint::VersionDelete => break,
                Some(_) => gate.pass(0).await,
                None => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    });
    let run = started.kill();
    assert_eq!(listed(&run, "deleted").len(), 8);
    let id = double.version_id(NAME, "pr-3").unwrap().to_string();
    assert!(run.summary.contains(&id), "{}", run.summary);
}

#[test]
fn outputs_that_cannot_be_written_stop_the_clean_up() {
    for variable in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
        let double = start();
        let run = action(&double).env(variable, "/nonexistent/file").run();
        assert!(!run.succeeded, "{}", run.stdout);
        assert_eq!(deletions(&double), 0, "{variable}");
    }
}

#[test]
fn restored_version_is_complete_again() {
    let double = start();
    let run = succeeded(action(&double).run());
    let list: Value = serde_json::from_str(run.output("deleted")).unwrap();
    let ids: Vec<String> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["id"].to_string())
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let arguments = [&["restore"][..], &ids].concat();
    let run = succeeded(
        Action::publishing("schedule", &double)
            .arguments(&arguments)
            .run(),
    );
    run.assert_log("restored  ");
    assert_eq!(tags(&double).len(), 6);
    assert_eq!(double.manifests(NAME).len(), 24);
    let again = Action::publishing("schedule", &double)
        .arguments(&arguments)
        .run();
    assert!(!again.succeeded);
    again.assert_error("404 Package version not found.");
    let wrong = Action::publishing("schedule", &double)
        .arguments(&["restore", "sha256:0"])
        .run();
    assert_eq!(wrong.status, Some(2));
    wrong.assert_error("`sha256:0` is not the id of a version, which is a number");
}

#[test]
fn result_is_json_for_programs() {
    let double = start();
    let run = succeeded(
        Action::publishing("schedule", &double)
            .arguments(&["cleanup", "--json"])
            .run(),
    );
    let deleted = &result(&run)["deleted"];
    assert_eq!(deleted.as_array().unwrap().len(), 8);
    let ids = deleted.as_array().unwrap().iter();
    let ids: Vec<String> = ids.map(|entry| entry["id"].to_string()).collect();
    let restore = |ids: &[String]| {
        let ids = ids.iter().map(String::as_str);
        let arguments: Vec<&str> = ["restore", "--json"].into_iter().chain(ids).collect();
        let action = Action::publishing("schedule", &double);
        result(&action.arguments(&arguments).run())
    };
    let restored = restore(&ids[..2]);
    assert_eq!(restored["restored"][1]["id"].to_string(), ids[1]);
    let again = restore(&ids[1..3]);
    assert_eq!(again["restored"].as_array().unwrap().len(), 1);
    assert_eq!(again["status"], "failure");
}

#[test]
fn publication_of_a_closed_pull_request_builds_nothing() {
    let double = start();
    let run = succeeded(closed_event(&double, 2).buildx("exit 1").run());
    run.assert_log("::notice title=ghcr-publish::pull request 2 is closed, and `pr-2` is the only tag: nothing is built; `mode: cleanup` deletes its images");
    assert_eq!(run.output("pushed"), "false");
    run.assert_summary("is not published");
    assert!(double.requests().iter().all(|seen| seen.method == "GET"));
    let tags = "type=ref,event=pr\ntype=sha";
    let other = closed_event(&double, 2).input("tags", tags);
    let run = other.buildx("exit 1").run();
    assert!(!run.succeeded, "it has a tag of its own: {}", run.stdout);
}
