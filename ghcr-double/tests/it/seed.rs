//! Images that tests store in the double, and uploads of large layers.

use crate::client::{NAME, TOKEN, ask, bearer, double, send};
use serde_json::{Value, json};

fn manifest(double: &ghcr_double::Double, reference: &str) -> Value {
    let (_, bytes) = double.manifest(NAME, reference).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn index_contains_its_platforms() {
    let double = double();
    let platforms = ["linux/amd64", "linux/arm/v7"];
    let [amd64, arm] = platforms.map(|platform| double.put_platform_image(NAME, platform));
    let children = [("linux/amd64", &*amd64), ("linux/arm/v7", &*arm)];
    let digest = double.put_index(NAME, "v1", &children, &[("note", "one")]);
    assert_eq!(double.tags(NAME), [("v1".to_owned(), digest)].into());
    let index = manifest(&double, "v1");
    assert_eq!(index["annotations"], json!({ "note": "one" }));
    let child = &index["manifests"][1];
    assert_eq!(child["digest"], arm);
    assert_eq!(
        child["platform"],
        json!({ "os": "linux", "architecture": "arm", "variant": "v7" })
    );
    let config = manifest(&double, &arm)["config"]["digest"].clone();
    let config = double.blob(NAME, config.as_str().unwrap()).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(
        (&config["architecture"], &config["variant"]),
        (&json!("arm"), &json!("v7"))
    );
    let body = index.to_string();
    let bearer = bearer(&double, TOKEN, NAME);
    let headers = [("authorization", bearer.as_str())];
    let target = format!("/v2/{NAME}/manifests/v2");
    let reply = send(&double, "PUT", &target, &headers, body.as_bytes()).unwrap();
    assert_eq!(reply.status, 201);
}

#[test]
fn large_image_has_a_layer_of_that_size() {
    let double = double();
    for size in [1, 3 * 1024 * 1024 + 1] {
        double.put_large_image(NAME, "large", size);
        let layer = manifest(&double, "large")["layers"][0].clone();
        assert_eq!(layer["size"], size);
        let bytes = double
            .blob(NAME, layer["digest"].as_str().unwrap())
            .unwrap();
        assert_eq!(bytes.len(), size);
    }
}

#[test]
fn large_layer_is_uploaded_in_chunks_and_at_once() {
    let double = double();
    let name = "acme/source";
    double.put_large_image(name, "large", 48 * 1024 * 1024);
    let (_, source) = double.manifest(name, "large").unwrap();
    let source: Value = serde_json::from_slice(&source).unwrap();
    let digest = source["layers"][0]["digest"].as_str().unwrap();
    let bytes = double.blob(name, digest).unwrap();
    for chunks in [1, 3] {
        let started = ask(&double, "POST", "blobs/uploads/", b"").unwrap();
        let session = started.location().replacen(&format!("/v2/{NAME}/"), "", 1);
        for chunk in bytes.chunks(bytes.len() / chunks) {
            let patched = ask(&double, "PATCH", &session, chunk).unwrap();
            assert_eq!(patched.status, 202);
        }
        let put = ask(&double, "PUT", &format!("{session}?digest={digest}"), b"").unwrap();
        assert_eq!(put.status, 201);
        assert_eq!(double.blob(NAME, digest).unwrap(), bytes);
    }
}
