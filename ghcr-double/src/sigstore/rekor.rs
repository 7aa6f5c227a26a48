//! Rekor v1 with entries of the kind `dsse`; each entry is the only leaf of its tree
//! (<https://github.com/sigstore/rekor/blob/v1.4.2/openapi.yaml>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::KeyPair;
use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_ASN1, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io;

use super::authority::{P256_PREFIX, POINT, sign, signer};
use super::{ENTRIES, Refusal, Served, bad, internal};
use crate::clock::now;
use crate::fault::Effect;
use crate::http::response::Response;

const ORIGIN: &str = "rekor.ghcr-double";

pub(super) struct Rekor {
    key: EcdsaKeyPair,
    public_key: Vec<u8>,
    entries: HashMap<String, Value>,
}

impl Rekor {
    pub(super) fn new() -> io::Result<Self> {
        let pair = KeyPair::generate().map_err(io::Error::other)?;
        let key = signer(pair.serialized_der())?;
        let public_key = [&P256_PREFIX, key.public_key().as_ref()].concat();
        Ok(Self {
            key,
            public_key,
            entries: HashMap::new(),
        })
    }

    /// Its key for a trusted root.
    pub(super) fn trusted(&self, url: &str) -> Value {
        json!({
            "baseUrl": url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": STANDARD.encode(&self.public_key),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": { "start": "2025-01-01T00:00:00Z" },
            },
            "logId": { "keyId": STANDARD.encode(sha256(&self.public_key)) },
        })
    }

    /// Answers `POST /api/v1/log/entries`: 201, or 409 for an entry that exists.
    pub(super) fn add(&mut self, body: &[u8], effect: &Effect) -> Served {
        let body = canonical(body)?;
        let leaf = sha256(&[b"\0", body.as_bytes()].concat());
        let uuid = hex(&leaf);
        let location = format!("{ENTRIES}/{uuid}");
        if self.entries.contains_key(&uuid) {
            let message = format!(
                "an equivalent entry already exists in the transparency log with UUID {uuid}"
            );
            let answer = json!({ "code": 409, "message": message });
            return Ok(Response::json(409, &answer).header("location", location));
        }
        let entry = self.entry(&body, &leaf).map_err(internal)?;
        self.entries.insert(uuid.clone(), entry);
        Ok(self.shown(201, &uuid, effect).header("location", location))
    }

    /// Answers `GET /api/v1/log/entries/<uuid>`.
    pub(super) fn get(&self, path: &str, effect: &Effect) -> Served {
        let uuid = path.rsplit('/').next().unwrap_or_default();
        if !self.entries.contains_key(uuid) {
            return Err(Refusal(404, "entry not found".to_owned()));
        }
        Ok(self.shown(200, uuid, effect))
    }

    fn shown(&self, status: u16, uuid: &str, effect: &Effect) -> Response {
        let mut entry = self.entries[uuid].clone();
        if matches!(effect, Effect::BadInclusion) {
            entry["verification"]["inclusionProof"]["rootHash"] = json!(hex(&sha256(b"another")));
        }
        Response::json(status, &json!({ uuid: entry }))
    }

    fn entry(&self, body: &str, leaf: &[u8]) -> io::Result<Value> {
        let time = now()?.as_secs();
        let index = 4242 + self.entries.len();
        let log_id = sha256(&self.public_key);
        let body = STANDARD.encode(body);
        // The keys are in the order of RFC 8785, as Rekor signs them.
        let promised = json!({
            "body": body, "integratedTime": time, "logID": hex(&log_id), "logIndex": index,
        });
        let promise = sign(&self.key, promised.to_string().as_bytes())?;
        let note = format!("{ORIGIN} - 1\n1\n{}\n", STANDARD.encode(leaf));
        let signature = [&log_id[..4], &sign(&self.key, note.as_bytes())?].concat();
        let checkpoint = format!("{note}\n\u{2014} {ORIGIN} {}\n", STANDARD.encode(signature));
        Ok(json!({
            "body": body, "integratedTime": time, "logID": hex(&log_id), "logIndex": index,
            "verification": {
                "inclusionProof": {
                    "checkpoint": checkpoint, "hashes": [],
                    "logIndex": 0, "rootHash": hex(leaf), "treeSize": 1,
                },
                "signedEntryTimestamp": STANDARD.encode(promise),
            },
        }))
    }
}

/// The body of the entry for a proposed envelope, whose signature must be that of the certificate
/// (<https://github.com/sigstore/rekor/tree/v1.4.2/pkg/types/dsse>).
fn canonical(body: &[u8]) -> Result<String, Refusal> {
    let request: Value = serde_json::from_slice(body).map_err(|_why| bad("invalid JSON"))?;
    if request["kind"] != "dsse" || request["apiVersion"] != "0.0.1" {
        return Err(bad("unsupported kind of entry"));
    }
    let content = &request["spec"]["proposedContent"];
    let envelope = content["envelope"].as_str().unwrap_or_default();
    let verifier = content["verifiers"][0].as_str().unwrap_or_default();
    let parsed: Value = serde_json::from_str(envelope).map_err(|_why| bad("invalid envelope"))?;
    let decode = |value: &Value| STANDARD.decode(value.as_str().unwrap_or_default());
    let payload = decode(&parsed["payload"]).map_err(|_why| bad("invalid payload"))?;
    let kind = parsed["payloadType"].as_str().unwrap_or_default();
    let signature = &parsed["signatures"][0]["sig"];
    let bytes = decode(signature).map_err(|_why| bad("invalid signature"))?;
    let lengths = (kind.len(), payload.len());
    let signed = format!("DSSEv1 {} {kind} {} ", lengths.0, lengths.1);
    let signed = [signed.as_bytes(), &payload].concat();
    let point = point(verifier).ok_or_else(|| bad("invalid verifier"))?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
        .verify(&signed, &bytes)
        .map_err(|_why| bad("could not verify envelope"))?;
    let hash = |bytes: &[u8]| json!({ "algorithm": "sha256", "value": hex(&sha256(bytes)) });
    Ok(json!({
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": {
            "envelopeHash": hash(envelope.as_bytes()),
            "payloadHash": hash(&payload),
            "signatures": [{ "signature": signature, "verifier": verifier }],
        },
    })
    .to_string())
}

/// The point of the P-256 key in a certificate, which is in PEM form and then in base64.
fn point(verifier: &str) -> Option<Vec<u8>> {
    let pem = String::from_utf8(STANDARD.decode(verifier).ok()?).ok()?;
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let der = STANDARD.decode(lines.collect::<String>()).ok()?;
    let mut windows = der.windows(P256_PREFIX.len());
    let at = windows.position(|bytes| bytes == P256_PREFIX)? + P256_PREFIX.len();
    Some(der.get(at..at + POINT)?.to_vec())
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
