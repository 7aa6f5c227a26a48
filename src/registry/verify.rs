//! Verifies that a digest is complete in the registry: its bytes, its children, their blobs.

use futures_util::{StreamExt, TryStreamExt, stream};

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
    /// What it names itself, when it is an index.
    below: Vec<Descriptor>,
}

impl Repository<'_> {
    /// Sees every part of what was pushed under `digest`. The older Docker registry serves no manifest by
    /// digest: there it is the bytes under `tag` that must have it.
    pub(crate) async fn verify(
        self,
        digest: &Digest,
        tag: &Tag,
    ) -> Result<Verified, RegistryError> {
        let this = self.just_pushed();
        let reference = match this.kind() {
            RegistryKind::Docker => tag.as_str(),
            RegistryKind::Container | RegistryKind::Generic => digest.as_str(),
        };
        let manifest = this.manifest_under(reference, digest).await?;
        this.verify_manifest(manifest).await
    }

    /// Verifies everything below a manifest that was read. What is missing is not waited for.
    pub(crate) async fn verify_manifest(
        self,
        manifest: Manifest,
    ) -> Result<Verified, RegistryError> {
        let content = self.content(&manifest)?;
        if content.manifests.is_empty() {
            self.verify_image(manifest, &content).await
        } else {
            self.verify_index(manifest, &content).await
        }
    }

    async fn verify_image(
        self,
        manifest: Manifest,
        content: &Content,
    ) -> Result<Verified, RegistryError> {
        let config = content.config.as_ref().map(|config| self.digest(config));
        let config = config.transpose()?;
        let platform = match &config {
            Some(config) => self.platform_of_config(config).await?,
            None => None,
        };
        self.require_blobs(content, config.as_ref()).await?;
        let image = platform.map(|platform| PlatformImage {
            platform,
            digest: manifest.digest.clone(),
            size: content.size(),
            blobs: content.blobs().count(),
        });
        Ok(Verified {
            platforms: image.into_iter().collect(),
            digests: vec![manifest.digest.clone()],
            config_digest: config,
            manifest,
        })
    }

    /// Sees every level of the index: a child may be an index too.
    async fn verify_index(
        self,
        manifest: Manifest,
        index: &Content,
    ) -> Result<Verified, RegistryError> {
        let mut verified = Verified {
            digests: vec![manifest.digest.clone()],
            manifest,
            platforms: Vec::new(),
            config_digest: None,
        };
        let mut level = index.manifests.clone();
        for _depth in 0..=MAX_INDEX_DEPTH {
            if verified.digests.len() + level.len() > MAX_MANIFESTS {
                break;
            }
            let children = level.iter().map(|child| self.verify_child(child));
            let children = stream::iter(children).buffered(PARALLEL);
            let children: Vec<Child> = children.try_collect().await?;
            level = Vec::new();
            for child in children {
                verified.digests.push(child.digest);
                verified.platforms.extend(child.image);
                level.extend(child.below);
            }
            if level.is_empty() {
                return Ok(verified);
            }
        }
        let what = format!(
            "has too many or too deeply nested indexes below {}",
            verified.manifest.digest
        );
        Err(self.invalid(what))
    }

    async fn verify_child(self, child: &Descriptor) -> Result<Child, RegistryError> {
        let digest = self.digest(child)?;
        let manifest = self.manifest(&digest).await?;
        let content = self.content(&manifest)?;
        self.require_blobs(&content, None).await?;
        let platform = child.platform.as_ref().and_then(Platform::name);
        let image = platform.filter(|_| content.manifests.is_empty());
        Ok(Child {
            image: image.map(|platform| PlatformImage {
                platform,
                digest: digest.clone(),
                size: content.size(),
                blobs: content.blobs().count(),
            }),
            digest,
            below: content.manifests,
        })
    }

    async fn require_blobs(
        self,
        content: &Content,
        seen: Option<&Digest>,
    ) -> Result<(), RegistryError> {
        let digests = content.blobs().map(|blob| self.digest(blob));
        let digests: Vec<Digest> = digests.collect::<Result<_, _>>()?;
        let unseen = digests.iter().filter(|digest| Some(*digest) != seen);
        let checks = unseen.map(|digest| self.require_blob(digest));
        stream::iter(checks)
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await
    }

    async fn platform_of_config(self, config: &Digest) -> Result<Option<String>, RegistryError> {
        let bytes = self.small_blob(config).await?;
        let platform: Option<Platform> = serde_json::from_slice(&bytes).ok();
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
