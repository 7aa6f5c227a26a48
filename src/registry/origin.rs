//! `Origin`: where an existing image is read.

use reqwest::Method;

use crate::image::digest::Digest;
use crate::image::manifest;
use crate::image::manifest::{Manifest, Platform};
use crate::image::tag::Tag;
use crate::oci_layout::Layout;
use crate::registry::Repository;
use crate::registry::answer::Trouble;
use crate::registry::blob::Blob;
use crate::registry::call::Call;
use crate::registry::stream::Reader;

/// The place an image is copied from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin<'a> {
    Repository(Repository<'a>),
    Layout(&'a Layout),
}

impl<'a> Origin<'a> {
    /// The manifest under `digest`, its bytes hashed.
    pub(crate) async fn manifest(self, digest: &Digest) -> Result<Manifest, Trouble> {
        match self {
            Self::Repository(repository) => repository.manifest_as_it_is(digest).await,
            Self::Layout(layout) => Ok(layout.manifest(digest)?),
        }
    }

    /// A small blob, for example an image config.
    pub(crate) async fn small_blob(self, digest: &Digest) -> Result<Vec<u8>, Trouble> {
        match self {
            Self::Repository(repository) => repository.blob_as_it_is(digest).await,
            Self::Layout(layout) => Ok(layout.small_blob(digest)?),
        }
    }

    /// The platforms of an image or index, as `platforms` names them.
    pub(crate) async fn platforms(self, root: &Manifest) -> Result<Vec<String>, Trouble> {
        let content = root.content();
        let content = content.map_err(|error| self.broken(format!("holds no image: {error}")))?;
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
    pub(super) async fn open(self, blob: &Blob) -> Result<Reader<'a>, Trouble> {
        match self {
            Self::Repository(repository) => {
                let response = repository.open_blob(&blob.digest).await?;
                Ok(Reader::Registry(repository.registry, response))
            }
            Self::Layout(layout) => Ok(Reader::Layout(layout, layout.file(&blob.digest)?)),
        }
    }

    /// The path of the origin, when it is another repository of the target's registry.
    pub(super) fn path_beside(self, target: Repository<'_>) -> Option<&'a str> {
        match self {
            Self::Repository(own) if own.registry.host == target.registry.host => Some(own.path),
            Self::Repository(_) | Self::Layout(_) => None,
        }
    }

    /// Whether the image is in the target already.
    pub(crate) fn is(self, target: Repository<'_>) -> bool {
        self.path_beside(target) == Some(target.path)
    }

    pub(super) fn broken(self, what: String) -> Trouble {
        match self {
            Self::Repository(repository) => repository.broken(what),
            Self::Layout(layout) => layout.broken(what).into(),
        }
    }
}

impl Repository<'_> {
    /// The manifest a tag shows, which must be there.
    pub(crate) async fn manifest_at(self, tag: &Tag) -> Result<Manifest, Trouble> {
        let call = Call::new(Method::GET, format!("manifests/{tag}"));
        let answer = self.call(call.accept(manifest::ACCEPTED)).await?;
        Ok(Manifest::from(answer))
    }

    /// The manifest under a digest that has long been there.
    pub(super) async fn manifest_as_it_is(self, digest: &Digest) -> Result<Manifest, Trouble> {
        let call = Call::new(Method::GET, format!("manifests/{digest}"));
        let answer = self.call(call.accept(manifest::ACCEPTED)).await?;
        let manifest = Manifest::from(answer);
        self.check_digest(digest, &manifest.bytes)?;
        Ok(manifest)
    }

    async fn blob_as_it_is(self, digest: &Digest) -> Result<Vec<u8>, Trouble> {
        let answer = self
            .call(Call::new(Method::GET, format!("blobs/{digest}")))
            .await?;
        self.check_digest(digest, &answer.body)?;
        Ok(answer.body)
    }

    /// The answer that brings a blob. A registry may send us to its storage, and the login stays behind.
    async fn open_blob(self, digest: &Digest) -> Result<reqwest::Response, Trouble> {
        let call = Call::new(Method::GET, format!("blobs/{digest}"));
        let registry = self.registry;
        let reply = match registry.open(&self.scope(), &call).await? {
            Ok(response) if response.status().is_success() => return Ok(response),
            Ok(response) => registry.reply(response).await?,
            Err(refusal) => refusal,
        };
        Err(registry.trouble(&reply))
    }
}
