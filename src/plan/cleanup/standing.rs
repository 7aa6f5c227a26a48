//! What tags, times and rules say about a version, before any manifest is read.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::image::digest::Digest;
use crate::image::version::Version;
use crate::inputs::cleanup::rule::{RetentionRule, Target};
use crate::plan::cleanup::Facts;
use crate::plan::cleanup::policy::{Policy, pull_request, subject};
use crate::plan::cleanup::protection::Protections;
use crate::plan::cleanup::reason::KeepReason;

/// How a version is treated.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    /// It stays, and so does what belongs to it.
    Kept {
        reason: KeepReason,
        /// The tags that rules select all the same.
        selected_tags: Vec<String>,
    },
    /// Rules select all of its tags.
    Selected(Selected),
    /// It stays and goes with the manifest that its tag names.
    Attached,
    /// It has no tag, or only tags that name manifests which do not exist.
    Loose,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Selected {
    pub(super) rule: usize,
    /// The least age of everything that goes with it.
    pub(super) guard: TimeDelta,
    /// Whether it goes only if it is the record of a part.
    pub(super) must_be_record: bool,
}

/// The least age of a version with tags that goes, and of what goes with it: a job may be using it.
const TAGGED_GUARD: TimeDelta = TimeDelta::days(1);
/// That of a version without tags: until its index is pushed, nothing refers to a manifest.
pub(super) const UNTAGGED_GUARD: TimeDelta = TimeDelta::days(7);

/// The judgement on one tag.
enum Verdict {
    Kept(KeepReason),
    Rule(usize),
    Attached,
}

/// One for each version.
pub(super) fn standings(versions: &[Version], policy: &Policy, facts: Facts<'_>) -> Vec<Standing> {
    let judge = Judge {
        policy,
        facts,
        protections: policy.protections(versions),
        tags: counts(versions.iter().flat_map(|version| &version.tags)),
        digests: counts(versions.iter().map(|version| &version.digest)),
    };
    let mut verdicts: Vec<Vec<Verdict>> = versions
        .iter()
        .map(|version| version.tags.iter().map(|tag| judge.verdict(tag)).collect())
        .collect();
    for rule in 0..policy.rules.len() {
        judge.keep(versions, &mut verdicts, rule);
    }
    let pairs = versions.iter().zip(verdicts);
    pairs
        .map(|(version, verdicts)| judge.standing(version, verdicts))
        .collect()
}

/// How often each item occurs.
fn counts<T: Ord>(items: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

struct Judge<'a> {
    policy: &'a Policy,
    facts: Facts<'a>,
    protections: Protections<'a>,
    tags: BTreeMap<&'a String, usize>,
    digests: BTreeMap<&'a Digest, usize>,
}

impl Judge<'_> {
    fn verdict(&self, tag: &String) -> Verdict {
        if let Some(by) = self.protections.of(tag) {
            return Verdict::Kept(KeepReason::Protected {
                tag: tag.clone(),
                by,
            });
        }
        if self.tags[tag] > 1 {
            let what = format!("the tag `{tag}`");
            return Verdict::Kept(KeepReason::Unsettled { what });
        }
        if subject(tag).is_some() {
            return Verdict::Attached;
        }
        let Some(rule) = self.policy.rule_for(tag) else {
            return Verdict::Kept(KeepReason::NoRule { tag: tag.clone() });
        };
        let number = pull_request(tag).filter(|_| self.asks_for_closed(rule));
        let not_closed = number.and_then(|number| self.not_closed(tag, number));
        not_closed.map_or(Verdict::Rule(rule), Verdict::Kept)
    }

    fn asks_for_closed(&self, rule: usize) -> bool {
        matches!(
            self.policy.rules[rule].target,
            Target::ClosedPullRequests(_)
        )
    }

    fn not_closed(&self, tag: &str, number: u64) -> Option<KeepReason> {
        let tag = tag.to_owned();
        match self.facts.closed.get(&number) {
            _ if self.policy.closing == Some(number) => None,
            Some(true) => None,
            Some(false) => Some(KeepReason::NotClosed { tag, number }),
            None => Some(KeepReason::NotAsked { tag, number }),
        }
    }

    /// Keeps the newest versions that `rule` selects, as many as it says.
    fn keep(&self, versions: &[Version], verdicts: &mut [Vec<Verdict>], rule: usize) {
        let selects = |verdict: &Verdict| matches!(verdict, Verdict::Rule(one) if *one == rule);
        let of_rule = |index: &usize| verdicts[*index].iter().any(selects);
        let mut newest: Vec<usize> = (0..versions.len()).filter(of_rule).collect();
        newest.sort_by_key(|index| Reverse(versions[*index].push_order()));
        let RetentionRule { text, keep, .. } = &self.policy.rules[rule];
        for index in newest.into_iter().take(*keep) {
            for verdict in verdicts[index]
                .iter_mut()
                .filter(|verdict| selects(verdict))
            {
                let rule = text.clone();
                *verdict = Verdict::Kept(KeepReason::Newest { rule, keep: *keep });
            }
        }
    }

    fn standing(&self, version: &Version, verdicts: Vec<Verdict>) -> Standing {
        let age = self.facts.now - version.changed_at();
        let (mut reasons, mut rules, mut selected_tags) = (Vec::new(), Vec::new(), Vec::new());
        for (tag, verdict) in version.tags.iter().zip(verdicts) {
            match verdict {
                Verdict::Attached => {}
                Verdict::Kept(reason) => reasons.push(reason),
                Verdict::Rule(rule) => match self.too_young(rule, age) {
                    Some(reason) => reasons.push(reason),
                    None => {
                        rules.push(rule);
                        selected_tags.push(tag.clone());
                    }
                },
            }
        }
        let reason = self.of_digest(version).or(reasons.into_iter().next());
        if let Some(reason) = reason {
            return Standing::Kept {
                reason,
                selected_tags,
            };
        }
        self.without_a_reason(version, age, &rules)
    }

    /// The standing of a version none of whose tags stays by a rule.
    fn without_a_reason(&self, version: &Version, age: TimeDelta, rules: &[usize]) -> Standing {
        let Some(rule) = rules.first() else {
            let mut subjects = version.tags.iter().filter_map(|tag| subject(tag));
            let is_there = |digest| digest != version.digest && self.digests.contains_key(&digest);
            return match subjects.any(is_there) {
                true => Standing::Attached,
                false => Standing::Loose,
            };
        };
        let guard = match rules.iter().all(|rule| self.asks_for_closed(*rule)) {
            true => TimeDelta::zero(),
            false => TAGGED_GUARD,
        };
        let is_record = |rule: &usize| self.policy.rules[*rule].target == Target::PartRecords;
        if age < guard {
            return Standing::Kept {
                reason: KeepReason::recent(guard),
                selected_tags: Vec::new(),
            };
        }
        Standing::Selected(Selected {
            rule: *rule,
            guard,
            must_be_record: rules.iter().any(is_record),
        })
    }

    fn of_digest(&self, version: &Version) -> Option<KeepReason> {
        if self.facts.own.contains(&version.digest) {
            return Some(KeepReason::OwnRun);
        }
        let what = || format!("`{}`", version.digest);
        let is_twice = self.digests[&version.digest] > 1;
        is_twice.then(|| KeepReason::Unsettled { what: what() })
    }

    fn too_young(&self, rule: usize, age: TimeDelta) -> Option<KeepReason> {
        let RetentionRule {
            text, older_than, ..
        } = &self.policy.rules[rule];
        let is_young = older_than.is_some_and(|least| age < least);
        is_young.then(|| KeepReason::NotOldEnough { rule: text.clone() })
    }
}
