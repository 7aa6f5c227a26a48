//! `State`: everything the double knows, and `Call`: one request, ready to be answered.

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::account::Account;
use crate::answer::Answer;
use crate::conditional::Conditions;
use crate::fault::Script;
use crate::grant::Grant;
use crate::legacy::{ContentDigest, Login};
use crate::package::Package;
use crate::referrers::Referrers;
use crate::repository::Repository;
use crate::rights::Target;
use crate::route::Route;
use crate::seen::Seen;
use crate::server::{Registry, Server, Site};
use crate::store::Store;
use crate::{api, blobs, legacy, manifests, referrers, tags, token, website};

/// One request with its body.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) route: Route,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    /// The host as the client calls us; links lead back there.
    pub(crate) host: String,
    /// What that host serves.
    pub(crate) site: Site,
    /// The registry there; the container registry where there is none.
    pub(crate) registry: Registry,
    pub(crate) body: Bytes,
    /// Scripted: read what the tag held before.
    pub(crate) stale: bool,
}

impl Call {
    pub(crate) fn query(&self, key: &str) -> Option<&str> {
        self.query
            .iter()
            .find_map(|(name, value)| (name == key).then_some(value.as_str()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
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
    /// Answers a request that no fault keeps from being served.
    pub(crate) fn answer(&mut self, call: &Call) -> Answer {
        let mut answer = match &call.route {
            Route::Token => return token::exchange(self, call),
            Route::Api { path } => return api::answer(self, call, path),
            Route::Storage { digest } => return blobs::stored(self, call, digest),
            Route::Website { path } => return website::page(call.site.pages, path),
            Route::Nowhere => Answer::error(404, "UNSUPPORTED", "page not found"),
            Route::Ping => token::ping(self, call),
            Route::Uploads { name } => blobs::start(self, call, name),
            Route::Upload { name, session } => blobs::upload(self, call, name, session),
            Route::Blob { name, digest } => blobs::read(self, call, name, digest),
            Route::Manifest { name, reference } => match call.registry {
                Registry::Container => manifests::answer(self, call, name, reference),
                Registry::Docker => legacy::manifest(self, call, name, reference),
            },
            Route::Tags { name } => tags::list(self, call, name),
            Route::Referrers { name, subject } => referrers::list(self, call, name, subject),
        };
        answer.set_header("docker-distribution-api-version", "registry/2.0");
        answer
    }

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
    pub(crate) fn is_known(&self, call: &Call, name: &str) -> bool {
        match call.registry {
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
