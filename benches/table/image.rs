//! `Image`: how much a runner pulls of the image of the action, from the archive that the engine makes of it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::meter::Meter;
use crate::world::command;

/// Where the image has this program (see the Dockerfile).
const PROGRAM: &str = "ghcr-publish";
/// Manifests and configs are smaller.
const LARGEST_DOCUMENT: u64 = 1 << 20;

/// Sizes in bytes.
pub(crate) struct Image {
    /// All layers, as a registry sends them.
    pub(crate) layers: u64,
    /// The layer with this program.
    pub(crate) own_layer: u64,
    /// This program alone, static as it is in the image, after `gzip -9`.
    pub(crate) program: u64,
}

impl Image {
    /// `None` if the engine exports the layers unpacked, as those with a graph driver do.
    pub(crate) fn read(name: &str) -> Option<Self> {
        let archive = NamedTempFile::new().unwrap();
        let path = archive.path().display().to_string();
        Meter::default().run(command("docker").args(["save", "--output", &path, name]));
        let layers = layers(&documents(archive.path()))?;
        let own = layers
            .iter()
            .find_map(|layer| Some((layer.size, program(archive.path(), &layer.path)?)));
        let (own_layer, program) = own.expect("a layer of `IMAGE` has this program");
        Some(Self {
            layers: layers.iter().map(|layer| layer.size).sum(),
            own_layer,
            program: gzipped(program.path()),
        })
    }
}

struct Layer {
    path: String,
    size: u64,
}

/// The layers of the first image in the archive.
fn layers(documents: &HashMap<String, Value>) -> Option<Vec<Layer>> {
    let mut manifest = &documents["index.json"];
    while let Some(inner) = manifest["manifests"].as_array() {
        let blob = |descriptor| documents.get(&path(descriptor));
        manifest = inner
            .iter()
            .find_map(blob)
            .expect("an image is in the archive");
    }
    let layers = manifest["layers"].as_array().unwrap().iter();
    let layer = |layer: &Value| {
        let is_compressed = layer["mediaType"].as_str()?.ends_with("gzip");
        let size = layer["size"].as_u64()?;
        let path = path(layer);
        is_compressed.then_some(Layer { path, size })
    };
    layers.map(layer).collect()
}

/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md#blobs>
fn path(descriptor: &Value) -> String {
    let digest = descriptor["digest"].as_str().unwrap();
    format!("blobs/{}", digest.replace(':', "/"))
}

/// The small files of the archive that are JSON.
fn documents(archive: &Path) -> HashMap<String, Value> {
    let mut archive = tar::Archive::new(File::open(archive).unwrap());
    let mut documents = HashMap::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        if entry.size() > LARGEST_DOCUMENT {
            continue;
        }
        let name = entry.path().unwrap().display().to_string();
        if let Ok(document) = serde_json::from_reader(entry) {
            documents.insert(name, document);
        }
    }
    documents
}

/// This program, if the layer has it.
fn program(archive: &Path, layer: &str) -> Option<NamedTempFile> {
    let mut archive = tar::Archive::new(File::open(archive).unwrap());
    let layer = entry(&mut archive, layer)?;
    let mut layer = tar::Archive::new(GzDecoder::new(layer));
    let mut program = entry(&mut layer, PROGRAM)?;
    let mut file = NamedTempFile::new().unwrap();
    io::copy(&mut program, &mut file).unwrap();
    file.flush().unwrap();
    Some(file)
}

fn entry<'a, R: Read>(archive: &'a mut tar::Archive<R>, wanted: &str) -> Option<tar::Entry<'a, R>> {
    let entries = archive.entries().unwrap().map(Result::unwrap);
    entries
        .into_iter()
        .find(|entry| entry.path().unwrap().as_ref() == Path::new(wanted))
}

fn gzipped(file: &Path) -> u64 {
    let mut gzip = command("gzip");
    let output = Meter::default().run(gzip.args(["-9", "--stdout"]).arg(file));
    output.stdout.len() as u64
}
