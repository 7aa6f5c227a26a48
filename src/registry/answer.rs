//! Status and body of a registry's answer -> success, another try, or a failure with its reason.

use std::error::Error as _;
use std::time::Duration;
use std::{fmt, io};

use reqwest::StatusCode;
use rustls::InvalidMessage;
use serde::Deserialize;

use crate::oci_layout::LayoutError;
use crate::registry::{PERMANENT_AFTER, catalogue};

/// Why a call did not succeed.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The registry refuses: who we are, or what we may do.
    Denied {
        host: String,
        status: StatusCode,
        said: String,
        /// How long the registry wants us to wait.
        asked: Option<Duration>,
    },
    /// Nothing is there under this name.
    NotFound { host: String, said: String },
    /// Any other answer that is no success.
    Unexpected {
        host: String,
        status: StatusCode,
        said: String,
        asked: Option<Duration>,
    },
    /// No answer at all.
    Unreachable {
        host: String,
        reach: Reach,
        source: anyhow::Error,
    },
    /// The answer is not what it should be, for example bytes of another digest.
    Broken { host: String, what: String },
}

/// How far a request came that was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nobody is there: no such host, or nothing listens.
    Nobody,
    /// The server answers the TLS handshake with something else, as one that speaks plain HTTP does.
    WithoutTls,
    /// The server's certificate is not one that we trust.
    Untrusted,
    /// There is somebody, but the connection broke or took too long.
    Interrupted,
}

impl Reach {
    pub(super) fn of(error: &reqwest::Error) -> Self {
        match tls_error(error) {
            Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
                return Self::WithoutTls;
            }
            Some(rustls::Error::InvalidCertificate(_)) => return Self::Untrusted,
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
            Self::Nobody
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

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied {
                host, status, said, ..
            }
            | Self::Unexpected {
                host, status, said, ..
            } => {
                write!(f, "{host} answered {} {said}", status.as_u16())
            }
            Self::NotFound { host, said } => write!(f, "{host} answered 404 {said}"),
            Self::Unreachable { host, source, .. } => {
                write!(f, "{host} does not answer: {source:#}")
            }
            Self::Broken { host, what } => write!(f, "{host} {what}"),
        }
    }
}

impl std::error::Error for Trouble {}

impl From<LayoutError> for Trouble {
    fn from(LayoutError { title, what }: LayoutError) -> Self {
        Self::Broken { host: title, what }
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

/// The registry's own words: `CODE: message`, or the beginning of a body in another form.
pub(super) fn said(status: StatusCode, body: &[u8]) -> String {
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

/// Codes that mean "not yet" while our own push is under way.
const TRANSIENT_CODES: &[&str] = &[
    "BLOB_UPLOAD_UNKNOWN",
    "BLOB_UNKNOWN",
    "MANIFEST_BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "DIGEST_INVALID",
];

/// Whether the same call may succeed a little later.
pub(super) fn is_transient(status: StatusCode, said: &str) -> bool {
    match status.as_u16() {
        408 | 425 | 429 | 499 | 500..=599 => true,
        // GitHub's secondary limit comes in the clothes of a denial.
        403 => catalogue::is_passing(said),
        400 | 404 => TRANSIENT_CODES.iter().any(|code| said.starts_with(code)),
        _ => false,
    }
}

impl Trouble {
    /// The registry's words, when it answered.
    pub(crate) fn said(&self) -> &str {
        match self {
            Self::Denied { said, .. }
            | Self::NotFound { said, .. }
            | Self::Unexpected { said, .. } => said,
            Self::Unreachable { .. } | Self::Broken { .. } => "",
        }
    }

    /// Whether the same call may succeed a little later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Denied { status, said, .. } | Self::Unexpected { status, said, .. } => {
                is_transient(*status, said)
            }
            Self::NotFound { said, .. } => is_transient(StatusCode::NOT_FOUND, said),
            Self::Unreachable { .. } => !self.is_permanent(),
            Self::Broken { .. } => false,
        }
    }

    /// Whether the registry refuses connections, or its host is not found.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::Unreachable {
                reach: Reach::Nobody,
                ..
            }
        )
    }

    /// Whether to try again after so many tries.
    pub(crate) fn deserves_retry(&self, tries: u32) -> bool {
        self.is_passing() || (self.is_permanent() && tries < PERMANENT_AFTER)
    }

    /// Whether it is a mistake in the setup when it happens again.
    pub(super) fn is_permanent(&self) -> bool {
        matches!(
            self,
            Self::Unreachable {
                reach: Reach::WithoutTls | Reach::Untrusted,
                ..
            }
        )
    }

    /// Whether a conditional write was refused: the tag has moved since it was read.
    pub(crate) fn is_overtaken(&self) -> bool {
        matches!(
            self,
            Self::Unexpected {
                status: StatusCode::PRECONDITION_FAILED,
                ..
            }
        )
    }

    /// How long the registry wants us to wait, if it says so.
    pub(crate) fn asked(&self) -> Option<Duration> {
        match self {
            Self::Denied { asked, .. } | Self::Unexpected { asked, .. } => *asked,
            Self::NotFound { .. } | Self::Unreachable { .. } | Self::Broken { .. } => None,
        }
    }

    pub(super) fn of(
        host: &str,
        status: StatusCode,
        said: String,
        asked: Option<Duration>,
    ) -> Self {
        let host = host.to_owned();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Denied {
                host,
                status,
                said,
                asked,
            },
            StatusCode::NOT_FOUND => Self::NotFound { host, said },
            _ => Self::Unexpected {
                host,
                status,
                said,
                asked,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expected: &str, transient: bool) {
        let status = StatusCode::from_u16(status).unwrap();
        let said = said(status, body.as_bytes());
        assert_eq!(
            (said.as_str(), is_transient(status, &said)),
            (expected, transient)
        );
    }

    #[test]
    fn the_registrys_own_words_are_kept() {
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
    fn a_rate_limit_in_the_clothes_of_a_denial_is_transient() {
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
