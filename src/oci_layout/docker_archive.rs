//! Converts what engines and tools save as `manifest.json` with layers
//! (<https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md#combined-image-json--filesystem-changeset-format>).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};

use anyhow::Context as _;
use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::image::digest::{Digest, Hasher};
use crate::image::manifest::{DOCKER_MANIFEST, Manifest, null_as_empty};
use crate::inputs::candidate::file::Choice;
use crate::oci_layout::OciLayout;
use crate::oci_layout::archive::inside;
use crate::oci_layout::choice::{Named, choose};
use crate::oci_layout::expand::{GZIP, Scratch};
use crate::oci_layout::section::Section;

pub(crate) const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
pub(crate) const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// An entry of `manifest.json`: paths in the archive.
#[derive(Clone, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
    /// Only engines with a graph driver write it.
    layer_sources: Option<BTreeMap<String, Value>>,
}

/// The part of an image config that names the content of the layers.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ImageConfig {
    rootfs: RootFs,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RootFs {
    #[serde(deserialize_with = "null_as_empty")]
    diff_ids: Vec<String>,
}

impl OciLayout {
    /// Whether there is no layout beside `manifest.json`, or the one that an engine with a graph driver adds: it lists
    /// uncompressed layers, or none, under a digest that no registry has.
    pub(super) fn needs_conversion(&self) -> anyhow::Result<bool> {
        if !self.has_file("manifest.json") {
            return Ok(false);
        }
        if !self.has_file("index.json") {
            return Ok(true);
        }
        let is_of_graph_driver = |entry: &Entry| {
            let sources = entry.layer_sources.as_ref();
            sources.is_some_and(|sources| !sources.is_empty())
        };
        Ok(self.entries()?.iter().any(is_of_graph_driver) || self.lists_no_layers()?)
    }

    fn lists_no_layers(&self) -> anyhow::Result<bool> {
        for root in self.roots()?.named().map_err(|what| self.broken(what))? {
            let content = self.content(&self.manifest(&root.image)?)?;
            if content.manifests.is_empty() && content.layers.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Compresses the layers and adds the manifest that an engine would push. The same layers give the same bytes: no time,
    /// one level. Each layer must be the one that the config names.
    pub(crate) fn compress_docker_archive(
        &mut self,
        choice: &Choice,
        scratch: Scratch<'_>,
    ) -> anyhow::Result<Manifest> {
        let entry = self.entry(choice)?;
        let config = self.read(&inside_archive(&entry.config))?;
        let digest = Digest::of(&config);
        let image: ImageConfig = serde_json::from_slice(&config)
            .with_context(|| format!("`{}` is not an image config", entry.config))?;
        let paths = entry.layers.unwrap_or_default();
        let diff_ids = image.rootfs.diff_ids;
        if paths.len() != diff_ids.len() {
            let (layers, named) = (paths.len(), diff_ids.len());
            let what = format!("has {layers} layers, but its config names {named}");
            return Err(self.broken(what).into());
        }
        let mut known: BTreeMap<(&String, &String), Value> = BTreeMap::new();
        let mut layers = Vec::new();
        for key in paths.iter().zip(&diff_ids) {
            let layer = match known.entry(key) {
                MapEntry::Occupied(known) => known.get().clone(),
                MapEntry::Vacant(new) => new.insert(self.add_layer(key.0, key.1, scratch)?).clone(),
            };
            layers.push(layer);
        }
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": { "mediaType": CONFIG, "size": config.len(), "digest": digest.as_str() },
            "layers": layers,
        });
        self.add(digest, Section::in_memory(config));
        let manifest = self.add_manifest(DOCKER_MANIFEST, &manifest);
        self.require_named(choice, &manifest)?;
        Ok(manifest)
    }

    fn entries(&self) -> anyhow::Result<Vec<Entry>> {
        let text = self.read("manifest.json")?;
        let entries = serde_json::from_slice(&text);
        Ok(entries.map_err(|error| {
            self.broken(format!(
                "has a `manifest.json` that cannot be read: {error}"
            ))
        })?)
    }

    fn entry(&self, choice: &Choice) -> anyhow::Result<Entry> {
        let mut entries = self.entries()?;
        // An image is known by the digest of its config; that of its manifest is only known after the conversion.
        if let Choice::Digest(digest) = choice
            && entries.len() > 1
        {
            entries.retain(|entry| entry.config.contains(digest.hex()));
        }
        let named = entries.into_iter().map(|entry| Named {
            names: entry.repo_tags.clone().unwrap_or_default(),
            image: entry,
        });
        let chosen = choose(named.collect(), choice);
        Ok(chosen.map_err(|what| self.not_chosen(&what))?)
    }

    /// Fails if the image was chosen by a digest that it does not have.
    fn require_named(&self, choice: &Choice, manifest: &Manifest) -> anyhow::Result<()> {
        let Choice::Digest(digest) = choice else {
            return Ok(());
        };
        if *digest == manifest.digest || Some(digest) == manifest.config_digest().as_ref() {
            return Ok(());
        }
        let is = &manifest.digest;
        let what = format!("has no image {digest}; its image is {is}");
        Err(self.not_chosen(&what).into())
    }

    /// Adds a layer as a blob; gives its descriptor.
    fn add_layer(
        &mut self,
        path: &str,
        diff_id: &str,
        scratch: Scratch<'_>,
    ) -> anyhow::Result<Value> {
        let section = self.file(&inside_archive(path))?;
        let unread = || format!("cannot read the layer `{path}`");
        let mut start = [0; 2];
        let first = section.clone().reader().read(&mut start);
        let is_gzip = first.with_context(unread)? == start.len() && start == GZIP;
        let (content, digest, section) = if is_gzip {
            let (digest, _) = hashed(section.clone().reader()).with_context(unread)?;
            let plain = MultiGzDecoder::new(BufReader::new(section.clone().reader()));
            let (content, _) = hashed(plain).with_context(unread)?;
            (content, digest, section)
        } else {
            let file = scratch
                .file()
                .context("no place for the compressed layer")?;
            compressed(section, file)
                .with_context(|| format!("cannot compress the layer `{path}`"))?
        };
        if content.as_str() != diff_id {
            let what = format!("has the layer `{path}`, whose content is not {diff_id}");
            return Err(self.broken(what).into());
        }
        let size = section.size();
        let descriptor = json!({ "mediaType": LAYER, "size": size, "digest": digest.as_str() });
        self.add(digest, section);
        Ok(descriptor)
    }
}

/// The name of an entry; what leads out of the archive names none.
fn inside_archive(path: &str) -> String {
    inside("", path).unwrap_or_else(|| path.to_owned())
}

/// The digest and the size of what is read.
fn hashed(from: impl Read) -> io::Result<(Digest, u64)> {
    let mut from = Counted::new(from);
    io::copy(&mut from, &mut io::sink())?;
    Ok((from.hasher.digest(), from.size))
}

/// The digest of a plain layer, and the compressed one with its digest.
fn compressed(plain: Section, file: File) -> io::Result<(Digest, Digest, Section)> {
    let mut plain = Counted::new(plain.reader());
    let mut blob = Counted::new(file);
    let mut gzip = GzBuilder::new().write(&mut blob, Compression::default());
    io::copy(
        &mut BufReader::with_capacity(128 << 10, &mut plain),
        &mut gzip,
    )?;
    gzip.finish()?;
    let section = Section::of_file(blob.inner)?;
    Ok((plain.hasher.digest(), blob.hasher.digest(), section))
}

/// What is read or written, with its digest and size.
struct Counted<T> {
    inner: T,
    hasher: Hasher,
    size: u64,
}

impl<T> Counted<T> {
    fn new(inner: T) -> Self {
        Self {
            inner,
            hasher: Hasher::default(),
            size: 0,
        }
    }

    fn count(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.count(&buffer[..length]);
        Ok(length)
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.count(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests;
