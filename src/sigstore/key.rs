//! A P-256 key that exists as long as its certificate, and what it signs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

/// `SubjectPublicKeyInfo` of a P-256 key up to its point (<https://www.rfc-editor.org/rfc/rfc5480#section-2>).
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The characters in a line of PEM.
const LINE: usize = 64;

pub(super) struct SigningKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

/// Key and signatures need random bytes, and fail without.
const RANDOM: &str = "the system has random bytes";

impl SigningKey {
    pub(super) fn generate() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect(RANDOM);
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random);
        let pair = pair.expect("a key that was just generated is valid");
        Self { pair, random }
    }

    /// The signature: ECDSA with SHA-256, in DER form.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.pair.sign(&self.random, message).expect(RANDOM);
        signature.as_ref().to_vec()
    }

    /// The public key in PEM form.
    pub(super) fn public_pem(&self) -> String {
        let der = [&P256_PREFIX, self.pair.public_key().as_ref()].concat();
        pem("PUBLIC KEY", &der)
    }
}

/// PEM with a line break at the end (<https://www.rfc-editor.org/rfc/rfc7468#section-2>).
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = String::new();
    for line in text.as_bytes().chunks(LINE) {
        lines.push_str(&String::from_utf8_lossy(line));
        lines.push('\n');
    }
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}
