//! One HTTP exchange with a registry as values: the request, and the response of any status.

use std::time::Duration;

use reqwest::header::{AsHeaderName, CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Method, StatusCode};

use crate::deadline::retry_after;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::registry::error;

/// A request as a value, so that it can be sent again.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    pub(super) method: Method,
    /// Relative to the repository.
    pub(super) path: String,
    pub(super) accept: Option<&'static str>,
    /// Media type and bytes.
    pub(super) body: Option<(&'a str, &'a [u8])>,
    pub(super) if_match: Option<&'a str>,
    /// Whether the content must not exist yet.
    pub(super) if_absent: bool,
    pub(super) not_found: NotFound,
    /// Which try it is, from 1.
    pub(super) attempt: u32,
}

/// What a 404 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotFound {
    /// The content does not exist.
    Final,
    /// The content was just pushed, and reads may lag behind writes.
    Retry,
}

impl<'a> Request<'a> {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            accept: None,
            body: None,
            if_match: None,
            if_absent: false,
            not_found: NotFound::Final,
            attempt: 1,
        }
    }

    pub(super) fn accept(self, media_types: &'static str) -> Self {
        Self {
            accept: Some(media_types),
            ..self
        }
    }

    pub(super) fn body(self, media_type: &'a str, bytes: &'a [u8]) -> Self {
        Self {
            body: Some((media_type, bytes)),
            ..self
        }
    }

    /// Only while the manifest has this entity tag
    /// (<https://www.rfc-editor.org/rfc/rfc9110#field.if-match>).
    pub(super) fn if_match(self, if_match: Option<&'a str>) -> Self {
        Self { if_match, ..self }
    }

    /// Only if there is no manifest yet: `If-None-Match: *`
    /// (<https://www.rfc-editor.org/rfc/rfc9110#field.if-none-match>).
    pub(super) fn if_absent(self) -> Self {
        Self {
            if_absent: true,
            ..self
        }
    }

    /// For content that was just pushed: a 404 is retried, since reads may lag behind writes.
    pub(super) fn just_pushed(self) -> Self {
        Self {
            not_found: NotFound::Retry,
            ..self
        }
    }
}

/// A response of any status.
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) responder: Responder,
}

/// Which server sent a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Responder {
    Registry,
    TokenEndpoint,
}

impl Response {
    pub(super) fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The media type without its parameters.
    pub(super) fn content_type(&self) -> &str {
        let value = self.header(CONTENT_TYPE).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim()
    }

    /// The error message in the body, see [`error::message`].
    pub(super) fn message(&self) -> String {
        let message = error::message(self.status, &self.body);
        match self.responder {
            Responder::Registry => message,
            Responder::TokenEndpoint => format!("{message} (at its token endpoint)"),
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        retry_after(self.header(RETRY_AFTER)?, self.header(DATE))
    }
}

impl From<Response> for Manifest {
    fn from(response: Response) -> Self {
        Self {
            digest: Digest::of(&response.body),
            media_type: response.content_type().to_owned(),
            bytes: response.body,
        }
    }
}
