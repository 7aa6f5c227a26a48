//! Blobs: whether one is there, taking one over from a repository beside it
//! (<https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-from-another-repository>),
//! and the stream from its source into an upload, with a check of its digest on the way.

use crate::deadline::Pace;
use crate::error::Problem;
use crate::image::digest::{Digest, Hasher};
use crate::image::manifest::Descriptor;
use crate::oci_layout::OciLayout;
use crate::oci_layout::section::SectionReader;
use crate::registry::auth::Scope;
use crate::registry::client::IDLE_TIMEOUT;
use crate::registry::error::RegistryError;
use crate::registry::http::Request;
use crate::registry::{Registry, Repository};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use reqwest::header::LOCATION;
use reqwest::{Method, Response, StatusCode};
use std::io;
use std::io::Read as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Where the pieces of a blob come from.
pub(super) enum Reader<'a> {
    Registry(&'a Registry, Response),
    Layout(&'a OciLayout, SectionReader),
    Memory(Bytes),
}

/// How much of a file is read at once.
const CHUNK_BYTES: usize = 128 << 10;
/// Bytes of a blob that come within a minute at least.
const MIN_BYTES_PER_MINUTE: u64 = 64 << 10;

impl Reader<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        match self {
            Self::Registry(registry, response) => registry.chunk(response).await,
            Self::Layout(layout, file) => {
                let mut piece = vec![0; CHUNK_BYTES];
                let length = file.read(&mut piece);
                let length = length.map_err(|error| layout.broken(format!("ends: {error}")))?;
                piece.truncate(length);
                Ok((length > 0).then(|| piece.into()))
            }
            Self::Memory(bytes) => Ok((!bytes.is_empty()).then(|| std::mem::take(bytes))),
        }
    }

    fn invalid(&self, what: String) -> RegistryError {
        match self {
            Self::Registry(registry, _) => registry.invalid(what),
            Self::Layout(layout, _) => layout.broken(what).into(),
            Self::Memory(_) => RegistryError::Invalid {
                host: "this run".to_owned(),
                what,
            },
        }
    }

    /// Another try may be faster.
    fn too_slow(&self, blob: &Blob) -> RegistryError {
        let what = format!(
            "sends less than {} KiB of {} in a minute",
            MIN_BYTES_PER_MINUTE >> 10,
            blob.digest
        );
        match self {
            Self::Registry(registry, _) => registry.interrupted(anyhow::anyhow!(what)),
            Self::Layout(layout, _) => layout.broken(what).into(),
            Self::Memory(_) => RegistryError::Invalid {
                host: "this run".to_owned(),
                what,
            },
        }
    }

    /// Reads everything and gives it to `feed`. The last piece is held back until size and digest are
    /// right, so that an upload of other bytes never comes to its end.
    pub(super) async fn pump(
        mut self,
        blob: &Blob,
        feed: mpsc::Sender<Bytes>,
        pace: Pace,
    ) -> Result<(), StreamError> {
        let (mut hasher, mut size) = (Hasher::default(), 0);
        let (mut minute, mut in_minute) = (Instant::now(), 0);
        let mut held: Option<Bytes> = None;
        while let Some(piece) = self.next().await.map_err(StreamError::Reading)? {
            size += piece.len() as u64;
            in_minute += piece.len() as u64;
            if pace.since(minute) >= IDLE_TIMEOUT {
                if in_minute < MIN_BYTES_PER_MINUTE {
                    return Err(StreamError::Reading(self.too_slow(blob)));
                }
                (minute, in_minute) = (Instant::now(), 0);
            }
            if size > blob.size {
                break;
            }
            hasher.update(&piece);
            if let Some(before) = held.replace(piece) {
                hand_over(&feed, before, pace).await?;
            }
        }
        let actual = hasher.digest();
        if size != blob.size || actual != blob.digest {
            let Blob { digest, size } = blob;
            let what = format!("sent content that does not match {digest} ({size} bytes)");
            return Err(StreamError::Reading(self.invalid(what)));
        }
        match held {
            Some(last) => hand_over(&feed, last, pace).await,
            None => Ok(()),
        }
    }
}

/// Why a blob did not get through.
pub(super) enum StreamError {
    Reading(RegistryError),
    /// The upload takes no more: it was answered, or it failed.
    Unwanted,
    /// The upload takes nothing for a minute.
    Stalled,
}

async fn hand_over(
    feed: &mpsc::Sender<Bytes>,
    piece: Bytes,
    pace: Pace,
) -> Result<(), StreamError> {
    match pace.timeout(IDLE_TIMEOUT, feed.send(piece)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_closed)) => Err(StreamError::Unwanted),
        Err(_elapsed) => Err(StreamError::Stalled),
    }
}

/// The body of a request: what the other end of a channel gives, of a length known before.
pub(super) struct Feed {
    pieces: mpsc::Receiver<Bytes>,
    left: u64,
}

impl Feed {
    pub(super) fn of(size: u64) -> (mpsc::Sender<Bytes>, Self) {
        let (sender, pieces) = mpsc::channel(1);
        (sender, Self { pieces, left: size })
    }
}

impl Body for Feed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = self.pieces.poll_recv(context);
        piece.map(|piece| {
            let piece = piece?;
            self.left = self.left.saturating_sub(piece.len() as u64);
            Some(Ok(Frame::data(piece)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Config or layer, by what names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

/// What a registry says to a mount.
pub(super) enum Mounted {
    Done,
    /// It opened an upload instead, which goes on there.
    Session(String),
    /// It knows no such thing, or does not let us.
    Refused,
}

impl Blob {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self {
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
        }
    }

    pub(super) fn of(descriptor: &Descriptor) -> Result<Self, Problem> {
        Ok(Self {
            digest: descriptor.digest.parse()?,
            size: descriptor.size,
        })
    }
}

impl Repository<'_> {
    /// A small blob, for example an image config.
    pub(super) async fn small_blob(self, digest: &Digest) -> Result<Vec<u8>, RegistryError> {
        let read = async {
            let request = Request::new(Method::GET, format!("blobs/{digest}"));
            let response = self.send(request).await?;
            self.check_digest(digest, &response.body)?;
            Ok(response.body)
        };
        let known = &self.registry.configs;
        self.once(known, digest, Vec::len, read).await
    }

    /// Fails unless the blob exists.
    pub(super) async fn require_blob(self, digest: &Digest) -> Result<(), RegistryError> {
        let request = Request::new(Method::HEAD, format!("blobs/{digest}"));
        self.send(request).await.map(drop)
    }

    /// The response with a blob, its body unread. The registry may redirect to its storage; the redirected
    /// request carries no credentials.
    pub(super) async fn open_blob(
        self,
        digest: &Digest,
    ) -> Result<reqwest::Response, RegistryError> {
        let request = Request::new(Method::GET, format!("blobs/{digest}"));
        let registry = self.registry;
        let response = match registry.open(&self.scope(), &request).await? {
            Ok(response) if response.status().is_success() => return Ok(response),
            Ok(response) => registry.read_response(response).await?,
            Err(denied) => denied,
        };
        Err(registry.error(&response))
    }

    /// Whether the blob is there. A repository that does not exist yet may be denied to us.
    pub(super) async fn has_blob(self, digest: &Digest) -> Result<bool, RegistryError> {
        match self.require_blob(digest).await {
            Ok(()) => Ok(true),
            Err(RegistryError::NotFound(_) | RegistryError::Denied(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes the blob over from the repository `from` of the same registry, without its bytes.
    pub(super) async fn mount(self, digest: &Digest, from: &str) -> Result<Mounted, RegistryError> {
        let path = format!("blobs/uploads/?mount={digest}&from={from}");
        let scope = Scope::Mount {
            into: self.path.to_owned(),
            from: from.to_owned(),
        };
        let response = match self.send_as(&scope, Request::new(Method::POST, path)).await {
            Ok(response) => response,
            Err(RegistryError::Denied(_) | RegistryError::NotFound(_)) => {
                return Ok(Mounted::Refused);
            }
            Err(RegistryError::Unexpected(response))
                if response.status == StatusCode::METHOD_NOT_ALLOWED =>
            {
                return Ok(Mounted::Refused);
            }
            Err(error) => return Err(error),
        };
        Ok(match (response.status, response.header(LOCATION)) {
            (StatusCode::CREATED, _) => Mounted::Done,
            (_, Some(location)) => Mounted::Session(location.to_owned()),
            (_, None) => Mounted::Refused,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::Console;
    use crate::context::server::RegistryKind;
    use crate::image::digest::Digest;
    use crate::tls::Trust;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A byte each second, as time passes here: each comes in time, and all of them in a day.
    #[tokio::test]
    async fn slow_blob_fails() {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _length = socket.read(&mut request).await.unwrap();
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
            socket.write_all(head).await.unwrap();
            while socket.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let console = Console::NOWHERE;
        let pace = Pace::times(100);
        let registry = Registry::new(
            &host,
            RegistryKind::Generic,
            None,
            &Trust::default(),
            pace,
            console,
        );
        let registry = registry.unwrap();
        let response = registry
            .http
            .get(registry.base.clone())
            .send()
            .await
            .unwrap();
        let (feed, mut pieces) = mpsc::channel(1);
        let drain = tokio::spawn(async move { while pieces.recv().await.is_some() {} });
        let blob = Blob {
            digest: Digest::of(b""),
            size: 100_000,
        };
        let pump = Reader::Registry(&registry, response).pump(&blob, feed, pace);
        let ended = tokio::time::timeout(Duration::from_secs(20), pump).await;
        server.abort();
        drain.abort();
        let ended = ended.expect("it ends");
        let Err(StreamError::Reading(error)) = ended else {
            panic!("the blob is not given up");
        };
        assert!(error.to_string().contains("less than 64 KiB"), "{error}");
    }
}
