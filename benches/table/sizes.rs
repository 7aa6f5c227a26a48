//! What has to be fetched before a run can begin: our program, and the image around it when `IMAGE=` names one.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read as _;

use serde_json::Value;

use crate::meter::{Contender, Meter, alternating};
use crate::row::{Figure, Group, Row};
use crate::world::{World, command, variable};

pub(crate) fn groups() -> Vec<Group> {
    vec![
        Group::new("size", |_| vec![program(), image()]),
        Group::new("container start", |world| vec![start(world)]),
    ]
}

fn row(what: &str, ours: Figure) -> Row {
    Row {
        what: what.to_owned(),
        ours,
        plain: None,
        actions: None,
    }
}

fn program() -> Row {
    let program = fs::metadata(env!("CARGO_BIN_EXE_ghcr-publish")).unwrap();
    row("size of our program", Figure::Bytes(program.len()))
}

fn name() -> Option<String> {
    variable("IMAGE").filter(|name| !name.is_empty())
}

fn not_built() -> Figure {
    Figure::Text("not built".to_owned())
}

fn image() -> Row {
    let size = name().map_or_else(not_built, |name| compressed(&name));
    row("size of the image, compressed", size)
}

fn start(world: &World) -> Row {
    let took = name().map_or_else(not_built, |name| {
        let start: Contender<'_> = Box::new(|_, meter| {
            meter.run(command("docker").args(["run", "--rm", &name, "--version"]));
        });
        let [series] = alternating(&world.double, &[Some(start)]);
        series.unwrap().time()
    });
    row("container start: `docker run IMAGE --version`", took)
}

/// The layers of the first image in the archive, as a registry would send them: the engine with the containerd
/// store exports them like that, those with a graph driver unpacked.
fn compressed(name: &str) -> Figure {
    let archive = tempfile::NamedTempFile::new().unwrap();
    let path = archive.path().display().to_string();
    Meter::default().run(command("docker").args(["save", "--output", &path, name]));
    let documents = documents(archive.reopen().unwrap());
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap();
        documents.get(&format!("blobs/{}", digest.replace(':', "/")))
    };
    let mut manifest = &documents["index.json"];
    while let Some(inner) = manifest["manifests"].as_array() {
        manifest = inner
            .iter()
            .find_map(blob)
            .expect("an image is in the archive");
    }
    let layers = manifest["layers"].as_array().unwrap();
    let is_compressed = |layer: &Value| {
        let media_type = layer["mediaType"].as_str().unwrap_or_default();
        media_type.ends_with("gzip") || media_type.ends_with("zstd")
    };
    if !layers.iter().all(is_compressed) {
        return Figure::Text("unknown: this engine keeps it unpacked".to_owned());
    }
    Figure::Bytes(
        layers
            .iter()
            .filter_map(|layer| layer["size"].as_u64())
            .sum(),
    )
}

/// The small files of the archive that are JSON.
fn documents(archive: File) -> HashMap<String, Value> {
    let mut archive = tar::Archive::new(archive);
    let mut documents = HashMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.size() > 1 << 20 {
            continue;
        }
        let name = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if let Ok(document) = serde_json::from_slice(&bytes) {
            documents.insert(name, document);
        }
    }
    documents
}
