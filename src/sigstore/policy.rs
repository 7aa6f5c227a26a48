//! `Policy`: who must have signed, compared with the claims of a certificate (pure).

use sigstore_verify::crypto::FulcioCiClaims;

use crate::sigstore::oidc::Claims;
use crate::sigstore::refusal::{Refusal, require};

/// Who must have signed. What is not set is not compared; what is set is compared octet by octet. A repository, a
/// workflow or an identity must be set.
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
            require("repository", &url, claims.source_repository_uri.as_deref())?;
            let is_named = self.workflow.is_some() || self.identity.is_some();
            if !is_named && !identity.starts_with(&format!("{url}/")) {
                let why = format!("the workflow is not in {url}: {identity}");
                return Err(Refusal::Invalid(why));
            }
        }
        if let Some(file) = &self.workflow {
            let file = workflow_file(file, self.repository.as_deref());
            let workflow = format!("{server}/{file}");
            if !is_identity_of(&workflow, identity) {
                let why = format!("the workflow is {identity}, expected {workflow}");
                return Err(Refusal::Invalid(why));
            }
        }
        if let Some(git_ref) = &self.git_ref {
            require("git ref", git_ref, claims.source_repository_ref.as_deref())?;
        }
        Ok(())
    }
}

/// Whether `identity` is `workflow@REF`, where `REF` is a full git ref or a commit. A file name may contain `@`.
fn is_identity_of(workflow: &str, identity: &str) -> bool {
    let rest = identity.strip_prefix(workflow);
    let Some(git_ref) = rest.and_then(|rest| rest.strip_prefix('@')) else {
        return false;
    };
    let is_commit = git_ref.len() == 40 && git_ref.bytes().all(|byte| byte.is_ascii_hexdigit());
    git_ref.starts_with("refs/") || is_commit
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

    #[test]
    fn an_identity_is_a_workflow_and_a_ref() {
        let workflow = "https://github.com/acme/app/.github/workflows/release.yml";
        for (rest, expected) in [
            ("@refs/heads/main", true),
            ("@refs/heads/a@b", true),
            ("@babca52ab0c93ae16539e5923cb0d7403b9a093b", true),
            ("@other.yml@refs/heads/main", false),
            (".yml@refs/heads/main", false),
            ("@main", false),
            ("", false),
        ] {
            let identity = format!("{workflow}{rest}");
            assert_eq!(is_identity_of(workflow, &identity), expected, "{rest}");
        }
    }
}
