//! `Registry`: asks whether a push is allowed, proves what is there, tags it, reads the tags back.
//!
//! Protocol: <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md>.

mod answer;
mod call;
mod manifest;
mod patience;
mod proof;
mod token;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, StatusCode, Url};
use tokio::time::{Instant, sleep};

use crate::credentials::Login;
use crate::image::{Digest, ImageName, Tag};
use crate::problem::Problem;
use crate::secret::Secret;
use crate::workflow::Console;
pub(crate) use answer::Trouble;
use call::{Answer, Call, Missing};
pub(crate) use manifest::Manifest;
pub(crate) use patience::Patience;
pub(crate) use proof::{PlatformImage, Proof};

/// A connection to one registry with one login.
#[derive(Debug)]
pub(crate) struct Registry {
    http: reqwest::Client,
    base: Url,
    /// As the user wrote it, for messages.
    host: String,
    login: Option<Login>,
    /// The `Authorization` header that works, by repository.
    authorizations: Mutex<BTreeMap<String, Secret>>,
    console: Console,
}

/// How many calls are under way at once.
const PARALLEL: usize = 8;
/// How long a registry may go on answering what a tag pointed to before.
pub(crate) const STALE_READS: Duration = Duration::from_secs(60);

impl Registry {
    pub(crate) fn new(host: &str, login: Option<Login>, console: Console) -> anyhow::Result<Self> {
        let base = base_url(host).with_context(|| format!("`{host}` is not a registry host"))?;
        let http = reqwest::Client::builder()
            .user_agent(concat!("ghcr-publish/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::limited(5))
            .build()
            .context("could not set up the HTTP client")?;
        Ok(Self {
            http,
            base,
            host: host.to_owned(),
            login,
            authorizations: Mutex::default(),
            console,
        })
    }

    /// One repository of this registry, asked with `patience`.
    pub(crate) fn repository<'a>(&'a self, path: &'a str, patience: Patience) -> Repository<'a> {
        Repository {
            registry: self,
            path,
            patience,
        }
    }
}

/// A repository in a registry, and how long to go on when an answer is a passing failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repository<'a> {
    registry: &'a Registry,
    path: &'a str,
    patience: Patience,
}

impl Repository<'_> {
    /// Asks for an upload session and leaves it alone: GHCR creates nothing for it, and answers 202
    /// only to those who may push.
    pub(crate) async fn may_push(self) -> Result<(), Trouble> {
        self.call(Call::new(Method::POST, "blobs/uploads/"))
            .await
            .map(drop)
    }

    /// Lets each tag point to the manifest, all at once.
    pub(crate) async fn tag(self, manifest: &Manifest, tags: &[Tag]) -> Result<(), Trouble> {
        let puts = tags.iter().map(|tag| async move {
            let call = Call::new(Method::PUT, format!("manifests/{tag}"));
            self.call(call.body(&manifest.media_type, &manifest.bytes))
                .await
                .map(drop)
        });
        stream::iter(puts)
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await
    }

    /// The tags among `tags` that point to `digest`, read from the registry. A tag that does not yet is
    /// asked again until `lag` is over, since reads may lag behind writes.
    pub(crate) async fn read_back(
        self,
        digest: &Digest,
        tags: &[Tag],
        lag: Duration,
    ) -> Result<Vec<Tag>, Trouble> {
        let reads = tags.iter().map(|tag| async move {
            let holds = self.holds(digest, tag, lag).await?;
            Ok(holds.then(|| tag.clone()))
        });
        let held: Vec<Option<Tag>> = stream::iter(reads).buffered(PARALLEL).try_collect().await?;
        Ok(held.into_iter().flatten().collect())
    }

    async fn holds(self, digest: &Digest, tag: &Tag, lag: Duration) -> Result<bool, Trouble> {
        let until = Instant::now() + lag;
        let mut delay = Duration::from_millis(250);
        loop {
            if self.digest_of(tag).await?.as_ref() == Some(digest) {
                return Ok(true);
            }
            if Instant::now() + delay > until {
                return Ok(false);
            }
            sleep(delay).await;
            delay = (delay * 2).min(Duration::from_secs(5));
        }
    }

    /// What a tag points to. The header is believed when it is a digest; else the bytes are hashed.
    async fn digest_of(self, tag: &Tag) -> Result<Option<Digest>, Trouble> {
        let read =
            |method| Call::new(method, format!("manifests/{tag}")).accept(manifest::ACCEPTED);
        let answer = match self.call(read(Method::HEAD)).await {
            Ok(answer) => answer,
            Err(Trouble::NotFound { .. }) => return Ok(None),
            Err(trouble) => return Err(trouble),
        };
        let said = answer.content_digest.and_then(|text| text.parse().ok());
        match said {
            Some(digest) => Ok(Some(digest)),
            None => self
                .call(read(Method::GET))
                .await
                .map(|answer| Some(Manifest::of(answer).digest)),
        }
    }

    /// The manifest under a digest that was just pushed: it must be there, and be these bytes.
    async fn manifest(self, digest: &Digest) -> Result<Manifest, Trouble> {
        let call = Call::new(Method::GET, format!("manifests/{digest}")).accept(manifest::ACCEPTED);
        let manifest = self
            .call(call.missing(Missing::MayTurnUp))
            .await
            .map(Manifest::of)?;
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
        self.registry.call(self.path, &call, self.patience).await
    }

    fn check_digest(self, digest: &Digest, bytes: &[u8]) -> Result<(), Trouble> {
        match Digest::of(bytes) {
            actual if actual == *digest => Ok(()),
            actual => Err(self.broken(format!("sent bytes of the digest {actual} for {digest}"))),
        }
    }

    fn broken(self, what: String) -> Trouble {
        Trouble::Broken {
            host: self.registry.host.clone(),
            what,
        }
    }
}

/// Loopback registries speak plain HTTP, as the engine expects; all others TLS.
fn base_url(host: &str) -> anyhow::Result<Url> {
    let name = host.rsplit_once(':').map_or(
        host,
        |(name, port)| if port.ends_with(']') { host } else { name },
    );
    let loopback = name == "localhost"
        || name == "[::1]"
        || name
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|ip| ip.is_loopback());
    // Docker Hub's registry lives under another name than its images.
    let host = if host == "docker.io" {
        "registry-1.docker.io"
    } else {
        host
    };
    let scheme = if loopback { "http" } else { "https" };
    Ok(Url::parse(&format!("{scheme}://{host}/v2/"))?)
}

/// Explains why a push of `name` would not work, when the registry is sure of it.
pub(crate) fn refusal(name: &ImageName, trouble: Trouble) -> anyhow::Error {
    let problem = match &trouble {
        Trouble::Denied {
            status: StatusCode::UNAUTHORIZED,
            ..
        } => Problem::new(
            format!("cannot push `{name}`"),
            "give a token the registry knows: `github-token`, or `username` and `password`",
        ),
        Trouble::Denied { .. } => Problem::new(
            format!("cannot push `{name}`"),
            "add `packages: write` to the job's `permissions:`, and give this repository the role Write on the package's settings page",
        ),
        Trouble::Unreachable { host, .. } => Problem::new(
            format!("cannot reach the registry `{host}`"),
            "see whether the name in `registry` or `images` is right and the registry is up",
        ),
        Trouble::NotFound { .. } | Trouble::Unexpected { .. } | Trouble::Broken { .. } => {
            Problem::new(
                format!("cannot push `{name}`"),
                "see whether the name is right and the registry is well, then run the job again",
            )
        }
    };
    anyhow::Error::new(trouble).context(problem)
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
