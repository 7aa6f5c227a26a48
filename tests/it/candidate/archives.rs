//! Candidates in archives and layouts of the workspace, without an engine, `docker` or `buildx`.

use std::fs;

use expect_test::expect;
use ghcr_double::{Double, Endpoint};

use super::files::{Stored, gzip, layout, saved, tar};
use super::images::Image;
use super::{double, files, published, refused};
use crate::support::Action;

/// A run that finds no program and notes every request to the engine.
fn action(double: &Double, candidate: &str) -> Action {
    Action::publishing("push_tag", double)
        .env("PATH", "/nowhere")
        .input("candidate", candidate)
}

fn write(action: &Action, name: &str, bytes: &[u8]) {
    fs::write(action.path("workspace").join(name), bytes).unwrap();
}

fn image() -> Image {
    Image::small("amd64", "a layer")
}

#[track_caller]
fn publishes(action: Action, double: &Double, digest: &str) {
    let run = action.run();
    published(&run, double, digest);
    assert_eq!(run.noted("engine-requests"), "");
    assert_eq!(run.noted("calls"), "");
}

#[test]
fn archives_and_layouts_are_published_without_an_engine() {
    let stored = Stored::image(&image(), "");
    let files = layout(&[&stored]);
    for (candidate, bytes) in [
        ("oci-archive:image.tar", tar(&files)),
        ("oci-archive:./image.tar", gzip(&tar(&files))),
        ("docker-archive:image.tar", tar(&files)),
        (
            &format!("oci-archive:image.tar@{}", stored.digest),
            tar(&files),
        ),
    ] {
        let double = double();
        let action = action(&double, candidate);
        write(&action, "image.tar", &bytes);
        publishes(action, &double, &stored.digest);
    }
    let double = double();
    let action = action(&double, "oci-layout:out/image");
    files::write(&action.path("workspace/out/image"), &files);
    publishes(action, &double, &stored.digest);
}

#[test]
fn docker_archive_has_the_same_digest_plain_and_compressed() {
    let archive = tar(&saved("amd64", "app:1"));
    let digests = [archive.clone(), gzip(&archive)].map(|bytes| {
        let double = double();
        let action = action(&double, "docker-archive:app.tar.gz:app:1");
        write(&action, "app.tar.gz", &bytes);
        let run = action.run();
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        assert_eq!(run.noted("engine-requests"), "");
        double.tags("acme/widget")["v1.2.3"].clone()
    });
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn archive_in_runner_temp_is_named_by_its_absolute_path() {
    let double = double();
    let stored = Stored::image(&image(), "");
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("image.tar");
    fs::write(&path, tar(&layout(&[&stored]))).unwrap();
    let candidate = format!("oci-archive:{}", path.display());
    let with_temp = action(&double, &candidate).env("RUNNER_TEMP", temp.path().to_str().unwrap());
    publishes(with_temp, &double, &stored.digest);
    let run = action(&super::double(), &candidate).run();
    run.assert_error("which is outside the workspace");
}

#[test]
fn one_of_several_images_is_chosen_by_name() {
    let (one, two) = (
        Stored::image(&image(), "app:1"),
        Stored::image(&Image::small("amd64", "other"), "app:2"),
    );
    let archive = tar(&layout(&[&one, &two]));
    let double = double();
    let chosen = action(&double, "oci-archive:image.tar:app:2");
    write(&chosen, "image.tar", &archive);
    publishes(chosen, &double, &two.digest);
    let double = super::double();
    let ambiguous = action(&double, "oci-archive:image.tar");
    write(&ambiguous, "image.tar", &archive);
    refused(
        ambiguous,
        &double,
        expect![[r#"
            the archive `image.tar` has several images: `app:1`, `app:2`
              fix: choose one of its images with `:name:tag`, `:@number` or `@sha256:…` after the path
        "#]],
    );
    assert_eq!(double.count(Endpoint::ManifestPut), 0);
}

/// A layer of other bytes is found while it is copied: its upload never ends, and no tag is written.
#[test]
fn changed_layer_is_never_published() {
    let stored = Stored::image(&image(), "");
    let mut files = layout(&[&stored]);
    let layer = files.iter_mut().find(|(_, bytes)| bytes == b"a layer");
    layer.unwrap().1 = b"A LAYER".to_vec();
    let double = double();
    let action = action(&double, "oci-archive:image.tar").input("push-timeout", "1s");
    write(&action, "image.tar", &tar(&files));
    let run = action.run();
    run.assert_error("sent content that does not match");
    assert!(double.tags("acme/widget").is_empty());
}

#[test]
fn unusable_archive_is_reported_before_any_write() {
    let stored = Stored::image(&image(), "");
    let whole = tar(&layout(&[&stored]));
    let cases: [(&str, &[u8], _); 4] = [
        (
            "oci-archive:image.tar",
            &whole[..1600],
            expect![[r#"
                cannot read the image `oci-archive:image.tar`
                  because: the archive `image.tar` is incomplete: it ends within `index.json`
                  fix: check that the file is complete and has the form that `oci-archive:`, `docker-archive:` or `oci-layout:` names
            "#]],
        ),
        (
            "oci-archive:image.tar",
            b"not a tar file",
            expect![[r#"
                cannot read the image `oci-archive:image.tar`
                  because: the archive `image.tar` cannot be read as a tar file: failed to read entire block
                  fix: check that the file is complete and has the form that `oci-archive:`, `docker-archive:` or `oci-layout:` names
            "#]],
        ),
        (
            "docker-archive:other.tar",
            &whole,
            expect![[r#"
            invalid value `other.tar` for the input `candidate`
              because: it cannot be read: No such file or directory (os error 2)
              fix: check the path; paths start at the root of the checkout
        "#]],
        ),
        (
            "oci-layout:image.tar",
            &whole,
            expect![[r#"
                the layout `image.tar` is not a directory
                  fix: write `oci-archive:image.tar` or `docker-archive:image.tar` for a tar file
            "#]],
        ),
    ];
    for (candidate, bytes, expected) in cases {
        let double = double();
        let action = action(&double, candidate);
        write(&action, "image.tar", bytes);
        refused(action, &double, expected);
        assert_eq!(
            double.count(Endpoint::BlobPut) + double.count(Endpoint::ManifestPut),
            0
        );
    }
}

/// A limit the action promises: nothing of an image is held in memory, and nothing is unpacked by name.
#[test]
fn archive_of_150_mb_needs_less_than_64_mb_of_memory() {
    let large = Image::of_layers("amd64", 3, 50_000_000);
    let stored = Stored::image(&large, "");
    let files = layout(&[&stored]);
    let mut saved = saved("amd64", "app:1");
    saved[0].1 = vec![7; 150_000_000];
    let diff_id = Double::builder()
        .start()
        .unwrap()
        .put_blob("any", saved[0].1.clone());
    let config = serde_json::json!({ "os": "linux", "architecture": "amd64", "rootfs": { "diff_ids": [diff_id] } });
    saved[1].1 = config.to_string().into_bytes();
    for (candidate, bytes) in [
        ("oci-archive:image.tar", gzip(&tar(&files))),
        ("docker-archive:image.tar", gzip(&tar(&saved))),
    ] {
        let double = double();
        let action = action(&double, candidate);
        write(&action, "image.tar", &bytes);
        let peak = action.measured(|_| {});
        assert!(
            double.tags("acme/widget").contains_key("latest"),
            "{candidate}"
        );
        assert!(peak > 0 && peak < 64 * 1024, "{candidate}: {peak} KiB");
    }
}
