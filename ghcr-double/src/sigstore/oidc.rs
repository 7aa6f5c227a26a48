//! The issuer of a job's OIDC tokens: its token endpoint, and the documents by which Fulcio finds its key.

use hyper::http::request::Parts;
use serde_json::{Value, json};
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use super::{Refusal, Served, Sigstore, internal, merged};
use crate::clock::now;
use crate::http::request::pairs;
use crate::http::response::Response;
use crate::issuer::jwt::Signer;

const TOKEN_LIFE: Duration = Duration::from_secs(300);
const KEY_ID: &str = "1";
const KEYS: &str = "/.well-known/jwks";

/// Signs tokens with these claims.
pub(super) struct TokenIssuer {
    claims: Mutex<Value>,
    signer: Signer,
}

impl TokenIssuer {
    /// Sets a claim of the tokens that follow.
    pub(super) fn set(&self, name: &str, value: Value) {
        super::lock(&self.claims)[name] = value;
    }

    pub(super) fn new(claims: Value) -> io::Result<Self> {
        let signer = Signer::generate()?;
        Ok(Self {
            claims: Mutex::new(claims),
            signer,
        })
    }

    /// The token endpoint of GitHub's runners
    /// (<https://docs.github.com/en/actions/reference/security/oidc>).
    pub(super) fn token(&self, parts: &Parts) -> Served {
        let authorization = parts.headers.get("authorization");
        let expected = format!("Bearer {}", Sigstore::REQUEST_TOKEN);
        if authorization.is_none_or(|given| given.as_bytes() != expected.as_bytes()) {
            return Err(Refusal(401, "the request token is not valid".to_owned()));
        }
        let query = pairs(parts.uri.query().unwrap_or_default());
        let audience = query.iter().find(|(key, _)| key == "audience");
        let audience = audience.map_or("https://github.com/acme", |(_, value)| value.as_str());
        let issued = now().map_err(internal)?.as_secs();
        let own = json!({
            "iss": url(parts), "aud": audience,
            "iat": issued, "exp": issued + TOKEN_LIFE.as_secs(),
        });
        let header = json!({ "typ": "JWT", "alg": "ES256", "kid": KEY_ID });
        let token = self
            .signer
            .sign(&header, &merged(own, &super::lock(&self.claims)));
        let token = token.map_err(internal)?;
        Ok(Response::json(
            200,
            &json!({ "count": token.len(), "value": token }),
        ))
    }

    /// The discovery document, and the keys that it names
    /// (<https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata>).
    pub(super) fn document(&self, parts: &Parts) -> Served {
        match parts.uri.path() {
            "/.well-known/openid-configuration" => Ok(Response::json(
                200,
                &json!({
                    "issuer": url(parts),
                    "jwks_uri": format!("{}{KEYS}", url(parts)),
                    "response_types_supported": ["id_token"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["ES256"],
                }),
            )),
            KEYS => Ok(Response::json(
                200,
                &json!({ "keys": [self.signer.jwk(KEY_ID)] }),
            )),
            _ => Err(Refusal(404, "not found".to_owned())),
        }
    }
}

/// The URL of this double, as the request names it.
fn url(parts: &Parts) -> String {
    let host = parts.headers.get("host");
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("http://{host}")
}
