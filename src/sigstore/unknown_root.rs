//! What is verified of an attestation that this run made if the root does not contain its authorities: all but what only
//! they can vouch for.

use std::fmt;
use std::ops::RangeInclusive;

use sigstore_verify::crypto::{CertificateInfo, VerificationKey, parse_certificate_info};
use sigstore_verify::types::{Bundle as Parsed, SignatureContent};

use crate::sigstore::bundle::Bundle;
use crate::sigstore::refusal::{Refusal, require};
use crate::sigstore::verify::{Expected, Root, parse, statement};

/// What was not verified. Its text completes the sentence "not verified: ...".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unverified {
    pub(super) what: &'static str,
    why: String,
}

/// Who issued the certificate.
pub(super) const CHAIN: &str = "the chain of its certificate";
/// The same, and when the statement was signed.
pub(super) const CHAIN_AND_TIME: &str = "the chain of its certificate and its timestamp";

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, why } = self;
        write!(
            f,
            "{what}, because this version does not know the authority ({why})"
        )
    }
}

impl Root {
    /// Verifies a bundle that this run made. If its authorities may be newer than this root and are not in it, only the chain
    /// of the certificate is not verified, and the timestamp if its authority is unknown.
    pub(crate) fn verify_new(
        &self,
        bundle: &Bundle,
        expected: &Expected,
        may_be_newer: bool,
    ) -> Result<Option<Unverified>, Refusal> {
        match self.verify_own(bundle, expected) {
            Err(Refusal::UnknownRoot(why)) if may_be_newer => {
                let what = self.verify_without_chain(bundle, expected)?;
                Ok(Some(Unverified { what, why }))
            }
            verified => verified.map(|_verified| None),
        }
    }

    /// Verifies signature, identity, issuer, claims, digest and predicate type. A timestamp of an authority in the root must be
    /// valid and within the life of the certificate. A log that is required must be known. Returns what was not verified.
    fn verify_without_chain(
        &self,
        bundle: &Bundle,
        expected: &Expected,
    ) -> Result<&'static str, Refusal> {
        let parsed = parse(&bundle.to_json())?;
        let certificate = certificate(&parsed)?;
        let rules = self.rules(expected.policy).skip_certificate_chain();
        let unverified = match self.verify_by(&parsed, expected, &rules) {
            Ok(result) => {
                let life = certificate.not_before..=certificate.not_after;
                require_within(&life, result.verified_timestamps())?;
                CHAIN
            }
            Err(Refusal::UnknownRoot(_)) if !self.log => {
                verify_by_key(&parsed, &certificate, expected)?;
                CHAIN_AND_TIME
            }
            Err(refusal) => return Err(refusal),
        };
        let identity = identity(&certificate).unwrap_or_default();
        expected.policy.check(identity, &certificate.ci_claims)?;
        Ok(unverified)
    }
}

/// Verifies the statement with the key of the certificate, and who the certificate names.
fn verify_by_key(
    bundle: &Parsed,
    certificate: &CertificateInfo,
    expected: &Expected,
) -> Result<(), Refusal> {
    let statement = statement(bundle)?;
    verify_signature(bundle, certificate)?;
    let subjects = statement["subject"].as_array().into_iter().flatten();
    let mut digests = subjects.filter_map(|subject| subject["digest"]["sha256"].as_str());
    if !digests.any(|digest| digest == expected.digest.hex()) {
        let why = format!("the statement is not about {}", expected.digest);
        return Err(Refusal::Invalid(why));
    }
    let (found, policy) = (statement["predicateType"].as_str(), expected.policy);
    require("predicate type", expected.predicate_type, found)?;
    require("issuer", &policy.issuer, certificate.issuer.as_deref())?;
    let wanted = policy.identity.as_deref();
    wanted.map_or(Ok(()), |wanted| {
        require("identity", wanted, identity(certificate))
    })
}

fn verify_signature(bundle: &Parsed, certificate: &CertificateInfo) -> Result<(), Refusal> {
    let SignatureContent::DsseEnvelope(envelope) = &bundle.content else {
        let what = "the bundle contains no statement";
        return Err(Refusal::Invalid(what.to_owned()));
    };
    let key = VerificationKey::from_spki(&certificate.public_key);
    let verified = key.and_then(|key| key.verify(envelope.pae(), &envelope.signature.sig));
    verified.map_err(|error| Refusal::Invalid(format!("invalid signature: {error}")))
}

/// Compares the times of the signature with the life of the certificate: `sigstore-verify` does it with the chain only.
fn require_within<T: PartialOrd>(life: &RangeInclusive<T>, times: &[T]) -> Result<(), Refusal> {
    if times.iter().all(|time| life.contains(time)) {
        return Ok(());
    }
    let why = "it was signed when its certificate was not valid";
    Err(Refusal::Invalid(why.to_owned()))
}

fn certificate(bundle: &Parsed) -> Result<CertificateInfo, Refusal> {
    let leaf = bundle.signing_certificate();
    let leaf = leaf.ok_or_else(|| Refusal::Invalid("the bundle has no certificate".to_owned()))?;
    parse_certificate_info(leaf).map_err(|error| Refusal::Invalid(error.to_string()))
}

fn identity(certificate: &CertificateInfo) -> Option<&str> {
    certificate.identity.as_ref().map(|name| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_within_the_life_of_the_certificate() {
        for (times, expected) in [
            (vec![10, 20], true),
            (vec![9, 15], false),
            (vec![15, 21], false),
        ] {
            assert_eq!(require_within(&(10..=20), &times).is_ok(), expected);
        }
    }
}
