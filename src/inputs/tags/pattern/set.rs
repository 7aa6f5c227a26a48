//! `Set`: the characters that one place of an expression matches.

use std::fmt::Write as _;

/// Ranges of code points, sorted and apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Set(Vec<(u32, u32)>);

/// `\s`: white space and line ends, as ECMAScript has them.
const SPACE: &[(char, char)] = &[
    ('\t', '\r'),
    (' ', ' '),
    ('\u{a0}', '\u{a0}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{2000}', '\u{200a}'),
    ('\u{2028}', '\u{2029}'),
    ('\u{202f}', '\u{202f}'),
    ('\u{205f}', '\u{205f}'),
    ('\u{3000}', '\u{3000}'),
    ('\u{feff}', '\u{feff}'),
];
const LINE_ENDS: &[(char, char)] = &[('\n', '\n'), ('\r', '\r'), ('\u{2028}', '\u{2029}')];
const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
/// No character above it has an upper and a lower case.
const LAST_CASED: u32 = 0x1_e943;

impl Set {
    pub(crate) fn of(ranges: &[(char, char)]) -> Self {
        let mut set = Self::default();
        for (first, last) in ranges {
            set.add(*first, *last);
        }
        set
    }

    pub(crate) fn digits() -> Self {
        Self::of(&[('0', '9')])
    }

    pub(crate) fn word() -> Self {
        Self::of(WORD)
    }

    pub(crate) fn space() -> Self {
        Self::of(SPACE)
    }

    pub(crate) fn line_ends() -> Self {
        Self::of(LINE_ENDS)
    }

    pub(crate) fn add(&mut self, first: char, last: char) {
        self.0.push((first.into(), last.into()));
        self.tidy();
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
        self.tidy();
    }

    fn tidy(&mut self) {
        self.0.sort_unstable();
        self.0.dedup_by(|next, kept| {
            let touches = next.0 <= kept.1.saturating_add(1);
            if touches {
                kept.1 = kept.1.max(next.1);
            }
            touches
        });
    }

    pub(crate) fn negated(&self) -> Self {
        let mut negated = Vec::new();
        let mut next = 0;
        for (first, last) in &self.0 {
            if *first > next {
                negated.push((next, first - 1));
            }
            next = last + 1;
        }
        if next <= char::MAX.into() {
            negated.push((next, char::MAX.into()));
        }
        Self(negated)
    }

    /// The set with both cases of each letter. Without `unicode`, no letter beyond ASCII equals one of ASCII.
    pub(crate) fn in_any_case(&self, unicode: bool) -> Self {
        let mut folded = self.clone();
        let ranges = self.0.iter();
        let codes = ranges.flat_map(|(first, last)| *first..=(*last).min(LAST_CASED));
        for letter in codes.filter_map(char::from_u32) {
            let upper = single(letter.to_uppercase()).unwrap_or(letter);
            let cases = [
                Some(upper),
                single(upper.to_lowercase()),
                single(letter.to_lowercase()),
            ];
            let cases = cases.into_iter().flatten();
            let cases = cases.filter(|case| unicode || case.is_ascii() == letter.is_ascii());
            folded
                .0
                .extend(cases.map(|case| (case.into(), case.into())));
        }
        if unicode {
            for (ascii, other) in [('k', '\u{212a}'), ('s', '\u{17f}')] {
                if self.holds(ascii) || self.holds(ascii.to_ascii_uppercase()) {
                    folded.0.push((other.into(), other.into()));
                }
            }
        }
        folded.tidy();
        folded
    }

    fn holds(&self, character: char) -> bool {
        let code = character.into();
        self.0
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&code))
    }

    /// In the syntax of the regex engine.
    pub(crate) fn show(&self) -> String {
        if let [(first, last)] = self.0[..]
            && first == last
        {
            return shown(first);
        }
        if self.0.is_empty() {
            return r"[^\x{0}-\x{10FFFF}]".to_owned();
        }
        let mut text = "[".to_owned();
        for (first, last) in &self.0 {
            // A class may span the surrogates, but no end may be one.
            let first = if (0xd800..0xe000).contains(first) {
                0xe000
            } else {
                *first
            };
            let last = if (0xd800..0xe000).contains(last) {
                0xd7ff
            } else {
                *last
            };
            if first <= last {
                let _infallible = write!(text, "{}-{}", shown(first), shown(last));
            }
        }
        text + "]"
    }
}

fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    letters.next().filter(|_| letters.next().is_none())
}

/// Letters and digits as they are; nothing else can be mistaken for syntax when it is a number.
fn shown(code: u32) -> String {
    match char::from_u32(code) {
        Some(character) if character.is_ascii_alphanumeric() => character.to_string(),
        _ => format!("\\x{{{code:X}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_shown_in_order_and_without_syntax() {
        assert_eq!(Set::of(&[('c', 'd'), ('a', 'b')]).show(), "[a-d]");
        assert_eq!(Set::of(&[('-', '-')]).show(), r"\x{2D}");
        assert_eq!(Set::default().negated().show(), r"[\x{0}-\x{10FFFF}]");
        assert_eq!(Set::default().negated().negated(), Set::default());
    }

    #[test]
    fn letters_beyond_ascii_equal_those_of_ascii_only_in_unicode_mode() {
        let k = Set::of(&[('k', 'k')]);
        assert_eq!(k.in_any_case(false).show(), "[K-Kk-k]");
        assert_eq!(k.in_any_case(true).show(), r"[K-Kk-k\x{212A}-\x{212A}]");
        let e = Set::of(&[('é', 'é')]);
        assert_eq!(e.in_any_case(false), Set::of(&[('É', 'É'), ('é', 'é')]));
    }
}
