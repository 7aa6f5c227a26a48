//! `Assessment`: what goes and what stays, as far as the manifests are read.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::image::version::Version;
use crate::plan::cleanup::Contents;
use crate::plan::cleanup::graph::{Cause, Graph};
use crate::plan::cleanup::judged::Judged;
use crate::plan::cleanup::links::Content;
use crate::plan::cleanup::reason::KeepReason;
use crate::plan::cleanup::standing::{Selected, Standing, UNTAGGED_GUARD};

/// Versions are called by their index.
pub(super) struct Assessment<'a> {
    judged: &'a Judged<'a>,
    pub(super) graph: Graph,
    /// The versions that rules select, not only what goes with them.
    pub(super) tops: Vec<Option<Selected>>,
    /// Why versions stay that rules are about.
    pub(super) held: Vec<Option<KeepReason>>,
    /// What goes if nothing else refers to it.
    pub(super) candidates: BTreeSet<usize>,
    /// Why each version stays; nothing for those that go.
    causes: Vec<Cause>,
}

impl<'a> Assessment<'a> {
    pub(super) fn new(judged: &'a Judged<'a>, contents: &Contents) -> Self {
        let count = judged.versions.len();
        let mut assessment = Self {
            judged,
            graph: Graph::new(judged.versions, contents),
            tops: vec![None; count],
            held: vec![None; count],
            candidates: BTreeSet::new(),
            causes: Vec::new(),
        };
        assessment.select_tagged(contents);
        assessment.select_untagged();
        assessment.find_candidates();
        assessment.hold_unreadable(contents);
        assessment.close();
        while assessment.hold_recent() || assessment.hold_last_tagged() {
            assessment.close();
        }
        assessment
    }

    pub(super) fn goes(&self, index: usize) -> bool {
        self.causes[index] == Cause::None
    }

    pub(super) fn going(&self) -> BTreeSet<usize> {
        let indices = self.judged.indices();
        indices.filter(|index| self.goes(*index)).collect()
    }

    /// When the oldest version that goes was pushed.
    pub(super) fn oldest(&self) -> Option<DateTime<Utc>> {
        let going = self.going().into_iter();
        going
            .map(|index| self.judged.versions[index].created_at)
            .min()
    }

    /// Whether it stays because something that stays refers to it.
    pub(super) fn is_listed(&self, index: usize) -> bool {
        matches!(self.causes[index], Cause::With(_))
    }

    /// The version because of which `index` stays, if it is another one.
    pub(super) fn root_of(&self, index: usize) -> Option<usize> {
        let mut root = None;
        let mut cause = self.causes[index];
        while let Cause::With(next) = cause {
            root = Some(next);
            cause = self.causes[next];
        }
        root
    }

    /// Which versions are children of something that stays, and have no children themselves.
    pub(super) fn plain(&self) -> Vec<bool> {
        self.graph.plain(|index| !self.goes(index))
    }

    fn select_tagged(&mut self, contents: &Contents) {
        for index in self.judged.indices() {
            let Standing::Selected(selected) = self.judged.standing(index) else {
                continue;
            };
            let version = &self.judged.versions[index];
            let content = contents.get(&version.digest);
            let is_read = content.is_some_and(|content| content.links().is_some());
            if selected.must_be_record && is_read && !self.graph.is_record(index) {
                let tag = version.tags[0].clone();
                self.held[index] = Some(KeepReason::NoPartRecord { tag });
            } else {
                self.tops[index] = Some(*selected);
            }
        }
    }

    /// Selects the untagged versions that nothing refers to. What belongs to another version stays and goes with it.
    fn select_untagged(&mut self) {
        let Some((rule, keep)) = self.judged.untagged_rule() else {
            return;
        };
        let belonging = self.graph.belonging();
        let is_alone = |index: &usize| self.judged.is_loose(*index) && !belonging[*index];
        let mut alone: Vec<usize> = self.judged.indices().filter(is_alone).collect();
        alone.sort_by_key(|index| Reverse(self.judged.versions[*index].push_order()));
        let newest = alone.len().min(keep);
        for index in alone.drain(..newest) {
            let rule = self.judged.rule(rule).to_owned();
            self.held[index] = Some(KeepReason::Newest { rule, keep });
        }
        for index in alone {
            self.select_old(index, rule);
        }
    }

    /// Selects an untagged version if it is old enough.
    fn select_old(&mut self, index: usize, rule: usize) {
        let age = self.judged.age(index);
        if age < UNTAGGED_GUARD {
            self.held[index] = Some(KeepReason::recent(UNTAGGED_GUARD));
        } else if age < self.judged.least(rule) {
            let rule = self.judged.rule(rule).to_owned();
            self.held[index] = Some(KeepReason::NotOldEnough { rule });
        } else {
            self.tops[index] = Some(Selected {
                rule,
                guard: UNTAGGED_GUARD,
                must_be_record: false,
            });
        }
    }

    fn find_candidates(&mut self) {
        let may_go = |index: usize| !self.judged.is_kept(index) && self.held[index].is_none();
        let tops = self
            .judged
            .indices()
            .filter(|index| self.tops[*index].is_some());
        self.candidates = self.graph.reach(tops, may_go);
    }

    /// Keeps the candidates that cannot be read, and those that they may list: what was pushed before them.
    fn hold_unreadable(&mut self, contents: &Contents) {
        let plain = self.graph.plain(|_| true);
        let mut newest: Option<&Version> = None;
        for index in &self.candidates {
            let version = &self.judged.versions[*index];
            if let Some(Content::Unreadable(reason)) = contents.get(&version.digest) {
                self.held[*index] = Some(KeepReason::Unreadable(reason.clone()));
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
        for index in &self.candidates {
            if self.judged.versions[*index].created_at <= unreadable.created_at {
                let name = unreadable.name();
                self.held[*index].get_or_insert(KeepReason::MayBelongTo { name });
            }
        }
    }

    /// Finds what stays: first with the versions that stay for sure, then with the rest.
    fn close(&mut self) {
        let stays = |index: &usize| !self.candidates.contains(index) || self.held[*index].is_some();
        let roots = self.judged.indices().filter(stays);
        let (sure, others): (Vec<usize>, Vec<usize>) =
            roots.partition(|index| self.judged.is_kept(*index));
        self.causes = self.graph.closure(sure.into_iter().chain(others));
    }

    /// Keeps the selected versions with which something younger would go than their guard allows.
    fn hold_recent(&mut self) -> bool {
        let guard = |index: usize| Some(self.tops[index].as_ref()?.guard);
        let guarded = self.judged.indices().filter(|index| self.goes(*index));
        let guarded = guarded.filter_map(|index| Some((index, guard(index)?)));
        let recent: Vec<_> = guarded
            .filter(|(index, guard)| self.takes_along_younger(*index, *guard))
            .collect();
        for (index, guard) in &recent {
            self.held[*index] = Some(KeepReason::recent(*guard));
        }
        !recent.is_empty()
    }

    fn takes_along_younger(&self, index: usize, guard: TimeDelta) -> bool {
        let is_younger = |member: &usize| self.judged.age(*member) < guard;
        let goes = |member: usize| self.goes(member);
        let group = self.graph.reach(std::iter::once(index), goes);
        guard > TimeDelta::zero() && group.iter().any(is_younger)
    }

    /// Keeps the newest version with tags, if none would be left.
    fn hold_last_tagged(&mut self) -> bool {
        let is_tagged = |index: &usize| self.judged.is_tagged(*index);
        let tagged: Vec<usize> = self.judged.indices().filter(is_tagged).collect();
        let order = |index: &usize| {
            let is_image = self.tops[*index].is_some();
            (is_image, self.judged.versions[*index].push_order())
        };
        let newest = tagged.iter().copied().max_by_key(order);
        let last = newest.filter(|_| tagged.iter().all(|index| self.goes(*index)));
        if let Some(last) = last {
            self.held[last] = Some(KeepReason::LastTagged);
        }
        last.is_some()
    }
}
