//! `State`: everything the double knows, and the settings that tests choose.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::fault::Script;
use crate::github::account::{Account, Grant};
use crate::github::attestation::Attestation;
use crate::github::comment::Comment;
use crate::github::package::{Package, Visibility};
use crate::github::permissions::Target;
use crate::github::rate::{Points, Rate};
use crate::github::repository::Repository;
use crate::github::{Registry, Server};
use crate::http::request::Seen;
use crate::store::Store;

/// What the older registry returns in `Docker-Content-Digest`, for manifests and finished uploads.
///
/// Clients that use containerd, such as buildx, fail with `invalid content digest in response`
/// (docker/build-push-action#148, okteto/okteto#851).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentDigest {
    /// The header is missing.
    Missing,
    /// An invalid digest: the hash without its algorithm.
    Odd,
    /// The digest, as in other registries.
    Correct,
}

/// How clients log in to the older registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// At a token endpoint on the same host.
    Token,
    /// With `Basic` on every request and without a token endpoint. `docker.pkg.github.com` required it: clients failed
    /// with `no basic auth credentials` there (crytic/echidna#520, actions/example-services#9).
    Basic,
}

/// What the registry does with `If-Match` and `If-None-Match: *`. Whether ghcr.io honours it is unknown; docker-registry ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conditions {
    /// Every write succeeds.
    Ignored,
    /// A write fails with 412 if the tag was moved after the client read it, or exists although it must not.
    Honoured,
    /// Entity tags are weak, so the strong comparison of `If-Match` always fails, with 412. `If-None-Match: *` needs no comparison.
    Weak,
}

impl Conditions {
    /// The entity tag of a manifest.
    pub(crate) fn etag(self, digest: &str) -> String {
        match self {
            Self::Ignored | Self::Honoured => format!("\"{digest}\""),
            Self::Weak => format!("W/\"{digest}\""),
        }
    }
}

/// Whether the container registry has the referrers API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referrers {
    /// No. GHCR returned `MANIFEST_UNKNOWN` in most reports from 2024 to 2026; clients maintain an index under a tag.
    Absent,
    /// Yes. The response to a push of a manifest with a subject contains `OCI-Subject`.
    Api,
}

/// Whether the container registry deletes manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletes {
    /// No: 405, as GHCR (okxlin/docker-mirror-monitor#13). Versions are deleted through the API.
    Unsupported,
    /// By digest, as other registries. The token must allow `delete`.
    ByDigest,
}

/// Which host serves the bytes of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Another host, to which the registry redirects, as GHCR does.
    Redirected,
    /// The registry.
    InPlace,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) server: Server,
    /// `http` or `https`, for links.
    pub(crate) scheme: &'static str,
    pub(crate) login: Login,
    pub(crate) content_digest: ContentDigest,
    pub(crate) referrers: Referrers,
    /// The holders of the known tokens.
    pub(crate) accounts: HashMap<String, Account>,
    /// The holder of every other token.
    pub(crate) any_token: Option<Account>,
    pub(crate) organizations: Vec<String>,
    pub(crate) users: Vec<String>,
    pub(crate) packages: BTreeMap<String, Package>,
    pub(crate) repositories: Vec<Repository>,
    /// The stored attestations of all repositories, oldest first.
    pub(crate) attestations: Vec<Attestation>,
    /// The comments on the pull requests of all repositories, oldest first.
    pub(crate) comments: Vec<Comment>,
    pub(crate) bearer_life: Duration,
    pub(crate) delivery: Delivery,
    pub(crate) conditions: Conditions,
    pub(crate) deletes: Deletes,
    pub(crate) rate: Rate,
    pub(crate) points: Points,
    /// The bearer tokens issued so far.
    pub(crate) grants: HashMap<String, Grant>,
    pub(crate) store: Store,
    pub(crate) script: Script,
    pub(crate) seen: Vec<Seen>,
    /// Arrivals and responses so far.
    pub(crate) events: usize,
    pub(crate) counter: u64,
}

impl State {
    pub(crate) fn account(&self, token: &str) -> Option<&Account> {
        self.accounts.get(token).or(self.any_token.as_ref())
    }

    pub(crate) fn repository(&self, full_name: &str) -> Option<&Repository> {
        self.repositories
            .iter()
            .find(|repository| repository.full_name.eq_ignore_ascii_case(full_name))
    }

    /// The stored attestations with this digest among their subjects, oldest first.
    pub(crate) fn attestations_of(&self, repository: &str, digest: &str) -> Vec<&Attestation> {
        let is_of = |attestation: &&Attestation| {
            attestation.repository.eq_ignore_ascii_case(repository)
                && attestation.statement.digests.iter().any(|of| of == digest)
        };
        self.attestations.iter().filter(is_of).collect()
    }

    /// Adds a comment to a pull request.
    pub(crate) fn add_comment(
        &mut self,
        repository: &str,
        number: u64,
        author: &str,
        body: &str,
    ) -> &Comment {
        let (id, now) = (self.next(), self.store.clock.now());
        self.comments.push_mut(Comment {
            id,
            author: author.to_owned(),
            body: body.to_owned(),
            repository: repository.to_lowercase(),
            number,
            created: now,
            updated: now,
        })
    }

    /// A package that belongs to a repository and has its visibility.
    pub(crate) fn package_of(&self, repository: &str) -> Package {
        let visibility = self
            .repository(repository)
            .map_or(Visibility::Private, |known| known.visibility);
        Package::of(repository).visibility(visibility)
    }

    pub(crate) fn target<'a>(&'a self, name: &'a str) -> Target<'a> {
        let owner = name.split('/').next().unwrap_or_default();
        Target {
            owner,
            owner_exists: self.owner_exists(owner),
            package: self.packages.get(name),
        }
    }

    /// The URL of the web interface; `authority` is the `Host` header of the request.
    pub(crate) fn web_url(&self, authority: &str) -> String {
        let scheme = match self.server {
            Server::Github => "https",
            _ => self.scheme,
        };
        format!("{scheme}://{}", self.server.web_host(authority))
    }

    /// Whether a registry has a repository of that name. The older one does not create packages.
    pub(crate) fn is_known(&self, registry: Registry, name: &str) -> bool {
        match registry {
            Registry::Container => self.packages.contains_key(name),
            Registry::Docker => self.store.names.contains_key(name),
        }
    }

    fn owner_exists(&self, owner: &str) -> bool {
        let is_owner = |name: &str| {
            let first = name.split('/').next().unwrap_or_default();
            first.eq_ignore_ascii_case(owner)
        };
        self.organizations.iter().any(|name| is_owner(name))
            || self.users.iter().any(|name| is_owner(name))
            || self.packages.keys().any(|name| is_owner(name))
            || self
                .repositories
                .iter()
                .any(|known| is_owner(&known.full_name))
            || self
                .accounts
                .values()
                .chain(&self.any_token)
                .any(|account| account.acts_for(owner))
    }

    /// The place of the next arrival or response in the order of all.
    pub(crate) fn next_event(&mut self) -> usize {
        self.events += 1;
        self.events
    }

    /// The next number of a sequence, for unique upload sessions and bearer tokens.
    pub(crate) fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}
