//! Tags that move: only forward, `latest` last, and as if nothing had happened when something fails.

mod answers;

use std::collections::BTreeMap;
use std::time::Duration;

use expect_test::expect;
use ghcr_double::{Denial, Double, Endpoint, Fault, Repository};
use serde_json::{Value, json};

use crate::publication::PUSHED;
use crate::publication::registry;
use crate::publication::{COMMIT as OURS, NAME};
use crate::support::{Action, Run};

const PAST: &str = "1111111111111111111111111111111111111111";
const FUTURE: &str = "3333333333333333333333333333333333333333";
const ASIDE: &str = "4444444444444444444444444444444444444444";

/// PAST - OURS - FUTURE, and ASIDE, which branches off PAST.
fn double() -> Double {
    let date = "2026-11-20T10:00:00Z";
    let repository = Repository::new("acme/Widget")
        .commit(PAST, &[], date)
        .commit(OURS, &[PAST], date)
        .commit(FUTURE, &[OURS], date)
        .commit(ASIDE, &[PAST], date);
    registry().repository(repository).start().unwrap()
}

/// Stores an image of a commit of this repository under a tag.
fn image(double: &Double, tag: &str, commit: &str) -> String {
    let annotations = [
        (
            "org.opencontainers.image.source",
            "https://github.com/acme/Widget",
        ),
        ("org.opencontainers.image.revision", commit),
    ];
    double.put_image(NAME, tag, &annotations)
}

/// The same as an engine with a graph driver pushes it: without annotations.
fn labelled_image(double: &Double, tag: &str, commit: &str) -> String {
    let labels = [
        (
            "org.opencontainers.image.source",
            "https://github.com/acme/Widget",
        ),
        ("org.opencontainers.image.revision", commit),
    ];
    double.put_labelled_image(NAME, tag, &labels)
}

fn publication(event: &str, double: &Double, digest: &str) -> Action {
    Action::publishing(event, double).buildx_pushes(digest)
}

/// A push to `main`, while `main` shows another commit, or what somebody else put there.
fn push_to_main(double: &Double, inputs: &[(&str, &str)]) -> Run {
    let ours = image(double, &format!("sha-{OURS}"), OURS);
    let action = publication("push_branch", double, &ours);
    let action = inputs
        .iter()
        .fold(action, |action, (name, value)| action.input(name, value));
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run
}

fn skipped(run: &Run) -> Value {
    serde_json::from_str(run.output("skipped-tags")).unwrap()
}

#[test]
fn branch_moves_forward_with_its_commits() {
    let double = double();
    image(&double, "main", PAST);
    let run = push_to_main(&double, &[]);
    assert_eq!(double.tags(NAME)["main"], run.output("digest"));
    assert_eq!(skipped(&run), json!([]));
}

#[test]
fn old_commit_keeps_tags_and_logs_why() {
    let double = double();
    let newer = image(&double, "main", FUTURE);
    let run = push_to_main(&double, &[]);
    assert_eq!(double.tags(NAME)["main"], newer);
    assert_eq!((run.output("tags"), run.output("pushed")), ("", "true"));
    let reason = "it shows the commit `3333333`, which is newer";
    let name = format!("{}/{NAME}", double.host());
    let expected = json!([{"name": name, "tag": "main", "reason": reason, "holds": newer}]);
    assert_eq!(skipped(&run), expected);
    let line = format!("kept     {name}:main at {newer} because {reason}\n");
    run.assert_log(&line);
    run.assert_summary(format!(
        "Kept `main` at `{newer}` because it shows the commit"
    ));
}

#[test]
fn a_commit_is_read_from_labels_where_annotations_are_missing() {
    let double = double();
    let newer = labelled_image(&double, "main", FUTURE);
    let run = push_to_main(&double, &[]);
    assert_eq!(double.tags(NAME)["main"], newer);
    let reason = "it shows the commit `3333333`, which is newer";
    assert_eq!(skipped(&run)[0]["reason"], reason);
    labelled_image(&double, "main", PAST);
    let run = push_to_main(&double, &[]);
    assert_eq!(double.tags(NAME)["main"], run.output("digest"));
    assert!(!run.stdout.contains("moves although"), "{}", run.stdout);
}

#[test]
fn image_of_unknown_commit_does_not_block_branch() {
    let check = |prepare: fn(&Double), remark: &str| {
        let double = double();
        prepare(&double);
        let run = push_to_main(&double, &[]);
        assert_eq!(double.tags(NAME)["main"], run.output("digest"));
        let line = format!("`main` moves although {remark}");
        run.assert_log(&line);
    };
    check(
        |double| drop(image(double, "main", ASIDE)),
        "it shows the commit `4444444` of another line of history",
    );
    check(
        |double| drop(double.put_image(NAME, "main", &[])),
        "its image names no commit of this repository",
    );
    let elsewhere = |double: &Double| {
        let annotations = [
            (
                "org.opencontainers.image.source",
                "https://github.com/debian/base",
            ),
            ("org.opencontainers.image.revision", FUTURE),
        ];
        double.put_image(NAME, "main", &annotations);
    };
    check(
        elsewhere,
        "its image comes from `https://github.com/debian/base`",
    );
    check(
        |double| drop(image(double, "main", &"5".repeat(40))),
        "it shows the commit `5555555`, which GitHub does not find in the history of this repository",
    );
}

#[test]
fn floating_tags_input_allows_moving_back_or_keeping() {
    let double = double();
    let newer = image(&double, "main", FUTURE);
    let run = push_to_main(&double, &[("floating-tags", "always")]);
    assert_eq!(double.tags(NAME)["main"], run.output("digest"));
    let older = image(&double, "main", PAST);
    let run = push_to_main(&double, &[("floating-tags", "never")]);
    assert_eq!(double.tags(NAME)["main"], older);
    let reason = "the input `floating-tags` is `never`";
    assert_eq!(skipped(&run)[0]["reason"], reason);
    assert_ne!(older, newer);
}

const VERSIONS: &str = "type=semver,pattern=v{{version}}\ntype=semver,pattern={{major}}.{{minor}}\ntype=semver,pattern={{major}}";

/// A push of the tag v1.2.3, while the registry has other versions.
fn push_of_version(double: &Double) -> Run {
    let ours = image(double, PUSHED, OURS);
    let action = publication("push_tag", double, &ours).input("tags", VERSIONS);
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run
}

#[test]
fn backport_keeps_latest_and_moves_its_minor_tag() {
    let double = double();
    let newer = image(&double, "v2.0.0", FUTURE);
    image(&double, "latest", FUTURE);
    image(&double, "1.2", PAST);
    let run = push_of_version(&double);
    let tags = double.tags(NAME);
    assert_eq!(tags["latest"], newer);
    assert_eq!([&tags["1.2"], &tags["1"]], [run.output("digest"); 2]);
    assert_eq!(skipped(&run)[0]["tag"], "latest");
    assert_eq!(
        skipped(&run)[0]["reason"],
        "`v2.0.0` is newer than `v1.2.3`"
    );
}

#[test]
fn versions_on_every_page_of_the_list_count() {
    let double = double();
    let old = image(&double, "a0", PAST);
    let (media_type, bytes) = double.manifest(NAME, &old).unwrap();
    for number in 0..1_200 {
        let tag = format!("b{number}");
        double.put_manifest(NAME, &tag, &media_type, bytes.clone());
    }
    image(&double, "v10.0.0", FUTURE);
    image(&double, "latest", FUTURE);
    let run = push_of_version(&double);
    // Two pages, and again after the tags have moved.
    assert_eq!(double.count(Endpoint::TagList), 4);
    assert_eq!(
        skipped(&run)[0]["reason"],
        "`v10.0.0` is newer than `v1.2.3`"
    );
}

#[test]
fn concurrent_older_image_is_replaced_and_newer_one_kept() {
    // The double moves the tag itself, between our write and our second look.
    let race = |commit: &'static str| {
        let double = double();
        image(&double, "main", PAST);
        let annotations = [
            (
                "org.opencontainers.image.source",
                "https://github.com/acme/Widget",
            ),
            ("org.opencontainers.image.revision", commit),
            ("org.opencontainers.image.title", "other"),
        ];
        let other = double.put_image(NAME, "other", &annotations);
        let ours = image(&double, &format!("sha-{OURS}"), OURS);
        let script = format!("echo '{{\"containerimage.digest\":\"{ours}\"}}' > \"$metadata\"");
        let action = publication("push_branch", &double, &ours).buildx(&script);
        let run = std::thread::scope(|scope| {
            let running = scope.spawn(|| action.run());
            while double.tags(NAME)["main"] != ours {
                std::thread::sleep(Duration::from_millis(2));
            }
            let (media_type, bytes) = double.manifest(NAME, &other).unwrap();
            double.put_manifest(NAME, "main", &media_type, bytes);
            running.join().unwrap()
        });
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        let shows_ours = double.tags(NAME)["main"] == ours;
        (shows_ours, skipped(&run)[0]["reason"].clone())
    };
    assert_eq!(
        race(ASIDE),
        (false, json!("another run moved it meanwhile"))
    );
    assert_eq!(race(PAST), (true, Value::Null));
    let newer = json!("it shows the commit `3333333`, which is newer");
    assert_eq!(race(FUTURE), (false, newer));
}

#[test]
fn failure_rolls_back_moved_tags() {
    let double = double();
    let old = image(&double, "1.2", PAST);
    for tag in ["1", "latest"] {
        image(&double, tag, PAST);
    }
    let ours = image(&double, PUSHED, OURS);
    let refused = Fault::on(Endpoint::TagPut).path("/latest").always();
    double.script(refused.deny(&Denial::WritePackage));
    let action = publication("push_tag", &double, &ours).input("tags", VERSIONS);
    let run = action.run();
    assert!(!run.succeeded);
    let tags = double.tags(NAME);
    assert_eq!([&tags["1.2"], &tags["1"], &tags["latest"]], [&old; 3]);
    assert_eq!(
        run.output("tags"),
        format!("{}/{NAME}:v1.2.3", double.host())
    );
    expect![[r#"
        ::error title=ghcr-publish::`<registry>/acme/widget@<digest>` was pushed, but not all of its tags were moved
          because: <registry> answered 403 DENIED: permission_denied: write_package: the package exists, and this repository has no write access to it
          fix: open https://github.com/orgs/acme/packages/container/widget/settings → Manage Actions access → add acme/Widget with role Write; if it is listed there, add `packages: write` to the job's `permissions:`; then run the job again once the registry works: the tags are moved then
    "#]].assert_eq(
        &run.stable(&run.stderr, double.host())
            .replace(&ours, "<digest>")
            .replace("%0A", "\n"),
    );
}

/// Each floating tag shows old or new, `latest` the new one only when all others do, and what a tag
/// shows is there.
fn assert_atomic(double: &Double, old: &str, ours: &str, when: &str) {
    let tags: BTreeMap<String, String> = double.tags(NAME);
    let floating = ["1.2", "1", "stable", "edge", "latest"];
    let new = |tag: &&str| tags[*tag] == ours;
    for tag in floating {
        assert!(
            new(&tag) || tags[tag] == old,
            "{when}: {tag} shows {}",
            tags[tag]
        );
        assert!(double.manifest(NAME, tag).is_some(), "{when}: {tag}");
    }
    if new(&"latest") {
        assert!(floating.iter().all(new), "{when}: {tags:?}");
    }
}

#[test]
fn killed_run_leaves_each_tag_old_or_new() {
    let rules = format!("{VERSIONS}\nstable\nedge");
    let mut killed = 0;
    for request in 0.. {
        let double = double();
        let old = image(&double, "v1.2.2", PAST);
        for tag in ["1.2", "1", "stable", "edge", "latest"] {
            image(&double, tag, PAST);
        }
        let ours = image(&double, PUSHED, OURS);
        // Every other time what was asked for is done, and only the answer is missing.
        let hang = Fault::on(Endpoint::Any)
            .after(request)
            .hang(Duration::from_secs(10));
        double.script(if request % 2 == 0 { hang.close() } else { hang });
        let action = publication("push_tag", &double, &ours).input("tags", &rules);
        let reached = || double.requests().len() > request as usize;
        let ended = action.run_and_kill_when(reached);
        assert_atomic(
            &double,
            &old,
            &ours,
            &format!("killed at request {request}"),
        );
        if ended {
            break;
        }
        killed += 1;
    }
    assert!(killed > 20, "{killed}");
}

#[test]
fn cancelled_run_moves_no_more_tags_and_reports_state() {
    let double = double();
    let old = image(&double, "latest", PAST);
    let ours = image(&double, PUSHED, OURS);
    let hang = Fault::on(Endpoint::TagPut).path("/latest");
    double.script(hang.hang(Duration::from_secs(30)).close());
    let action = publication("push_tag", &double, &ours).input("tags", VERSIONS);
    let waiting = || {
        double
            .requests()
            .iter()
            .any(|seen| seen.path.ends_with("/latest") && seen.method == "PUT")
    };
    let started = std::time::Instant::now();
    let run = action.run_and_stop_when(waiting);
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(!run.succeeded);
    assert_eq!(double.tags(NAME)["latest"], old);
    let name = format!("{}/{NAME}", double.host());
    let expected = format!("{name}:v1.2.3\n{name}:1.2\n{name}:1");
    assert_eq!(
        (run.output("tags"), run.output("pushed")),
        (expected.as_str(), "true")
    );
    run.assert_error("the run was cancelled");
}
