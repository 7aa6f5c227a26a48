//! Errors of registry requests, and which of them are transient.

use std::error::Error as _;
use std::time::Duration;
use std::{fmt, io};

use reqwest::StatusCode;
use rustls::InvalidMessage;
use serde::Deserialize;

use crate::oci_layout::LayoutError;
use crate::registry::{PERMANENT_AFTER, diagnosis};

/// Why a call did not succeed.
#[derive(Debug)]
pub(crate) enum RegistryError {
    /// The registry refuses: authentication or authorization failed.
    Denied(ErrorResponse),
    /// The content does not exist.
    NotFound(ErrorResponse),
    /// Any other response that is not a success.
    Unexpected(ErrorResponse),
    /// No response.
    Unreachable {
        host: String,
        failure: ConnectionFailure,
        source: anyhow::Error,
    },
    /// The response is invalid, for example content with another digest.
    Invalid { host: String, what: String },
}

/// A response that is not a success.
#[derive(Debug)]
pub(crate) struct ErrorResponse {
    host: String,
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// How long the registry wants us to wait.
    retry_after: Option<Duration>,
}

/// Why a request got no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionFailure {
    /// The host is unknown, or refuses connections.
    NoServer,
    /// The server does not respond with TLS, as a plain HTTP server.
    PlainHttp,
    /// The server's certificate is not trusted.
    UntrustedCertificate,
    /// The connection failed after it was established, or timed out.
    Interrupted,
}

impl ConnectionFailure {
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        match tls_error(error) {
            Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
                return Self::PlainHttp;
            }
            Some(rustls::Error::InvalidCertificate(_)) => return Self::UntrustedCertificate,
            _ => {}
        }
        let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
        let nobody = causes.any(|cause| {
            let refused = cause
                .downcast_ref::<io::Error>()
                .is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused);
            refused || cause.to_string().starts_with("failed to lookup address")
        });
        if error.is_connect() && (nobody || error.is_timeout()) {
            Self::NoServer
        } else {
            Self::Interrupted
        }
    }
}

/// The failure of TLS among the causes. An I/O error does not name what it wraps as its source.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(error) = cause.downcast_ref() {
            return Some(error);
        }
        let wrapped = cause.downcast_ref().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        };
    }
    None
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(response) | Self::NotFound(response) | Self::Unexpected(response) => {
                let ErrorResponse {
                    host,
                    status,
                    message,
                    ..
                } = response;
                write!(f, "{host} answered {} {message}", status.as_u16())
            }
            Self::Unreachable { host, source, .. } => {
                write!(f, "{host} did not respond: {source:#}")
            }
            Self::Invalid { host, what } => write!(f, "{host} {what}"),
        }
    }
}

impl std::error::Error for RegistryError {}

impl From<LayoutError> for RegistryError {
    fn from(LayoutError { title, what }: LayoutError) -> Self {
        Self::Invalid { host: title, what }
    }
}

/// The error envelope of the distribution specification
/// (<https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes>).
#[derive(Deserialize)]
struct Envelope {
    errors: Vec<Reported>,
}

#[derive(Deserialize)]
struct Reported {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// The error message in a body: `CODE: message`, or the first line of another format.
pub(super) fn message(status: StatusCode, body: &[u8]) -> String {
    if let Ok(Envelope { errors }) = serde_json::from_slice(body)
        && let Some(Reported { code, message }) = errors.into_iter().next()
    {
        return format!("{code}: {message}")
            .trim_matches([':', ' '])
            .to_owned();
    }
    let text = String::from_utf8_lossy(body);
    let is_page = text.trim_start().starts_with('<');
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() && !is_page => line.chars().take(300).collect(),
        _ => status
            .canonical_reason()
            .unwrap_or("with no reason")
            .to_owned(),
    }
}

/// Codes that are transient during a push.
const TRANSIENT_CODES: &[&str] = &[
    "BLOB_UPLOAD_UNKNOWN",
    "BLOB_UNKNOWN",
    "MANIFEST_BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "DIGEST_INVALID",
];

/// Whether a retry may succeed.
pub(super) fn is_transient(status: StatusCode, message: &str) -> bool {
    match status.as_u16() {
        408 | 425 | 429 | 499 | 500..=599 => true,
        // GitHub reports its secondary rate limit as 403.
        403 => diagnosis::is_transient(message),
        400 | 404 => TRANSIENT_CODES.iter().any(|code| message.starts_with(code)),
        _ => false,
    }
}

impl RegistryError {
    pub(super) fn of(
        host: &str,
        status: StatusCode,
        message: String,
        retry_after: Option<Duration>,
    ) -> Self {
        let response = ErrorResponse {
            host: host.to_owned(),
            status,
            message,
            retry_after,
        };
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Denied(response),
            StatusCode::NOT_FOUND => Self::NotFound(response),
            _ => Self::Unexpected(response),
        }
    }

    fn response(&self) -> Option<&ErrorResponse> {
        match self {
            Self::Denied(response) | Self::NotFound(response) | Self::Unexpected(response) => {
                Some(response)
            }
            Self::Unreachable { .. } | Self::Invalid { .. } => None,
        }
    }

    /// Why there was no response, if there was none.
    pub(crate) fn connection_failure(&self) -> Option<ConnectionFailure> {
        match self {
            Self::Unreachable { failure, .. } => Some(*failure),
            _ => None,
        }
    }

    /// The registry's error message; empty without a response.
    pub(crate) fn message(&self) -> &str {
        self.response()
            .map_or("", |response| response.message.as_str())
    }

    /// Whether a retry may succeed.
    pub(crate) fn is_transient(&self) -> bool {
        match (self.response(), self.connection_failure()) {
            (Some(response), _) => is_transient(response.status, &response.message),
            (None, failure) => failure.is_some() && !self.is_permanent_when_repeated(),
        }
    }

    /// Whether the registry refuses connections, or its host is not found.
    pub(crate) fn is_down(&self) -> bool {
        self.connection_failure() == Some(ConnectionFailure::NoServer)
    }

    /// Whether to try again after so many tries.
    pub(crate) fn may_succeed_later(&self, tries: u32) -> bool {
        self.is_transient() || (self.is_permanent_when_repeated() && tries < PERMANENT_AFTER)
    }

    /// Whether it is a mistake in the setup when it happens again.
    pub(crate) fn is_permanent_when_repeated(&self) -> bool {
        use ConnectionFailure::{PlainHttp, UntrustedCertificate};
        matches!(
            self.connection_failure(),
            Some(PlainHttp | UntrustedCertificate)
        )
    }

    /// Whether a conditional write was refused: the tag has moved since it was read.
    pub(crate) fn is_precondition_failed(&self) -> bool {
        let response = self.response();
        response.is_some_and(|response| response.status == StatusCode::PRECONDITION_FAILED)
    }

    /// Whether the registry does not have such an operation: 405, or 400 with the code `UNSUPPORTED`
    /// (<https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#content-management>).
    pub(crate) fn is_unsupported(&self) -> bool {
        self.response()
            .is_some_and(|response| match response.status {
                StatusCode::METHOD_NOT_ALLOWED => true,
                StatusCode::BAD_REQUEST => response.message.starts_with("UNSUPPORTED"),
                _ => false,
            })
    }

    /// How long the registry wants us to wait, if it says so.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NotFound(_) => None,
            _ => self.response()?.retry_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expected: &str, transient: bool) {
        let status = StatusCode::from_u16(status).unwrap();
        let message = message(status, body.as_bytes());
        assert_eq!(
            (message.as_str(), is_transient(status, &message)),
            (expected, transient)
        );
    }

    #[test]
    fn registry_message_is_kept() {
        check(
            403,
            r#"{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}"#,
            "DENIED: permission_denied: write_package",
            false,
        );
        check(
            404,
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#,
            "MANIFEST_UNKNOWN",
            false,
        );
        check(502, "<!DOCTYPE html><html>", "Bad Gateway", true);
        check(401, "", "Unauthorized", false);
        check(
            429,
            "toomanyrequests: slow down",
            "toomanyrequests: slow down",
            true,
        );
    }

    #[test]
    fn rate_limit_reported_as_denial_is_transient() {
        let body = r#"{"errors":[{"code":"DENIED","message":"permission_denied: You have exceeded a secondary rate limit"}]}"#;
        check(
            403,
            body,
            "DENIED: permission_denied: You have exceeded a secondary rate limit",
            true,
        );
        check(
            404,
            r#"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":"x"}]}"#,
            "BLOB_UPLOAD_UNKNOWN: x",
            true,
        );
    }
}
