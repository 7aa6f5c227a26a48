//! Candidates of several sources, whose platforms become one image.

use std::fs;

use expect_test::expect;
use ghcr_double::{Double, Endpoint};
use serde_json::{Value, json};

use super::files::{Stored, gzip, layout, saved, tar};
use super::images::{DOCKER_LIST, INDEX, Image, attested_index, referrer};
use super::{action, action_between, double, published, refused};
use crate::publication::COMMIT;
use crate::support::{Action, Run};

/// Two archives with an image each.
fn archives(double: &Double, images: [&Image; 2]) -> (Action, [String; 2]) {
    let action = action(double, "oci-archive:one.tar\noci-archive:two.tar.gz");
    let stored = images.map(|image| Stored::image(image, ""));
    let [one, two] = stored.each_ref().map(|stored| tar(&layout(&[stored])));
    fs::write(action.path("workspace/one.tar"), one).unwrap();
    fs::write(action.path("workspace/two.tar.gz"), gzip(&two)).unwrap();
    (action, stored.map(|stored| stored.digest))
}

fn index_of(double: &Double, run: &Run) -> Value {
    let (media_type, bytes) = double
        .manifest("acme/widget", run.output("digest"))
        .unwrap();
    let index: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(index["mediaType"], media_type);
    index
}

fn digests(index: &Value) -> Vec<&str> {
    let entries = index["manifests"].as_array().unwrap().iter();
    entries
        .map(|entry| entry["digest"].as_str().unwrap())
        .collect()
}

fn image(architecture: &str, revision: &str) -> Image {
    let labels = [
        super::SOURCE,
        ("org.opencontainers.image.revision", revision),
    ];
    Image::small(architecture, architecture).labelled(&labels)
}

#[test]
fn two_archives_become_one_index_that_depends_on_them_alone() {
    let (amd64, arm64) = (image("amd64", COMMIT), image("arm64", COMMIT));
    let amd64 = amd64.created("2026-11-20T10:00:00Z");
    let run = |platforms: &str, clock: &str| {
        let double = double();
        let (action, digests) = archives(&double, [&arm64, &amd64]);
        let action = action
            .input("platforms", platforms)
            .env("SOURCE_DATE_EPOCH", clock);
        let run = action.run();
        published(&run, &double, run.output("digest"));
        (double, run, digests)
    };
    let (double, merged, [arm64_digest, amd64_digest]) = run("", "1795168800");
    let index = index_of(&double, &merged);
    assert_eq!(index["mediaType"], INDEX);
    assert_eq!(digests(&index), [&*arm64_digest, &*amd64_digest]);
    assert_eq!(
        index["manifests"][1]["platform"],
        json!({ "architecture": "amd64", "os": "linux" })
    );
    let annotation = |key: &str| &index["annotations"][format!("org.opencontainers.image.{key}")];
    assert_eq!(annotation("revision"), COMMIT);
    assert_eq!(annotation("created"), "2026-11-20T10:00:00.000Z");
    assert_eq!(annotation("version"), "v1.2.3");
    let platforms: Value = serde_json::from_str(merged.output("digests")).unwrap();
    assert_eq!(platforms.as_array().unwrap().len(), 3);
    merged.assert_summary("Merged from `sha256:");
    merged.assert_log("Merging sha256:");
    let (_, again, _) = run("", "1795168999");
    assert_eq!(again.output("digest"), merged.output("digest"));
    let (double, ordered, _) = run("linux/amd64,linux/arm64", "1795168800");
    let index = index_of(&double, &ordered);
    assert_eq!(digests(&index), [&*amd64_digest, &*arm64_digest]);
}

#[test]
fn images_of_different_commits_have_no_commit() {
    let other = "f".repeat(40);
    let (amd64, arm64) = (image("amd64", COMMIT), image("arm64", &other));
    let double = double();
    let (action, _) = archives(&double, [&amd64, &arm64]);
    let run = action.input("annotations", "a=b").run();
    published(&run, &double, run.output("digest"));
    let index = index_of(&double, &run);
    assert_eq!(index["annotations"]["a"], "b");
    let absent = &index["annotations"]["org.opencontainers.image.revision"];
    assert_eq!(*absent, Value::Null);
    let (action, _) = archives(&double, [&amd64, &arm64]);
    let action = action.input("fixed-tags", "replace");
    let run = action.input("annotation-levels", "manifest").run();
    assert_eq!(index_of(&double, &run).get("annotations"), None);
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
}

#[test]
fn registry_index_keeps_its_attestations_in_the_merged_index() {
    let (source, target) = (double(), double());
    let index = attested_index(&source, "acme/tested", "good");
    let signature = referrer(&source, "acme/tested", &index.children[0], "signature");
    let riscv64 = Image::small("riscv64", "in the target").put(&target, "acme/widget");
    let candidate = format!(
        "{}/acme/widget@{}\n{}/acme/tested:good",
        target.host(),
        riscv64.digest,
        source.host()
    );
    let run = action_between(&source, &target, &candidate).run();
    published(&run, &target, run.output("digest"));
    let merged = index_of(&target, &run);
    let [amd64, arm64, about_amd64, about_arm64] = &*index.children else {
        panic!("{:?}", index.children);
    };
    let expected = [&riscv64.digest, amd64, about_amd64, arm64, about_arm64];
    assert_eq!(digests(&merged), expected);
    assert!(target.manifests("acme/widget").contains(&signature));
    for layer in &riscv64.layers {
        assert_eq!(super::moves(&target, layer), 0);
    }
}

#[test]
fn docker_images_become_a_docker_manifest_list() {
    let double = double();
    let action = action(
        &double,
        "docker-archive:amd64.tar\ndocker-archive:arm64.tar",
    );
    for architecture in ["amd64", "arm64"] {
        let path = action.path("workspace").join(format!("{architecture}.tar"));
        fs::write(path, tar(&saved(architecture, "app:1"))).unwrap();
    }
    let run = action.run();
    published(&run, &double, run.output("digest"));
    let list = index_of(&double, &run);
    assert_eq!(list["mediaType"], DOCKER_LIST);
    assert_eq!(list.get("annotations"), None);
}

#[test]
fn platform_of_two_sources_is_refused_before_any_write() {
    let double = double();
    let (one, two) = (Image::small("amd64", "one"), Image::small("amd64", "two"));
    let (action, _) = archives(&double, [&one, &two]);
    refused(
        action,
        &double,
        expect![[r#"
        two sources of `candidate` have an image for linux/amd64
          because: linux/amd64 is in sha256:e077af3c12f60b0084de1bf1e18cf29a7b7c9dd72cc0656f21f52240d533eb7d of oci-archive:one.tar and in sha256:97cf04bb006b97c3ae4829a4423e2863788a1af971cbef655fe8b610faeb6746 of oci-archive:two.tar.gz
          fix: remove one of them, or name the image of another platform by its digest
    "#]],
    );
    assert_eq!(
        double.count(Endpoint::BlobPut) + double.count(Endpoint::ManifestPut),
        0
    );
}

#[test]
fn missing_platform_of_merged_image_is_refused() {
    let double = double();
    let (amd64, arm64) = (Image::small("amd64", "one"), Image::small("arm64", "two"));
    let (action, _) = archives(&double, [&amd64, &arm64]);
    refused(
        action.input("platforms", "linux/amd64,linux/riscv64"),
        &double,
        expect![[r#"
            `sha256:e077af3c12f60b0084de1bf1e18cf29a7b7c9dd72cc0656f21f52240d533eb7d of oci-archive:one.tar and sha256:0ac56166b3964bfdfd760f87bca6b798f4ca0c882d5b5dfd503f74e26acee05e of oci-archive:two.tar.gz` is not for linux/riscv64
              because: it is for linux/amd64, linux/arm64
              fix: remove it from the input `platforms`, or publish an image built for it
        "#]],
    );
}

#[test]
fn commit_image_is_not_merged_with_others() {
    let double = double();
    refused(
        action(&double, "sha\napp:1"),
        &double,
        expect![[r#"
        invalid value `sha` for the input `candidate`
          because: `sha` is the image of this commit and cannot be merged with others
          fix: write it alone, or name the images by reference, for example `ghcr.io/acme/app:sha-0123456`
    "#]],
    );
}

/// A single line keeps the digest of its image.
#[test]
fn single_source_is_not_wrapped_in_an_index() {
    let double = double();
    let image = Image::small("amd64", "one").put(&double, "acme/tested");
    let candidate = format!("\n  {}/acme/tested@{}\n\n", double.host(), image.digest);
    published(&action(&double, &candidate).run(), &double, &image.digest);
}
