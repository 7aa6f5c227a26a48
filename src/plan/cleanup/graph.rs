//! `Graph`: which versions stay with which.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::image::digest::Digest;
use crate::image::version::Version;
use crate::plan::cleanup::Contents;
use crate::plan::cleanup::policy::subject;

/// The versions of a package by their index in its list. An edge leads from a version to one that stays with it: from an
/// index to its children, from a manifest to its referrers, and to what has a tag with its digest.
pub(super) struct Graph {
    edges: Vec<Vec<Edge>>,
    is_record: Vec<bool>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) to: usize,
    kind: EdgeKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EdgeKind {
    /// To a child that has no children, as its index says.
    PlainChild,
    Child,
    Referrer,
    /// From the record of a part to a manifest of the part. It stays when the record goes: somebody may use it by digest.
    Part,
}

/// Why a version stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nothing that stays refers to it.
    None,
    Root,
    /// It stays with this version.
    With(usize),
}

impl Graph {
    pub(super) fn new(versions: &[Version], contents: &Contents) -> Self {
        let indices = versions.iter().enumerate();
        let by_digest = indices
            .map(|(index, version)| (&version.digest, index))
            .collect();
        let mut graph = Self {
            edges: vec![Vec::new(); versions.len()],
            is_record: vec![false; versions.len()],
        };
        for (index, version) in versions.iter().enumerate() {
            graph.add_tags(index, version, &by_digest);
            graph.add_links(index, version, contents, &by_digest);
        }
        graph
    }

    fn add_tags(&mut self, index: usize, version: &Version, by_digest: &BTreeMap<&Digest, usize>) {
        for digest in version.tags.iter().filter_map(|tag| subject(tag)) {
            let from = by_digest.get(&digest).copied();
            self.add(from, Some(index), EdgeKind::Referrer);
        }
    }

    fn add_links(
        &mut self,
        index: usize,
        version: &Version,
        contents: &Contents,
        by_digest: &BTreeMap<&Digest, usize>,
    ) {
        let content = contents.get(&version.digest);
        let Some(links) = content.and_then(|content| content.links()) else {
            return;
        };
        self.is_record[index] = links.is_part_record;
        for child in &links.children {
            let to = by_digest.get(&child.digest).copied();
            let kind = match (links.is_part_record, child.is_plain) {
                (true, _) => EdgeKind::Part,
                (false, true) => EdgeKind::PlainChild,
                (false, false) => EdgeKind::Child,
            };
            self.add(Some(index), to, kind);
        }
        if let Some(subject) = &links.subject {
            let from = by_digest.get(subject).copied();
            self.add(from, Some(index), EdgeKind::Referrer);
        }
    }

    fn add(&mut self, from: Option<usize>, to: Option<usize>, kind: EdgeKind) {
        if let (Some(from), Some(to)) = (from, to)
            && from != to
        {
            self.edges[from].push(Edge { to, kind });
        }
    }

    /// What stays with `index`.
    pub(super) fn edges(&self, index: usize) -> &[Edge] {
        &self.edges[index]
    }

    /// What goes with `index`.
    pub(super) fn taken_along(&self, index: usize) -> impl Iterator<Item = usize> {
        let edges = self.edges(index).iter();
        let taken = edges.filter(|edge| edge.kind != EdgeKind::Part);
        taken.map(|edge| edge.to)
    }

    pub(super) fn is_record(&self, index: usize) -> bool {
        self.is_record[index]
    }

    /// What stays if `roots` stay. The first root through which a version stays is its cause.
    pub(super) fn closure(&self, roots: impl Iterator<Item = usize>) -> Vec<Cause> {
        let mut causes = vec![Cause::None; self.edges.len()];
        let mut queue = VecDeque::new();
        for root in roots {
            if causes[root] == Cause::None {
                causes[root] = Cause::Root;
                queue.push_back(root);
            }
            while let Some(from) = queue.pop_front() {
                for edge in &self.edges[from] {
                    if causes[edge.to] == Cause::None {
                        causes[edge.to] = Cause::With(from);
                        queue.push_back(edge.to);
                    }
                }
            }
        }
        causes
    }

    /// What goes with `tops`, themselves included, among the versions that `may_go`.
    pub(super) fn reach(
        &self,
        tops: impl Iterator<Item = usize>,
        may_go: impl Fn(usize) -> bool,
    ) -> BTreeSet<usize> {
        let mut reached: BTreeSet<usize> = tops.filter(|top| may_go(*top)).collect();
        let mut queue: Vec<usize> = reached.iter().copied().collect();
        while let Some(from) = queue.pop() {
            let next = self.taken_along(from).filter(|to| may_go(*to));
            queue.extend(next.filter(|to| reached.insert(*to)).collect::<Vec<_>>());
        }
        reached
    }

    /// Which versions the indexes that are `trusted` list as manifests without children.
    pub(super) fn plain(&self, trusted: impl Fn(usize) -> bool) -> Vec<bool> {
        let mut plain = vec![false; self.edges.len()];
        let trusted = (0..self.edges.len()).filter(|index| trusted(*index));
        for edge in trusted.flat_map(|index| &self.edges[index]) {
            plain[edge.to] |= edge.kind == EdgeKind::PlainChild;
        }
        plain
    }

    /// Which versions something refers to, other than the record of a part.
    pub(super) fn belonging(&self) -> Vec<bool> {
        let mut belonging = vec![false; self.edges.len()];
        for index in 0..self.edges.len() {
            for to in self.taken_along(index) {
                belonging[to] = true;
            }
        }
        belonging
    }
}
