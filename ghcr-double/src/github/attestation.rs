//! `Attestation`: a Sigstore bundle with an in-toto statement, as the attestation store reads it (pure).

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::reference::is_digest;

/// A stored attestation.
#[derive(Clone, Debug)]
pub(crate) struct Attestation {
    /// `owner/name`, in lowercase.
    pub(crate) repository: String,
    pub(crate) statement: Statement,
    /// As it was sent.
    pub(crate) bundle: Value,
}

/// What the store reads of the statement in a bundle. Signature and certificate are not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) predicate_type: String,
    /// The digests of the subjects.
    pub(crate) digests: Vec<String>,
}

/// Why a bundle is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// Not a bundle with an in-toto statement that has subjects.
    Bundle,
    /// Two subjects with one digest.
    DuplicateSubject,
}

impl Statement {
    /// Reads the statement of a bundle
    /// (<https://github.com/in-toto/attestation/blob/v1.1.2/spec/v1/statement.md>).
    pub(crate) fn of(bundle: &Value) -> Result<Self, Invalid> {
        let statement = payload(bundle).ok_or(Invalid::Bundle)?;
        let digests = digests(&statement).ok_or(Invalid::Bundle)?;
        let predicate_type = statement["predicateType"].as_str().ok_or(Invalid::Bundle)?;
        let different: HashSet<&String> = digests.iter().collect();
        if different.len() < digests.len() {
            return Err(Invalid::DuplicateSubject);
        }
        Ok(Self {
            predicate_type: predicate_type.to_owned(),
            digests,
        })
    }
}

/// The statement in the envelope.
fn payload(bundle: &Value) -> Option<Value> {
    let media_type = bundle["mediaType"].as_str()?;
    let envelope = &bundle["dsseEnvelope"];
    let is_bundle = media_type.starts_with("application/vnd.dev.sigstore.bundle")
        && bundle["verificationMaterial"].is_object()
        && envelope["payloadType"] == "application/vnd.in-toto+json";
    let payload = envelope["payload"].as_str().filter(|_| is_bundle)?;
    let statement: Value = serde_json::from_slice(&STANDARD.decode(payload).ok()?).ok()?;
    (statement["_type"] == "https://in-toto.io/Statement/v1").then_some(statement)
}

/// `None` unless there are subjects, and each has a digest.
fn digests(statement: &Value) -> Option<Vec<String>> {
    let subjects = statement["subject"].as_array()?;
    let digest = |subject: &Value| {
        let hex = subject["digest"]["sha256"].as_str()?;
        Some(format!("sha256:{hex}")).filter(|digest| is_digest(digest))
    };
    let digests: Option<Vec<String>> = subjects.iter().map(digest).collect();
    digests.filter(|digests| !digests.is_empty())
}
