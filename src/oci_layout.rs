//! An image in a directory or tar file, in the OCI image layout
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>).

pub(crate) mod archive;
mod choice;
pub(crate) mod docker_archive;
pub(crate) mod expand;
pub(crate) mod open;
pub(crate) mod section;

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::manifest::{Content, Descriptor, Manifest, OCI_INDEX, OCI_MANIFEST};
use crate::inputs::candidate::file::Choice;
use crate::oci_layout::archive::Archive;
use crate::oci_layout::choice::{Roots, choose};
use crate::oci_layout::section::Section;
use crate::workspace::Workspace;

/// `index.json` and `blobs/sha256/…`, in a directory or an archive, which never changes.
#[derive(Debug)]
pub(crate) struct OciLayout {
    files: Files,
    /// Blobs that were made from those in the files.
    added: BTreeMap<Digest, Section>,
    /// What messages call it, for example "the engine's image `widget:1`".
    title: String,
}

#[derive(Debug)]
enum Files {
    /// A directory, and the root that its links must not leave.
    Directory {
        directory: PathBuf,
        root: PathBuf,
    },
    Archive(Archive),
}

/// Bytes of a manifest, an index or an image config: what registries accept at most.
const MAX_SMALL_BYTES: u64 = 4 << 20;

/// The media type that a manifest has, and what tells its kind if it has none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    #[serde(default)]
    media_type: String,
    manifests: Option<serde::de::IgnoredAny>,
}

/// A layout that is not as the specification wants it.
#[derive(Debug)]
pub(crate) struct LayoutError {
    /// What the layout is, for example "the engine's export".
    pub(crate) title: String,
    pub(crate) what: String,
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.title, self.what)
    }
}

impl std::error::Error for LayoutError {}

/// An image as far as the layout has it.
#[derive(Debug)]
pub(crate) struct Present {
    pub(crate) root: Manifest,
    /// The digests an index names and the layout does not have; then `root` is not what the engine shows.
    pub(crate) left_out: usize,
}

impl OciLayout {
    /// A directory that only this program writes.
    pub(crate) fn new(directory: PathBuf, title: String) -> Self {
        Self::within(directory.clone(), directory, title)
    }

    /// A directory whose files all lie below `root`, with every link followed.
    pub(crate) fn within(root: PathBuf, directory: PathBuf, title: String) -> Self {
        Self {
            files: Files::Directory { directory, root },
            added: BTreeMap::new(),
            title,
        }
    }

    pub(crate) fn of_archive(archive: Archive, title: String) -> Self {
        Self {
            files: Files::Archive(archive),
            added: BTreeMap::new(),
            title,
        }
    }

    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.added.contains_key(digest) || self.has_file(&path(digest))
    }

    fn has_file(&self, path: &str) -> bool {
        match &self.files {
            Files::Directory { directory, .. } => directory.join(path).is_file(),
            Files::Archive(archive) => archive.has(path),
        }
    }

    pub(crate) fn manifest(&self, digest: &Digest) -> Result<Manifest, LayoutError> {
        let bytes = self.small_blob(digest)?;
        let kind = serde_json::from_slice(&bytes);
        let kind: Kind = kind.map_err(|error| self.unread(digest, &error))?;
        // Only OCI's media types may go without saying.
        let media_type = match (kind.media_type.as_str(), kind.manifests) {
            ("", Some(_)) => OCI_INDEX,
            ("", None) => OCI_MANIFEST,
            (media_type, _) => media_type,
        };
        Ok(Manifest {
            media_type: media_type.to_owned(),
            digest: digest.clone(),
            bytes,
        })
    }

    pub(crate) fn small_blob(&self, digest: &Digest) -> Result<Vec<u8>, LayoutError> {
        let bytes = self.small(&digest.to_string(), self.blob(digest)?)?;
        if Digest::of(&bytes) != *digest {
            return Err(self.broken(format!("has content that does not match {digest}")));
        }
        Ok(bytes)
    }

    /// The bytes of a blob, not hashed yet.
    pub(crate) fn blob(&self, digest: &Digest) -> Result<Section, LayoutError> {
        match self.added.get(digest) {
            Some(added) => Ok(added.clone()),
            None => self.file(&path(digest)),
        }
    }

    /// A file of the layout, or the one that it links to.
    fn file(&self, path: &str) -> Result<Section, LayoutError> {
        let unread = |why: String| self.broken(format!("has no readable `{path}`: {why}"));
        match &self.files {
            Files::Directory { directory, root } => {
                section(root, &directory.join(path)).map_err(unread)
            }
            Files::Archive(archive) => {
                let found = archive.section(path).map_err(|what| self.broken(what))?;
                found.ok_or_else(|| self.broken(format!("has no `{path}`")))
            }
        }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, LayoutError> {
        self.small(path, self.file(path)?)
    }

    /// All bytes of a section that is to be small.
    fn small(&self, name: &str, section: Section) -> Result<Vec<u8>, LayoutError> {
        if section.size() > MAX_SMALL_BYTES {
            let mebibytes = MAX_SMALL_BYTES >> 20;
            let what = format!("has `{name}` of more than {mebibytes} MiB, the maximum");
            return Err(self.broken(what));
        }
        let mut bytes = Vec::new();
        let read = section.reader().read_to_end(&mut bytes);
        read.map_err(|error| self.broken(format!("has no readable `{name}`: {error}")))?;
        Ok(bytes)
    }

    fn add_manifest(&mut self, media_type: &str, content: &Value) -> Manifest {
        let manifest = Manifest::new(media_type, content.to_string().into_bytes());
        self.add(
            manifest.digest.clone(),
            Section::in_memory(manifest.bytes.clone()),
        );
        manifest
    }

    fn add(&mut self, digest: Digest, section: Section) {
        self.added.insert(digest, section);
    }

    /// The chosen image. What an index names and the layout does not hold is left out; when one image remains, that is
    /// the image. Nothing is left out of an image that is chosen by its digest.
    pub(crate) fn present(&mut self, choice: &Choice) -> anyhow::Result<Present> {
        let root = self.manifest(&self.root(choice)?)?;
        let content = self.content(&root)?;
        if content.config.is_none() && content.manifests.is_empty() {
            let what = format!("has no image under {}", root.digest);
            return Err(self.broken(what).into());
        }
        if content.manifests.is_empty() || matches!(choice, Choice::Digest(_)) {
            return Ok(Present { root, left_out: 0 });
        }
        let mut there = Vec::new();
        for child in &content.manifests {
            if self.holds(child)? {
                there.push(child.digest.clone());
            }
        }
        let left_out = content.manifests.len() - there.len();
        let root = match there.as_slice() {
            _ if left_out == 0 => root,
            [] => {
                let what = "has none of the images in its index";
                return Err(self.broken(what.to_owned()).into());
            }
            [only] => self.manifest(&self.named(only)?)?,
            several => self.reduced(&root, several),
        };
        Ok(Present { root, left_out })
    }

    fn root(&self, choice: &Choice) -> anyhow::Result<Digest> {
        if let Choice::Digest(digest) = choice {
            let missing = || self.not_chosen(&format!("has no image {digest}"));
            return Ok(self
                .has(digest)
                .then(|| digest.clone())
                .ok_or_else(missing)?);
        }
        let roots = self.roots()?.named();
        let roots = roots.map_err(|what| self.broken(what))?;
        Ok(choose(roots, choice).map_err(|what| self.not_chosen(&what))?)
    }

    fn not_chosen(&self, what: &str) -> Problem {
        Problem::new(
            format!("{} {what}", self.title),
            "choose one of its images with `:name:tag`, `:@number` or `@sha256:…` after the path",
        )
    }

    /// What `index.json` names.
    fn roots(&self) -> Result<Roots, LayoutError> {
        let bytes = self.read("index.json")?;
        serde_json::from_slice(&bytes)
            .map_err(|error| self.broken(format!("has an index that cannot be read: {error}")))
    }

    /// Whether the manifest and everything it needs is there.
    fn holds(&self, child: &Descriptor) -> Result<bool, LayoutError> {
        let digest = self.named(&child.digest)?;
        if !self.has(&digest) {
            return Ok(false);
        }
        let content = self.content(&self.manifest(&digest)?)?;
        for part in content.blobs().chain(&content.manifests) {
            if !self.has(&self.named(&part.digest)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// An index of those children alone.
    fn reduced(&mut self, index: &Manifest, there: &[String]) -> Manifest {
        let mut content: Value = serde_json::from_slice(&index.bytes).unwrap_or_default();
        if let Some(children) = content["manifests"].as_array_mut() {
            let is_there = |child: &Value| there.iter().any(|digest| child["digest"] == **digest);
            children.retain(is_there);
        }
        self.add_manifest(&index.media_type, &content)
    }

    fn content(&self, manifest: &Manifest) -> Result<Content, LayoutError> {
        let content = manifest.content();
        content.map_err(|error| self.unread(&manifest.digest, &error))
    }

    fn unread(&self, digest: &Digest, error: &serde_json::Error) -> LayoutError {
        self.broken(format!(
            "has a manifest {digest} that cannot be read: {error}"
        ))
    }

    fn named(&self, digest: &str) -> Result<Digest, LayoutError> {
        digest
            .parse()
            .map_err(|problem| self.broken(format!("has an index in which {problem}")))
    }

    pub(crate) fn broken(&self, what: String) -> LayoutError {
        LayoutError {
            title: self.title.clone(),
            what,
        }
    }
}

fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// A file below `root`.
fn section(root: &Path, path: &Path) -> Result<Section, String> {
    if !path.exists() {
        return Err("no such file".to_owned());
    }
    let file = Workspace(root).file("candidate", &path.display().to_string());
    let file = file.map_err(|problem| problem.to_string())?;
    Section::of_file(file).map_err(|error| error.to_string())
}

#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod tests;
