//! Maps error messages of registries and engines to their cause and fix.
//!
//! The texts were collected from public reports; [`entries`] holds them as data.

pub(crate) mod entries;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod texts;

use crate::context::event::OwnerKind;
use crate::image::name::ImageName;
use crate::registry::diagnosis::entries::{ENTRIES, Entry};
use crate::registry::provider::Provider;

/// What a known text means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    pub(crate) persistence: Persistence,
    pub(crate) because: String,
    pub(crate) fix: String,
}

/// Whether the same request may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// Transient: retried automatically.
    Transient,
    /// A retry does not help.
    Permanent,
    /// The message is ambiguous; a request to the registry decides.
    Unclear,
    /// A mistake in the setup when it happens several times in a row.
    PermanentWhenRepeated,
    /// The same, while this process reaches the registry; else the registry is down.
    PermanentWhenReachable,
}

/// The package a failure is about, and the repository that wants to publish it.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) name: ImageName,
    /// `owner/name`, in GitHub's spelling.
    pub(crate) repository: String,
    /// For example `https://github.com`.
    pub(crate) server_url: String,
    pub(crate) provider: Provider,
    pub(crate) owner: OwnerKind,
}

/// The meaning of what was said, when it is known.
pub(crate) fn diagnose(said: &str, subject: &Subject) -> Option<Diagnosis> {
    let entry = find(said)?;
    Some(Diagnosis {
        persistence: entry.persistence,
        because: subject.fill(entry.because),
        fix: subject.fill(entry.fix),
    })
}

/// Whether what was said passes by itself although it may look like a denial.
pub(super) fn is_transient(said: &str) -> bool {
    find(said).is_some_and(|entry| entry.persistence == Persistence::Transient)
}

/// GitHub's secondary limit lasts for minutes and names no time.
pub(super) fn is_secondary_limit(said: &str) -> bool {
    said.to_lowercase().contains("secondary rate limit")
}

fn find(said: &str) -> Option<&'static Entry> {
    let said = said.to_lowercase();
    let is_contained = |text: &&str| text.split(" … ").all(|part| said.contains(part));
    let mut entries = ENTRIES.iter();
    entries.find(|entry| entry.says.iter().any(is_contained))
}

impl Subject {
    /// The page on which access to the package is given. There is no API for it.
    pub(crate) fn settings(&self) -> String {
        let kind = match self.owner {
            OwnerKind::User => "users",
            OwnerKind::Organization => "orgs",
        };
        let (owner, package) = self.owner_and_package();
        let package = package.replace('/', "%2F");
        let server = &self.server_url;
        format!("{server}/{kind}/{owner}/packages/container/{package}/settings")
    }

    /// The owner, and the package as GitHub names it: all that follows.
    pub(crate) fn owner_and_package(&self) -> (&str, &str) {
        let path = self.name.repository();
        path.split_once('/').unwrap_or((path, path))
    }

    /// What to do about a login that is rejected or missing.
    pub(super) fn login(&self) -> String {
        self.fill("{login}")
    }

    /// What to do about a login that may not push.
    pub(super) fn access(&self) -> String {
        self.fill("{access}")
    }

    fn fill(&self, text: &str) -> String {
        let (owner, package) = self.owner_and_package();
        text.replace("{login}", self.provider.login())
            .replace("{access}", self.provider.access())
            .replace("{path}", self.name.repository())
            .replace("{settings}", &self.settings())
            .replace("{repository}", &self.repository)
            .replace("{registry}", self.name.registry())
            .replace("{package}", package)
            .replace("{owner}", owner)
    }
}
