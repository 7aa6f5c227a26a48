//! `Refusal`: why an attestation is not valid.

use std::fmt;

use sigstore_verify::{CertificateError, Error, TimestampError, TransparencyLogError};

/// Why an attestation is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The trusted root does not contain who issued the certificate, or who vouches for the time. The rest was not
    /// verified.
    UnknownRoot(String),
    /// The attestation is wrong, or it is another one.
    Invalid(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::UnknownRoot(why) | Self::Invalid(why)) = self;
        f.write_str(why)
    }
}

impl std::error::Error for Refusal {}

pub(super) fn require(what: &str, expected: &str, found: Option<&str>) -> Result<(), Refusal> {
    if found == Some(expected) {
        return Ok(());
    }
    let found = found.unwrap_or("none");
    let why = format!("the {what} is {found}, expected {expected}");
    Err(Refusal::Invalid(why))
}

/// Sorts the errors. `sigstore-verify` has no type for some, so that its text decides; the tests compare it.
pub(super) fn refusal(error: &Error) -> Refusal {
    let text = error.to_string();
    let is_unknown = match error {
        Error::Certificate(CertificateError::NoValidAuthority { .. })
        | Error::TransparencyLog(TransparencyLogError::UnknownLog { .. }) => true,
        Error::Certificate(CertificateError::ChainInvalid(_)) => text.contains("UnknownIssuer"),
        Error::TransparencyLog(TransparencyLogError::InclusionPromise(_)) => {
            text.contains("No log key valid")
        }
        Error::Timestamp(TimestampError::Invalid(_)) => {
            text.contains("does not match any trusted TSA certificate")
                || text.contains("no timestamp authorities")
        }
        _ => false,
    };
    if is_unknown {
        Refusal::UnknownRoot(text)
    } else {
        Refusal::Invalid(text)
    }
}
