//! OIDC tokens of a job for Sigstore
//! (<https://docs.github.com/en/actions/reference/security/oidc>).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::deadline::{Deadline, Pace};
use crate::error::Problem;
use crate::secret::Secret;
use crate::sigstore::http::{Answer, Call, Http, Role, Service};
use crate::vars::Vars;

const URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
const AUDIENCE: &str = "sigstore";
const PERMISSION: &str = "add `id-token: write` to the job's `permissions:`";
/// The life of a token that does not tell it.
const USUAL_LIFE: Duration = Duration::from_secs(300);
/// A token with less time left is not sent.
const RESERVE: Duration = Duration::from_secs(60);

/// What a job needs to ask for a token.
#[derive(Clone, Debug)]
pub(crate) struct TokenRequest {
    service: Service,
    token: Secret,
}

/// A token whose claims are decoded. Its signature is not verified: Fulcio does.
#[derive(Clone, Debug)]
pub(crate) struct IdToken {
    pub(super) jwt: Secret,
    pub(crate) claims: Claims,
    received: Instant,
    life: Duration,
}

/// The claims that a statement names, as strings.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    #[serde(rename = "ref")]
    pub(crate) git_ref: String,
    pub(crate) sha: String,
    pub(crate) repository: String,
    pub(crate) event_name: String,
    pub(crate) job_workflow_ref: String,
    pub(crate) workflow_ref: String,
    pub(crate) repository_id: String,
    pub(crate) repository_owner_id: String,
    pub(crate) runner_environment: String,
    pub(crate) run_id: String,
    pub(crate) run_attempt: String,
    /// `public`, `private` or `internal`.
    #[serde(default)]
    pub(crate) repository_visibility: String,
}

const REQUIRED: &[&str] = &[
    "iss",
    "sub",
    "ref",
    "sha",
    "repository",
    "event_name",
    "job_workflow_ref",
    "workflow_ref",
    "repository_id",
    "repository_owner_id",
    "runner_environment",
    "run_id",
    "run_attempt",
];

#[derive(Deserialize)]
struct Response {
    value: String,
}

impl TokenRequest {
    /// Reads the two variables that the runner sets for a job with `id-token: write`.
    pub(crate) fn from_vars(vars: &Vars) -> Result<Self, Problem> {
        let missing = |name: &str| no_token(&format!("`{name}` is not set"));
        let url = vars.get(URL).ok_or_else(|| missing(URL))?;
        let token = vars.get(TOKEN).and_then(Secret::new);
        let token = token.ok_or_else(|| missing(TOKEN))?;
        let mut url =
            Url::parse(url).map_err(|error| no_token(&format!("`{URL}` is not a URL: {error}")))?;
        url.query_pairs_mut().append_pair("audience", AUDIENCE);
        let service = Service::new(Role::TokenEndpoint, url);
        Ok(Self { service, token })
    }

    /// Asks for a token until the deadline passes, and has it masked.
    pub(crate) async fn send(&self, http: &Http, deadline: Deadline) -> anyhow::Result<IdToken> {
        let call = Call::get(&self.service, "").bearer(&self.token);
        let console = http.console;
        console.mask(&self.token);
        let received = Instant::now();
        let jwt = http.send(&call, deadline, |answer| {
            let jwt = jwt(answer)?;
            console.mask(&jwt);
            Some(jwt)
        });
        let jwt = jwt.await.map_err(|error| {
            let is_permission = matches!(
                error.status(),
                Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
            );
            let fix = if is_permission {
                PERMISSION
            } else {
                "re-run the job"
            };
            error.explained("cannot get an OIDC token for Sigstore", fix)
        })?;
        Ok(IdToken::decode(jwt, received)?)
    }
}

fn no_token(because: &str) -> Problem {
    let what = "cannot sign attestations: the job gets no OIDC token";
    Problem::new(what, PERMISSION).because(because)
}

/// The token in `{"count":1,"value":"…"}`.
fn jwt(answer: &Answer) -> Option<Secret> {
    let response: Response = serde_json::from_slice(&answer.body).ok()?;
    Secret::new(&response.value)
}

impl IdToken {
    fn decode(jwt: Secret, received: Instant) -> Result<Self, Problem> {
        let unusable = |because: &str| {
            let what = "cannot use the OIDC token of the job";
            let fix = "check that the job runs on GitHub Actions, and re-run it";
            Problem::new(what, fix).because(because)
        };
        let middle = jwt.expose().split('.').nth(1).unwrap_or_default();
        let json = URL_SAFE_NO_PAD.decode(middle).ok();
        let json: Option<Value> = json.and_then(|json| serde_json::from_slice(&json).ok());
        let json = json.ok_or_else(|| unusable("it is not a JSON Web Token"))?;
        let missing = REQUIRED.iter().filter(|name| !json[**name].is_string());
        let missing: Vec<String> = missing.map(|name| format!("`{name}`")).collect();
        if !missing.is_empty() {
            return Err(unusable(&format!("it lacks {}", missing.join(", "))));
        }
        let life = json["exp"].as_u64().zip(json["iat"].as_u64());
        let life = life.map(|(end, start)| Duration::from_secs(end.saturating_sub(start)));
        let claims = Claims::deserialize(json).map_err(|error| unusable(&error.to_string()))?;
        Ok(Self {
            jwt,
            claims,
            received,
            life: life.unwrap_or(USUAL_LIFE),
        })
    }

    /// How long it can still be sent.
    pub(super) fn left(&self, pace: Pace) -> Duration {
        let usable = self.life.saturating_sub(RESERVE);
        usable.saturating_sub(pace.since(self.received))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;
    use crate::error::Explanation;

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a snapshot is written where it is used"
    )]
    #[track_caller]
    fn check(problem: Problem, expected: Expect) {
        expected.assert_eq(&Explanation::of(&problem.into()).to_string());
    }

    #[test]
    fn a_job_without_the_permission_is_told_so() {
        let refused =
            |variables: &[(&str, &str)]| TokenRequest::from_vars(&Vars::of(variables)).unwrap_err();
        check(
            refused(&[]),
            expect![[r#"
            cannot sign attestations: the job gets no OIDC token
              because: `ACTIONS_ID_TOKEN_REQUEST_URL` is not set
              fix: add `id-token: write` to the job's `permissions:`"#]],
        );
        check(
            refused(&[(URL, "https://x")]),
            expect![[r#"
            cannot sign attestations: the job gets no OIDC token
              because: `ACTIONS_ID_TOKEN_REQUEST_TOKEN` is not set
              fix: add `id-token: write` to the job's `permissions:`"#]],
        );
        check(
            refused(&[(URL, "x"), (TOKEN, "hunter2")]),
            expect![[r#"
            cannot sign attestations: the job gets no OIDC token
              because: `ACTIONS_ID_TOKEN_REQUEST_URL` is not a URL: relative URL without a base
              fix: add `id-token: write` to the job's `permissions:`"#]],
        );
    }

    #[test]
    fn the_audience_is_added_to_the_query() {
        let url = "https://run.actions.example/1//idtoken/2?api-version=2.0";
        let vars = Vars::of(&[(URL, url), (TOKEN, "hunter2")]);
        let request = TokenRequest::from_vars(&vars).unwrap();
        let expected = format!("{url}&audience=sigstore");
        assert_eq!(request.service.url().as_str(), expected);
    }

    fn decoded(claims: &Value) -> Result<IdToken, Problem> {
        let jwt = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
        IdToken::decode(Secret::new(&jwt).unwrap(), Instant::now())
    }

    #[test]
    fn an_unusable_token_is_explained() {
        let mut claims = ghcr_double::Sigstore::claims();
        claims["run_id"] = json!(3);
        claims["workflow_ref"] = Value::Null;
        check(
            decoded(&claims).unwrap_err(),
            expect![[r#"
            cannot use the OIDC token of the job
              because: it lacks `workflow_ref`, `run_id`
              fix: check that the job runs on GitHub Actions, and re-run it"#]],
        );
        let opaque = Secret::new("opaque").unwrap();
        let problem = IdToken::decode(opaque, Instant::now()).unwrap_err();
        check(
            problem,
            expect![[r#"
            cannot use the OIDC token of the job
              because: it is not a JSON Web Token
              fix: check that the job runs on GitHub Actions, and re-run it"#]],
        );
    }

    #[test]
    fn a_token_is_not_sent_in_its_last_minute() {
        let mut claims = ghcr_double::Sigstore::claims();
        let usual = decoded(&claims).unwrap().left(Pace::REAL);
        claims["iat"] = json!(1000);
        claims["exp"] = json!(1600);
        let left = decoded(&claims).unwrap().left(Pace::REAL);
        assert_eq!(
            [usual, left].map(|left| left.as_secs_f64().round()),
            [240.0, 540.0]
        );
        claims["exp"] = json!(10);
        assert!(decoded(&claims).unwrap().left(Pace::REAL).is_zero());
    }
}
