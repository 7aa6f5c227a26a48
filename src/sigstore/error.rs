//! `ServiceError`: why a service of Sigstore did not do what it was asked for.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;

use crate::error::Problem;
use crate::registry::error::ConnectionFailure;

/// Why a service did not do what it was asked for.
#[derive(Debug)]
pub(crate) struct ServiceError {
    /// Role and host.
    pub(super) service: String,
    pub(super) failure: Failure,
    /// How long the service wants us to wait.
    pub(super) retry_after: Option<Duration>,
}

#[derive(Debug)]
pub(super) enum Failure {
    /// A response that is not a success.
    Answered(StatusCode, String),
    /// No response.
    Unreachable(ConnectionFailure, String),
    /// A success that has not the form of one.
    Invalid(&'static str),
}

impl ServiceError {
    /// The status of the response, if it was no success.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        match self.failure {
            Failure::Answered(status, _) => Some(status),
            Failure::Unreachable(..) | Failure::Invalid(_) => None,
        }
    }

    /// Whether a retry may succeed.
    pub(crate) fn is_transient(&self) -> bool {
        match &self.failure {
            Failure::Answered(status, _) => {
                matches!(status.as_u16(), 408 | 425 | 429 | 500..=599)
            }
            Failure::Unreachable(..) => !self.is_permanent_when_repeated(),
            Failure::Invalid(_) => true,
        }
    }

    /// Whether it is a mistake in the setup when it happens again.
    pub(super) fn is_permanent_when_repeated(&self) -> bool {
        use ConnectionFailure::{PlainHttp, UntrustedCertificate};
        matches!(
            self.failure,
            Failure::Unreachable(PlainHttp | UntrustedCertificate, _)
        )
    }

    /// The error with what failed, and what to do: `refused` if the service refuses.
    pub(super) fn explained(self, what: &str, refused: &str) -> anyhow::Error {
        let fix = if self.is_transient() {
            "run the job again when the service responds, or set a longer `push-timeout`"
        } else {
            refused
        };
        anyhow::Error::new(self).context(Problem::new(what, fix))
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = &self.service;
        match &self.failure {
            Failure::Answered(status, message) => {
                write!(f, "{service} answered {} {message}", status.as_u16())
            }
            Failure::Unreachable(_, cause) => write!(f, "{service} did not respond: {cause}"),
            Failure::Invalid(what) => write!(f, "{service} sent {what}"),
        }
    }
}

impl std::error::Error for ServiceError {}
