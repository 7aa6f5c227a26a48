//! The versions of a package: one for each pushed manifest, with the times that the API shows.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Contents, Manifest, Store};
use crate::http::request::View;

/// GitHub counts the versions of all packages together.
pub(crate) const FIRST_ID: u64 = 1_200_000_000;
/// How long a deleted version can be restored, in seconds
/// (<https://docs.github.com/en/packages/learn-github-packages/deleting-and-restoring-a-package>).
const RESTORABLE: u64 = 30 * 24 * 60 * 60;

#[derive(Clone, Debug)]
struct Version {
    digest: String,
    created: u64,
    updated: u64,
    downloads: u64,
    deleted: Option<Deleted>,
}

/// What a restoration brings back.
#[derive(Clone, Debug)]
struct Deleted {
    at: u64,
    manifest: Manifest,
    tags: Vec<String>,
}

/// The versions of one name by id, including deleted ones.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    all: BTreeMap<u64, Version>,
    /// The ids of those that are not deleted.
    ids: HashMap<String, u64>,
}

/// A version as the API lists it; times are seconds since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) id: u64,
    pub(crate) digest: String,
    pub(crate) tags: Vec<String>,
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) deleted: Option<u64>,
    pub(crate) downloads: u64,
}

impl Versions {
    /// A new manifest is a new version. A tag updates the version that it is put on; that the other one is updated too
    /// is not known.
    pub(super) fn push(&mut self, digest: &str, is_untagged: bool, new_id: u64, now: u64) {
        let id = *self.ids.entry(digest.to_owned()).or_insert(new_id);
        let version = self.all.entry(id).or_insert_with(|| Version {
            digest: digest.to_owned(),
            created: now,
            updated: now,
            downloads: 0,
            deleted: None,
        });
        if !is_untagged {
            version.updated = now;
        }
    }
}

impl Contents {
    /// The versions that are not deleted, newest first.
    fn active(&self, view: View) -> Vec<Listed> {
        let mut tags: HashMap<&str, Vec<String>> = HashMap::new();
        for (tag, digest) in &self.tags {
            tags.entry(digest).or_default().push(tag.clone());
            if let (View::MovedTagsTwice, Some(left)) = (view, self.previous.get(tag)) {
                tags.entry(left).or_default().push(tag.clone());
            }
        }
        let active = self.versions.all.iter().rev();
        let active = active.filter(|(_, version)| version.deleted.is_none());
        active
            .map(|(id, version)| {
                let tags = tags.remove(version.digest.as_str()).unwrap_or_default();
                version.listed(*id, tags)
            })
            .collect()
    }

    /// One that is not deleted.
    fn version(&self, id: u64) -> Option<Listed> {
        let version = self.versions.all.get(&id)?;
        let tags = self.tags.iter();
        let tags = tags.filter(|(_, digest)| **digest == version.digest);
        let tags = tags.map(|(tag, _)| tag.clone()).collect();
        let listed = version.listed(id, tags);
        listed.deleted.is_none().then_some(listed)
    }

    /// Removes the manifest and its tags.
    fn remove(&mut self, digest: &str, now: u64) -> bool {
        let Some(manifest) = self.manifests.remove(digest) else {
            return false;
        };
        let is_of = |_: &String, shown: &mut String| shown == digest;
        let tags = self
            .tags
            .extract_if(.., is_of)
            .map(|(tag, _)| tag)
            .collect();
        let id = self.versions.ids.remove(digest);
        if let Some(version) = id.and_then(|id| self.versions.all.get_mut(&id)) {
            version.deleted = Some(Deleted {
                at: now,
                manifest,
                tags,
            });
        }
        true
    }

    /// Brings back a deleted version with those of its tags that no other version has.
    fn restore(&mut self, id: u64, now: u64) -> Option<()> {
        let version = self.versions.all.get_mut(&id)?;
        let is_restorable = |deleted: &mut Deleted| now <= deleted.at + RESTORABLE;
        if self.versions.ids.contains_key(&version.digest) {
            return None;
        }
        let Deleted { manifest, tags, .. } = version.deleted.take_if(is_restorable)?;
        for tag in tags {
            self.tags
                .entry(tag)
                .or_insert_with(|| version.digest.clone());
        }
        self.versions.ids.insert(version.digest.clone(), id);
        self.manifests.insert(version.digest.clone(), manifest);
        Some(())
    }
}

impl Version {
    fn listed(&self, id: u64, tags: Vec<String>) -> Listed {
        Listed {
            id,
            digest: self.digest.clone(),
            tags,
            created: self.created,
            updated: self.updated,
            deleted: self.deleted.as_ref().map(|deleted| deleted.at),
            downloads: self.downloads,
        }
    }
}

impl Store {
    /// The versions of a name that are not deleted, newest first.
    pub(crate) fn versions(&self, name: &str, view: View) -> Vec<Listed> {
        if view == View::Stale {
            return self.kept.get(name).cloned().unwrap_or_default();
        }
        let contents = self.names.get(name);
        contents.map(|known| known.active(view)).unwrap_or_default()
    }

    /// A version that is not deleted.
    pub(crate) fn version(&self, name: &str, id: u64) -> Option<Listed> {
        self.names.get(name)?.version(id)
    }

    /// How many versions of a name have tags.
    pub(crate) fn tagged_versions(&self, name: &str) -> usize {
        let contents = self.names.get(name);
        let tags = contents.into_iter().flat_map(|known| known.tags.values());
        tags.collect::<HashSet<_>>().len()
    }

    /// The deleted versions of a name, newest first.
    pub(crate) fn deleted_versions(&self, name: &str) -> Vec<Listed> {
        let contents = self.names.get(name);
        let all = contents
            .into_iter()
            .flat_map(|known| known.versions.all.iter().rev());
        all.filter_map(|(id, version)| {
            let deleted = version.deleted.as_ref()?;
            Some(version.listed(*id, deleted.tags.clone()))
        })
        .collect()
    }

    /// Keeps the versions of all names as they are now for [`View::Stale`].
    pub(crate) fn keep_versions(&mut self) {
        let names = self.names.iter();
        self.kept = names
            .map(|(name, contents)| (name.clone(), contents.active(View::Current)))
            .collect();
    }

    /// Deletes a manifest and its tags; false if the name does not have it.
    pub(crate) fn delete(&mut self, name: &str, digest: &str) -> bool {
        let now = self.clock.now();
        let contents = self.names.get_mut(name);
        contents.is_some_and(|contents| contents.remove(digest, now))
    }

    /// Restores a deleted version; false if there is none, if it was deleted more than 30 days ago, or if its manifest
    /// was pushed again.
    pub(crate) fn restore(&mut self, name: &str, id: u64) -> bool {
        let now = self.clock.now();
        let contents = self.names.get_mut(name);
        contents.is_some_and(|contents| contents.restore(id, now).is_some())
    }

    pub(crate) fn set_downloads(&mut self, name: &str, digest: &str, downloads: u64) {
        let versions = self.names.get_mut(name).map(|known| &mut known.versions);
        for version in versions
            .into_iter()
            .flat_map(|known| known.all.values_mut())
        {
            if version.digest == digest {
                version.downloads = downloads;
            }
        }
    }
}
