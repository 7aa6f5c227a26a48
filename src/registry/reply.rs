//! What came back: an answer of any status, and what it says of itself.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, DATE, ETAG, HeaderMap, LINK, LOCATION, RETRY_AFTER};

use crate::deadline::retry_after;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::registry::answer;

/// A success.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) content_type: String,
    pub(super) content_digest: Option<String>,
    pub(super) etag: Option<String>,
    /// The header that leads to the next page.
    pub(super) link: Option<String>,
    pub(super) status: StatusCode,
    /// Where an upload goes on.
    pub(super) location: Option<String>,
    /// The subject the registry filed the manifest under.
    pub(super) subject: Option<String>,
    pub(super) body: Vec<u8>,
}

/// An answer of any status.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) origin: Origin,
}

/// Who gave an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Registry,
    TokenEndpoint,
}

impl Reply {
    fn header(&self, name: impl reqwest::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn said(&self) -> String {
        let said = answer::said(self.status, &self.body);
        match self.origin {
            Origin::Registry => said,
            Origin::TokenEndpoint => format!("{said} (at its token endpoint)"),
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        retry_after(self.header(RETRY_AFTER)?, self.header(DATE))
    }

    pub(super) fn into_answer(self) -> Answer {
        let content_type = self
            .header(CONTENT_TYPE)
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        Answer {
            content_type,
            content_digest: self.header("docker-content-digest").map(str::to_owned),
            etag: self.header(ETAG).map(str::to_owned),
            link: self.header(LINK).map(str::to_owned),
            status: self.status,
            location: self.header(LOCATION).map(str::to_owned),
            subject: self.header("oci-subject").map(str::to_owned),
            body: self.body,
        }
    }
}

impl From<Answer> for Manifest {
    fn from(answer: Answer) -> Self {
        Self {
            digest: Digest::of(&answer.body),
            media_type: answer.content_type,
            bytes: answer.body,
        }
    }
}
