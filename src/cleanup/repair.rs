//! Restores what this run deleted and a publication at the same time needs.
//!
//! No question before a deletion can exclude it: GitHub deletes whatever is asked for, and an index that is pushed after
//! the last list may refer to an old manifest.

use std::collections::BTreeSet;

use crate::cleanup::{Cleaner, Outcome, PackageCleanup, package_of, read};
use crate::error::Problem;
use crate::github::packages::PackageName;
use crate::github::packages::restore::Restoration;
use crate::image::version::Version;

const RESTORED: &str =
    "something that was published meanwhile needs it, so it was deleted and restored";

impl Cleaner {
    /// Looks for versions that were pushed since the last list, and restores what they refer to.
    ///
    /// # Errors
    ///
    /// If GitHub or the registry does not answer until the deadline, or a version cannot be restored.
    pub(super) async fn repair(&self, package: &mut PackageCleanup) -> anyhow::Result<()> {
        let known = package.inventory.versions.iter();
        let known: BTreeSet<u64> = known.map(|version| version.id).collect();
        let name = package_of(&package.name);
        let new = self.github.new_versions(name, &known, self.deadline());
        let new = new.await?;
        if !new.is_empty() {
            package.inventory.update(new, &BTreeSet::new());
            self.complete(&package.name, &mut package.inventory).await?;
        }
        let decision = package.inventory.decide(self.now);
        let decision = decision.map_err(|root| read::unreadable(&package.name, &root))?;
        let needed = decision.kept.iter().map(|kept| kept.version.id);
        let needed: BTreeSet<u64> = needed.collect();
        let registry = self.connect(package.name.registry()).await?;
        // What was deleted last is listed by what was deleted before it.
        for deletion in package.deletions.iter_mut().rev() {
            let is_deleted = deletion.outcome == Some(Outcome::Deleted);
            let version = &deletion.version;
            if !is_deleted || !needed.contains(&version.id) {
                continue;
            }
            let repository = registry.read_only(package.name.repository(), self.deadline());
            // A publication that pushed it again has made a new version of it.
            let is_there = repository.has(&version.digest).await;
            if !is_there.map_err(|error| unknown(version, &error.to_string()))? {
                self.restore_again(name, version).await?;
                deletion.outcome = Some(Outcome::Kept(RESTORED.to_owned()));
                let text = format!("restored  {} {}: {RESTORED}", package.name, version.name());
                self.console.say(&text);
            }
        }
        Ok(())
    }

    async fn restore_again(
        &self,
        package: PackageName<'_>,
        version: &Version,
    ) -> Result<(), Problem> {
        let restored = self
            .github
            .restore_version(package, version.id, self.deadline());
        match restored.await {
            Restoration::Restored => Ok(()),
            Restoration::NotFound(problem) | Restoration::Refused(problem) => Err(problem),
        }
    }
}

fn unknown(version: &Version, error: &str) -> Problem {
    let what = format!("cannot check whether {} is still needed", version.name());
    let fix = format!("restore it: `ghcr-publish restore {}`", version.id);
    Problem::new(what, fix).because(error.to_owned())
}
