//! Exports images of the local engine into a private directory.

mod unpack;

use crate::console::Console;
use crate::docker::api::EngineApi;
use crate::docker::api::ImageStore;
use crate::error::Problem;
use crate::image::manifest::Manifest;
use crate::oci_layout::OciLayout;
use crate::oci_layout::partial::Present;
use crate::private_directory::PrivateDirectory;
use crate::vars::Vars;
use anyhow::Context as _;

/// An image of the engine, in a folder that goes with it.
#[derive(Debug)]
pub(crate) struct LocalImage {
    pub(crate) name: String,
    pub(crate) layout: OciLayout,
    _folder: PrivateDirectory,
}

impl LocalImage {
    /// The image that a build has written into `folder`.
    pub(crate) fn built(folder: PrivateDirectory) -> anyhow::Result<(Self, Manifest)> {
        let name = "the image that was built".to_owned();
        let layout = OciLayout::new(folder.path().to_owned(), name.clone());
        let root = layout.present()?.root;
        let image = Self {
            name,
            layout,
            _folder: folder,
        };
        Ok((image, root))
    }
}

/// A folder for an image that is about to be built, which goes with the value.
pub(crate) fn folder_for_build(vars: &Vars) -> anyhow::Result<PrivateDirectory> {
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
    /// There is no engine, or it does not answer.
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
    let folder = PrivateDirectory::for_images(vars).context("no directory to export it to")?;
    let store = ImageStore::of(&api.info().await?.driver_status);
    let folder = unpack::unpack(api.image(name).await?, folder).await?;
    let title = format!("the engine's image `{name}`");
    let layout = OciLayout::new(folder.path().to_owned(), title);
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
        _folder: folder,
    };
    Ok((image, root))
}
