//! The client against servers that break the rules of HTTP or TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::console::Console;
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
    let console = Console::NOWHERE;
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
    expected: ConnectionFailure,
) where
    S: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut registry = registry(&listener);
    registry.base.set_scheme("https").unwrap();
    let connections = Arc::new(AtomicU32::new(0));
    let server = tokio::spawn(serve(listener, connections.clone()));
    let deadline = Deadline::after(Duration::from_secs(900), registry.pace);
    let refused = registry.repository("acme/app", deadline).may_push().await;
    server.abort();
    let error = refused.unwrap_err();
    let is_expected =
        matches!(&error, RegistryError::Unreachable { failure, .. } if *failure == expected);
    assert!(is_expected, "{error}");
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn plain_http_server_is_tried_three_times() {
    is_asked_three_times(plain_http, ConnectionFailure::PlainHttp).await;
}

#[tokio::test]
async fn untrusted_certificate_is_tried_three_times() {
    let authority = ghcr_double::Authority::generate().unwrap();
    let double = ghcr_double::Double::builder().tls(&authority, &[]).start();
    let double = double.unwrap();
    let address = double.address();
    let serve = |listener, connections| way_to(address, listener, connections);
    is_asked_three_times(serve, ConnectionFailure::UntrustedCertificate).await;
}

#[tokio::test]
async fn body_over_the_limit_is_rejected() {
    for (length, is_read) in [(MAX_BODY_BYTES, true), (MAX_BODY_BYTES + 1, false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let registry = registry(&listener);
        let server = tokio::spawn(pour(listener, length));
        let get = registry.http.get(registry.base.clone());
        let response = registry.send(get, None).await;
        server.abort();
        let read = response.ok().map(|response| response.body.len());
        assert_eq!(read, is_read.then_some(length));
    }
}

#[tokio::test]
async fn slow_body_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let registry = registry(&listener);
    let server = tokio::spawn(drip(listener));
    let get = registry.http.get(registry.base.clone());
    let answer = tokio::time::timeout(Duration::from_secs(20), registry.send(get, None)).await;
    server.abort();
    let error = answer.expect("it ends").err();
    assert!(
        matches!(error, Some(RegistryError::Unreachable { .. })),
        "{error:?}"
    );
}
