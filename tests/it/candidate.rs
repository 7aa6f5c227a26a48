//! Publications of an image that exists, against the GHCR double; nothing may be built.

mod archives;
mod bounds;
mod faults;
mod files;
mod images;
mod merge;
mod of_commit;
mod refusals;

use expect_test::{Expect, expect};
use ghcr_double::{Double, Endpoint, Package};
use serde_json::json;

use crate::publication::COMMIT;
use crate::publication::registry;
use crate::support::{Action, Run, TOKEN};
use images::{INDEX, Image, attested_index, referrer};

const SOURCE: (&str, &str) = (
    "org.opencontainers.image.source",
    "https://github.com/acme/Widget",
);

fn double() -> Double {
    registry()
        .package("acme/tested", Package::of("acme/Widget"))
        .start()
        .unwrap()
}

/// A push of the tag `v1.2.3` to `double`; a build that is started fails.
fn action(double: &Double, candidate: &str) -> Action {
    Action::publishing("push_tag", double)
        .buildx("exit 1")
        .input("candidate", candidate)
}

/// The same with credentials for the registry of the candidate.
fn action_between(source: &Double, target: &Double, candidate: &str) -> Action {
    let host = source.host();
    action(target, candidate).input(
        "registry-auth",
        format!("- {{registry: '{host}', username: octocat, password: {TOKEN}}}"),
    )
}

#[track_caller]
fn published(run: &Run, double: &Double, digest: &str) {
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.noted("arguments"), "", "something was built");
    for tag in ["v1.2.3", "latest"] {
        let tags = double.tags("acme/widget");
        assert_eq!(tags.get(tag).map(String::as_str), Some(digest), "{tag}");
    }
    assert_eq!(run.output("digest"), digest);
    assert_eq!(run.output("pushed"), "true");
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a snapshot is written where it is used"
)]
#[track_caller]
fn refused(action: Action, double: &Double, expected: Expect) {
    let run = action.run();
    assert!(!run.succeeded, "{}", run.stdout);
    assert_eq!(run.noted("arguments"), "", "the build was started");
    assert!(double.tags("acme/widget").is_empty());
    let text = run.stable(&run.stderr.replace("%0A", "\n"), double.host());
    expected.assert_eq(text.trim_start_matches("::error title=ghcr-publish::"));
}

/// Requests that carry bytes of this blob.
fn moves(double: &Double, digest: &str) -> usize {
    let carries = |method: &str, path: &str, query: &str| {
        (method == "GET" && path.ends_with(digest)) || (method == "PUT" && query.contains(digest))
    };
    let requests = double.requests();
    let carrying = requests
        .iter()
        .filter(|seen| carries(&seen.method, &seen.path, &seen.query));
    carrying.count()
}

#[test]
fn promotion_in_same_repository_only_writes_tags() {
    let double = double();
    let digest = double.put_image("acme/widget", "tested", &[SOURCE]);
    let candidate = format!("{}/Acme/Widget:tested", double.host());
    let run = action(&double, &candidate).run();
    published(&run, &double, &digest);
    let text = run.stable(&run.stdout, double.host());
    let log: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("add-mask"))
        .collect();
    expect![[r#"
        Push access to <registry>/acme/widget: OK
        Promoting <registry>/acme/widget@sha256:82c22db4232687dc7b2fc5eaded95ae20afb788af1e0d24a9b590e78eff4dbbd (not rebuilt)
    "#]]
    .assert_eq(&format!("{}\n", log[..2].join("\n")));
    let wrote = |endpoint| double.count(endpoint);
    // The one upload that is asked for, before and after the login, is the preflight's.
    assert_eq!(wrote(Endpoint::BlobPost), 2);
    assert_eq!(wrote(Endpoint::BlobPut) + wrote(Endpoint::ManifestPut), 0);
    expect![[r#"
        ### 📦 `<registry>/acme/widget` is published

        | | |
        |---|---|
        | Image | `<registry>/acme/widget` |
        | Digest | `sha256:82c22db4232687dc7b2fc5eaded95ae20afb788af1e0d24a9b590e78eff4dbbd` |
        | Tags | `v1.2.3` created<br>`latest` created |

        | Platform | Size | Digest |
        |---|--:|---|
        | `linux/amd64` | 1.2 kB | `sha256:82c22db4232687dc7b2fc5eaded95ae20afb788af1e0d24a9b590e78eff4dbbd` |

        ```sh
        docker pull <registry>/acme/widget@sha256:82c22db4232687dc7b2fc5eaded95ae20afb788af1e0d24a9b590e78eff4dbbd
        ```

        Published unchanged from `<registry>/acme/widget@sha256:82c22db4232687dc7b2fc5eaded95ae20afb788af1e0d24a9b590e78eff4dbbd`.

    "#]].assert_eq(&run.stable(&run.summary, double.host()));
    let config = serde_json::from_slice::<serde_json::Value>(
        &double.manifest("acme/widget", &digest).unwrap().1,
    )
    .unwrap();
    assert_eq!(run.output("imageid"), config["config"]["digest"]);
}

#[test]
fn promotion_in_same_registry_mounts_layers() {
    let double = double();
    let image = Image::small("amd64", "mounted").put(&double, "acme/tested");
    double.put_manifest(
        "acme/tested",
        "good",
        images::MANIFEST,
        image.manifest.clone(),
    );
    let candidate = format!("{}/acme/tested:good", double.host());
    let run = action(&double, &candidate).run();
    published(&run, &double, &image.digest);
    for layer in &image.layers {
        assert_eq!(moves(&double, layer), 0, "{layer}");
        assert!(double.blob("acme/widget", layer).is_some());
    }
    assert_eq!(double.count(Endpoint::BlobPut), 0);
}

#[test]
fn layers_are_copied_when_registry_does_not_mount() {
    let double = double();
    let image = Image::small("amd64", "refused").put(&double, "acme/tested");
    let refuse = |status| {
        ghcr_double::Fault::on(Endpoint::BlobPost)
            .after(2)
            .answer(status)
    };
    double.script(refuse(405));
    let candidate = format!("{}/acme/tested@{}", double.host(), image.digest);
    let run = action(&double, &candidate).run();
    published(&run, &double, &image.digest);
    assert_eq!(double.count(Endpoint::BlobPut), 1);
}

#[test]
fn index_is_copied_with_children_and_referrers() {
    let (source, target) = (double(), double());
    let index = attested_index(&source, "acme/tested", "good");
    let signature = referrer(&source, "acme/tested", &index.digest, "signature");
    let of_signature = referrer(&source, "acme/tested", &signature, "countersignature");
    let bill = referrer(&source, "acme/tested", &index.children[0], "sbom");
    let cosign = format!("{}.sig", index.digest.replace(':', "-"));
    let signed = Image::small("amd64", "cosign").put(&source, "acme/tested");
    source.put_manifest("acme/tested", &cosign, images::MANIFEST, signed.manifest);
    let candidate = format!("{}/acme/tested:good", source.host());
    let run = action_between(&source, &target, &candidate)
        .input("platforms", "linux/amd64,linux/arm64")
        .run();
    published(&run, &target, &index.digest);
    let held = target.manifests("acme/widget");
    let wanted = [
        &index.digest,
        &signature,
        &of_signature,
        &bill,
        &signed.digest,
    ];
    for digest in wanted.into_iter().chain(&index.children) {
        assert!(held.contains(digest), "{digest}");
    }
    let tags = target.tags("acme/widget");
    assert_eq!(tags[&cosign], signed.digest);
    for (subject, referrer) in [
        (&index.digest, &signature),
        (&signature, &of_signature),
        (&index.children[0], &bill),
    ] {
        let filed = target.manifest("acme/widget", &subject.replace(':', "-"));
        let (media_type, bytes) = filed.unwrap();
        let filed: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(media_type, INDEX);
        assert_eq!(filed["manifests"][0]["digest"], referrer.as_str());
    }
    let mut named: Vec<&str> = run.output("other-references").lines().collect();
    let mut written: Vec<String> = tags
        .keys()
        .filter(|tag| tag.starts_with("sha256-"))
        .map(|tag| format!("{}/acme/widget:{tag}", target.host()))
        .collect();
    named.sort_unstable();
    written.sort_unstable();
    assert_eq!(
        (named, written.len()),
        (written.iter().map(String::as_str).collect(), 4)
    );
    // What is listed already is not written again.
    let again = action_between(&source, &target, &candidate).run();
    assert!(again.succeeded, "{}{}", again.stdout, again.stderr);
    assert_eq!(again.output("other-references"), "");
    let digests: Vec<String> = serde_json::from_str(run.output("digests")).unwrap();
    assert_eq!(digests.len(), 1 + index.children.len());
}

#[test]
fn existing_referrers_stay_listed() {
    let (source, target) = (double(), double());
    let image = Image::small("amd64", "filed").put(&source, "acme/tested");
    let ours = referrer(&source, "acme/tested", &image.digest, "ours");
    let theirs = referrer(&target, "acme/widget", &image.digest, "theirs");
    let candidate = format!("{}/acme/tested@{}", source.host(), image.digest);
    let run = action_between(&source, &target, &candidate).run();
    published(&run, &target, &image.digest);
    let tag = image.digest.replace(':', "-");
    let (_, filed) = target.manifest("acme/widget", &tag).unwrap();
    let filed: serde_json::Value = serde_json::from_slice(&filed).unwrap();
    let listed = filed["manifests"].as_array().unwrap().iter();
    let listed: Vec<&str> = listed.map(|one| one["digest"].as_str().unwrap()).collect();
    assert_eq!(listed, [theirs, ours]);
}

#[test]
fn public_image_needs_no_credentials() {
    let source = Double::builder()
        .package("acme/tested", Package::of("acme/Widget").public())
        .start()
        .unwrap();
    let target = double();
    let image = Image::small("amd64", "public").put(&source, "acme/tested");
    let candidate = format!("{}/acme/tested@{}", source.host(), image.digest);
    // A password is for the registry that is named, and for no other.
    let action = action(&target, &candidate).without("INPUT_GITHUB-TOKEN");
    let run = action.input("password", TOKEN).run();
    published(&run, &target, &image.digest);
}

#[test]
fn several_names_get_the_same_image() {
    let (source, target) = (double(), double());
    let image = Image::small("amd64", "several").put(&source, "acme/widget");
    let candidate = format!("{}/acme/widget@{}", source.host(), image.digest);
    let names = format!(
        "{}/acme/widget\n{}/acme/widget",
        source.host(),
        target.host()
    );
    let run = action_between(&source, &target, &candidate)
        .input("images", names)
        .run();
    published(&run, &target, &image.digest);
    published(&run, &source, &image.digest);
    assert_eq!(source.count(Endpoint::BlobPut), 0);
    let subjects: serde_json::Value = serde_json::from_str(run.output("subjects")).unwrap();
    assert_eq!(subjects.as_array().unwrap().len(), 2);
}

#[test]
fn older_candidate_keeps_branch_tag() {
    const OLDER: &str = "1111111111111111111111111111111111111111";
    const NEWER: &str = "2222222222222222222222222222222222222222";
    let repository = ghcr_double::Repository::new("acme/Widget")
        .commit(OLDER, &[], "2026-11-18T10:00:00Z")
        .commit(NEWER, &[OLDER], "2026-11-19T10:00:00Z")
        .commit(COMMIT, &[NEWER], "2026-11-20T10:00:00Z");
    let double = registry().repository(repository).start().unwrap();
    let of = |commit| [SOURCE, ("org.opencontainers.image.revision", commit)];
    let older = double.put_image("acme/widget", "older", &of(OLDER));
    let newer = double.put_image("acme/widget", "main", &of(NEWER));
    let candidate = format!("{}/acme/widget@{older}", double.host());
    let run = action(&double, &candidate)
        .event("push_branch")
        .input("tags", "type=ref,event=branch\ntype=sha,prefix=run-")
        .run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(double.tags("acme/widget")["main"], newer);
    assert_eq!(double.tags("acme/widget")["run-0123456"], older);
    let skipped: serde_json::Value = serde_json::from_str(run.output("skipped-tags")).unwrap();
    assert_eq!(
        skipped[0]["reason"],
        "it shows the commit `2222222`, which is newer"
    );
}

#[test]
fn no_push_means_no_promotion() {
    let double = double();
    let run = action(&double, "quay.io/acme/app:1")
        .input("push", "false")
        .run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.output("pushed"), "false");
    assert_eq!(run.noted("arguments"), "");
    run.assert_log("::notice title=ghcr-publish::quay.io/acme/app:1 would be published, and is not, because the input `push` is `false`");
    assert_eq!(double.requests().len(), 0);
}

#[test]
fn plan_shows_candidate_instead_of_build() {
    let double = double();
    let planned = |arguments: &[&str]| {
        let action = action(&double, "quay.io/Acme/App:1").input("build-args", "A=1");
        action.arguments(arguments).run()
    };
    let run = planned(&["plan"]);
    run.assert_log("from     quay.io/acme/app:1\n");
    assert!(!run.stdout.contains("build  "), "{}", run.stdout);
    let warning = "the input `candidate` names an image that exists, so these have no effect on it: `build-args`";
    run.assert_log(warning);
    let run = planned(&["plan", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(plan["candidate"], json!("quay.io/acme/app:1"));
    assert!(plan.get("build").is_none());
}

/// A limit the action promises: nothing of an image is held in memory.
#[test]
fn copying_200_mb_needs_less_than_64_mb_of_memory() {
    let (source, target) = (double(), double());
    let image = Image::of_layers("amd64", 4, 50_000_000).put(&source, "acme/tested");
    let candidate = format!("{}/acme/tested@{}", source.host(), image.digest);
    let peak = action_between(&source, &target, &candidate).measured(|_| {});
    assert_eq!(target.tags("acme/widget")["latest"], image.digest);
    assert!(peak > 0 && peak < 64 * 1024, "{peak} KiB");
}
