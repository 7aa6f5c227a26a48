//! Checks that what a decision keeps has a reason to stay, without the code that decides.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use proptest::prop_assert;
use proptest::test_runner::TestCaseError;

use crate::image::digest::Digest;
use crate::image::version::Version;
use crate::plan::cleanup::links::Content;
use crate::plan::cleanup::package::{Package, now};
use crate::plan::cleanup::walker::Walker;

/// A rule as the tests read it.
struct Rule {
    /// None for `untagged`.
    pattern: Option<String>,
    is_closed: bool,
    is_record: bool,
    hours: i64,
    keep: usize,
}

fn rules(package: &Package) -> Vec<Rule> {
    let mut rules: Vec<Rule> = package.retention.lines().map(Rule::read).collect();
    if rules.is_empty() {
        rules.push(Rule::read("delete=pr-*,when=closed"));
        let record = Rule::read("delete=part-*,older-than=1d");
        rules.push(Rule {
            is_record: true,
            ..record
        });
    }
    rules
}

impl Rule {
    fn read(line: &str) -> Self {
        let fields: BTreeMap<&str, &str> = line
            .split(',')
            .map(|field| field.split_once('=').unwrap_or((field, "")))
            .collect();
        let hours = |age: &str| {
            let (number, unit) = age.split_at(age.len() - 1);
            number.parse::<i64>().unwrap() * if unit == "d" { 24 } else { 1 }
        };
        Self {
            pattern: fields.get("delete").map(ToString::to_string),
            is_closed: fields.contains_key("when"),
            is_record: false,
            hours: fields.get("older-than").map_or(0, |age| hours(age)),
            keep: fields.get("keep").map_or(0, |keep| keep.parse().unwrap()),
        }
    }

    fn is_about(&self, tag: &str) -> bool {
        let is_pattern = |pattern: &String| is_match(pattern.as_bytes(), tag.as_bytes());
        self.pattern.as_ref().is_some_and(is_pattern) && (!self.is_closed || number(tag).is_some())
    }
}

fn is_match(pattern: &[u8], tag: &[u8]) -> bool {
    match (pattern, tag) {
        ([b'*', rest @ ..], _) => (0..=tag.len()).any(|start| is_match(rest, &tag[start..])),
        ([one, rest @ ..], [other, others @ ..]) => one == other && is_match(rest, others),
        (rest, others) => rest.is_empty() && others.is_empty(),
    }
}

fn number(tag: &str) -> Option<u64> {
    tag.strip_prefix("pr-")?.parse().ok()
}

fn age(version: &Version) -> TimeDelta {
    now() - version.created_at.max(version.updated_at)
}

/// The facts that the reasons follow from.
struct Rest<'a> {
    package: &'a Package,
    rules: Vec<Rule>,
    walker: Walker<'a>,
}

/// Whether each version that stays has a reason, or belongs to one that has.
pub(super) fn every_rest_has_a_reason(package: &Package) -> Result<(), TestCaseError> {
    let deleted = package.decide(|decision, _| {
        let groups = decision.ok()?.groups.into_iter();
        let deletions = groups.flat_map(|group| group.deletions);
        Some(
            deletions
                .map(|deletion| deletion.version.digest.clone())
                .collect(),
        )
    });
    let Some(deleted) = deleted else {
        prop_assert!(!package.hidden.is_empty(), "everything can be read");
        return Ok(());
    };
    let mut walker = Walker::new(package);
    walker.deleted = deleted;
    let rest = Rest {
        package,
        rules: rules(package),
        walker,
    };
    let lost = rest.without_reason();
    prop_assert!(lost.is_empty(), "no reason to keep {lost:?}");
    Ok(())
}

impl Rest<'_> {
    fn without_reason(&self) -> Vec<&String> {
        let versions = self.package.versions.iter();
        let mut alive: Vec<&Version> = versions
            .filter(|version| !self.walker.deleted.contains(&version.digest))
            .collect();
        alive.sort_by_key(|version| (version.created_at, version.id));
        let mut explained = BTreeSet::new();
        for version in alive.iter().filter(|version| self.has_reason(version)) {
            self.explain(version, &mut explained);
        }
        let untagged = self.rules.iter().find(|rule| rule.pattern.is_none());
        let mut keep = untagged.map_or(0, |rule| rule.keep);
        for version in alive.iter().rev() {
            let is_free = !explained.contains(&version.digest);
            let is_alone = self.belongs_to_nothing(version);
            if keep > 0 && is_free && is_alone {
                keep -= 1;
                self.explain(version, &mut explained);
            }
        }
        let lost = alive.iter().map(|version| &version.digest);
        let lost = lost.filter(|digest| !explained.contains(digest));
        lost.map(|digest| &self.package.names[digest]).collect()
    }

    fn explain(&self, version: &Version, explained: &mut BTreeSet<Digest>) {
        explained.extend(self.walker.needed(&version.digest));
        explained.insert(version.digest.clone());
    }

    fn has_reason(&self, version: &Version) -> bool {
        let Package { own, hidden, .. } = self.package;
        let versions = self.package.versions.iter();
        let mut unreadable = versions.filter(|other| hidden.contains(&other.digest));
        let may_belong = unreadable.any(|other| version.created_at <= other.created_at);
        if own.contains(&version.digest) || may_belong {
            return true;
        }
        let (attached, judged): (Vec<&String>, Vec<&String>) = version
            .tags
            .iter()
            .partition(|tag| tag.starts_with("sha256-"));
        if !version.tags.is_empty() && self.is_last(version) {
            return true;
        }
        let is_twice = |tag: &&String| self.versions_with(tag).len() > 1;
        if judged.iter().chain(&attached).any(is_twice) {
            return true;
        }
        if !judged.is_empty() {
            return self.tagged_has_reason(version, &judged);
        }
        !self.is_named(version) && self.untagged_has_reason(version)
    }

    /// Whether a tag names another manifest of the package.
    fn is_named(&self, version: &Version) -> bool {
        let mut hexes = version
            .tags
            .iter()
            .filter_map(|tag| tag.strip_prefix("sha256-"));
        let is_there = |hex: &str| {
            self.package
                .names
                .keys()
                .any(|digest| digest.hex() == &hex[..64])
        };
        hexes.any(is_there)
    }

    fn belongs_to_nothing(&self, version: &Version) -> bool {
        let is_listed = self.referring(&version.digest).next().is_some();
        !is_listed && !self.is_named(version)
    }

    fn versions_with(&self, tag: &str) -> Vec<&Version> {
        let versions = self.package.versions.iter();
        versions
            .filter(|version| version.tags.iter().any(|one| one == tag))
            .collect()
    }

    fn tagged_has_reason(&self, version: &Version, tags: &[&String]) -> bool {
        if tags.iter().any(|tag| !self.selects(version, tag)) {
            return true;
        }
        let is_closed = |tag: &&String| {
            self.rule_for(tag)
                .is_some_and(|rule| self.rules[rule].is_closed)
        };
        !tags.iter().all(is_closed) && self.has_recent(version, TimeDelta::days(1))
    }

    /// Whether no version has a tag but this one and what belongs to it.
    fn is_last(&self, version: &Version) -> bool {
        let others = self.package.versions.iter();
        let needed = self.walker.needed(&version.digest);
        let is_other =
            |other: &&Version| other.digest != version.digest && !needed.contains(&other.digest);
        let mut others = others.filter(is_other);
        let is_alive = |other: &Version| {
            !other.tags.is_empty() && !self.walker.deleted.contains(&other.digest)
        };
        !others.any(is_alive)
    }

    fn has_recent(&self, version: &Version, guard: TimeDelta) -> bool {
        let needed = self.walker.needed(&version.digest);
        let versions = self.package.versions.iter();
        let mut group = versions.filter(|other| needed.contains(&other.digest));
        age(version) < guard || group.any(|other| age(other) < guard)
    }

    fn untagged_has_reason(&self, version: &Version) -> bool {
        if self
            .referring(&version.digest)
            .any(|digest| self.walker.deleted.contains(&digest))
        {
            return false;
        }
        let rule = self.rules.iter().find(|rule| rule.pattern.is_none());
        rule.is_none_or(|rule| {
            let is_young = age(version) < TimeDelta::hours(rule.hours);
            is_young || self.has_recent(version, TimeDelta::days(7))
        })
    }

    /// What `digest` belongs to.
    fn referring(&self, digest: &Digest) -> impl Iterator<Item = Digest> {
        let all = self.package.versions.iter();
        let refers = |version: &&Version| {
            let Content::Read(links) = &self.package.contents[&version.digest] else {
                return false;
            };
            let lists = links.children.iter().any(|child| child.digest == *digest);
            let Some(Content::Read(own)) = self.package.contents.get(digest) else {
                return false;
            };
            let is_subject = own.subject.as_ref() == Some(&version.digest);
            lists && !links.is_part_record || is_subject
        };
        let referring: Vec<Digest> = all
            .filter(refers)
            .map(|version| version.digest.clone())
            .collect();
        referring.into_iter()
    }

    fn rule_for(&self, tag: &str) -> Option<usize> {
        self.rules.iter().position(|rule| rule.is_about(tag))
    }

    fn selects(&self, version: &Version, tag: &str) -> bool {
        let Some(place) = self.rule_for(tag).filter(|_| !self.is_protected(tag)) else {
            return false;
        };
        let rule = &self.rules[place];
        let is_record = match &self.package.contents[&version.digest] {
            Content::Read(links) => links.is_part_record,
            Content::Unreadable(_) => false,
        };
        let is_newest = self
            .judged_by(place)
            .iter()
            .take(rule.keep)
            .any(|one| *one == version.id);
        age(version) >= TimeDelta::hours(rule.hours)
            && self.is_closed_if_asked(rule, tag)
            && (!rule.is_record || is_record)
            && !is_newest
    }

    fn is_closed_if_asked(&self, rule: &Rule, tag: &str) -> bool {
        let is_closed =
            number(tag).is_some_and(|number| self.package.closed.get(&number) == Some(&true));
        !rule.is_closed || is_closed
    }

    /// The versions of which a rule judges a tag, the newest first.
    fn judged_by(&self, place: usize) -> Vec<u64> {
        let is_judged = |tag: &String| {
            self.rule_for(tag) == Some(place)
                && !self.is_protected(tag)
                && !tag.starts_with("sha256-")
                && self.versions_with(tag).len() == 1
                && self.is_closed_if_asked(&self.rules[place], tag)
        };
        let versions = self.package.versions.iter();
        let judged = versions.filter(|version| version.tags.iter().any(is_judged));
        let mut judged: Vec<_> = judged
            .map(|version| (version.created_at, version.id))
            .collect();
        judged.sort_unstable();
        judged.into_iter().rev().map(|(_, id)| id).collect()
    }

    fn is_protected(&self, tag: &str) -> bool {
        let is_there = |tag: &str| !self.versions_with(tag).is_empty();
        let candidate = |tag: &str| tag.strip_prefix("3.0.0-rc.")?.parse::<u64>().ok();
        let tags = self
            .package
            .versions
            .iter()
            .flat_map(|version| &version.tags);
        let newest = tags.filter_map(|tag| candidate(tag)).max();
        match tag {
            "latest" | "main" | "1.0.0" | "1.0" | "lts" => true,
            "1" => is_there("1.0.0") || is_there("1.0"),
            _ => candidate(tag).is_some_and(|number| newest == Some(number)),
        }
    }
}
