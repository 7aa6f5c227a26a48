//! `State`: everything the double knows, and `Call`: one request, ready to be answered.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::fault::Script;
use crate::github::account::Account;
use crate::github::account::Grant;
use crate::github::package::Package;
use crate::github::permissions::Target;
use crate::github::repository::Repository;
use crate::github::{Registry, Server};
use crate::http::request::Seen;
use crate::store::Store;

/// What the older registry says in `Docker-Content-Digest`, on manifests and on uploads that end.
///
/// Clients on containerd's code, buildx among them, fail with `invalid content digest in response`
/// (docker/build-push-action#148, okteto/okteto#851).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentDigest {
    /// Nothing: the header is missing.
    Missing,
    /// Something that is no digest: the hash without its algorithm.
    Odd,
    /// The digest, as other registries do.
    Correct,
}

/// How the older registry wants to be logged in to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// At a token endpoint on the same host.
    Token,
    /// With `Basic` on every request, and no token endpoint: what `docker.pkg.github.com` asked for, since clients
    /// said `no basic auth credentials` there (crytic/echidna#520, actions/example-services#9).
    Basic,
}

/// What the registry does with `If-Match`. Whether ghcr.io honours it is not known; docker-registry ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conditions {
    /// Every write is done.
    Ignored,
    /// A write over something else than the client read is answered 412.
    Honoured,
    /// The same, but the entity tags are weak: the strong comparison of `If-Match` fails for all of them.
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

/// Does the container registry have the referrers API?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referrers {
    /// No: GHCR answered `MANIFEST_UNKNOWN` in most reports of 2024 to 2026; clients keep an index under a tag.
    Absent,
    /// Yes, and `OCI-Subject` in the answer to a manifest with a subject says so.
    Api,
}

/// Where the bytes of a blob are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Behind a redirect to another host, as GHCR does.
    Redirected,
    /// By the registry itself.
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
    pub(crate) accounts: HashMap<String, Account>,
    pub(crate) anyone: Option<Account>,
    pub(crate) organizations: Vec<String>,
    pub(crate) users: Vec<String>,
    pub(crate) packages: BTreeMap<String, Package>,
    pub(crate) repositories: Vec<Repository>,
    pub(crate) bearer_life: Duration,
    pub(crate) delivery: Delivery,
    pub(crate) conditions: Conditions,
    pub(crate) grants: HashMap<String, Grant>,
    pub(crate) store: Store,
    pub(crate) script: Script,
    pub(crate) seen: Vec<Seen>,
    pub(crate) counter: u64,
}

impl State {
    pub(crate) fn account(&self, token: &str) -> Option<&Account> {
        self.accounts.get(token).or(self.anyone.as_ref())
    }

    pub(crate) fn repository(&self, full_name: &str) -> Option<&Repository> {
        self.repositories
            .iter()
            .find(|repository| repository.full_name.eq_ignore_ascii_case(full_name))
    }

    pub(crate) fn target<'a>(&'a self, name: &'a str) -> Target<'a> {
        let owner = name.split('/').next().unwrap_or_default();
        Target {
            owner,
            owner_exists: self.owner_exists(owner),
            package: self.packages.get(name),
        }
    }

    /// The web interface; `authority` is how the client called us.
    pub(crate) fn web_url(&self, authority: &str) -> String {
        let scheme = match self.server {
            Server::Github => "https",
            _ => self.scheme,
        };
        format!("{scheme}://{}", self.server.web_host(authority))
    }

    /// Does the registry that was asked know the name? The older one makes no packages.
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
                .chain(&self.anyone)
                .any(|account| account.acts_for(owner))
    }

    /// The next number of a sequence: makes sessions and bearers distinct.
    pub(crate) fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}
