//! `Seen`: a request as the double remembers it, without any secret.

use hyper::HeaderMap;
use std::time::Duration;

use crate::route::Endpoint;

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
