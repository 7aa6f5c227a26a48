//! `Authority`: a root certificate and what it issues, and the keys that sign what is not a certificate.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

use crate::clock::now;

/// The certificate of a CA, with its key.
pub(super) type Issuer = CertifiedIssuer<'static, KeyPair>;

/// `SubjectPublicKeyInfo` of a P-256 key up to its point (<https://www.rfc-editor.org/rfc/rfc5480#section-2>).
pub(super) const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The length of an uncompressed point.
pub(super) const POINT: usize = 65;

/// A common name that no other double has.
pub(super) fn unique(name: &str) -> io::Result<String> {
    let mut bytes = [0; 4];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_unspecified| io::Error::other("no random bytes"))?;
    Ok(format!("{name} {:08x}", u32::from_be_bytes(bytes)))
}

/// A self-signed root with this common name.
pub(super) fn root(name: &str) -> io::Result<Issuer> {
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let params = authority(name, BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)
}

/// An intermediate CA below `root` for one purpose.
pub(super) fn intermediate(
    name: &str,
    purpose: ExtendedKeyUsagePurpose,
    root: &Issuer,
) -> io::Result<Issuer> {
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let mut params = authority(name, BasicConstraints::Constrained(0));
    params.extended_key_usages = vec![purpose];
    CertifiedIssuer::signed_by(params, key, root).map_err(io::Error::other)
}

fn authority(name: &str, constraints: BasicConstraints) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(name);
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params
}

/// The subject with this common name.
pub(super) fn subject(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, "ghcr-double");
    subject.push(DnType::CommonName, name);
    subject
}

/// A certificate without subject for signatures, valid for `life` from now.
pub(super) fn leaf(life: Duration) -> io::Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.not_before = date_time_ymd(1970, 1, 1) + Duration::from_secs(now()?.as_secs());
    params.not_after = params.not_before + life;
    Ok(params)
}

/// A certificate as trusted roots and bundles show it.
pub(super) fn raw(der: &[u8]) -> Value {
    json!({ "rawBytes": STANDARD.encode(der) })
}

/// A key that signs in DER form, from its PKCS#8 document.
pub(super) fn signer(pkcs8: &[u8]) -> io::Result<EcdsaKeyPair> {
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, &SystemRandom::new())
        .map_err(|error| io::Error::other(error.to_string()))
}

pub(super) fn sign(key: &EcdsaKeyPair, message: &[u8]) -> io::Result<Vec<u8>> {
    let signature = key.sign(&SystemRandom::new(), message);
    let signature = signature.map_err(|_unspecified| io::Error::other("cannot sign"))?;
    Ok(signature.as_ref().to_vec())
}
