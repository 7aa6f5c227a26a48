//! Finds and copies the referrers of an image: signatures, attestations, SBOMs.
//!
//! Registries without the referrers API keep an index of them under the tag `sha256-<hex>`
//! (<https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema>); cosign
//! uses tags of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::tag::Tag;
use crate::registry::Repository;
use crate::registry::copy::copy_image;
use crate::registry::copy_source::CopySource;
use crate::registry::error::RegistryError;
use crate::registry::http::Request;
use crate::registry::upload::CopyError;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// How long the referrers API is asked for: where there is none, GHCR has answered with a limit.
const API_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the index of referrers is written before somebody else has it.
const MAX_ROUNDS: usize = 5;
/// How many referrers of one image are copied, those of referrers among them.
const MAX_REFERRERS: usize = 1000;
/// What cosign puts at the end of its tags.
const COSIGN: [&str; 3] = ["sig", "att", "sbom"];

/// Descriptors by digest, as the source has them.
type Found = BTreeMap<String, Value>;

/// What a copy transferred.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// Bytes of layers and configs.
    pub(crate) bytes: u64,
    /// The tags that were written for referrers.
    pub(crate) tags: Vec<Tag>,
}

/// Copies the image `root` with everything that refers to it, and what refers to that; nothing when it is there
/// already.
pub(crate) async fn copy(
    source: CopySource<'_>,
    root: &Manifest,
    target: Repository<'_>,
) -> Result<Moved, CopyError> {
    if source.is(target) {
        return Ok(Moved::default());
    }
    let copied = copy_image(source, root, target).await?;
    let moved = Moved {
        bytes: copied.bytes,
        tags: Vec::new(),
    };
    let CopySource::Repository(source) = source else {
        return Ok(moved);
    };
    let mut copier = Copier {
        source,
        target,
        api: Api::NotAsked,
        referrers: 0,
        moved,
    };
    let mut seen: BTreeSet<Digest> = copied.manifests.iter().cloned().collect();
    let mut queue = copied.manifests;
    while let Some(subject) = queue.pop() {
        let copied = copier.copy_of(&subject).await?.into_iter();
        queue.extend(copied.filter(|digest| seen.insert(digest.clone())));
        for ending in COSIGN {
            copier.copy_tag(&named(&subject, Some(ending))).await?;
        }
    }
    Ok(copier.moved)
}

struct Copier<'a> {
    source: Repository<'a>,
    target: Repository<'a>,
    api: Api,
    /// How many were copied.
    referrers: usize,
    moved: Moved,
}

/// Whether the source has the referrers API.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Api {
    NotAsked,
    Answers,
    Absent,
}

impl Copier<'_> {
    /// Copies what refers to `subject`, and files it where the target does not.
    async fn copy_of(&mut self, subject: &Digest) -> Result<Vec<Digest>, CopyError> {
        let found = self.found(subject).await.map_err(CopyError::Reading)?;
        if self.referrers + found.len() > MAX_REFERRERS {
            let what =
                format!("lists more than {MAX_REFERRERS} referrers of the image, the maximum");
            return Err(CopyError::Reading(self.source.invalid(what)));
        }
        let (mut copied, mut unfiled) = (Vec::new(), Found::new());
        for (text, descriptor) in found {
            let digest: Digest = text.parse()?;
            let referrer = self.source.manifest(&digest).await;
            let referrer = referrer.map_err(CopyError::Reading)?;
            if self.copy(&referrer).await?.is_none() {
                unfiled.insert(text, descriptor);
            }
            copied.push(digest);
        }
        if !unfiled.is_empty() {
            let filed = self.target.file(subject, &unfiled).await?;
            self.moved.tags.extend(filed);
        }
        Ok(copied)
    }

    /// Gives the subject under which the target filed it, if it did.
    async fn copy(&mut self, referrer: &Manifest) -> Result<Option<String>, CopyError> {
        let source = CopySource::Repository(self.source);
        let copied = copy_image(source, referrer, self.target).await?;
        self.moved.bytes += copied.bytes;
        self.referrers += 1;
        Ok(copied.subject)
    }

    /// By the API and by the fallback tag: registries have had the one while clients wrote the other.
    async fn found(&mut self, subject: &Digest) -> Result<Found, RegistryError> {
        let mut found = self.source.filed(subject).await?;
        if self.api == Api::Absent {
            return Ok(found);
        }
        match self.source.at_most(API_TIMEOUT).referrers(subject).await {
            Some(listed) => {
                self.api = Api::Answers;
                found.extend(listed);
            }
            None if self.api == Api::NotAsked => self.api = Api::Absent,
            None => {}
        }
        Ok(found)
    }

    /// Copies what a tag of the source shows, unless the target has something else there.
    async fn copy_tag(&mut self, tag: &Tag) -> Result<(), CopyError> {
        let shown = self.source.manifest_of(tag).await;
        let Some(shown) = shown.map_err(CopyError::Reading)? else {
            return Ok(());
        };
        if let Some(there) = self.target.manifest_of(tag).await? {
            if there.digest != shown.digest {
                let path = self.target.path;
                let text = format!("`{tag}` shows something else in {path} and stays");
                self.target.registry.console.say(&text);
            }
            return Ok(());
        }
        self.copy(&shown).await?;
        self.target.put(&shown, tag).await?;
        self.moved.tags.push(tag.clone());
        Ok(())
    }
}

impl Repository<'_> {
    /// What the referrers API lists; nothing where there is none, whatever is said instead.
    async fn referrers(self, subject: &Digest) -> Option<Found> {
        let request = Request::new(Method::GET, format!("referrers/{subject}")).accept(INDEX);
        let response = self.send(request).await.ok()?;
        (response.content_type() == INDEX).then(|| descriptors(&response.body))
    }

    /// What the fallback tag lists.
    async fn filed(self, subject: &Digest) -> Result<Found, RegistryError> {
        let index = self.manifest_of(&named(subject, None)).await?;
        Ok(index.map_or_else(Found::new, |index| descriptors(&index.bytes)))
    }

    /// Adds `found` to what the fallback tag lists, and reads it back: others may write it too. Gives the tag
    /// when it was written.
    async fn file(self, subject: &Digest, found: &Found) -> Result<Option<Tag>, RegistryError> {
        let tag = named(subject, None);
        for round in 0..MAX_ROUNDS {
            let before = self.manifest_of(&tag).await?;
            let listed = before.as_ref().map(|index| descriptors(&index.bytes));
            let listed = listed.unwrap_or_default();
            if found.keys().all(|digest| listed.contains_key(digest)) {
                return Ok((round > 0).then_some(tag));
            }
            self.put(&merged(before.as_ref(), found), &tag).await?;
        }
        Err(self.invalid(format!("does not keep the list of referrers under `{tag}`")))
    }
}

/// `sha256-<hex>`, or one of cosign's.
fn named(subject: &Digest, ending: Option<&str>) -> Tag {
    let ending = ending.map_or_else(String::new, |ending| format!(".{ending}"));
    Tag::sanitized(&format!("sha256-{}{ending}", subject.hex())).expect("hex digits make a tag")
}

fn descriptors(index: &[u8]) -> Found {
    let index: Value = serde_json::from_slice(index).unwrap_or_default();
    let listed = index["manifests"].as_array().into_iter().flatten();
    listed
        .filter_map(|one| Some((one["digest"].as_str()?.to_owned(), one.clone())))
        .collect()
}

/// The index with what it does not list yet.
fn merged(before: Option<&Manifest>, found: &Found) -> Manifest {
    let before = before.and_then(|index| serde_json::from_slice::<Value>(&index.bytes).ok());
    let mut index = before
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({ "schemaVersion": 2, "mediaType": INDEX }));
    let mut listed = index["manifests"].as_array().cloned().unwrap_or_default();
    for (digest, descriptor) in found {
        if listed.iter().all(|one| one["digest"] != digest.as_str()) {
            listed.push(descriptor.clone());
        }
    }
    index["manifests"] = listed.into();
    Manifest::new(INDEX, index.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(digests: &[&str]) -> Found {
        let entry = |digest: &&str| ((*digest).to_owned(), json!({ "digest": digest, "size": 1 }));
        digests.iter().map(entry).collect()
    }

    #[test]
    fn referrers_index_keeps_existing_entries() {
        let ours = merged(None, &found(&["b"]));
        let both = merged(Some(&ours), &found(&["a", "b"]));
        let index: Value = serde_json::from_slice(&both.bytes).unwrap();
        let digests: Vec<&Value> = index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["digest"])
            .collect();
        assert_eq!(digests, ["b", "a"]);
        assert_eq!(index["mediaType"], INDEX);
        assert_eq!(descriptors(&both.bytes), found(&["a", "b"]));
    }

    #[test]
    fn referrers_have_tags_that_name_their_subject() {
        let subject = Digest::of(b"");
        let hex = subject.hex();
        assert_eq!(named(&subject, None).as_str(), format!("sha256-{hex}"));
        assert_eq!(
            named(&subject, Some("sig")).as_str(),
            format!("sha256-{hex}.sig")
        );
    }
}
