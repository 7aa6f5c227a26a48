//! Reads and writes manifests, by digest and by tag; lists tags.

use std::fmt;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use reqwest::header::ETAG;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use tokio::time::Instant;

use crate::context::server::RegistryKind;
use crate::image::digest::Digest;
use crate::image::manifest::{self, Manifest};
use crate::image::tag::Tag;
use crate::link::next_page;
use crate::registry::error::RegistryError;
use crate::registry::http::Request;
use crate::registry::{PARALLEL, Repository};

/// A page of `GET …/tags/list`.
#[derive(Default, Deserialize)]
struct Page {
    #[serde(default)]
    tags: Option<Names>,
}

/// The texts of a list that can be tags, up to [`MAX_TAGS`]: whoever sends more gets no memory for them.
#[derive(Default)]
struct Names(Vec<String>);

/// A registry that leads in circles comes to an end.
pub(crate) const MAX_PAGES: usize = 100;
const MAX_TAGS: usize = 100_000;

impl Names {
    /// Lists are sorted, so the same tag again follows at once.
    fn is_new(&self, name: &String) -> bool {
        (1..=128).contains(&name.len()) && self.0.last() != Some(name)
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_seq(Self::default())
    }
}

impl<'de> Visitor<'de> for Names {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tags")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Self, A::Error> {
        while self.0.len() < MAX_TAGS {
            match list.next_element::<String>()? {
                Some(name) if self.is_new(&name) => self.0.push(name),
                Some(_) => {}
                None => return Ok(self),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self)
    }
}

/// The tags of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TagList {
    pub(crate) names: Vec<String>,
    /// Whether these are all of them: not when the registry lists nothing for the repository (404), nor
    /// when the list is longer than we read.
    pub(crate) is_complete: bool,
}

impl TagList {
    /// Whether the repository certainly has no such tag.
    pub(crate) fn lacks(&self, tag: &Tag) -> bool {
        self.is_complete && self.names.iter().all(|name| name != tag.as_str())
    }
}

/// A manifest under a tag, as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Tagged {
    pub(crate) manifest: Manifest,
    /// The entity tag, if the registry sent one
    /// (<https://www.rfc-editor.org/rfc/rfc9110#field.etag>).
    pub(crate) etag: Option<String>,
}

impl Repository<'_> {
    /// The tags of the repository.
    pub(crate) async fn tags(self) -> Result<TagList, RegistryError> {
        self.tags_of(MAX_PAGES).await
    }

    /// The tags on the first `pages` of the list, of up to 1000 tags each.
    pub(crate) async fn tags_of(self, pages: usize) -> Result<TagList, RegistryError> {
        let mut list = TagList::default();
        let mut query = "n=1000".to_owned();
        for _page in 0..pages {
            let request = Request::new(Method::GET, format!("tags/list?{query}"));
            let Some(response) = self.find(request).await? else {
                return Ok(list);
            };
            let page: Page = serde_json::from_slice(&response.body).map_err(|error| {
                self.invalid(format!("sent a list of tags that cannot be read: {error}"))
            })?;
            let room = MAX_TAGS - list.names.len();
            let mut names = page.tags.unwrap_or_default().0;
            names.truncate(room);
            list.names.append(&mut names);
            if list.names.len() == MAX_TAGS {
                return Ok(list);
            }
            match next_page(&response.headers) {
                Some(next) => query = next.to_owned(),
                None => {
                    list.is_complete = true;
                    return Ok(list);
                }
            }
        }
        Ok(list)
    }

    /// Whether the repository has a tag that is not among `ours`.
    pub(crate) async fn has_tags_beside(self, ours: &[Tag]) -> Result<bool, RegistryError> {
        let request = Request::new(Method::GET, format!("tags/list?n={}", ours.len() + 1));
        let Some(response) = self.find(request).await? else {
            return Ok(false);
        };
        let page: Page = serde_json::from_slice(&response.body).unwrap_or_default();
        let mut tags = page.tags.unwrap_or_default().0.into_iter();
        Ok(tags.any(|tag| ours.iter().all(|own| own.as_str() != tag)))
    }

    /// The manifest with `digest`.
    pub(super) async fn manifest(self, digest: &Digest) -> Result<Manifest, RegistryError> {
        let size = |manifest: &Manifest| manifest.bytes.len();
        let read = self.manifest_under(digest.as_str(), digest);
        let known = &self.registry.manifests;
        self.once(known, digest, size, read).await
    }

    /// The manifest with `digest`, under any `reference` to it.
    pub(super) async fn manifest_under(
        self,
        reference: &str,
        digest: &Digest,
    ) -> Result<Manifest, RegistryError> {
        let request = Request::new(Method::GET, format!("manifests/{reference}"));
        let response = self.send(request.accept(manifest::ACCEPTED)).await?;
        self.check_digest(digest, &response.body)?;
        Ok(Manifest::from(response))
    }

    /// Whether the registry has a manifest. No download is counted.
    pub(crate) async fn has(self, digest: &Digest) -> Result<bool, RegistryError> {
        let request = Request::new(Method::HEAD, format!("manifests/{digest}"));
        Ok(self
            .find(request.accept(manifest::ACCEPTED))
            .await?
            .is_some())
    }

    /// Writes a manifest without a tag. Returns the subject that the registry listed it under as a referrer,
    /// if it did.
    pub(crate) async fn put_by_digest(
        self,
        manifest: &Manifest,
    ) -> Result<Option<String>, RegistryError> {
        let request = Request::new(Method::PUT, format!("manifests/{}", manifest.digest))
            .body(&manifest.media_type, &manifest.bytes)
            .just_pushed();
        let response = self.send(request).await?;
        Ok(response.header("oci-subject").map(str::to_owned))
    }

    /// The manifest a tag points to; an error when the tag does not exist.
    pub(crate) async fn manifest_at(self, tag: &Tag) -> Result<Manifest, RegistryError> {
        let request = Request::new(Method::GET, format!("manifests/{tag}"));
        let response = self.send(request.accept(manifest::ACCEPTED)).await?;
        Ok(Manifest::from(response))
    }

    /// The manifest a tag points to, if the tag exists.
    pub(crate) async fn manifest_of(self, tag: &Tag) -> Result<Option<Manifest>, RegistryError> {
        Ok(self.tagged(tag).await?.map(|tagged| tagged.manifest))
    }

    /// The same with its entity tag, for a write that depends on it.
    pub(crate) async fn tagged(self, tag: &Tag) -> Result<Option<Tagged>, RegistryError> {
        let request =
            Request::new(Method::GET, format!("manifests/{tag}")).accept(manifest::ACCEPTED);
        let response = self.find(request).await?;
        Ok(response.map(|response| Tagged {
            etag: response.header(ETAG).map(str::to_owned),
            manifest: Manifest::from(response),
        }))
    }

    /// Lets the tag point to a manifest whose parts are all there.
    pub(crate) async fn put(self, manifest: &Manifest, tag: &Tag) -> Result<(), RegistryError> {
        self.put_over(manifest, tag, None).await
    }

    /// The same, only while the tag still has the entity tag `etag`. Registries that do not know
    /// conditional writes ignore the condition; others respond with 412, see [`RegistryError::is_precondition_failed`].
    pub(crate) async fn put_over(
        self,
        manifest: &Manifest,
        tag: &Tag,
        etag: Option<&str>,
    ) -> Result<(), RegistryError> {
        let request = Request::new(Method::PUT, format!("manifests/{tag}"))
            .body(&manifest.media_type, &manifest.bytes)
            .if_match(etag)
            .just_pushed();
        self.send(request).await.map(drop)
    }

    /// Lets a tag point to the manifest in one attempt, if the tag does not exist. Registries that do not know
    /// conditional writes ignore the condition; others respond with 412, see [`RegistryError::is_precondition_failed`].
    pub(crate) async fn put_new(self, manifest: &Manifest, tag: &Tag) -> Result<(), RegistryError> {
        let request = Request::new(Method::PUT, format!("manifests/{tag}"))
            .body(&manifest.media_type, &manifest.bytes)
            .if_absent();
        self.at_most(Duration::ZERO).send(request).await.map(drop)
    }

    /// The tags among `tags` that point to `digest`, read from the registry. A tag that does not yet is
    /// asked again until `lag` is over, since reads may lag behind writes.
    pub(crate) async fn read_back(
        self,
        digest: &Digest,
        tags: &[Tag],
        lag: Duration,
    ) -> Result<Vec<Tag>, RegistryError> {
        let reads = tags.iter().map(|tag| async move {
            let holds = self.holds(digest, tag, lag).await?;
            Ok::<_, RegistryError>(holds.then(|| tag.clone()))
        });
        let held: Vec<Option<Tag>> = stream::iter(reads).buffered(PARALLEL).try_collect().await?;
        Ok(held.into_iter().flatten().collect())
    }

    async fn holds(self, digest: &Digest, tag: &Tag, lag: Duration) -> Result<bool, RegistryError> {
        let start = Instant::now();
        let mut delay = Duration::from_millis(250);
        loop {
            if self.digest_of(tag, digest).await?.as_ref() == Some(digest) {
                return Ok(true);
            }
            if self.pace().since(start) >= lag {
                return Ok(false);
            }
            self.pace().sleep(delay).await;
            delay = (delay * 2).min(Duration::from_secs(5));
        }
    }

    /// What a tag points to. The header is believed when it is what we hope for; any other time, and
    /// always at the older Docker registry, whose header means nothing, the bytes are hashed.
    pub(crate) async fn digest_of(
        self,
        tag: &Tag,
        hoped: &Digest,
    ) -> Result<Option<Digest>, RegistryError> {
        if self.kind() != RegistryKind::Docker {
            let path = format!("manifests/{tag}");
            let request = Request::new(Method::HEAD, path).accept(manifest::ACCEPTED);
            let Some(response) = self.find(request).await? else {
                return Ok(None);
            };
            let header = response.header("docker-content-digest");
            let digest = header.and_then(|text| text.parse().ok());
            if digest.as_ref() == Some(hoped) {
                return Ok(digest);
            }
        }
        let held = self.manifest_of(tag).await?;
        Ok(held.map(|manifest| manifest.digest))
    }
}
