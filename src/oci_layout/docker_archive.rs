//! Converts the export of an engine with a graph driver: `manifest.json` and uncompressed layers
//! (<https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md#combined-image-json--filesystem-changeset-format>).

use std::fs::File;
use std::io::{self, BufReader, Read as _, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use flate2::{Compression, GzBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::image::digest::{Digest, Hasher};
use crate::image::manifest::Manifest;
use crate::oci_layout::OciLayout;

pub(crate) const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
pub(crate) const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// An entry of `manifest.json`: paths in the export.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    layers: Vec<String>,
}

/// Where a gzip stream says what it is.
const GZIP: [u8; 2] = [0x1f, 0x8b];

impl OciLayout {
    /// Compresses the layers and writes the manifest an engine would push. The same layers give the same
    /// bytes: no time, one level.
    pub(crate) fn compress_docker_archive(&self) -> anyhow::Result<Manifest> {
        let text = std::fs::read(self.directory.join("manifest.json"))
            .context("the engine exported no `manifest.json`")?;
        let entries: Vec<Entry> = serde_json::from_slice(&text)
            .context("the engine exported a `manifest.json` that cannot be read")?;
        let entry = entries.into_iter().next();
        let entry = entry.context("the engine exported no image")?;
        let config = std::fs::read(self.inside(&entry.config)?)
            .with_context(|| format!("the engine exported no `{}`", entry.config))?;
        let layers = entry.layers.iter().map(|path| self.layer(path));
        let layers: Vec<Value> = layers.collect::<anyhow::Result<_>>()?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "size": config.len(), "digest": self.add(&config)?.as_str() },
            "layers": layers,
        });
        Ok(self.add_manifest(MANIFEST, &manifest)?)
    }

    /// A layer as a blob of the layout, by its descriptor.
    fn layer(&self, path: &str) -> anyhow::Result<Value> {
        let unread = || format!("the engine exported no readable `{path}`");
        let file = File::open(self.inside(path)?).with_context(unread)?;
        let mut plain = BufReader::with_capacity(128 << 10, file);
        let mut start = [0; 2];
        let known = plain.read(&mut start).with_context(unread)?;
        let rest = start[..known].chain(plain);
        let written = tempfile::NamedTempFile::new_in(self.blobs()?)?;
        let mut blob = Counted {
            inner: written,
            hasher: Hasher::default(),
            size: 0,
        };
        if start == GZIP {
            copy(rest, &mut blob)?;
        } else {
            let mut gzip = GzBuilder::new().write(&mut blob, Compression::default());
            copy(rest, &mut gzip)?;
            gzip.finish()?;
        }
        let digest = blob.hasher.digest();
        blob.inner.persist(self.path(&digest))?;
        Ok(json!({ "mediaType": LAYER, "size": blob.size, "digest": digest.as_str() }))
    }

    /// A path of the export; links may lead from one layer to another, and nowhere else.
    fn inside(&self, path: &str) -> anyhow::Result<PathBuf> {
        let directory = self.directory.canonicalize()?;
        let real = directory.join(path).canonicalize();
        let real = real.with_context(|| format!("the engine exported no `{path}`"))?;
        anyhow::ensure!(
            real.starts_with(&directory),
            "the engine exported `{path}`, which leads elsewhere"
        );
        Ok(real)
    }

    fn add(&self, bytes: &[u8]) -> anyhow::Result<Digest> {
        let digest = Digest::of(bytes);
        self.add_bytes(&digest, bytes)?;
        Ok(digest)
    }
}

fn copy(mut from: impl io::Read, mut to: impl Write) -> anyhow::Result<()> {
    let copied = io::copy(&mut from, &mut to);
    copied.context("a layer cannot be compressed into the directory for it")?;
    Ok(())
}

/// What is written, with its digest and size.
struct Counted<W> {
    inner: W,
    hasher: Hasher,
    size: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci_layout::tests::Fixture;
    use flate2::read::GzDecoder;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// The form engines wrote before version 25, the second layer a link to the first.
    fn saved() -> Fixture {
        let fixture = Fixture::new();
        let at = |path: &str| fixture.layout.directory.join(path);
        for layer in ["one", "two"] {
            fs::create_dir(at(layer)).unwrap();
        }
        fs::write(at("one/layer.tar"), [7; 4096]).unwrap();
        symlink("../one/layer.tar", at("two/layer.tar")).unwrap();
        fs::write(at("config.json"), "{}").unwrap();
        let entry =
            json!([{ "Config": "config.json", "Layers": ["one/layer.tar", "two/layer.tar"] }]);
        fs::write(at("manifest.json"), entry.to_string()).unwrap();
        fixture
    }

    #[test]
    fn layers_are_compressed_and_the_same_each_time() {
        let (fixture, other) = (saved(), saved());
        let manifest = fixture.layout.compress_docker_archive().unwrap();
        assert_eq!(
            manifest.digest,
            other.layout.compress_docker_archive().unwrap().digest
        );
        let content = manifest.content().unwrap();
        assert_eq!(content.layers.len(), 2);
        let layer = &content.layers[0];
        let blob = fixture.layout.path(&layer.digest.parse().unwrap());
        assert_eq!(fs::metadata(&blob).unwrap().len(), layer.size);
        let mut plain = Vec::new();
        GzDecoder::new(File::open(blob).unwrap())
            .read_to_end(&mut plain)
            .unwrap();
        assert_eq!(plain, [7; 4096]);
        assert_eq!(manifest.media_type, MANIFEST);
    }

    #[test]
    fn symlink_out_of_export_is_not_followed() {
        let fixture = saved();
        let link = fixture.layout.directory.join("two/layer.tar");
        fs::remove_file(&link).unwrap();
        symlink("/etc/passwd", &link).unwrap();
        let error = fixture
            .layout
            .compress_docker_archive()
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "the engine exported `two/layer.tar`, which leads elsewhere"
        );
    }
}
