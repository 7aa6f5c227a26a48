//! Authenticates requests: challenge -> `Authorization` header, kept per scope and renewed before it expires.
//!
//! <https://distribution.github.io/distribution/spec/auth/token/>. Only realm and service are read from
//! the challenge; the scope is our own, since GHCR sends a placeholder.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::Deserialize;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::credentials;
use crate::registry::Registry;
use crate::registry::challenge::Challenge;
use crate::registry::error::RegistryError;
use crate::registry::http::{Responder, Response};
use crate::secret::Secret;

/// What a call needs to be allowed to do
/// (<https://distribution.github.io/distribution/spec/auth/scope/>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    Pull(String),
    PullAndPush(String),
    /// Deleting a manifest (<https://distribution.github.io/distribution/spec/auth/scope/#resource-types-and-actions>).
    Delete(String),
    /// Pushing into one repository what another one holds.
    Mount {
        into: String,
        from: String,
    },
}

impl Scope {
    /// The repository that is called.
    pub(super) fn repository(&self) -> &str {
        match self {
            Self::Pull(repository) | Self::PullAndPush(repository) | Self::Delete(repository) => {
                repository
            }
            Self::Mount { into, .. } => into,
        }
    }

    /// As a token endpoint reads them, one a parameter.
    fn texts(&self) -> Vec<String> {
        let pull = |repository: &str| format!("repository:{repository}:pull");
        let push = |repository: &str| format!("repository:{repository}:pull,push");
        match self {
            Self::Pull(repository) => vec![pull(repository)],
            Self::PullAndPush(repository) => vec![push(repository)],
            Self::Delete(repository) => vec![format!("{},delete", push(repository))],
            Self::Mount { into, from } => vec![push(into), pull(from)],
        }
    }
}

/// The `Authorization` header that works for a scope.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) header: Secret,
    challenge: Challenge,
    since: Instant,
    /// How long it is good for; for ever, unless it is a bearer.
    life: Option<Duration>,
}

/// The life of a bearer whose issuer names none
/// (<https://distribution.github.io/distribution/spec/auth/token/#token-response-fields>).
const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_secs(60);

/// What the registry answered when it was first asked about a push. It has one token endpoint for all repositories that it
/// accepts pushes to.
#[derive(Debug, Default)]
pub(super) enum FirstChallenge {
    #[default]
    Unknown,
    /// It requires no authentication.
    None,
    Is(Challenge),
}

/// How a request begins.
pub(super) enum Opening<'a> {
    /// It is the first about a push: the others wait for its response.
    First(MutexGuard<'a, FirstChallenge>),
    /// With what is known to work, if anything is.
    With(Option<Access>),
}

impl Registry {
    pub(super) async fn opening(&self, scope: &Scope) -> Result<Opening<'_>, RegistryError> {
        let known = self.access(scope).await?;
        if known.is_some() || !matches!(scope, Scope::PullAndPush(_)) {
            return Ok(Opening::With(known));
        }
        let first = self.challenge.lock().await;
        let challenge = match &*first {
            FirstChallenge::Unknown => return Ok(Opening::First(first)),
            FirstChallenge::None => return Ok(Opening::With(None)),
            FirstChallenge::Is(challenge) => challenge.clone(),
        };
        drop(first);
        // If the token endpoint refuses, the registry is asked without a token, and says what is wrong.
        let renewed = self.renew(scope, &challenge, None).await?;
        Ok(Opening::With(renewed.ok().flatten()))
    }

    /// Whether the first question about a push, which is waited for, has shown what works for `scope`.
    pub(super) async fn is_granted(&self, scope: &Scope) -> bool {
        let is_public = match *self.challenge.lock().await {
            FirstChallenge::Unknown => return false,
            FirstChallenge::None => true,
            FirstChallenge::Is(_) => false,
        };
        let renewing = self.renewing(scope);
        let _asked = renewing.lock().await;
        is_public || self.known_access(scope).is_some()
    }

    /// What is known to work for `scope`; an ageing bearer is replaced first.
    pub(super) async fn access(&self, scope: &Scope) -> Result<Option<Access>, RegistryError> {
        let Some(known) = self.known_access(scope) else {
            return Ok(None);
        };
        let age = self.pace.since(known.since);
        // After 50 of 60 seconds: a call that is sent now still has to arrive.
        let ages = known.life.is_some_and(|life| age >= life * 5 / 6);
        if !ages {
            return Ok(Some(known));
        }
        let challenge = known.challenge.clone();
        match self.renew(scope, &challenge, Some(&known)).await? {
            Ok(fresh) => Ok(fresh),
            // The old one may do; if not, the registry says so.
            Err(_refusal) => Ok(Some(known)),
        }
    }

    /// Answers the challenge of a response. `used` is what did not do; somebody else may have replaced it
    /// meanwhile. The inner error is an answer of the token endpoint that is no success.
    pub(super) async fn renew(
        &self,
        scope: &Scope,
        challenge: &Challenge,
        used: Option<&Access>,
    ) -> Result<Result<Option<Access>, Response>, RegistryError> {
        let one_at_a_time = self.renewing(scope);
        let _one_at_a_time = one_at_a_time.lock().await;
        let known = self.known_access(scope);
        let is_newer = |known: &Access| used.is_none_or(|used| used.header != known.header);
        if let Some(known) = known.filter(is_newer) {
            return Ok(Ok(Some(known)));
        }
        let answered = match challenge {
            Challenge::Basic => Ok(self.basic().map(|header| (header, None))),
            Challenge::Bearer { realm, service } => self
                .bearer(scope, realm, service.as_deref())
                .await?
                .map(|(header, life)| Some((header, Some(life)))),
        };
        Ok(answered.map(|fresh| {
            let (header, life) = fresh?;
            let access = Access {
                header,
                challenge: challenge.clone(),
                since: Instant::now(),
                life,
            };
            self.remember(scope, access.clone());
            Some(access)
        }))
    }

    fn renewing(&self, scope: &Scope) -> Arc<Mutex<()>> {
        let mut renewing = self.renewing.lock().expect("no holder panics");
        Arc::clone(renewing.entry(scope.clone()).or_default())
    }

    fn known_access(&self, scope: &Scope) -> Option<Access> {
        let known = self.accesses.lock().expect("no holder panics");
        known.get(scope).cloned()
    }

    fn remember(&self, scope: &Scope, access: Access) {
        let mut known = self.accesses.lock().expect("no holder panics");
        known.insert(scope.clone(), access);
    }

    fn basic(&self) -> Option<Secret> {
        let login = self.login.as_ref()?;
        let pair = format!("{}:{}", login.username, login.password.expose());
        let encoded = Secret::new(&STANDARD.encode(pair))?;
        self.console.mask(&encoded);
        Secret::new(&format!("Basic {}", encoded.expose()))
    }

    /// A bearer for `scope`, and how long it is good for.
    async fn bearer(
        &self,
        scope: &Scope,
        realm: &str,
        service: Option<&str>,
    ) -> Result<Result<(Secret, Duration), Response>, RegistryError> {
        let url = Url::parse(realm)
            .ok()
            .filter(|url| is_trusted(url, &self.base));
        let mut url = url.ok_or_else(|| {
            self.invalid(format!(
                "requests authentication at `{realm}`, which is not a host of the registry"
            ))
        })?;
        url.query_pairs_mut()
            .extend_pairs(service.map(|service| ("service", service)))
            .extend_pairs(scope.texts().iter().map(|text| ("scope", text)));
        let response = self.send(self.http.get(url), self.basic().as_ref()).await?;
        if !response.status.is_success() {
            let responder = Responder::TokenEndpoint;
            return Ok(Err(Response {
                responder,
                ..response
            }));
        }
        let granted: Option<Granted> = serde_json::from_slice(&response.body).ok();
        let life = granted
            .as_ref()
            .and_then(Granted::life)
            .unwrap_or(DEFAULT_TOKEN_LIFETIME);
        let bearer = granted.and_then(Granted::token);
        let bearer = bearer.ok_or_else(|| self.invalid("returned no token".to_owned()))?;
        self.console.mask(&bearer);
        let header = Secret::new(&format!("Bearer {}", bearer.expose()));
        let header = header.ok_or_else(|| self.invalid("returned no token".to_owned()))?;
        Ok(Ok((header, life)))
    }
}

/// Whether a login for `registry` may be sent to `realm`: over TLS, to a host of the same owner, at any port; on
/// loopback without TLS, to the host itself.
pub(super) fn is_trusted(realm: &reqwest::Url, registry: &reqwest::Url) -> bool {
    let (Some(realm_host), Some(registry_host)) = (realm.host_str(), registry.host_str()) else {
        return false;
    };
    match realm.scheme() {
        "https" => credentials::is_same_owner(realm_host, registry_host),
        _ => registry.scheme() == "http" && realm_host == registry_host,
    }
}

/// No server takes a longer header.
const MAX_TOKEN_BYTES: usize = 64 * 1024;
/// In seconds.
const MAX_LIFETIME_SECONDS: u64 = 24 * 60 * 60;

/// The answer of a token endpoint; OAuth2 calls the same thing `access_token`.
#[derive(Deserialize)]
pub(super) struct Granted {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Granted {
    /// How long it is good for, when the answer says so; nothing we do takes longer than a day.
    pub(super) fn life(&self) -> Option<Duration> {
        let seconds = self.expires_in?.min(MAX_LIFETIME_SECONDS);
        Some(Duration::from_secs(seconds))
    }

    pub(super) fn token(self) -> Option<Secret> {
        let token = self.token.or(self.access_token)?;
        Secret::new(&token).filter(|_| token.len() <= MAX_TOKEN_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_token_lifetime_does_not_overflow() {
        let granted: Granted =
            serde_json::from_str(r#"{"token":"x","expires_in":18446744073709551615}"#).unwrap();
        assert!(granted.life().unwrap().checked_mul(5).is_some());
    }

    #[test]
    fn credentials_stay_with_their_registry() {
        let check = |realm: &str, registry: &str| {
            is_trusted(&realm.parse().unwrap(), &registry.parse().unwrap())
        };
        assert!(check("https://ghcr.io/token", "https://ghcr.io"));
        assert!(check(
            "https://auth.docker.io/token",
            "https://registry-1.docker.io"
        ));
        assert!(check(
            "http://127.0.0.1:5001/token",
            "http://127.0.0.1:5000"
        ));
        assert!(check(
            "https://git.example.com/jwt",
            "https://git.example.com:5050"
        ));
        assert!(!check("https://b.co.uk/token", "https://a.co.uk"));
        assert!(!check(
            "https://evil.ghe.com/token",
            "https://containers.acme.ghe.com"
        ));
        assert!(!check("https://evil.example/token", "https://ghcr.io"));
        assert!(!check("http://ghcr.io/token", "https://ghcr.io"));
        assert!(!check("https://9.9.0.1/token", "https://10.0.0.1"));
    }
}
