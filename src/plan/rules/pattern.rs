//! `Pattern`: a regular expression of ECMAScript, as `type=match` and `match=` take it.

use std::ops::Range;
use std::sync::mpsc;
use std::time::Duration;

use regress::Regex;

use crate::plan::flaw::Flaw;

/// A compiled expression; with the flag `g` it finds every match instead of groups.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: String,
    regex: Regex,
    reach: Reach,
}

/// What is numbered by `group`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    GroupsOfFirst,
    /// The flag `g`: `String.prototype.match` then returns the matches themselves.
    EveryMatch,
}

/// In characters. Deeply nested or long alternatives would exhaust the stack of the regex engine.
const MAX_LENGTH: usize = 1000;
/// Ten thousand times what an expression takes that anybody means to write.
const MATCH_WITHIN: Duration = Duration::from_secs(2);

/// The texts of the groups, the whole match first.
pub(crate) type Groups<'v> = Vec<Option<&'v str>>;

impl Pattern {
    /// An expression, or an expression with flags: `/v(\d+)/i`.
    pub(crate) fn parse(text: &str) -> Result<Self, Flaw> {
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
    pub(crate) fn with_group(text: &str) -> Result<Self, Flaw> {
        let pattern = Self::compile(text, text, "")?;
        if pattern.count_groups() == 0 {
            let because = format!("the expression `{text}` has no group");
            return Err(Flaw::new(
                because,
                "put the part that is the version in parentheses",
            ));
        }
        Ok(pattern)
    }

    fn compile(text: &str, expression: &str, flags: &str) -> Result<Self, Flaw> {
        let length = text.chars().count();
        if length > MAX_LENGTH {
            let because = format!("the expression is {length} characters long");
            return Err(Flaw::new(
                because,
                format!("keep it within {MAX_LENGTH} characters"),
            ));
        }
        let unknown = flags
            .char_indices()
            .find(|(at, flag)| !"dgimsuv".contains(*flag) || flags[..*at].contains(*flag));
        if let Some((_, flag)) = unknown {
            let because = format!("the expression `{text}` has no flag `{flag}` to take");
            return Err(Flaw::new(
                because,
                "write each of the flags `g`, `i`, `m`, `s`, `u` at most once",
            ));
        }
        let regex = Regex::with_flags(expression, flags).map_err(|error| {
            let because = format!("`{text}` is no regular expression: {error}");
            Flaw::new(
                because,
                "write it as in JavaScript; a special character needs a `\\` before it",
            )
        })?;
        let reach = if flags.contains('g') {
            Reach::EveryMatch
        } else {
            Reach::GroupsOfFirst
        };
        Ok(Self {
            text: text.to_owned(),
            regex,
            reach,
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What the groups caught, the whole match first; nothing when there is no match.
    ///
    /// An expression such as `^(a+)+$` tries more ways than there is time for, and the engine cannot be
    /// stopped: its thread is left behind, and ends with the program.
    pub(crate) fn captures<'v>(&self, value: &'v str) -> Result<Option<Groups<'v>>, Flaw> {
        let (sender, receiver) = mpsc::channel();
        let (regex, reach, text) = (self.regex.clone(), self.reach, value.to_owned());
        std::thread::spawn(move || sender.send(ranges(&regex, reach, &text)));
        let Ok(ranges) = receiver.recv_timeout(MATCH_WITHIN) else {
            let because = format!("`{}` takes too long on `{value}`", self.text);
            return Err(Flaw::new(
                because,
                "let no repeated part hold another that can match the same text: `a+` instead of `(a+)+`",
            ));
        };
        let texts = |ranges: Vec<Option<Range<usize>>>| {
            let texts = ranges
                .into_iter()
                .map(|range| range.map(|range| &value[range]));
            texts.collect()
        };
        Ok(ranges.map(texts))
    }

    /// An alternative that is empty always matches, and a match knows every group.
    fn count_groups(&self) -> usize {
        let always = Regex::new(&format!("(?:{})|", self.text)).ok();
        let found = always.and_then(|regex| regex.find(""));
        found.map_or(0, |found| found.captures.len())
    }
}

fn ranges(regex: &Regex, reach: Reach, value: &str) -> Option<Vec<Option<Range<usize>>>> {
    match reach {
        Reach::GroupsOfFirst => Some(regex.find(value)?.groups().collect()),
        Reach::EveryMatch => {
            let matches: Vec<_> = regex
                .find_iter(value)
                .map(|found| Some(found.range()))
                .collect();
            (!matches.is_empty()).then_some(matches)
        }
    }
}

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
    fn an_expression_that_would_exhaust_the_stack_is_refused() {
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
