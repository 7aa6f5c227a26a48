//! An image in a directory, in the OCI image layout
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>).

pub(crate) mod docker_archive;
pub(crate) mod partial;

use std::fmt;
use std::fs::{self, File};
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::image::digest::Digest;
use crate::image::manifest::{Content, Descriptor, Manifest};

/// A folder with `index.json` and `blobs/sha256/…`.
#[derive(Debug)]
pub(crate) struct OciLayout {
    folder: PathBuf,
    /// What messages call it, for example "the engine's image `widget:1`".
    title: String,
}

/// What a manifest says of its own kind.
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

impl OciLayout {
    pub(crate) fn new(folder: PathBuf, title: String) -> Self {
        Self { folder, title }
    }

    /// What `index.json` names.
    pub(crate) fn roots(&self) -> Result<Vec<Descriptor>, LayoutError> {
        let bytes = self.read(&self.folder.join("index.json"))?;
        let index: Content = serde_json::from_slice(&bytes)
            .map_err(|error| self.broken(format!("has an index that cannot be read: {error}")))?;
        Ok(index.manifests)
    }

    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.path(digest).is_file()
    }

    pub(crate) fn manifest(&self, digest: &Digest) -> Result<Manifest, LayoutError> {
        let bytes = self.small_blob(digest)?;
        let kind: Kind = serde_json::from_slice(&bytes).map_err(|error| {
            self.broken(format!(
                "has a manifest {digest} that cannot be read: {error}"
            ))
        })?;
        let media_type = match kind.media_type.as_str() {
            "" => self.media_type_in_index(digest)?,
            said => said.to_owned(),
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
        self.folder.join("blobs/sha256").join(digest.hex())
    }

    /// Writes a manifest into the layout.
    pub(crate) fn add_manifest(
        &self,
        media_type: &str,
        content: &Value,
    ) -> Result<Manifest, LayoutError> {
        let bytes = content.to_string().into_bytes();
        let digest = Digest::of(&bytes);
        let written = self.add_bytes(&digest, &bytes);
        written.map_err(|error| self.broken(format!("cannot be added to: {error}")))?;
        Ok(Manifest {
            media_type: media_type.to_owned(),
            digest,
            bytes,
        })
    }

    /// What is there already may not be writable.
    fn add_bytes(&self, digest: &Digest, bytes: &[u8]) -> std::io::Result<()> {
        self.blobs()?;
        if self.has(digest) {
            return Ok(());
        }
        fs::write(self.path(digest), bytes)
    }

    /// The folder of the blobs, made if need be.
    fn blobs(&self) -> std::io::Result<PathBuf> {
        let blobs = self.folder.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        Ok(blobs)
    }

    pub(crate) fn broken(&self, what: String) -> LayoutError {
        LayoutError {
            title: self.title.clone(),
            what,
        }
    }

    fn read(&self, path: &std::path::Path) -> Result<Vec<u8>, LayoutError> {
        fs::read(path).map_err(|error| {
            let name = path.strip_prefix(&self.folder).unwrap_or(path).display();
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
        _folder: TempDir,
    }

    impl Fixture {
        pub(crate) fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let layout = OciLayout::new(folder.path().to_owned(), "the image".to_owned());
            Self {
                layout,
                _folder: folder,
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
            fs::write(self.layout.folder.join("index.json"), roots.to_string()).unwrap();
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
}
