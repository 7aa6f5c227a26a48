//! `World`: a generated package, what publishers do to it, and what is missing afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use ghcr_double::{Account, Double, Package, PullRequest, Repository};
use serde_json::{Value, json};

use super::{NAME, TOKEN};
use crate::image::digest::Digest;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const HOUR: u64 = 3600;

/// Tags; `#` becomes the number of the manifest.
const TAGS: &[&str] = &[
    "latest",
    "main",
    "1.0.0",
    "1.0",
    "3.0.0-rc.#",
    "pr-1",
    "pr-2",
    "pr-3",
    "pr-1-fix",
    "sha-#",
    "sha-#",
    "edge",
];

/// A package in the double, with all that was ever pushed to it.
pub(super) struct World {
    pub(super) double: Double,
    pushed: BTreeMap<String, Value>,
    /// The tags of signatures and of indexes of referrers, with what they are about.
    attached: BTreeMap<String, String>,
    /// What a publication found deleted: what was attached to it is gone rightly.
    again: BTreeSet<String>,
}

impl World {
    pub(super) fn new(random: &mut Rng) -> Self {
        let repository = Repository::new("acme/Widget")
            .pull_request(1, PullRequest::Closed)
            .pull_request(2, PullRequest::Open)
            .pull_request(3, PullRequest::Closed);
        let double = Double::builder()
            .token(TOKEN, Account::workflow("acme/Widget"))
            .organization("acme")
            .package(NAME, Package::of("acme/Widget").public())
            .repository(repository)
            .start()
            .unwrap();
        let mut world = Self {
            double,
            pushed: BTreeMap::new(),
            attached: BTreeMap::new(),
            again: BTreeSet::new(),
        };
        let now = world.double.time();
        let mut hours = random.u64(0..400) + 400;
        for number in 0..random.usize(4..16) {
            hours = hours.saturating_sub(random.u64(0..72));
            world
                .double
                .set_time(now - Duration::from_secs(hours * HOUR));
            world.push_some(number, random);
        }
        world.double.set_time(now);
        world.double.clear_requests();
        world
    }

    fn some(&self, random: &mut Rng) -> Option<String> {
        let digests: Vec<&String> = self.pushed.keys().collect();
        random.choice(digests).cloned()
    }

    fn push_some(&mut self, number: usize, random: &mut Rng) {
        let tags: Vec<String> = (0..[0, 0, 1, 1, 2][random.usize(..5)])
            .map(|_| {
                random
                    .choice(TAGS)
                    .unwrap()
                    .replace('#', &number.to_string())
            })
            .collect();
        let earlier = self.some(random);
        let digest = match (random.u8(..19), earlier) {
            (0..8, _) | (_, None) => self.push_image(number, &json!({})),
            (8..15, _) => {
                let children: Vec<String> = (0..=random.usize(..3))
                    .filter_map(|_| self.some(random))
                    .collect();
                self.push_index(number, &children)
            }
            (15..17, Some(subject)) => self.push_referrer(number, &subject),
            (_, Some(subject)) => {
                let signature = self.push_image(number, &json!({}));
                self.attach(
                    &format!("{}.sig", subject.replacen(':', "-", 1)),
                    &signature,
                    subject,
                );
                return;
            }
        };
        for tag in &tags {
            self.tag(tag, &digest);
        }
    }

    /// Stores a manifest without a tag.
    fn push(&mut self, media_type: &str, manifest: Value) -> String {
        let bytes = manifest.to_string();
        let digest = Digest::of(bytes.as_bytes()).to_string();
        self.double.put_manifest(NAME, &digest, media_type, bytes);
        self.pushed.insert(digest.clone(), manifest);
        digest
    }

    fn push_image(&mut self, number: usize, more: &Value) -> String {
        let config = format!("{{\"number\":{number}}}");
        let blob = self.double.put_blob(NAME, config.clone());
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob, "size": config.len(),
            },
            "layers": [],
        });
        let fields = manifest.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        self.push(MANIFEST, manifest)
    }

    fn push_index(&mut self, number: usize, children: &[String]) -> String {
        let entries: Vec<Value> = children
            .iter()
            .map(|child| {
                let manifest = &self.pushed[child];
                json!({
                    "mediaType": manifest["mediaType"],
                    "digest": child,
                    "size": manifest.to_string().len(),
                    "platform": { "os": "linux", "architecture": "amd64" },
                })
            })
            .collect();
        self.push(
            INDEX,
            json!({
                "schemaVersion": 2,
                "mediaType": INDEX,
                "manifests": entries,
                "annotations": { "number": number.to_string() },
            }),
        )
    }

    /// An artifact about `subject`, and the index under a tag that lists it.
    fn push_referrer(&mut self, number: usize, subject: &str) -> String {
        let manifest = &self.pushed[subject];
        let subject_of = json!({ "subject": {
            "mediaType": manifest["mediaType"], "digest": subject, "size": manifest.to_string().len(),
        }});
        let artifact = self.push_image(number, &subject_of);
        let tag = subject.replacen(':', "-", 1);
        let before = self.double.tags(NAME).get(&tag).cloned();
        let mut listed: Vec<String> = before
            .and_then(|before| {
                let entries = self.pushed[&before]["manifests"].as_array()?.clone();
                Some(
                    entries
                        .iter()
                        .map(|entry| entry["digest"].as_str().unwrap().to_owned())
                        .collect(),
                )
            })
            .unwrap_or_default();
        listed.push(artifact.clone());
        let index = self.push_index(number, &listed);
        self.attach(&tag, &index, subject.to_owned());
        artifact
    }

    fn attach(&mut self, tag: &str, digest: &str, subject: String) {
        self.tag(tag, digest);
        self.attached.insert(tag.to_owned(), subject);
    }

    fn tag(&self, tag: &str, digest: &str) {
        let manifest = &self.pushed[digest];
        let media_type = manifest["mediaType"].as_str().unwrap();
        self.double
            .put_manifest(NAME, tag, media_type, manifest.to_string());
    }

    /// What a publisher does: pushes the manifests that are missing, from the leaves, and then an index of them.
    pub(super) fn publish(&mut self, random: &mut Rng) -> String {
        let children: Vec<String> = (0..=random.usize(..2))
            .filter_map(|_| self.some(random))
            .collect();
        for child in &children {
            self.push_again(child);
        }
        let index = self.push_index(1000, &children);
        if random.bool() {
            self.tag("new", &index);
        }
        index
    }

    fn push_again(&mut self, digest: &str) {
        let manifest = self.pushed[digest].clone();
        for child in children(&manifest) {
            self.push_again(&child);
        }
        if self.double.manifest(NAME, digest).is_none() {
            self.again.insert(digest.to_owned());
            let media_type = manifest["mediaType"].as_str().unwrap();
            self.double
                .put_manifest(NAME, digest, media_type, manifest.to_string());
        }
    }

    /// What is missing of what can be reached from every tag and from `roots`.
    pub(super) fn missing(
        &self,
        before: &BTreeMap<String, String>,
        roots: &[String],
    ) -> Vec<String> {
        let tags = self.double.tags(NAME);
        let mut waiting: Vec<String> = tags.values().chain(roots).cloned().collect();
        let (mut seen, mut missing) = (BTreeSet::new(), Vec::new());
        while let Some(digest) = waiting.pop() {
            if !seen.insert(digest.clone()) {
                continue;
            }
            let Some((_, bytes)) = self.double.manifest(NAME, &digest) else {
                missing.push(digest);
                continue;
            };
            let manifest: Value = serde_json::from_slice(&bytes).unwrap();
            waiting.extend(children(&manifest));
            if let Some(config) = manifest["config"]["digest"].as_str()
                && self.double.blob(NAME, config).is_none()
            {
                missing.push(config.to_owned());
            }
            let about_it = |(_, subject): &(&String, &String)| {
                **subject == digest && !self.again.contains(&digest)
            };
            for (tag, _) in self.attached.iter().filter(about_it) {
                waiting.extend(before.get(tag).cloned());
            }
        }
        missing
    }
}

fn children(manifest: &Value) -> Vec<String> {
    let listed = manifest["manifests"].as_array().into_iter().flatten();
    listed
        .map(|child| child["digest"].as_str().unwrap().to_owned())
        .collect()
}
