//! An expression of ECMAScript, rewritten for the engine
//! (<https://tc39.es/ecma262/#sec-regexp-regular-expression-objects>).
//!
//! Every group becomes a named one, `g1`, `g2` and so on; sets of characters are written out; what the
//! engine would match differently is rewritten or refused.

mod escape;
mod syntax;

use crate::inputs::tags::pattern::set::Set;

/// Why an expression is invalid, as the end of a sentence.
pub(crate) type Wrong = String;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) ignore_case: bool,
    pub(crate) multiline: bool,
    pub(crate) dot_all: bool,
    pub(crate) unicode: bool,
    /// The flag `v`: the notation of sets is not the old one.
    pub(crate) sets: bool,
}

/// The expression in the language of the engine.
#[derive(Debug)]
pub(crate) struct Translated {
    pub(crate) text: String,
    pub(crate) groups: usize,
    /// Whether matching it may go back, so that it needs a limit.
    pub(crate) goes_back: bool,
}

/// Bytes of an expression that is rewritten.
const MAX_EXPRESSION: usize = 64 << 10;

pub(crate) fn translate(expression: &str, flags: Flags) -> Result<Translated, Wrong> {
    let text: Vec<char> = expression.chars().collect();
    let mut translator = Translator {
        names: group_names(&text),
        text,
        at: 0,
        flags,
        opened: 0,
        closed: Vec::new(),
        guards: 0,
        lookbehinds: 0,
        goes_back: false,
    };
    let piece = translator.alternatives()?;
    if translator.at < translator.text.len() {
        return Err("unmatched `)`".to_owned());
    }
    Ok(Translated {
        text: piece.text,
        groups: translator.names.len(),
        goes_back: translator.goes_back,
    })
}

struct Translator {
    text: Vec<char>,
    at: usize,
    flags: Flags,
    /// Of every group of the expression, in the order in which they open.
    names: Vec<Option<String>>,
    opened: usize,
    closed: Vec<usize>,
    guards: usize,
    lookbehinds: usize,
    goes_back: bool,
}

/// A part of the expression, rewritten.
#[derive(Debug, Default)]
struct Piece {
    text: String,
    /// Whether it can match nothing at all.
    can_be_empty: bool,
    /// Whether it can match nothing else.
    is_assertion: bool,
    has_groups: bool,
    /// Whether it can match although one of its groups does not. The engine does not catch a group of a
    /// look-ahead anew, so that one counts too.
    can_skip_a_group: bool,
}

impl Piece {
    fn of(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }

    /// An assertion, which consumes no text.
    fn assertion(text: String) -> Self {
        Self {
            can_be_empty: true,
            is_assertion: true,
            ..Self::of(text)
        }
    }
}

/// How often a piece is repeated.
#[derive(Clone, Copy)]
struct Times {
    min: u32,
    max: Option<u32>,
    lazy: bool,
}

impl Times {
    fn show(self) -> String {
        let Self { min, max, lazy } = self;
        let max = max.map(|max| max.to_string()).unwrap_or_default();
        format!("{{{min},{max}}}{}", if lazy { "?" } else { "" })
    }
}

impl Translator {
    /// ECMAScript ends a repetition at a round that matches nothing, and forgets at each round what the
    /// groups in it matched; the engine does neither. `before` groups opened before the piece.
    fn repeat(&mut self, piece: Piece, times: Times, before: usize) -> Result<Piece, Wrong> {
        let Times { min, max, .. } = times;
        if piece.is_assertion {
            return Ok(self.repeat_assertion(piece, min, before));
        }
        if piece.can_skip_a_group && max.is_none_or(|max| max > 1) {
            return Err(unsupported(
                "a group in an alternative, an optional part or a look-ahead that is repeated, as in `(?:(a)|b)*`,",
            ));
        }
        let Piece { text, .. } = &piece;
        let is_guarded = piece.can_be_empty && max != Some(min) && self.lookbehinds == 0;
        let text = if !is_guarded {
            format!("(?:{text}){}", times.show())
        } else if min == 0 {
            self.guarded(text, times)
        } else if piece.has_groups {
            return Err(unsupported(
                "a repeated part that has a group and can match nothing, such as `(a*)+`",
            ));
        } else {
            let max = max.map(|max| max.saturating_sub(min));
            let more = self.guarded(
                text,
                Times {
                    min: 0,
                    max,
                    ..times
                },
            );
            // No name is given twice.
            let first = text.replace("<e", &format!("<e{}_e", self.guards));
            format!("(?:{first}){{{min}}}{more}")
        };
        if text.len() > MAX_EXPRESSION {
            return Err(unsupported("so many repetitions inside each other"));
        }
        Ok(Piece {
            text,
            can_be_empty: piece.can_be_empty || min == 0,
            has_groups: piece.has_groups,
            is_assertion: false,
            can_skip_a_group: piece.can_skip_a_group || piece.has_groups && min == 0,
        })
    }

    /// It holds once as well as many times, and a round that need not be is none.
    fn repeat_assertion(&mut self, piece: Piece, min: u32, before: usize) -> Piece {
        if min > 0 {
            return piece;
        }
        self.closed.retain(|group| *group <= before);
        Piece {
            text: String::new(),
            can_skip_a_group: piece.has_groups,
            ..piece
        }
    }

    /// Rounds that each match something: after one, the rest of the text is shorter than before.
    fn guarded(&mut self, text: &str, times: Times) -> String {
        self.goes_back = true;
        self.guards += 1;
        let (guard, any, times) = (self.guards, Set::default().negated().show(), times.show());
        // A group that names itself is caught anew in each round: the engine keeps the start of another one.
        let rest = format!(r"(?=(?<e{guard}>{any}*|\k<e{guard}>))");
        format!(r"(?:{rest}{text}(?!\k<e{guard}>\z)){times}")
    }

    fn in_its_case(&self, set: Set) -> Set {
        if self.flags.ignore_case {
            set.in_any_case(self.flags.unicode)
        } else {
            set
        }
    }

    fn character_set(&self, character: char) -> Piece {
        let set = Set::of(&[(character, character)]);
        Piece::of(self.in_its_case(set).show())
    }

    fn start_of_line(&mut self) -> Piece {
        Piece::assertion(if self.flags.multiline {
            self.goes_back = true;
            format!(r"(?:\A|(?<={}))", Set::line_ends().show())
        } else {
            r"\A".to_owned()
        })
    }

    fn end_of_line(&mut self) -> Piece {
        Piece::assertion(if self.flags.multiline {
            self.goes_back = true;
            format!(r"(?:\z|(?={}))", Set::line_ends().show())
        } else {
            r"\z".to_owned()
        })
    }

    fn word_boundary(&mut self, is_one: bool) -> Piece {
        self.goes_back = true;
        let word = self.in_its_case(Set::word()).show();
        Piece::assertion(if is_one {
            format!("(?:(?<={word})(?!{word})|(?<!{word})(?={word}))")
        } else {
            format!("(?:(?<={word})(?={word})|(?<!{word})(?!{word}))")
        })
    }

    /// A group that has not matched yet matches nothing, in every place.
    fn back_reference(&mut self, group: usize) -> Result<Piece, Wrong> {
        if self.lookbehinds > 0 {
            return Err(unsupported("a back-reference in a look-behind"));
        }
        if !self.closed.contains(&group) {
            return Ok(Piece::assertion(String::new()));
        }
        self.goes_back = true;
        let case = if self.flags.ignore_case {
            "(?i:"
        } else {
            "(?:"
        };
        let text = format!(r"(?(<g{group}>){case}\k<g{group}>)|)");
        Ok(Piece {
            can_be_empty: true,
            ..Piece::of(text)
        })
    }
}

fn unsupported(what: &str) -> Wrong {
    format!("{what} is not supported")
}

/// The names of all groups, found before anything refers to them.
fn group_names(text: &[char]) -> Vec<Option<String>> {
    let (mut names, mut in_class, mut at) = (Vec::new(), false, 0);
    while let Some(character) = text.get(at) {
        match character {
            '\\' => at += 1,
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => match text.get(at + 1..).unwrap_or_default() {
                ['?', '<', after, ..] if !matches!(after, '=' | '!') => {
                    let name = text[at + 3..].iter().take_while(|other| **other != '>');
                    names.push(Some(name.collect()));
                }
                ['?', ..] => {}
                _ => names.push(None),
            },
            _ => {}
        }
        at += 1;
    }
    names
}
