//! What follows a `\`.

use crate::inputs::tags::pattern::javascript::syntax::Item;
use crate::inputs::tags::pattern::javascript::{Piece, Translator, Wrong, unsupported};
use crate::inputs::tags::pattern::set::Set;

impl Translator {
    /// A reference to a group, a set, or a character.
    pub(crate) fn escape(&mut self) -> Result<Piece, Wrong> {
        let start = self.at;
        match self.peek() {
            Some('1'..='9') => {
                let number = self.number().unwrap_or_default();
                let group = usize::try_from(number).unwrap_or(usize::MAX);
                if group <= self.names.len() {
                    return self.back_reference(group);
                }
                if self.flags.unicode {
                    return Err(format!(
                        "`\\{number}` refers to a group that does not exist"
                    ));
                }
                self.at = start;
            }
            Some('k') if self.flags.unicode || self.names.iter().any(Option::is_some) => {
                self.at += 1;
                return self.named_reference();
            }
            _ => {}
        }
        Ok(match self.set_or_character(false)? {
            Item::Character(character) => self.character_set(character),
            Item::Set(set) => Piece::of(set.show()),
        })
    }

    fn named_reference(&mut self) -> Result<Piece, Wrong> {
        let rest: String = self.text[self.at..].iter().collect();
        let name = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
        let (name, _) = name.ok_or("`\\k` needs the name of a group: `\\k<name>`")?;
        let mut names = self.names.iter();
        let found = names.position(|other| other.as_deref() == Some(name));
        let group = found.ok_or_else(|| format!("no group has the name `{name}`"))?;
        self.at += name.chars().count() + 2;
        self.back_reference(group + 1)
    }

    pub(crate) fn class_escape(&mut self) -> Result<Item, Wrong> {
        self.set_or_character(true)
    }

    fn set_or_character(&mut self, in_class: bool) -> Result<Item, Wrong> {
        let Some(letter) = self.next() else {
            return Err("it ends with a `\\`".to_owned());
        };
        let set = match letter {
            'd' => Set::digits(),
            'D' => Set::digits().negated(),
            's' => Set::space(),
            'S' => Set::space().negated(),
            'w' => self.in_its_case(Set::word()),
            'W' => self.in_its_case(Set::word()).negated(),
            'p' | 'P' if self.flags.unicode => {
                return Err(unsupported("a Unicode property such as `\\p{L}`"));
            }
            'q' if self.flags.sets => return Err(unsupported("`\\q`")),
            _ => return Ok(Item::Character(self.escaped(letter, in_class)?)),
        };
        Ok(Item::Set(set))
    }

    fn escaped(&mut self, letter: char, in_class: bool) -> Result<char, Wrong> {
        let unicode = self.flags.unicode;
        Ok(match letter {
            't' => '\t',
            'n' => '\n',
            'v' => '\u{b}',
            'f' => '\u{c}',
            'r' => '\r',
            'b' if in_class => '\u{8}',
            '-' if in_class => '-',
            'c' => self.control(in_class)?,
            'x' => match self.hexadecimal(2) {
                Some(code) => of_code(code)?,
                None => lenient('x', unicode)?,
            },
            'u' => self.unicode_escape()?,
            '0'..='7' if !unicode => self.octal(letter),
            '0' if !matches!(self.peek(), Some('0'..='9')) => '\0',
            _ if "^$\\.*+?()[]{}|/".contains(letter) => letter,
            _ if self.flags.sets && in_class && "&!#%,:;<=>@`~".contains(letter) => letter,
            _ => lenient(letter, unicode)?,
        })
    }

    fn control(&mut self, in_class: bool) -> Result<char, Wrong> {
        let unicode = self.flags.unicode;
        let more = |next: char| in_class && !unicode && (next.is_ascii_digit() || next == '_');
        match self.peek() {
            Some(next) if next.is_ascii_alphabetic() || more(next) => {
                self.at += 1;
                of_code(u32::from(next) % 32)
            }
            _ if unicode => lenient('c', true),
            // The `\` is a plain character, and the `c` follows.
            _ => {
                self.at -= 1;
                Ok('\\')
            }
        }
    }

    /// Up to three digits, as far as they fit into a byte.
    fn octal(&mut self, first: char) -> char {
        let mut code = first.to_digit(8).unwrap_or_default();
        for _more in 0..2 {
            let digit = self.peek().and_then(|next| next.to_digit(8));
            match digit.map(|digit| code * 8 + digit) {
                Some(longer) if longer <= 0o377 => {
                    code = longer;
                    self.at += 1;
                }
                _ => break,
            }
        }
        char::from_u32(code).unwrap_or_default()
    }

    /// What follows `\u`.
    fn unicode_escape(&mut self) -> Result<char, Wrong> {
        if self.flags.unicode && self.eat("{") {
            let rest: String = self.text[self.at..].iter().collect();
            let digits = rest.split_once('}').map_or("", |(digits, _)| digits);
            self.at += digits.chars().count() + 1;
            let code = u32::from_str_radix(digits, 16);
            return code.map_or_else(|_no_number| lenient('u', true), of_code);
        }
        let Some(code) = self.hexadecimal(4) else {
            return lenient('u', self.flags.unicode);
        };
        if (0xd800..0xdc00).contains(&code) && self.eat("\\u") {
            let low = self.hexadecimal(4).unwrap_or_default();
            if !(0xdc00..0xe000).contains(&low) {
                return Err(half_a_character());
            }
            return of_code(0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00));
        }
        of_code(code)
    }

    /// Exactly so many digits, or nothing.
    fn hexadecimal(&mut self, digits: usize) -> Option<u32> {
        let text = self.text.get(self.at..self.at + digits)?;
        let digits_of = |code, next: &char| Some(code * 16 + next.to_digit(16)?);
        let code = text.iter().try_fold(0, digits_of)?;
        self.at += digits;
        Some(code)
    }
}

/// Without the flag `u`, a letter without a meaning after a `\` is a plain character.
fn lenient(letter: char, unicode: bool) -> Result<char, Wrong> {
    if unicode {
        return Err(format!(
            "`\\{letter}` has no meaning under the flag `u` or `v`"
        ));
    }
    Ok(letter)
}

fn of_code(code: u32) -> Result<char, Wrong> {
    char::from_u32(code).ok_or_else(half_a_character)
}

fn half_a_character() -> Wrong {
    "a `\\u` is half of a character, which is not valid text".to_owned()
}
