//! Evidence of when a statement was signed: an entry of Rekor v1, or an RFC 3161 timestamp.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use reqwest::header::LOCATION;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::deadline::Deadline;
use crate::sigstore::error::ServiceError;
use crate::sigstore::http::{Answer, Call, Http, Service};

const ENTRIES: &str = "/api/v1/log/entries";
/// The tag of a DER `SEQUENCE`, with which `TimeStampResp` starts.
const SEQUENCE: u8 = 0x30;

/// An entry, by its UUID (<https://github.com/sigstore/rekor/blob/main/openapi.yaml>).
type Entries = HashMap<String, Entry>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    body: String,
    integrated_time: u64,
    #[serde(rename = "logID")]
    log_id: String,
    log_index: u64,
    verification: Verification,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verification {
    inclusion_proof: InclusionProof,
    signed_entry_timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InclusionProof {
    checkpoint: String,
    hashes: Vec<String>,
    log_index: u64,
    root_hash: String,
    tree_size: u64,
}

/// The answer to a new entry.
enum Added {
    Entry(Value),
    /// It exists, for example because the first answer was lost.
    Exists(String),
}

/// Adds an envelope to the log; the entry in the form of a bundle.
pub(super) async fn log_entry(
    http: &Http,
    rekor: &Service,
    envelope: &Value,
    certificate_pem: &str,
    deadline: Deadline,
) -> Result<Value, ServiceError> {
    let body = json!({
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": { "proposedContent": {
            "envelope": envelope.to_string(),
            "verifiers": [STANDARD.encode(certificate_pem)],
        } },
    });
    let call = Call::post(rekor, ENTRIES, &body).accepting(StatusCode::CONFLICT);
    match http.send(&call, deadline, added).await? {
        Added::Entry(entry) => Ok(entry),
        Added::Exists(uuid) => {
            let call = Call::get(rekor, format!("{ENTRIES}/{uuid}"));
            http.send(&call, deadline, entry).await
        }
    }
}

fn added(answer: &Answer) -> Option<Added> {
    if answer.status != StatusCode::CONFLICT {
        return entry(answer).map(Added::Entry);
    }
    let location = answer.header(LOCATION)?;
    let uuid = location.rsplit('/').next()?;
    let is_hex = !uuid.is_empty() && uuid.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| Added::Exists(uuid.to_owned()))
}

/// The only entry of an answer, in the form of a bundle: bytes in base64, numbers as text
/// (<https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_rekor.proto>).
fn entry(answer: &Answer) -> Option<Value> {
    let entries: Entries = serde_json::from_slice(&answer.body).ok()?;
    let entry = entries.into_values().next()?;
    let proof = entry.verification.inclusion_proof;
    let hashes: Option<Vec<String>> = proof.hashes.iter().map(|hash| base64(hash)).collect();
    Some(json!({
        "logIndex": entry.log_index.to_string(),
        "logId": { "keyId": base64(&entry.log_id)? },
        "kindVersion": { "kind": "dsse", "version": "0.0.1" },
        "integratedTime": entry.integrated_time.to_string(),
        "inclusionPromise": { "signedEntryTimestamp": entry.verification.signed_entry_timestamp },
        "inclusionProof": {
            "logIndex": proof.log_index.to_string(),
            "rootHash": base64(&proof.root_hash)?,
            "treeSize": proof.tree_size.to_string(),
            "hashes": hashes?,
            "checkpoint": { "envelope": proof.checkpoint },
        },
        "canonicalizedBody": entry.body,
    }))
}

/// Hexadecimal digits as base64.
fn base64(hex: &str) -> Option<String> {
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    let pairs = (0..hex.len()).step_by(2);
    let bytes: Result<Vec<u8>, _> = pairs
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16))
        .collect();
    bytes.ok().map(|bytes| STANDARD.encode(bytes))
}

/// A timestamp over a signature: `TimeStampResp` in DER form
/// (<https://github.com/sigstore/timestamp-authority/blob/main/openapi.yaml>).
pub(super) async fn timestamp(
    http: &Http,
    authority: &Service,
    signature: &[u8],
    deadline: Deadline,
) -> Result<Vec<u8>, ServiceError> {
    let hash = digest(&SHA256, signature);
    let body = json!({ "artifactHash": STANDARD.encode(hash), "hashAlgorithm": "sha256" });
    let call = Call::post(authority, "/api/v1/timestamp", &body);
    http.send(&call, deadline, |answer| {
        let is_der = answer.body.first() == Some(&SEQUENCE);
        is_der.then(|| answer.body.clone())
    })
    .await
}
