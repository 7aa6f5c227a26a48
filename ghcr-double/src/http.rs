//! `Listener`: an HTTP server on a thread of its own, which stops when dropped.

pub(crate) mod endpoint;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod route;
pub(crate) mod tls;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::thread::{self, JoinHandle};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use response::Payload;

/// The response to a request, or the reason to drop its connection.
pub(crate) type Outcome = Result<Response<Payload>, Dropped>;

/// How a connection ends without a response.
#[derive(Debug)]
pub(crate) enum Dropped {
    /// With RST: the client gets `ECONNRESET`.
    Reset,
    /// With FIN: the client gets EOF.
    Close,
}

impl fmt::Display for Dropped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a scripted fault drops this connection")
    }
}

impl Error for Dropped {}

/// Works in sync and async tests, because it has its own runtime.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Listens before it returns, so that no request can arrive too early.
    pub(crate) fn start<R, F>(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        respond: R,
    ) -> io::Result<Self>
    where
        R: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        let listener = StdListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("ghcr-double".to_owned())
            .spawn(move || runtime.block_on(serve(listener, tls, respond, stopped)))?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was printed when it happened.
            let _ended = thread.join();
        }
    }
}

/// Serves until the sender of `stopped` is dropped.
async fn serve<R, F>(
    listener: StdListener,
    tls: Option<TlsAcceptor>,
    respond: R,
    mut stopped: oneshot::Receiver<()>,
) where
    R: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Outcome> + Send + 'static,
{
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            Ok((stream, _)) = listener.accept() => {
                tokio::spawn(connection(stream, tls.clone(), respond.clone()));
            }
        }
    }
}

/// With TLS, closes the connection of a client that speaks plain HTTP or does not trust the CA.
async fn connection<R, F>(stream: TcpStream, tls: Option<TlsAcceptor>, respond: R)
where
    R: Fn(Request<Incoming>) -> F,
    F: Future<Output = Outcome>,
{
    let Some(tls) = tls else {
        return serve_connection(stream, |stream| stream, respond).await;
    };
    if let Ok(stream) = tls.accept(stream).await {
        serve_connection(stream, |stream: &TlsStream<_>| stream.get_ref().0, respond).await;
    }
}

/// On a port without TLS, hyper responds to a TLS handshake with a plain 400, after which BuildKit falls back to plain
/// HTTP.
async fn serve_connection<S, R, F>(stream: S, socket: fn(&S) -> &TcpStream, respond: R)
where
    S: AsyncRead + AsyncWrite + Unpin,
    R: Fn(Request<Incoming>) -> F,
    F: Future<Output = Outcome>,
{
    let service = service_fn(respond);
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let Err(error) = Pin::new(&mut connection).await else {
        return;
    };
    let dropped = error.source().and_then(|source| source.downcast_ref());
    if let Some(Dropped::Reset) = dropped {
        let stream = connection.into_parts().io.into_inner();
        // If it cannot be set, the client gets EOF instead, which is also a failed connection.
        let _set = socket(&stream).set_zero_linger();
    }
}
