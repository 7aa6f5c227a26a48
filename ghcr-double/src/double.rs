//! `Double`: the running registry, with its records and contents for the test.

pub(crate) mod builder;
mod comments;
mod packages;
mod seed;

use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_rustls::TlsAcceptor;

use crate::fault::Fault;
use crate::gate::Gate;
use crate::github::Server;
use crate::http::Listener;
use crate::http::endpoint::Endpoint;
use crate::http::request::Seen;
use crate::respond::{Shared, respond};
use crate::state::State;

/// A registry that behaves like ghcr.io; it stops when dropped.
#[derive(Debug)]
pub struct Double {
    server: Listener,
    others: Mutex<Vec<Listener>>,
    pub(crate) shared: Arc<Shared>,
}

impl Double {
    pub(crate) fn start(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        state: State,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(state));
        let server = listen(address, tls, &shared)?;
        Ok(Self {
            server,
            others: Mutex::default(),
            shared,
        })
    }

    /// Also listens on another free port of 127.0.0.1, without TLS, and returns its `127.0.0.1:<port>`, so that
    /// `Seen::host` tells clients apart.
    ///
    /// # Errors
    ///
    /// If it cannot listen on the address or start the thread.
    pub fn listen_again(&self) -> io::Result<String> {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let server = listen(address, None, &self.shared)?;
        let host = server.address.to_string();
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.push(server);
        Ok(host)
    }

    /// From now on, holds every request until the test lets it pass.
    #[must_use]
    pub fn gate(&self) -> Arc<Gate> {
        self.shared.gate()
    }

    /// The address on which it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// `127.0.0.1:<port>`, for image names.
    #[must_use]
    pub fn host(&self) -> String {
        self.address().to_string()
    }

    /// A host name with the port, for example `containers.ghes.test:<port>`.
    #[must_use]
    pub fn at(&self, name: &str) -> String {
        format!("{name}:{}", self.address().port())
    }

    /// `http://127.0.0.1:<port>`, or `https://…` if it serves TLS.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(&self.host())
    }

    /// The base URL of the GitHub API, for example `http://127.0.0.1:<port>/api/v3`.
    #[must_use]
    pub fn api_url(&self) -> String {
        let server = self.shared.lock().server.clone();
        match server {
            Server::Github | Server::GhesFlat => format!("{}/api/v3", self.url()),
            Server::Ghes { host, .. } => format!("{}/api/v3", self.url_of(&self.at(&host))),
            Server::GheCom { host } => self.url_of(&self.at(&format!("api.{host}"))),
        }
    }

    /// The URL of the web interface, as in `GITHUB_SERVER_URL`; with the port of the double, except for github.com.
    #[must_use]
    pub fn server_url(&self) -> String {
        self.shared.lock().web_url(&self.host())
    }

    fn url_of(&self, authority: &str) -> String {
        format!("{}://{authority}", self.shared.lock().scheme)
    }

    /// Adds a fault to the script.
    pub fn script(&self, fault: Fault) {
        let mut state = self.shared.lock();
        let writes = state.store.writes();
        if fault.keeps_versions() {
            state.store.keep_versions();
        }
        state.script.add(fault, writes);
    }

    /// Removes all faults from the script.
    pub fn clear_script(&self) {
        self.shared.lock().script.clear();
    }

    /// All requests so far, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// The number of requests of a class so far.
    #[must_use]
    pub fn count(&self, endpoint: Endpoint) -> usize {
        let seen = &self.shared.lock().seen;
        seen.iter()
            .filter(|seen| endpoint == Endpoint::Any || seen.endpoint == endpoint)
            .count()
    }

    /// Deletes the records of the requests so far.
    pub fn clear_requests(&self) {
        self.shared.lock().seen.clear();
    }

    /// The tags of a repository name and their digests.
    #[must_use]
    pub fn tags(&self, name: &str) -> BTreeMap<String, String> {
        let state = self.shared.lock();
        let contents = state.store.names.get(name);
        contents.map(|known| known.tags.clone()).unwrap_or_default()
    }

    /// The media type and the bytes of a manifest, by digest or tag.
    #[must_use]
    pub fn manifest(&self, name: &str, reference: &str) -> Option<(String, Bytes)> {
        let state = self.shared.lock();
        let (_, manifest) = state.store.manifest(name, reference)?;
        Some((manifest.media_type.clone(), manifest.bytes.clone()))
    }

    /// The digests of all manifests of a repository name.
    #[must_use]
    pub fn manifests(&self, name: &str) -> Vec<String> {
        let state = self.shared.lock();
        let contents = state.store.names.get(name);
        contents
            .map(|known| known.manifests.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// The bytes of a blob, if the repository name has it.
    #[must_use]
    pub fn blob(&self, name: &str, digest: &str) -> Option<Bytes> {
        let store = &self.shared.lock().store;
        let linked = store.has_blob(name, digest);
        store.blob(digest).filter(|_| linked).cloned()
    }

    /// The bundles that a repository (`owner/name`) stored for a subject with this digest, oldest first.
    #[must_use]
    pub fn attestations(&self, repository: &str, digest: &str) -> Vec<Value> {
        let state = self.shared.lock();
        let found = state.attestations_of(repository, digest);
        found
            .into_iter()
            .map(|known| known.bundle.clone())
            .collect()
    }
}

fn listen(
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    shared: &Arc<Shared>,
) -> io::Result<Listener> {
    let shared = Arc::clone(shared);
    let respond = move |request| respond(request, Arc::clone(&shared));
    Listener::start(address, tls, respond)
}
