//! Debian's registry with the deletions that a clean-up makes: what stays is complete, to the last byte of each layer.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ghcr_double::Double;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::world::{Crane, DebianRegistry, login, output_of, publication, tool};
use crate::cleanup::{builder, days_ago, weekly};
use crate::publication::NAME;
use crate::support::TOKEN;

/// Under which tags images are published, and how many days ago.
const IMAGES: [(&str, u64); 5] = [
    ("1.2.3", 60),
    ("pr-1", 40),
    ("pr-2", 30),
    ("pr-3", 20),
    ("main", 10),
];
const KEPT: [&str; 3] = ["1.2.3", "pr-2", "main"];

/// Publishes images of two platforms, whose layers are the same, with their provenance.
fn publish(registry: &DebianRegistry) {
    for (tag, _) in IMAGES {
        let run = publication(None)
            .event("push_branch")
            .input("registry", registry.host())
            .input("tags", format!("type=raw,value={tag}"))
            .input("labels", format!("tag={tag}"))
            .input("platforms", "linux/amd64,linux/arm64")
            .input("provenance", "max")
            .run();
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    }
}

/// A `DOCKER_CONFIG` with credentials for both.
fn login_to(hosts: &[String]) -> TempDir {
    let config = login(&hosts[0]);
    let auth = STANDARD.encode(format!("octocat:{TOKEN}"));
    let auths: serde_json::Map<String, Value> = hosts
        .iter()
        .map(|host| (host.clone(), json!({ "auth": auth })))
        .collect();
    let text = json!({ "auths": auths }).to_string();
    fs::write(config.path().join("config.json"), text).unwrap();
    config
}

/// The same manifests behind the packages API, pushed on different days.
fn copy(registry: &DebianRegistry, double: &Double) {
    let config = login_to(&[registry.host(), double.host()]);
    for (tag, days) in IMAGES {
        let [from, to] =
            [registry.host(), double.host()].map(|host| format!("{host}/{NAME}:{tag}"));
        let mut crane = tool("crane");
        crane.args(["copy", &from, &to]);
        crane.env("DOCKER_CONFIG", config.path());
        days_ago(double, days, |_| output_of(&mut crane));
    }
}

/// Every manifest of the index is there, and every layer of the platforms. The layers of provenance are JSON, which crane
/// takes for invalid archives.
fn is_valid(crane: &Crane, name: &str, tag: &str) {
    let index = format!("{name}:{tag}");
    crane.run(&["validate", "--fast", "--remote", &index]);
    let children = crane.manifest(&index)["manifests"].clone();
    let children = children.as_array().unwrap();
    assert_eq!(children.len(), 4, "{index}");
    for platform in &children[..2] {
        let digest = platform["digest"].as_str().unwrap();
        crane.run(&["validate", "--remote", &format!("{name}@{digest}")]);
    }
}

#[test]
fn what_stays_in_a_real_registry_is_valid() {
    let registry = DebianRegistry::start();
    publish(&registry);
    let double = builder().start().unwrap();
    copy(&registry, &double);
    let before = double.manifests(NAME).len();
    let run = weekly(&double, "delete=pr-*,when=closed\nuntagged").run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);

    let deleted: Vec<Value> = serde_json::from_str(run.output("deleted")).unwrap();
    // Two indexes, each with two platforms and their provenance.
    assert_eq!(deleted.len(), 10);
    assert_eq!(double.manifests(NAME).len(), before - 10);
    let crane = Crane::new(&registry.host());
    let name = format!("{}/{NAME}", registry.host());
    for version in &deleted {
        let digest = version["digest"].as_str().unwrap();
        crane.run(&["delete", &format!("{name}@{digest}")]);
    }
    registry.collect_garbage();
    let of_double = Crane::new(&double.host());
    for tag in KEPT {
        is_valid(&crane, &name, tag);
        is_valid(&of_double, &format!("{}/{NAME}", double.host()), tag);
    }
    let tags = crane.run(&["ls", &name]);
    for gone in ["pr-1", "pr-3"] {
        assert!(!tags.lines().any(|tag| tag == gone), "{tags}");
    }
}
