//! `Judged`: a package, with what tags, times and rules say about each version.

use chrono::{DateTime, TimeDelta, Utc};

use crate::image::version::Version;
use crate::plan::cleanup::Facts;
use crate::plan::cleanup::policy::Policy;
use crate::plan::cleanup::standing::{Standing, UNTAGGED_GUARD, standings};

/// A package before any manifest is read. Versions are called by their index.
pub(super) struct Judged<'a> {
    pub(super) versions: &'a [Version],
    policy: &'a Policy,
    standings: Vec<Standing>,
    now: DateTime<Utc>,
}

impl<'a> Judged<'a> {
    pub(super) fn new(versions: &'a [Version], policy: &'a Policy, facts: Facts<'_>) -> Self {
        Self {
            versions,
            policy,
            standings: standings(versions, policy, facts),
            now: facts.now,
        }
    }

    pub(super) fn indices(&self) -> std::ops::Range<usize> {
        0..self.versions.len()
    }

    pub(super) fn standing(&self, index: usize) -> &Standing {
        &self.standings[index]
    }

    /// Whether a tag, or what else is known, keeps it for sure.
    pub(super) fn is_kept(&self, index: usize) -> bool {
        matches!(self.standings[index], Standing::Kept { .. })
    }

    pub(super) fn is_loose(&self, index: usize) -> bool {
        matches!(self.standings[index], Standing::Loose)
    }

    pub(super) fn is_tagged(&self, index: usize) -> bool {
        !self.versions[index].tags.is_empty()
    }

    pub(super) fn age(&self, index: usize) -> TimeDelta {
        self.now - self.versions[index].changed_at()
    }

    /// The text of a rule.
    pub(super) fn rule(&self, rule: usize) -> &'a str {
        &self.policy.rules[rule].text
    }

    /// The rule about untagged versions, and how many it keeps.
    pub(super) fn untagged_rule(&self) -> Option<(usize, usize)> {
        let rule = self.policy.untagged_rule()?;
        Some((rule, self.policy.rules[rule].keep))
    }

    /// Whether rules may select anything, whatever the manifests are.
    pub(super) fn selects_something(&self) -> bool {
        let is_selected = |standing: &Standing| matches!(standing, Standing::Selected(_));
        self.standings.iter().any(is_selected) || self.selects_untagged()
    }

    /// Whether a rule is about untagged versions, and one is old enough for it.
    pub(super) fn selects_untagged(&self) -> bool {
        let Some((rule, _)) = self.untagged_rule() else {
            return false;
        };
        let is_old = |index: usize| self.is_loose(index) && self.age(index) >= self.least(rule);
        self.indices().any(is_old)
    }

    /// The least age of an untagged version that `rule` selects.
    pub(super) fn least(&self, rule: usize) -> TimeDelta {
        let older_than = self.policy.rules[rule].older_than;
        older_than.unwrap_or(UNTAGGED_GUARD).max(UNTAGGED_GUARD)
    }
}
