//! `Selection`: what rules select in one package, what must be read, and what goes when everything is read.

use std::collections::BTreeSet;

use crate::image::digest::Digest;
use crate::image::version::Version;
use crate::plan::cleanup::assessment::Assessment;
use crate::plan::cleanup::judged::Judged;
use crate::plan::cleanup::links::Content;
use crate::plan::cleanup::order::{Decision, Kept, Order};
use crate::plan::cleanup::policy::Policy;
use crate::plan::cleanup::reason::KeepReason;
use crate::plan::cleanup::standing::Standing;
use crate::plan::cleanup::{Contents, Facts};

/// What rules select in one package.
pub(crate) struct Selection<'a>(Judged<'a>);

/// A version that stays and cannot be read: what it refers to is unknown, so nothing is deleted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnreadableRoot<'a> {
    pub(crate) version: &'a Version,
    /// Completes the sentence "it cannot be read: ...".
    pub(crate) reason: String,
}

impl<'a> Selection<'a> {
    /// `versions` are all versions of the package.
    pub(crate) fn new(versions: &'a [Version], policy: &'a Policy, facts: Facts<'_>) -> Self {
        Self(Judged::new(versions, policy, facts))
    }

    /// The manifests that must be read next, none twice: those of all versions with tags, of every candidate, and of
    /// versions without tags that may list a candidate. Nothing is missing if rules select nothing.
    pub(crate) fn missing(&self, contents: &Contents) -> Vec<Digest> {
        let digest = |index: usize| &self.0.versions[index].digest;
        let indices = self.0.indices();
        let unread = Unread(
            indices
                .filter(|index| !contents.contains_key(digest(*index)))
                .collect(),
        );
        let wanted = match self.0.selects_something() {
            true => self.wanted(contents, &unread),
            false => Vec::new(),
        };
        let digests: BTreeSet<&Digest> = wanted.into_iter().map(digest).collect();
        digests.into_iter().cloned().collect()
    }

    /// What is read next: first what says most about the rest.
    fn wanted(&self, contents: &Contents, unread: &Unread) -> Vec<usize> {
        let tagged = unread.that(|index| self.0.is_tagged(index));
        if !tagged.is_empty() {
            return tagged;
        }
        let assessment = Assessment::new(&self.0, contents);
        // An index is pushed after the manifests that it lists, so what was pushed before the oldest version that
        // would go lists none of them.
        let Some(oldest) = assessment.oldest() else {
            return Vec::new();
        };
        let plain = assessment.plain();
        let may_list = |index: usize| !plain[index] && self.0.versions[index].created_at >= oldest;
        let nested = unread.that(|index| may_list(index) && assessment.is_listed(index));
        if !nested.is_empty() {
            return nested;
        }
        let candidates = unread.that(|index| assessment.candidates.contains(&index));
        match candidates.is_empty() {
            true => unread.that(may_list),
            false => candidates,
        }
    }

    /// What goes, in order, and why the others stay.
    ///
    /// # Errors
    ///
    /// If a version that stays is unreadable or was not read, and something would go.
    pub(crate) fn decide(&self, contents: &Contents) -> Result<Decision<'a>, UnreadableRoot<'a>> {
        if let Some(digest) = self.missing(contents).first() {
            let mut versions = self.0.versions.iter();
            let version = versions.find(|version| version.digest == *digest);
            let version = version.expect("what is missing is a version");
            let reason = "it was not read".to_owned();
            return Err(UnreadableRoot { version, reason });
        }
        let assessment = Assessment::new(&self.0, contents);
        let going = assessment.going();
        match self.unreadable_root(&assessment, contents) {
            Some(root) if !going.is_empty() => Err(root),
            _ => Ok(self.decision(&assessment, &going)),
        }
    }

    fn decision(&self, assessment: &Assessment<'_>, going: &BTreeSet<usize>) -> Decision<'a> {
        let rule = |index: usize| Some(self.0.rule(assessment.tops[index].as_ref()?.rule));
        let rules = self.0.indices().map(rule).collect();
        let order = Order::new(self.0.versions, &assessment.graph, rules);
        let kept = self.0.indices().filter(|index| !going.contains(index));
        Decision {
            groups: order.groups(going),
            kept: kept.map(|index| self.kept(index, assessment)).collect(),
        }
    }

    fn kept(&self, index: usize, assessment: &Assessment<'_>) -> Kept<'a> {
        let (reason, selected_tags) = match self.0.standing(index) {
            Standing::Kept {
                reason,
                selected_tags,
            } => (Some(reason), selected_tags.clone()),
            _ => (assessment.held[index].as_ref(), Vec::new()),
        };
        let belongs_to = || match assessment.root_of(index) {
            Some(root) => KeepReason::BelongsTo {
                name: self.0.versions[root].name(),
            },
            None => KeepReason::Untagged,
        };
        Kept {
            version: &self.0.versions[index],
            reason: reason.cloned().unwrap_or_else(belongs_to),
            selected_tags,
        }
    }

    /// The first version that stays for sure, may have children, and cannot be read.
    fn unreadable_root(
        &self,
        assessment: &Assessment<'_>,
        contents: &Contents,
    ) -> Option<UnreadableRoot<'a>> {
        let plain = assessment.plain();
        let is_root = |index: &usize| !assessment.candidates.contains(index) && !plain[*index];
        let mut roots = self.0.indices().filter(is_root);
        roots.find_map(|index| {
            let version = &self.0.versions[index];
            match contents.get(&version.digest)? {
                Content::Unreadable(reason) => Some(UnreadableRoot {
                    version,
                    reason: reason.clone(),
                }),
                Content::Read(_) => None,
            }
        })
    }
}

/// The versions that were not read.
struct Unread(Vec<usize>);

impl Unread {
    fn that(&self, is_wanted: impl Fn(usize) -> bool) -> Vec<usize> {
        let indices = self.0.iter().copied();
        indices.filter(|index| is_wanted(*index)).collect()
    }
}
