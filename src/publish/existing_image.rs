//! An image that exists, with the sources that it is copied from.

use std::fmt;

use anyhow::Context as _;

use crate::deadline::{Deadline, Pace};
use crate::docker::images::LocalImage;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::platform::is_same;
use crate::image::tag::Tag;
use crate::publish::attest::Attestation;
use crate::publish::preflight::Registries;
use crate::registry::copy_source::CopySource;
use crate::session::Session;

/// An image that is about to be published.
pub(super) struct ExistingImage {
    /// Where it is copied from: one source, or those whose platforms the index `root` has.
    pub(super) parts: Vec<Part>,
    pub(super) root: Manifest,
    /// The commit it is of; else why that is not known.
    pub(super) commit: Result<String, String>,
    /// Its build provenance, if it was required.
    pub(super) attestation: Option<Attestation>,
    /// The versions that show it already.
    pub(super) release: Vec<(ImageName, Tag)>,
}

/// What is copied from one source.
pub(super) struct Part {
    pub(super) source: ImageSource,
    /// The manifests to copy, with all below them.
    pub(super) manifests: Vec<Manifest>,
    /// What messages call it.
    pub(super) title: String,
}

/// Where an image was found.
pub(super) enum ImageSource {
    Registry(ImageName),
    Engine(LocalImage),
    /// An archive or layout of the workspace.
    File(LocalImage),
    /// It was built a moment ago, for us to push.
    Build(LocalImage),
}

impl ExistingImage {
    /// An image of one source.
    pub(super) fn new(source: ImageSource, root: Manifest, commit: Result<String, String>) -> Self {
        let title = source.title(&root);
        let part = Part {
            source,
            manifests: vec![root.clone()],
            title,
        };
        Self {
            parts: vec![part],
            root,
            commit,
            attestation: None,
            release: Vec::new(),
        }
    }

    /// Whether the manifest `root` is in no source.
    pub(super) fn is_merged(&self) -> bool {
        self.parts.len() > 1
    }

    /// The requested platforms that the image lacks, and those that it has; nothing when it has all.
    pub(super) async fn missing_platforms(
        &self,
        session: &Session,
        registries: &Registries,
    ) -> anyhow::Result<Option<(Vec<String>, Vec<String>)>> {
        let requested = &session.inputs.build.parameters.platforms;
        if requested.is_empty() {
            return Ok(None);
        }
        let deadline = Deadline::after(session.inputs.push_timeout, Pace::REAL);
        // An index that was merged says it itself.
        let source = self.parts[0].source(registries, deadline);
        let there = source.platforms(&self.root).await;
        let there = there.with_context(|| format!("cannot read `{self}`"))?;
        let is_there = |one: &String| there.iter().any(|there| is_same(there, one));
        let missing = requested.iter().filter(|one| !is_there(one));
        let missing: Vec<String> = missing.cloned().collect();
        Ok((!missing.is_empty()).then_some((missing, there)))
    }

    pub(super) fn is_build(&self) -> bool {
        let mut parts = self.parts.iter();
        parts.any(|part| matches!(part.source, ImageSource::Build(_)))
    }
}

impl Part {
    /// Where its manifests and blobs are read.
    pub(super) fn source<'a>(
        &'a self,
        registries: &'a Registries,
        deadline: Deadline,
    ) -> CopySource<'a> {
        match &self.source {
            ImageSource::Registry(name) => {
                let registry = &registries[name.registry()];
                CopySource::Repository(registry.read_only(name.repository(), deadline))
            }
            ImageSource::Engine(image) | ImageSource::File(image) | ImageSource::Build(image) => {
                CopySource::Layout(&image.layout)
            }
        }
    }

    /// The name it has in its registry, if it is in one.
    pub(super) fn name(&self) -> Option<&ImageName> {
        match &self.source {
            ImageSource::Registry(name) => Some(name),
            ImageSource::Engine(_) | ImageSource::File(_) | ImageSource::Build(_) => None,
        }
    }
}

impl ImageSource {
    fn title(&self, root: &Manifest) -> String {
        let digest = &root.digest;
        match self {
            Self::Registry(name) => format!("{name}@{digest}"),
            Self::Engine(image) => format!("{digest}, the engine's image {}", image.name),
            Self::File(image) if image.name.ends_with(digest.as_str()) => image.name.clone(),
            Self::File(image) => format!("{digest} of {}", image.name),
            Self::Build(image) => image.name.clone(),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)
    }
}

impl fmt::Display for ExistingImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles: Vec<&str> = self.parts.iter().map(|part| part.title.as_str()).collect();
        f.write_str(&titles.join(" and "))
    }
}
