//! The signing certificate: Fulcio issues it for a key and a token
//! (<https://github.com/sigstore/fulcio/blob/main/fulcio.proto>).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::deadline::{Deadline, Pace};
use crate::sigstore::error::ServiceError;
use crate::sigstore::http::{Answer, Call, Http, Service};
use crate::sigstore::key::{SigningKey, pem};
use crate::sigstore::oidc::IdToken;

/// A certificate is valid for ten minutes; the log or the timestamp must still come in this time.
const LIFE: Duration = Duration::from_secs(9 * 60);

/// A key with its certificate.
pub(super) struct Certificate {
    pub(super) key: SigningKey,
    /// The certificate, the intermediate ones, and the root, as Fulcio answered (DER).
    pub(super) chain: Vec<Vec<u8>>,
    requested: Instant,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(alias = "signedCertificateDetachedSct")]
    signed_certificate_embedded_sct: Issued,
}

#[derive(Deserialize)]
struct Issued {
    chain: Chain,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<String>,
}

impl Certificate {
    /// Generates a key and asks Fulcio until the deadline passes.
    pub(super) async fn request(
        http: &Http,
        fulcio: &Service,
        token: &IdToken,
        deadline: Deadline,
    ) -> Result<Self, ServiceError> {
        let key = SigningKey::generate();
        let proof = key.sign(token.claims.sub.as_bytes());
        let body = json!({
            "credentials": { "oidcIdentityToken": token.jwt.expose() },
            "publicKeyRequest": {
                "publicKey": { "algorithm": "ECDSA", "content": key.public_pem() },
                "proofOfPossession": STANDARD.encode(proof),
            },
        });
        let call = Call::post(fulcio, "/api/v2/signingCert", &body).hiding(&token.jwt);
        let requested = Instant::now();
        let chain = http.send(&call, deadline, chain).await?;
        Ok(Self {
            key,
            chain,
            requested,
        })
    }

    pub(super) fn leaf(&self) -> &[u8] {
        &self.chain[0]
    }

    pub(super) fn leaf_pem(&self) -> String {
        pem("CERTIFICATE", self.leaf())
    }

    /// How long it can still sign.
    pub(super) fn left(&self, pace: Pace) -> Duration {
        LIFE.saturating_sub(pace.since(self.requested))
    }
}

/// The certificates of an answer, at least one.
fn chain(answer: &Answer) -> Option<Vec<Vec<u8>>> {
    let response: Response = serde_json::from_slice(&answer.body).ok()?;
    let certificates = response.signed_certificate_embedded_sct.chain.certificates;
    let der = |pem: &String| CertificateDer::from_pem_slice(pem.as_bytes());
    let chain: Result<Vec<_>, _> = certificates.iter().map(der).collect();
    let chain: Vec<Vec<u8>> = chain.ok()?.iter().map(|der| der.to_vec()).collect();
    (!chain.is_empty()).then_some(chain)
}
