//! Referrers: unsupported, as in GHCR, or listed by the API of distribution 1.1.

use crate::client::{NAME, TOKEN, ask, bearer, send};
use ghcr_double::{Account, Double, Package, Referrers};
use serde_json::{Value, json};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SBOM: &str = "application/spdx+json";

fn double(referrers: Referrers) -> Double {
    Double::builder()
        .referrers(referrers)
        .token(TOKEN, Account::workflow("acme/widget"))
        .package(NAME, Package::of("acme/widget"))
        .start()
        .unwrap()
}

fn digests(index: &Value) -> Vec<&str> {
    let manifests = index["manifests"].as_array().unwrap();
    manifests
        .iter()
        .map(|descriptor| descriptor["digest"].as_str().unwrap())
        .collect()
}

/// `OCI-Subject` in the response to a push of a manifest with a subject.
fn acknowledged(double: &Double, subject: &str) -> Option<String> {
    let artifact = json!({ "schemaVersion": 2, "layers": [], "subject": { "digest": subject } });
    let authorization = bearer(double, TOKEN, NAME);
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", kind),
    ];
    let target = format!("/v2/{NAME}/manifests/artifact");
    let body = artifact.to_string();
    let reply = send(double, "PUT", &target, &headers, body.as_bytes()).unwrap();
    assert_eq!(reply.status, 201);
    reply.header("oci-subject").map(str::to_owned)
}

#[test]
fn api_lists_and_filters_referrers() {
    let double = double(Referrers::Api);
    let image = double.put_image(NAME, "v1", &[]);
    let mut referrers = [BUNDLE, SBOM].map(|kind| double.put_referrer(NAME, &image, kind));
    let list = |query: &str| {
        let rest = format!("referrers/{image}{query}");
        ask(&double, "GET", &rest, b"").unwrap()
    };
    let all = list("");
    assert_eq!((all.status, all.header("content-type")), (200, Some(INDEX)));
    let (media_type, bytes) = double.manifest(NAME, &referrers[0]).unwrap();
    let first = json!({
        "mediaType": media_type,
        "digest": referrers[0],
        "size": bytes.len(),
        "artifactType": BUNDLE,
    });
    let descriptors = all.json()["manifests"].clone();
    assert!(descriptors.as_array().unwrap().contains(&first));
    referrers.sort();
    assert_eq!(digests(&all.json()), referrers);
    let some = list(&format!("?artifactType={}", BUNDLE.replace('+', "%2B")));
    assert_eq!(digests(&some.json()), [first["digest"].as_str().unwrap()]);
    assert_eq!(some.header("oci-filters-applied"), Some("artifactType"));
    assert_eq!(acknowledged(&double, &image), Some(image.clone()));
    assert_eq!(double.tags(NAME).len(), 2);
    let zeros = format!("referrers/sha256:{}", "0".repeat(64));
    let none = ask(&double, "GET", &zeros, b"").unwrap();
    assert_eq!((none.status, digests(&none.json()).len()), (200, 0));
}

#[test]
fn without_the_api_an_index_under_a_tag_lists_referrers() {
    let double = double(Referrers::Absent);
    let image = double.put_image(NAME, "v1", &[]);
    let referrers = [BUNDLE, SBOM].map(|kind| double.put_referrer(NAME, &image, kind));
    let reply = ask(&double, "GET", &format!("referrers/{image}"), b"").unwrap();
    assert_eq!(reply.status, 404);
    let tag = image.replacen(':', "-", 1);
    let reply = ask(&double, "GET", &format!("manifests/{tag}"), b"").unwrap();
    assert_eq!(reply.header("content-type"), Some(INDEX));
    assert_eq!(digests(&reply.json()), referrers);
    assert_eq!(acknowledged(&double, &image), None);
}
