//! `Version`: a version as `type=semver` and `type=pep440` read it.
//!
//! Both crates are wrapped for the leniencies of the JavaScript libraries that
//! docker/metadata-action asks: node-semver (<https://github.com/npm/node-semver>) in its strict mode,
//! and `@renovatebot/pep440`.

pub(crate) mod line;

use std::cmp::Ordering;

use crate::error::InputError;
use crate::inputs::tags::template::call::Call;
use crate::inputs::tags::template::{Expression, Template};

/// How a version is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// <https://semver.org>
    Semver,
    /// <https://peps.python.org/pep-0440/>
    Pep440,
}

/// A version and the text it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    raw: String,
    parsed: Parsed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Parsed {
    Semver(semver::Version),
    Pep440(pep440_rs::Version),
}

/// What a version pattern may ask for: `{{version}}`, `{{major}}`, …
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The text as it was.
    Raw,
    /// The normal form, without build metadata.
    Version,
    Major,
    Minor,
    Patch,
    /// Semver only: the identifiers, joined by commas as JavaScript joins a list.
    Prerelease,
    Build,
}

impl Expression for Part {
    const NAMES: &'static [&'static str] = &[
        "raw",
        "version",
        "major",
        "minor",
        "patch",
        "prerelease",
        "build",
    ];

    fn from_call(call: &Call) -> Option<Result<Self, InputError>> {
        let part = match call.name() {
            "raw" => Self::Raw,
            "version" => Self::Version,
            "major" => Self::Major,
            "minor" => Self::Minor,
            "patch" => Self::Patch,
            "prerelease" => Self::Prerelease,
            "build" => Self::Build,
            _ => return None,
        };
        Some(call.without_arguments().map(|()| part))
    }
}

/// The largest integer JavaScript counts to; node-semver refuses larger numbers.
const MAX_NUMBER: u64 = (1 << 53) - 1;
/// The longest text node-semver reads.
const MAX_LENGTH: usize = 256;

impl Version {
    pub(crate) fn parse(text: &str, scheme: Scheme) -> Option<Self> {
        let parsed = match scheme {
            Scheme::Semver => Parsed::Semver(semver(text)?),
            Scheme::Pep440 => Parsed::Pep440(pep440(text)?),
        };
        let raw = text.to_owned();
        Some(Self { raw, parsed })
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        &self.raw
    }

    /// Neither a pre-release nor, by PEP 440, a post or development release: what `latest` may show.
    pub(crate) fn is_final(&self) -> bool {
        match &self.parsed {
            Parsed::Semver(version) => version.pre.is_empty(),
            Parsed::Pep440(version) => !version.any_prerelease() && !version.is_post(),
        }
    }

    /// Whether it precedes a release: an alpha, a release candidate, a development release.
    pub(crate) fn is_prerelease(&self) -> bool {
        match &self.parsed {
            Parsed::Semver(version) => !version.pre.is_empty(),
            Parsed::Pep440(version) => version.any_prerelease(),
        }
    }

    /// Which is newer; versions of two schemes have no order.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (&self.parsed, &other.parsed) {
            (Parsed::Semver(ours), Parsed::Semver(theirs)) => Some(ours.cmp_precedence(theirs)),
            (Parsed::Pep440(ours), Parsed::Pep440(theirs)) => Some(ours.cmp(theirs)),
            _ => None,
        }
    }

    /// Whether it names a release down to the third number; by PEP 440 `1.2` is a version too.
    pub(crate) fn is_full(&self) -> bool {
        match &self.parsed {
            Parsed::Semver(_) => true,
            Parsed::Pep440(version) => version.release().len() > 2,
        }
    }

    /// Whether the text that a pattern stands for has the whole version, with at least three numbers.
    pub(crate) fn is_shown_in_full(&self, pattern: &Template<Part>) -> bool {
        let has = |wanted: Part| pattern.expressions().any(|part| *part == wanted);
        let is_whole = has(Part::Raw)
            || has(Part::Version)
            || [Part::Major, Part::Minor, Part::Patch].into_iter().all(has);
        self.is_full() && (is_whole || !self.is_final())
    }

    /// Whether `text` is a version with at least three numbers, by one of the schemes.
    pub(crate) fn is_full_text(text: &str) -> bool {
        let schemes = [Scheme::Semver, Scheme::Pep440].into_iter();
        let mut versions = schemes.filter_map(|scheme| Self::parse(text, scheme));
        versions.any(|version| version.is_full())
    }

    pub(crate) fn scheme(&self) -> Scheme {
        match &self.parsed {
            Parsed::Semver(_) => Scheme::Semver,
            Parsed::Pep440(_) => Scheme::Pep440,
        }
    }

    pub(crate) fn major(&self) -> u64 {
        self.number(0)
    }

    pub(crate) fn minor(&self) -> u64 {
        self.number(1)
    }

    fn number(&self, index: usize) -> u64 {
        match &self.parsed {
            Parsed::Semver(version) => [version.major, version.minor, version.patch][index],
            Parsed::Pep440(version) => version.release().get(index).copied().unwrap_or(0),
        }
    }

    /// The text a pattern stands for. Nothing but a final version has parts: of any other one every
    /// pattern gives the whole, so that `1.2` never shows `1.2.0-rc.1`.
    pub(crate) fn fill(&self, pattern: &Template<Part>) -> String {
        match pattern.single() {
            Some(Part::Raw) => self.raw.clone(),
            _ if !self.is_final() => self.part(Part::Version),
            _ => pattern.render(|part| self.part(*part)),
        }
    }

    fn part(&self, part: Part) -> String {
        match part {
            Part::Raw => self.raw.clone(),
            Part::Version => self.normal(),
            Part::Major => self.number(0).to_string(),
            Part::Minor => self.number(1).to_string(),
            Part::Patch => self.number(2).to_string(),
            Part::Prerelease => self.identifiers(|version| version.pre.as_str()),
            Part::Build => self.identifiers(|version| version.build.as_str()),
        }
    }

    fn identifiers(&self, of: fn(&semver::Version) -> &str) -> String {
        match &self.parsed {
            Parsed::Semver(version) => of(version).replace('.', ","),
            Parsed::Pep440(_) => String::new(),
        }
    }

    fn normal(&self) -> String {
        match &self.parsed {
            Parsed::Semver(version) => {
                let mut version = version.clone();
                version.build = semver::BuildMetadata::EMPTY;
                version.to_string()
            }
            Parsed::Pep440(version) => {
                // docker/metadata-action joins the local segments by commas, which become `-` in a tag.
                let local: Vec<String> = version.local().iter().map(ToString::to_string).collect();
                let public = version.clone().without_local().to_string();
                if local.is_empty() {
                    public
                } else {
                    format!("{public}+{}", local.join(","))
                }
            }
        }
    }
}

/// node-semver accepts a leading `v` and surrounding white space.
fn semver(text: &str) -> Option<semver::Version> {
    if text.encode_utf16().count() > MAX_LENGTH {
        return None;
    }
    let text = text.trim();
    let version = semver::Version::parse(text.strip_prefix('v').unwrap_or(text)).ok()?;
    let numbers = [version.major, version.minor, version.patch];
    numbers
        .iter()
        .all(|number| *number <= MAX_NUMBER)
        .then_some(version)
}

fn pep440(text: &str) -> Option<pep440_rs::Version> {
    let version: pep440_rs::Version = text.parse().ok()?;
    (text == text.trim()).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(scheme: Scheme, text: &str, pattern: &str, expected: Option<&str>) {
        let pattern = Template::parse(pattern).unwrap();
        let filled = Version::parse(text, scheme).map(|version| version.fill(&pattern));
        assert_eq!(filled.as_deref(), expected);
    }

    #[test]
    fn semver_is_read_as_node_reads_it() {
        let check = |text, pattern, expected| check(Scheme::Semver, text, pattern, expected);
        check("v1.2.3", "{{version}} {{raw}}", Some("1.2.3 v1.2.3"));
        check("1.2.3", "v{{major}}.{{minor}}.{{patch}}", Some("v1.2.3"));
        check("1.2.3+build.5", "{{version}}", Some("1.2.3"));
        check(" v1.2.3", "{{major}}", Some("1"));
        check("1.2.3+build.5", "{{build}}{{prerelease}}", Some("build,5"));
        for text in [
            "1", "1.2", "V1.2.3", "=1.2.3", "vv1.2.3", "1.02.3", "1.2.3-01", "", "x",
        ] {
            check(text, "{{version}}", None);
        }
        check("9007199254740992.0.0", "{{version}}", None);
        check(&format!("1.2.3-{}", "a".repeat(251)), "{{version}}", None);
    }

    #[test]
    fn pep440_is_read_as_python_reads_it() {
        let check = |text, pattern, expected| check(Scheme::Pep440, text, pattern, expected);
        check(
            "v1.2",
            "{{major}}.{{minor}}.{{patch}} {{raw}}",
            Some("1.2.0 v1.2"),
        );
        check("01.02", "{{version}}", Some("1.2"));
        check("1.0+Ubuntu.1", "{{version}}", Some("1.0+ubuntu,1"));
        check("1!2.0", "{{version}}", Some("1!2.0"));
        check("1.0 ", "{{version}}", None);
        check("1.0-foo", "{{version}}", None);
    }

    #[test]
    fn prerelease_is_shown_in_full() {
        check(
            Scheme::Semver,
            "v2.0.0-rc.1",
            "{{major}}",
            Some("2.0.0-rc.1"),
        );
        check(
            Scheme::Semver,
            "v2.0.0-rc.1",
            "{{raw}}",
            Some("v2.0.0-rc.1"),
        );
        check(Scheme::Pep440, "1.2.3rc2", "{{major}}", Some("1.2.3rc2"));
        check(Scheme::Pep440, "1.2-1", "{{major}}", Some("1.2.post1"));
        check(Scheme::Pep440, "1.0dev4", "{{raw}}", Some("1.0dev4"));
    }

    #[test]
    fn versions_of_one_scheme_have_an_order() {
        let compare = |ours, theirs, scheme| {
            let ours = Version::parse(ours, Scheme::Semver).unwrap();
            ours.compare(&Version::parse(theirs, scheme).unwrap())
        };
        assert_eq!(
            compare("1.10.0", "1.9.0", Scheme::Semver),
            Some(Ordering::Greater)
        );
        assert_eq!(
            compare("1.0.0-rc.1", "1.0.0", Scheme::Semver),
            Some(Ordering::Less)
        );
        assert_eq!(
            compare("v1.0.0", "1.0.0+b", Scheme::Semver),
            Some(Ordering::Equal)
        );
        assert_eq!(compare("1.0.0", "1.0.0", Scheme::Pep440), None);
    }
}
