//! Images that are too large, or of indexes within indexes.

use ghcr_double::Endpoint;
use serde_json::{Value, json};

use super::images::{INDEX, Image, MANIFEST};
use super::{action, action_between, double};

fn entry(media_type: &str, digest: &str) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": 1 })
}

fn index_of(entries: &[Value]) -> String {
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries }).to_string()
}

#[test]
fn nested_index_is_verified_to_its_last_blob() {
    let double = double();
    let config = double.put_blob("acme/widget", "{}");
    let missing = format!("sha256:{}", "0".repeat(64));
    let layer = entry("application/vnd.oci.image.layer.v1.tar+gzip", &missing);
    let image = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": entry("application/vnd.oci.image.config.v1+json", &config),
        "layers": [layer],
    });
    let put = |tag: &str, media_type: &str, text: String| {
        double.put_manifest("acme/widget", tag, media_type, text)
    };
    let image = put("image", MANIFEST, image.to_string());
    let inner = put("inner", INDEX, index_of(&[entry(MANIFEST, &image)]));
    put("tested", INDEX, index_of(&[entry(INDEX, &inner)]));
    let candidate = format!("{}/acme/widget:tested", double.host());
    let run = action(&double, &candidate)
        .input("push-timeout", "1s")
        .run();
    assert!(!run.succeeded, "{}", run.stdout);
    assert_eq!(double.tags("acme/widget").get("v1.2.3"), None);
}

#[test]
fn index_with_too_many_children_is_rejected() {
    let (source, target) = (double(), double());
    let children: Vec<Value> = (0..1001)
        .map(|number| entry(MANIFEST, &format!("sha256:{number:064}")))
        .collect();
    source.put_manifest("acme/tested", "large", INDEX, index_of(&children));
    let candidate = format!("{}/acme/tested:large", source.host());
    let run = action_between(&source, &target, &candidate).run();
    let said = "of more than 1000 manifests";
    assert!(
        run.stderr.contains(said) || run.stdout.contains(said),
        "{}{}",
        run.stdout,
        run.stderr
    );
    let reads = source.count(Endpoint::ManifestRead);
    assert!(reads < 10, "{reads} manifests were read");
}

#[test]
fn index_with_too_many_manifest_bytes_is_rejected() {
    let (source, target) = (double(), double());
    let filler = "a".repeat(4_000_000);
    let children: Vec<Value> = (0..40)
        .map(|number| {
            let image = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "annotations": { "number": number.to_string(), "filler": filler } });
            let digest = source.put_manifest("acme/tested", "child", MANIFEST, image.to_string());
            entry(MANIFEST, &digest)
        })
        .collect();
    source.put_manifest("acme/tested", "large", INDEX, index_of(&children));
    let candidate = format!("{}/acme/tested:large", source.host());
    let run = action_between(&source, &target, &candidate).run();
    let log = run.stdout + &run.stderr;
    assert!(
        !run.succeeded && log.contains("or 64 MiB of manifests"),
        "{log}"
    );
    let reads = source.count(Endpoint::ManifestRead);
    assert!(reads < 30, "{reads} manifests were read");
}

#[test]
fn image_with_too_many_referrers_is_rejected() {
    let (source, target) = (double(), double());
    let image = Image::small("amd64", "tested").put(&source, "acme/tested");
    source.put_manifest("acme/tested", "tested", MANIFEST, image.manifest);
    let referrers: Vec<Value> = (0..1001)
        .map(|number| entry(MANIFEST, &format!("sha256:{number:064}")))
        .collect();
    let tag = image.digest.replace(':', "-");
    source.put_manifest("acme/tested", &tag, INDEX, index_of(&referrers));
    let candidate = format!("{}/acme/tested:tested", source.host());
    let run = action_between(&source, &target, &candidate).run();
    let log = run.stdout + &run.stderr;
    let said = "lists more than 1000 referrers of the image";
    assert!(!run.succeeded && log.contains(said), "{log}");
    let reads = source.count(Endpoint::ManifestRead);
    assert!(reads < 10, "{reads} manifests were read");
}
