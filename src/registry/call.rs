//! One call of the registry's API: sent with what authenticates it, and again while that helps.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, IF_MATCH};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use tokio::time::Instant;
use tokio::time::error::Elapsed;

use crate::deadline;
use crate::deadline::Patience;
use crate::registry::access::Scope;
use crate::registry::answer::{Reach, Trouble};
use crate::registry::reply::{Answer, Origin, Reply};
use crate::registry::{PERMANENT_AFTER, Registry, STALE_READS, catalogue};
use crate::secret::Secret;

/// A request as a value, so that it can be sent again.
#[derive(Debug)]
pub(super) struct Call<'a> {
    method: Method,
    /// Below the repository.
    path: String,
    accept: Option<&'static str>,
    body: Option<(&'a str, &'a [u8])>,
    if_match: Option<&'a str>,
    missing: Missing,
}

/// What a 404 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is not there.
    Final,
    /// It was just pushed, and reads may lag behind.
    MayTurnUp,
}

const HEADERS_WITHIN: Duration = Duration::from_secs(30);
/// How long a body may make no progress.
pub(super) const IDLE: Duration = Duration::from_secs(60);
/// For all of a body, however it trickles in.
const BODY_WITHIN: Duration = Duration::from_secs(60);
/// The usual limit of registries for a manifest.
const LARGEST_BODY: usize = 4 << 20;
const LARGEST_ERROR: usize = 64 << 10;
/// What GitHub's secondary limit asks for when it names no time
/// (<https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately>).
const SECONDARY_LIMIT: Duration = Duration::from_secs(60);

impl<'a> Call<'a> {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            accept: None,
            body: None,
            if_match: None,
            missing: Missing::Final,
        }
    }

    pub(super) fn accept(self, media_types: &'static str) -> Self {
        Self {
            accept: Some(media_types),
            ..self
        }
    }

    pub(super) fn body(self, media_type: &'a str, bytes: &'a [u8]) -> Self {
        Self {
            body: Some((media_type, bytes)),
            ..self
        }
    }

    /// Only while what is there has this entity tag
    /// (<https://www.rfc-editor.org/rfc/rfc9110#field.if-match>).
    pub(super) fn if_match(self, if_match: Option<&'a str>) -> Self {
        Self { if_match, ..self }
    }

    pub(super) fn missing(self, missing: Missing) -> Self {
        Self { missing, ..self }
    }
}

impl Registry {
    /// Sends `call` until it succeeds, is refused for good, or patience ends.
    pub(super) async fn call(
        &self,
        scope: &Scope,
        call: &Call<'_>,
        patience: Patience,
    ) -> Result<Answer, Trouble> {
        let started = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let trouble = match self.attempt(scope, call).await {
                Ok(reply) if reply.status.is_success() => return Ok(reply.into_answer()),
                Ok(reply) => self.judge(&reply, call, started)?,
                Err(trouble @ Trouble::Unreachable { .. }) => trouble,
                Err(trouble) => return Err(trouble),
            };
            if trouble.is_permanent() && tries >= PERMANENT_AFTER {
                return Err(trouble);
            }
            let Some(retry) = patience.retry(tries, trouble.asked()) else {
                return Err(trouble);
            };
            self.console.say(&format!("{trouble}; {retry}"));
            retry.wait().await;
        }
    }

    /// What is wrong; an error when another try does not help.
    fn judge(&self, reply: &Reply, call: &Call<'_>, started: Instant) -> Result<Trouble, Trouble> {
        let lagging = reply.origin == Origin::Registry
            && reply.status == StatusCode::NOT_FOUND
            && call.missing == Missing::MayTurnUp
            && self.pace.since(started) < STALE_READS;
        let trouble = self.trouble(reply);
        if lagging || trouble.is_passing() {
            Ok(trouble)
        } else {
            Err(trouble)
        }
    }

    /// What an answer that is no success means.
    pub(super) fn trouble(&self, reply: &Reply) -> Trouble {
        let said = reply.said();
        let asked = reply.retry_after().or_else(|| {
            let limited = catalogue::is_secondary_limit(&said).then_some(SECONDARY_LIMIT);
            limited.or_else(|| deadline::hint(&said))
        });
        Trouble::of(&self.host, reply.status, said, asked)
    }

    /// Whether this process gets any answer from the registry, asked once.
    pub(crate) async fn answers(&self) -> bool {
        let request = self.http.get(self.base.clone());
        self.send_for_headers(request, None).await.is_ok()
    }

    async fn attempt(&self, scope: &Scope, call: &Call<'_>) -> Result<Reply, Trouble> {
        match self.open(scope, call).await? {
            Ok(response) => self.reply(response).await,
            Err(refusal) => Ok(refusal),
        }
    }

    /// Sends once, and once more when the registry wants to know who we are; the body of the answer is
    /// still to be read. The inner error says that we remain unknown.
    pub(super) async fn open(
        &self,
        scope: &Scope,
        call: &Call<'_>,
    ) -> Result<Result<Response, Reply>, Trouble> {
        let access = self.access(scope).await?;
        let header = access.as_ref().map(|access| &access.header);
        let response = self.send_call(scope, call, header).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(Ok(response));
        }
        let reply = self.reply(response).await?;
        let Some(challenge) = reply.challenge() else {
            return Ok(Err(reply));
        };
        match self.renew(scope, &challenge, access.as_ref()).await? {
            Ok(Some(fresh)) => {
                let again = self.send_call(scope, call, Some(&fresh.header)).await?;
                Ok(Ok(again))
            }
            Ok(None) => Ok(Err(reply)),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    async fn send_call(
        &self,
        scope: &Scope,
        call: &Call<'_>,
        authorization: Option<&Secret>,
    ) -> Result<Response, Trouble> {
        let url = self.url(scope.repository(), &call.path)?;
        let mut request = self.http.request(call.method.clone(), url);
        if let Some(accept) = call.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(etag) = call.if_match {
            request = request.header(IF_MATCH, etag);
        }
        request = match call.body {
            Some((media_type, bytes)) => request
                .header(CONTENT_TYPE, media_type)
                .body(bytes.to_vec()),
            None if call.method == Method::POST => request.body(Vec::new()),
            None => request,
        };
        self.send_for_headers(request, authorization).await
    }

    /// The address of something below a repository.
    pub(super) fn url(&self, repository: &str, path: &str) -> Result<Url, Trouble> {
        let url = self.base.join(&format!("{repository}/{path}"));
        url.map_err(|error| self.broken(format!("cannot be asked for `{path}`: {error}")))
    }

    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        authorization: Option<&Secret>,
    ) -> Result<Reply, Trouble> {
        let response = self.send_for_headers(request, authorization).await?;
        self.reply(response).await
    }

    async fn send_for_headers(
        &self,
        request: RequestBuilder,
        authorization: Option<&Secret>,
    ) -> Result<Response, Trouble> {
        let request = self.authorized(request, authorization)?;
        match self.pace.timeout(HEADERS_WITHIN, request.send()).await {
            Ok(sent) => sent.map_err(|error| self.unreachable(error)),
            Err(elapsed) => Err(self.silent(elapsed)),
        }
    }

    pub(super) fn authorized(
        &self,
        request: RequestBuilder,
        authorization: Option<&Secret>,
    ) -> Result<RequestBuilder, Trouble> {
        let Some(authorization) = authorization else {
            return Ok(request);
        };
        let value = HeaderValue::from_str(authorization.expose());
        let mut value = value.map_err(|_unprintable| {
            self.broken("cannot be sent a token with characters that no header holds".to_owned())
        })?;
        value.set_sensitive(true);
        Ok(request.header(AUTHORIZATION, value))
    }

    /// The answer with its body.
    pub(super) async fn reply(&self, response: Response) -> Result<Reply, Trouble> {
        let status = response.status();
        let headers = response.headers().clone();
        let limit = if status.is_success() {
            LARGEST_BODY
        } else {
            LARGEST_ERROR
        };
        let read = self.pace.timeout(BODY_WITHIN, self.read(response, limit));
        let body = match read.await {
            Ok(body) => body?,
            Err(elapsed) => return Err(self.silent(elapsed)),
        };
        Ok(Reply {
            status,
            headers,
            body,
            origin: Origin::Registry,
        })
    }

    /// The body up to `limit` bytes; more is cut for an error and refused for a success.
    async fn read(&self, mut response: Response, limit: usize) -> Result<Vec<u8>, Trouble> {
        let success = response.status().is_success();
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(&mut response).await? {
            let room = limit - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                if success {
                    return Err(self.broken(format!("sent more than {limit} bytes")));
                }
                break;
            }
        }
        Ok(body)
    }

    /// The next piece of a body, which comes within a minute.
    pub(super) async fn chunk(&self, response: &mut Response) -> Result<Option<Bytes>, Trouble> {
        match self.pace.timeout(IDLE, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| self.unreachable(error)),
            Err(elapsed) => Err(self.silent(elapsed)),
        }
    }

    /// Somebody who was there says nothing any more.
    pub(super) fn silent(&self, elapsed: Elapsed) -> Trouble {
        Trouble::Unreachable {
            host: self.host.clone(),
            reach: Reach::Interrupted,
            source: elapsed.into(),
        }
    }

    pub(super) fn unreachable(&self, error: reqwest::Error) -> Trouble {
        Trouble::Unreachable {
            host: self.host.clone(),
            reach: Reach::of(&error),
            source: error.without_url().into(),
        }
    }

    pub(super) fn broken(&self, what: String) -> Trouble {
        Trouble::Broken {
            host: self.host.clone(),
            what,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::console::{Console, Reader, Screen, Stream};
    use crate::context::server::RegistryKind;
    use crate::deadline::Pace;
    use crate::tls::Trust;

    /// A body that never stops and never ends: a byte each second, as time passes here.
    async fn drip(listener: TcpListener) {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _length = socket.read(&mut request).await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
        socket.write_all(head).await.unwrap();
        while socket.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A body of so many bytes, at once.
    async fn pour(listener: TcpListener, length: usize) {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _length = socket.read(&mut request).await.unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        // The reader may hang up before the end.
        let _sent = socket.write_all(&vec![b'x'; length]).await;
    }

    /// A registry on loopback, a hundred times faster.
    fn registry(listener: &TcpListener) -> Registry {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let host = listener.local_addr().unwrap().to_string();
        let console = Console {
            reader: Reader::Person(Screen::Paper),
            stream: Stream::Nowhere,
        };
        let (kind, trust, pace) = (RegistryKind::Generic, Trust::default(), Pace::times(100));
        Registry::new(&host, kind, None, &trust, pace, console).unwrap()
    }

    /// A web server without TLS, which counts its connections.
    async fn plain_http(listener: TcpListener, connections: Arc<AtomicU32>) {
        while let Ok((mut socket, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 4096];
            let _length = socket.read(&mut request).await.unwrap();
            let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
            let _gone = socket.write_all(answer).await;
        }
    }

    /// The way to `server`, which counts its connections.
    async fn way_to(server: SocketAddr, listener: TcpListener, connections: Arc<AtomicU32>) {
        while let Ok((mut socket, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            let mut far = TcpStream::connect(server).await.unwrap();
            let _gone = copy_bidirectional(&mut socket, &mut far).await;
        }
    }

    /// Asks over TLS whether a push is allowed: three times, and then it is this mistake.
    async fn is_asked_three_times<S>(
        serve: impl FnOnce(TcpListener, Arc<AtomicU32>) -> S,
        expected: Reach,
    ) where
        S: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut registry = registry(&listener);
        registry.base.set_scheme("https").unwrap();
        let connections = Arc::new(AtomicU32::new(0));
        let server = tokio::spawn(serve(listener, connections.clone()));
        let patience = Patience::lasting(Duration::from_secs(900), registry.pace);
        let refused = registry.repository("acme/app", patience).may_push().await;
        server.abort();
        let trouble = refused.unwrap_err();
        let is_expected =
            matches!(&trouble, Trouble::Unreachable { reach, .. } if *reach == expected);
        assert!(is_expected, "{trouble}");
        assert_eq!(connections.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_server_without_tls_is_asked_three_times() {
        is_asked_three_times(plain_http, Reach::WithoutTls).await;
    }

    #[tokio::test]
    async fn a_server_whose_certificate_is_not_trusted_is_asked_three_times() {
        let authority = ghcr_double::Authority::generate().unwrap();
        let double = ghcr_double::Double::builder().tls(&authority, &[]).start();
        let double = double.unwrap();
        let address = double.address();
        let serve = |listener, connections| way_to(address, listener, connections);
        is_asked_three_times(serve, Reach::Untrusted).await;
    }

    #[tokio::test]
    async fn the_largest_body_is_read_and_a_larger_one_refused() {
        for (length, is_read) in [(LARGEST_BODY, true), (LARGEST_BODY + 1, false)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let registry = registry(&listener);
            let server = tokio::spawn(pour(listener, length));
            let get = registry.http.get(registry.base.clone());
            let reply = registry.send(get, None).await;
            server.abort();
            let read = reply.ok().map(|reply| reply.body.len());
            assert_eq!(read, is_read.then_some(length));
        }
    }

    #[tokio::test]
    async fn a_body_that_drips_is_not_awaited_for_ever() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let registry = registry(&listener);
        let server = tokio::spawn(drip(listener));
        let get = registry.http.get(registry.base.clone());
        let answer = tokio::time::timeout(Duration::from_secs(20), registry.send(get, None)).await;
        server.abort();
        let trouble = answer.expect("it ends").err();
        assert!(
            matches!(trouble, Some(Trouble::Unreachable { .. })),
            "{trouble:?}"
        );
    }
}
