//! Verifies that a digest is complete in the registry: its bytes, its children, their blobs.

use std::collections::BTreeSet;

use futures_util::future::{ready, try_join};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use tokio::time::Instant;

use crate::context::server::RegistryKind;
use crate::image::digest::Digest;
use crate::image::manifest::{Content, Descriptor, Manifest, Platform};
use crate::image::tag::Tag;
use crate::registry::copy::{MAX_INDEX_DEPTH, MAX_MANIFESTS};
use crate::registry::error::RegistryError;
use crate::registry::{PARALLEL, Repository};

/// What the registry holds under a digest, every part seen.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub(crate) manifest: Manifest,
    /// One for an image, one per platform for an index.
    pub(crate) platforms: Vec<PlatformImage>,
    /// Every manifest of the image: index, children, attestations.
    pub(crate) digests: Vec<Digest>,
    /// Digest of the image config; unknown for an index.
    pub(crate) config_digest: Option<Digest>,
}

/// The image for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlatformImage {
    /// For example `linux/arm64`.
    pub(crate) platform: String,
    pub(crate) digest: Digest,
    /// Bytes of config and layers, compressed.
    pub(crate) size: u64,
    /// How many blobs its manifest needs in the repository.
    pub(crate) blobs: usize,
}

/// A manifest that an index names.
struct Child {
    digest: Digest,
    image: Option<PlatformImage>,
    /// The blobs that it needs.
    blobs: BTreeSet<Digest>,
    /// What it names itself, when it is an index.
    below: Vec<Descriptor>,
}

impl PlatformImage {
    fn new(platform: String, manifest: &Manifest, content: &Content) -> Self {
        Self {
            platform,
            digest: manifest.digest.clone(),
            size: content.size(),
            blobs: content.blobs().count(),
        }
    }
}

impl Repository<'_> {
    /// Sees every part of what was pushed under `digest`. What was read `since` it was pushed is not read again. `beside` begins
    /// when only blobs are left.
    pub(crate) async fn verify(
        self,
        digest: &Digest,
        tag: &Tag,
        since: Option<Instant>,
        beside: impl Future<Output = ()>,
    ) -> Result<Verified, RegistryError> {
        let this = self.just_pushed().reading_since(since);
        let manifest = this.pushed(digest, tag).await?;
        this.verify_below(manifest, beside).await
    }

    /// Reads what was pushed then: the manifest together with those of `manifests` that are below it, or with its
    /// config, since registries redirect to their storage, which takes another round trip. What fails is read again where it
    /// is needed.
    pub(crate) async fn read_pushed(
        self,
        digest: &Digest,
        manifests: &[Digest],
        configs: &[Digest],
        since: Instant,
    ) {
        let this = self.just_pushed().reading_since(Some(since));
        let below = manifests.iter().filter(|below| *below != digest);
        let is_index = below.clone().next().is_some();
        let manifests = std::iter::once(digest).chain(below);
        let manifests = manifests.map(|digest| this.manifest(digest).map(drop).left_future());
        let configs = configs.iter().filter(|_| !is_index);
        let configs = configs.map(|config| this.small_blob(config).map(drop).right_future());
        let reads = stream::iter(manifests.chain(configs));
        reads
            .buffer_unordered(PARALLEL)
            .for_each(|()| ready(()))
            .await;
    }

    /// Verifies everything below a manifest that was read. What is missing is not waited for, and what the run has read below
    /// it is not read again.
    pub(crate) async fn verify_manifest(
        self,
        manifest: Manifest,
        beside: impl Future<Output = ()>,
    ) -> Result<Verified, RegistryError> {
        let this = self.reading_once();
        this.verify_below(manifest, beside).await
    }

    /// The manifest that was pushed. The older Docker registry serves no manifest by digest: there it is the bytes under
    /// `tag` that must have it.
    pub(crate) async fn pushed(
        self,
        digest: &Digest,
        tag: &Tag,
    ) -> Result<Manifest, RegistryError> {
        let this = self.just_pushed();
        match this.kind() {
            RegistryKind::Docker => this.manifest_under(tag.as_str(), digest).await,
            RegistryKind::Container | RegistryKind::Generic => this.manifest(digest).await,
        }
    }

    async fn verify_below(
        self,
        manifest: Manifest,
        beside: impl Future<Output = ()>,
    ) -> Result<Verified, RegistryError> {
        let content = self.content(&manifest)?;
        let beside = beside.map(Ok);
        if content.manifests.is_empty() {
            let image = self.verify_image(manifest, &content);
            return Ok(try_join(image, beside).await?.0);
        }
        let (verified, blobs) = self.manifests_below(manifest, content.manifests).await?;
        try_join(self.require_blobs(&blobs), beside).await?;
        Ok(verified)
    }

    async fn verify_image(
        self,
        manifest: Manifest,
        content: &Content,
    ) -> Result<Verified, RegistryError> {
        let config = content.config.as_ref().map(|config| self.digest(config));
        let config = config.transpose()?;
        let mut blobs = self.blobs(content)?;
        blobs.retain(|blob| Some(blob) != config.as_ref());
        let platform = self.platform_of(config.as_ref());
        let (platform, ()) = try_join(platform, self.require_blobs(&blobs)).await?;
        let image = platform.map(|platform| PlatformImage::new(platform, &manifest, content));
        Ok(Verified {
            platforms: image.into_iter().collect(),
            digests: vec![manifest.digest.clone()],
            config_digest: config,
            manifest,
        })
    }

    /// Reads every level of the index: a child may be an index too. Returns also the blobs that they need.
    async fn manifests_below(
        self,
        manifest: Manifest,
        mut level: Vec<Descriptor>,
    ) -> Result<(Verified, BTreeSet<Digest>), RegistryError> {
        let mut verified = Verified {
            digests: vec![manifest.digest.clone()],
            manifest,
            platforms: Vec::new(),
            config_digest: None,
        };
        let mut blobs = BTreeSet::new();
        for _depth in 0..=MAX_INDEX_DEPTH {
            if verified.digests.len() + level.len() > MAX_MANIFESTS {
                break;
            }
            let children = level.iter().map(|child| self.child(child));
            let children = stream::iter(children).buffered(PARALLEL);
            let children: Vec<Child> = children.try_collect().await?;
            level = Vec::new();
            for child in children {
                verified.digests.push(child.digest);
                verified.platforms.extend(child.image);
                blobs.extend(child.blobs);
                level.extend(child.below);
            }
            if level.is_empty() {
                return Ok((verified, blobs));
            }
        }
        let what = format!(
            "has too many or too deeply nested indexes below {}",
            verified.manifest.digest
        );
        Err(self.invalid(what))
    }

    async fn child(self, child: &Descriptor) -> Result<Child, RegistryError> {
        let manifest = self.manifest(&self.digest(child)?).await?;
        let content = self.content(&manifest)?;
        let platform = child.platform.as_ref().and_then(Platform::name);
        let platform = platform.filter(|_| content.manifests.is_empty());
        Ok(Child {
            image: platform.map(|platform| PlatformImage::new(platform, &manifest, &content)),
            blobs: self.blobs(&content)?,
            digest: manifest.digest,
            below: content.manifests,
        })
    }

    fn blobs(self, content: &Content) -> Result<BTreeSet<Digest>, RegistryError> {
        content.blobs().map(|blob| self.digest(blob)).collect()
    }

    async fn require_blobs(self, blobs: &BTreeSet<Digest>) -> Result<(), RegistryError> {
        let checks = blobs.iter().map(|digest| self.require_blob(digest));
        stream::iter(checks)
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await
    }

    /// The platform that a config names.
    async fn platform_of(self, config: Option<&Digest>) -> Result<Option<String>, RegistryError> {
        let Some(config) = config else {
            return Ok(None);
        };
        let platform: Option<Platform> =
            serde_json::from_slice(&self.small_blob(config).await?).ok();
        Ok(platform.and_then(|platform| platform.name()))
    }

    fn content(self, manifest: &Manifest) -> Result<Content, RegistryError> {
        manifest.content().map_err(|error| {
            self.invalid(format!(
                "holds a manifest {} that cannot be read: {error}",
                manifest.digest
            ))
        })
    }

    fn digest(self, descriptor: &Descriptor) -> Result<Digest, RegistryError> {
        let digest = descriptor.digest.parse();
        digest.map_err(|problem| self.invalid(format!("holds a manifest in which {problem}")))
    }
}

#[cfg(test)]
mod tests;
