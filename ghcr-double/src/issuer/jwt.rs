//! Signed tokens (ES256). The header contains the certificate, which the registry verifies with its bundle.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use std::fmt;
use std::io;
use std::time::Duration;

use crate::clock::now;

/// A new P-256 key and its self-signed certificate.
pub(crate) struct Signer {
    key: EcdsaKeyPair,
    random: SystemRandom,
    certificate_der: Vec<u8>,
    certificate_pem: String,
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Signer")
    }
}

impl Signer {
    pub(crate) fn generate() -> io::Result<Self> {
        let pair = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = CertificateParams::new(vec!["ghcr-double".to_owned()])
            .and_then(|params| params.self_signed(&pair))
            .map_err(io::Error::other)?;
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pair.serialized_der(), &random)
            .map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self {
            key,
            random,
            certificate_der: certificate.der().to_vec(),
            certificate_pem: certificate.pem(),
        })
    }

    pub(super) fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A token from `issuer` for `service` that allows `access` and is valid for `life` from now.
    pub(super) fn token(
        &self,
        issuer: &str,
        service: &str,
        life: Duration,
        access: &[Value],
    ) -> io::Result<String> {
        let now = now()?;
        let claims = json!({
            "iss": issuer,
            "sub": "somebody",
            "aud": service,
            "iat": now.as_secs(),
            "nbf": now.as_secs(),
            "exp": (now + life).as_secs(),
            "jti": self.random_id()?,
            "access": access,
        });
        let header = json!({
            "typ": "JWT",
            "alg": "ES256",
            "x5c": [STANDARD.encode(&self.certificate_der)],
        });
        self.sign(&header, &claims)
    }

    /// A token with this header, which must name ES256, and these claims.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> io::Result<String> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self
            .key
            .sign(&self.random, signed.as_bytes())
            .map_err(io::Error::other)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The public key for a set of keys (<https://www.rfc-editor.org/rfc/rfc7518#section-6.2>).
    pub(crate) fn jwk(&self, key_id: &str) -> Value {
        // An uncompressed point: one byte, then both coordinates.
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": key_id,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        })
    }

    fn random_id(&self) -> io::Result<String> {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes).map_err(io::Error::other)?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::Signer;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, KeyPair, UnparsedPublicKey};
    use serde_json::{Value, json};
    use std::time::Duration;

    #[test]
    fn token_is_signed_and_contains_its_access() {
        let signer = Signer::generate().unwrap();
        let access = [json!({ "type": "repository", "name": "a/b", "actions": ["pull"] })];
        let life = Duration::from_secs(60);
        let token = signer.token("me", "registry", life, &access).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, signer.key.public_key());
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        key.verify(signed.as_bytes(), &signature).unwrap();
        let claims = URL_SAFE_NO_PAD
            .decode(signed.split_once('.').unwrap().1)
            .unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["access"], json!(access));
        let times = [&claims["exp"], &claims["iat"]].map(|time| time.as_u64().unwrap());
        assert_eq!(times[0] - times[1], 60);
    }
}
