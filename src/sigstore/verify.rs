//! Verifies bundles against a trusted root, without network.
//!
//! The chain of the certificate, its issuer and identity, the signature, the log entry or timestamp, and the subject are
//! verified by `sigstore-verify`; the claims of the certificate and the predicate type here
//! (<https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md>).

use std::sync::Arc;

use serde_json::Value;
use sigstore_verify::crypto::FulcioCiClaims;
use sigstore_verify::trust_root::{SigstoreInstance, TrustedRoot};
use sigstore_verify::types::bundle::{
    MediaType, SignatureContent, VerificationMaterialContent, X509Certificate,
};
use sigstore_verify::types::{self, DerCertificate, Sha256Hash};
use sigstore_verify::{Error, IdentityMatcher, VerificationPolicy, VerificationResult, Verifier};

use crate::error::Problem;
use crate::image::digest::Digest;
use crate::inputs::attest::AttestInputs;
use crate::sigstore::bundle::{Bundle, PAYLOAD_TYPE};
use crate::sigstore::policy::Policy;
use crate::sigstore::provider;
use crate::sigstore::refusal::{Refusal, refusal, require};
use crate::vars::Vars;
use crate::workspace::Workspace;

/// What an attestation must be about, and who must have signed it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    pub(crate) digest: &'a Digest,
    pub(crate) predicate_type: &'a str,
    pub(crate) policy: &'a Policy,
}

/// An attestation that is valid.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verified {
    /// The workflow that signed.
    pub(crate) identity: String,
    /// `https://github.com/OWNER/REPO` of the source, if the certificate names it.
    pub(crate) repository: Option<String>,
    /// The git ref of the source.
    pub(crate) git_ref: Option<String>,
    /// The commit of the source.
    pub(crate) commit: Option<String>,
    /// When it was signed, RFC 3339: the earliest verified time.
    pub(crate) signed_at: String,
    /// The statement.
    pub(crate) statement: Value,
}

/// In KiB; the root of the public-good instance has 7.
const MAX_ROOT_KIB: u64 = 1024;

/// Certificates and keys that are trusted, and what a bundle must contain.
#[derive(Clone)]
pub(crate) struct Root {
    verifier: Arc<Verifier>,
    /// Whether an entry in a transparency log is required.
    pub(super) log: bool,
    /// Whether the certificate must be in a certificate transparency log.
    sct: bool,
}

impl Root {
    /// The public-good instance: with log.
    pub(crate) fn public_good() -> Self {
        Self::embedded(SigstoreInstance::PublicGood)
    }

    /// The instance of GitHub for private repositories: timestamps only.
    pub(crate) fn github() -> Self {
        Self::embedded(SigstoreInstance::GitHub)
    }

    /// The embedded root that a bundle needs: only the public-good instance has a log.
    pub(crate) fn embedded_for(bundle: &str) -> Result<Self, Refusal> {
        let entries = parse(bundle)?.verification_material.tlog_entries;
        Ok(if entries.is_empty() {
            Self::github()
        } else {
            Self::public_good()
        })
    }

    fn embedded(instance: SigstoreInstance) -> Self {
        provider::install();
        let root = TrustedRoot::from_embedded(instance);
        let root = root.map(|root| Self::new(&root));
        root.expect("an embedded root is JSON")
            .expect("an embedded root is valid")
    }

    /// The root in the file of the input `trusted-root`, none if the input is not set. The file has at most 1 MiB.
    ///
    /// # Errors
    ///
    /// If the file is not in the workspace, cannot be read, or is not a trusted root.
    pub(crate) fn of_input(inputs: &AttestInputs, vars: &Vars) -> anyhow::Result<Option<Self>> {
        let Some(path) = &inputs.trusted_root else {
            return Ok(None);
        };
        let json = Workspace(vars.workspace()).read("trusted-root", path, MAX_ROOT_KIB)?;
        Ok(Some(Self::given(&String::from_utf8_lossy(&json))?))
    }

    /// The text of a `trusted_root.json`. Logs are required if it lists some, as `gh attestation verify` does.
    pub(crate) fn given(json: &str) -> Result<Self, Problem> {
        provider::install();
        let root = TrustedRoot::from_json(json).map_err(|error| error.to_string());
        let root = root.and_then(|root| Self::new(&root).map_err(|error| error.to_string()));
        root.map_err(|because| {
            let what = "invalid trusted root in the input `trusted-root`";
            let fix = "set it to a file with the JSON of a Sigstore trusted root";
            Problem::new(what, fix).because(because)
        })
    }

    fn new(root: &TrustedRoot) -> Result<Self, Error> {
        Ok(Self {
            verifier: Arc::new(Verifier::new(root)?),
            log: !root.tlogs.is_empty(),
            sct: !root.ctlogs.is_empty(),
        })
    }

    /// The same for an instance without log: a timestamp is enough.
    pub(crate) fn without_log(self) -> Self {
        Self {
            log: false,
            sct: false,
            ..self
        }
    }

    /// Verifies the text of a bundle.
    pub(crate) fn verify(&self, bundle: &str, expected: &Expected) -> Result<Verified, Refusal> {
        self.verify_parsed(&parse(bundle)?, expected)
    }

    /// Verifies a bundle that this run made. The intermediate certificates that Fulcio sent along are used, because
    /// they change more often than the root. The last certificate is usually the root: it is used only if the chain is not
    /// complete without it, because an unknown root among them is refused for its purpose and not as unknown.
    pub(crate) fn verify_own(
        &self,
        bundle: &Bundle,
        expected: &Expected,
    ) -> Result<Verified, Refusal> {
        let issuers = &bundle.issuers;
        let intermediates = issuers.split_last().map_or(&[][..], |(_root, rest)| rest);
        match self.verify_with(bundle, intermediates, expected) {
            Err(unknown @ Refusal::UnknownRoot(_)) => {
                let verified = self.verify_with(bundle, issuers, expected);
                verified.map_err(|_refusal| unknown)
            }
            verified => verified,
        }
    }

    fn verify_with(
        &self,
        bundle: &Bundle,
        issuers: &[Vec<u8>],
        expected: &Expected,
    ) -> Result<Verified, Refusal> {
        let mut parsed = parse(&bundle.to_json())?;
        if let Some(leaf) = parsed.signing_certificate() {
            let issuers = issuers.iter().cloned().map(DerCertificate::new);
            let chain = std::iter::once(leaf.clone()).chain(issuers);
            let certificates = chain.map(X509Certificate::new).collect();
            // Version 0.3 has no place for them.
            parsed.media_type = MediaType::Bundle0_2;
            parsed.verification_material.content =
                VerificationMaterialContent::X509CertificateChain { certificates };
        }
        self.verify_parsed(&parsed, expected)
    }

    fn verify_parsed(
        &self,
        bundle: &types::Bundle,
        expected: &Expected,
    ) -> Result<Verified, Refusal> {
        let (policy, statement) = (expected.policy, statement(bundle)?);
        let result = self.verify_by(bundle, expected, &self.rules(policy))?;
        verified(&result, policy, statement)
    }

    /// Verifies the bundle by `rules`, its digest and its predicate type.
    pub(super) fn verify_by(
        &self,
        bundle: &types::Bundle,
        expected: &Expected,
        rules: &impl sigstore_verify::Policy,
    ) -> Result<VerificationResult, Refusal> {
        let statement = statement(bundle)?;
        let digest = Sha256Hash::from_hex(expected.digest.hex());
        let digest = digest.map_err(|error| Refusal::Invalid(error.to_string()))?;
        let result = self.verifier.verify(digest, bundle, rules);
        let result = result.map_err(|error| refusal(&error))?;
        let found = statement["predicateType"].as_str();
        require("predicate type", expected.predicate_type, found)?;
        Ok(result)
    }

    pub(super) fn rules(&self, policy: &Policy) -> VerificationPolicy {
        let mut rules = VerificationPolicy::any_identity().require_issuer(&policy.issuer);
        if let Some(identity) = &policy.identity {
            rules = rules.require_identity(IdentityMatcher::Uri(identity.clone()));
        }
        if !self.log {
            rules = rules.skip_tlog_unsafe();
        }
        if !self.sct {
            rules = rules.skip_sct();
        }
        rules
    }
}

pub(super) fn parse(bundle: &str) -> Result<types::Bundle, Refusal> {
    let parsed = types::Bundle::from_json(bundle);
    parsed.map_err(|error| Refusal::Invalid(format!("not a Sigstore bundle: {error}")))
}

/// The statement in a bundle, which is not verified yet.
pub(super) fn statement(bundle: &types::Bundle) -> Result<Value, Refusal> {
    let SignatureContent::DsseEnvelope(envelope) = &bundle.content else {
        let what = "the bundle contains a signature, not an attestation";
        return Err(Refusal::Invalid(what.to_owned()));
    };
    require("payload type", PAYLOAD_TYPE, Some(&envelope.payload_type))?;
    serde_json::from_slice(envelope.payload.as_bytes())
        .map_err(|error| Refusal::Invalid(format!("the statement is not JSON: {error}")))
}

fn verified(
    result: &VerificationResult,
    policy: &Policy,
    statement: Value,
) -> Result<Verified, Refusal> {
    let identity = result.identity().map(|identity| identity.as_str());
    let identity = identity.unwrap_or_default().to_owned();
    let none = FulcioCiClaims::default();
    let claims = result.certificate().map_or(&none, |info| &info.ci_claims);
    policy.check(&identity, claims)?;
    let signed_at = result.verified_timestamps().iter().min();
    Ok(Verified {
        identity,
        repository: claims.source_repository_uri.clone(),
        git_ref: claims.source_repository_ref.clone(),
        commit: claims.source_repository_digest.clone(),
        signed_at: signed_at.map(ToString::to_string).unwrap_or_default(),
        statement,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_roots_are_valid() {
        let (public, github) = (Root::public_good(), Root::github());
        assert!(public.log && public.sct && !github.log && !github.sct);
    }

    #[test]
    fn an_invalid_root_is_explained() {
        for json in ["", "{}", "[1]"] {
            assert!(Root::given(json).is_err(), "{json}");
        }
    }
}
