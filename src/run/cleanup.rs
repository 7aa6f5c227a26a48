//! The steps of `mode: cleanup`: decide, tell, delete, tell again.

use crate::cleanup::{self, Cleaner, Cleanup};
use crate::report;
use crate::report::result::Body;
use crate::report::result::cleanup::RestoreResult;
use crate::run::Task;
use crate::signals::StopSignals;
use crate::vars::Vars;

impl Task<'_> {
    /// False when it failed, after the reason was printed.
    pub(super) async fn clean_up(&self, stop: &mut StopSignals) -> bool {
        let (vars, console) = (self.vars, self.console);
        let mut cleanup = Cleanup::default();
        let work = async {
            let cleaner = Cleaner::new(self.with, vars, self.now, console).await?;
            Ok(carry_out(&cleaner, &mut cleanup, vars).await)
        };
        let mut failures = match stop.unless(work).await {
            Ok(failures) => failures,
            Err(error) => vec![error],
        };
        let result = report::cleanup::tell(&cleanup, &mut failures, vars, console);
        self.end(Some(&Body::Cleanup(result)), &failures, None)
    }

    /// Undoes deletions; false when one of them failed.
    pub(super) async fn restore(&self, ids: &[u64], stop: &mut StopSignals) -> bool {
        let mut restored = Vec::new();
        let work = cleanup::restore(
            ids,
            &mut restored,
            self.with,
            self.vars,
            self.now,
            self.console,
        );
        let failures = match stop.unless(async { Ok(work.await) }).await {
            Ok(failures) => failures,
            Err(error) => vec![error],
        };
        let result = RestoreResult::of(&restored);
        self.end(Some(&Body::Restore(result)), &failures, None)
    }
}

async fn carry_out(cleaner: &Cleaner, cleanup: &mut Cleanup, vars: &Vars) -> Vec<anyhow::Error> {
    let mut failures = cleaner.decide(cleanup).await;
    if let Err(error) = report::cleanup::announce(cleanup, vars) {
        failures.push(error);
        return failures;
    }
    if !cleanup.is_dry_run {
        failures.extend(cleaner.delete(cleanup).await);
    }
    failures
}
