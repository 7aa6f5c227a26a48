//! The source that an existing image is copied from: a repository or an OCI layout.

use crate::image::digest::Digest;
use crate::image::manifest::{Manifest, Platform};
use crate::oci_layout::OciLayout;
use crate::registry::Repository;
use crate::registry::error::RegistryError;
use crate::registry::stream::{Blob, Reader};

/// The place an image is copied from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CopySource<'a> {
    Repository(Repository<'a>),
    Layout(&'a OciLayout),
}

impl<'a> CopySource<'a> {
    /// The manifest under `digest`, its bytes hashed.
    pub(crate) async fn manifest(self, digest: &Digest) -> Result<Manifest, RegistryError> {
        match self {
            Self::Repository(repository) => repository.manifest(digest).await,
            Self::Layout(layout) => Ok(layout.manifest(digest)?),
        }
    }

    /// A small blob, for example an image config.
    pub(crate) async fn small_blob(self, digest: &Digest) -> Result<Vec<u8>, RegistryError> {
        match self {
            Self::Repository(repository) => repository.small_blob(digest).await,
            Self::Layout(layout) => Ok(layout.small_blob(digest)?),
        }
    }

    /// The platforms of an image or index, as `platforms` names them.
    pub(crate) async fn platforms(self, root: &Manifest) -> Result<Vec<String>, RegistryError> {
        let content = root.content();
        let content = content.map_err(|error| self.invalid(format!("holds no image: {error}")))?;
        let children = content.manifests.iter();
        let listed = children.filter_map(|child| child.platform.as_ref()?.name());
        let config = match root.config_digest() {
            Some(config) => self.small_blob(&config).await?,
            None => return Ok(listed.collect()),
        };
        let platform: Option<Platform> = serde_json::from_slice(&config).ok();
        Ok(platform.and_then(|own| own.name()).into_iter().collect())
    }

    /// The bytes of a blob, to be read piece by piece.
    pub(super) async fn open(self, blob: &Blob) -> Result<Reader<'a>, RegistryError> {
        match self {
            Self::Repository(repository) => {
                let response = repository.open_blob(&blob.digest).await?;
                Ok(Reader::Registry(repository.registry, response))
            }
            Self::Layout(layout) => {
                let section = layout.blob(&blob.digest)?;
                Ok(Reader::Layout(layout, section.reader()))
            }
        }
    }

    /// The path of the source, when it is another repository of the target's registry.
    pub(super) fn path_beside(self, target: Repository<'_>) -> Option<&'a str> {
        match self {
            Self::Repository(own) if own.registry.host == target.registry.host => Some(own.path),
            Self::Repository(_) | Self::Layout(_) => None,
        }
    }

    /// The same source, for content that another run may have pushed a moment ago, so that a 404 may pass.
    pub(crate) fn just_pushed(self) -> Self {
        match self {
            Self::Repository(repository) => Self::Repository(repository.just_pushed()),
            Self::Layout(_) => self,
        }
    }

    /// The same source, of which nothing is read again that is addressed by its digest.
    pub(crate) fn reading_once(self) -> Self {
        match self {
            Self::Repository(repository) => Self::Repository(repository.reading_once()),
            Self::Layout(_) => self,
        }
    }

    /// Whether the image is in the target already.
    pub(crate) fn is(self, target: Repository<'_>) -> bool {
        self.path_beside(target) == Some(target.path)
    }

    pub(crate) fn invalid(self, what: String) -> RegistryError {
        match self {
            Self::Repository(repository) => repository.invalid(what),
            Self::Layout(layout) => layout.broken(what).into(),
        }
    }
}
