//! Alternatives, groups, repetitions and classes.

use crate::inputs::tags::pattern::javascript::{Piece, Times, Translator, Wrong, unsupported};
use crate::inputs::tags::pattern::set::Set;

/// One item of a class.
pub(crate) enum Item {
    Character(char),
    Set(Set),
}

impl Translator {
    pub(crate) fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    pub(crate) fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    /// Steps over `text`, which is ASCII, if it comes next.
    pub(crate) fn eat(&mut self, text: &str) -> bool {
        let rest = self.text[self.at..].iter().copied();
        let is_next = rest.take(text.len()).eq(text.chars());
        self.at += if is_next { text.len() } else { 0 };
        is_next
    }

    /// Up to a `)` or the end.
    pub(crate) fn alternatives(&mut self) -> Result<Piece, Wrong> {
        let mut all = self.alternative()?;
        while self.eat("|") {
            let next = self.alternative()?;
            all.text = format!("{}|{}", all.text, next.text);
            all.can_be_empty |= next.can_be_empty;
            all.is_assertion &= next.is_assertion;
            all.has_groups |= next.has_groups;
            all.can_skip_a_group = all.has_groups;
        }
        Ok(all)
    }

    fn alternative(&mut self) -> Result<Piece, Wrong> {
        let mut all = Piece::assertion(String::new());
        while !matches!(self.peek(), None | Some('|' | ')')) {
            let next = self.term()?;
            all.text.push_str(&next.text);
            all.can_be_empty &= next.can_be_empty;
            all.is_assertion &= next.is_assertion;
            all.has_groups |= next.has_groups;
            all.can_skip_a_group |= next.can_skip_a_group;
        }
        Ok(all)
    }

    fn term(&mut self) -> Result<Piece, Wrong> {
        let assertion = match self.peek() {
            Some('^') => self.start_of_line(),
            Some('$') => self.end_of_line(),
            Some('\\') => match self.text.get(self.at + 1) {
                Some('b') => self.word_boundary(true),
                Some('B') => self.word_boundary(false),
                _ => return self.repeated_atom(),
            },
            _ => return self.repeated_atom(),
        };
        self.at += if self.peek() == Some('\\') { 2 } else { 1 };
        Ok(assertion)
    }

    fn repeated_atom(&mut self) -> Result<Piece, Wrong> {
        let before = self.opened;
        let (piece, may_be_repeated) = self.atom()?;
        if !may_be_repeated {
            return Ok(piece);
        }
        match self.times()? {
            Some(times) => self.repeat(piece, times, before),
            None => Ok(piece),
        }
    }

    /// Gives also whether it may be repeated.
    fn atom(&mut self) -> Result<(Piece, bool), Wrong> {
        let unicode = self.flags.unicode;
        let start = self.at;
        let piece = match self.next() {
            None => Piece::default(),
            Some('(') => return self.group(),
            Some('.') if self.flags.dot_all => Piece::of(Set::default().negated().show()),
            Some('.') => Piece::of(Set::line_ends().negated().show()),
            Some('[') => self.class()?,
            Some('\\') => self.escape()?,
            Some(mark @ ('*' | '+' | '?')) => return Err(nothing_to_repeat(mark)),
            Some('{') => {
                self.at = start;
                if self.times()?.is_some() {
                    return Err(nothing_to_repeat('{'));
                }
                self.at = start + 1;
                self.character_set('{')
            }
            Some(mark @ ('}' | ']')) if unicode => {
                return Err(format!("a `{mark}` needs a `\\` before it"));
            }
            Some(other) => self.character_set(other),
        };
        Ok((piece, true))
    }

    /// What follows a `(`, and whether it may be repeated.
    fn group(&mut self) -> Result<(Piece, bool), Wrong> {
        if self.eat("?:") {
            let inner = self.closed()?;
            let text = format!("(?:{})", inner.text);
            return Ok((Piece { text, ..inner }, true));
        }
        for (opening, is_negative) in [("?=", false), ("?!", true)] {
            if self.eat(opening) {
                return Ok((self.lookahead(opening, is_negative)?, !self.flags.unicode));
            }
        }
        for opening in ["?<=", "?<!"] {
            if self.eat(opening) {
                return Ok((self.lookbehind(opening)?, false));
            }
        }
        Ok((self.capture()?, true))
    }

    fn lookahead(&mut self, opening: &str, is_negative: bool) -> Result<Piece, Wrong> {
        self.goes_back = true;
        let inner = self.closed()?;
        let has_groups = inner.has_groups && !is_negative;
        Ok(Piece {
            has_groups,
            can_skip_a_group: has_groups,
            ..Piece::assertion(format!("({opening}{})", inner.text))
        })
    }

    fn lookbehind(&mut self, opening: &str) -> Result<Piece, Wrong> {
        self.goes_back = true;
        self.lookbehinds += 1;
        let inner = self.closed()?;
        self.lookbehinds -= 1;
        Ok(Piece::assertion(format!("({opening}{})", inner.text)))
    }

    fn capture(&mut self) -> Result<Piece, Wrong> {
        if self.eat("?<") {
            self.name()?;
        } else if self.peek() == Some('?') {
            return Err(
                "only `?:`, `?=`, `?!`, `?<=`, `?<!` and `?<name>` may follow a `(`".to_owned(),
            );
        }
        if self.lookbehinds > 0 {
            return Err(unsupported(
                "a capturing group in a look-behind (write `(?:…)`)",
            ));
        }
        self.opened += 1;
        let number = self.opened;
        let inner = self.closed()?;
        self.closed.push(number);
        Ok(Piece {
            text: format!("(?<g{number}>{})", inner.text),
            has_groups: true,
            ..inner
        })
    }

    /// The name of a group, up to its `>`.
    fn name(&mut self) -> Result<(), Wrong> {
        let rest = &self.text[self.at..];
        let name: String = rest.iter().take_while(|next| **next != '>').collect();
        let is_part = |next: char| next.is_alphanumeric() || matches!(next, '_' | '$');
        let starts = name.starts_with(|first| is_part(first) && !char::is_numeric(first));
        if !starts || !name.chars().all(is_part) {
            return Err(format!(
                "`{name}` cannot name a group: use letters, digits, `_` and `$`"
            ));
        }
        let same = self.names.iter().flatten();
        if same.filter(|other| **other == name).count() > 1 {
            return Err(unsupported(&format!(
                "a second group with the name `{name}`"
            )));
        }
        self.at += name.chars().count();
        if self.eat(">") {
            return Ok(());
        }
        Err("the name of a group ends with `>`".to_owned())
    }

    /// The content of a group, and its end.
    fn closed(&mut self) -> Result<Piece, Wrong> {
        let inner = self.alternatives()?;
        if self.eat(")") {
            return Ok(inner);
        }
        Err("a `(` is not closed".to_owned())
    }

    /// `*`, `+`, `?` or a number in braces; a brace without one is a character.
    fn times(&mut self) -> Result<Option<Times>, Wrong> {
        let start = self.at;
        let range = match self.next() {
            Some('*') => Some((0, None)),
            Some('+') => Some((1, None)),
            Some('?') => Some((0, Some(1))),
            Some('{') => {
                let counted = self.counted();
                if counted.is_none() && self.flags.unicode {
                    return Err("a `{` needs a `\\` before it, or a number after it".to_owned());
                }
                counted
            }
            _ => None,
        };
        let Some((min, max)) = range else {
            self.at = start;
            return Ok(None);
        };
        if let Some(max) = max
            && max < min
        {
            return Err(format!(
                "`{{{min},{max}}}` has its numbers in the wrong order"
            ));
        }
        let lazy = self.eat("?");
        Ok(Some(Times { min, max, lazy }))
    }

    /// What follows a `{`: `3}`, `3,}` or `3,5}`.
    fn counted(&mut self) -> Option<(u32, Option<u32>)> {
        let min = self.number()?;
        if self.eat("}") {
            return Some((min, Some(min)));
        }
        if !self.eat(",") {
            return None;
        }
        if self.eat("}") {
            return Some((min, None));
        }
        let max = self.number()?;
        self.eat("}").then_some((min, Some(max)))
    }

    /// A number too large to be held is as large as can be.
    pub(crate) fn number(&mut self) -> Option<u32> {
        let mut number: Option<u32> = None;
        while let Some(digit) = self.peek().and_then(|next| next.to_digit(10)) {
            let before = number.unwrap_or(0);
            number = Some(before.saturating_mul(10).saturating_add(digit));
            self.at += 1;
        }
        number
    }

    /// What follows a `[`.
    fn class(&mut self) -> Result<Piece, Wrong> {
        let is_negated = self.eat("^");
        let mut set = Set::default();
        while !self.eat("]") {
            let first = self.item()?;
            let is_range = self.peek() == Some('-') && self.text.get(self.at + 1) != Some(&']');
            if is_range {
                self.at += 1;
                set.join(self.range(first)?);
            } else {
                set.join(first.into_set());
            }
        }
        let set = self.in_its_case(set);
        Ok(Piece::of(
            if is_negated { set.negated() } else { set }.show(),
        ))
    }

    /// From `first` to what comes next; a `-` next to a set such as `\d` is a plain character.
    fn range(&mut self, first: Item) -> Result<Set, Wrong> {
        match (first, self.item()?) {
            (Item::Character(first), Item::Character(last)) if first <= last => {
                Ok(Set::of(&[(first, last)]))
            }
            (Item::Character(first), Item::Character(last)) => {
                Err(format!("the range `{first}-{last}` is in the wrong order"))
            }
            _ if self.flags.unicode => {
                Err("a range of characters cannot begin or end with a set".to_owned())
            }
            (first, last) => {
                let mut set = Set::of(&[('-', '-')]);
                set.join(first.into_set());
                set.join(last.into_set());
                Ok(set)
            }
        }
    }

    fn item(&mut self) -> Result<Item, Wrong> {
        let is_double = self.peek() == self.text.get(self.at + 1).copied();
        let is_syntax = |mark: char| {
            "()[]{}/-|".contains(mark) || is_double && "&!#$%*+,.:;<=>?@^`~".contains(mark)
        };
        match self.next() {
            None => Err("a `[` is not closed".to_owned()),
            Some('\\') => self.class_escape(),
            Some(mark) if self.flags.sets && is_syntax(mark) => Err(unsupported(&format!(
                "`{mark}` in a class under the flag `v`"
            ))),
            Some(other) => Ok(Item::Character(other)),
        }
    }
}

impl Item {
    fn into_set(self) -> Set {
        match self {
            Self::Character(character) => Set::of(&[(character, character)]),
            Self::Set(set) => set,
        }
    }
}

fn nothing_to_repeat(mark: char) -> Wrong {
    format!("`{mark}` has nothing to repeat")
}
