//! `Policy`: who must have signed, compared with the claims of a certificate (pure).

use sigstore_verify::crypto::FulcioCiClaims;

use crate::sigstore::oidc::Claims;
use crate::sigstore::refusal::{Refusal, require};

/// Who must have signed. What is not set is not compared. Server, owner and repository are compared without case, as GitHub
/// does, and everything else octet by octet. A repository, a workflow or an identity must be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// The OIDC issuer.
    pub(crate) issuer: String,
    /// The URL of the GitHub server, for example `https://github.com`.
    pub(crate) server: String,
    /// `OWNER/REPO` of the source. Without `workflow` and `identity`, the workflow must be in it too.
    pub(crate) repository: Option<String>,
    /// The file of the workflow: `OWNER/REPO/.github/workflows/X`, `.github/workflows/X` or `X`; the last two in
    /// `repository`.
    pub(crate) workflow: Option<String>,
    /// The full git ref of the source, for example `refs/heads/main`.
    pub(crate) git_ref: Option<String>,
    /// The whole identity: `https://github.com/OWNER/REPO/.github/workflows/X@REF`.
    pub(crate) identity: Option<String>,
}

impl Policy {
    /// The policy for what a run signs itself.
    pub(crate) fn of_run(claims: &Claims, server: &str, issuer: &str) -> Self {
        let server = server.trim_end_matches('/');
        Self {
            issuer: issuer.to_owned(),
            server: server.to_owned(),
            repository: Some(claims.repository.clone()),
            workflow: None,
            git_ref: Some(claims.git_ref.clone()),
            identity: Some(format!("{server}/{}", claims.job_workflow_ref)),
        }
    }

    /// Compares the claims of a certificate.
    pub(super) fn check(&self, identity: &str, claims: &FulcioCiClaims) -> Result<(), Refusal> {
        let server = self.server.trim_end_matches('/');
        let named = [&self.repository, &self.workflow, &self.identity];
        if named.iter().all(|named| named.is_none()) {
            let why = "no repository, workflow or identity is expected";
            return Err(Refusal::Invalid(why.to_owned()));
        }
        if let Some(repository) = &self.repository {
            let url = format!("{server}/{repository}");
            let source = claims.source_repository_uri.as_deref();
            if !source.is_some_and(|source| source.eq_ignore_ascii_case(&url)) {
                require("repository", &url, source)?;
            }
            let is_named = self.workflow.is_some() || self.identity.is_some();
            if !is_named && below(identity, &format!("{url}/")).is_none() {
                let why = format!("the workflow is not in {url}: {identity}");
                return Err(Refusal::Invalid(why));
            }
        }
        if let Some(file) = &self.workflow {
            let file = workflow_file(file, self.repository.as_deref());
            if !is_identity_of(server, &file, identity) {
                let why = format!("the workflow is {identity}, expected {server}/{file}");
                return Err(Refusal::Invalid(why));
            }
        }
        if let Some(git_ref) = &self.git_ref {
            require("git ref", git_ref, claims.source_repository_ref.as_deref())?;
        }
        Ok(())
    }
}

/// Whether `identity` is `server/OWNER/REPO/path@REF`, where `REF` is a full git ref or a commit. A file name may contain
/// `@`.
fn is_identity_of(server: &str, file: &str, identity: &str) -> bool {
    let Some((repository, path)) = repository_and_path(file) else {
        return false;
    };
    let rest = below(identity, &format!("{server}/{repository}/"));
    let rest = rest.and_then(|rest| rest.strip_prefix(path));
    let Some(git_ref) = rest.and_then(|rest| rest.strip_prefix('@')) else {
        return false;
    };
    let is_commit = git_ref.len() == 40 && git_ref.bytes().all(|byte| byte.is_ascii_hexdigit());
    git_ref.starts_with("refs/") || is_commit
}

/// What follows `start`, which is compared without case.
fn below<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(start.len())?;
    head.eq_ignore_ascii_case(start).then_some(rest)
}

/// `OWNER/REPO`, and the path in it.
fn repository_and_path(file: &str) -> Option<(&str, &str)> {
    let (slash, _) = file.match_indices('/').nth(1)?;
    Some((&file[..slash], &file[slash + 1..]))
}

/// `OWNER/REPO/.github/workflows/X`
fn workflow_file(given: &str, repository: Option<&str>) -> String {
    let repository = repository.unwrap_or_default();
    if given.starts_with(".github/") {
        format!("{repository}/{given}")
    } else if given.contains('/') {
        given.to_owned()
    } else {
        format!("{repository}/.github/workflows/{given}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_is_named_in_three_forms() {
        let file = "acme/app/.github/workflows/release.yml";
        for given in ["release.yml", ".github/workflows/release.yml", file] {
            assert_eq!(workflow_file(given, Some("acme/app")), file);
        }
    }

    /// GitHub compares the names of owners and repositories without case, paths and refs with it.
    #[test]
    fn only_owner_and_repository_are_compared_without_case() {
        let identity = "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main";
        let mut claims = FulcioCiClaims::default();
        claims.source_repository_uri = Some("https://github.com/acme/app".to_owned());
        claims.source_repository_ref = Some("refs/heads/main".to_owned());
        for (repository, workflow, git_ref, expected) in [
            ("ACME/App", None, "refs/heads/main", true),
            ("ACME/App", Some("release.yml"), "refs/heads/main", true),
            (
                "acme/app",
                Some("Acme/App/.github/workflows/release.yml"),
                "refs/heads/main",
                true,
            ),
            ("acme/app", Some("Release.yml"), "refs/heads/main", false),
            (
                "acme/app",
                Some("acme/app/.GitHub/workflows/release.yml"),
                "refs/heads/main",
                false,
            ),
            ("acme/app", None, "refs/heads/Main", false),
            ("acme/ap", None, "refs/heads/main", false),
            ("acme/apple", None, "refs/heads/main", false),
        ] {
            let policy = Policy {
                issuer: String::new(),
                server: "https://github.com".to_owned(),
                repository: Some(repository.to_owned()),
                workflow: workflow.map(str::to_owned),
                git_ref: Some(git_ref.to_owned()),
                identity: None,
            };
            let checked = policy.check(identity, &claims);
            assert_eq!(checked.is_ok(), expected, "{policy:?}");
        }
    }

    #[test]
    fn an_identity_is_a_workflow_and_a_ref() {
        let server = "https://github.com";
        let file = "acme/app/.github/workflows/release.yml";
        for (rest, expected) in [
            ("@refs/heads/main", true),
            ("@refs/heads/a@b", true),
            ("@babca52ab0c93ae16539e5923cb0d7403b9a093b", true),
            ("@other.yml@refs/heads/main", false),
            (".yml@refs/heads/main", false),
            ("@main", false),
            ("", false),
        ] {
            let identity = format!("{server}/{file}{rest}");
            let is_identity = is_identity_of(server, file, &identity);
            assert_eq!(is_identity, expected, "{rest}");
        }
    }
}
