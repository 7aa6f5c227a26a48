//! Artifacts in a registry like ghcr.io, and in one with the referrers API.

mod races;

use ghcr_double::{Account, Builder, Conditions, Double, Endpoint, Fault, Package, Referrers};

use super::*;
use crate::console::Console;
use crate::context::server::RegistryKind;
use crate::credentials::Login;
use crate::deadline::{Deadline, Pace};
use crate::registry::Registry;
use crate::secret::Secret;
use crate::tls::Trust;

const NAME: &str = "acme/widget";
const TOKEN: &str = "ghs_of-the-artifacts";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

fn builder() -> Builder {
    Double::builder()
        .token(TOKEN, Account::workflow("acme/Widget"))
        .package(NAME, Package::of("acme/Widget"))
}

/// A client of the registry at `host`; a minute passes in 0.3 s.
fn registry(host: &str) -> Registry {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let console = Console::NOWHERE;
    let login = Secret::new(TOKEN).map(|password| Login {
        username: "octocat".to_owned(),
        password,
    });
    let (kind, pace) = (RegistryKind::Container, Pace::waiting(200));
    Registry::new(host, kind, login, &Trust::default(), pace, console).unwrap()
}

fn repository(registry: &Registry) -> Repository<'_> {
    let deadline = Deadline::after(Duration::from_secs(3600), registry.pace);
    registry.repository(NAME, deadline)
}

/// A registry with an image, and the image.
fn with_image(builder: Builder) -> (Double, Manifest) {
    let double = builder.start().unwrap();
    let digest = double.put_image(NAME, "v1", &[]);
    let (media_type, bytes) = double.manifest(NAME, &digest).unwrap();
    (double, Manifest::new(&media_type, bytes.to_vec()))
}

fn bundle(bytes: &[u8]) -> Artifact<'_> {
    Artifact {
        artifact_type: BUNDLE,
        media_type: BUNDLE,
        bytes,
        annotations: &[("dev.sigstore.bundle.content", "dsse-envelope")],
    }
}

async fn attach(
    registry: &Registry,
    subject: &Manifest,
    text: &str,
) -> Result<Attached, RegistryError> {
    let artifact = bundle(text.as_bytes());
    repository(registry).attach(subject, &artifact).await
}

/// The digests in the index under the tag.
fn listed(double: &Double, subject: &Manifest) -> Vec<String> {
    let tag = named(&subject.digest, None);
    let index = double.manifest(NAME, tag.as_str());
    let index = index.map(|(_, bytes)| serde_json::from_slice::<Value>(&bytes).unwrap());
    let index = index.unwrap_or_default();
    let entries = index["manifests"].as_array().into_iter().flatten();
    let digests = entries.map(|entry| entry["digest"].as_str().unwrap().to_owned());
    digests.collect()
}

/// The bytes of the artifacts, as they are read back.
async fn read(registry: &Registry, subject: &Manifest) -> Vec<String> {
    let found = repository(registry).attached(&subject.digest, BUNDLE).await;
    let texts = found.unwrap().into_iter().map(|(_, bytes)| bytes);
    texts
        .map(|bytes| String::from_utf8(bytes).unwrap())
        .collect()
}

#[tokio::test]
async fn artifact_is_listed_under_the_tag_and_read_back() {
    let (double, subject) = with_image(builder());
    let registry = registry(&double.host());
    let first = attach(&registry, &subject, "one").await.unwrap();
    let second = attach(&registry, &subject, "two").await.unwrap();
    let tag = named(&subject.digest, None);
    assert_eq!(first.tag.as_ref(), Some(&tag));
    let digests = [first.digest.to_string(), second.digest.to_string()];
    assert_eq!(listed(&double, &subject), digests);
    assert_eq!(read(&registry, &subject).await, ["two", "one"]);
    let (_, bytes) = double.manifest(NAME, tag.as_str()).unwrap();
    let index: Value = serde_json::from_slice(&bytes).unwrap();
    let size = double.manifest(NAME, &digests[0]).unwrap().1.len();
    assert_eq!(
        index["manifests"][0],
        json!({
            "mediaType": MANIFEST,
            "digest": digests[0],
            "size": size,
            "artifactType": BUNDLE,
            "annotations": { "dev.sigstore.bundle.content": "dsse-envelope" },
        })
    );
}

#[tokio::test]
async fn registry_with_referrers_api_gets_no_tag() {
    let (double, subject) = with_image(builder().referrers(Referrers::Api));
    let registry = registry(&double.host());
    let attached = attach(&registry, &subject, "one");
    assert_eq!(attached.await.unwrap().tag, None);
    assert_eq!(double.tags(NAME).into_keys().collect::<Vec<_>>(), ["v1"]);
    assert_eq!(read(&registry, &subject).await, ["one"]);
}

/// The first page has a hundred, in the order of their digests.
#[tokio::test]
async fn every_page_of_the_referrers_api_is_read() {
    let (double, subject) = with_image(builder().referrers(Referrers::Api));
    for number in 0..100 {
        double.put_referrer(NAME, subject.digest.as_str(), &format!("text/{number}"));
    }
    let registry = registry(&double.host());
    for text in ["one", "two", "three", "four"] {
        attach(&registry, &subject, text).await.unwrap();
    }
    let mut read = read(&registry, &subject).await;
    read.sort_unstable();
    assert_eq!(read, ["four", "one", "three", "two"]);
    let second = Fault::on(Endpoint::Other).path("referrers").after(1);
    double.script(second.always().answer(403));
    let found = repository(&registry).attached(&subject.digest, BUNDLE);
    assert!(matches!(found.await, Err(RegistryError::Denied(_))));
}

#[test]
fn manifest_is_that_of_actions_attest() {
    let subject = Manifest::new("application/vnd.oci.image.index.v1+json", b"{}".to_vec());
    let artifact = Artifact {
        annotations: &[
            (
                "org.opencontainers.image.created",
                "2026-11-24T10:00:00.000Z",
            ),
            ("dev.sigstore.bundle.content", "dsse-envelope"),
        ],
        ..bundle(b"one")
    };
    let manifest = artifact.manifest(&subject);
    let expected = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","digest":"sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed","size":3}],"subject":{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"annotations":{"org.opencontainers.image.created":"2026-11-24T10:00:00.000Z","dev.sigstore.bundle.content":"dsse-envelope"}}"#;
    assert_eq!(String::from_utf8(manifest.bytes).unwrap(), expected);
}

#[tokio::test]
async fn blob_that_exists_is_not_sent_again() {
    let (double, subject) = with_image(builder());
    let registry = registry(&double.host());
    let first = attach(&registry, &subject, "one").await.unwrap();
    assert_eq!(double.count(Endpoint::BlobPut), 2);
    attach(&registry, &subject, "two").await.unwrap();
    assert_eq!(double.count(Endpoint::BlobPut), 3);
    let writes = double.count(Endpoint::TagPut);
    let again = attach(&registry, &subject, "one").await.unwrap();
    assert_eq!(again, first);
    assert_eq!(double.count(Endpoint::BlobPut), 3);
    assert_eq!(double.count(Endpoint::TagPut), writes);
}

#[tokio::test]
async fn transient_errors_are_retried() {
    let faults = [
        Fault::on(Endpoint::BlobPost).answer(503),
        Fault::on(Endpoint::BlobPut).answer(429),
        Fault::on(Endpoint::BlobPut).reset_after_serving(),
        Fault::on(Endpoint::ManifestPut).answer(500),
        Fault::on(Endpoint::TagPut).answer(502),
        Fault::on(Endpoint::TagPut).reset_after_serving(),
    ];
    for fault in faults {
        let (double, subject) = with_image(builder());
        double.script(fault);
        let registry = registry(&double.host());
        let attached = attach(&registry, &subject, "one");
        let attached = attached.await.unwrap();
        assert_eq!(listed(&double, &subject), [attached.digest.to_string()]);
    }
}

/// A bearer may age between two requests of an upload.
#[tokio::test]
async fn upload_is_sent_again_with_a_new_bearer() {
    let (double, subject) = with_image(builder());
    let challenge = format!(r#"Bearer realm="{}/token",service="x""#, double.url());
    let aged = Fault::on(Endpoint::BlobPut).answer(401);
    double.script(aged.header("www-authenticate", &challenge));
    let registry = registry(&double.host());
    let attached = attach(&registry, &subject, "one").await.unwrap();
    assert_eq!(listed(&double, &subject), [attached.digest.to_string()]);
    assert_eq!(double.count(Endpoint::BlobPut), 3);
}

#[tokio::test]
async fn refusal_is_permanent() {
    for endpoint in [Endpoint::BlobPost, Endpoint::ManifestPut, Endpoint::TagPut] {
        let (double, subject) = with_image(builder());
        double.script(Fault::on(endpoint).always().answer(403));
        let registry = registry(&double.host());
        let attached = attach(&registry, &subject, "one");
        assert!(matches!(attached.await, Err(RegistryError::Denied(_))));
    }
}

/// A write over a stale index would drop what was added since.
#[tokio::test]
async fn stale_index_is_read_again_before_a_write() {
    let (double, subject) = with_image(builder());
    let registry = registry(&double.host());
    let tag = named(&subject.digest, None);
    for (writes, text) in [(1, "one"), (2, "two")] {
        let read = Fault::on(Endpoint::ManifestRead).path(tag.as_str());
        double.script(read.times(3).stale());
        attach(&registry, &subject, text).await.unwrap();
        assert_eq!(double.count(Endpoint::TagPut), writes);
        assert_eq!(listed(&double, &subject).len(), writes);
    }
}

/// Puts an artifact manifest into the index under the tag, as it is.
fn list(double: &Double, subject: &Manifest, artifacts: &[Value]) {
    let entries = artifacts.iter().map(|artifact| {
        let bytes = artifact.to_string();
        let digest = Digest::of(bytes.as_bytes());
        double.put_manifest(NAME, digest.as_str(), MANIFEST, bytes.clone());
        json!({ "mediaType": MANIFEST, "digest": digest.as_str(), "size": bytes.len() })
    });
    let index = json!({ "schemaVersion": 2, "manifests": entries.collect::<Vec<_>>() });
    let tag = named(&subject.digest, None);
    let media_type = "application/vnd.oci.image.index.v1+json";
    double.put_manifest(NAME, tag.as_str(), media_type, index.to_string());
}

/// The manifest of an artifact whose blob is in the registry.
fn stored(double: &Double, subject: &Manifest, text: &str) -> Value {
    double.put_blob(NAME, text.to_owned());
    let manifest = bundle(text.as_bytes()).manifest(subject);
    serde_json::from_slice(&manifest.bytes).unwrap()
}

#[tokio::test]
async fn only_artifacts_of_the_image_and_the_type_are_read() {
    let (double, subject) = with_image(builder());
    let good = stored(&double, &subject, "good");
    let with = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    };
    let layer = good["layers"][0].clone();
    let artifacts = [
        with("/subject/digest", json!(Digest::of(b"another").as_str())),
        with("/artifactType", json!("application/spdx+json")),
        with("/layers", json!([])),
        with("/layers", json!([layer, layer])),
        with("/layers/0/size", json!(MAX_BYTES + 1)),
        with("/layers/0/digest", json!(Digest::of(b"gone").as_str())),
        good.clone(),
    ];
    list(&double, &subject, &artifacts);
    let registry = registry(&double.host());
    assert_eq!(read(&registry, &subject).await, ["good"]);
}

#[tokio::test]
async fn artifact_of_another_type_is_not_requested() {
    let (double, subject) = with_image(builder());
    double.put_referrer(NAME, subject.digest.as_str(), "application/spdx+json");
    let registry = registry(&double.host());
    assert_eq!(read(&registry, &subject).await, [""; 0]);
    let requests = double.requests();
    let read = requests
        .iter()
        .filter(|seen| seen.endpoint == Endpoint::ManifestRead && seen.status == Some(200));
    assert_eq!(read.count(), 1, "the index alone");
}

#[tokio::test]
async fn blob_longer_than_its_descriptor_is_refused() {
    let (double, subject) = with_image(builder());
    let mut artifact = stored(&double, &subject, "good");
    artifact["layers"][0]["size"] = json!(3);
    list(&double, &subject, &[artifact]);
    let registry = registry(&double.host());
    let found = repository(&registry).attached(&subject.digest, BUNDLE);
    let error = found.await.unwrap_err().to_string();
    assert!(
        error.contains("sent more than 3 bytes for sha256:"),
        "{error}"
    );
}

#[tokio::test]
async fn blob_with_another_digest_is_refused() {
    let (double, subject) = with_image(builder());
    let artifact = stored(&double, &subject, "good");
    list(&double, &subject, &[artifact]);
    double.script(Fault::on(Endpoint::BlobGet).answer(200).body("x/y", "evil"));
    let registry = registry(&double.host());
    let found = repository(&registry).attached(&subject.digest, BUNDLE);
    let error = found.await.unwrap_err().to_string();
    assert!(error.contains("sent content with digest"), "{error}");
}

#[tokio::test]
async fn read_is_retried() {
    for endpoint in [Endpoint::BlobGet, Endpoint::ManifestRead] {
        let (double, subject) = with_image(builder());
        let artifact = stored(&double, &subject, "good");
        list(&double, &subject, &[artifact]);
        double.script(Fault::on(endpoint).times(2).answer(503));
        let registry = registry(&double.host());
        assert_eq!(read(&registry, &subject).await, ["good"]);
    }
}

#[tokio::test]
async fn number_and_size_of_artifacts_are_limited() {
    let (double, subject) = with_image(builder());
    let texts = (0..=MAX_ARTIFACTS).map(|number| number.to_string());
    let artifacts: Vec<Value> = texts.map(|text| stored(&double, &subject, &text)).collect();
    list(&double, &subject, &artifacts);
    let registry = registry(&double.host());
    let found = read(&registry, &subject).await;
    let expected: Vec<String> = (1..=MAX_ARTIFACTS).rev().map(|n| n.to_string()).collect();
    assert_eq!(found, expected);
    let large = "x".repeat(33 << 20);
    let sizes = ["1", "2"].map(|end| stored(&double, &subject, &(large.clone() + end)));
    list(
        &double,
        &subject,
        &[
            stored(&double, &subject, "small"),
            sizes[0].clone(),
            sizes[1].clone(),
        ],
    );
    let found = read(&registry, &subject).await;
    let ends: Vec<&str> = found.iter().map(|text| &text[text.len() - 1..]).collect();
    assert_eq!(ends, ["2", "l"]);
}

#[tokio::test]
async fn missing_index_has_no_artifacts() {
    let (double, subject) = with_image(builder());
    let registry = registry(&double.host());
    assert_eq!(read(&registry, &subject).await, [""; 0]);
    repository(&registry)
        .keep_listed(&subject.digest, &[])
        .await
        .unwrap();
    assert_eq!(double.count(Endpoint::TagPut), 0);
}
