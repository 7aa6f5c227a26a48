//! `images` + registry -> the names the image is published under.

use crate::context::Context;
use crate::context::server::RegistryKind;
use crate::error::Problem;
use crate::image::name::ImageName;
use crate::inputs::cache::CacheKind;
use crate::inputs::{Inputs, Push};
use crate::plan::{destination, docker};

/// The names, with notices about them.
pub(super) struct Names {
    pub(super) images: Vec<ImageName>,
    pub(super) notices: Vec<String>,
}

/// Whether the registry of the GitHub server has to be found before names can be given.
pub(crate) fn needs_registry(inputs: &Inputs, context: &Context) -> bool {
    let names = &inputs.images;
    let is_without = names.is_empty() || names.iter().any(|image| !image.has_registry());
    is_without && registry(inputs, context).is_none()
}

/// The names that are enabled. One that is switched off must be right as well: it may be switched on by
/// an expression.
pub(super) fn names(inputs: &Inputs, context: &Context) -> Result<Names, Problem> {
    if needs_registry(inputs, context) {
        return Err(unknown_registry(context));
    }
    let default = registry(inputs, context).unwrap_or_default();
    let kind = |name: &ImageName| context.server.kind(name.registry());
    let default_kind = context.server.kind(&default);
    let mut images = Vec::new();
    let mut notices = Vec::new();
    if inputs.images.is_empty() {
        let own = context.repository.to_string();
        let path = match default_kind {
            RegistryKind::Docker => format!("{own}/{}", context.repository.name),
            RegistryKind::Container | RegistryKind::Generic => own,
        };
        images.push(ImageName::parse(&format!("{default}/{path}"), &default)?);
    }
    for image in &inputs.images {
        let written = image.written();
        let is_bare = !image.has_registry() && !written.contains('/');
        let name = if is_bare && default_kind == RegistryKind::Docker {
            image.image_name_in(&format!("{default}/{}", context.repository))?
        } else {
            image.image_name(&default)?
        };
        if kind(&name) == RegistryKind::Docker {
            docker::check_name(&name, context)?;
            notices.extend(docker::capitals(&name, written));
        }
        images.extend(image.enabled.then_some(name));
    }
    images.iter().try_for_each(destination::check_host)?;
    Ok(Names { images, notices })
}

/// The input `registry`, else the registry of the GitHub server. An image that stays with the engine has a host in
/// its name as well; any of the possible ones.
fn registry(inputs: &Inputs, context: &Context) -> Option<String> {
    let known = inputs.registry.clone().or_else(|| context.registry.clone());
    let possible = || context.server.possible_registries().into_iter().next();
    known.or_else(|| possible().filter(|_| asks_no_registry(inputs)))
}

/// Whether the run neither writes to the registry of its images nor reads there.
fn asks_no_registry(inputs: &Inputs) -> bool {
    let has_cache_there = matches!(inputs.build.cache, CacheKind::Registry | CacheKind::Inline);
    inputs.push == Push::Never && !has_cache_there
}

fn unknown_registry(context: &Context) -> Problem {
    let possible = context.server.possible_registries();
    let example = possible.first().map(String::as_str).unwrap_or_default();
    Problem::new(
        format!(
            "cannot tell which registry belongs to `{}`",
            context.server_url
        ),
        format!("set the input `registry`, for example `registry: {example}`"),
    )
    .because("only a request to the Enterprise Server can tell, and `plan` sends none")
}
