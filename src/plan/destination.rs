//! Checks of a destination that need no request: hosts that are mistyped or closed, and
//! owners the token is not good for.

use crate::context::Context;
use crate::context::server::RegistryKind;
use crate::error::Problem;
use crate::image::name::ImageName;
use crate::inputs::Inputs;

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
