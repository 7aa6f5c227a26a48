//! Compares the image with the one that a tag shows before the first tag of the plan moves.

mod growth;

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::deadline::Deadline;
use crate::error::Problem;
use crate::image::changes::{self, PlatformChange, PlatformContents};
use crate::image::contents::Contents;
use crate::image::digest::Digest;
use crate::image::manifest::{Content, Descriptor, Manifest, Platform};
use crate::image::name::ImageName;
use crate::inputs::candidate::{Reference, TagOrDigest};
use crate::plan::compare::Compared;
use crate::publish::PushedImage;
use crate::publish::preflight::{Registries, subject};
use crate::registry::copy_source::CopySource;
use crate::registry::error::RegistryError;
use crate::registry::explain::explain_read;
use crate::registry::verify::{MAX_KEPT, PlatformImage, Verified};
use crate::registry::{PARALLEL, Repository};
use crate::session::Session;

pub(crate) use growth::{difference_text, size_text};

/// Without `max-growth`, a comparison is not worth a longer wait.
const SHORT: Duration = Duration::from_secs(10);
const AGAIN: &str = "run the job again when the registry responds: the build is cached";

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
    name: &'a ImageName,
    deadline: Deadline,
}

impl<'a> Comparer<'a> {
    /// `name` is the first image name that was pushed.
    pub(super) fn new(
        session: &'a Session,
        registries: &'a Registries,
        name: &'a ImageName,
        deadline: Deadline,
    ) -> Self {
        Self {
            session,
            registries,
            name,
            deadline,
        }
    }

    /// Reads what the tag shows: one request for each tag that is tried. It depends on nothing that was pushed, and has to
    /// end before the first tag of the plan is written.
    pub(super) async fn baseline(self, image: &PushedImage<'_>) -> Result<Baseline<'a>, Missing> {
        if !image.release.shown.is_empty() {
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
                (self.name, tags.map(TagOrDigest::Tag).collect())
            }
        };
        let repository = self.repository(name)?;
        let mut tried = Vec::new();
        for version in versions {
            let name = name.clone();
            let with = Reference { name, version };
            let root = shown(repository, &with.version).await;
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

    /// What changed since the image of before. Reads manifest and config of each platform, as far as the image of this run
    /// does not have the same.
    pub(super) async fn comparison(
        self,
        baseline: Result<Baseline<'_>, Missing>,
        verified: Option<&Verified>,
    ) -> Result<Comparison, Missing> {
        let Baseline { with, root, source } = baseline?;
        let Some(verified) = verified else {
            return Err(Missing::NotAsked);
        };
        let after = self.contents(&with, verified)?;
        let before = match root.digest == verified.manifest.digest {
            true => after.clone(),
            false => {
                let before = platforms(source, &root, &after).await;
                before.map_err(|error| self.unread(&with, &error))?
            }
        };
        let platforms = changes::between(&before, &after);
        if platforms.iter().all(|change| change.sizes().is_none()) {
            let text = format!("`{with}` has no platform of the new image");
            return Err(Missing::Nothing(text));
        }
        Ok(Comparison {
            since: match &with.version {
                TagOrDigest::Tag(tag) if with.name == *self.name => tag.to_string(),
                _ => with.to_string(),
            },
            with,
            before: root.digest,
            after: verified.manifest.digest.clone(),
            platforms,
        })
    }

    fn contents(
        self,
        with: &Reference,
        verified: &Verified,
    ) -> Result<Vec<PlatformContents>, Missing> {
        let of = |image: &PlatformImage| Some((image.platform.clone(), image.contents.clone()?));
        let contents: Option<Vec<_>> = verified.platforms.iter().map(of).collect();
        contents.ok_or_else(|| {
            let because = "its platforms or their manifests and configs are too many or too large";
            let fix = "publish a smaller image, or set `compare-with: none` and no `max-growth`";
            Missing::Unread(Problem::new(cannot_compare(with), fix).because(because))
        })
    }

    fn repository(self, name: &'a ImageName) -> Result<Repository<'a>, Missing> {
        let Some(registry) = self.registries.get(name.registry()) else {
            let what = format!("cannot compare the image with one of `{name}`");
            let because = format!("`{}` is down", name.registry());
            let problem = Problem::new(what, AGAIN).because(because);
            return Err(Missing::Unread(problem));
        };
        let deadline = match self.session.plan.max_growth {
            Some(_) => self.deadline,
            None => self.deadline.at_most(SHORT),
        };
        Ok(match name == self.name {
            true => registry.repository(name.repository(), deadline),
            false => registry.read_only(name.repository(), deadline),
        })
    }

    fn unread(self, with: &Reference, error: &RegistryError) -> Missing {
        let what = cannot_compare(with);
        let problem = match error.is_transient() {
            true => Problem::new(what, AGAIN).because(error.to_string()),
            false => explain_read(&what, &subject(self.session, &with.name), error),
        };
        Missing::Unread(problem)
    }
}

fn cannot_compare(with: &Reference) -> String {
    format!("cannot compare the image with `{with}`")
}

/// The manifest under a tag or digest, if it exists.
async fn shown(
    repository: Repository<'_>,
    version: &TagOrDigest,
) -> Result<Option<Manifest>, RegistryError> {
    let read = match version {
        TagOrDigest::Tag(tag) => return repository.manifest_of(tag).await,
        TagOrDigest::Digest(digest) => CopySource::Repository(repository).manifest(digest).await,
    };
    match read {
        Ok(manifest) => Ok(Some(manifest)),
        Err(RegistryError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The platforms of an image or index; `known` are not asked for again.
async fn platforms(
    source: CopySource<'_>,
    root: &Manifest,
    known: &[PlatformContents],
) -> Result<Vec<PlatformContents>, RegistryError> {
    let content = content(source, root)?;
    if content.manifests.is_empty() {
        let image = image(source, &root.digest, &content, None, known).await?;
        return Ok(image.into_iter().collect());
    }
    let children = content.manifests.iter().take(MAX_KEPT);
    let children = children.map(|child| child_image(source, child, known));
    let children: Vec<Option<PlatformContents>> = stream::iter(children)
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    let images = children.into_iter().flatten();
    let images = images.map(|(name, image)| (name, image.below(&content.annotations)));
    Ok(images.collect())
}

/// A platform of an index; nothing for an attestation or an index.
async fn child_image(
    source: CopySource<'_>,
    child: &Descriptor,
    known: &[PlatformContents],
) -> Result<Option<PlatformContents>, RegistryError> {
    let Some(platform) = child.platform.as_ref().and_then(Platform::name) else {
        return Ok(None);
    };
    let digest = parsed(source, child)?;
    if let Some((_, same)) = known.iter().find(|(_, other)| other.digest == digest) {
        return Ok(Some((platform, same.clone())));
    }
    let manifest = source.manifest(&digest).await?;
    let content = content(source, &manifest)?;
    match content.manifests.is_empty() {
        true => image(source, &digest, &content, Some(platform), known).await,
        false => Ok(None),
    }
}

/// An image, whose config names the platform unless an index does.
async fn image(
    source: CopySource<'_>,
    digest: &Digest,
    content: &Content,
    platform: Option<String>,
    known: &[PlatformContents],
) -> Result<Option<PlatformContents>, RegistryError> {
    let Some(config) = &content.config else {
        return Ok(None);
    };
    let has_same = |other: &Contents| {
        let other = other.config.as_ref();
        other.is_some_and(|(digest, _)| *digest == config.digest)
    };
    if let Some((name, same)) = known.iter().find(|(_, other)| has_same(other)) {
        let image = same.with_manifest(digest, content);
        return Ok(Some((platform.unwrap_or_else(|| name.clone()), image)));
    }
    let config = source.small_blob(&parsed(source, config)?).await?;
    let of_config = || serde_json::from_slice::<Platform>(&config).ok()?.name();
    let platform = platform.or_else(of_config);
    Ok(platform.map(|name| (name, Contents::new(digest, content, &config))))
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
