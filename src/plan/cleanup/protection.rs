//! Tags that no rule deletes.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::image::tag::Tag;
use crate::inputs::cleanup::pattern::TagPattern;
use crate::inputs::tags::version::{Scheme, Version};
use crate::plan::cleanup::reason::Protection;

/// The protected tags of one package.
pub(super) struct Protections<'a> {
    patterns: &'a [TagPattern],
    default_branch: Option<&'a Tag>,
    /// The tags of the newest version, pre-releases included, one for each way of writing versions.
    newest: BTreeSet<String>,
    /// The first numbers of the versions without a pre-release part.
    majors: BTreeSet<u64>,
}

impl<'a> Protections<'a> {
    /// `tags` are all tags of the package.
    pub(super) fn new<'t>(
        patterns: &'a [TagPattern],
        default_branch: Option<&'a Tag>,
        tags: impl Iterator<Item = &'t str>,
    ) -> Self {
        let versions: Vec<Version> = tags.filter_map(version).collect();
        let releases = versions.iter().filter(|version| !version.is_prerelease());
        Self {
            patterns,
            default_branch,
            majors: releases.map(Version::major).collect(),
            newest: newest(&versions),
        }
    }

    /// What protects `tag`, if anything does.
    pub(super) fn of(&self, tag: &str) -> Option<Protection> {
        let pattern = self.patterns.iter().find(|pattern| pattern.matches(tag));
        if let Some(pattern) = pattern {
            return Some(Protection::Input(pattern.as_str().to_owned()));
        }
        if tag == "latest" {
            return Some(Protection::Latest);
        }
        if self
            .default_branch
            .is_some_and(|branch| branch.as_str() == tag)
        {
            return Some(Protection::DefaultBranch);
        }
        if self.is_major(tag) {
            return Some(Protection::ReleaseLine);
        }
        let is_release = version(tag).is_some_and(|version| !version.is_prerelease());
        match is_release {
            true => Some(Protection::Release),
            false => self
                .newest
                .contains(tag)
                .then_some(Protection::NewestVersion),
        }
    }

    /// `v1`, or `1` if there is a version `1.…`: a number alone may be a date or the number of a run.
    fn is_major(&self, tag: &str) -> bool {
        let (is_prefixed, digits) = match tag.strip_prefix('v') {
            Some(digits) => (true, digits),
            None => (false, tag),
        };
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let is_known = |number: u64| self.majors.contains(&number);
        is_number && (is_prefixed || digits.parse().is_ok_and(is_known))
    }
}

/// A version, or the tag `1.2` of one; by PEP 440 it may have more numbers than three. A number alone is none.
fn version(tag: &str) -> Option<Version> {
    let pep440 = || Version::parse(tag, Scheme::Pep440).filter(|_| tag.contains('.'));
    Version::parse(tag, Scheme::Semver).or_else(pep440)
}

fn newest(versions: &[Version]) -> BTreeSet<String> {
    let compare = |one: &&Version, other: &&Version| one.compare(other).unwrap_or(Ordering::Equal);
    let newest_of = |scheme| {
        let written_so = versions.iter().filter(|version| version.scheme() == scheme);
        written_so.max_by(compare)
    };
    let newest: Vec<&Version> = [Scheme::Semver, Scheme::Pep440]
        .into_iter()
        .filter_map(newest_of)
        .collect();
    let is_newest = |version: &&Version| {
        let is_same = |other: &&Version| version.compare(other) == Some(Ordering::Equal);
        newest.iter().any(is_same)
    };
    let newest = versions.iter().filter(is_newest);
    newest.map(|version| version.text().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tags: &[&str], expected: &[(&str, Protection)]) {
        let patterns = [TagPattern::parse("*-alpine").unwrap()];
        let branch = Tag::sanitized("release/next");
        let protections = Protections::new(&patterns, branch.as_ref(), tags.iter().copied());
        let protected = tags
            .iter()
            .filter_map(|tag| Some((*tag, protections.of(tag)?)));
        assert_eq!(protected.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_published_for_long_is_protected() {
        let input = || Protection::Input("*-alpine".to_owned());
        check(
            &[
                "1.2.3",
                "v1.2.3",
                "1.2",
                "v1.2",
                "1",
                "v1",
                "1.2.3.post1",
                "24.04",
                "1.2.3.4",
                "latest",
                "release-next",
                "1.2-alpine",
                "1.3.0-rc.1-alpine",
            ],
            &[
                ("1.2.3", Protection::Release),
                ("v1.2.3", Protection::Release),
                ("1.2", Protection::Release),
                ("v1.2", Protection::Release),
                ("1", Protection::ReleaseLine),
                ("v1", Protection::ReleaseLine),
                ("1.2.3.post1", Protection::Release),
                ("24.04", Protection::Release),
                ("1.2.3.4", Protection::Release),
                ("latest", Protection::Latest),
                ("release-next", Protection::DefaultBranch),
                ("1.2-alpine", input()),
                ("1.3.0-rc.1-alpine", input()),
            ],
        );
    }

    #[test]
    fn other_tags_are_not_protected() {
        check(
            &[
                "3.0.0",
                "4.0.1.1",
                "1.2.3-rc.1",
                "2.0.0-alpha",
                "1.0rc1",
                "1.0.dev5",
                "20240131",
                "2",
                "main",
                "pr-5",
                "sha-0123456",
                "edge",
                "nightly",
                "v",
                "vx",
                "Latest",
                "release",
                "1234567",
            ],
            &[
                ("3.0.0", Protection::Release),
                ("4.0.1.1", Protection::Release),
            ],
        );
    }

    #[test]
    fn newest_version_is_protected_though_it_is_a_pre_release() {
        let newest = Protection::NewestVersion;
        check(
            &[
                "2.0.0-rc.2",
                "2.0.0-rc.10",
                "1.9.0",
                "v2.0.0-rc.10",
                "2.0rc1",
                "2.0rc2",
            ],
            &[
                ("2.0.0-rc.10", newest.clone()),
                ("1.9.0", Protection::Release),
                ("v2.0.0-rc.10", newest.clone()),
                ("2.0rc2", newest),
            ],
        );
    }
}
