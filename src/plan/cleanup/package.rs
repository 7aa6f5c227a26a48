//! Packages as tests describe them: each manifest has a name, and its digest is that of the name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use chrono::{DateTime, TimeDelta, Utc};

use crate::image::digest::Digest;
use crate::image::version::Version;
use crate::inputs::Inputs;
use crate::plan::cleanup::links::{Child, Content, Links};
use crate::plan::cleanup::order::Decision;
use crate::plan::cleanup::policy::{Policy, subject};
use crate::plan::cleanup::selection::{Selection, UnreadableRoot};
use crate::plan::cleanup::{Contents, Facts};
use crate::vars::Vars;

/// A package, the rules for it, and what is known.
#[derive(Clone)]
pub(super) struct Package {
    pub(super) versions: Vec<Version>,
    pub(super) contents: Contents,
    pub(super) names: BTreeMap<Digest, String>,
    pub(super) retention: String,
    protect: String,
    branch: Option<&'static str>,
    closing: Option<u64>,
    pub(super) closed: BTreeMap<u64, bool>,
    pub(super) own: BTreeSet<Digest>,
    /// What cannot be read.
    pub(super) hidden: BTreeSet<Digest>,
}

pub(super) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(1_795_181_400_000_000_000)
}

pub(super) fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

impl Package {
    /// Rules, one a line; none for the default ones.
    pub(super) fn new(retention: &str) -> Self {
        Self {
            versions: Vec::new(),
            contents: Contents::new(),
            names: BTreeMap::new(),
            retention: retention.to_owned(),
            protect: String::new(),
            branch: Some("main"),
            closing: None,
            closed: BTreeMap::new(),
            own: BTreeSet::new(),
            hidden: BTreeSet::new(),
        }
    }

    pub(super) fn protect(mut self, protect: &str) -> Self {
        protect.clone_into(&mut self.protect);
        self
    }

    pub(super) fn closed(mut self, numbers: &[u64]) -> Self {
        let closed = numbers.iter().map(|number| (*number, true));
        self.closed.extend(closed);
        self
    }

    pub(super) fn open(mut self, number: u64) -> Self {
        self.closed.insert(number, false);
        self
    }

    pub(super) fn closing(mut self, number: u64) -> Self {
        self.closing = Some(number);
        self
    }

    pub(super) fn own(mut self, name: &str) -> Self {
        self.own.insert(digest(name));
        self
    }

    /// A version that was pushed `days` ago.
    pub(super) fn version(mut self, name: &str, tags: &str, days: i64, content: Content) -> Self {
        let created_at = now() - TimeDelta::days(days);
        let version = Version {
            id: self.versions.len() as u64 + 1,
            digest: digest(name),
            tags: tags.split_whitespace().map(tag_of).collect(),
            created_at,
            updated_at: created_at,
        };
        self.versions.push(version);
        self.names.insert(digest(name), name.to_owned());
        self.contents.insert(digest(name), content);
        self
    }

    pub(super) fn image(self, name: &str, tags: &str, days: i64) -> Self {
        self.version(name, tags, days, Content::Read(Links::default()))
    }

    /// An index of plain manifests.
    pub(super) fn index(self, name: &str, tags: &str, days: i64, children: &str) -> Self {
        self.version(name, tags, days, Content::Read(listing(children, true)))
    }

    /// An index of indexes.
    pub(super) fn nested(self, name: &str, tags: &str, days: i64, children: &str) -> Self {
        self.version(name, tags, days, Content::Read(listing(children, false)))
    }

    pub(super) fn referrer(self, name: &str, tags: &str, days: i64, subject: &str) -> Self {
        let subject = Some(digest(subject));
        let links = Links {
            subject,
            ..Links::default()
        };
        self.version(name, tags, days, Content::Read(links))
    }

    pub(super) fn record(self, name: &str, tags: &str, days: i64, manifests: &str) -> Self {
        let links = Links {
            is_part_record: true,
            ..listing(manifests, true)
        };
        self.version(name, tags, days, Content::Read(links))
    }

    pub(super) fn unreadable(self, name: &str, tags: &str, days: i64) -> Self {
        self.image(name, tags, days).hidden()
    }

    /// The last version cannot be read.
    pub(super) fn hidden(mut self) -> Self {
        let last = self.versions.last().unwrap();
        self.hidden.insert(last.digest.clone());
        self
    }

    /// The last version changed `days` ago.
    pub(super) fn changed(mut self, days: i64) -> Self {
        let last = self.versions.last_mut().unwrap();
        last.updated_at = now() - TimeDelta::days(days);
        self
    }

    pub(super) fn policy(&self) -> Policy {
        let vars = Vars::of(&[
            ("INPUT_RETENTION", &self.retention),
            ("INPUT_PROTECT", &self.protect),
        ]);
        let inputs = Inputs::from_vars(&vars, &[]).unwrap();
        Policy::new(&inputs.cleanup, self.branch, self.closing)
    }

    /// Reads what is missing until it can be decided; gives the names of what was read too.
    pub(super) fn decide<T>(
        &self,
        then: impl FnOnce(Result<Decision<'_>, UnreadableRoot<'_>>, &[String]) -> T,
    ) -> T {
        let policy = self.policy();
        let facts = Facts {
            now: now(),
            own: &self.own,
            closed: &self.closed,
        };
        let selection = Selection::new(&self.versions, &policy, facts);
        let (mut contents, mut read) = (Contents::new(), Vec::new());
        loop {
            let missing = selection.missing(&contents);
            if missing.is_empty() {
                return then(selection.decide(&contents), &read);
            }
            for digest in missing {
                let content = match self.hidden.contains(&digest) {
                    true => Content::Unreadable("404".to_owned()),
                    false => self.contents[&digest].clone(),
                };
                let before = contents.insert(digest.clone(), content);
                assert_eq!(before, None, "{} is read twice", self.names[&digest]);
                read.push(self.names[&digest].clone());
            }
        }
    }

    fn name(&self, version: &Version) -> &str {
        &self.names[&version.digest]
    }

    /// What goes, one image a line, and why the others stay.
    pub(super) fn outcome(&self) -> String {
        self.decide(|decision, _| match decision {
            Err(root) => {
                let name = self.name(root.version);
                format!("nothing goes: {name} cannot be read: {}\n", root.reason)
            }
            Ok(decision) => self.shown(&decision),
        })
    }

    fn shown(&self, decision: &Decision<'_>) -> String {
        let mut text = String::new();
        for group in &decision.groups {
            let members = group.deletions.iter();
            let members: Vec<_> = members
                .map(|deletion| self.name(deletion.version))
                .collect();
            writeln!(text, "{}", members.join(" > ")).unwrap();
        }
        for kept in &decision.kept {
            let (name, reason) = (self.name(kept.version), &kept.reason);
            let reason = kept
                .selected_tags
                .iter()
                .fold(reason.to_string(), |text, tag| {
                    format!("{text}; selected: `{tag}`")
                });
            writeln!(text, "- {name}: {reason}").unwrap();
        }
        text
    }

    /// The names of what goes, in order.
    pub(super) fn going(&self) -> Vec<String> {
        self.decide(|decision, _| {
            let groups = decision.unwrap().groups.into_iter();
            let deletions = groups.flat_map(|group| group.deletions);
            let names = deletions.map(|deletion| self.name(deletion.version).to_owned());
            names.collect()
        })
    }

    /// The names of what is read, in alphabetical order.
    pub(super) fn read(&self) -> Vec<String> {
        let mut read = self.decide(|_, read| read.to_vec());
        read.sort();
        read
    }
}

/// `@name.sig` is the tag of a signature for the manifest called `name`.
fn tag_of(text: &str) -> String {
    let Some(name) = text.strip_prefix('@') else {
        return text.to_owned();
    };
    let (name, ending) = match name.split_once('.') {
        Some((name, ending)) => (name, format!(".{ending}")),
        None => (name, String::new()),
    };
    format!("sha256-{}{ending}", digest(name).hex())
}

pub(super) fn listing(children: &str, is_plain: bool) -> Links {
    let children = children.split_whitespace().map(|name| Child {
        digest: digest(name),
        is_plain,
    });
    Links {
        children: children.collect(),
        ..Links::default()
    }
}

/// One line for each version.
impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            retention, closed, ..
        } = self;
        writeln!(f, "{retention:?}, closed {closed:?}")?;
        for version in &self.versions {
            let name = self.name(version);
            let hours =
                [version.created_at, version.updated_at].map(|time| (now() - time).num_hours());
            let tags = version.tags.iter().map(|tag| match subject(tag) {
                Some(digest) => format!("@{}", self.names.get(&digest).map_or("?", String::as_str)),
                None => tag.clone(),
            });
            let tags: Vec<_> = tags.collect();
            let Content::Read(links) = &self.contents[&version.digest] else {
                unreachable!("the truth is always readable");
            };
            let children = links
                .children
                .iter()
                .map(|child| self.names[&child.digest].as_str());
            let children: Vec<_> = children.collect();
            let subject = links.subject.as_ref().map(|digest| &self.names[digest]);
            let record = if links.is_part_record { " record" } else { "" };
            let hidden = if self.hidden.contains(&version.digest) {
                " hidden"
            } else {
                ""
            };
            let own = if self.own.contains(&version.digest) {
                " own"
            } else {
                ""
            };
            writeln!(
                f,
                "{name} {tags:?} {hours:?} h, lists {children:?}, subject {subject:?}{record}{hidden}{own}"
            )?;
        }
        Ok(())
    }
}
