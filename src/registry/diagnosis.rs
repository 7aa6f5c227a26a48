//! Maps error messages of registries and engines to their cause and fix.
//!
//! The texts were collected from public reports; [`entries`] holds them as data.

pub(crate) mod entries;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod texts;

use crate::context::event::OwnerKind;
use crate::context::server::RegistryKind;
use crate::github::packages::PackageName;
use crate::image::name::ImageName;
use crate::registry::diagnosis::entries::{ENTRIES, Entry};

/// What a known error message means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    pub(crate) persistence: Persistence,
    pub(crate) because: String,
    pub(crate) fix: String,
}

/// Whether the same request may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// Transient: retried automatically.
    Transient,
    /// A retry does not help.
    Permanent,
    /// The message is ambiguous; a request to the registry decides.
    Unclear,
    /// A mistake in the setup when it happens several times in a row.
    PermanentWhenRepeated,
    /// The same, while this process reaches the registry; else the registry is down.
    PermanentWhenReachable,
}

/// The package a failure is about, and the repository that wants to publish it.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) name: ImageName,
    /// `owner/name`, in GitHub's spelling.
    pub(crate) repository: String,
    /// For example `https://github.com`.
    pub(crate) server_url: String,
    pub(crate) provider: Provider,
    pub(crate) owner: OwnerKind,
}

/// The meaning of an error message, if it is known.
pub(crate) fn diagnose(message: &str, subject: &Subject) -> Option<Diagnosis> {
    let entry = find(message)?;
    Some(Diagnosis {
        persistence: entry.persistence,
        because: subject.fill(entry.because),
        fix: subject.fill(entry.fix),
    })
}

/// Whether the failure is transient although it may look like a denial.
pub(super) fn is_transient(message: &str) -> bool {
    find(message).is_some_and(|entry| entry.persistence == Persistence::Transient)
}

/// GitHub's secondary limit lasts for minutes and names no time.
pub(super) fn is_secondary_limit(message: &str) -> bool {
    message.to_lowercase().contains("secondary rate limit")
}

fn find(message: &str) -> Option<&'static Entry> {
    let message = message.to_lowercase();
    let is_contained = |text: &&str| text.split(" … ").all(|part| message.contains(part));
    let mut entries = ENTRIES.iter();
    entries.find(|entry| entry.says.iter().any(is_contained))
}

impl Subject {
    /// The page on which access to the package is given. There is no API for it.
    pub(crate) fn settings(&self) -> String {
        let kind = match self.owner {
            OwnerKind::User => "users",
            OwnerKind::Organization => "orgs",
        };
        let (owner, package) = self.owner_and_package();
        let package = package.replace('/', "%2F");
        let server = &self.server_url;
        format!("{server}/{kind}/{owner}/packages/container/{package}/settings")
    }

    /// The package as GitHub names it.
    pub(crate) fn package(&self) -> PackageName<'_> {
        let (owner, name) = self.owner_and_package();
        let kind = self.owner;
        PackageName { owner, kind, name }
    }

    /// The owner, and all that follows.
    fn owner_and_package(&self) -> (&str, &str) {
        let path = self.name.repository();
        path.split_once('/').unwrap_or((path, path))
    }

    /// What to do about credentials that are rejected or missing.
    pub(super) fn login(&self) -> String {
        self.fill("{login}")
    }

    /// What to do about credentials that may not push.
    pub(super) fn access(&self) -> String {
        self.fill("{access}")
    }

    fn fill(&self, text: &str) -> String {
        let (owner, package) = self.owner_and_package();
        text.replace("{login}", self.provider.login())
            .replace("{access}", self.provider.access())
            .replace("{path}", self.name.repository())
            .replace("{settings}", &self.settings())
            .replace("{repository}", &self.repository)
            .replace("{registry}", self.name.registry())
            .replace("{package}", package)
            .replace("{owner}", owner)
    }
}

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

    /// What to do when the registry rejects credentials, or requires them.
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

    /// What to do when the credentials may not push.
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
