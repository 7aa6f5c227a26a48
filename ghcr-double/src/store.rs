//! `Store`: the pushed blobs, manifests and tags, the versions of packages, and the open upload sessions.

pub(crate) mod versions;

use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::clock::Clock;
use crate::reference::{digest_of, is_digest};
use versions::{Listed, Versions};

#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) media_type: String,
    pub(crate) bytes: Bytes,
}

impl Manifest {
    /// Its descriptor. The artifact type of an image is the media type of its config; an index has none.
    pub(crate) fn descriptor(&self, digest: &str, content: &Value) -> Value {
        let mut descriptor = json!({
            "mediaType": self.media_type,
            "digest": digest,
            "size": self.bytes.len(),
        });
        let artifact_type = content["artifactType"]
            .as_str()
            .or(content["config"]["mediaType"].as_str());
        if let Some(artifact_type) = artifact_type {
            descriptor["artifactType"] = artifact_type.into();
        }
        if let Some(annotations) = content.get("annotations") {
            descriptor["annotations"] = annotations.clone();
        }
        descriptor
    }
}

/// The contents of one repository name.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) blobs: BTreeSet<String>,
    pub(crate) manifests: BTreeMap<String, Manifest>,
    pub(crate) tags: BTreeMap<String, String>,
    /// The digest of each tag before it was last moved.
    previous: BTreeMap<String, String>,
    /// The number of the write that last put each tag or digest.
    written: HashMap<String, u64>,
    versions: Versions,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) name: String,
    /// The chunks as received, so that they are copied only once.
    received: Vec<Bytes>,
}

impl Session {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            received: Vec::new(),
        }
    }

    pub(crate) fn receive(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.received.push(chunk);
        }
    }

    pub(crate) fn length(&self) -> usize {
        self.received.iter().map(Bytes::len).sum()
    }

    /// The whole blob; copied only when it was received in several chunks.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self.received.as_slice() {
            [whole] => whole.clone(),
            chunks => chunks.concat().into(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    blobs: HashMap<String, Bytes>,
    pub(crate) names: BTreeMap<String, Contents>,
    pub(crate) sessions: HashMap<String, Session>,
    writes: u64,
    pub(crate) clock: Clock,
    /// The versions of each name, as a scripted fault lists them.
    kept: BTreeMap<String, Vec<Listed>>,
}

impl Store {
    pub(crate) fn put_blob(&mut self, name: &str, bytes: Bytes) -> String {
        let digest = digest_of(&bytes);
        self.keep_blob(name, &digest, bytes);
        digest
    }

    /// Stores a blob whose digest was computed before.
    pub(crate) fn keep_blob(&mut self, name: &str, digest: &str, bytes: Bytes) {
        self.blobs.insert(digest.to_owned(), bytes);
        self.link_blob(name, digest);
    }

    pub(crate) fn link_blob(&mut self, name: &str, digest: &str) {
        self.names
            .entry(name.to_owned())
            .or_default()
            .blobs
            .insert(digest.to_owned());
    }

    pub(crate) fn has_blob(&self, name: &str, digest: &str) -> bool {
        self.names
            .get(name)
            .is_some_and(|contents| contents.blobs.contains(digest))
    }

    pub(crate) fn blob(&self, digest: &str) -> Option<&Bytes> {
        self.blobs.get(digest)
    }

    /// Stores a manifest, and moves the tag if the reference is a tag.
    pub(crate) fn put_manifest(
        &mut self,
        name: &str,
        reference: &str,
        manifest: Manifest,
    ) -> String {
        self.writes += 1;
        let digest = digest_of(&manifest.bytes);
        let contents = self.names.entry(name.to_owned()).or_default();
        contents.manifests.insert(digest.clone(), manifest);
        contents.written.insert(reference.to_owned(), self.writes);
        let id = versions::FIRST_ID + self.writes;
        let now = self.clock.now();
        contents
            .versions
            .push(&digest, is_digest(reference), id, now);
        if !is_digest(reference)
            && let Some(before) = contents.tags.insert(reference.to_owned(), digest.clone())
        {
            contents.previous.insert(reference.to_owned(), before);
        }
        digest
    }

    pub(crate) fn manifest(&self, name: &str, reference: &str) -> Option<(&str, &Manifest)> {
        let contents = self.names.get(name)?;
        let digest = contents
            .tags
            .get(reference)
            .map_or(reference, String::as_str);
        let (digest, manifest) = contents.manifests.get_key_value(digest)?;
        Some((digest, manifest))
    }

    /// The manifest of the tag before it was last moved.
    pub(crate) fn previous(&self, name: &str, tag: &str) -> Option<(&str, &Manifest)> {
        let digest = self.names.get(name)?.previous.get(tag)?;
        self.manifest(name, digest)
    }

    /// How many manifests were put so far.
    pub(crate) fn writes(&self) -> u64 {
        self.writes
    }

    pub(crate) fn written_since(&self, name: &str, reference: &str, writes: u64) -> bool {
        let written = self
            .names
            .get(name)
            .and_then(|contents| contents.written.get(reference));
        written.is_some_and(|written| *written > writes)
    }
}
