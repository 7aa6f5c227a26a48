//! Exports images of the local engine into a private directory.

use std::fs::File;
use std::io::{self, Read, Seek as _};

use anyhow::Context as _;
use bytes::{Buf as _, Bytes};
use reqwest::Response;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::console::Console;
use crate::docker::api::{EXPORT_IDLE_TIMEOUT, EngineApi, ImageStore};
use crate::error::Problem;
use crate::image::manifest::Manifest;
use crate::inputs::candidate::file::Choice;
use crate::oci_layout::archive::Archive;
use crate::oci_layout::expand::Scratch;
use crate::oci_layout::{OciLayout, Present};
use crate::private_directory::PrivateDirectory;
use crate::vars::Vars;

/// An image of the engine, in a directory that goes with it.
#[derive(Debug)]
pub(crate) struct LocalImage {
    pub(crate) name: String,
    pub(crate) layout: OciLayout,
    /// The directory of the layout, if this run made it.
    _directory: Option<PrivateDirectory>,
}

impl LocalImage {
    /// The image that a build has written into `directory`.
    pub(crate) fn built(directory: PrivateDirectory) -> anyhow::Result<(Self, Manifest)> {
        let name = "the image that was built".to_owned();
        let mut layout = OciLayout::new(directory.path().to_owned(), name.clone());
        let root = layout.present(&Choice::Only)?.root;
        let image = Self {
            name,
            layout,
            _directory: Some(directory),
        };
        Ok((image, root))
    }

    /// An image of an archive or layout.
    pub(crate) fn in_files(name: String, layout: OciLayout) -> Self {
        Self {
            name,
            layout,
            _directory: None,
        }
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
    Image(Box<LocalImage>, Manifest),
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
    Ok(Export::Image(Box::new(image), root))
}

async fn exported(
    name: &str,
    api: &EngineApi,
    vars: &Vars,
    console: Console,
) -> anyhow::Result<(LocalImage, Manifest)> {
    let file = Scratch(vars).file().context("no place to export it to")?;
    let store = api.info().await?.store();
    let file = save(api.image(name).await?, file).await?;
    let title = format!("the engine's image `{name}`");
    let vars = vars.clone();
    // Compressing takes its time, and nobody else should wait for it.
    let opened = tokio::task::spawn_blocking(move || layout_of(file, title, store, &vars));
    let (layout, Present { root, left_out }) = opened.await??;
    if left_out > 0 {
        console.say(&format!(
            "the engine has only a part of `{name}`: {left_out} images of its index are left out"
        ));
    }
    Ok((LocalImage::in_files(name.to_owned(), layout), root))
}

/// The image of an export: the containerd store exports a layout, and graph drivers layers that are not compressed.
fn layout_of(
    file: File,
    title: String,
    store: ImageStore,
    vars: &Vars,
) -> anyhow::Result<(OciLayout, Present)> {
    let archive = Archive::index(file);
    let archive = archive.map_err(|what| anyhow::anyhow!("the engine's export {what}"))?;
    let mut layout = OciLayout::of_archive(archive, title);
    let present = if store == ImageStore::Containerd {
        layout.present(&Choice::Only)?
    } else {
        let root = layout.compress_docker_archive(&Choice::Only, Scratch(vars))?;
        Present { root, left_out: 0 }
    };
    Ok((layout, present))
}

/// Writes the tar stream of the engine into `file`, as it is.
async fn save(mut body: Response, mut file: File) -> anyhow::Result<File> {
    let (feed, pieces) = mpsc::channel(4);
    let written = tokio::task::spawn_blocking(move || {
        let mut pipe = Pipe {
            pieces,
            rest: Bytes::new(),
        };
        io::copy(&mut pipe, &mut file)?;
        file.rewind()?;
        anyhow::Ok(file)
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
    let file = written.await?;
    fed?;
    file
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
