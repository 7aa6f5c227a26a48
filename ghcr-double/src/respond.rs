//! One request: note it, spoil it if the script says so, answer it.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;
use tokio::time::sleep;

use crate::fault::{self, Effect, Fault};
use crate::gate::Gate;
use crate::handlers;
use crate::http::request::{Call, Credential, Seen};
use crate::http::response::Answer;
use crate::http::route::{Endpoint, Route};
use crate::http::{Dropped, Outcome};
use crate::state::State;

/// The state between the thread that serves and the test that looks.
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

pub(crate) async fn respond(request: Request<Incoming>, shared: Arc<Shared>) -> Outcome {
    let (parts, body) = request.into_parts();
    let mut call = Call::without_body(&parts, &shared.lock().server);
    let (fault, number) = arrive(&call, &parts, &shared);
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
    call.body = read_all(body).await?;
    let held = shared
        .gate
        .get()
        .zip(shared.lock().seen.get(number).cloned());
    let _passing = match held {
        Some((gate, seen)) => Some(gate.enter(seen).await),
        None => None,
    };
    call.stale = matches!(fault.effect, Effect::Stale);
    let answer = spoiled(&call, &fault, &shared)?;
    if let Some(seen) = shared.lock().seen.get_mut(number) {
        seen.status = Some(answer.status);
    }
    Ok(answer.into_response(matches!(fault.effect, Effect::CutAnswer)))
}

/// Notes the request, and finds the fault that is meant for it.
fn arrive(call: &Call, parts: &Parts, shared: &Shared) -> (Fault, usize) {
    let now = Instant::now();
    let endpoint = call.route.endpoint(&call.method);
    let path = parts.uri.path();
    let mut guard = shared.lock();
    let state = &mut *guard;
    state.seen.push(Seen {
        method: call.method.to_string(),
        host: call.host.clone(),
        path: path.to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        endpoint,
        credential: Credential::of(&call.headers),
        status: None,
        at: now.duration_since(shared.started),
    });
    let request = fault::Request {
        host: &call.host,
        endpoint,
        method: call.method.as_str(),
        path,
    };
    let store = &state.store;
    let fault = state
        .script
        .take(&request, now, |moment| match &call.route {
            Route::Manifest { name, reference } => store.written_since(name, reference, moment),
            _ => false,
        });
    let fault = fault.unwrap_or_else(|| Fault::on(Endpoint::Any));
    (fault, state.seen.len() - 1)
}

/// The answer, once the body is read.
fn spoiled(call: &Call, fault: &Fault, shared: &Shared) -> Result<Answer, Dropped> {
    let mut answer = match &fault.effect {
        Effect::Close => return Err(Dropped::Close),
        Effect::Answer(answer) => answer.clone(),
        Effect::Missing => Answer::manifest_unknown(),
        _ => handlers::answer(&mut shared.lock(), call),
    };
    if matches!(fault.effect, Effect::ResetAfterServing) {
        return Err(Dropped::Reset);
    }
    for (name, value) in &fault.headers {
        match value {
            Some(value) => answer.set_header(name, value),
            None => answer.remove_header(name),
        }
    }
    Ok(answer)
}

/// Each byte is copied once, into room that was made for all of them when their number is known.
async fn read_all(mut body: Incoming) -> Result<Bytes, Dropped> {
    const ROOM: u64 = 1 << 30;
    let announced = body.size_hint().lower().min(ROOM);
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
