//! Checks decisions without the code that makes them: a plain search through the manifests of a package.

use std::collections::BTreeSet;

use crate::image::digest::Digest;
use crate::plan::cleanup::links::{Content, Links};
use crate::plan::cleanup::package::Package;

/// The versions of a package without those that are deleted.
pub(super) struct Walker<'a> {
    package: &'a Package,
    pub(super) deleted: BTreeSet<Digest>,
}

impl<'a> Walker<'a> {
    pub(super) fn new(package: &'a Package) -> Self {
        Self {
            package,
            deleted: BTreeSet::new(),
        }
    }

    /// What versions lack: those that are `staying`, and those with a tag.
    pub(super) fn lacking(&self, staying: &BTreeSet<Digest>) -> Vec<String> {
        let versions = self.package.versions.iter();
        let alive = versions.filter(|version| !self.deleted.contains(&version.digest));
        let starts =
            alive.filter(|version| staying.contains(&version.digest) || !version.tags.is_empty());
        starts
            .flat_map(|version| self.lacking_of(&version.digest))
            .collect()
    }

    fn lacking_of(&self, start: &Digest) -> Vec<String> {
        let needed = self.needed(start).into_iter();
        let lacking = needed.filter(|digest| self.deleted.contains(digest));
        let name = |digest: &Digest| self.package.names[digest].clone();
        lacking
            .map(|digest| format!("{} lacks {}", name(start), name(&digest)))
            .collect()
    }

    /// What `start` needs, and what that needs: children and referrers that were in the package.
    pub(super) fn needed(&self, start: &Digest) -> BTreeSet<Digest> {
        let mut needed = BTreeSet::new();
        let mut queue = vec![start.clone()];
        while let Some(digest) = queue.pop() {
            for next in self.next(&digest) {
                if next != *start && needed.insert(next.clone()) {
                    queue.push(next);
                }
            }
        }
        needed
    }

    fn next(&self, digest: &Digest) -> Vec<Digest> {
        let children = self
            .links(digest)
            .children
            .iter()
            .map(|child| &child.digest);
        let in_package = children.filter(|child| self.package.names.contains_key(child));
        let mut next: Vec<Digest> = in_package.cloned().collect();
        for version in &self.package.versions {
            let is_subject = self.links(&version.digest).subject.as_ref() == Some(digest);
            let prefix = format!("sha256-{}", digest.hex());
            let is_named = version.tags.iter().any(|tag| tag.starts_with(&prefix));
            if is_subject || is_named {
                next.push(version.digest.clone());
            }
        }
        next
    }

    fn links(&self, digest: &Digest) -> &'a Links {
        match &self.package.contents[digest] {
            Content::Read(links) => links,
            Content::Unreadable(_) => unreachable!("the truth is always readable"),
        }
    }
}

/// Takes the deletions of a decision one after the other. Before and after each one, nothing with a tag lacks anything,
/// and neither does what stays. So it is if the versions with tags are deleted first.
pub(super) fn every_prefix_is_whole(package: &Package) -> Result<(), String> {
    let order = package.decide(|decision, _| {
        let groups = decision.map_or_else(|_| Vec::new(), |decision| decision.groups);
        let deletions = groups.into_iter().flat_map(|group| group.deletions);
        let versions = deletions.map(|deletion| deletion.version.clone());
        versions.collect::<Vec<_>>()
    });
    let (tagged, untagged): (Vec<_>, Vec<_>) = order
        .iter()
        .cloned()
        .partition(|version| !version.tags.is_empty());
    let tagged_first = tagged.into_iter().chain(untagged).collect();
    for order in [order, tagged_first] {
        let digests = || order.iter().map(|version| version.digest.clone());
        let going: BTreeSet<Digest> = digests().collect();
        if going.len() != order.len() {
            return Err("a version is deleted twice".to_owned());
        }
        let all = package
            .versions
            .iter()
            .map(|version| version.digest.clone());
        let staying = all.filter(|digest| !going.contains(digest)).collect();
        let mut walker = Walker::new(package);
        for digest in digests() {
            walker.deleted.insert(digest.clone());
            let lacking = walker.lacking(&staying);
            if !lacking.is_empty() {
                let name = &package.names[&digest];
                return Err(format!("after {name}: {}", lacking.join(", ")));
            }
        }
    }
    Ok(())
}
