//! The signals that ask the program to end: SIGTERM and SIGINT.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::Problem;

/// The signals that ask the program to end. A signal that comes before they are installed kills it.
pub(crate) struct StopSignals {
    signals: [Option<Signal>; 2],
    /// Whether one came.
    pub(crate) was_received: bool,
}

impl StopSignals {
    pub(crate) fn install() -> Self {
        let kinds = [SignalKind::terminate(), SignalKind::interrupt()];
        Self {
            signals: kinds.map(|kind| signal(kind).ok()),
            was_received: false,
        }
    }

    /// Waits for the next of them.
    pub(crate) async fn received(&mut self) -> Problem {
        let wait = async |signals: &mut Option<Signal>| match signals {
            Some(signals) => drop(signals.recv().await),
            None => std::future::pending().await,
        };
        let [terminate, interrupt] = &mut self.signals;
        tokio::select! {
            () = wait(terminate) => {}
            () = wait(interrupt) => {}
        }
        self.was_received = true;
        Problem::new(
            "the run was cancelled",
            "run it again; the log lists what was published before the cancel",
        )
    }

    /// The outcome of `work`, which is dropped when a signal comes, and with it the processes that it started.
    pub(crate) async fn unless<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            outcome = work => outcome,
            stopped = self.received() => Err(stopped.into()),
        }
    }
}
