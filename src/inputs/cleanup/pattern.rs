//! `TagPattern`: which tags a rule is about.

use crate::error::InputError;

/// A pattern for a whole tag: `*` stands for any characters, `?` for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TagPattern(String);

const FIX: &str =
    "write a pattern in which `*` stands for any characters and `?` for one, for example `v?.*`";

impl TagPattern {
    /// Refuses characters that no tag contains: a pattern with one would never match.
    pub(crate) fn parse(text: &str) -> Result<Self, InputError> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_.-*?".contains(c);
        if text.is_empty() {
            return Err(InputError::new("the pattern is empty", FIX));
        }
        match text.chars().find(|c| !is_allowed(*c)) {
            None => Ok(Self(text.to_owned())),
            Some(other) => Err(InputError::new(format!("no tag contains `{other}`"), FIX)),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes at most the product of both lengths.
    pub(crate) fn matches(&self, tag: &str) -> bool {
        let (pattern, tag) = (self.0.as_bytes(), tag.as_bytes());
        // Which beginnings of the tag the pattern matches, one byte of the pattern after the other.
        let mut matched = vec![false; tag.len() + 1];
        matched[0] = true;
        for byte in pattern {
            matched = after(*byte, tag, &matched);
        }
        matched[tag.len()]
    }
}

fn after(byte: u8, tag: &[u8], matched: &[bool]) -> Vec<bool> {
    if byte == b'*' {
        let mut any = false;
        let from = |before: &bool| {
            any |= before;
            any
        };
        return matched.iter().map(from).collect();
    }
    let one = |(before, other): (&bool, &u8)| *before && (byte == b'?' || byte == *other);
    let longer = matched.iter().zip(tag).map(one);
    std::iter::once(false).chain(longer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let parsed = TagPattern::parse(pattern).unwrap();
        for tag in matching {
            assert!(parsed.matches(tag), "{pattern} matches {tag}");
        }
        for tag in others {
            assert!(!parsed.matches(tag), "{pattern} does not match {tag}");
        }
    }

    #[test]
    fn pattern_matches_the_whole_tag() {
        check("edge", &["edge"], &["edges", "an-edge", "Edge", ""]);
        check("sha-*", &["sha-", "sha-0123456"], &["sha", "my-sha-1"]);
        check("*-rc.*", &["1.2.3-rc.1", "-rc."], &["1.2.3-rc1", "1-rcx1"]);
        check("*", &["", "latest"], &[]);
        check("v?.*", &["v1.2", "v2."], &["v10.2", "v."]);
        check("*a*b?", &["abc", "aab-bx", "xaybz"], &["ab", "ba-"]);
    }

    #[test]
    fn characters_that_no_tag_contains_are_refused() {
        for (text, because) in [
            ("", "the pattern is empty"),
            ("/^pr-/", "no tag contains `/`"),
            ("pr-[0-9]*", "no tag contains `[`"),
            ("1.2.3+b", "no tag contains `+`"),
            ("été", "no tag contains `é`"),
        ] {
            assert_eq!(TagPattern::parse(text).unwrap_err().because, because);
        }
    }

    #[test]
    fn many_stars_take_little_time() {
        let pattern = TagPattern::parse(&"*a".repeat(2000)).unwrap();
        assert!(!pattern.matches(&"a".repeat(128)));
    }
}
