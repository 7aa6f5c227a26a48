//! `Decision`: what goes, in an order in which an image loses nothing before it is gone itself.

use std::collections::{BTreeSet, VecDeque};

use crate::image::version::Version;
use crate::plan::cleanup::graph::Graph;
use crate::plan::cleanup::reason::KeepReason;

/// What is deleted, and what stays.
#[derive(Debug)]
pub(crate) struct Decision<'a> {
    /// The images that go, the oldest first.
    pub(crate) groups: Vec<Group<'a>>,
    /// All other versions.
    pub(crate) kept: Vec<Kept<'a>>,
}

/// An image that goes, then what belonged to it alone: a version comes after all that it belongs to.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub(crate) deletions: Vec<Deletion<'a>>,
}

/// A version that goes.
#[derive(Clone, Debug)]
pub(crate) struct Deletion<'a> {
    pub(crate) version: &'a Version,
    /// The rule that selects it, or what it belongs to.
    pub(crate) rule: &'a str,
    /// The image with which it goes; none for the image itself.
    pub(crate) belongs_to: Option<&'a Version>,
}

/// A version that stays.
#[derive(Debug)]
pub(crate) struct Kept<'a> {
    pub(crate) version: &'a Version,
    pub(crate) reason: KeepReason,
    /// The tags that rules select all the same: a version goes only with all of its tags.
    pub(crate) selected_tags: Vec<String>,
}

impl<'a> Decision<'a> {
    /// The deletions of this run, in order, and those that the next run is left with. An image goes with all that
    /// belongs to it or not at all, unless that alone is more than `budget`.
    pub(crate) fn within(self, budget: usize) -> (Vec<Deletion<'a>>, Vec<Deletion<'a>>) {
        let mut end = 0;
        for group in &self.groups {
            let next = end + group.deletions.len();
            if next > budget {
                break;
            }
            end = next;
        }
        if end == 0 {
            end = budget;
        }
        let groups = self.groups.into_iter();
        let mut now: Vec<_> = groups.flat_map(|group| group.deletions).collect();
        let later = now.split_off(end.min(now.len()));
        (now, later)
    }
}

impl Deletion<'_> {
    /// Why it goes; completes the sentence "it is deleted: ...".
    pub(crate) fn reason(&self) -> String {
        match self.belongs_to {
            None => format!("`{}`", self.rule),
            Some(image) => format!(
                "it belongs to {}, which goes by `{}`",
                image.name(),
                self.rule
            ),
        }
    }
}

/// Puts versions in order.
pub(super) struct Order<'a, 'g> {
    versions: &'a [Version],
    graph: &'g Graph,
    /// The rule that selects a version for itself.
    rules: Vec<Option<&'a str>>,
}

impl<'a, 'g> Order<'a, 'g> {
    pub(super) fn new(
        versions: &'a [Version],
        graph: &'g Graph,
        rules: Vec<Option<&'a str>>,
    ) -> Self {
        Self {
            versions,
            graph,
            rules,
        }
    }

    /// What belongs to several images comes after the last of them.
    pub(super) fn groups(&self, going: &BTreeSet<usize>) -> Vec<Group<'a>> {
        let mut waiting = self.waiting(going);
        let mut order: Vec<usize> = going.iter().copied().collect();
        let is_selected = |index: usize| self.rules[index].is_some();
        order.sort_by_key(|index| (!is_selected(*index), self.versions[*index].push_order()));
        let (firsts, others): (Vec<_>, Vec<_>) =
            order.into_iter().partition(|index| waiting[*index] == 0);
        // The others come with the firsts, except versions whose tags name each other.
        let mut done = BTreeSet::new();
        let mut groups = Vec::new();
        for first in firsts.into_iter().chain(others) {
            if done.insert(first) {
                groups.push(self.group(first, going, &mut waiting, &mut done));
            }
        }
        groups
    }

    /// How many versions that go must go before each one.
    fn waiting(&self, going: &BTreeSet<usize>) -> Vec<usize> {
        let mut waiting = vec![0; self.versions.len()];
        for edge in going.iter().flat_map(|index| self.graph.edges(*index)) {
            waiting[edge.to] += 1;
        }
        waiting
    }

    fn group(
        &self,
        first: usize,
        going: &BTreeSet<usize>,
        waiting: &mut [usize],
        done: &mut BTreeSet<usize>,
    ) -> Group<'a> {
        let mut members = vec![first];
        let mut queue = VecDeque::from([first]);
        while let Some(from) = queue.pop_front() {
            for edge in self.graph.edges(from) {
                waiting[edge.to] = waiting[edge.to].saturating_sub(1);
                let is_next = waiting[edge.to] == 0 && going.contains(&edge.to);
                if is_next && done.insert(edge.to) {
                    members.push(edge.to);
                    queue.push_back(edge.to);
                }
            }
        }
        let members = members.into_iter();
        Group {
            deletions: members.map(|index| self.deletion(index, first)).collect(),
        }
    }

    fn deletion(&self, index: usize, first: usize) -> Deletion<'a> {
        let own = self.rules[index];
        let rule = own.or(self.rules[first]).unwrap_or_default();
        Deletion {
            version: &self.versions[index],
            rule,
            belongs_to: (index != first).then_some(&self.versions[first]),
        }
    }
}
