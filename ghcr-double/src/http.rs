//! `Background`: a small HTTP server on a thread of its own, gone when dropped.

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

/// A request is answered, or its connection is dropped.
pub(crate) type Outcome = Result<Response<Payload>, Dropped>;

/// Why a connection ends without an answer.
#[derive(Debug)]
pub(crate) enum Dropped {
    /// With an RST: `ECONNRESET` for the client.
    Reset,
    /// With a FIN: an EOF for the client.
    Close,
}

impl fmt::Display for Dropped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the script drops this connection")
    }
}

impl Error for Dropped {}

/// Works under sync and async tests alike, because its runtime is its own.
#[derive(Debug)]
pub(crate) struct Background {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Listens before it returns, so that the first request cannot come too early.
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

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was printed where it happened.
            let _ended = thread.join();
        }
    }
}

/// Serves until the other end of `stopped` is dropped.
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

/// With TLS, whoever greets in plain HTTP or trusts another authority is left alone with a closed connection.
async fn connection<R, F>(stream: TcpStream, tls: Option<TlsAcceptor>, respond: R)
where
    R: Fn(Request<Incoming>) -> F,
    F: Future<Output = Outcome>,
{
    let Some(tls) = tls else {
        return talk(stream, |stream| stream, respond).await;
    };
    if let Ok(stream) = tls.accept(stream).await {
        talk(stream, |stream: &TlsStream<_>| stream.get_ref().0, respond).await;
    }
}

/// A TLS greeting on a plain port is answered by hyper with a plain 400, as BuildKit wants before it falls back to
/// plain HTTP.
async fn talk<S, R, F>(stream: S, socket: fn(&S) -> &TcpStream, respond: R)
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
        // Without it the client only sees the end of the stream, which is a fault too.
        let _set = socket(&stream).set_zero_linger();
    }
}
