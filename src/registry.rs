//! A client for container registries: push access, verification, tags, copies.
//!
//! Protocol: <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md>.

pub(crate) mod artifact;
mod auth;
mod challenge;
mod client;
pub(crate) mod conditional_write;
pub(crate) mod convert;
pub(crate) mod copy;
pub(crate) mod copy_source;
pub(crate) mod delete;
pub(crate) mod diagnosis;
pub(crate) mod discover;
pub(crate) mod error;
pub(crate) mod explain;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod http;
pub(crate) mod identity;
pub(crate) mod manifests;
pub(crate) mod part_record;
mod referrer_index;
pub(crate) mod referrers;
mod sbom;
mod stream;
pub(crate) mod upload;
pub(crate) mod verify;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Method, Url};
use tokio::time::Instant;

use crate::answers::Answers;
use crate::console::Console;
use crate::context::server::{RegistryKind, is_loopback};
use crate::credentials::Login;
use crate::deadline::{Deadline, Pace};
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::tag::Tag;
use crate::registry::auth::{Access, FirstChallenge, Scope};
use crate::registry::error::RegistryError;
use crate::registry::http::{NotFound, Request, Response};
use crate::tls::Trust;

/// A connection to one registry with its credentials.
#[derive(Debug)]
pub(crate) struct Registry {
    http: reqwest::Client,
    base: Url,
    /// As the user wrote it, for messages.
    host: String,
    kind: RegistryKind,
    login: Option<Login>,
    /// What authenticates calls, by what they may do.
    accesses: Mutex<BTreeMap<Scope, Access>>,
    /// Held while a scope is authenticated.
    renewing: Mutex<BTreeMap<Scope, Arc<tokio::sync::Mutex<()>>>>,
    /// What the registry asked for when a push was asked for first.
    challenge: tokio::sync::Mutex<FirstChallenge>,
    /// What was read by its digest, by repository.
    manifests: Answers<(String, Digest), Manifest>,
    configs: Answers<(String, Digest), Vec<u8>>,
    pub(crate) pace: Pace,
    console: Console,
}

/// A failure that looks like a mistake in the setup counts as one when it happens this often in a row: a
/// registry that restarts looks the same for a moment.
pub(crate) const PERMANENT_AFTER: u32 = 3;
/// How many calls are under way at once.
pub(crate) const PARALLEL: usize = 8;
/// How long a registry may go on answering what a tag pointed to before: a minute, counted from its
/// first stale response, which may come long after the first question when other things are slow too.
pub(crate) const STALE_READS: Duration = Duration::from_secs(90);

impl Registry {
    pub(crate) fn new(
        host: &str,
        kind: RegistryKind,
        login: Option<Login>,
        trust: &Trust,
        pace: Pace,
        console: Console,
    ) -> anyhow::Result<Self> {
        let base = base_url(host).with_context(|| format!("`{host}` is not a registry host"))?;
        let http = trust
            .client()
            .connect_timeout(pace.limit(Duration::from_secs(10)))
            .redirect(reqwest::redirect::Policy::limited(5))
            .build()
            .context("could not set up the HTTP client")?;
        Ok(Self {
            http,
            base,
            host: host.to_owned(),
            kind,
            login,
            accesses: Mutex::default(),
            renewing: Mutex::default(),
            challenge: tokio::sync::Mutex::default(),
            manifests: Answers::default(),
            configs: Answers::default(),
            pace,
            console,
        })
    }

    pub(crate) fn say(&self, text: &str) {
        self.console.say(text);
    }

    pub(crate) fn has_credentials(&self) -> bool {
        self.login.is_some()
    }

    /// One repository of this registry, with `deadline` for its requests.
    pub(crate) fn repository<'a>(&'a self, path: &'a str, deadline: Deadline) -> Repository<'a> {
        Repository {
            registry: self,
            path,
            rights: Rights::PullAndPush,
            not_found: NotFound::Final,
            reuse: Reuse::Never,
            deadline,
        }
    }

    /// A repository that is only read: credentials without push access suffice, and often none are needed.
    pub(crate) fn read_only<'a>(&'a self, path: &'a str, deadline: Deadline) -> Repository<'a> {
        Repository {
            rights: Rights::Pull,
            ..self.repository(path, deadline)
        }
    }
}

/// A repository in a registry, and the deadline for its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repository<'a> {
    registry: &'a Registry,
    path: &'a str,
    rights: Rights,
    /// What a 404 to a read means.
    not_found: NotFound,
    reuse: Reuse,
    pub(crate) deadline: Deadline,
}

/// Whether what is addressed by its digest is read again if the run has read it.
#[derive(Clone, Copy, Debug)]
enum Reuse {
    Never,
    /// If it was read since then, it is not read again.
    Since(Instant),
    Always,
}

/// More, and larger ones, are not kept.
const MAX_KEPT: usize = 128;
const MAX_KEPT_BYTES: usize = 128 << 10;

/// What a token for a repository must allow.
#[derive(Clone, Copy, Debug)]
enum Rights {
    Pull,
    PullAndPush,
}

impl Repository<'_> {
    /// The same repository, for requests that take at most `time` from now.
    pub(crate) fn at_most(self, time: Duration) -> Self {
        Self {
            deadline: self.deadline.at_most(time),
            ..self
        }
    }

    /// The same repository with a new deadline, whatever is left of the old one.
    pub(crate) fn with_new_deadline(self, time: Duration) -> Self {
        Self {
            deadline: Deadline::after(time, self.registry.pace),
            ..self
        }
    }

    /// The same repository, for reads of content that was just pushed.
    fn just_pushed(self) -> Self {
        Self {
            not_found: NotFound::Retry,
            ..self
        }
    }

    /// The same repository, of which nothing is read again that is addressed by its digest.
    pub(crate) fn reading_once(self) -> Self {
        Self {
            reuse: Reuse::Always,
            ..self
        }
    }

    /// The same, but what was read before then, or before now, is read again.
    fn reading_since(self, since: Option<Instant>) -> Self {
        Self {
            reuse: Reuse::Since(since.unwrap_or_else(Instant::now)),
            ..self
        }
    }

    /// What has the digest: kept in `answers`, or read by `ask`.
    async fn once<V: Clone>(
        self,
        answers: &Answers<(String, Digest), V>,
        digest: &Digest,
        size: fn(&V) -> usize,
        ask: impl Future<Output = Result<V, RegistryError>>,
    ) -> Result<V, RegistryError> {
        let since = match self.reuse {
            Reuse::Never => return ask.await,
            Reuse::Since(start) => Some(start),
            Reuse::Always => None,
        };
        let question = (self.path.to_owned(), digest.clone());
        let is_good = |asked| since.is_none_or(|since| asked >= since);
        let (_asked, answer) = answers.get(&question, is_good, ask).await?;
        if answers.len() > MAX_KEPT || size(&answer) > MAX_KEPT_BYTES {
            answers.forget(&question);
        }
        Ok(answer)
    }

    /// A tag that was written and still shows something else.
    pub(crate) fn still_elsewhere(self, tag: &Tag) -> RegistryError {
        self.invalid(format!(
            "still shows another image under `{tag}` after 90 seconds"
        ))
    }

    /// The registry's kind.
    pub(crate) fn kind(&self) -> RegistryKind {
        self.registry.kind
    }

    pub(crate) fn pace(&self) -> Pace {
        self.registry.pace
    }

    /// Whether a question for push access, which is under way, got as far as the token, or needs none.
    pub(crate) async fn is_granted(self) -> bool {
        self.registry.is_granted(&self.scope()).await
    }

    /// Asks for an upload session and leaves it alone: GHCR creates nothing for it, and responds 202
    /// only to those who may push.
    pub(crate) async fn may_push(self) -> Result<(), RegistryError> {
        let request = Request::new(Method::POST, "blobs/uploads/");
        self.send(request).await.map(drop)
    }

    async fn send(self, request: Request<'_>) -> Result<Response, RegistryError> {
        self.send_as(&self.scope(), request).await
    }

    /// The response; nothing when the content does not exist.
    async fn find(self, request: Request<'_>) -> Result<Option<Response>, RegistryError> {
        match self.send(request).await {
            Ok(response) => Ok(Some(response)),
            Err(RegistryError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn send_as(self, scope: &Scope, request: Request<'_>) -> Result<Response, RegistryError> {
        let request = match self.not_found {
            NotFound::Final => request,
            NotFound::Retry => request.just_pushed(),
        };
        self.registry.request(scope, &request, self.deadline).await
    }

    fn scope(self) -> Scope {
        let path = self.path.to_owned();
        match self.rights {
            Rights::Pull => Scope::Pull(path),
            Rights::PullAndPush => Scope::PullAndPush(path),
        }
    }

    fn check_digest(self, digest: &Digest, bytes: &[u8]) -> Result<(), RegistryError> {
        let actual = Digest::of(bytes);
        if actual == *digest {
            return Ok(());
        }
        Err(self.invalid(format!("sent content with digest {actual} for {digest}")))
    }

    fn invalid(self, what: String) -> RegistryError {
        self.registry.invalid(what)
    }
}

/// Loopback registries speak plain HTTP, as the engine expects; all others TLS.
fn base_url(host: &str) -> anyhow::Result<Url> {
    // Docker Hub's registry lives under another name than its images.
    let host = if host == "docker.io" {
        "registry-1.docker.io"
    } else {
        host
    };
    let scheme = if is_loopback(host) { "http" } else { "https" };
    Ok(Url::parse(&format!("{scheme}://{host}/v2/"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_uses_plain_http() {
        let check = |host: &str| base_url(host).unwrap().to_string();
        assert_eq!(check("ghcr.io"), "https://ghcr.io/v2/");
        assert_eq!(check("docker.io"), "https://registry-1.docker.io/v2/");
        assert_eq!(check("127.0.0.1:5000"), "http://127.0.0.1:5000/v2/");
        assert_eq!(check("[::1]:5000"), "http://[::1]:5000/v2/");
        assert_eq!(check("localhost"), "http://localhost/v2/");
        assert_eq!(
            check("localhost.example.com"),
            "https://localhost.example.com/v2/"
        );
    }
}
