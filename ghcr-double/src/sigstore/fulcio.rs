//! Fulcio v2: a certificate for a key and an OIDC token
//! (<https://github.com/sigstore/fulcio/blob/v1.8.8/fulcio.proto>).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{
    CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PublicKeyData, SanType, SignatureAlgorithm,
};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

use super::authority::{Issuer, P256_PREFIX, intermediate, leaf, raw, root, unique};
use super::{Refusal, Served, bad, internal};
use crate::clock::now;
use crate::http::response::Response;

const CERTIFICATE_LIFE: Duration = Duration::from_secs(600);
const SERVER: &str = "https://github.com";

pub(super) struct Fulcio {
    root: Issuer,
    intermediate: Issuer,
}

impl Fulcio {
    pub(super) fn new() -> io::Result<Self> {
        let root = root(&unique("Fulcio root")?)?;
        let purpose = ExtendedKeyUsagePurpose::CodeSigning;
        let intermediate = intermediate(&unique("Fulcio intermediate")?, purpose, &root)?;
        Ok(Self { root, intermediate })
    }

    /// Its chain for a trusted root.
    pub(super) fn trusted(&self) -> Vec<Value> {
        vec![raw(self.intermediate.der()), raw(self.root.der())]
    }

    /// The chain from the certificate that issues, and the key of that certificate.
    pub(super) fn authority(&self) -> (String, String) {
        let chain = [self.intermediate.pem(), self.root.pem()];
        (chain.concat(), self.intermediate.key().serialize_pem())
    }

    /// Answers `POST /api/v2/signingCert`. It refuses a token for another audience, an expired one, and a key whose
    /// possession is not proven.
    pub(super) fn certificate(&self, body: &[u8]) -> Served {
        let request: Value = serde_json::from_slice(body).map_err(|_why| bad("invalid JSON"))?;
        let token = text(&request, "/credentials/oidcIdentityToken")?;
        let claims = claims(token)?;
        let key = Key::parse(text(&request, "/publicKeyRequest/publicKey/content")?)?;
        let proof = text(&request, "/publicKeyRequest/proofOfPossession")?;
        let proof = STANDARD
            .decode(proof)
            .map_err(|_why| bad("invalid signature"))?;
        let subject = text(&claims, "/sub")?;
        let verified = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &key.0)
            .verify(subject.as_bytes(), &proof);
        if verified.is_err() {
            return Err(bad(
                "The signature supplied in the request could not be verified",
            ));
        }
        let leaf = params(&claims)?.signed_by(&key, &self.intermediate);
        let leaf = leaf.map_err(internal)?.pem();
        let chain = [leaf, self.intermediate.pem(), self.root.pem()];
        Ok(Response::json(
            200,
            &json!({ "signedCertificateDetachedSct": {
                "chain": { "certificates": chain },
                "signedCertificateTimestamp": "",
            } }),
        ))
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str, Refusal> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.ok_or_else(|| bad(&format!("missing {pointer}")))
}

/// The claims of a token for Sigstore that has not expired.
fn claims(token: &str) -> Result<Value, Refusal> {
    let refused = || {
        Refusal(
            401,
            "There was an error processing the identity token".to_owned(),
        )
    };
    let middle = token.split('.').nth(1).ok_or_else(refused)?;
    let claims = URL_SAFE_NO_PAD.decode(middle).map_err(|_why| refused())?;
    let claims: Value = serde_json::from_slice(&claims).map_err(|_why| refused())?;
    let expires = claims["exp"].as_u64().unwrap_or_default();
    let now = now().map_err(internal)?.as_secs();
    if claims["aud"] != "sigstore" || expires < now {
        return Err(refused());
    }
    Ok(claims)
}

/// A certificate for a job (<https://github.com/sigstore/fulcio/blob/v1.8.8/docs/oid-info.md>).
fn params(claims: &Value) -> Result<CertificateParams, Refusal> {
    let mut params = leaf(CERTIFICATE_LIFE).map_err(internal)?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    let of = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
    let url = |name: &str| format!("{SERVER}/{}", of(name));
    let identity = url("job_workflow_ref")
        .try_into()
        .map_err(|_why| bad("invalid identity"))?;
    params.subject_alt_names = vec![SanType::URI(identity)];
    let run = format!(
        "{}/actions/runs/{}/attempts/{}",
        url("repository"),
        of("run_id"),
        of("run_attempt")
    );
    let plain = [
        (1, of("iss")),
        (2, of("event_name")),
        (3, of("sha")),
        (4, of("workflow")),
        (5, of("repository")),
        (6, of("ref")),
    ];
    let encoded = [
        (8, of("iss")),
        (9, url("job_workflow_ref")),
        (10, of("job_workflow_sha")),
        (11, of("runner_environment")),
        (12, url("repository")),
        (13, of("sha")),
        (14, of("ref")),
        (15, of("repository_id")),
        (16, url("repository_owner")),
        (17, of("repository_owner_id")),
        (18, url("workflow_ref")),
        (19, of("workflow_sha")),
        (20, of("event_name")),
        (21, run),
        (22, of("repository_visibility")),
        (24, of("sub")),
    ];
    let plain = plain.map(|(number, value)| extension(number, value.into_bytes()));
    let encoded = encoded.map(|(number, value)| {
        let der = yasna::construct_der(|writer| writer.write_utf8_string(&value));
        extension(number, der)
    });
    params.custom_extensions = plain.into_iter().chain(encoded).collect();
    Ok(params)
}

fn extension(number: u64, content: Vec<u8>) -> CustomExtension {
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57264, 1, number], content)
}

/// The point of a P-256 key.
struct Key(Vec<u8>);

impl Key {
    fn parse(pem: &str) -> Result<Self, Refusal> {
        let invalid = || bad("The public key supplied in the request could not be parsed");
        let lines = pem.lines().filter(|line| !line.starts_with("-----"));
        let der = STANDARD
            .decode(lines.collect::<String>())
            .map_err(|_why| invalid())?;
        let point = der.strip_prefix(&P256_PREFIX).ok_or_else(invalid)?;
        Ok(Self(point.to_vec()))
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use ring::signature::KeyPair as _;
    use serde_json::json;

    use super::super::Sigstore;
    use super::super::authority::{sign, signer};
    use super::{Fulcio, P256_PREFIX, now};

    /// The status for a token with this audience and life in seconds, and a proof over this subject.
    fn status(audience: &str, life: u64, proven: &str) -> u16 {
        let pair = rcgen::KeyPair::generate().unwrap();
        let key = signer(pair.serialized_der()).unwrap();
        let der = [&P256_PREFIX, key.public_key().as_ref()].concat();
        let mut claims = Sigstore::claims();
        claims["aud"] = json!(audience);
        claims["exp"] = json!(now().unwrap().as_secs() + life - 60);
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let content = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(der)
        );
        let proof = STANDARD.encode(sign(&key, proven.as_bytes()).unwrap());
        let request = json!({
            "credentials": { "oidcIdentityToken": token },
            "publicKeyRequest": {
                "publicKey": { "algorithm": "ECDSA", "content": content },
                "proofOfPossession": proof,
            },
        });
        let served = Fulcio::new()
            .unwrap()
            .certificate(request.to_string().as_bytes());
        served.map_or_else(|refusal| refusal.0, |response| response.status)
    }

    #[test]
    fn audience_expiry_and_possession_are_checked() {
        let subject = "repo:acme/app:ref:refs/tags/v1.2.3";
        assert_eq!(status("sigstore", 120, subject), 200);
        assert_eq!(status("https://github.com/acme", 120, subject), 401);
        assert_eq!(status("sigstore", 0, subject), 401);
        assert_eq!(status("sigstore", 120, "another"), 400);
    }
}
