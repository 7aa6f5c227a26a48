//! The steps of one request: record it, apply the fault that the script has for it, respond.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Uri;
use hyper::body::{Body, Incoming};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;
use tokio::time::sleep;

use crate::fault::{Effect, Fault};
use crate::gate::Gate;
use crate::handlers;
use crate::http::endpoint::Endpoint;
use crate::http::request::{Request, Seen, View};
use crate::http::response::Response;
use crate::http::route::Route;
use crate::http::{Dropped, Outcome};
use crate::state::State;

/// The state that the serving thread shares with the test.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    gate: OnceLock<Arc<Gate>>,
    started: Instant,
}

impl Shared {
    pub(crate) fn new(state: State) -> Self {
        Self {
            state: Mutex::new(state),
            gate: OnceLock::new(),
            started: Instant::now(),
        }
    }

    pub(crate) fn gate(&self) -> Arc<Gate> {
        Arc::clone(self.gate.get_or_init(Arc::default))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) async fn respond(incoming: hyper::Request<Incoming>, shared: Arc<Shared>) -> Outcome {
    let (parts, body) = incoming.into_parts();
    let mut request = Request::without_body(&parts, &shared.lock().server);
    let (fault, number) = record(&request, &parts.uri, &shared);
    if let Some(delay) = fault.delay {
        sleep(delay).await;
    }
    match fault.effect {
        Effect::Reset => return Err(Dropped::Reset),
        Effect::CutUpload(bytes) => {
            read_some(body, bytes).await;
            return Err(Dropped::Reset);
        }
        _ => {}
    }
    request.body = read_all(body).await?;
    let seen = shared.lock().seen.get(number).cloned();
    let _passed = match shared.gate.get().zip(seen) {
        Some((gate, seen)) => Some(gate.enter(seen).await),
        None => None,
    };
    request.view = match fault.effect {
        Effect::Stale => View::Stale,
        Effect::MovedTagsTwice => View::MovedTagsTwice,
        _ => View::Current,
    };
    let response = serve(&request, &fault, &shared)?;
    let response = response.header("x-github-request-id", format!("D0:{number:X}"));
    note(&response, number, &shared);
    Ok(response.into_response(matches!(fault.effect, Effect::CutAnswer)))
}

/// Completes the record of the request.
fn note(response: &Response, number: usize, shared: &Shared) {
    let mut state = shared.lock();
    let event = state.next_event();
    if let Some(seen) = state.seen.get_mut(number) {
        seen.status = Some(response.status);
        seen.responded = Some(event);
    }
}

/// Records the request; returns the fault that applies to it, and the index of the record.
fn record(request: &Request, uri: &Uri, shared: &Shared) -> (Fault, usize) {
    let now = Instant::now();
    let mut seen = Seen::new(request, uri, now.duration_since(shared.started));
    let mut guard = shared.lock();
    let state = &mut *guard;
    seen.arrived = state.next_event();
    let store = &state.store;
    let fault = state
        .script
        .take(&seen, now, |writes| match &request.route {
            Route::Manifest { name, reference } => store.written_since(name, reference, writes),
            Route::Versions { .. } => true,
            _ => false,
        });
    state.seen.push(seen);
    let fault = fault.unwrap_or_else(|| Fault::on(Endpoint::Any));
    (fault, state.seen.len() - 1)
}

/// The response, with the effect and the headers of the fault.
fn serve(request: &Request, fault: &Fault, shared: &Shared) -> Result<Response, Dropped> {
    let mut response = match &fault.effect {
        Effect::Close => return Err(Dropped::Close),
        Effect::Respond(response) => response.clone(),
        Effect::Missing => Response::manifest_unknown(),
        _ => handlers::handle(&mut shared.lock(), request),
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
    Ok(response)
}

/// Copies each byte once: the buffer has the announced length from the start.
async fn read_all(mut body: Incoming) -> Result<Bytes, Dropped> {
    const MAX_CAPACITY: u64 = 1 << 30;
    let announced = body.size_hint().lower().min(MAX_CAPACITY);
    let mut bytes = BytesMut::with_capacity(usize::try_from(announced).unwrap_or_default());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_gone| Dropped::Close)?;
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes.freeze())
}

async fn read_some(mut body: Incoming, bytes: usize) {
    let mut read = 0;
    while read < bytes {
        let Some(Ok(frame)) = body.frame().await else {
            return;
        };
        read += frame.data_ref().map_or(0, Bytes::len);
    }
}
