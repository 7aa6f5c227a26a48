//! The index of the referrers of an image: asked for with the referrers API, or kept under a tag.
//!
//! Where a registry has no referrers API, its clients keep the index under the tag `sha256-<hex>`
//! (<https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema>).

use std::time::Duration;

use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::tag::Tag;
use crate::link::next_page;
use crate::registry::conditional_write::RefusedWrites;
use crate::registry::error::RegistryError;
use crate::registry::http::Request;
use crate::registry::manifests::Tagged;
use crate::registry::{Repository, STALE_READS};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// How long the referrers API is asked for: where there is none, GHCR has answered with a limit.
const API_TIMEOUT: Duration = Duration::from_secs(5);
/// How many pages of the referrers API are read.
const MAX_PAGES: usize = 20;
/// How often the index is written before it is left to others.
const MAX_ROUNDS: u32 = 10;

/// Descriptors by digest, in the order of the index.
pub(super) type Found = Map<String, Value>;

impl Repository<'_> {
    /// What the first 20 pages of the referrers API list; nothing where there is no such API, whatever is said instead.
    /// Fails if a later page cannot be read.
    pub(super) async fn referrers(self, subject: &Digest) -> Result<Option<Found>, RegistryError> {
        let path = format!("referrers/{subject}");
        let mut request = Request::new(Method::GET, path.as_str()).accept(INDEX);
        let mut found = None;
        for _page in 0..MAX_PAGES {
            let response = match self.at_most(API_TIMEOUT).send(request).await {
                Ok(response) if response.content_type() == INDEX => response,
                Err(error) if found.is_some() => return Err(error),
                _ => break,
            };
            let listed = found.get_or_insert_with(Found::new);
            listed.extend(descriptors(&response.body));
            let Some(next) = next_page(&response.headers) else {
                break;
            };
            request = Request::new(Method::GET, format!("{path}?{next}")).accept(INDEX);
        }
        Ok(found)
    }

    /// What the fallback tag lists.
    pub(super) async fn filed(self, subject: &Digest) -> Result<Found, RegistryError> {
        let index = self.manifest_of(&named(subject, None)).await?;
        Ok(index.map_or_else(Found::new, |index| descriptors(&index.bytes)))
    }

    /// Adds `found` to what the fallback tag lists, and reads it back. An entry that another writer adds at the same
    /// time stays where the registry honours `If-Match`; elsewhere the read shows who was overwritten, and
    /// whoever was writes again. Returns the tag if it was written.
    pub(super) async fn file(
        self,
        subject: &Digest,
        found: &Found,
    ) -> Result<Option<Tag>, RegistryError> {
        let tag = named(subject, None);
        let mut refused = RefusedWrites::default();
        let mut written = false;
        let mut now = self.tagged(&tag).await?;
        let mut round = 0;
        while !lists(now.as_ref(), found) {
            round += 1;
            if round > MAX_ROUNDS {
                let what = format!("does not keep the list of referrers under `{tag}`");
                return Err(self.invalid(what));
            }
            let index = merged(now.as_ref().map(|now| &now.manifest), found);
            now = match refused.write(self, &index, &tag, now.as_ref()).await {
                Ok(true) => {
                    written = true;
                    self.tagged_after(&tag, now.as_ref()).await?
                }
                Ok(false) => self.tagged(&tag).await?,
                Err(error)
                    if error.is_transient()
                        && self.deadline.wait(round, error.retry_after()).await =>
                {
                    // The write may have arrived.
                    written = true;
                    self.tagged(&tag).await?
                }
                Err(error) => return Err(error),
            };
        }
        Ok(written.then_some(tag))
    }

    /// What the tag shows after a write. What it showed `before` may be a stale read, so it is read again until that
    /// has passed.
    async fn tagged_after(
        self,
        tag: &Tag,
        before: Option<&Tagged>,
    ) -> Result<Option<Tagged>, RegistryError> {
        let digest = |tagged: &Tagged| tagged.manifest.digest.clone();
        let before = before.map(digest);
        let start = Instant::now();
        let mut delay = Duration::from_millis(250);
        loop {
            let now = self.tagged(tag).await?;
            if now.as_ref().map(digest) != before || self.pace().since(start) >= STALE_READS {
                return Ok(now);
            }
            self.pace().sleep(delay).await;
            delay = (delay * 2).min(Duration::from_secs(5));
        }
    }
}

/// Whether the index lists all of `found`.
fn lists(index: Option<&Tagged>, found: &Found) -> bool {
    let listed = index.map(|index| descriptors(&index.manifest.bytes));
    let listed = listed.unwrap_or_default();
    found.keys().all(|digest| listed.contains_key(digest))
}

/// `sha256-<hex>`, or one of cosign's.
pub(super) fn named(subject: &Digest, ending: Option<&str>) -> Tag {
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

/// The index with what it does not list yet, at its end.
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
