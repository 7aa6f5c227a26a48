//! `ghcr-publish restore ID…`: undoes deletions of the last 30 days.

use chrono::{DateTime, Utc};

use crate::cleanup::{Cleaner, package_of};
use crate::console::Console;
use crate::error::Problem;
use crate::github::packages::restore::Restoration;
use crate::image::name::ImageName;
use crate::vars::Vars;

/// Restores versions by their ids, one line for each; `restored` gets them with their packages. The errors say which are
/// not restored.
pub(crate) async fn restore(
    ids: &[u64],
    restored: &mut Vec<(ImageName, u64)>,
    with: &[(String, String)],
    vars: &Vars,
    now: DateTime<Utc>,
    console: Console,
) -> Vec<anyhow::Error> {
    let cleaner = match Cleaner::new(with, vars, now, console).await {
        Ok(cleaner) => cleaner,
        Err(error) => return vec![error],
    };
    let mut failures = Vec::new();
    for id in ids {
        match cleaner.restore(*id).await {
            Ok(name) => restored.push((name, *id)),
            Err(problem) => failures.push(problem.into()),
        }
    }
    failures
}

impl Cleaner {
    /// An id says nothing of its package: the one that has it is found by trying.
    async fn restore(&self, id: u64) -> Result<ImageName, Problem> {
        let mut first = None;
        for name in &self.images {
            let package = package_of(name);
            let restoration = self.github.restore_version(package, id, self.deadline());
            match restoration.await {
                Restoration::Restored => {
                    self.console
                        .answer(&format!("restored  {name} (version {id})"));
                    return Ok(name.clone());
                }
                Restoration::NotFound(problem) => first = first.or(Some(problem)),
                Restoration::Refused(problem) => return Err(problem),
            }
        }
        let fix = "name the package in `images`";
        Err(first.unwrap_or_else(|| Problem::new("no package is named", fix)))
    }
}
