//! `Builder`: the world in which the double starts.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::double::Double;
use crate::fault::Script;
use crate::github::Server;
use crate::github::account::Account;
use crate::github::package::Package;
use crate::github::repository::Repository;
use crate::http::tls::Authority;
use crate::state::{Conditions, ContentDigest, Delivery, Login, Referrers, State};
use crate::store::Store;

/// What exists before the first request. Owners named by tokens, packages and repositories exist by themselves.
#[derive(Debug)]
pub struct Builder {
    address: SocketAddr,
    authority: Option<(Authority, Vec<String>)>,
    state: State,
}

impl Double {
    /// An empty world: no tokens, no packages.
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
                anyone: None,
                organizations: Vec::new(),
                users: Vec::new(),
                packages: BTreeMap::new(),
                repositories: Vec::new(),
                bearer_life: Duration::from_secs(300),
                delivery: Delivery::Redirected,
                conditions: Conditions::Ignored,
                grants: HashMap::new(),
                store: Store::default(),
                script: Script::default(),
                seen: Vec::new(),
                counter: 0,
            },
        }
    }
}

impl Builder {
    /// The address to listen on; a free port of 127.0.0.1 otherwise.
    #[must_use]
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Which of GitHub's servers it is; `Server::Github` otherwise.
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

    /// How the older Docker registry wants to be logged in to; `Login::Token` otherwise.
    #[must_use]
    pub fn login(mut self, login: Login) -> Self {
        self.state.login = login;
        self
    }

    /// What the older Docker registry says in `Docker-Content-Digest`; `ContentDigest::Odd` otherwise.
    #[must_use]
    pub fn content_digest(mut self, content_digest: ContentDigest) -> Self {
        self.state.content_digest = content_digest;
        self
    }

    /// Whether the container registry has the referrers API; `Referrers::Absent` otherwise, as GHCR.
    #[must_use]
    pub fn referrers(mut self, referrers: Referrers) -> Self {
        self.state.referrers = referrers;
        self
    }

    /// A token and its holder. Unknown tokens are refused.
    #[must_use]
    pub fn token(mut self, token: &str, account: Account) -> Self {
        self.state.accounts.insert(token.to_owned(), account);
        self
    }

    /// The holder of every token that is not listed.
    #[must_use]
    pub fn any_token(mut self, account: Account) -> Self {
        self.state.anyone = Some(account);
        self
    }

    /// A package `owner/name` that exists already, empty until something is put there.
    #[must_use]
    pub fn package(mut self, name: &str, package: Package) -> Self {
        self.state.packages.insert(name.to_owned(), package);
        self
    }

    /// A repository for the GitHub API; new packages of its workflows are as visible as it is.
    #[must_use]
    pub fn repository(mut self, repository: Repository) -> Self {
        self.state.repositories.push(repository);
        self
    }

    /// An owner that is an organisation.
    #[must_use]
    pub fn organization(mut self, login: &str) -> Self {
        self.state.organizations.push(login.to_owned());
        self
    }

    /// An owner that is a user.
    #[must_use]
    pub fn user(mut self, login: &str) -> Self {
        self.state.users.push(login.to_owned());
        self
    }

    /// How long a bearer is good; five minutes otherwise.
    #[must_use]
    pub fn bearer_life(mut self, life: Duration) -> Self {
        self.state.bearer_life = life;
        self
    }

    /// Serves blobs itself, instead of redirecting to another host as GHCR does.
    #[must_use]
    pub fn blobs_in_place(mut self) -> Self {
        self.state.delivery = Delivery::InPlace;
        self
    }

    /// What it does with `If-Match`; `Conditions::Ignored` otherwise.
    #[must_use]
    pub fn conditions(mut self, conditions: Conditions) -> Self {
        self.state.conditions = conditions;
        self
    }

    /// Listens, and serves on a thread of its own until the double is dropped. Works in sync and async tests alike.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on, the certificate cannot be made, or the thread cannot be started.
    pub fn start(self) -> io::Result<Double> {
        let tls = self
            .authority
            .map(|(authority, names)| authority.acceptor(&names))
            .transpose()?;
        Double::start(self.address, tls, self.state)
    }
}
