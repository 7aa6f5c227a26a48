//! `Selection`: what rules select in one package, what must be read, and what goes when everything is read.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::image::digest::Digest;
use crate::image::version::Version;
use crate::plan::cleanup::graph::{Cause, Graph};
use crate::plan::cleanup::links::Content;
use crate::plan::cleanup::order::{Decision, Kept, Order};
use crate::plan::cleanup::policy::Policy;
use crate::plan::cleanup::reason::KeepReason;
use crate::plan::cleanup::standing::{Selected, Standing, UNTAGGED_GUARD, standings};
use crate::plan::cleanup::{Contents, Facts};

/// What rules select in one package.
pub(crate) struct Selection<'a> {
    pub(super) versions: &'a [Version],
    pub(super) policy: &'a Policy,
    pub(super) standings: Vec<Standing>,
    now: DateTime<Utc>,
}

/// A version that stays and cannot be read: what it refers to is unknown, so nothing is deleted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnreadableRoot<'a> {
    pub(crate) version: &'a Version,
    /// Completes the sentence "it cannot be read: ...".
    pub(crate) reason: String,
}

/// What goes and what stays, as far as the manifests are read.
struct Assessment {
    graph: Graph,
    /// What goes if nothing else refers to it.
    candidates: BTreeSet<usize>,
    /// The candidates that rules select, not only what goes with them.
    tops: Vec<Option<Selected>>,
    /// Why versions stay that rules select.
    held: Vec<Option<KeepReason>>,
    causes: Vec<Cause>,
}

impl<'a> Selection<'a> {
    /// `versions` are all versions of the package.
    pub(crate) fn new(versions: &'a [Version], policy: &'a Policy, facts: Facts<'_>) -> Self {
        Self {
            versions,
            policy,
            standings: standings(versions, policy, facts),
            now: facts.now,
        }
    }

    /// The manifests that must be read next, none twice: those of all versions with tags, of every candidate, and of
    /// versions without tags that may list a candidate. Nothing is missing if rules select nothing.
    pub(crate) fn missing(&self, contents: &Contents) -> Vec<Digest> {
        let is_unread = |index: &usize| !contents.contains_key(&self.versions[*index].digest);
        let unread: Vec<usize> = (0..self.versions.len()).filter(is_unread).collect();
        let wanted = match self.selects_something() {
            true => self.wanted(contents, &unread),
            false => Vec::new(),
        };
        let digests: BTreeSet<Digest> = wanted
            .into_iter()
            .map(|index| self.versions[index].digest.clone())
            .collect();
        digests.into_iter().collect()
    }

    fn wanted(&self, contents: &Contents, unread: &[usize]) -> Vec<usize> {
        let among = |is_wanted: &dyn Fn(usize) -> bool| {
            let wanted = unread.iter().copied().filter(|index| is_wanted(*index));
            wanted.collect::<Vec<usize>>()
        };
        let tagged = among(&|index| !self.versions[index].tags.is_empty());
        if !tagged.is_empty() {
            return tagged;
        }
        let assessment = self.assess(contents);
        let Assessment {
            graph, candidates, ..
        } = &assessment;
        let of_tags = plain_among(graph, &self.kept_by_tags(graph));
        let is_asked = |index: usize| {
            let is_loose = matches!(self.standings[index], Standing::Loose);
            is_loose && self.selects_untagged() && !of_tags[index]
        };
        let wanted = among(&|index| candidates.contains(&index) || is_asked(index));
        if !wanted.is_empty() {
            return wanted;
        }
        // An index is pushed after the manifests that it lists, so what was pushed before the oldest version that
        // would go lists none of them.
        let Some(oldest) = assessment.oldest(self.versions) else {
            return Vec::new();
        };
        let plain = plain_among(graph, &assessment.causes);
        let may_list = |index: usize| !plain[index] && self.versions[index].created_at >= oldest;
        // Indexes in other indexes first: they say which of the rest are without children.
        let is_listed = |index: usize| matches!(assessment.causes[index], Cause::With(_));
        let nested = among(&|index| may_list(index) && is_listed(index));
        match nested.is_empty() {
            true => among(&may_list),
            false => nested,
        }
    }

    /// What goes, in order, and why the others stay.
    ///
    /// # Errors
    ///
    /// If a version that stays is unreadable or was not read, and something would go.
    pub(crate) fn decide(&self, contents: &Contents) -> Result<Decision<'a>, UnreadableRoot<'a>> {
        let unreadable = |index: usize, reason: &str| UnreadableRoot {
            version: &self.versions[index],
            reason: reason.to_owned(),
        };
        if let Some(digest) = self.missing(contents).first() {
            let index = self
                .versions
                .iter()
                .position(|version| version.digest == *digest);
            return Err(unreadable(index.unwrap_or_default(), "it was not read"));
        }
        let assessment = self.assess(contents);
        let going = assessment.going();
        if let Some((index, reason)) = self.unreadable_root(&assessment, contents)
            && !going.is_empty()
        {
            return Err(unreadable(index, &reason));
        }
        let is_kept = |index: &usize| !going.contains(index);
        let kept = (0..self.versions.len()).filter(is_kept);
        let kept = kept.map(|index| self.kept(index, &assessment)).collect();
        let rules = assessment
            .tops
            .iter()
            .map(|top| Some(self.rule(top.as_ref()?.rule)));
        let order = Order::new(self.versions, &assessment.graph, rules.collect());
        Ok(Decision {
            groups: order.groups(&going),
            kept,
        })
    }

    fn rule(&self, rule: usize) -> &'a str {
        &self.policy.rules[rule].text
    }

    fn kept(&self, index: usize, assessment: &Assessment) -> Kept<'a> {
        let held = assessment.held[index].clone();
        let (reason, selected_tags) = match &self.standings[index] {
            Standing::Kept {
                reason,
                selected_tags,
            } => (Some(reason.clone()), &selected_tags[..]),
            _ => (held, &[][..]),
        };
        let belongs_to = || match assessment.root_of(index) {
            Some(root) => KeepReason::BelongsTo {
                name: self.versions[root].name(),
            },
            None => KeepReason::Untagged,
        };
        Kept {
            version: &self.versions[index],
            reason: reason.unwrap_or_else(belongs_to),
            selected_tags: selected_tags.to_vec(),
        }
    }

    /// The first version that stays for sure, may have children, and cannot be read.
    fn unreadable_root(
        &self,
        assessment: &Assessment,
        contents: &Contents,
    ) -> Option<(usize, String)> {
        let plain = plain_among(&assessment.graph, &assessment.causes);
        let is_root = |index: &usize| !assessment.candidates.contains(index) && !plain[*index];
        let mut roots = (0..self.versions.len()).filter(is_root);
        roots.find_map(|index| match contents.get(&self.versions[index].digest)? {
            Content::Unreadable(reason) => Some((index, reason.clone())),
            Content::Read(_) => None,
        })
    }

    /// Whether rules may select anything, whatever the manifests are.
    fn selects_something(&self) -> bool {
        let is_selected = |standing: &Standing| matches!(standing, Standing::Selected(_));
        self.standings.iter().any(is_selected) || self.selects_untagged()
    }

    /// Whether a rule is about untagged versions, and one is old enough for it.
    fn selects_untagged(&self) -> bool {
        let Some(rule) = self.policy.untagged_rule() else {
            return false;
        };
        let is_selected = |index: usize| {
            matches!(self.standings[index], Standing::Loose) && self.age(index) >= self.least(rule)
        };
        (0..self.versions.len()).any(is_selected)
    }

    /// The least age of an untagged version that `rule` selects.
    fn least(&self, rule: usize) -> TimeDelta {
        let older_than = self.policy.rules[rule].older_than.unwrap_or(UNTAGGED_GUARD);
        older_than.max(UNTAGGED_GUARD)
    }

    fn age(&self, index: usize) -> TimeDelta {
        self.now - self.versions[index].changed_at()
    }

    fn kept_by_tags(&self, graph: &Graph) -> Vec<Cause> {
        let is_kept = |index: &usize| matches!(self.standings[*index], Standing::Kept { .. });
        graph.closure((0..self.versions.len()).filter(is_kept))
    }

    fn assess(&self, contents: &Contents) -> Assessment {
        let graph = Graph::new(self.versions, contents);
        let (tops, held) = self.tops(&graph, contents);
        let may_go = |index: usize| {
            !matches!(self.standings[index], Standing::Kept { .. }) && held[index].is_none()
        };
        let of_tops = (0..tops.len()).filter(|index| tops[*index].is_some());
        let candidates = graph.reach(of_tops, may_go);
        let causes = Vec::new();
        let mut assessment = Assessment {
            graph,
            candidates,
            tops,
            held,
            causes,
        };
        self.hold_unreadable(&mut assessment, contents);
        loop {
            self.close(&mut assessment);
            let held = self
                .recent(&assessment)
                .or_else(|| self.last_tagged(&assessment));
            match held {
                None => return assessment,
                Some(held) => {
                    for (index, reason) in held {
                        assessment.held[index] = Some(reason);
                    }
                }
            }
        }
    }

    /// What rules select for itself, and why they do not select others.
    fn tops(
        &self,
        graph: &Graph,
        contents: &Contents,
    ) -> (Vec<Option<Selected>>, Vec<Option<KeepReason>>) {
        let mut tops = vec![None; self.versions.len()];
        let mut held = vec![None; self.versions.len()];
        for (index, standing) in self.standings.iter().enumerate() {
            let Standing::Selected(selected) = standing else {
                continue;
            };
            let version = &self.versions[index];
            let content = contents.get(&version.digest);
            let is_read = content.is_some_and(|content| content.links().is_some());
            if selected.must_be_record && is_read && !graph.is_record(index) {
                let tag = version.tags[0].clone();
                held[index] = Some(KeepReason::NoPartRecord { tag });
            } else {
                tops[index] = Some(*selected);
            }
        }
        if let Some(rule) = self.policy.untagged_rule() {
            self.add_untagged(rule, graph, &mut tops, &mut held);
        }
        (tops, held)
    }

    /// Selects the untagged versions that nothing refers to. What belongs to another version stays and goes with it.
    fn add_untagged(
        &self,
        rule: usize,
        graph: &Graph,
        tops: &mut [Option<Selected>],
        held: &mut [Option<KeepReason>],
    ) {
        let by_tags = self.kept_by_tags(graph);
        let belonging = graph.belonging();
        let is_alone = |index: &usize| {
            matches!(self.standings[*index], Standing::Loose)
                && by_tags[*index] == Cause::None
                && !belonging[*index]
        };
        let mut alone: Vec<usize> = (0..self.versions.len()).filter(is_alone).collect();
        alone.sort_by_key(|index| Reverse(self.versions[*index].push_order()));
        let keep = self.policy.rules[rule].keep;
        let guard = UNTAGGED_GUARD;
        for (place, index) in alone.into_iter().enumerate() {
            let text = || self.rule(rule).to_owned();
            let must_be_record = false;
            if place < keep {
                held[index] = Some(KeepReason::Newest { rule: text(), keep });
            } else if self.age(index) < guard {
                held[index] = Some(KeepReason::recent(guard));
            } else if self.age(index) < self.least(rule) {
                held[index] = Some(KeepReason::NotOldEnough { rule: text() });
            } else {
                tops[index] = Some(Selected {
                    rule,
                    guard,
                    must_be_record,
                });
            }
        }
    }

    /// Finds again what stays: first with the tags that stay, then with the rest.
    fn close(&self, assessment: &mut Assessment) {
        let Assessment {
            graph,
            candidates,
            held,
            causes,
            ..
        } = assessment;
        let is_kept = |index: &usize| matches!(self.standings[*index], Standing::Kept { .. });
        let (tagged, others): (Vec<usize>, Vec<usize>) = (0..held.len())
            .filter(|index| !candidates.contains(index) || held[*index].is_some())
            .partition(is_kept);
        *causes = graph.closure(tagged.into_iter().chain(others));
    }

    /// Keeps the candidates that cannot be read, and those that they may list: what was pushed before them.
    fn hold_unreadable(&self, assessment: &mut Assessment, contents: &Contents) {
        let plain = assessment.graph.plain(|_| true);
        let mut newest: Option<&Version> = None;
        for index in &assessment.candidates {
            let version = &self.versions[*index];
            if let Some(Content::Unreadable(reason)) = contents.get(&version.digest) {
                assessment.held[*index] = Some(KeepReason::Unreadable(reason.clone()));
                let may_list = Some(version).filter(|_| !plain[*index]);
                newest = newest
                    .into_iter()
                    .chain(may_list)
                    .max_by_key(|one| one.created_at);
            }
        }
        let Some(unreadable) = newest else {
            return;
        };
        for index in &assessment.candidates {
            if self.versions[*index].created_at <= unreadable.created_at {
                let name = unreadable.name();
                let reason = KeepReason::MayBelongTo { name };
                assessment.held[*index].get_or_insert(reason);
            }
        }
    }

    /// The selected versions with which something younger would go than their guard allows.
    fn recent(&self, assessment: &Assessment) -> Option<Vec<(usize, KeepReason)>> {
        let goes = |index: usize| assessment.goes(index);
        let tops = assessment.tops.iter().enumerate();
        let recent = tops.filter_map(|(index, top)| {
            let guard = top.as_ref().filter(|_| goes(index))?.guard;
            let is_recent = |member: &usize| self.age(*member) < guard;
            let group = assessment.graph.reach(std::iter::once(index), goes);
            let found = guard > TimeDelta::zero() && group.iter().any(is_recent);
            found.then(|| (index, KeepReason::recent(guard)))
        });
        let recent: Vec<_> = recent.collect();
        (!recent.is_empty()).then_some(recent)
    }

    /// The newest version with tags, if none would be left.
    fn last_tagged(&self, assessment: &Assessment) -> Option<Vec<(usize, KeepReason)>> {
        let is_tagged = |index: &usize| !self.versions[*index].tags.is_empty();
        let tagged = || (0..self.versions.len()).filter(is_tagged);
        if tagged().any(|index| !assessment.goes(index)) {
            return None;
        }
        let is_image = |index: usize| assessment.tops[index].is_some();
        let order = |index: &usize| (is_image(*index), self.versions[*index].push_order());
        let newest = tagged().max_by_key(order)?;
        Some(vec![(newest, KeepReason::LastTagged)])
    }
}

impl Assessment {
    fn goes(&self, index: usize) -> bool {
        self.causes[index] == Cause::None
    }

    fn going(&self) -> BTreeSet<usize> {
        (0..self.causes.len())
            .filter(|index| self.goes(*index))
            .collect()
    }

    /// When the oldest version that goes was pushed.
    fn oldest(&self, versions: &[Version]) -> Option<DateTime<Utc>> {
        let going = self.going().into_iter();
        going.map(|index| versions[index].created_at).min()
    }

    /// The version because of which `index` stays.
    fn root_of(&self, index: usize) -> Option<usize> {
        let Cause::With(mut root) = self.causes[index] else {
            return None;
        };
        while let Cause::With(next) = self.causes[root] {
            root = next;
        }
        Some(root)
    }
}

/// Which versions are children of something that stays, and have no children themselves.
fn plain_among(graph: &Graph, causes: &[Cause]) -> Vec<bool> {
    graph.plain(|index| causes[index] != Cause::None)
}
