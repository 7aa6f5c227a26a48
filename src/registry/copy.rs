//! Copies an image into a repository with the same digests; children before their index, without a
//! tag.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::tag::Tag;
use crate::registry::copy_source::CopySource;
use crate::registry::error::RegistryError;
use crate::registry::stream::Blob;
use crate::registry::upload::{Arrival, CopyError};
use crate::registry::{PARALLEL, Repository};

/// How many blobs are under way at once.
const PARALLEL_BLOBS: usize = 4;
/// More levels of nested indexes than any known image has.
pub(super) const MAX_INDEX_DEPTH: usize = 4;
/// Manifests of one image: platforms and attestations, many times over.
pub(super) const MAX_MANIFESTS: usize = 1000;
/// Bytes of all manifests of one image, which are held until they are written.
const MAX_MANIFEST_BYTES: usize = 64 << 20;

/// Everything that has to be in a repository before a manifest may be, and the manifest.
#[derive(Debug, Default)]
struct Parts {
    blobs: BTreeMap<Digest, Blob>,
    images: Vec<Manifest>,
    /// Each before those that name it.
    indexes: Vec<Manifest>,
}

/// What was copied of an image.
pub(super) struct Copied {
    /// Every manifest of it.
    pub(super) manifests: Vec<Digest>,
    /// Bytes of layers and configs that this program transferred.
    pub(super) bytes: u64,
    /// The subject under which the target filed it, if it did.
    pub(super) subject: Option<String>,
}

/// Copies an image without children, and lets `tag` show it: the older Docker registry accepts no manifest
/// under its digest. Gives the bytes that were transferred.
pub(crate) async fn copy_under(
    source: CopySource<'_>,
    image: &Manifest,
    target: Repository<'_>,
    tag: &Tag,
) -> Result<u64, CopyError> {
    let parts = Parts::of(source, image).await.map_err(CopyError::Reading)?;
    let bytes = if source.is(target) {
        0
    } else {
        parts.place(source, target).await?
    };
    target.put(image, tag).await?;
    Ok(bytes)
}

/// Copies a manifest and all below it, and nothing that refers to it.
pub(super) async fn copy_image(
    source: CopySource<'_>,
    root: &Manifest,
    target: Repository<'_>,
) -> Result<Copied, CopyError> {
    let parts = Parts::of(source, root).await.map_err(CopyError::Reading)?;
    let bytes = parts.place(source, target).await?;
    let puts = parts.images.iter().map(|image| target.put_by_digest(image));
    let puts = stream::iter(puts).buffer_unordered(PARALLEL);
    let mut subjects: Vec<Option<String>> = puts.try_collect().await?;
    for index in &parts.indexes {
        subjects.push(target.put_by_digest(index).await?);
    }
    let manifests = parts.images.iter().chain(&parts.indexes);
    Ok(Copied {
        manifests: manifests.map(|part| part.digest.clone()).collect(),
        bytes,
        // A manifest without children is alone, and one with children is put last.
        subject: subjects.pop().flatten(),
    })
}

impl Parts {
    /// Reads the image level by level, from the root down.
    async fn of(source: CopySource<'_>, root: &Manifest) -> Result<Self, RegistryError> {
        let mut parts = Self::default();
        let mut level: BTreeSet<Digest> = parts.add(source, root.clone())?.into_iter().collect();
        for _depth in 0..=MAX_INDEX_DEPTH {
            if level.is_empty() {
                parts.indexes.reverse();
                return Ok(parts);
            }
            level = parts.read(source, root, &level).await?;
        }
        Err(source.invalid(format!(
            "has indexes nested too deeply below {}",
            root.digest
        )))
    }

    /// Reads the manifests of a `level`, and no further than an image may be large; gives the next level.
    async fn read(
        &mut self,
        source: CopySource<'_>,
        root: &Manifest,
        level: &BTreeSet<Digest>,
    ) -> Result<BTreeSet<Digest>, RegistryError> {
        self.check_size(source, root, level.len())?;
        let reads = level.iter().map(|child| source.manifest(child));
        let mut reads = stream::iter(reads).buffered(PARALLEL);
        let mut below = BTreeSet::new();
        while let Some(manifest) = reads.try_next().await? {
            below.extend(self.add(source, manifest)?);
            self.check_size(source, root, 0)?;
        }
        Ok(below)
    }

    /// Refuses an image that names more manifests, those of the `next` level among them, than fit in memory.
    fn check_size(
        &self,
        source: CopySource<'_>,
        root: &Manifest,
        next: usize,
    ) -> Result<(), RegistryError> {
        let read = || self.images.iter().chain(&self.indexes);
        let bytes: usize = read().map(|manifest| manifest.bytes.len()).sum();
        if read().count() + next <= MAX_MANIFESTS && bytes <= MAX_MANIFEST_BYTES {
            return Ok(());
        }
        Err(source.invalid(format!(
            "holds an image {} of more than {MAX_MANIFESTS} manifests or {} MiB of manifests, the maximum",
            root.digest,
            MAX_MANIFEST_BYTES >> 20
        )))
    }

    /// Sees to it that every blob is there; how many bytes that moved.
    async fn place(
        &self,
        source: CopySource<'_>,
        target: Repository<'_>,
    ) -> Result<u64, CopyError> {
        let placed = self.blobs.values().map(|blob| target.place(blob, source));
        let placed = stream::iter(placed).buffer_unordered(PARALLEL_BLOBS);
        let arrivals: Vec<Arrival> = placed.try_collect().await?;
        Ok(arrivals.iter().map(|arrival| arrival.bytes()).sum())
    }

    /// Adds a manifest with its blobs; gives its children.
    fn add(
        &mut self,
        source: CopySource<'_>,
        manifest: Manifest,
    ) -> Result<Vec<Digest>, RegistryError> {
        let unread = |why: String| source.invalid(format!("holds {}, {why}", manifest.digest));
        let content = manifest.content();
        let content =
            content.map_err(|error| unread(format!("which is not a valid manifest: {error}")))?;
        let misnamed = |problem: Problem| unread(format!("in which {problem}"));
        for blob in content.blobs() {
            let blob = Blob::of(blob).map_err(misnamed)?;
            self.blobs.insert(blob.digest.clone(), blob);
        }
        let children = content.manifests.iter().map(|child| child.digest.parse());
        let children = children.collect::<Result<_, _>>().map_err(misnamed)?;
        let is_index = content.config.is_none() && content.layers.is_empty();
        if is_index {
            self.indexes.push(manifest);
        } else {
            self.images.push(manifest);
        }
        Ok(children)
    }
}
