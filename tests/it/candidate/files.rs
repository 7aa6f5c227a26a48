//! Images as files: archives and layouts, as other tools write them.

use std::fs;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use ghcr_double::Double;
use serde_json::{Value, json};

use super::images::{INDEX, Image, MANIFEST};

/// The files of an image by their paths.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

/// The digest that an image has, and its files in a layout.
pub(crate) struct Stored {
    pub(crate) digest: String,
    blobs: Files,
    entry: Value,
}

impl Stored {
    /// An image of one platform, under a name.
    pub(crate) fn image(image: &Image, name: &str) -> Self {
        let double = Double::builder().start().unwrap();
        let put = image.put(&double, "any");
        let mut blobs = vec![blob(&put.digest, put.manifest.as_bytes())];
        let config = image.config().to_string();
        blobs.push(blob(
            &double.put_blob("any", config.clone()),
            config.as_bytes(),
        ));
        let layers = put.layers.iter().zip(image.layers());
        blobs.extend(layers.map(|(digest, layer)| blob(digest, layer)));
        let size = put.manifest.len();
        let mut entry = json!({ "mediaType": MANIFEST, "digest": put.digest, "size": size });
        if !name.is_empty() {
            entry["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        }
        Self {
            digest: put.digest,
            blobs,
            entry,
        }
    }
}

fn blob(digest: &str, bytes: &[u8]) -> (String, Vec<u8>) {
    (digest.replace("sha256:", "blobs/sha256/"), bytes.to_vec())
}

/// The layout of several images.
pub(crate) fn layout(images: &[&Stored]) -> Files {
    let entries: Vec<&Value> = images.iter().map(|image| &image.entry).collect();
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
    let mut files: Files = vec![
        (
            "oci-layout".to_owned(),
            br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
        ),
        ("index.json".to_owned(), index.to_string().into_bytes()),
    ];
    for (path, bytes) in images.iter().flat_map(|image| image.blobs.clone()) {
        if files.iter().all(|(other, _)| *other != path) {
            files.push((path, bytes));
        }
    }
    files
}

/// What `docker save` wrote before there were layouts.
pub(crate) fn saved(architecture: &str, tag: &str) -> Files {
    let double = Double::builder().start().unwrap();
    let layer = vec![7; 10_000];
    let diff_id = double.put_blob("any", layer.clone());
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [diff_id] },
    });
    let manifest =
        json!([{ "Config": "config.json", "RepoTags": [tag], "Layers": ["a/layer.tar"] }]);
    vec![
        ("a/layer.tar".to_owned(), layer),
        ("config.json".to_owned(), config.to_string().into_bytes()),
        (
            "manifest.json".to_owned(),
            manifest.to_string().into_bytes(),
        ),
    ]
}

pub(crate) fn tar(files: &Files) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, path, &**bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn write(directory: &Path, files: &Files) {
    for (path, bytes) in files {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}
