//! The steps of `mode: cleanup`: decide, tell, delete, tell again.

use chrono::{DateTime, Utc};

use crate::cleanup::{self, Cleaner, Cleanup};
use crate::console::Console;
use crate::report;
use crate::run::{Request, all_is_well};
use crate::signals::StopSignals;
use crate::vars::Vars;

/// False when it failed, after the reason was printed.
pub(super) async fn clean_up(
    request: &Request,
    vars: &Vars,
    now: DateTime<Utc>,
    console: Console,
    stop: &mut StopSignals,
) -> bool {
    let mut cleanup = Cleanup::default();
    let work = async {
        let cleaner = Cleaner::new(&request.with, vars, now, console).await?;
        Ok(carry_out(&cleaner, &mut cleanup, vars).await)
    };
    let mut failures = match stop.unless(work).await {
        Ok(failures) => failures,
        Err(error) => vec![error],
    };
    let unwritten = report::cleanup::tell(&cleanup, &failures, vars, request.json, console);
    failures.extend(unwritten);
    all_is_well(&failures, console)
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

/// Undoes deletions; false when one of them failed.
pub(super) async fn restore(
    request: &Request,
    vars: &Vars,
    now: DateTime<Utc>,
    console: Console,
    stop: &mut StopSignals,
) -> bool {
    let work = cleanup::restore(&request.ids, &request.with, vars, now, console);
    let failures = match stop.unless(async { Ok(work.await) }).await {
        Ok(failures) => failures,
        Err(error) => vec![error],
    };
    all_is_well(&failures, console)
}
