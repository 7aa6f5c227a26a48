//! `Sigstore`: the four services that sign an attestation, on one port: OIDC tokens of a job, Fulcio, Rekor v1 and a
//! timestamp authority.

mod authority;
mod fulcio;
mod oidc;
mod rekor;
mod timestamp;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use serde_json::{Value, json};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::time::sleep;

use crate::fault::{Effect, Fault, Script};
use crate::http::endpoint::Endpoint;
use crate::http::request::{Credential, Seen};
use crate::http::response::Response;
use crate::http::{Dropped, Listener, Outcome};
use fulcio::Fulcio;
use oidc::TokenIssuer;
use rekor::Rekor;
use timestamp::TimestampAuthority;

const ENTRIES: &str = "/api/v1/log/entries";

/// Running services; they stop when dropped.
#[derive(Debug)]
pub struct Sigstore {
    server: Listener,
    shared: Arc<Shared>,
}

/// The state that the serving thread shares with the test.
struct Shared {
    issuer: TokenIssuer,
    fulcio: Fulcio,
    timestamp: TimestampAuthority,
    rekor: Mutex<Rekor>,
    record: Mutex<Record>,
    started: Instant,
}

#[derive(Default)]
struct Record {
    seen: Vec<Seen>,
    script: Script,
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sigstore")
    }
}

impl Sigstore {
    /// The value of `ACTIONS_ID_TOKEN_REQUEST_TOKEN` that is accepted.
    pub const REQUEST_TOKEN: &str = "request-token-of-the-job";

    /// Makes the keys and certificates, and serves on a free port of 127.0.0.1. `claims` are set in each token in place
    /// of those of [`Sigstore::claims`]; `null` removes one. Without `iss`, tokens name this double as their issuer.
    ///
    /// # Errors
    ///
    /// If it cannot make the certificates, or listen on a port.
    pub fn start(claims: &Value) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            issuer: TokenIssuer::new(merged(Self::claims(), claims))?,
            fulcio: Fulcio::new()?,
            timestamp: TimestampAuthority::new()?,
            rekor: Mutex::new(Rekor::new()?),
            record: Mutex::default(),
            started: Instant::now(),
        });
        let state = Arc::clone(&shared);
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let server = Listener::start(address, None, move |request| {
            respond(request, Arc::clone(&state))
        })?;
        Ok(Self { server, shared })
    }

    /// Sets a claim of the tokens that follow.
    pub fn set_claim(&self, name: &str, value: Value) {
        self.shared.issuer.set(name, value);
    }

    /// The claims of a token: a push of the tag `v1.2.3` to the public repository `acme/app`.
    #[must_use]
    pub fn claims() -> Value {
        let workflow = "acme/app/.github/workflows/release.yml@refs/tags/v1.2.3";
        let commit = "babca52ab0c93ae16539e5923cb0d7403b9a093b";
        json!({
            "iss": "https://token.actions.githubusercontent.com",
            "sub": "repo:acme/app:ref:refs/tags/v1.2.3",
            "ref": "refs/tags/v1.2.3", "sha": commit,
            "repository": "acme/app", "repository_id": "1",
            "repository_owner": "acme", "repository_owner_id": "2",
            "repository_visibility": "public",
            "event_name": "push", "workflow": "release",
            "workflow_ref": workflow, "workflow_sha": commit,
            "job_workflow_ref": workflow, "job_workflow_sha": commit,
            "runner_environment": "github-hosted", "run_id": "3", "run_attempt": "1",
        })
    }

    /// The value of `ACTIONS_ID_TOKEN_REQUEST_URL`.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("{}/idtoken/1/2?api-version=2.0", self.url())
    }

    /// The URL of Fulcio, of Rekor and of the timestamp authority, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// The trusted root with the certificates and keys of the services
    /// (<https://github.com/sigstore/protobuf-specs/blob/v0.5.0/protos/sigstore_trustroot.proto>).
    #[must_use]
    pub fn trusted_root(&self) -> String {
        let url = self.url();
        let authority = |chain: Vec<Value>| {
            json!([{
                "subject": { "organization": "ghcr-double", "commonName": "ghcr-double" },
                "uri": url,
                "certChain": { "certificates": chain },
                "validFor": { "start": "2025-01-01T00:00:00Z" },
            }])
        };
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [lock(&self.shared.rekor).trusted(&url)],
            "certificateAuthorities": authority(self.shared.fulcio.trusted()),
            "ctlogs": [],
            "timestampAuthorities": authority(self.shared.timestamp.trusted()),
        })
        .to_string()
    }

    /// The certificate authority of this Fulcio, for a real one in its place: the certificates from the one that issues
    /// to the root, and the key of the first, both in PEM form.
    #[must_use]
    pub fn certificate_authority(&self) -> (String, String) {
        self.shared.fulcio.authority()
    }

    /// Adds a fault to the script.
    pub fn script(&self, fault: Fault) {
        lock(&self.shared.record).script.add(fault, 0);
    }

    /// Removes the faults.
    pub fn clear_script(&self) {
        lock(&self.shared.record).script.clear();
    }

    /// Every request until now, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        lock(&self.shared.record).seen.clone()
    }

    /// How many requests of this class arrived.
    #[must_use]
    pub fn count(&self, endpoint: Endpoint) -> usize {
        let record = lock(&self.shared.record);
        let matching = record.seen.iter().filter(|seen| seen.endpoint == endpoint);
        matching.count()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn merged(mut claims: Value, others: &Value) -> Value {
    for (key, value) in others.as_object().into_iter().flatten() {
        claims[key] = value.clone();
    }
    if let Some(claims) = claims.as_object_mut() {
        claims.retain(|_, value| !value.is_null());
    }
    claims
}

async fn respond(incoming: hyper::Request<Incoming>, shared: Arc<Shared>) -> Outcome {
    let (parts, body) = incoming.into_parts();
    let (fault, number) = record(&parts, &shared);
    if let Some(delay) = fault.delay {
        sleep(delay).await;
    }
    let body = body.collect().await.map_err(|_gone| Dropped::Close)?;
    let mut response = match &fault.effect {
        Effect::Reset => return Err(Dropped::Reset),
        Effect::Close => return Err(Dropped::Close),
        Effect::Respond(response) => response.clone(),
        effect => serve(&parts, &body.to_bytes(), effect, &shared),
    };
    if matches!(fault.effect, Effect::ResetAfterServing) {
        return Err(Dropped::Reset);
    }
    for (name, value) in &fault.headers {
        match value {
            Some(value) => response.set_header(name, value),
            None => response.remove_header(name),
        }
    }
    lock(&shared.record).seen[number].status = Some(response.status);
    Ok(response.into_response(matches!(fault.effect, Effect::CutAnswer)))
}

/// Records the request; returns the fault that applies to it, and the index of the record.
fn record(parts: &Parts, shared: &Shared) -> (Fault, usize) {
    let now = Instant::now();
    let host = parts.headers.get("host");
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let seen = Seen {
        method: parts.method.to_string(),
        host: host.to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        endpoint: endpoint(parts),
        credential: Credential::of(&parts.headers),
        status: None,
        at: now.duration_since(shared.started),
        arrived: 0,
        responded: None,
    };
    let mut record = lock(&shared.record);
    let fault = record.script.take(&seen, now, |_writes| false);
    record.seen.push(seen);
    let fault = fault.unwrap_or_else(|| Fault::on(Endpoint::Any));
    (fault, record.seen.len() - 1)
}

fn endpoint(parts: &Parts) -> Endpoint {
    match (parts.method.as_str(), parts.uri.path()) {
        ("GET", path) if path.starts_with("/idtoken/") => Endpoint::IdToken,
        ("POST", "/api/v2/signingCert") => Endpoint::SigningCertificate,
        ("POST", ENTRIES) => Endpoint::LogEntryPost,
        ("GET", path) if path.starts_with(ENTRIES) => Endpoint::LogEntryGet,
        ("POST", "/api/v1/timestamp") => Endpoint::Timestamp,
        _ => Endpoint::Other,
    }
}

fn serve(parts: &Parts, body: &Bytes, effect: &Effect, shared: &Shared) -> Response {
    let served = match endpoint(parts) {
        Endpoint::IdToken => shared.issuer.token(parts),
        Endpoint::SigningCertificate => shared.fulcio.certificate(body),
        Endpoint::LogEntryPost => lock(&shared.rekor).add(body, effect),
        Endpoint::LogEntryGet => lock(&shared.rekor).get(parts.uri.path(), effect),
        Endpoint::Timestamp => shared.timestamp.stamp(body),
        _ => shared.issuer.document(parts),
    };
    served.unwrap_or_else(|Refusal(status, message)| {
        // The form of gRPC gateways, which the services of Sigstore share.
        Response::json(status, &json!({ "code": status, "message": message }))
    })
}

/// A status and a message.
struct Refusal(u16, String);

type Served = Result<Response, Refusal>;

fn bad(message: &str) -> Refusal {
    Refusal(400, message.to_owned())
}

fn internal(error: impl fmt::Display) -> Refusal {
    Refusal(500, error.to_string())
}
