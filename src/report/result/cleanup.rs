//! What a clean-up deleted and kept, and what was restored.

use serde::Serialize;
use serde_json::json;

use crate::cleanup::{Cleanup, Outcome, PackageCleanup};
use crate::image::digest::Digest;
use crate::image::name::ImageName;
use crate::image::version::Version;
use crate::report::metadata::Output;

/// Versions in the list `kept`.
const MAX_KEPT: usize = 1000;

/// What became of the versions.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CleanupResult {
    dry_run: bool,
    /// Before the deletions and in a dry run, all that are planned.
    deleted: Vec<Entry>,
    kept: Vec<Entry>,
    retained: Vec<Entry>,
    failed: Vec<Entry>,
}

/// A version and why it is in the list.
#[derive(Debug, Serialize)]
struct Entry {
    image: String,
    id: u64,
    digest: Digest,
    tags: Vec<String>,
    reason: String,
}

/// The versions that were restored.
#[derive(Debug, Default, Serialize)]
pub(crate) struct RestoreResult {
    restored: Vec<Restored>,
}

#[derive(Debug, Serialize)]
struct Restored {
    image: String,
    id: u64,
}

impl RestoreResult {
    pub(crate) fn of(restored: &[(ImageName, u64)]) -> Self {
        let restored = restored.iter().map(|(name, id)| Restored {
            image: name.to_string(),
            id: *id,
        });
        Self {
            restored: restored.collect(),
        }
    }
}

impl CleanupResult {
    /// With `is_planned`, what was not tried counts as deleted.
    pub(crate) fn of(cleanup: &Cleanup, is_planned: bool) -> Self {
        let mut result = Self {
            dry_run: cleanup.is_dry_run,
            ..Self::default()
        };
        for package in &cleanup.packages {
            result.add(package, is_planned);
        }
        result.kept.truncate(MAX_KEPT);
        result
    }

    fn add(&mut self, package: &PackageCleanup, is_planned: bool) {
        for deletion in &package.deletions {
            let entry = |reason: &str| entry(&package.name, &deletion.version, reason);
            match &deletion.outcome {
                None if is_planned => self.deleted.push(entry(&deletion.reason)),
                None => self.kept.push(entry("it is left for the next run")),
                Some(Outcome::Deleted | Outcome::Gone) => {
                    self.deleted.push(entry(&deletion.reason));
                }
                Some(Outcome::Kept(reason)) => self.kept.push(entry(reason)),
                Some(Outcome::Retained(reason)) => self.retained.push(entry(reason)),
                Some(Outcome::Failed(reason)) => self.failed.push(entry(reason)),
            }
        }
        let (tagged, others): (Vec<_>, Vec<_>) = package
            .kept
            .iter()
            .partition(|kept| !kept.version.tags.is_empty());
        let all = tagged.into_iter().chain(others);
        let kept = all.map(|kept| entry(&package.name, &kept.version, &kept.reason));
        self.kept.extend(kept);
    }

    /// The lists as outputs.
    pub(crate) fn outputs(&self) -> [Output; 4] {
        [
            ("deleted", json!(self.deleted).to_string()),
            ("kept", json!(self.kept).to_string()),
            ("retained", json!(self.retained).to_string()),
            ("failed", json!(self.failed).to_string()),
        ]
    }
}

fn entry(name: &ImageName, version: &Version, reason: &str) -> Entry {
    Entry {
        image: name.to_string(),
        id: version.id,
        digest: version.digest.clone(),
        tags: version.tags.clone(),
        reason: reason.to_owned(),
    }
}
