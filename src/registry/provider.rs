//! The provider of a registry, and advice about its credentials.

use crate::context::server::RegistryKind;

/// Who runs a registry, as its host tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    GitHub,
    DockerHub,
    Quay,
    GitLab,
    Ecr,
    Google,
    Azure,
    /// Somebody else: only general advice is right.
    Other,
}

impl Provider {
    /// `kind` is what the run's GitHub server knows about the host.
    pub(crate) fn of(host: &str, kind: RegistryKind) -> Self {
        let is_below = |domain: &str| {
            let names = host.strip_suffix(domain);
            names.is_some_and(|names| names.is_empty() || names.ends_with('.'))
        };
        match host {
            _ if kind != RegistryKind::Generic => Self::GitHub,
            "docker.io" => Self::DockerHub,
            "quay.io" => Self::Quay,
            "registry.gitlab.com" => Self::GitLab,
            "public.ecr.aws" => Self::Ecr,
            _ if host.contains(".dkr.ecr.") && host.contains(".amazonaws.com") => Self::Ecr,
            _ if is_below("gcr.io") || host.ends_with("-docker.pkg.dev") => Self::Google,
            _ if ["azurecr.io", "azurecr.cn", "azurecr.us"]
                .into_iter()
                .any(is_below) =>
            {
                Self::Azure
            }
            _ => Self::Other,
        }
    }

    /// What to do when the registry rejects a login, or asks for one.
    pub(super) const fn login(self) -> &'static str {
        match self {
            Self::GitHub => {
                "use a valid token: the default `github-token` needs no input; a personal access token must be a classic one with `write:packages`, authorized for SAML single sign-on if {owner} uses it"
            }
            Self::DockerHub => {
                "check the credentials for {registry}: the user name is a Docker ID (or the name of the organisation, for its access tokens), the password an access token with the permission Read & Write"
            }
            Self::Quay => {
                "check the credentials for {registry}: a robot account (`namespace+name`) with its token, or a user with an encrypted password"
            }
            Self::GitLab => {
                "check the credentials for {registry}: a deploy token, or a user with an access token, which has the scopes `read_registry` and `write_registry`"
            }
            Self::Ecr => {
                "check the credentials for {registry}: the user name is `AWS`, the password what `aws ecr get-login-password` printed in the last 12 hours (`aws ecr-public …` for public.ecr.aws)"
            }
            Self::Google => {
                "check the credentials for {registry}: `oauth2accesstoken` with an access token of the last hour, or `_json_key` with the key of a service account"
            }
            Self::Azure => {
                "check the credentials for {registry}: a service principal with its secret, a token of the registry with its password, or `00000000-0000-0000-0000-000000000000` with what `az acr login --expose-token` prints"
            }
            Self::Other => {
                "check the user name and password for {registry}: `username` and `password`, or its entry in `registry-auth`"
            }
        }
    }

    /// What to do when a login is known and may not push.
    pub(super) fn access(self) -> &'static str {
        match self {
            Self::GitHub => {
                "open {settings} → Manage Actions access → add {repository} with role Write, and add `packages: write` to the job's `permissions:`"
            }
            Self::DockerHub => {
                "use an access token with the permission Read & Write, of an account that can push to {path}"
            }
            Self::Quay => {
                "give the robot account or user the permission Write in the settings of {path}; to create a repository it needs the role Creator in a team"
            }
            Self::GitLab => {
                "use a token with the scope `write_registry`, of a user with at least the role Developer in the project that {path} begins with"
            }
            Self::Ecr => {
                "allow the role `ecr:BatchCheckLayerAvailability`, `ecr:InitiateLayerUpload`, `ecr:UploadLayerPart`, `ecr:CompleteLayerUpload` and `ecr:PutImage` for the repository {path}, which must exist"
            }
            Self::Google => {
                "grant the account the role Artifact Registry Writer (`roles/artifactregistry.writer`) for the repository, which must exist"
            }
            Self::Azure => "grant the account the role AcrPush for the registry",
            Self::Other => "use credentials for {registry} that allow pushing to {path}",
        }
    }
}

#[cfg(test)]
pub(super) const ALL: [Provider; 8] = [
    Provider::GitHub,
    Provider::DockerHub,
    Provider::Quay,
    Provider::GitLab,
    Provider::Ecr,
    Provider::Google,
    Provider::Azure,
    Provider::Other,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_is_recognized_by_host() {
        for (host, provider) in [
            ("docker.io", Provider::DockerHub),
            ("quay.io", Provider::Quay),
            ("registry.gitlab.com", Provider::GitLab),
            (
                "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
                Provider::Ecr,
            ),
            ("1.dkr.ecr.cn-north-1.amazonaws.com.cn", Provider::Ecr),
            ("public.ecr.aws", Provider::Ecr),
            ("europe-west3-docker.pkg.dev", Provider::Google),
            ("eu.gcr.io", Provider::Google),
            ("gcr.io", Provider::Google),
            ("acme.azurecr.io", Provider::Azure),
            ("evilazurecr.io", Provider::Other),
            ("registry.example.com", Provider::Other),
            ("127.0.0.1:5000", Provider::Other),
        ] {
            assert_eq!(
                Provider::of(host, RegistryKind::Generic),
                provider,
                "{host}"
            );
        }
        for kind in [RegistryKind::Container, RegistryKind::Docker] {
            let host = "containers.git.example.com";
            assert_eq!(Provider::of(host, kind), Provider::GitHub);
        }
    }

    #[test]
    fn only_github_gets_github_advice() {
        for provider in ALL {
            let advice = format!("{} {}", provider.login(), provider.access());
            let is_githubs = ["packages", "github-token", "Actions"]
                .iter()
                .any(|word| advice.contains(word));
            assert_eq!(is_githubs, provider == Provider::GitHub, "{advice}");
        }
    }
}
