//! Compares the image with the one that a tag shows before the first tag of the plan moves.

mod growth;

use std::time::Duration;

use futures_util::future::try_join;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::error::Problem;
use crate::image::changes::{self, PlatformChange, PlatformContents};
use crate::image::contents::Contents;
use crate::image::digest::Digest;
use crate::image::manifest::{Content, Descriptor, Manifest, Platform};
use crate::image::name::ImageName;
use crate::inputs::candidate::{Reference, TagOrDigest};
use crate::plan::compare::Compared;
use crate::publish::move_tags::TagUpdate;
use crate::publish::preflight::{Registries, subject};
use crate::registry::copy_source::CopySource;
use crate::registry::error::RegistryError;
use crate::registry::explain::explain_read;
use crate::registry::{PARALLEL, Repository};
use crate::session::Session;

pub(super) use growth::check;
pub(crate) use growth::{difference_text, size_text};

/// Without `max-growth`, a comparison is not worth a longer wait.
const SHORT: Duration = Duration::from_secs(10);
/// An image of more platforms is not compared, nor one whose manifest and config are larger.
const MAX_PLATFORMS: usize = 64;
const MAX_BYTES: usize = 1 << 20;
const AGAIN: &str = "run the job again when the registry responds";

/// What changed since another image.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    /// The image of before, as it was asked for.
    pub(crate) with: Reference,
    /// The name of the image as people see it: its tag, or the whole reference if it has another name.
    pub(crate) since: String,
    pub(crate) before: Digest,
    pub(crate) after: Digest,
    pub(crate) platforms: Vec<PlatformChange>,
}

/// Why there is no comparison.
#[derive(Debug)]
pub(super) enum Missing {
    NotAsked,
    /// No image is there; in words.
    Nothing(String),
    /// What was asked has no answer.
    Unread(Problem),
}

/// The image of before.
pub(super) struct Baseline<'a> {
    with: Reference,
    root: Manifest,
    source: CopySource<'a>,
}

/// What is compared, and where the answers are.
#[derive(Clone, Copy)]
pub(super) struct Comparer<'a> {
    session: &'a Session,
    registries: &'a Registries,
    /// Of the first image name that was pushed.
    update: &'a TagUpdate<'a>,
}

impl<'a> Comparer<'a> {
    pub(super) fn new(
        session: &'a Session,
        registries: &'a Registries,
        update: &'a TagUpdate<'a>,
    ) -> Self {
        Self {
            session,
            registries,
            update,
        }
    }

    /// Reads what the tag shows: one request for each tag that is tried. It depends on nothing that was pushed, and has to
    /// end before the first tag of the plan is written.
    pub(super) async fn baseline(self) -> Result<Baseline<'a>, Missing> {
        self.in_time(self.find()).await
    }

    async fn find(self) -> Result<Baseline<'a>, Missing> {
        if !self.update.image.release.shown.is_empty() {
            // It is published already, and other images may follow it.
            return Err(Missing::NotAsked);
        }
        let compared = &self.session.plan.compared;
        if compared.is_nothing() {
            return Err(match self.session.inputs.compare.with {
                Some(_) => Missing::NotAsked,
                None => Missing::Nothing(
                    "the plan has no floating tag, and `compare-with` is not set".to_owned(),
                ),
            });
        }
        let (name, versions) = match compared {
            Compared::At(reference) => (&reference.name, vec![reference.version.clone()]),
            Compared::First(tags) => {
                let tags = tags.iter().cloned();
                (self.name(), tags.map(TagOrDigest::Tag).collect())
            }
        };
        let repository = self.repository(name)?;
        let mut tried = Vec::new();
        for version in versions {
            let name = name.clone();
            let with = Reference { name, version };
            let root = self.shown(repository, &with).await;
            if let Some(root) = root.map_err(|error| self.unread(&with, &error))? {
                let source = CopySource::Repository(repository);
                return Ok(Baseline { with, root, source });
            }
            tried.push(format!("`{with}`"));
        }
        let verb = if tried.len() == 1 { "does" } else { "do" };
        let text = format!("{} {verb} not exist", tried.join(", "));
        Err(Missing::Nothing(text))
    }

    /// The manifest under a tag or digest, if it exists.
    async fn shown(
        self,
        repository: Repository<'_>,
        with: &Reference,
    ) -> Result<Option<Manifest>, RegistryError> {
        let read = match &with.version {
            TagOrDigest::Tag(tag) if with.name == *self.name() => {
                let read = self.update.reads.read(tag, repository).await?;
                return Ok(read.shown.map(|shown| shown.manifest));
            }
            TagOrDigest::Tag(tag) => return repository.manifest_of(tag).await,
            TagOrDigest::Digest(digest) => CopySource::Repository(repository).manifest(digest),
        };
        match read.await {
            Ok(manifest) => Ok(Some(manifest)),
            Err(RegistryError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn compare(self) -> Result<Comparison, Missing> {
        self.comparison(self.baseline().await).await
    }

    /// What changed since the image of before. Reads manifest and config of each platform, as far as the run has not read
    /// the same.
    pub(super) async fn comparison(
        self,
        baseline: Result<Baseline<'_>, Missing>,
    ) -> Result<Comparison, Missing> {
        self.in_time(self.compared(baseline?)).await
    }

    async fn compared(
        self,
        Baseline { with, root, source }: Baseline<'_>,
    ) -> Result<Comparison, Missing> {
        let read = try_join(platforms(source, &root), self.own_platforms()).await;
        let (before, after) = read.map_err(|error| self.unread(&with, &error))?;
        let platforms = changes::between(&before, &after);
        if platforms.iter().all(|change| change.sizes().is_none()) {
            let text = format!("`{with}` has no platform of the new image");
            return Err(Missing::Nothing(text));
        }
        Ok(Comparison {
            since: match &with.version {
                TagOrDigest::Tag(tag) if with.name == *self.name() => tag.to_string(),
                _ => with.to_string(),
            },
            with,
            before: root.digest,
            after: self.update.image.digest.clone(),
            platforms,
        })
    }

    /// The platforms of the image that was pushed.
    async fn own_platforms(self) -> Result<Vec<PlatformContents>, RegistryError> {
        let repository = self.within(self.update.repository).reading_once();
        let (digest, tag) = (&self.update.image.digest, &self.session.plan.primary);
        let root = repository.pushed(digest, tag).await?;
        let source = CopySource::Repository(repository);
        platforms(source.just_pushed(), &root).await
    }

    fn name(self) -> &'a ImageName {
        &self.update.subject.name
    }

    fn repository(self, name: &'a ImageName) -> Result<Repository<'a>, Missing> {
        let Some(registry) = self.registries.get(name.registry()) else {
            let what = format!("cannot compare the image with one of `{name}`");
            let because = format!("`{}` is down", name.registry());
            let problem = Problem::new(what, AGAIN).because(because);
            return Err(Missing::Unread(problem));
        };
        let deadline = self.update.repository.deadline;
        let repository = match name == self.name() {
            true => self.update.repository,
            false => registry.read_only(name.repository(), deadline),
        };
        Ok(self.within(repository).reading_once())
    }

    /// What `reads` give: without `max-growth`, a registry that takes longer is not waited for.
    async fn in_time<T>(
        self,
        reads: impl Future<Output = Result<T, Missing>>,
    ) -> Result<T, Missing> {
        if self.session.plan.max_growth.is_some() {
            return reads.await;
        }
        let in_time = self.update.repository.pace().timeout(SHORT, reads).await;
        in_time.unwrap_or_else(|_elapsed| {
            let what = format!(
                "cannot compare the image with {}",
                self.session.plan.compared
            );
            let seconds = SHORT.as_secs();
            let because = format!("no answer within {seconds} seconds");
            Err(Missing::Unread(Problem::new(what, AGAIN).because(because)))
        })
    }

    /// The repository with the time that the comparison may take.
    fn within<'r>(self, repository: Repository<'r>) -> Repository<'r> {
        match self.session.plan.max_growth {
            Some(_) => repository,
            None => repository.at_most(SHORT),
        }
    }

    fn unread(self, with: &Reference, error: &RegistryError) -> Missing {
        let what = format!("cannot compare the image with `{with}`");
        let problem = match error.is_transient() {
            true => Problem::new(what, AGAIN).because(error.to_string()),
            false => explain_read(&what, &subject(self.session, &with.name), error),
        };
        Missing::Unread(problem)
    }
}

/// The platforms of an image or index.
async fn platforms(
    source: CopySource<'_>,
    root: &Manifest,
) -> Result<Vec<PlatformContents>, RegistryError> {
    let content = content(source, root)?;
    if content.manifests.is_empty() {
        let image = image(source, root, &content, None).await?;
        return Ok(image.into_iter().collect());
    }
    let children = content.manifests.iter();
    let named = children.filter_map(|child| Some((child.platform.as_ref()?.name()?, child)));
    let images: Vec<(String, &Descriptor)> = named.collect();
    if images.len() > MAX_PLATFORMS {
        let what = format!("holds an index of more than {MAX_PLATFORMS} platforms");
        return Err(source.invalid(what));
    }
    let images = images.into_iter();
    let images = images.map(|(platform, child)| child_image(source, child, platform));
    let images: Vec<Option<PlatformContents>> = stream::iter(images)
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    let images = images.into_iter().flatten();
    let images = images.map(|(name, image)| (name, image.below(&content.annotations)));
    Ok(images.collect())
}

/// A platform of an index; nothing for an index.
async fn child_image(
    source: CopySource<'_>,
    child: &Descriptor,
    platform: String,
) -> Result<Option<PlatformContents>, RegistryError> {
    let manifest = source.manifest(&parsed(source, child)?).await?;
    let content = content(source, &manifest)?;
    match content.manifests.is_empty() {
        true => image(source, &manifest, &content, Some(platform)).await,
        false => Ok(None),
    }
}

/// An image, whose config names the platform unless an index does.
async fn image(
    source: CopySource<'_>,
    manifest: &Manifest,
    content: &Content,
    platform: Option<String>,
) -> Result<Option<PlatformContents>, RegistryError> {
    let Some(config) = &content.config else {
        return Ok(None);
    };
    let config = source.small_blob(&parsed(source, config)?).await?;
    if manifest.bytes.len() + config.len() > MAX_BYTES {
        let what = format!(
            "holds an image {} with a large manifest and config",
            manifest.digest
        );
        return Err(source.invalid(what));
    }
    let of_config = || serde_json::from_slice::<Platform>(&config).ok()?.name();
    let platform = platform.or_else(of_config);
    Ok(platform.map(|name| (name, Contents::new(&manifest.digest, content, &config))))
}

fn content(source: CopySource<'_>, manifest: &Manifest) -> Result<Content, RegistryError> {
    let digest = &manifest.digest;
    let invalid = |error| format!("holds a manifest {digest} that cannot be read: {error}");
    manifest
        .content()
        .map_err(|error| source.invalid(invalid(error)))
}

fn parsed(source: CopySource<'_>, descriptor: &Descriptor) -> Result<Digest, RegistryError> {
    let digest = descriptor.digest.parse();
    digest.map_err(|problem| source.invalid(format!("holds a manifest in which {problem}")))
}
