//! Layouts in directories: what is there, what is missing, what does not match.

use std::fs;

use super::*;
use serde_json::json;
use tempfile::TempDir;

pub(crate) const LAYERS: usize = 1;

/// A layout to be filled.
pub(crate) struct Fixture {
    pub(crate) layout: OciLayout,
    pub(crate) directory: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("blobs/sha256")).unwrap();
        let layout = OciLayout::new(directory.path().to_owned(), "the image".to_owned());
        Self { layout, directory }
    }

    pub(crate) fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        fs::write(self.directory.path().join(path(&digest)), bytes).unwrap();
        digest
    }

    /// A manifest among the blobs.
    pub(crate) fn manifest(&self, media_type: &str, content: &Value) -> Manifest {
        let manifest = Manifest::new(media_type, content.to_string().into_bytes());
        self.blob(&manifest.bytes);
        manifest
    }

    /// The manifest of an image of its own; the layout has its blobs only when they were pulled.
    pub(crate) fn image(&self, number: usize, pulled: bool) -> Manifest {
        let (config, layer) = (format!("config {number}"), format!("layer {number}"));
        let manifest = json!({
            "mediaType": OCI_MANIFEST,
            "config": { "digest": Digest::of(config.as_bytes()).as_str(), "size": config.len() },
            "layers": [{ "digest": Digest::of(layer.as_bytes()).as_str(), "size": layer.len() }],
        });
        if pulled {
            self.blob(config.as_bytes());
            self.blob(layer.as_bytes());
        }
        self.manifest(OCI_MANIFEST, &manifest)
    }

    /// Makes the index the image of the layout.
    pub(crate) fn index(&self, content: &Value) -> Manifest {
        let index = self.manifest(OCI_INDEX, content);
        let root = json!({ "mediaType": OCI_INDEX, "digest": index.digest.as_str(), "size": 1 });
        let roots = json!({ "schemaVersion": 2, "manifests": [root] });
        fs::write(self.directory.path().join("index.json"), roots.to_string()).unwrap();
        index
    }
}

#[test]
fn media_type_follows_from_content_if_missing() {
    let fixture = Fixture::new();
    for (content, media_type) in [
        (json!({ "manifests": [] }), OCI_INDEX),
        (json!({ "config": {}, "layers": [] }), OCI_MANIFEST),
        (json!({ "mediaType": "x" }), "x"),
    ] {
        let manifest = fixture.manifest("", &content);
        let read = fixture.layout.manifest(&manifest.digest).unwrap();
        assert_eq!(read.media_type, media_type);
    }
}

#[test]
fn content_that_does_not_match_digest_is_rejected() {
    let fixture = Fixture::new();
    let digest = fixture.blob(b"one");
    fs::write(fixture.directory.path().join(path(&digest)), "two").unwrap();
    let error = fixture.layout.small_blob(&digest).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("the image has content that does not match {digest}")
    );
}

/// An index of as many images, of which the layout has the first `there`.
#[track_caller]
fn check(images: usize, there: usize) -> (Fixture, Manifest, Present) {
    let mut fixture = Fixture::new();
    let children: Vec<Manifest> = (0..images)
        .map(|number| fixture.image(number, number < there))
        .collect();
    let index = json!({ "schemaVersion": 2, "manifests": children.iter().map(|child| json!({
        "mediaType": child.media_type, "digest": child.digest.as_str(), "size": child.bytes.len(),
    })).collect::<Vec<_>>() });
    let index = fixture.index(&index);
    let present = fixture.layout.present(&Choice::Only).unwrap();
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
    let mut fixture = Fixture::new();
    let child = fixture.image(0, false);
    fixture.index(&json!({ "manifests": [{ "digest": child.digest.as_str() }] }));
    let error = fixture
        .layout
        .present(&Choice::Only)
        .err()
        .unwrap()
        .to_string();
    assert_eq!(error, "the image has none of the images in its index");
}

#[test]
fn file_outside_of_the_root_is_not_read() {
    let mut fixture = Fixture::new();
    let outside = tempfile::NamedTempFile::new().unwrap();
    let index = fixture.directory.path().join("index.json");
    std::os::unix::fs::symlink(outside.path(), index).unwrap();
    let error = fixture.layout.present(&Choice::Only).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("which is outside the workspace"), "{error}");
}

#[test]
fn blob_chosen_by_digest_must_be_an_image() {
    let mut fixture = Fixture::new();
    let config = fixture.blob(br#"{"os":"linux","config":null}"#);
    let error = fixture.layout.present(&Choice::Digest(config.clone()));
    let expected = format!("the image has no image under {config}");
    assert_eq!(error.unwrap_err().to_string(), expected);
}
