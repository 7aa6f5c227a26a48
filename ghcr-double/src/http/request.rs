//! `Request`, as the handlers get it, and `Seen`, its record for the tests, without secrets.

use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Uri};
use std::time::Duration;

use super::endpoint::Endpoint;
use super::route::{Route, decode};
use crate::github::{Registry, Server, Site};

/// One request with its body.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) route: Route,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    /// The `Host` header; links in the response use it.
    pub(crate) host: String,
    /// What that host serves.
    pub(crate) site: Site,
    /// The registry on that host; the container registry if it has none.
    pub(crate) registry: Registry,
    pub(crate) body: Bytes,
    pub(crate) view: View,
}

/// The state of the registry that a request reads; a scripted fault can change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Current,
    /// The previous manifest of a tag, or the versions before the fault was scripted.
    Stale,
    /// A tag that moved is also listed on the version that it left.
    MovedTagsTwice,
}

impl Request {
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
            view: View::Current,
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

/// The keys and values of a query or of a form.
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

/// The scheme of the `Authorization` header of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// No header.
    None,
    /// `Basic`.
    Basic,
    /// `Bearer`.
    Bearer,
    /// `token`, or another scheme.
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

/// The record of a request.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET`, `PUT`, …
    pub method: String,
    /// The `Host` header.
    pub host: String,
    /// The path without the query.
    pub path: String,
    /// The query without its question mark.
    pub query: String,
    /// The class of the request.
    pub endpoint: Endpoint,
    /// The scheme of its credentials; the credentials themselves are not kept.
    pub credential: Credential,
    /// The status of the response; `None` before the response and if the connection was dropped.
    pub status: Option<u16>,
    /// The time from the start of the double to the arrival of the request.
    pub at: Duration,
    /// The place of the arrival in the order of all arrivals and responses.
    pub arrived: usize,
    /// The place of the response in the same order; `None` before the response and if the connection was dropped.
    pub responded: Option<usize>,
}

impl Seen {
    pub(crate) fn new(request: &Request, uri: &Uri, at: Duration) -> Self {
        Self {
            method: request.method.to_string(),
            host: request.host.clone(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            endpoint: request.route.endpoint(&request.method),
            credential: Credential::of(&request.headers),
            status: None,
            at,
            arrived: 0,
            responded: None,
        }
    }
}
