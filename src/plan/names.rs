//! `images` + registry -> the names the image is published under.

use crate::context::Context;
use crate::context::server::RegistryKind;
use crate::error::Problem;
use crate::image::name::ImageName;
use crate::inputs::cache::CacheKind;
use crate::inputs::{Inputs, Push};
use crate::plan::docker;

/// The names, with notices about them.
pub(crate) struct Names {
    pub(crate) images: Vec<ImageName>,
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
pub(crate) fn names(inputs: &Inputs, context: &Context) -> Result<Names, Problem> {
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
    images.iter().try_for_each(check_host)?;
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

/// Registered hosts that differ from `ghcr.io` by a typo.
const REAL: &[&str] = &["gcr.io"];
/// Slips that are further away than one character.
const SLIPS: &[&str] = &[
    "ghcr.com", "ghcr.dev", "ghcr.org", "ghcr.net", "gchr.io", "gcrh.io",
];

/// Refuses mistyped hosts: a token sent to such a host is leaked.
pub(super) fn check_host(name: &ImageName) -> Result<(), Problem> {
    let (host, path) = (name.registry(), name.repository());
    if host == "docker.pkg.github.com" {
        return Err(Problem::new(
            "docker.pkg.github.com was closed in 2025",
            format!("publish to `ghcr.io/{path}`, where GitHub moved the images"),
        ));
    }
    let slip = strsim::damerau_levenshtein(host, "ghcr.io") == 1 || SLIPS.contains(&host);
    if slip && !REAL.contains(&host) {
        return Err(Problem::new(
            format!("`{host}` is not a registry of GitHub; did you mean `ghcr.io`?"),
            format!("write `ghcr.io/{path}`"),
        )
        .because("a token sent to a mistyped host is leaked"));
    }
    Ok(())
}

/// What the reader should know of the owner of `name`: the token of a workflow is good for its own only.
pub(super) fn foreign_owner(
    name: &ImageName,
    inputs: &Inputs,
    context: &Context,
) -> Option<String> {
    let is_own_server = context.server.has(name.registry());
    let workflow_token = inputs.password.is_none() && inputs.github_token.is_some();
    if !is_own_server || !workflow_token {
        return None;
    }
    let own = context.repository.to_string().to_lowercase();
    let (own_owner, _) = own.split_once('/')?;
    let mut parts = name.repository().split('/');
    let owner = parts.next()?;
    let (belongs_to, scope, good_for) = match context.server.kind(name.registry()) {
        // A package of the older registry is one of its repository.
        RegistryKind::Docker => {
            let repository = format!("{owner}/{}", parts.next()?);
            (repository, "repository", own.as_str())
        }
        RegistryKind::Container | RegistryKind::Generic => (owner.to_owned(), "owner", own_owner),
    };
    (belongs_to != good_for).then(|| {
        format!(
            "`{name}` belongs to `{belongs_to}`, but the token of a workflow in `{}` is valid only for packages of `{good_for}`; \
             for another {scope} set `password` to a classic personal access token",
            context.repository
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::Vars;

    #[track_caller]
    fn check(name: &str, refused: Option<&str>) {
        let name = ImageName::parse(name, "ghcr.io").unwrap();
        let problem = check_host(&name).err().map(|problem| problem.to_string());
        assert_eq!(problem.as_deref(), refused);
    }

    #[test]
    fn workflow_token_is_valid_for_its_owner_only() {
        let vars = |token| {
            Vars::of(&[
                ("GITHUB_REPOSITORY", "Acme/App"),
                ("GITHUB_REF", "refs/heads/main"),
                ("GITHUB_SHA", "0123456789"),
                (token, "t"),
            ])
        };
        let told = |name: &str, token| {
            let inputs = Inputs::from_vars(&vars(token), &[]).unwrap();
            let context = Context::from_vars(&vars(token)).unwrap();
            let name = ImageName::parse(name, "ghcr.io").unwrap();
            foreign_owner(&name, &inputs, &context).is_some()
        };
        assert!(told("other/app", "GITHUB_TOKEN"));
        assert!(!told("acme/app", "GITHUB_TOKEN"));
        assert!(!told("quay.io/other/app", "GITHUB_TOKEN"));
        assert!(!told("other/app", "INPUT_PASSWORD"));
    }

    #[test]
    fn mistyped_host_is_refused_and_similar_host_is_not() {
        let slip = "`ghrc.io` is not a registry of GitHub; did you mean `ghcr.io`?";
        check("ghrc.io/acme/app", Some(slip));
        let slip = "`ghcr.com` is not a registry of GitHub; did you mean `ghcr.io`?";
        check("ghcr.com/acme/app", Some(slip));
        check("gcr.io/acme/app", None);
        check("ghcr.io/acme/app", None);
        check("quay.io/acme/app", None);
        let closed = "docker.pkg.github.com was closed in 2025";
        check("docker.pkg.github.com/acme/repo/app", Some(closed));
    }
}
