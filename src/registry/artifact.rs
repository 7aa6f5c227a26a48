//! Attaches an artifact to an image, for example a signed attestation, and reads the artifacts of an image.
//!
//! The artifact is a manifest with one layer whose `subject` is the image
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidelines-for-artifact-usage>). The referrers API
//! lists it, or the index under the tag `sha256-<hex>`.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::image::digest::Digest;
use crate::image::manifest::{Descriptor, Manifest};
use crate::image::tag::Tag;
use crate::registry::Repository;
use crate::registry::error::RegistryError;
use crate::registry::referrer_index::{Found, named};
use crate::registry::stream::Blob;

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The config of an artifact that has none
/// (<https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidance-for-an-empty-descriptor>).
pub(super) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
pub(super) const EMPTY_BYTES: &[u8] = b"{}";
/// How many artifacts of one image are read.
const MAX_ARTIFACTS: usize = 100;
/// Bytes of all artifacts of one image that are read.
const MAX_BYTES: u64 = 64 << 20;
/// For the bytes of one artifact.
const READ_TIMEOUT: Duration = Duration::from_secs(300);
/// The time after which an index that was written is read again: another writer may have read it before.
const RECHECK_DELAY: Duration = Duration::from_secs(1);
/// How often entries of the index are added again.
const MAX_ROUNDS: u32 = 5;

/// What is attached to an image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Artifact<'a> {
    pub(crate) artifact_type: &'a str,
    /// The media type of `bytes`.
    pub(crate) media_type: &'a str,
    pub(crate) bytes: &'a [u8],
    pub(crate) annotations: &'a [(&'a str, &'a str)],
}

/// An artifact in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attached {
    /// The digest of its manifest.
    pub(crate) digest: Digest,
    /// The tag whose index lists it; none if the registry lists it with the referrers API.
    pub(crate) tag: Option<Tag>,
}

impl Artifact<'_> {
    /// Its manifest, field for field as actions/attest writes it.
    fn manifest(&self, subject: &Manifest) -> Manifest {
        let descriptor = |media_type: &str, bytes: &[u8]| {
            let digest = Digest::of(bytes).to_string();
            json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
        };
        let annotations = self.annotations.iter();
        let annotations: Map<String, Value> = annotations
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": self.artifact_type,
            "config": descriptor(EMPTY, EMPTY_BYTES),
            "layers": [descriptor(self.media_type, self.bytes)],
            "subject": descriptor(&subject.media_type, &subject.bytes),
            "annotations": annotations,
        });
        Manifest::new(MANIFEST, manifest.to_string().into_bytes())
    }
}

impl Repository<'_> {
    /// Attaches `artifact` to the image `subject` of this repository. Blobs that the registry has are not sent. Fails if a
    /// request is refused, is not answered until the deadline, or if the index under the tag does not keep the entry.
    pub(crate) async fn attach(
        self,
        subject: &Manifest,
        artifact: &Artifact<'_>,
    ) -> Result<Attached, RegistryError> {
        tokio::try_join!(
            self.place_bytes(artifact.bytes),
            self.place_bytes(EMPTY_BYTES)
        )?;
        let manifest = artifact.manifest(subject);
        let listed = self.put_by_digest(&manifest).await?;
        let tag = match listed {
            Some(listed) if listed == subject.digest.as_str() => None,
            _ => {
                let entry = Found::from_iter([entry(&manifest)]);
                let tag = self.file(&subject.digest, &entry).await?;
                Some(tag.unwrap_or_else(|| named(&subject.digest, None)))
            }
        };
        let digest = manifest.digest;
        let stored = self.just_pushed();
        stored.manifest(&digest).await?;
        stored.bytes_of(&Blob::new(artifact.bytes)).await?;
        Ok(Attached { digest, tag })
    }

    /// Adds the artifacts `digests` to the index under the tag again if a concurrent writer overwrote their entries:
    /// where `If-Match` is ignored, its write may arrive after the read that follows ours. For the end of a run, with the
    /// artifacts whose [`Attached::tag`] is set. Fails as [`Repository::attach`] does.
    pub(crate) async fn keep_listed(
        self,
        subject: &Digest,
        digests: &[Digest],
    ) -> Result<(), RegistryError> {
        for _round in 0..MAX_ROUNDS {
            let listed = self.filed(subject).await?;
            let missing = digests
                .iter()
                .filter(|digest| !listed.contains_key(digest.as_str()));
            let mut entries = Found::new();
            for digest in missing {
                entries.extend([entry(&self.manifest(digest).await?)]);
            }
            if entries.is_empty() {
                return Ok(());
            }
            self.file(subject, &entries).await?;
            self.pace().sleep(RECHECK_DELAY).await;
        }
        let tag = named(subject, None);
        Err(self.invalid(format!("does not keep the list of referrers under `{tag}`")))
    }

    /// The artifacts of a type that are attached to the image `subject`: the descriptor of each manifest and the bytes of
    /// its layer, the last that is listed first. Reads at most 100 of them and 64 MiB, and skips what is gone and what is
    /// no artifact with one layer. Fails if a request is refused or is not answered until the deadline.
    pub(crate) async fn attached(
        self,
        subject: &Digest,
        artifact_type: &str,
    ) -> Result<Vec<(Descriptor, Vec<u8>)>, RegistryError> {
        let mut listed = self.filed(subject).await?;
        listed.extend(self.referrers(subject).await?.unwrap_or_default());
        let listed = listed.into_iter().rev().map(|(_digest, entry)| entry);
        let candidates = listed.filter(|entry| {
            let kind = &entry["artifactType"];
            kind.is_null() || kind == artifact_type
        });
        let (mut found, mut left) = (Vec::new(), MAX_BYTES);
        for candidate in candidates.take(MAX_ARTIFACTS) {
            let Ok(descriptor) = serde_json::from_value::<Descriptor>(candidate) else {
                continue;
            };
            let layer = self.layer_of(&descriptor, subject, artifact_type).await?;
            let Some(layer) = layer.filter(|layer| layer.size <= left) else {
                continue;
            };
            if let Some(bytes) = unless_gone(self.bytes_of(&layer).await)? {
                left -= layer.size;
                found.push((descriptor, bytes));
            }
        }
        Ok(found)
    }

    /// The layer of an artifact, if its manifest exists and says what its entry in the index says.
    async fn layer_of(
        self,
        descriptor: &Descriptor,
        subject: &Digest,
        artifact_type: &str,
    ) -> Result<Option<Blob>, RegistryError> {
        let Ok(digest) = descriptor.digest.parse() else {
            return Ok(None);
        };
        let Some(manifest) = unless_gone(self.manifest(&digest).await)? else {
            return Ok(None);
        };
        let content: Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
        let is_wanted = content["artifactType"] == artifact_type
            && content["subject"]["digest"] == subject.as_str();
        let content = manifest.content().ok().filter(|_| is_wanted);
        let layers = content.map(|content| content.layers).unwrap_or_default();
        let [layer] = layers.as_slice() else {
            return Ok(None);
        };
        Ok(Blob::of(layer).ok())
    }

    /// The bytes of a blob, which has the size that was said.
    pub(super) async fn bytes_of(self, blob: &Blob) -> Result<Vec<u8>, RegistryError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let read = self.pace().timeout(READ_TIMEOUT, self.read_bytes(blob));
            let read = read.await;
            let read = read.unwrap_or_else(|elapsed| Err(self.registry.timed_out(elapsed)));
            match read {
                Err(error)
                    if error.is_transient()
                        && self.deadline.wait(tries, error.retry_after()).await => {}
                read => return read,
            }
        }
    }

    async fn read_bytes(self, blob: &Blob) -> Result<Vec<u8>, RegistryError> {
        let mut response = self.open_blob(&blob.digest).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = self.registry.chunk(&mut response).await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > blob.size {
                let what = format!("sent more than {} bytes for {}", blob.size, blob.digest);
                return Err(self.invalid(what));
            }
        }
        self.check_digest(&blob.digest, &bytes)?;
        Ok(bytes)
    }
}

/// Nothing for content that does not exist: an index can list what was deleted.
fn unless_gone<T>(read: Result<T, RegistryError>) -> Result<Option<T>, RegistryError> {
    match read {
        Ok(content) => Ok(Some(content)),
        Err(RegistryError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The entry of an artifact in an index, by its digest.
fn entry(manifest: &Manifest) -> (String, Value) {
    let content: Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
    let mut entry = json!({
        "mediaType": manifest.media_type,
        "digest": manifest.digest.as_str(),
        "size": manifest.bytes.len(),
    });
    for key in ["artifactType", "annotations"] {
        if let Some(value) = content.get(key) {
            entry[key] = value.clone();
        }
    }
    (manifest.digest.to_string(), entry)
}

#[cfg(test)]
mod tests;
