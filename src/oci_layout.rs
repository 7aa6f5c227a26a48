//! An image in a directory, in the OCI image layout
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>).

pub(crate) mod docker_archive;

use std::fmt;
use std::fs::{self, File};
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::image::digest::Digest;
use crate::image::manifest::{Content, Descriptor, Manifest};

/// A directory with `index.json` and `blobs/sha256/…`.
#[derive(Debug)]
pub(crate) struct OciLayout {
    directory: PathBuf,
    /// What messages call it, for example "the engine's image `widget:1`".
    title: String,
}

/// The media type that a manifest has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    #[serde(default)]
    media_type: String,
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
pub(crate) struct Present {
    pub(crate) root: Manifest,
    /// The digests an index names and the layout does not have; then `root` is not what the engine shows.
    pub(crate) left_out: usize,
}

impl OciLayout {
    pub(crate) fn new(directory: PathBuf, title: String) -> Self {
        Self { directory, title }
    }

    /// What `index.json` names.
    pub(crate) fn roots(&self) -> Result<Vec<Descriptor>, LayoutError> {
        let bytes = self.read(&self.directory.join("index.json"))?;
        let index: Content = serde_json::from_slice(&bytes)
            .map_err(|error| self.broken(format!("has an index that cannot be read: {error}")))?;
        Ok(index.manifests)
    }

    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.path(digest).is_file()
    }

    pub(crate) fn manifest(&self, digest: &Digest) -> Result<Manifest, LayoutError> {
        let bytes = self.small_blob(digest)?;
        let kind = serde_json::from_slice(&bytes);
        let kind: Kind = kind.map_err(|error| self.unread(digest, &error))?;
        let media_type = match kind.media_type.as_str() {
            "" => self.media_type_in_index(digest)?,
            media_type => media_type.to_owned(),
        };
        Ok(Manifest {
            media_type,
            digest: digest.clone(),
            bytes,
        })
    }

    fn media_type_in_index(&self, digest: &Digest) -> Result<String, LayoutError> {
        let mut roots = self.roots()?.into_iter();
        let root = roots.find(|root| root.digest == digest.as_str());
        root.map(|root| root.media_type)
            .ok_or_else(|| self.broken(format!("has no media type for {digest}")))
    }

    pub(crate) fn small_blob(&self, digest: &Digest) -> Result<Vec<u8>, LayoutError> {
        let bytes = self.read(&self.path(digest))?;
        if Digest::of(&bytes) != *digest {
            return Err(self.broken(format!("has content that does not match {digest}")));
        }
        Ok(bytes)
    }

    pub(crate) fn file(&self, digest: &Digest) -> Result<File, LayoutError> {
        File::open(self.path(digest))
            .map_err(|error| self.broken(format!("has no readable blob {digest}: {error}")))
    }

    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        self.directory.join("blobs/sha256").join(digest.hex())
    }

    /// Writes a manifest into the layout.
    pub(crate) fn add_manifest(
        &self,
        media_type: &str,
        content: &Value,
    ) -> Result<Manifest, LayoutError> {
        let manifest = Manifest::new(media_type, content.to_string().into_bytes());
        let written = self.add_bytes(&manifest.digest, &manifest.bytes);
        written.map_err(|error| self.broken(format!("cannot be added to: {error}")))?;
        Ok(manifest)
    }

    /// What is there already may not be writable.
    fn add_bytes(&self, digest: &Digest, bytes: &[u8]) -> std::io::Result<()> {
        self.blobs()?;
        if self.has(digest) {
            return Ok(());
        }
        fs::write(self.path(digest), bytes)
    }

    /// The directory of the blobs, made if need be.
    fn blobs(&self) -> std::io::Result<PathBuf> {
        let blobs = self.directory.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        Ok(blobs)
    }

    /// The image of the layout. What an index names and the layout does not hold is left out; when one
    /// image remains, that is the image.
    pub(crate) fn present(&self) -> Result<Present, LayoutError> {
        let root = self.manifest(&self.root()?)?;
        let content = self.content(&root)?;
        if content.manifests.is_empty() {
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
            [] => return Err(self.broken("has none of the images in its index".to_owned())),
            [only] => self.manifest(&self.named(only)?)?,
            several => self.reduced(&root, several)?,
        };
        Ok(Present { root, left_out })
    }

    /// The one image of `index.json`, under however many names.
    fn root(&self) -> Result<Digest, LayoutError> {
        let roots = self.roots()?;
        let Some(first) = roots.first() else {
            return Err(self.broken("has no image".to_owned()));
        };
        if roots.iter().any(|root| root.digest != first.digest) {
            return Err(self.broken("has several images".to_owned()));
        }
        self.named(&first.digest)
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

    /// An index of those children alone, written into the layout.
    fn reduced(&self, index: &Manifest, there: &[String]) -> Result<Manifest, LayoutError> {
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

    fn read(&self, path: &std::path::Path) -> Result<Vec<u8>, LayoutError> {
        fs::read(path).map_err(|error| {
            let name = path.strip_prefix(&self.directory).unwrap_or(path).display();
            self.broken(format!("has no readable `{name}`: {error}"))
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;
    use tempfile::TempDir;

    pub(crate) const LAYERS: usize = 1;

    /// A layout to be filled.
    pub(crate) struct Fixture {
        pub(crate) layout: OciLayout,
        _directory: TempDir,
    }

    impl Fixture {
        pub(crate) fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let layout = OciLayout::new(directory.path().to_owned(), "the image".to_owned());
            Self {
                layout,
                _directory: directory,
            }
        }

        pub(crate) fn blob(&self, bytes: &[u8]) -> Digest {
            let digest = Digest::of(bytes);
            self.layout.blobs().unwrap();
            fs::write(self.layout.path(&digest), bytes).unwrap();
            digest
        }

        /// The manifest of an image of its own; the layout has its blobs only when they were pulled.
        pub(crate) fn image(&self, number: usize, pulled: bool) -> Manifest {
            let (config, layer) = (format!("config {number}"), format!("layer {number}"));
            let manifest = json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": { "digest": Digest::of(config.as_bytes()).as_str(), "size": config.len() },
                "layers": [{ "digest": Digest::of(layer.as_bytes()).as_str(), "size": layer.len() }],
            });
            if pulled {
                self.blob(config.as_bytes());
                self.blob(layer.as_bytes());
            }
            self.layout
                .add_manifest("application/vnd.oci.image.manifest.v1+json", &manifest)
                .unwrap()
        }

        /// Makes the index the image of the layout.
        pub(crate) fn index(&self, content: &Value) -> Manifest {
            let media_type = "application/vnd.oci.image.index.v1+json";
            let index = self.layout.add_manifest(media_type, content).unwrap();
            let root =
                json!({ "mediaType": media_type, "digest": index.digest.as_str(), "size": 1 });
            let roots = json!({ "schemaVersion": 2, "manifests": [root] });
            fs::write(self.layout.directory.join("index.json"), roots.to_string()).unwrap();
            index
        }
    }

    #[test]
    fn media_type_falls_back_to_index() {
        let fixture = Fixture::new();
        let index = fixture.index(&json!({ "manifests": [] }));
        let read = fixture.layout.manifest(&index.digest).unwrap();
        assert_eq!(read.media_type, "application/vnd.oci.image.index.v1+json");
    }

    #[test]
    fn content_that_does_not_match_digest_is_rejected() {
        let fixture = Fixture::new();
        let digest = fixture.blob(b"one");
        fs::write(fixture.layout.path(&digest), "two").unwrap();
        let error = fixture.layout.small_blob(&digest).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("the image has content that does not match {digest}")
        );
    }

    /// An index of as many images, of which the layout has the first `there`.
    #[track_caller]
    fn check(images: usize, there: usize) -> (Fixture, Manifest, Present) {
        let fixture = Fixture::new();
        let children: Vec<Manifest> = (0..images)
            .map(|number| fixture.image(number, number < there))
            .collect();
        let index = json!({ "schemaVersion": 2, "manifests": children.iter().map(|child| json!({
            "mediaType": child.media_type, "digest": child.digest.as_str(), "size": child.bytes.len(),
        })).collect::<Vec<_>>() });
        let index = fixture.index(&index);
        let present = fixture.layout.present().unwrap();
        (fixture, index, present)
    }

    #[test]
    fn complete_index_is_unchanged() {
        let (_world, index, present) = check(2, 2);
        assert_eq!((present.root.digest, present.left_out), (index.digest, 0));
    }

    #[test]
    fn single_available_image_replaces_index() {
        let (fixture, _index, present) = check(3, 1);
        assert_eq!(present.left_out, 2);
        assert_eq!(present.root.digest, fixture.image(0, true).digest);
        assert_eq!(present.root.content().unwrap().layers.len(), LAYERS);
    }

    #[test]
    fn available_images_become_a_new_index() {
        let (fixture, index, present) = check(3, 2);
        assert_eq!(present.left_out, 1);
        assert_ne!(present.root.digest, index.digest);
        let content = present.root.content().unwrap();
        let digests: Vec<String> = content
            .manifests
            .into_iter()
            .map(|one| one.digest)
            .collect();
        let expected = [0, 1].map(|number| fixture.image(number, true).digest.to_string());
        assert_eq!(digests, expected);
    }

    #[test]
    fn index_without_available_images_is_an_error() {
        let fixture = Fixture::new();
        let child = fixture.image(0, false);
        fixture.index(&json!({ "manifests": [{ "digest": child.digest.as_str() }] }));
        let error = fixture.layout.present().err().unwrap().to_string();
        assert_eq!(error, "the image has none of the images in its index");
    }
}
