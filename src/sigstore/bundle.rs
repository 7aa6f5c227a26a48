//! `Bundle`: a signed statement with everything that verifies it
//! (<https://docs.sigstore.dev/about/bundle/>), version 0.3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::sigstore::certificate::Certificate;

/// The media type of a bundle.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The type of the payload of an envelope.
pub(super) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A bundle that this run made.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    json: Value,
    /// The intermediate certificates and the root, as Fulcio answered (DER).
    pub(super) issuers: Vec<Vec<u8>>,
    log_index: Option<String>,
}

impl Bundle {
    /// An empty `entry` or `timestamp` is left out, as `actions/attest` does.
    pub(super) fn new(
        certificate: &Certificate,
        envelope: &Value,
        entry: Option<Value>,
        timestamp: Option<Vec<u8>>,
    ) -> Self {
        let leaf = STANDARD.encode(certificate.leaf());
        let index = entry.as_ref().and_then(|entry| entry["logIndex"].as_str());
        let log_index = index.map(str::to_owned);
        let mut material = Map::new();
        material.insert("certificate".to_owned(), json!({ "rawBytes": leaf }));
        if let Some(entry) = entry {
            material.insert("tlogEntries".to_owned(), json!([entry]));
        }
        let timestamps = timestamp.map_or_else(
            || json!({}),
            |der| json!({ "rfc3161Timestamps": [{ "signedTimestamp": STANDARD.encode(der) }] }),
        );
        material.insert("timestampVerificationData".to_owned(), timestamps);
        let json = json!({
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": material,
            "dsseEnvelope": envelope,
        });
        let issuers = certificate.chain[1..].to_vec();
        Self {
            json,
            issuers,
            log_index,
        }
    }

    /// One line of JSON.
    pub(crate) fn to_json(&self) -> String {
        self.json.to_string()
    }

    #[cfg(test)]
    pub(super) fn changed(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.json);
        self
    }

    /// The index of its entry in the transparency log.
    pub(crate) fn log_index(&self) -> Option<&str> {
        self.log_index.as_deref()
    }
}

/// A DSSE envelope with one signature (<https://github.com/secure-systems-lab/dsse/blob/master/envelope.md>).
pub(super) fn envelope(payload: &str, signature: &[u8]) -> Value {
    json!({
        "payload": STANDARD.encode(payload),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{ "sig": STANDARD.encode(signature) }],
    })
}

/// What is signed for a payload: its pre-authentication encoding
/// (<https://github.com/secure-systems-lab/dsse/blob/master/protocol.md#signature-definition>).
pub(super) fn signed_bytes(payload: &str) -> Vec<u8> {
    let (kind, length) = (PAYLOAD_TYPE.len(), payload.len());
    format!("DSSEv1 {kind} {PAYLOAD_TYPE} {length} {payload}").into_bytes()
}
