//! `Builder`: the world in which the double starts.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::account::Account;
use crate::double::Double;
use crate::fault::Script;
use crate::package::Package;
use crate::repository::Repository;
use crate::state::{Delivery, State};
use crate::store::Store;

/// What exists before the first request. Owners named by tokens, packages and repositories exist by themselves.
#[derive(Debug)]
pub struct Builder {
    address: SocketAddr,
    state: State,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            state: State {
                accounts: HashMap::new(),
                anyone: None,
                organizations: Vec::new(),
                users: Vec::new(),
                packages: BTreeMap::new(),
                repositories: Vec::new(),
                bearer_life: Duration::from_secs(300),
                delivery: Delivery::Redirected,
                grants: HashMap::new(),
                store: Store::default(),
                script: Script::default(),
                seen: Vec::new(),
                counter: 0,
            },
        }
    }

    /// The address to listen on; a free port of 127.0.0.1 otherwise.
    #[must_use]
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
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

    /// Listens, and serves on a thread of its own until the double is dropped. Works in sync and async tests alike.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on, or the thread cannot be started.
    pub fn start(self) -> io::Result<Double> {
        Double::start(self.address, self.state)
    }
}
