//! Exports images of the local engine into a private directory.

use std::io::{self, Read};

use anyhow::{Context as _, ensure};
use bytes::{Buf as _, Bytes};
use reqwest::Response;
use tar::{Archive, EntryType};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::console::Console;
use crate::docker::api::{EXPORT_IDLE_TIMEOUT, EngineApi, ImageStore};
use crate::error::Problem;
use crate::image::manifest::Manifest;
use crate::oci_layout::{OciLayout, Present};
use crate::private_directory::PrivateDirectory;
use crate::vars::Vars;

/// An image of the engine, in a directory that goes with it.
#[derive(Debug)]
pub(crate) struct LocalImage {
    pub(crate) name: String,
    pub(crate) layout: OciLayout,
    _directory: PrivateDirectory,
}

impl LocalImage {
    /// The image that a build has written into `directory`.
    pub(crate) fn built(directory: PrivateDirectory) -> anyhow::Result<(Self, Manifest)> {
        let name = "the image that was built".to_owned();
        let layout = OciLayout::new(directory.path().to_owned(), name.clone());
        let root = layout.present()?.root;
        let image = Self {
            name,
            layout,
            _directory: directory,
        };
        Ok((image, root))
    }
}

/// A directory for an image that is about to be built, which goes with the value.
pub(crate) fn directory_for_build(vars: &Vars) -> anyhow::Result<PrivateDirectory> {
    PrivateDirectory::for_images(vars).with_context(|| {
        Problem::new(
            "no directory to build the image into",
            "make `/var/tmp` or `TMPDIR` writable, outside of the workspace",
        )
    })
}

/// What came of looking for an image in the engine.
pub(crate) enum Export {
    Image(LocalImage, Manifest),
    Missing,
    /// The engine is behind ssh, TLS or a docker context.
    OutOfReach,
    /// There is no engine, or it does not respond.
    NoEngine(anyhow::Error),
}

/// Gets the image `name` from the engine of this machine, if it has it.
pub(crate) async fn export(name: &str, vars: &Vars, console: Console) -> anyhow::Result<Export> {
    let Some(api) = EngineApi::find(vars) else {
        return Ok(Export::OutOfReach);
    };
    match api.has_image(name).await {
        Ok(true) => {}
        Ok(false) => return Ok(Export::Missing),
        Err(error) => return Ok(Export::NoEngine(error)),
    }
    let (image, root) = exported(name, &api, vars, console)
        .await
        .with_context(|| {
            Problem::new(
                format!("cannot get the image `{name}` from the engine"),
                "check that `docker save` can export it and that `/var/tmp` or `TMPDIR` has enough space",
            )
        })?;
    Ok(Export::Image(image, root))
}

async fn exported(
    name: &str,
    api: &EngineApi,
    vars: &Vars,
    console: Console,
) -> anyhow::Result<(LocalImage, Manifest)> {
    let directory = PrivateDirectory::for_images(vars).context("no directory to export it to")?;
    let store = api.info().await?.store();
    let directory = unpack(api.image(name).await?, directory).await?;
    let title = format!("the engine's image `{name}`");
    let layout = OciLayout::new(directory.path().to_owned(), title);
    let (layout, root) = if store == ImageStore::Containerd {
        let Present { root, left_out } = layout.present()?;
        if left_out > 0 {
            console.say(&format!(
                "the engine has only a part of `{name}`: {left_out} images of its index are left out"
            ));
        }
        (layout, root)
    } else {
        // Compressing takes its time, and nobody else should wait for it.
        let compressed = tokio::task::spawn_blocking(move || {
            let root = layout.compress_docker_archive()?;
            anyhow::Ok((layout, root))
        });
        compressed.await??
    };
    let image = LocalImage {
        name: name.to_owned(),
        layout,
        _directory: directory,
    };
    Ok((image, root))
}

/// Unpacks a tar stream into `directory`, and nothing outside of it.
async fn unpack(
    mut body: Response,
    directory: PrivateDirectory,
) -> anyhow::Result<PrivateDirectory> {
    let (feed, pieces) = mpsc::channel(4);
    // The directory goes with whoever writes into it, also when nobody waits any more.
    let unpacked = tokio::task::spawn_blocking(move || {
        let pipe = Pipe {
            pieces,
            rest: Bytes::new(),
        };
        write_all(pipe, directory)
    });
    let fed = async {
        loop {
            let piece = timeout(EXPORT_IDLE_TIMEOUT, body.chunk()).await;
            let piece = piece.context("the engine stopped responding")??;
            let Some(piece) = piece else { return Ok(()) };
            if feed.send(piece).await.is_err() {
                return Ok(()); // The other end says why.
            }
        }
    };
    let fed: anyhow::Result<()> = fed.await;
    drop(feed);
    let directory = unpacked.await?;
    fed?;
    directory
}

fn write_all(pipe: impl Read, directory: PrivateDirectory) -> anyhow::Result<PrivateDirectory> {
    let mut archive = Archive::new(pipe);
    archive.set_preserve_mtime(false);
    for entry in archive.entries()? {
        let mut entry = entry.context("the engine's export is incomplete")?;
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Directory | EntryType::Symlink | EntryType::Link => {}
            _ => continue,
        }
        let name = entry.path()?.display().to_string();
        let inside = entry.unpack_in(directory.path())?;
        ensure!(
            inside,
            "the engine's export names `{name}`, which is outside of it"
        );
    }
    Ok(directory)
}

/// A channel as something to read from.
struct Pipe {
    pieces: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.rest = piece,
                None => return Ok(0),
            }
        }
        let length = self.rest.len().min(buffer.len());
        self.rest.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::Vars;
    use std::fs;
    use tar::{Builder, Header};

    fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = Header::new_gnu();
            // As it stands: the writer of the crate refuses such names.
            let field = &mut header.as_gnu_mut().unwrap().name;
            field[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            if *kind == EntryType::Symlink {
                header.set_link_name(content).unwrap();
                header.set_size(0);
                header.set_cksum();
                builder.append(&header, io::empty()).unwrap();
            } else {
                header.set_size(content.len() as u64);
                header.set_cksum();
                builder.append(&header, content.as_bytes()).unwrap();
            }
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn unpacking_stays_inside_the_directory() {
        let unpacked = |entries: &[(&str, EntryType, &str)]| {
            let outer = tempfile::tempdir().unwrap();
            let vars = Vars::of(&[("TMPDIR", outer.path().to_str().unwrap())]);
            let directory = PrivateDirectory::for_images(&vars).unwrap();
            (write_all(archive(entries).as_slice(), directory), outer)
        };
        let good = [
            ("blobs/sha256/a", EntryType::Regular, "x"),
            ("link", EntryType::Symlink, "blobs/sha256/a"),
        ];
        let (directory, _outer) = unpacked(&good);
        let directory = directory.unwrap();
        assert_eq!(
            fs::read_to_string(directory.path().join("link")).unwrap(),
            "x"
        );
        let (refused, outer) = unpacked(&[("../escaped", EntryType::Regular, "x")]);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "the engine's export names `../escaped`, which is outside of it"
        );
        assert!(!outer.path().join("escaped").exists());
        let through = [
            ("out", EntryType::Symlink, ".."),
            ("out/escaped", EntryType::Regular, "x"),
        ];
        let (refused, outer) = unpacked(&through);
        assert!(refused.is_err() && !outer.path().join("escaped").exists());
    }
}
