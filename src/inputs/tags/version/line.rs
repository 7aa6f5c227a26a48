//! `VersionLine`: the versions among which a floating tag shows the newest.

use std::cmp::Ordering;

use crate::inputs::tags::template::Template;
use crate::inputs::tags::version::{Part, Version};

/// How much of a version a tag shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// All of it.
    Exact,
    /// `1.2`
    Minor,
    /// `1`
    Major,
    /// Nothing, such as `latest`: the newest of all.
    Any,
}

/// A version, how many of its parts the tag shows, and the text around it (`-alpine`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VersionLine {
    version: Version,
    level: Level,
    prefix: String,
    suffix: String,
}

impl Level {
    /// What `pattern` shows of `version`; everything, when the version is not final.
    pub(crate) fn shown(pattern: &Template<Part>, version: &Version) -> Self {
        let has = |wanted: &[Part]| pattern.expressions().any(|part| wanted.contains(part));
        if !version.is_final() || has(&[Part::Raw, Part::Version, Part::Patch]) {
            Self::Exact
        } else if has(&[Part::Minor]) {
            Self::Minor
        } else if has(&[Part::Major]) {
            Self::Major
        } else {
            Self::Any
        }
    }
}

impl VersionLine {
    pub(crate) fn new(version: Version, level: Level) -> Self {
        Self {
            version,
            level,
            prefix: String::new(),
            suffix: String::new(),
        }
    }

    #[must_use]
    pub(crate) fn between(self, prefix: &str, suffix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
            ..self
        }
    }

    /// The line of every version that is tagged like this one.
    pub(crate) fn of_all(self) -> Self {
        let level = Level::Any;
        Self { level, ..self }
    }

    pub(crate) fn version(&self) -> &Version {
        &self.version
    }

    /// How the version that an image says it has compares with ours: `1.2.4`, or as much of it as its first
    /// tag names, such as `1.2`. Nothing when that does not decide.
    pub(crate) fn compare_shown(&self, shown: &str) -> Option<Ordering> {
        let bare = shown.strip_prefix(&self.prefix).unwrap_or(shown);
        let bare = bare.strip_suffix(&self.suffix).unwrap_or(bare);
        match Version::parse(bare, self.version.scheme()) {
            // A pre-release is lower than its release.
            Some(shown) if !shown.is_final() && self.version.is_final() => Some(Ordering::Less),
            Some(shown) if shown.is_full() => shown.compare(&self.version),
            _ => self.compare_beginning(bare),
        }
    }

    /// Compares `1` or `1.2` with the beginning of our version.
    fn compare_beginning(&self, shown: &str) -> Option<Ordering> {
        let numbers: Result<Vec<u64>, _> = shown.split('.').map(str::parse).collect();
        let ours = [self.version.major(), self.version.minor()];
        let numbers = numbers.ok().filter(|numbers| numbers.len() <= ours.len())?;
        let order = numbers.as_slice().cmp(&ours[..numbers.len()]);
        (order != Ordering::Equal).then_some(order)
    }

    /// The newest of `tags` in this line, and its version.
    pub(crate) fn newest<'a>(&self, tags: &'a [String]) -> Option<(Version, &'a String)> {
        let versions = tags
            .iter()
            .filter_map(|tag| Some((self.version_of(tag)?, tag)));
        versions.max_by(|(a, _), (b, _)| a.compare(b).unwrap_or(Ordering::Equal))
    }

    /// The version that `tag` shows in full, when it is in this line, and final unless ours is not either.
    pub(crate) fn version_of(&self, tag: &str) -> Option<Version> {
        let text = tag.strip_prefix(&self.prefix)?.strip_suffix(&self.suffix)?;
        let version = Version::parse(text, self.version.scheme())?;
        let same_major = version.major() == self.version.major();
        let same_minor = same_major && version.minor() == self.version.minor();
        let inside = match self.level {
            Level::Any => true,
            Level::Major => same_major,
            Level::Minor => same_minor,
            Level::Exact => version.compare(&self.version) == Some(Ordering::Equal),
        };
        let counts = version.is_final() || !self.version.is_final();
        (inside && counts && version.is_full()).then_some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::tags::version::Scheme;

    #[track_caller]
    fn check(pattern: &str, tag: &str, expected: bool) {
        let version = Version::parse("v1.2.3", Scheme::Semver).unwrap();
        let level = Level::shown(&Template::parse(pattern).unwrap(), &version);
        let line = VersionLine::new(version, level).between("", "-alpine");
        assert_eq!(line.version_of(tag).is_some(), expected);
    }

    #[test]
    fn a_shown_version_is_compared_as_far_as_it_goes() {
        let check = |ours: &str, shown: &str, expected: Option<Ordering>| {
            let version = Version::parse(ours, Scheme::Semver).unwrap();
            let line = VersionLine::new(version, Level::Minor).between("", "-alpine");
            assert_eq!(line.compare_shown(shown), expected, "{shown}");
        };
        check("1.2.3", "1.2.4-alpine", Some(Ordering::Greater));
        check("1.2.3", "v1.2.2", Some(Ordering::Less));
        check("1.2.3", "1.2.3", Some(Ordering::Equal));
        check("1.2.3", "2", Some(Ordering::Greater));
        check("1.2.3", "1.1-alpine", Some(Ordering::Less));
        check("1.2.3", "1.2", None);
        check("1.2.3", "1", None);
        check("1.2.3", "main", None);
        check("1.2.3", "1.2.4-rc.1", Some(Ordering::Less));
        check("1.2.3-rc.1", "1.2.3-rc.2", Some(Ordering::Greater));
    }

    #[test]
    fn a_line_holds_the_final_versions_that_look_alike() {
        check("{{major}}", "1.9.0-alpine", true);
        check("{{major}}", "v1.9.0-alpine", true);
        check("{{major}}", "2.0.0-alpine", false);
        check("{{major}}", "1.9.0", false);
        check("{{major}}", "1.9.0-rc.1-alpine", false);
        check("{{major}}.{{minor}}", "1.2.9-alpine", true);
        check("{{major}}.{{minor}}", "1.3.0-alpine", false);
        check("{{major}}.{{minor}}", "1.2-alpine", false);
        check("stable", "2.0.0-alpine", true);
        check("{{version}}", "1.2.4-alpine", false);
    }
}
