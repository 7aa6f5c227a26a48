//! `Response`: an HTTP response as a value, and the conversion to that of hyper.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::{Body, Frame, SizeHint};
use serde_json::{Value, json};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::github::denial::Denial;

#[derive(Clone, Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Response {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::new(status)
            .header("content-type", "application/json")
            .body(value.to_string())
    }

    /// An error in the form of the distribution specification:
    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes>.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(
            status,
            &json!({ "errors": [{ "code": code, "message": message }] }),
        )
    }

    /// An error in the form of the GitHub API.
    pub(crate) fn api_error(status: u16, message: &str, documentation_url: &str) -> Self {
        Self::json(
            status,
            &json!({
                "message": message,
                "documentation_url": documentation_url,
                "status": status.to_string(),
            }),
        )
    }

    /// The response of the API to too many requests at once.
    pub(crate) fn secondary_limit() -> Self {
        Self::api_error(
            403,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
        )
    }

    pub(crate) fn denied(denial: &Denial) -> Self {
        Self::error(denial.status(), denial.code(), &denial.message())
    }

    /// The response of GHCR to unsupported methods: cancelling an upload (observed in August 2026), deleting.
    pub(crate) fn unsupported() -> Self {
        Self::error(405, "UNSUPPORTED", "The operation is unsupported.")
    }

    pub(crate) fn page_not_found() -> Self {
        Self::error(404, "UNSUPPORTED", "page not found")
    }

    pub(crate) fn name_unknown() -> Self {
        let message = "repository name not known to registry";
        Self::error(404, "NAME_UNKNOWN", message)
    }

    pub(crate) fn manifest_unknown() -> Self {
        Self::error(404, "MANIFEST_UNKNOWN", "manifest unknown")
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Replaces a header, or adds it.
    pub(crate) fn set_header(&mut self, name: &str, value: &str) {
        self.remove_header(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn remove_header(&mut self, name: &str) {
        self.headers
            .retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }

    /// Removes a header and returns its value.
    pub(crate) fn take_header(&mut self, name: &str) -> Option<String> {
        let is_header = |(key, _): &(String, String)| key.eq_ignore_ascii_case(name);
        let at = self.headers.iter().position(is_header)?;
        Some(self.headers.remove(at).1)
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Converts it for hyper; with `cut`, the body ends after half of the announced length.
    pub(crate) fn into_response(self, cut: bool) -> hyper::Response<Payload> {
        let payload = Payload::new(self.body, cut);
        let mut response = hyper::Response::new(payload);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (
                hyper::header::HeaderName::from_bytes(name.as_bytes()),
                hyper::header::HeaderValue::from_str(&value),
            ) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// A body that may end before the announced length.
pub(crate) struct Payload {
    announced: u64,
    rest: Option<Bytes>,
    cut: bool,
}

impl Payload {
    fn new(bytes: Bytes, cut: bool) -> Self {
        let announced = bytes.len() as u64;
        let sent = if cut {
            bytes.slice(..bytes.len() / 2)
        } else {
            bytes
        };
        Self {
            announced,
            rest: Some(sent).filter(|bytes| !bytes.is_empty()),
            cut,
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(bytes) = self.rest.take() {
            self.announced -= bytes.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if self.cut {
            return Poll::Ready(Some(Err(io::Error::other("the script cuts this body"))));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && !self.cut
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
