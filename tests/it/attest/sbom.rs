//! Attestations of SBOMs.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ghcr_double::{Double, Endpoint};
use serde_json::{Value, json};

use super::{Profile, attesting, doubles, has_no_tag_of_the_plan};
use crate::publication::{COMMIT, NAME};

/// An image with the SBOM that BuildKit attaches to it, of at least `size` bytes.
fn put_image_with_sbom(double: &Double, size: usize) -> (String, String) {
    let image = double.put_platform_image(NAME, "linux/amd64");
    let document = json!({ "spdxVersion": "SPDX-2.3", "name": "x".repeat(size) });
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://spdx.dev/Document",
        "subject": [],
        "predicate": document,
    });
    let bytes = statement.to_string();
    let (length, blob) = (bytes.len(), double.put_blob(NAME, bytes));
    let config = double.put_blob(NAME, "{}");
    let manifest = "application/vnd.oci.image.manifest.v1+json";
    let attestations = json!({
        "schemaVersion": 2,
        "mediaType": manifest,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2 },
        "layers": [{
            "mediaType": "application/vnd.in-toto+json",
            "digest": blob,
            "size": length,
            "annotations": { "in-toto.io/predicate-type": "https://spdx.dev/Document" },
        }],
    });
    let attestations = attestations.to_string();
    let length = attestations.len();
    let attestation = double.put_manifest(NAME, "unused", manifest, attestations);
    let (_, bytes) = double.manifest(NAME, &image).unwrap();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {
                "mediaType": manifest, "digest": image, "size": bytes.len(),
                "platform": { "os": "linux", "architecture": "amd64" },
            },
            {
                "mediaType": manifest, "digest": attestation, "size": length,
                "platform": { "os": "unknown", "architecture": "unknown" },
                "annotations": {
                    "vnd.docker.reference.type": "attestation-manifest",
                    "vnd.docker.reference.digest": image,
                },
            },
        ],
    });
    let kind = "application/vnd.oci.image.index.v1+json";
    let tag = format!("sha-{COMMIT}");
    (
        double.put_manifest(NAME, &tag, kind, index.to_string()),
        image,
    )
}

#[test]
fn sbom_of_each_platform_is_attested_too() {
    let (double, _, sigstore) = doubles();
    let (index, image) = put_image_with_sbom(&double, 10);
    let run = attesting(&double, &index, &sigstore, Profile::Timestamp).run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    let types = |digest: &str| {
        let stored = double.attestations("acme/Widget", digest);
        let types = stored.iter().map(|bundle| {
            let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
            let statement: Value =
                serde_json::from_slice(&STANDARD.decode(payload).unwrap()).unwrap();
            statement["predicateType"].as_str().unwrap().to_owned()
        });
        let mut types: Vec<String> = types.collect();
        types.sort();
        types
    };
    let provenance = "https://slsa.dev/provenance/v1";
    assert_eq!(types(&index), [provenance]);
    assert_eq!(
        types(&image),
        [provenance, "https://spdx.dev/Document/v2.3"]
    );
    let bundles = fs::read_to_string(run.output("bundle-path")).unwrap();
    assert_eq!(bundles.lines().count(), 2);
    assert_eq!(sigstore.count(Endpoint::SigningCertificate), 1);
}

#[test]
fn sbom_that_is_too_large_is_an_error() {
    let (double, _, sigstore) = doubles();
    let (index, _) = put_image_with_sbom(&double, 17 << 20);
    let run = attesting(&double, &index, &sigstore, Profile::Timestamp).run();
    assert!(!run.succeeded);
    has_no_tag_of_the_plan(&double);
    run.assert_error("an SBOM of 17825");
    run.assert_error("at most 16 MiB can be attested");
}
