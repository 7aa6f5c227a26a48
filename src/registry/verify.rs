//! Verifies that a digest is complete in the registry: its bytes, its children, their blobs.

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::context::server::RegistryKind;
use crate::image::contents::Contents;
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
    /// What it consists of, unless that is too much to keep.
    pub(crate) contents: Option<Contents>,
}

/// The platforms of an index whose contents are kept.
pub(crate) const MAX_KEPT: usize = 64;
/// Of a manifest and its config, in bytes.
const MAX_KEPT_BYTES: usize = 1 << 20;

/// A manifest that an index names.
struct Child {
    digest: Digest,
    image: Option<PlatformImage>,
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
            contents: None,
        }
    }
}

impl Child {
    fn new(descriptor: &Descriptor, manifest: &Manifest, content: Content) -> Self {
        let platform = descriptor.platform.as_ref().and_then(Platform::name);
        let platform = platform.filter(|_| content.manifests.is_empty());
        Self {
            image: platform.map(|platform| PlatformImage::new(platform, manifest, &content)),
            digest: manifest.digest.clone(),
            below: content.manifests,
        }
    }
}

fn contents(manifest: &Manifest, content: &Content, config: &[u8]) -> Option<Contents> {
    let bytes = manifest.bytes.len() + config.len();
    (bytes <= MAX_KEPT_BYTES).then(|| Contents::new(&manifest.digest, content, config))
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
        let bytes = match &config {
            Some(config) => self.small_blob(config).await?,
            None => Vec::new(),
        };
        self.require_blobs(content, config.as_ref()).await?;
        let platform: Option<Platform> = serde_json::from_slice(&bytes).ok();
        let platform = platform.and_then(|platform| platform.name());
        let image = platform.map(|platform| PlatformImage {
            contents: contents(&manifest, content, &bytes),
            ..PlatformImage::new(platform, &manifest, content)
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
            let kept = MAX_KEPT.saturating_sub(verified.platforms.len());
            let children = level.iter().enumerate();
            let children = children.map(|(number, child)| async move {
                match number < kept {
                    true => self.verify_and_keep(child).await,
                    false => self.verify_child(child).await,
                }
            });
            let children = stream::iter(children).buffered(PARALLEL);
            let children: Vec<Child> = children.try_collect().await?;
            level = Vec::new();
            for child in children {
                verified.digests.push(child.digest);
                verified
                    .platforms
                    .extend(child.image.map(|image| PlatformImage {
                        contents: image.contents.map(|it| it.below(&index.annotations)),
                        ..image
                    }));
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
        let (manifest, content) = self.read_child(child).await?;
        self.require_blobs(&content, None).await?;
        Ok(Child::new(child, &manifest, content))
    }

    /// The same for an image whose contents are kept: its config is read, which shows that it exists.
    async fn verify_and_keep(self, child: &Descriptor) -> Result<Child, RegistryError> {
        let (manifest, content) = self.read_child(child).await?;
        let is_image = child.platform.as_ref().and_then(Platform::name).is_some();
        let config = content.config.as_ref().filter(|_| is_image);
        let Some(config) = config.map(|config| self.digest(config)).transpose()? else {
            self.require_blobs(&content, None).await?;
            return Ok(Child::new(child, &manifest, content));
        };
        let blobs = self.require_blobs(&content, Some(&config));
        let (bytes, ()) = tokio::try_join!(self.small_blob(&config), blobs)?;
        let contents = contents(&manifest, &content, &bytes);
        let child = Child::new(child, &manifest, content);
        Ok(Child {
            image: child.image.map(|image| PlatformImage { contents, ..image }),
            ..child
        })
    }

    async fn read_child(self, child: &Descriptor) -> Result<(Manifest, Content), RegistryError> {
        let manifest = self.manifest(&self.digest(child)?).await?;
        let content = self.content(&manifest)?;
        Ok((manifest, content))
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
