//! `Tag`: a tag that every registry accepts, and how any text becomes one.

use std::fmt;
use std::sync::LazyLock;

use regex::bytes::Regex;
use sha2::{Digest as _, Sha256};

use crate::image::digest::hex;

/// An image tag: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`
/// (<https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tag(String);

const MAX_LENGTH: usize = 128;
/// The longest part of a name before its hash.
const MAX_BEFORE_HASH: usize = MAX_LENGTH - "-01234567".len();

impl Tag {
    /// The tag for `text`, or none when no valid character is left.
    ///
    /// Every run of other characters becomes `-` (as docker/metadata-action does); leading `.` and `-`
    /// are removed. A name that lost its start, or that is longer than 128 characters, keeps its first 119
    /// and ends in `-` and 8 hex digits of the sha256 of the whole: `#main` never becomes `main`, and two
    /// long names never share a tag. Applying it twice changes nothing.
    pub(crate) fn sanitized(text: &str) -> Option<Self> {
        let replaced = INVALID.replace_all(text.as_bytes(), b"-").into_owned();
        let replaced = String::from_utf8(replaced).expect("what is left is ASCII");
        let trimmed = replaced.trim_start_matches(['.', '-']);
        if trimmed.is_empty() {
            return None;
        }
        let is_whole = trimmed.len() == replaced.len();
        if is_whole && trimmed.len() <= MAX_LENGTH {
            return Some(Self(replaced));
        }
        let whole = if is_whole { trimmed } else { text };
        let fingerprint = hex(&Sha256::digest(whole.as_bytes())[..4]);
        let kept = &trimmed[..trimmed.len().min(MAX_BEFORE_HASH)];
        Some(Self(format!("{kept}-{fingerprint}")))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What no tag holds, as bytes: compiling the same for characters takes twenty times as long.
static INVALID: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(?-u)[^A-Za-z0-9._-]+").expect("the class compiles"));

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Tag::sanitized(text).as_ref().map(Tag::as_str), expected);
    }

    #[test]
    fn runs_of_other_characters_become_one_dash() {
        check("v1.2.3", Some("v1.2.3"));
        check("releases/v1", Some("releases-v1"));
        check("v1.2.3+build.5", Some("v1.2.3-build.5"));
        check("a$(id)b", Some("a-id-b"));
    }

    #[test]
    fn a_tag_never_starts_with_dot_or_dash() {
        for text in ["#foo", "@acme/x", ".-.hidden", "-1", "日本-x"] {
            let tag = Tag::sanitized(text).unwrap();
            assert!(!tag.as_str().starts_with(['.', '-']), "{tag}");
        }
        check("_kept", Some("_kept"));
    }

    #[test]
    fn a_name_that_loses_its_start_never_becomes_another_name() {
        // The digits are those of `printf %s '#main' | sha256sum`.
        check("#main", Some("main-512ba51f"));
        let names = [
            "main",
            "#main",
            "@main",
            "-main",
            ".main",
            "--main",
            "日本main",
        ];
        let tags: BTreeSet<Tag> = names
            .iter()
            .filter_map(|name| Tag::sanitized(name))
            .collect();
        assert_eq!(tags.len(), names.len(), "{tags:?}");
        let long = format!("#{}", "a".repeat(128));
        let tag = Tag::sanitized(&long).unwrap();
        assert_eq!(tag.as_str().len(), 128);
        assert_ne!(Some(tag), Tag::sanitized(&"a".repeat(128)));
    }

    #[test]
    fn text_without_a_valid_character_gives_no_tag() {
        check("", None);
        check("日本", None);
        check("-..-", None);
    }

    #[test]
    fn long_text_keeps_its_start_and_a_fingerprint_of_the_whole() {
        check(&"a".repeat(128), Some(&"a".repeat(128)));
        let long = Tag::sanitized(&"a".repeat(129)).unwrap();
        let longer = Tag::sanitized(&"a".repeat(130)).unwrap();
        assert_eq!(long.as_str().len(), 128);
        assert_eq!(long.as_str(), format!("{}-c12cb024", "a".repeat(119)));
        assert_ne!(long, longer);
    }
}
