//! `Gate`: holds requests until the test lets each of them pass, so that the test decides their order.

use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

use crate::http::request::Seen;

/// The waiting requests, in the order of arrival.
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

/// Exists while a request that passed is served; its drop tells [`Gate::pass`].
#[derive(Debug)]
pub(crate) struct Passed {
    _served: oneshot::Sender<()>,
}

impl Gate {
    /// Waits until the test lets the request pass.
    pub(crate) async fn enter(&self, seen: Seen) -> Passed {
        let (pass, passed) = oneshot::channel();
        let (serving, served) = oneshot::channel();
        self.lock().push(Waiting { seen, pass, served });
        self.arrived.notify_one();
        // An error means that the gate was dropped: the request passes.
        let _passed = passed.await;
        Passed { _served: serving }
    }

    /// The waiting requests, in the order of arrival, without those whose client has disconnected.
    #[must_use]
    pub fn waiting(&self) -> Vec<Seen> {
        let mut waiting = self.lock();
        waiting.retain(|waiting| !waiting.pass.is_closed());
        waiting.iter().map(|waiting| waiting.seen.clone()).collect()
    }

    /// Waits until another request has arrived since the last call.
    pub async fn arrival(&self) {
        self.arrived.notified().await;
    }

    /// Lets the request at this index of [`Gate::waiting`] pass, and returns when it was served.
    pub async fn pass(&self, index: usize) {
        let passing = {
            let mut waiting = self.lock();
            (index < waiting.len()).then(|| waiting.remove(index))
        };
        if let Some(Waiting { pass, served, .. }) = passing
            && pass.send(()).is_ok()
        {
            // The sender never sends: its drop says that the request was served.
            let _served = served.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
