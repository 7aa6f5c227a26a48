//! A timestamp authority: RFC 3161 over JSON, as timestamp-authority serves it
//! (<https://github.com/sigstore/timestamp-authority/blob/v2.1.3/openapi.yaml>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CustomExtension, KeyPair, SerialNumber, date_time_ymd};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::EcdsaKeyPair;
use serde_json::Value;
use std::io;
use std::time::Duration;
use yasna::models::ObjectIdentifier;
use yasna::tags::TAG_GENERALIZEDTIME;
use yasna::{DERWriter, DERWriterSeq, Tag, construct_der};

use super::authority::{Issuer, leaf, raw, root, sign, signer, subject, unique};
use super::{Served, bad, internal};
use crate::clock::now;
use crate::http::response::Response;

const LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
const SERIAL: u64 = 4711;

const SIGNED_DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 2];
const TST_INFO: &[u64] = &[1, 2, 840, 113_549, 1, 9, 16, 1, 4];
const CONTENT_TYPE: &[u64] = &[1, 2, 840, 113_549, 1, 9, 3];
const MESSAGE_DIGEST: &[u64] = &[1, 2, 840, 113_549, 1, 9, 4];
const SIGNING_CERTIFICATE_V2: &[u64] = &[1, 2, 840, 113_549, 1, 9, 16, 2, 47];
const SHA_256: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 2, 1];
const ECDSA_WITH_SHA_256: &[u64] = &[1, 2, 840, 10045, 4, 3, 2];
const ORGANIZATION: &[u64] = &[2, 5, 4, 10];
const COMMON_NAME: &[u64] = &[2, 5, 4, 3];
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
const TIME_STAMPING: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 8];
const POLICY: &[u64] = &[1, 3, 6, 1, 4, 1, 57264, 2];

pub(super) struct TimestampAuthority {
    root: Issuer,
    root_name: String,
    certificate: Vec<u8>,
    key: EcdsaKeyPair,
}

impl TimestampAuthority {
    pub(super) fn new() -> io::Result<Self> {
        let root_name = unique("Timestamp root")?;
        let root = root(&root_name)?;
        let pair = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = leaf(LIFE)?;
        params.custom_extensions = vec![purpose()];
        params.distinguished_name = subject("Timestamp authority");
        params.serial_number = Some(SerialNumber::from(SERIAL));
        let certificate = params.signed_by(&pair, &root).map_err(io::Error::other)?;
        Ok(Self {
            root,
            root_name,
            certificate: certificate.der().to_vec(),
            key: signer(pair.serialized_der())?,
        })
    }

    /// Its chain for a trusted root.
    pub(super) fn trusted(&self) -> Vec<Value> {
        vec![raw(&self.certificate), raw(self.root.der())]
    }

    /// Answers `POST /api/v1/timestamp`.
    pub(super) fn stamp(&self, body: &[u8]) -> Served {
        let request: Value = serde_json::from_slice(body).map_err(|_why| bad("invalid JSON"))?;
        if request["hashAlgorithm"] != "sha256" {
            return Err(bad("invalid hash algorithm"));
        }
        let hash = STANDARD.decode(request["artifactHash"].as_str().unwrap_or_default());
        let hash = hash.map_err(|_why| bad("invalid artifact hash"))?;
        if hash.len() != 32 {
            return Err(bad("hash length does not match algorithm"));
        }
        let token = self.token(&info(&hash).map_err(internal)?);
        let token = token.map_err(internal)?;
        let response = construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer
                    .next()
                    .write_sequence(|status| status.next().write_i64(0));
                writer.next().write_der(&token);
            });
        });
        let media_type = "application/timestamp-reply";
        let response = Response::new(201).body(response);
        Ok(response.header("content-type", media_type))
    }

    /// `ContentInfo` with `SignedData` (<https://www.rfc-editor.org/rfc/rfc5652#section-5.1>).
    fn token(&self, info: &[u8]) -> io::Result<Vec<u8>> {
        let attributes = self.attributes(info);
        let signature = sign(&self.key, &attributes)?;
        Ok(construct_der(|writer| {
            writer.write_sequence(|writer| {
                oid(writer.next(), SIGNED_DATA);
                writer.next().write_tagged(Tag::context(0), |writer| {
                    writer.write_sequence(|writer| {
                        writer.next().write_i64(3);
                        writer
                            .next()
                            .write_set(|set| algorithm(set.next(), SHA_256));
                        writer.next().write_sequence(|content| {
                            oid(content.next(), TST_INFO);
                            let content = content.next();
                            content.write_tagged(Tag::context(0), |bytes| bytes.write_bytes(info));
                        });
                        writer.next().write_set(|set| {
                            set.next().write_sequence(|writer| {
                                signer_info(writer, &self.root_name, &attributes, &signature);
                            });
                        });
                    });
                });
            });
        }))
    }

    /// The signed attributes, as a `SET OF`.
    fn attributes(&self, info: &[u8]) -> Vec<u8> {
        let certificate = digest(&SHA256, &self.certificate);
        let info = digest(&SHA256, info);
        construct_der(|writer| {
            writer.write_set_of(|set| {
                attribute(set.next(), CONTENT_TYPE, |value| oid(value, TST_INFO));
                attribute(set.next(), MESSAGE_DIGEST, |value| {
                    value.write_bytes(info.as_ref());
                });
                attribute(set.next(), SIGNING_CERTIFICATE_V2, |value| {
                    value.write_sequence(|value| {
                        value.next().write_sequence(|ids| {
                            ids.next().write_sequence(|id| {
                                id.next().write_bytes(certificate.as_ref());
                            });
                        });
                    });
                });
            });
        })
    }
}

/// Time stamping as the only purpose, which must be critical (<https://www.rfc-editor.org/rfc/rfc3161#section-2.3>).
fn purpose() -> CustomExtension {
    let content =
        construct_der(|writer| writer.write_sequence(|list| oid(list.next(), TIME_STAMPING)));
    let mut extension = CustomExtension::from_oid_content(EXTENDED_KEY_USAGE, content);
    extension.set_criticality(true);
    extension
}

/// `SignerInfo` (<https://www.rfc-editor.org/rfc/rfc5652#section-5.3>).
fn signer_info(writer: &mut DERWriterSeq, issuer_name: &str, attributes: &[u8], signature: &[u8]) {
    writer.next().write_i64(1);
    writer.next().write_sequence(|id| {
        id.next().write_sequence(|issuer| {
            name(issuer.next(), ORGANIZATION, "ghcr-double");
            name(issuer.next(), COMMON_NAME, issuer_name);
        });
        id.next().write_u64(SERIAL);
    });
    algorithm(writer.next(), SHA_256);
    // `[0] IMPLICIT` in place of the tag of the set.
    let mut implicit = attributes.to_vec();
    implicit[0] = 0xa0;
    writer.next().write_der(&implicit);
    algorithm(writer.next(), ECDSA_WITH_SHA_256);
    writer.next().write_bytes(signature);
}

/// `TSTInfo` for a hash, with the time of now (<https://www.rfc-editor.org/rfc/rfc3161#section-2.4.2>).
fn info(hash: &[u8]) -> io::Result<Vec<u8>> {
    let mut serial = [0; 8];
    let random = SystemRandom::new().fill(&mut serial);
    random.map_err(|_unspecified| io::Error::other("no random bytes"))?;
    let time = generalized_time()?;
    Ok(construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_i64(1);
            oid(writer.next(), POLICY);
            writer.next().write_sequence(|imprint| {
                algorithm(imprint.next(), SHA_256);
                imprint.next().write_bytes(hash);
            });
            writer.next().write_bigint_bytes(&serial, true);
            let tag = TAG_GENERALIZEDTIME;
            let writer = writer.next();
            writer.write_tagged_implicit(tag, |writer| writer.write_bytes(time.as_bytes()));
        });
    }))
}

fn generalized_time() -> io::Result<String> {
    let time = date_time_ymd(1970, 1, 1) + Duration::from_secs(now()?.as_secs());
    let (date, clock) = (
        (time.year(), u8::from(time.month()), time.day()),
        (time.hour(), time.minute(), time.second()),
    );
    Ok(format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}Z",
        date.0, date.1, date.2, clock.0, clock.1, clock.2
    ))
}

fn oid(writer: DERWriter, numbers: &[u64]) {
    writer.write_oid(&ObjectIdentifier::from_slice(numbers));
}

fn algorithm(writer: DERWriter, numbers: &[u64]) {
    writer.write_sequence(|writer| oid(writer.next(), numbers));
}

fn attribute(writer: DERWriter, kind: &[u64], value: impl FnOnce(DERWriter)) {
    writer.write_sequence(|writer| {
        oid(writer.next(), kind);
        writer.next().write_set(|set| value(set.next()));
    });
}

/// One name of a distinguished name.
fn name(writer: DERWriter, kind: &[u64], text: &str) {
    writer.write_set(|set| {
        set.next().write_sequence(|writer| {
            oid(writer.next(), kind);
            writer.next().write_utf8_string(text);
        });
    });
}
