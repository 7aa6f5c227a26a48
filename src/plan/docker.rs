//! What the older Docker registry of GitHub Enterprise Server does not take, refused before the build.
//!
//! <https://docs.github.com/en/enterprise-server@3.20/packages/working-with-a-github-packages-registry/working-with-the-docker-registry>.

use crate::context::Context;
use crate::context::server::RegistryKind;
use crate::error::Problem;
use crate::image::name::ImageName;
use crate::inputs::Inputs;
use crate::inputs::cache::CacheKind;
use crate::inputs::candidate::Candidate;
use crate::inputs::results::is_image;

pub(super) const NO_ANNOTATIONS: &str = "the image gets no annotations: the older Docker registry stores Docker manifests, which have none; labels are unchanged";

/// Whether an image goes to such a registry.
pub(crate) fn is_among(images: &[ImageName], context: &Context) -> bool {
    images.iter().any(|name| is_older(name, context))
}

pub(super) fn is_older(name: &ImageName, context: &Context) -> bool {
    context.server.kind(name.registry()) == RegistryKind::Docker
}

/// A name there has exactly three parts: the package belongs to a repository.
pub(super) fn check_name(name: &ImageName, context: &Context) -> Result<(), Problem> {
    let path = name.repository();
    let parts = path.split('/').count();
    if parts == 3 {
        return Ok(());
    }
    let repository = context.repository.to_string().to_lowercase();
    let image = path.rsplit('/').next().unwrap_or(path);
    let registry = name.registry();
    Err(Problem::new(
        format!("`{name}` is not a valid name for GitHub's Docker registry"),
        format!("write `{registry}/{repository}/{image}`"),
    )
    .because(format!(
        "a name in that registry has the three parts OWNER/REPOSITORY/IMAGE, and this one has {parts}"
    )))
}

/// The notice when `written` has uppercase letters, which no registry accepts.
pub(super) fn capitals(name: &ImageName, written: &str) -> Option<String> {
    let has_capitals = written.chars().any(char::is_uppercase);
    has_capitals.then(|| format!("`{written}` is published as `{name}`: names are lowercase"))
}

/// Refuses what asks for more than one manifest of Docker's own media types.
pub(super) fn check_build(
    images: &[ImageName],
    inputs: &Inputs,
    context: &Context,
) -> Result<(), Problem> {
    let Some(name) = images.iter().find(|name| is_older(name, context)) else {
        return Ok(());
    };
    let registry = name.registry();
    let refused = |what: String, because: &str, fix: &str| {
        let newer = context.server.possible_registries();
        let newer = newer.first().filter(|newer| newer.as_str() != registry);
        let otherwise =
            newer.map(|newer| format!(", or publish to `{newer}` if the server has it"));
        let fix = format!("{fix}{}", otherwise.unwrap_or_default());
        Err(Problem::new(format!("{what} is not supported by `{registry}`"), fix).because(because))
    };
    if inputs.candidate.as_ref().is_some_and(Candidate::is_merge) {
        return refused(
            "a `candidate` of several sources".to_owned(),
            "the older Docker registry does not support indexes, so an image has one platform",
            "name one source in `candidate`",
        );
    }
    let build = &inputs.build;
    if build.parameters.platforms.len() > 1 {
        let list = build.parameters.platforms.join(",");
        return refused(
            format!("the input `platforms` (`{list}`)"),
            "the older Docker registry does not support indexes, so an image has one platform",
            &format!(
                "set one platform, for example `platforms: {}`",
                build.parameters.platforms[0]
            ),
        );
    }
    if let Some(attestation) = build.attestations.first() {
        return refused(
            format!("the attestation `{}`", attestation.kind()),
            "an attestation is part of an index, which the older Docker registry does not support",
            "remove it from the inputs `provenance`, `sbom` and `attests`",
        );
    }
    let compressed = build.outputs.iter().filter(|output| is_image(output));
    let mut compressed = compressed.filter_map(|output| output.get("compression"));
    if let Some(compression) = compressed.find(|how| !matches!(*how, "gzip" | "uncompressed")) {
        return refused(
            format!("the compression `{compression}` of the input `outputs`"),
            "the older Docker registry accepts uncompressed and gzip layers only",
            "remove `compression`",
        );
    }
    let is_there = |reference: &str| {
        let host = reference.split('/').next();
        host.is_some_and(|host| context.server.kind(host) == RegistryKind::Docker)
    };
    let cached = build
        .cache_to
        .iter()
        .filter(|cache| cache.kind() == "registry");
    let cached = cached.filter_map(|cache| cache.get("ref")).any(is_there);
    if cached || build.cache == CacheKind::Registry {
        return refused(
            "a cache in the registry".to_owned(),
            "such a cache is an index, which the older Docker registry does not support",
            "use `cache: inline`, or set `cache-to` to another registry",
        );
    }
    Ok(())
}
