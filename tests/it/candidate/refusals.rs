//! Candidates that cannot be published, in the words the user reads.

use expect_test::expect;
use ghcr_double::{Double, Endpoint, Fault, Package};
use serde_json::json;

use super::images::{Image, MANIFEST};
use super::{action, double, refused};
use crate::engine_double::{Answers, CONTAINERD};
use crate::publication::registry;

#[test]
fn invalid_candidate_is_rejected_before_any_request() {
    let double = double();
    refused(
        action(&double, "ghcr.io/acme/app:a b"),
        &double,
        expect![[r#"
            invalid value `ghcr.io/acme/app:a b` for the input `candidate`
              because: `a b` is not a valid tag
              fix: write `sha`, a reference with a registry (`ghcr.io/acme/app:1.2.3`, `ghcr.io/acme/app@sha256:…`), an image of the engine (`app:test`, `docker-daemon:app:test`), or `oci-archive:`, `docker-archive:` or `oci-layout:` with a path
        "#]],
    );
    refused(
        action(&double, "sha256:0123"),
        &double,
        expect![[r#"
            invalid value `sha256:0123` for the input `candidate`
              because: `sha256:0123` is not a sha256 digest
              fix: write `sha`, a reference with a registry (`ghcr.io/acme/app:1.2.3`, `ghcr.io/acme/app@sha256:…`), an image of the engine (`app:test`, `docker-daemon:app:test`), or `oci-archive:`, `docker-archive:` or `oci-layout:` with a path
        "#]],
    );
    assert_eq!(double.requests().len(), 0);
}

#[test]
fn mistyped_host_in_candidate_is_rejected() {
    let double = double();
    refused(
        action(&double, "ghrc.io/acme/app"),
        &double,
        expect![[r#"
        `ghrc.io` is not a registry of GitHub; did you mean `ghcr.io`?
          because: a token sent to a mistyped host is leaked
          fix: write `ghcr.io/acme/app`
    "#]],
    );
}

/// A tag may move between two looks; a digest names the image for good.
#[test]
fn candidate_digest_must_match() {
    let double = double();
    let named = Image::small("amd64", "named").put(&double, "acme/tested");
    let other = Image::small("amd64", "other").put(&double, "acme/tested");
    double.put_manifest("acme/tested", "ci", MANIFEST, other.manifest.clone());
    let candidate = format!("{}/acme/tested:ci@{}", double.host(), named.digest);
    let run = action(&double, &candidate).run();
    assert!(run.succeeded, "{}", run.stderr);
    assert_eq!(double.tags("acme/widget")["v1.2.3"], named.digest);

    let double = super::double();
    double.script(
        Fault::on(Endpoint::ManifestRead)
            .path(&named.digest)
            .always()
            .answer(200)
            .body(MANIFEST, &other.manifest),
    );
    let candidate = format!("{}/acme/tested@{}", double.host(), named.digest);
    let run = action(&double, &candidate)
        .input("push-timeout", "1s")
        .run();
    let said = format!(
        "sent content with digest {} for {}",
        other.digest, named.digest
    );
    assert!(
        !run.succeeded && run.stderr.contains(&said),
        "{}",
        run.stderr
    );
    assert!(double.tags("acme/widget").is_empty());
}

/// What an engine exports: an OCI layout of an image without layers, and the digest of its manifest.
fn exported() -> (String, String) {
    let double = Double::builder().start().unwrap();
    let config = r#"{"architecture":"amd64","os":"linux"}"#;
    let config_digest = double.put_blob("acme/any", config);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config.len() },
        "layers": [],
    })
    .to_string();
    let digest = double.put_manifest("acme/any", "any", MANIFEST, manifest.clone());
    let entry = json!({ "mediaType": MANIFEST, "digest": digest, "size": manifest.len() });
    let index = json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();
    let blob = |digest: &str| digest.replace("sha256:", "blobs/sha256/");
    let mut archive = tar::Builder::new(Vec::new());
    for (path, text) in [
        ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#),
        ("index.json", &index),
        (&blob(&digest), &manifest),
        (&blob(&config_digest), config),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        archive
            .append_data(&mut header, path, text.as_bytes())
            .unwrap();
    }
    let archive = String::from_utf8(archive.into_inner().unwrap()).unwrap();
    (archive, digest)
}

#[test]
fn engine_image_digest_must_match() {
    let (archive, digest) = exported();
    let answers: Answers = Box::leak(Box::new([
        CONTAINERD,
        ("GET /images/app@sha256:", archive.leak()),
    ]));
    let other = format!("sha256:{}", "0".repeat(64));
    for named in [&digest, &other] {
        let double = double();
        let run = action(&double, &format!("app@{named}"))
            .engine(answers)
            .run();
        let log = run.stdout + &run.stderr;
        assert_eq!(run.succeeded, *named == digest, "{log}");
        assert_eq!(
            log.contains(&format!("it exports {digest}")),
            *named == other
        );
        assert_eq!(
            double.tags("acme/widget").contains_key("v1.2.3"),
            *named == digest
        );
    }
}

#[test]
fn missing_candidate_is_reported_for_registry_and_engine() {
    let double = double();
    let candidate = format!("{}/acme/tested:gone", double.host());
    refused(
        action(&double, &candidate),
        &double,
        expect![[r#"
        image `<registry>/acme/tested:gone` not found
          because: <registry> answered 404 MANIFEST_UNKNOWN: manifest unknown
          fix: check the name and the tag; for an image of the local engine, use the prefix `docker-daemon:`
    "#]],
    );
    refused(
        action(&double, "widget:test"),
        &double,
        expect![[r#"
        the engine has no image `widget:test`
          fix: build it in an earlier step of the same job (`docker build --tag`, or `load: true`), or name an image in a registry: `candidate: ghcr.io/acme/app:1.2.3`
    "#]],
    );
}

#[test]
fn unreachable_engine_of_candidate_is_reported() {
    let double = double();
    let action = action(&double, "widget:test").env("DOCKER_HOST", "ssh://me@far");
    refused(
        action,
        &double,
        expect![[r#"
        cannot get the image `widget:test` from the engine
          because: the engine uses ssh, TLS or a docker context, which only buildx supports
          fix: set `DOCKER_HOST` to a socket or a `tcp://` address without TLS, or push the image to a registry and name that image
    "#]],
    );
}

#[test]
fn missing_platform_is_reported_with_available_ones() {
    let double = double();
    let image = Image::small("amd64", "one").put(&double, "acme/tested");
    let candidate = format!("{}/acme/tested@{}", double.host(), image.digest);
    let action = action(&double, &candidate).input("platforms", "linux/amd64,linux/arm64");
    refused(
        action,
        &double,
        expect![[r#"
        `<registry>/acme/tested@sha256:e077af3c12f60b0084de1bf1e18cf29a7b7c9dd72cc0656f21f52240d533eb7d` is not for linux/arm64
          because: it is for linux/amd64
          fix: remove it from the input `platforms`, or publish an image built for it
    "#]],
    );
}

#[test]
fn unreadable_candidate_names_required_permission() {
    let double = registry()
        .package("acme/hidden", Package::unlinked())
        .start()
        .unwrap();
    double.put_image("acme/hidden", "good", &[]);
    let candidate = format!("{}/acme/hidden:good", double.host());
    refused(
        action(&double, &candidate),
        &double,
        expect![[r#"
            cannot read `<registry>/acme/hidden:good`
              because: <registry> answered 403 DENIED: installation not allowed to Read organization package
              fix: give credentials for `<registry>` that allow reading it, for example in `registry-auth`
        "#]],
    );
}

/// Another registry that is up does not help: the image is not there.
#[test]
fn candidate_in_registry_that_is_down_fails() {
    let double = double();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let down = listener.local_addr().unwrap();
    drop(listener);
    let images = format!("{down}/acme/widget\n{}/acme/widget", double.host());
    let run = action(&double, &format!("{down}/acme/widget:1"))
        .input("images", images)
        .run();
    assert_eq!(run.status, Some(1), "{}{}", run.stdout, run.stderr);
    let error = format!("cannot reach the registry `{down}`");
    run.assert_error(&error);
    assert!(!run.stdout.contains("continuing without"), "{}", run.stdout);
    assert!(double.tags("acme/widget").is_empty());
}
