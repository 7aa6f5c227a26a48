//! `Registry`: asks whether a push is allowed, proves what is there, tags it, reads the tags back.
//!
//! Protocol: <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md>.

mod access;
pub(crate) mod answer;
pub(crate) mod as_docker;
mod blob;
mod call;
pub(crate) mod catalogue;
pub(crate) mod copy;
pub(crate) mod find;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
pub(crate) mod identity;
pub(crate) mod origin;
pub(crate) mod proof;
pub(crate) mod provider;
pub(crate) mod referrers;
pub(crate) mod refusal;
pub(crate) mod reply;
mod stream;
pub(crate) mod tags;
mod token;
pub(crate) mod upload;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Method, Url};

use crate::console::Console;
use crate::context::server::{RegistryKind, is_loopback};
use crate::credentials::Login;
use crate::deadline::{Pace, Patience};
use crate::image::digest::Digest;
use crate::image::manifest;
use crate::image::manifest::Manifest;
use crate::image::tag::Tag;
use crate::registry::access::{Access, Scope};
use crate::registry::answer::Trouble;
use crate::registry::call::{Call, Missing};
use crate::registry::reply::Answer;
use crate::tls::Trust;

/// A connection to one registry with one login.
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
    renewing: tokio::sync::Mutex<()>,
    pace: Pace,
    console: Console,
}

/// A failure that looks like a mistake in the setup counts as one when it happens this often in a row: a
/// registry that restarts looks the same for a moment.
pub(crate) const PERMANENT_AFTER: u32 = 3;
/// How many calls are under way at once.
pub(crate) const PARALLEL: usize = 8;
/// How long a registry may go on answering what a tag pointed to before: a minute, counted from its
/// first stale answer, which may come long after the first question when other things are slow too.
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
            renewing: tokio::sync::Mutex::default(),
            pace,
            console,
        })
    }

    pub(crate) fn pace(&self) -> Pace {
        self.pace
    }

    pub(crate) fn say(&self, text: &str) {
        self.console.say(text);
    }

    pub(crate) fn has_login(&self) -> bool {
        self.login.is_some()
    }

    /// One repository of this registry, asked with `patience`.
    pub(crate) fn repository<'a>(&'a self, path: &'a str, patience: Patience) -> Repository<'a> {
        Repository {
            registry: self,
            path,
            rights: Rights::PullAndPush,
            patience,
        }
    }

    /// A repository that is only read: a login that may not push there will do, and often none.
    pub(crate) fn read_only<'a>(&'a self, path: &'a str, patience: Patience) -> Repository<'a> {
        Repository {
            rights: Rights::Pull,
            ..self.repository(path, patience)
        }
    }
}

/// A repository in a registry, and how long to go on when an answer is a passing failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repository<'a> {
    registry: &'a Registry,
    path: &'a str,
    rights: Rights,
    patience: Patience,
}

/// What is asked for of a repository.
#[derive(Clone, Copy, Debug)]
enum Rights {
    Pull,
    PullAndPush,
}

impl Repository<'_> {
    /// The same repository, asked for at most `time` from now.
    pub(crate) fn at_most(self, time: Duration) -> Self {
        Self {
            patience: self.patience.at_most(time),
            ..self
        }
    }

    /// The same repository with a new patience, whatever is left of the old one.
    pub(crate) fn afresh(self, time: Duration) -> Self {
        Self {
            patience: Patience::lasting(time, self.registry.pace),
            ..self
        }
    }

    /// A tag that was written and still shows something else.
    pub(crate) fn still_elsewhere(self, tag: &Tag) -> Trouble {
        self.broken(format!(
            "still shows another image under `{tag}` after 90 seconds"
        ))
    }

    /// The registry's kind.
    pub(crate) fn kind(&self) -> RegistryKind {
        self.registry.kind
    }

    pub(crate) fn patience(&self) -> Patience {
        self.patience
    }

    pub(crate) fn pace(&self) -> Pace {
        self.registry.pace
    }

    /// Asks for an upload session and leaves it alone: GHCR creates nothing for it, and answers 202
    /// only to those who may push.
    pub(crate) async fn may_push(self) -> Result<(), Trouble> {
        self.call(Call::new(Method::POST, "blobs/uploads/"))
            .await
            .map(drop)
    }

    /// The manifest under a digest that was just pushed: it must be there, and be these bytes.
    async fn manifest(self, digest: &Digest) -> Result<Manifest, Trouble> {
        self.manifest_with(&digest.to_string(), digest).await
    }

    /// The manifest that was just pushed, under any reference that leads to it.
    async fn manifest_with(self, reference: &str, digest: &Digest) -> Result<Manifest, Trouble> {
        let path = format!("manifests/{reference}");
        let call = Call::new(Method::GET, path).accept(manifest::ACCEPTED);
        let manifest = self
            .call(call.missing(Missing::MayTurnUp))
            .await
            .map(Manifest::from)?;
        self.check_digest(digest, &manifest.bytes)?;
        Ok(manifest)
    }

    /// A small blob that was just pushed, for example an image config.
    async fn blob(self, digest: &Digest) -> Result<Vec<u8>, Trouble> {
        let call = Call::new(Method::GET, format!("blobs/{digest}")).missing(Missing::MayTurnUp);
        let answer = self.call(call).await?;
        self.check_digest(digest, &answer.body)?;
        Ok(answer.body)
    }

    /// Whether a blob that was just pushed is there.
    async fn require_blob(self, digest: &Digest) -> Result<(), Trouble> {
        let call = Call::new(Method::HEAD, format!("blobs/{digest}")).missing(Missing::MayTurnUp);
        self.call(call).await.map(drop)
    }

    async fn call(self, call: Call<'_>) -> Result<Answer, Trouble> {
        self.call_as(&self.scope(), call).await
    }

    async fn call_as(self, scope: &Scope, call: Call<'_>) -> Result<Answer, Trouble> {
        self.registry.call(scope, &call, self.patience).await
    }

    fn scope(self) -> Scope {
        let path = self.path.to_owned();
        match self.rights {
            Rights::Pull => Scope::Pull(path),
            Rights::PullAndPush => Scope::PullAndPush(path),
        }
    }

    fn check_digest(self, digest: &Digest, bytes: &[u8]) -> Result<(), Trouble> {
        match Digest::of(bytes) {
            actual if actual == *digest => Ok(()),
            actual => Err(self
                .registry
                .broken(format!("sent bytes of the digest {actual} for {digest}"))),
        }
    }

    fn broken(self, what: String) -> Trouble {
        self.registry.broken(what)
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
    fn only_loopback_is_spoken_to_without_tls() {
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
