//! A version is written once: its release is found again, and no other image takes it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use expect_test::expect;
use ghcr_double::{Builder, Conditions, Double, Endpoint, Fault, Package};
use serde_json::{Value, json};

use crate::publication::{COMMIT as OURS, NAME, PUSHED, registry};
use crate::support::{Action, Run};

const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba98";
const VERSION: &str = "v1.2.3";
const SOURCE: &str = "org.opencontainers.image.source";
const REVISION: &str = "org.opencontainers.image.revision";
const CREATED: &str = "org.opencontainers.image.created";

fn of(commit: &str) -> [(&str, &str); 3] {
    [
        (SOURCE, "https://github.com/acme/Widget"),
        (REVISION, commit),
        (CREATED, "2026-11-19T08:30:00Z"),
    ]
}

fn double() -> Double {
    registry().start().unwrap()
}

/// A push of the tag `v1.2.3` whose build gives another image than the release.
fn push(double: &Double) -> Action {
    let [source, revision, created] = of(OURS);
    let built = double.put_image(
        NAME,
        PUSHED,
        &[source, revision, created, ("built", "again")],
    );
    Action::publishing("push_tag", double).buildx_pushes(&built)
}

fn shown(double: &Double, name: &str, tag: &str) -> Option<String> {
    double.tags(name).get(tag).cloned()
}

fn changes(run: &Run) -> Value {
    serde_json::from_str(run.output("tag-changes")).unwrap()
}

#[track_caller]
fn is_reused(run: &Run, digest: &str) {
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.noted("calls"), "", "something was built");
    let outputs = ["reused", "pushed", "digest"].map(|name| run.output(name));
    assert_eq!(outputs, ["true", "true", digest]);
    assert_eq!(run.stdout.matches("::notice").count(), 1, "{}", run.stdout);
    run.assert_log("exists for this commit, so nothing is built; to build and replace it, set `fixed-tags: replace`");
}

/// Nothing was written, and nothing was built.
#[track_caller]
fn is_refused(run: &Run, double: &Double, digest: &str) {
    assert!(!run.succeeded, "{}", run.stdout);
    assert_eq!(run.noted("calls"), "", "something was built");
    assert_eq!(shown(double, NAME, VERSION).as_deref(), Some(digest));
    assert_eq!(shown(double, NAME, "latest"), None);
    assert_eq!(double.count(Endpoint::TagPut), 0);
    assert_eq!(run.output("reused"), "false");
}

#[test]
fn absent_version_is_built_and_created() {
    for conditions in [Conditions::Ignored, Conditions::Honoured, Conditions::Weak] {
        let double = registry().conditions(conditions).start().unwrap();
        let run = push(&double).run();
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        let digest = run.output("digest").to_owned();
        assert_eq!(shown(&double, NAME, VERSION), Some(digest.clone()));
        assert_eq!(run.output("reused"), "false");
        // The engine writes the tag of the commit, and we the version.
        let pushed = format!("--tag={}/{NAME}:{PUSHED}", double.host());
        assert!(run.noted("arguments").contains(&pushed));
        let name = format!("{}/{NAME}", double.host());
        let entry = |tag: &str| json!({"name": name, "tag": tag, "change": "created", "from": null, "reason": null});
        assert_eq!(changes(&run), json!([entry(VERSION), entry("latest")]));
        run.assert_log(format!("tag      {name}:{VERSION} (created)\n"));
        run.assert_summary("| Tags | `v1.2.3` created<br>`latest` created |");
    }
}

#[test]
fn release_of_the_same_commit_is_reported_without_a_build() {
    for is_labelled in [false, true] {
        let double = double();
        let digest = match is_labelled {
            true => double.put_labelled_image(NAME, VERSION, &of(OURS)),
            false => double.put_image(NAME, VERSION, &of(OURS)),
        };
        let run = push(&double).input("build-args", "CHANGED=yes").run();
        is_reused(&run, &digest);
        assert_eq!(shown(&double, NAME, VERSION), Some(digest.clone()));
        assert_eq!(shown(&double, NAME, "latest"), Some(digest.clone()));
        let changes = changes(&run);
        assert_eq!(changes[0]["change"], "unchanged");
        assert_eq!(changes[1]["change"], "created");
        run.assert_summary("is published already");
    }
}

/// A repeated run of a release, with everything in place.
#[test]
fn repeated_release_makes_at_most_eight_requests() {
    for is_labelled in [false, true] {
        let double = double();
        let first = Action::publishing("push_tag", &double);
        let built = match is_labelled {
            true => double.put_labelled_image(NAME, PUSHED, &of(OURS)),
            false => double.put_image(NAME, PUSHED, &of(OURS)),
        };
        let first = first.buildx_pushes(&built).run();
        assert!(first.succeeded, "{}{}", first.stdout, first.stderr);
        double.clear_requests();
        let second = push(&double).run();
        is_reused(&second, &built);
        // Without the redirects to the storage of blobs.
        let requests = double.requests();
        let lines: Vec<String> = requests
            .iter()
            .filter(|seen| !seen.path.starts_with("/storage/"))
            .map(|seen| format!("{} {}", seen.method, seen.path))
            .collect();
        assert!(lines.len() <= 8, "{}: {lines:#?}", lines.len());
        assert_eq!(double.count(Endpoint::TagPut), 0);
        let changes = changes(&second);
        let changes = changes.as_array().unwrap().iter();
        let changes: Vec<&str> = changes.map(|it| it["change"].as_str().unwrap()).collect();
        assert_eq!(changes, ["unchanged", "unchanged"]);
    }
}

#[test]
fn repeated_release_waits_for_no_engine() {
    let double = double();
    let built = double.put_index(
        NAME,
        VERSION,
        &[(
            "linux/s390x",
            &double.put_platform_image(NAME, "linux/s390x"),
        )],
        &of(OURS),
    );
    let start = Instant::now();
    let run = push(&double)
        .buildx("exec sleep 60")
        .input("builder", "mine")
        .input("platforms", "linux/s390x")
        .run();
    assert!(start.elapsed() < Duration::from_secs(4), "{}", run.stdout);
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.output("digest"), built);
    // The run may end before the inspection has noted its call.
    let calls = run.noted("calls");
    assert!(matches!(&*calls, "" | "inspect -- mine\n"), "{calls}");
}

#[test]
fn version_of_another_commit_is_refused_before_the_build() {
    let double = double();
    let theirs = double.put_image(NAME, VERSION, &of(OTHER));
    let run = push(&double).run();
    is_refused(&run, &double, &theirs);
    expect![[r#"
        ::error title=ghcr-publish::the version `<registry>/acme/widget:v1.2.3` exists, and a version is written once
          because: it shows <digest> of the commit `fedcba9876543210fedcba9876543210fedcba98`, built on 2026-11-19T08:30:00Z; the image to publish is of the commit `0123456789abcdef0123456789abcdef01234567`, on 2026-11-20T10:00:00Z
          fix: release a new version, or set `fixed-tags: replace` to overwrite this one
    "#]]
    .assert_eq(&run.errors(double.host()).replace(&theirs, "<digest>"));
}

#[test]
fn version_of_unknown_origin_is_refused_before_the_build() {
    let dirty = format!("{OURS}-dirty");
    let foreign = (SOURCE, "https://github.com/joe/widget");
    for (annotations, said) in [
        (vec![], "of unknown origin (its image names no commit"),
        (
            vec![foreign, (REVISION, OURS)],
            "`https://github.com/joe/widget`",
        ),
        (of(&dirty).to_vec(), "built on 2026-11-19"),
    ] {
        let double = double();
        let theirs = double.put_image(NAME, VERSION, &annotations);
        let run = push(&double).run();
        is_refused(&run, &double, &theirs);
        run.assert_error(said);
        run.assert_error(&theirs);
    }
}

#[test]
fn replace_builds_and_overwrites() {
    for commit in [OURS, OTHER] {
        let double = double();
        let theirs = double.put_image(NAME, "1.2.3", &of(commit));
        let [source, revision, created] = of(OURS);
        let labels = [source, revision, created, ("built", "again")];
        double.put_image(NAME, "sha-0123456", &labels);
        let rules = "type=sha,priority=1000\ntype=semver,pattern={{version}}";
        let action = push(&double).input("tags", rules);
        let run = action.input("fixed-tags", "replace").run();
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        let digest = run.output("digest");
        assert_ne!(digest, theirs);
        assert_eq!(run.output("reused"), "false");
        assert_eq!(shown(&double, NAME, "1.2.3").as_deref(), Some(digest));
        let moved = json!({"name": format!("{}/{NAME}", double.host()), "tag": "1.2.3", "change": "moved", "from": theirs, "reason": null});
        assert_eq!(changes(&run)[1], moved);
    }
}

#[test]
fn release_that_does_not_do_is_built_and_another_digest_refused_at_the_tag() {
    for (input, value, said) in [
        ("no-cache", "true", "the input `no-cache` is `true`"),
        ("platforms", "linux/arm64", "it is not for linux/arm64"),
        (
            "outputs",
            "type=image\ntype=local,dest=out",
            "the input `outputs` asks for more than the image",
        ),
        ("load", "true", "the input `load` is `true`"),
    ] {
        let double = double();
        let release = double.put_image(NAME, VERSION, &of(OURS));
        let run = push(&double).input(input, value).run();
        assert!(
            !run.succeeded && !run.noted("calls").is_empty(),
            "{input}: {}{}",
            run.stdout,
            run.stderr
        );
        run.assert_log(format!("is built again because {said}"));
        run.assert_error(&release);
        assert_eq!(shown(&double, NAME, VERSION), Some(release));
        assert_eq!(shown(&double, NAME, "latest"), None);
    }
}

#[test]
fn build_that_gives_the_release_again_succeeds() {
    let double = double();
    let release = double.put_image(NAME, VERSION, &of(OURS));
    let action = Action::publishing("push_tag", &double).buildx_pushes(&release);
    let run = action.input("no-cache", "true").run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(changes(&run)[0]["change"], "unchanged");
    assert_eq!(shown(&double, NAME, "latest"), Some(release));
}

#[test]
fn names_without_the_version_get_the_same_digest() {
    let names = [NAME, "acme/tool", "acme/app"];
    let double = registry()
        .package("acme/tool", Package::of("acme/Widget"))
        .package("acme/app", Package::of("acme/Widget"))
        .start()
        .unwrap();
    let digest = double.put_image(NAME, VERSION, &of(OURS));
    assert_eq!(double.put_image("acme/app", VERSION, &of(OURS)), digest);
    let images = names
        .map(|name| format!("{}/{name}", double.host()))
        .join("\n");
    let run = push(&double).input("images", images).run();
    is_reused(&run, &digest);
    for name in names {
        assert_eq!(
            shown(&double, name, VERSION),
            Some(digest.clone()),
            "{name}"
        );
        assert_eq!(
            shown(&double, name, "latest"),
            Some(digest.clone()),
            "{name}"
        );
    }
    let changes = changes(&run);
    let of_version = |name: &str| {
        let mut entries = changes.as_array().unwrap().iter();
        let is_it = |entry: &&Value| {
            entry["tag"] == VERSION && entry["name"].as_str().unwrap().ends_with(name)
        };
        entries.find(is_it).unwrap()["change"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(names.map(of_version), ["unchanged", "created", "unchanged"]);
}

#[test]
fn names_that_show_two_images_are_refused() {
    let double = registry()
        .package("acme/tool", Package::of("acme/Widget"))
        .start()
        .unwrap();
    let one = double.put_image(NAME, VERSION, &of(OURS));
    let [source, revision, created] = of(OURS);
    let labels = [source, revision, created, ("built", "elsewhere")];
    let other = double.put_image("acme/tool", VERSION, &labels);
    let images = format!("{0}/{NAME}\n{0}/acme/tool", double.host());
    let run = push(&double).input("images", images).run();
    is_refused(&run, &double, &one);
    run.assert_error("exist and show two images");
    run.assert_error(&other);
}

#[test]
fn version_that_cannot_be_read_is_not_built_over() {
    let double = double();
    let theirs = double.put_image(NAME, VERSION, &of(OTHER));
    let unwell = Fault::on(Endpoint::ManifestRead).path("/manifests/v1.2.3");
    double.script(unwell.always().answer(503));
    let run = push(&double).input("push-timeout", "1s").run();
    is_refused(&run, &double, &theirs);
    run.assert_error("which may be a release already");
}

#[test]
fn candidate_does_not_replace_a_version() {
    let double = registry()
        .package("acme/tested", Package::of("acme/Widget"))
        .start()
        .unwrap();
    let release = double.put_image(NAME, VERSION, &of(OURS));
    let [source, revision, created] = of(OURS);
    let tested = [source, revision, created, ("tested", "yes")];
    let tested = double.put_image("acme/tested", "1", &tested);
    let candidate = format!("{}/acme/tested:1", double.host());
    let run = push(&double).input("candidate", candidate).run();
    is_refused(&run, &double, &release);
    run.assert_error(&release);
    run.assert_error(&tested);
    assert_eq!(double.count(Endpoint::ManifestPut), 0);
}

/// The script of a build that waits until the other build has started, and gives `digest`.
fn waiting_build(directory: &Path, own: &str, other: &str, digest: &str) -> String {
    let at = |name: &str| directory.join(name).display().to_string();
    format!(
        "[ \"$1\" = build ] || exit 0\ntouch {}\nwhile [ ! -e {} ]; do sleep 0.02; done\n\
         echo '{{\"containerimage.digest\":\"{digest}\"}}' > \"$metadata\"",
        at(own),
        at(other)
    )
}

/// Two builds of one commit that differ, both started while the version did not exist.
fn race(builder: Builder) -> (Double, [Run; 2]) {
    let double = builder.start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let [source, revision, created] = of(OURS);
    let runs = [("a", "b"), ("b", "a")].map(|(own, other)| {
        let labels = [source, revision, created, ("builder", own)];
        let digest = double.put_image(NAME, PUSHED, &labels);
        let script = waiting_build(directory.path(), own, other, &digest);
        let action = Action::publishing("push_tag", &double).buildx(&script);
        let rules = "type=semver,pattern={{version}}";
        action.input("tags", rules).input("flavor", "latest=false")
    });
    let runs = std::thread::scope(|scope| {
        let runs = runs.map(|action| scope.spawn(|| action.run()));
        runs.map(|run| run.join().unwrap())
    });
    fs::remove_dir_all(directory.path()).unwrap();
    (double, runs)
}

#[test]
fn one_of_two_racing_runs_wins() {
    let (double, runs) = race(registry().conditions(Conditions::Honoured));
    let winner = shown(&double, NAME, "1.2.3").unwrap();
    let won: Vec<&Run> = runs.iter().filter(|run| run.succeeded).collect();
    assert_eq!(won.len(), 1, "{}{}", runs[0].stderr, runs[1].stderr);
    assert_eq!(won[0].output("digest"), winner);
    let lost = runs.iter().find(|run| !run.succeeded).unwrap();
    assert_ne!(lost.output("digest"), winner);
    lost.assert_error(format!("it shows {winner} of the commit `{OURS}`"));
    assert_eq!(lost.output("tags"), "");
}
