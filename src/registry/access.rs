//! What authenticates a call: fetched when the registry asks, kept for its scope, renewed when it ages.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use reqwest::header::WWW_AUTHENTICATE;
use tokio::time::Instant;

use crate::registry::answer::Trouble;
use crate::registry::reply::{Origin, Reply};
use crate::registry::token::{Challenge, Granted};
use crate::registry::{Registry, token};
use crate::secret::Secret;

/// What a call needs to be allowed to do
/// (<https://distribution.github.io/distribution/spec/auth/scope/>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    Pull(String),
    PullAndPush(String),
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
            Self::Pull(repository) | Self::PullAndPush(repository) => repository,
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
const BEARER_LIFE: Duration = Duration::from_secs(60);

impl Registry {
    /// What is known to work for `scope`; an ageing bearer is replaced first.
    pub(super) async fn access(&self, scope: &Scope) -> Result<Option<Access>, Trouble> {
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

    /// Answers the challenge of a reply. `used` is what did not do; somebody else may have replaced it
    /// meanwhile. The inner error is an answer of the token endpoint that is no success.
    pub(super) async fn renew(
        &self,
        scope: &Scope,
        challenge: &Challenge,
        used: Option<&Access>,
    ) -> Result<Result<Option<Access>, Reply>, Trouble> {
        let _one_at_a_time = self.renewing.lock().await;
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
    ) -> Result<Result<(Secret, Duration), Reply>, Trouble> {
        let url = Url::parse(realm)
            .ok()
            .filter(|url| token::is_trusted(url, &self.base));
        let mut url = url.ok_or_else(|| {
            self.broken(format!(
                "sends its users to `{realm}` for a token, which is not its own host"
            ))
        })?;
        url.query_pairs_mut()
            .extend_pairs(service.map(|service| ("service", service)))
            .extend_pairs(scope.texts().iter().map(|text| ("scope", text)));
        let reply = self.send(self.http.get(url), self.basic().as_ref()).await?;
        if !reply.status.is_success() {
            let origin = Origin::TokenEndpoint;
            return Ok(Err(Reply { origin, ..reply }));
        }
        let granted: Option<Granted> = serde_json::from_slice(&reply.body).ok();
        let life = granted
            .as_ref()
            .and_then(Granted::life)
            .unwrap_or(BEARER_LIFE);
        let bearer = granted.and_then(Granted::token);
        let bearer = bearer.ok_or_else(|| self.broken("granted no token".to_owned()))?;
        self.console.mask(&bearer);
        let header = Secret::new(&format!("Bearer {}", bearer.expose()));
        let header = header.ok_or_else(|| self.broken("granted no token".to_owned()))?;
        Ok(Ok((header, life)))
    }
}

impl Reply {
    /// The first challenge of the answer that we understand.
    pub(super) fn challenge(&self) -> Option<Challenge> {
        let challenges = self.headers.get_all(WWW_AUTHENTICATE).iter();
        challenges
            .filter_map(|header| Challenge::parse(header.to_str().ok()?))
            .next()
    }
}
