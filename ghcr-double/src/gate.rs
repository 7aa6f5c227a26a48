//! `Gate`: requests wait until the test lets them pass, so that the test decides their order.

use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

use crate::http::request::Seen;

/// The requests that wait, in the order of arrival.
#[derive(Debug, Default)]
pub struct Gate {
    waiting: Mutex<Vec<Waiting>>,
    arrived: Notify,
}

#[derive(Debug)]
struct Waiting {
    seen: Seen,
    pass: oneshot::Sender<()>,
    served: oneshot::Receiver<()>,
}

/// Held while a request is served.
#[derive(Debug)]
pub(crate) struct Passing {
    _served: oneshot::Sender<()>,
}

impl Gate {
    /// Waits until the test lets the request pass.
    pub(crate) async fn enter(&self, seen: Seen) -> Passing {
        let (pass, passed) = oneshot::channel();
        let (serving, served) = oneshot::channel();
        self.lock().push(Waiting { seen, pass, served });
        self.arrived.notify_one();
        // Without an answer the gate is gone, and nobody waits any more.
        let _passed = passed.await;
        Passing { _served: serving }
    }

    /// The requests that wait, in the order of arrival; not those whose client has gone.
    #[must_use]
    pub fn waiting(&self) -> Vec<Seen> {
        let mut waiting = self.lock();
        waiting.retain(|waiting| !waiting.pass.is_closed());
        waiting.iter().map(|waiting| waiting.seen.clone()).collect()
    }

    /// Waits until another request has arrived since the last time.
    pub async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// Lets the request at this place of [`Gate::waiting`] pass, and returns when it was served.
    pub async fn pass(&self, place: usize) {
        let passing = {
            let mut waiting = self.lock();
            (place < waiting.len()).then(|| waiting.remove(place))
        };
        if let Some(Waiting { pass, served, .. }) = passing
            && pass.send(()).is_ok()
        {
            // Dropped, never sent: either way the request was served.
            let _served = served.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
