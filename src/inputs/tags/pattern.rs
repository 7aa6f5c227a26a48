//! `Pattern`: a regular expression of ECMAScript, as `type=match` and `match=` take it.

mod javascript;
mod set;

#[cfg(test)]
mod properties;

use std::ops::Range;

use crate::error::InputError;
use crate::inputs::tags::pattern::javascript::Flags;
use fancy_regex::{Error, RuntimeError};

/// A compiled expression; with the flag `g` it finds every match instead of groups.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: String,
    engine: Engine,
    groups: usize,
    goes_back: bool,
    reach: Reach,
}

/// What matches an expression.
#[derive(Clone, Debug)]
enum Engine {
    /// In linear time.
    Linear(regex::Regex),
    /// For look-around and back-references, which the other engine does not know.
    Backtracking(fancy_regex::Regex),
}

impl Engine {
    fn compile(expression: &str) -> fancy_regex::Result<Self> {
        let linear = regex::RegexBuilder::new(expression)
            .size_limit(MAX_COMPILED)
            .build();
        if let Ok(linear) = linear {
            return Ok(Self::Linear(linear));
        }
        let backtracking = fancy_regex::RegexBuilder::new(expression)
            .backtrack_limit(MAX_BACKTRACKS)
            .delegate_size_limit(MAX_COMPILED)
            .build();
        backtracking.map(Self::Backtracking)
    }

    fn find_at(&self, value: &str, at: usize) -> fancy_regex::Result<Option<Range<usize>>> {
        match self {
            Self::Linear(regex) => Ok(regex.find_at(value, at).map(|found| found.range())),
            Self::Backtracking(regex) => {
                let found = regex.find_from_pos(value, at)?;
                Ok(found.map(|found| found.range()))
            }
        }
    }

    /// The whole match and the groups `g1`, `g2`…, as the translation names them.
    fn captures(&self, value: &str, groups: usize) -> fancy_regex::Result<Option<Ranges>> {
        let names = (1..=groups).map(|group| format!("g{group}"));
        Ok(match self {
            Self::Linear(regex) => regex.captures(value).map(|found| {
                let named = names.map(|name| found.name(&name).map(|group| group.range()));
                std::iter::once(Some(found.get_match().range()))
                    .chain(named)
                    .collect()
            }),
            Self::Backtracking(regex) => regex.captures(value)?.map(|found| {
                let named = names.map(|name| found.name(&name).map(|group| group.range()));
                let whole = found.get(0).map(|whole| whole.range());
                std::iter::once(whole).chain(named).collect()
            }),
        })
    }
}

/// The groups that `group` numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    GroupsOfFirst,
    /// The flag `g`: `String.prototype.match` then returns the matches themselves.
    EveryMatch,
}

/// In characters.
const MAX_LENGTH: usize = 1000;
/// How often the engine may backtrack: a hundred times what a sensible expression needs.
const MAX_BACKTRACKS: usize = 20_000;
/// Bytes of a text on which the engine may go back: each step back can read all of it.
const MAX_TEXT: usize = 2000;
/// Bytes of the compiled expression.
const MAX_COMPILED: usize = 1 << 20;

/// The texts of the groups, the whole match first.
pub(crate) type Groups<'v> = Vec<Option<&'v str>>;

impl Pattern {
    /// An expression, or an expression with flags: `/v(\d+)/i`.
    pub(crate) fn parse(text: &str) -> Result<Self, InputError> {
        let enclosed = text
            .strip_prefix('/')
            .and_then(|rest| rest.rsplit_once('/'));
        match enclosed {
            Some((expression, flags)) if !expression.is_empty() => {
                Self::compile(text, expression, flags)
            }
            _ => Self::compile(text, text, ""),
        }
    }

    /// An expression without flags whose first group matters.
    pub(crate) fn with_group(text: &str) -> Result<Self, InputError> {
        let pattern = Self::compile(text, text, "")?;
        if pattern.groups == 0 {
            let because = format!("the expression `{text}` has no group");
            return Err(InputError::new(
                because,
                "put the part that is the version in parentheses",
            ));
        }
        Ok(pattern)
    }

    fn compile(text: &str, expression: &str, flags: &str) -> Result<Self, InputError> {
        let length = text.chars().count();
        if length > MAX_LENGTH {
            let because = format!("the expression is {length} characters long");
            return Err(InputError::new(
                because,
                format!("keep it within {MAX_LENGTH} characters"),
            ));
        }
        let unknown = flags
            .char_indices()
            .find(|(at, flag)| !"dgimsuv".contains(*flag) || flags[..*at].contains(*flag));
        if let Some((_, flag)) = unknown {
            let because = format!("unknown flag `{flag}` in the expression `{text}`");
            return Err(InputError::new(
                because,
                "write each of the flags `g`, `i`, `m`, `s`, `u` at most once",
            ));
        }
        let has = |flag| flags.contains(flag);
        let wrong = |why: String| {
            InputError::new(
                format!("invalid regular expression `{text}`: {why}"),
                "write it as in JavaScript; a special character needs a `\\` before it",
            )
        };
        if has('u') && has('v') {
            return Err(wrong("the flags `u` and `v` exclude each other".to_owned()));
        }
        let flags = Flags {
            ignore_case: has('i'),
            multiline: has('m'),
            dot_all: has('s'),
            unicode: has('u') || has('v'),
            sets: has('v'),
        };
        let translated = javascript::translate(expression, flags).map_err(wrong)?;
        let engine = Engine::compile(&translated.text).map_err(|error| {
            let because = format!("the regular expression `{text}` cannot be used: {error}");
            InputError::new(because, "make it shorter or use fewer repetitions")
        })?;
        let reach = if has('g') {
            Reach::EveryMatch
        } else {
            Reach::GroupsOfFirst
        };
        Ok(Self {
            text: text.to_owned(),
            engine,
            groups: translated.groups,
            goes_back: translated.goes_back,
            reach,
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text of each group, the whole match first; none without a match.
    pub(crate) fn captures<'v>(&self, value: &'v str) -> Result<Option<Groups<'v>>, InputError> {
        if self.goes_back && value.len() > MAX_TEXT {
            let because = format!(
                "`{}` is matched against {} bytes, and an expression with look-around, back-references, `\\b` or the flag `m` takes {MAX_TEXT}",
                self.text,
                value.len()
            );
            return Err(InputError::new(because, "match a shorter value"));
        }
        let ranges = match self.reach {
            Reach::GroupsOfFirst => self.engine.captures(value, self.groups),
            Reach::EveryMatch => self.every_match(value),
        };
        let ranges = ranges.map_err(|error| self.stopped(value, &error))?;
        let texts = |ranges: Vec<Option<Range<usize>>>| {
            let texts = ranges
                .into_iter()
                .map(|range| range.map(|range| &value[range]));
            texts.collect()
        };
        Ok(ranges.map(texts))
    }

    /// As `String.prototype.match` goes on: after a match of nothing, one character further.
    fn every_match(&self, value: &str) -> fancy_regex::Result<Option<Ranges>> {
        let (mut ranges, mut at) = (Ranges::new(), 0);
        while at <= value.len()
            && let Some(found) = self.engine.find_at(value, at)?
        {
            let after = value[found.end..].chars().next();
            let step = after.map_or(1, char::len_utf8);
            at = found.end + if found.is_empty() { step } else { 0 };
            ranges.push(Some(found));
        }
        Ok((!ranges.is_empty()).then_some(ranges))
    }

    fn stopped(&self, value: &str, error: &Error) -> InputError {
        let why = match error {
            Error::RuntimeError(RuntimeError::BacktrackLimitExceeded) => {
                format!("it takes more than {MAX_BACKTRACKS} backtracking steps")
            }
            other => other.to_string(),
        };
        InputError::new(
            format!("`{}` cannot be matched against `{value}`: {why}", self.text),
            "avoid nested repetitions that match the same text: `a+` instead of `(a+)+`",
        )
    }
}

type Ranges = Vec<Option<Range<usize>>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, value: &str, expected: Option<&[Option<&str>]>) {
        let pattern = Pattern::parse(pattern).unwrap();
        assert_eq!(pattern.captures(value).unwrap().as_deref(), expected);
    }

    #[test]
    fn expressions_are_those_of_javascript() {
        check("v(.*)", "p1-v1.0", Some(&[Some("v1.0"), Some("1.0")]));
        check("/V(\\d+)/i", "v12", Some(&[Some("v12"), Some("12")]));
        check("/\\d/g", "1.2", Some(&[Some("1"), Some("2")]));
        check("(a)|(b)", "b", Some(&[Some("b"), None, Some("b")]));
        check("(?<=v)\\d", "v1", Some(&[Some("1")]));
        check("//", "a//b", Some(&[Some("//")]));
        check("x", "y", None);
    }

    #[test]
    fn syntax_of_other_dialects_is_refused() {
        check("\\d+|\\w+", "٣é", None);
        check("\\s", "\u{feff}", Some(&[Some("\u{feff}")]));
        check("[^]", "\n", Some(&[Some("\n")]));
        check("[]", "a", None);
        check("a\\/b", "a/b", Some(&[Some("a/b")]));
        check("[a-c&&b]", "&", Some(&[Some("&")]));
        check("[[a]", "[", Some(&[Some("[")]));
        check("#.*", "# a", Some(&[Some("# a")]));
        check(
            "\\u0061\\x62\\cA\\0",
            "ab\u{1}\0",
            Some(&[Some("ab\u{1}\0")]),
        );
        check("\\u{2}?", "uu", Some(&[Some("uu")]));
        check("/\\u{1F600}/u", "😀", Some(&[Some("😀")]));
        check("\\ud83d\\ude00", "😀", Some(&[Some("😀")]));
        check("\\Qa\\E\\h", "QaEh", Some(&[Some("QaEh")]));
        check("a{,2}", "a{,2}", Some(&[Some("a{,2}")]));
        check("/K/i", "\u{212a}", None);
        check("/\u{17f}/i", "s", None);
        check("/K/iu", "\u{212a}", Some(&[Some("\u{212a}")]));
        check("/^b$/m", "a\nb\nc", Some(&[Some("b")]));
        check("/a.b/s", "a\nb", Some(&[Some("a\nb")]));
        check("v(?<n>\\d)\\k<n>", "v11", Some(&[Some("v11"), Some("1")]));
        check("/a*/g", "aab", Some(&[Some("aa"), Some(""), Some("")]));
    }

    #[test]
    fn groups_and_repetitions_follow_javascript() {
        check("(a*)?", "b", Some(&[Some(""), None]));
        check("(?:a*|b)*", "ab", Some(&[Some("ab")]));
        check("(?:|a)+c", "ac", Some(&[Some("ac")]));
        check("(a)?b\\1c", "bc", Some(&[Some("bc"), None]));
        check("\\1(a)", "a", Some(&[Some("a"), Some("a")]));
        check("(?=(a))*b", "ab", Some(&[Some("b"), None]));
        check("(?!(a)b)a", "ac", Some(&[Some("a"), None]));
    }

    #[track_caller]
    fn refused(pattern: &str, because: &str) {
        assert_eq!(Pattern::parse(pattern).unwrap_err().because, because);
    }

    #[test]
    fn unsupported_expressions_are_refused_with_the_reason() {
        refused(
            "(?:(a)|b)*",
            "invalid regular expression `(?:(a)|b)*`: a group in an alternative, an optional part or a look-ahead that is repeated, as in `(?:(a)|b)*`, is not supported",
        );
        refused(
            "(?<=(a))b",
            "invalid regular expression `(?<=(a))b`: a capturing group in a look-behind (write `(?:…)`) is not supported",
        );
        refused(
            "/\\p{L}/u",
            "invalid regular expression `/\\p{L}/u`: a Unicode property such as `\\p{L}` is not supported",
        );
        refused(
            "/[[a]--b]/v",
            "invalid regular expression `/[[a]--b]/v`: `[` in a class under the flag `v` is not supported",
        );
        refused(
            "(?i)a",
            "invalid regular expression `(?i)a`: only `?:`, `?=`, `?!`, `?<=`, `?<!` and `?<name>` may follow a `(`",
        );
        refused(
            "a**",
            "invalid regular expression `a**`: `*` has nothing to repeat",
        );
        refused(
            "^*",
            "invalid regular expression `^*`: `*` has nothing to repeat",
        );
        refused("a)", "invalid regular expression `a)`: unmatched `)`");
        refused(
            "[b-a]",
            "invalid regular expression `[b-a]`: the range `b-a` is in the wrong order",
        );
    }

    /// Each takes another engine longer than anybody waits; a time that a test could state says less.
    #[test]
    fn excessive_backtracking_is_stopped() {
        let ends = |pattern: &str, text: &str| {
            Pattern::parse(pattern)
                .unwrap()
                .captures(text)
                .map(|found| found.is_some())
        };
        let text = format!("{}!", "a".repeat(60));
        assert_eq!(ends("((?:a*|b*|c*){25}x)", &text), Ok(false));
        assert_eq!(ends("^(a+)+$", &text), Ok(false));
        assert_eq!(ends("(?:a|aa)+(?=c)", &text), Ok(false));
        for pattern in ["^(a|aa)+\\1$", "^(?:a|aa)+(?<!b)$", "^(?:a|a)+(?!a)\\b$"] {
            let stopped = ends(pattern, &text).map_err(|error| error.because);
            let expected = format!(
                "`{pattern}` cannot be matched against `{text}`: it takes more than {MAX_BACKTRACKS} backtracking steps"
            );
            assert_eq!(stopped, Err(expected));
        }
    }

    #[test]
    fn long_text_is_refused_for_backtracking_expressions() {
        let long = "a".repeat(MAX_TEXT + 1);
        assert!(Pattern::parse("a(?=b)").unwrap().captures(&long).is_err());
        assert_eq!(Pattern::parse("ab").unwrap().captures(&long), Ok(None));
    }

    #[test]
    fn too_large_expression_is_refused() {
        let nested = format!("{}a*{}", "(?:".repeat(100), ")+".repeat(100));
        assert!(Pattern::parse(&nested).is_err());
        assert!(Pattern::parse("(?:(?:a{1000}){1000}){1000}").is_err());
    }

    #[test]
    fn deeply_nested_expression_is_refused() {
        assert!(Pattern::parse(&"a|".repeat(500)).is_ok());
        assert!(Pattern::parse(&"a|".repeat(20_000)).is_err());
    }

    #[test]
    fn only_an_expression_with_a_group_can_name_a_version() {
        assert_eq!(Pattern::with_group("app/(.*)").unwrap().text(), "app/(.*)");
        assert!(Pattern::with_group("app/(?:.*)").is_err());
        assert!(Pattern::with_group("/x/").is_err());
    }
}
