//! `Seen`: a request as the double remembers it, without any secret.

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use std::time::Duration;

use super::route::{Endpoint, Route, decode};
use crate::github::{Registry, Server, Site};

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
    pub(crate) fn without_body(parts: &Parts, server: &Server) -> Self {
        let host = parts.headers.get("host");
        let host = host
            .and_then(|host| host.to_str().ok())
            .unwrap_or("localhost");
        let site = server.site(host);
        Self {
            method: parts.method.clone(),
            route: Route::parse(site, parts.uri.path()),
            query: pairs(parts.uri.query().unwrap_or_default()),
            headers: parts.headers.clone(),
            host: host.to_owned(),
            site,
            registry: site.registry.unwrap_or(Registry::Container),
            body: Bytes::new(),
            stale: false,
        }
    }

    pub(crate) fn query(&self, key: &str) -> Option<&str> {
        self.query
            .iter()
            .find_map(|(name, value)| (name == key).then_some(value.as_str()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The pairs of a query or of a posted form.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

/// Which kind of `Authorization` came with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// No header.
    None,
    /// `Basic`.
    Basic,
    /// `Bearer`.
    Bearer,
    /// `token`, or something else.
    Other,
}

impl Credential {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get("authorization") else {
            return Self::None;
        };
        let scheme = value.to_str().unwrap_or_default().split(' ').next();
        match scheme.map(str::to_ascii_lowercase).as_deref() {
            Some("basic") => Self::Basic,
            Some("bearer") => Self::Bearer,
            _ => Self::Other,
        }
    }
}

/// One request that arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET`, `PUT`, …
    pub method: String,
    /// The `Host` header: how the client calls us.
    pub host: String,
    /// The path without the query.
    pub path: String,
    /// The query without its question mark.
    pub query: String,
    /// Its class.
    pub endpoint: Endpoint,
    /// How it was authorised; the value is not kept.
    pub credential: Credential,
    /// The answer, or `None` while there is none and when the connection was dropped.
    pub status: Option<u16>,
    /// When it arrived, since the double started.
    pub at: Duration,
}
