//! A tag that names a commit shows that commit: no run of another commit, and no other image, takes it.

use ghcr_double::{Double, Endpoint, Fault, Package};

use crate::publication::registry;
use crate::publication::{COMMIT as OURS, NAME};
use crate::support::{Action, Run};

/// Begins with the same seven digits.
const OTHER: &str = "0123456fffffffffffffffffffffffffffffffff";
const SHORT: &str = "sha-0123456";
const SOURCE: &str = "org.opencontainers.image.source";
const REVISION: &str = "org.opencontainers.image.revision";

fn double() -> Double {
    registry()
        .package("acme/tested", Package::of("acme/Widget"))
        .start()
        .unwrap()
}

fn of(commit: &str) -> [(&str, &str); 2] {
    [
        (SOURCE, "https://github.com/acme/Widget"),
        (REVISION, commit),
    ]
}

/// A push to `main` that builds an image of our commit, which the engine pushes under `x-0123456`.
fn push(double: &Double, rules: &str) -> Action {
    let [source, revision] = of(OURS);
    let ours = double.put_image(NAME, "x-0123456", &[source, revision, ("built", "now")]);
    Action::publishing("push_branch", double)
        .buildx_pushes(&ours)
        .input("tags", rules)
}

const RULES: &str = "type=raw,value=x-{{sha}}\ntype=sha";

#[track_caller]
fn taken(run: &Run, double: &Double, tag: &str) {
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    let digest = run.output("digest");
    let tags = double.tags(NAME);
    assert_eq!(tags.get(tag).map(String::as_str), Some(digest));
}

/// The tag is where it was, and nothing was built.
#[track_caller]
fn kept(run: &Run, double: &Double, tag: &str, digest: &str, said: &str) {
    assert!(!run.succeeded, "{}", run.stdout);
    run.assert_error(said);
    run.assert_error(format!("{NAME}:{tag}`"));
    let tags = double.tags(NAME);
    assert_eq!(tags.get(tag).map(String::as_str), Some(digest));
    assert_eq!(run.noted("calls"), "", "something was built");
}

#[test]
fn commit_tag_of_another_commit_fails_before_build() {
    let double = double();
    let theirs = double.put_image(NAME, SHORT, &of(OTHER));
    let run = push(&double, RULES).run();
    kept(&run, &double, SHORT, &theirs, "of the commit `0123456fffff");
    run.assert_error("format=long");
}

/// From three on, one list says which of them the repository has.
#[test]
fn one_commit_tag_of_many_for_another_commit_is_kept() {
    let many = format!("{RULES}\ntype=sha,prefix=a-\ntype=sha,prefix=b-");
    let double = double();
    let theirs = double.put_image(NAME, SHORT, &of(OTHER));
    let run = push(&double, &many).run();
    kept(&run, &double, SHORT, &theirs, "of the commit `0123456fffff");
    let requests = double.requests();
    let reads = requests.iter().map(|seen| seen.path.as_str());
    let reads: Vec<&str> = reads.filter(|path| path.contains("/manifests/")).collect();
    // The engine's image is there already, and the two others are not.
    let expected = ["x-0123456", SHORT].map(|tag| format!("/v2/{NAME}/manifests/{tag}"));
    assert_eq!(reads, expected);
}

#[test]
fn commit_is_read_from_labels() {
    let double = double();
    let theirs = double.put_labelled_image(NAME, SHORT, &of(OTHER));
    let run = push(&double, RULES).run();
    kept(&run, &double, SHORT, &theirs, "of the commit `0123456fffff");
}

#[test]
fn short_tag_of_image_without_commit_is_kept() {
    let double = double();
    let theirs = double.put_image(NAME, SHORT, &[]);
    let run = push(&double, RULES).run();
    kept(&run, &double, SHORT, &theirs, "names no commit");
}

#[test]
fn rerun_of_same_commit_moves_its_tag() {
    for is_labelled in [false, true] {
        let double = double();
        if is_labelled {
            double.put_labelled_image(NAME, SHORT, &of(OURS));
        } else {
            double.put_image(NAME, SHORT, &of(OURS));
        }
        taken(&push(&double, RULES).run(), &double, SHORT);
    }
}

#[test]
fn custom_source_labels_allow_rerun() {
    let labels = [(SOURCE, "https://example.com/upstream"), (REVISION, "r7")];
    let double = double();
    double.put_labelled_image(NAME, SHORT, &labels);
    let lines = labels
        .map(|(key, value)| format!("{key}={value}"))
        .join("\n");
    let run = push(&double, RULES).input("labels", lines).run();
    taken(&run, &double, SHORT);
}

#[test]
fn full_commit_tag_moves_unless_image_names_another_commit() {
    let rules = "type=raw,value=x-{{sha}}\ntype=sha,format=long";
    let full = format!("sha-{OURS}");
    let silent = double();
    silent.put_image(NAME, &full, &[]);
    taken(&push(&silent, rules).run(), &silent, &full);
    let other = double();
    let theirs = other.put_image(NAME, &full, &of(OTHER));
    let run = push(&other, rules).run();
    kept(&run, &other, &full, &theirs, "of the commit `0123456fffff");
}

#[test]
fn tag_written_by_engine_is_checked() {
    let double = double();
    let full = format!("sha-{OURS}");
    let theirs = double.put_image(NAME, &full, &of(OTHER));
    let run = push(&double, "main").run();
    kept(&run, &double, &full, &theirs, "of the commit `0123456fffff");
}

#[test]
fn unreadable_commit_tag_is_kept() {
    let double = double();
    let theirs = double.put_image(NAME, SHORT, &of(OURS));
    let unwell = Fault::on(Endpoint::ManifestRead)
        .path(&format!("/manifests/{SHORT}"))
        .always()
        .answer(503);
    double.script(unwell);
    let run = push(&double, RULES).input("push-timeout", "1s").run();
    kept(&run, &double, SHORT, &theirs, "503");
}

#[test]
fn commit_tag_created_during_build_is_kept() {
    let double = double();
    let theirs = double.put_image(NAME, SHORT, &of(OTHER));
    let before = Fault::on(Endpoint::ManifestRead)
        .path(&format!("/manifests/{SHORT}"))
        .error(404, "MANIFEST_UNKNOWN", "manifest unknown");
    double.script(before);
    let run = push(&double, RULES).run();
    assert!(!run.succeeded && !run.noted("calls").is_empty());
    run.assert_error("of the commit `0123456fffff");
    assert_eq!(double.tags(NAME).get(SHORT), Some(&theirs));
}

#[test]
fn candidate_of_another_commit_is_not_copied() {
    let double = double();
    let theirs = double.put_image(NAME, SHORT, &of(OURS));
    double.put_image("acme/tested", "1", &of(OTHER));
    let candidate = format!("{}/acme/tested:1", double.host());
    let run = push(&double, "type=sha")
        .input("candidate", candidate)
        .run();
    kept(&run, &double, SHORT, &theirs, "of the commit `0123456789ab");
    assert_eq!(double.count(Endpoint::ManifestPut), 0);
}

#[test]
fn candidate_of_same_commit_moves_tag() {
    let double = double();
    double.put_image(NAME, SHORT, &of(OURS));
    let [source, revision] = of(OURS);
    let tested = [source, revision, ("tested", "yes")];
    double.put_image("acme/tested", "1", &tested);
    let candidate = format!("{}/acme/tested:1", double.host());
    let action = push(&double, "type=sha").input("candidate", candidate);
    taken(&action.run(), &double, SHORT);
}
