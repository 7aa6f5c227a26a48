//! `Builder`: the settings and the initial data of a double.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::double::Double;
use crate::fault::Script;
use crate::github::Server;
use crate::github::account::Account;
use crate::github::package::Package;
use crate::github::rate::{Points, Rate};
use crate::github::repository::Repository;
use crate::http::tls::Authority;
use crate::state::{Conditions, ContentDigest, Deletes, Delivery, Login, Referrers, State};
use crate::store::Store;

/// Of the token of a workflow of an Enterprise Cloud account; other accounts have 1000.
const REQUESTS_AN_HOUR: u64 = 15_000;
const POINTS_A_MINUTE: u64 = 900;

/// The settings and the initial data of a double. The owners of its tokens, packages and repositories exist as well.
#[derive(Debug)]
pub struct Builder {
    address: SocketAddr,
    authority: Option<(Authority, Vec<String>)>,
    state: State,
}

impl Double {
    /// A builder without tokens, packages or repositories.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            authority: None,
            state: State {
                server: Server::Github,
                scheme: "http",
                login: Login::Token,
                content_digest: ContentDigest::Odd,
                referrers: Referrers::Absent,
                accounts: HashMap::new(),
                any_token: None,
                organizations: Vec::new(),
                users: Vec::new(),
                packages: BTreeMap::new(),
                repositories: Vec::new(),
                attestations: Vec::new(),
                comments: Vec::new(),
                bearer_life: Duration::from_secs(300),
                delivery: Delivery::Redirected,
                conditions: Conditions::Ignored,
                deletes: Deletes::Unsupported,
                rate: Rate::new(REQUESTS_AN_HOUR),
                points: Points::new(POINTS_A_MINUTE),
                grants: HashMap::new(),
                store: Store::default(),
                script: Script::default(),
                seen: Vec::new(),
                events: 0,
                counter: 0,
            },
        }
    }
}

impl Builder {
    /// Sets the address to listen on. Default: a free port of 127.0.0.1.
    #[must_use]
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Sets the GitHub server to imitate. Default: `Server::Github`.
    #[must_use]
    pub fn server(mut self, server: Server) -> Self {
        self.state.server = server;
        self
    }

    /// Serves HTTPS only, with a certificate for these names, `localhost` and `127.0.0.1`.
    #[must_use]
    pub fn tls(mut self, authority: &Authority, names: &[&str]) -> Self {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.authority = Some((authority.clone(), names));
        self.state.scheme = "https";
        self
    }

    /// Sets how clients log in to the older Docker registry. Default: `Login::Token`.
    #[must_use]
    pub fn login(mut self, login: Login) -> Self {
        self.state.login = login;
        self
    }

    /// Sets what the older Docker registry returns in `Docker-Content-Digest`. Default: `ContentDigest::Odd`.
    #[must_use]
    pub fn content_digest(mut self, content_digest: ContentDigest) -> Self {
        self.state.content_digest = content_digest;
        self
    }

    /// Sets whether the container registry has the referrers API. Default: `Referrers::Absent`, as in GHCR.
    #[must_use]
    pub fn referrers(mut self, referrers: Referrers) -> Self {
        self.state.referrers = referrers;
        self
    }

    /// Adds a token and its holder. Unknown tokens are refused.
    #[must_use]
    pub fn token(mut self, token: &str, account: Account) -> Self {
        self.state.accounts.insert(token.to_owned(), account);
        self
    }

    /// Accepts every other token, with this holder.
    #[must_use]
    pub fn any_token(mut self, account: Account) -> Self {
        self.state.any_token = Some(account);
        self
    }

    /// Adds the package `owner/name`, without manifests.
    #[must_use]
    pub fn package(mut self, name: &str, package: Package) -> Self {
        self.state.packages.insert(name.to_owned(), package);
        self
    }

    /// Adds a repository for the GitHub API. New packages of its workflows have its visibility.
    #[must_use]
    pub fn repository(mut self, repository: Repository) -> Self {
        self.state.repositories.push(repository);
        self
    }

    /// Adds an organization.
    #[must_use]
    pub fn organization(mut self, login: &str) -> Self {
        self.state.organizations.push(login.to_owned());
        self
    }

    /// Adds a user.
    #[must_use]
    pub fn user(mut self, login: &str) -> Self {
        self.state.users.push(login.to_owned());
        self
    }

    /// Sets how long a bearer token is valid. Default: five minutes.
    #[must_use]
    pub fn bearer_life(mut self, life: Duration) -> Self {
        self.state.bearer_life = life;
        self
    }

    /// Serves blobs without a redirect to another host. GHCR redirects.
    #[must_use]
    pub fn blobs_in_place(mut self) -> Self {
        self.state.delivery = Delivery::InPlace;
        self
    }

    /// Sets what the registry does with `If-Match` and `If-None-Match: *`. Default: `Conditions::Ignored`.
    #[must_use]
    pub fn conditions(mut self, conditions: Conditions) -> Self {
        self.state.conditions = conditions;
        self
    }

    /// Sets whether the container registry deletes manifests. Default: `Deletes::Unsupported`, as GHCR.
    #[must_use]
    pub fn deletes(mut self, deletes: Deletes) -> Self {
        self.state.deletes = deletes;
        self
    }

    /// Sets how many requests an hour the API accepts. Default: 15,000. GHES has no limit.
    #[must_use]
    pub fn requests_an_hour(mut self, limit: u64) -> Self {
        self.state.rate = Rate::new(limit);
        self
    }

    /// Sets how many points a minute the API accepts: a read costs one, a write five. Default: 900. GHES has no limit.
    #[must_use]
    pub fn points_a_minute(mut self, limit: u64) -> Self {
        self.state.points = Points::new(limit);
        self
    }

    /// Lets the time that the API shows, and its limits, pass this many times faster.
    #[must_use]
    pub fn speed(mut self, times: u32) -> Self {
        self.state.store.clock.run(times);
        self
    }

    /// Starts to serve, on a thread of its own, until the double is dropped. Works in sync and async tests.
    ///
    /// # Errors
    ///
    /// If it cannot listen on the address, generate the certificate or start the thread.
    pub fn start(self) -> io::Result<Double> {
        let tls = self
            .authority
            .map(|(authority, names)| authority.acceptor(&names))
            .transpose()?;
        Double::start(self.address, tls, self.state)
    }
}
