//! Text from outside -> text in which the runner finds no command and a terminal no order.
//!
//! `::stop-commands::` would be a second fence around the engine's output, but `::group::` is a command
//! too: it would disable groups.

use std::borrow::Cow;

const ESCAPE: char = '\u{1b}';

/// `line` as text in which the runner finds no command.
///
/// Control characters, among them those that some readers take for a line break, become visible; so does
/// what reverses the direction of writing. Of the escape sequences colours stay, and end with the line;
/// the others go. A zero-width space breaks `##[`, and a leading `::`.
pub(crate) fn harmless(line: &str) -> Cow<'_, str> {
    shown_with(line, Colours::Kept)
}

/// As [`harmless`], without colours.
pub(crate) fn colourless(line: &str) -> Cow<'_, str> {
    shown_with(line, Colours::Dropped)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Colours {
    Kept,
    Dropped,
}

fn shown_with(line: &str, colours: Colours) -> Cow<'_, str> {
    if is_plain(line) && !has_command(line) {
        return Cow::Borrowed(line);
    }
    let mut text = printable(line, colours).replace("##[", "##\u{200b}[");
    if text.trim_start().starts_with("::") {
        let indent = text.len() - text.trim_start().len();
        text.insert(indent, '\u{200b}');
    }
    if leaves_a_colour_on(&text) {
        text.push_str("\u{1b}[0m");
    }
    Cow::Owned(text)
}

/// Looks for a single byte first: most of a log has neither mark.
fn has_command(line: &str) -> bool {
    let has_hash = memchr::memchr(b'#', line.as_bytes()).is_some();
    (has_hash && line.contains("##[")) || line.trim_start().starts_with("::")
}

fn is_plain(line: &str) -> bool {
    if !line.is_ascii() {
        return !line.contains(is_unprintable);
    }
    for byte in line.as_bytes() {
        if *byte < b' ' && *byte != b'\t' || *byte == 0x7f {
            return false;
        }
    }
    true
}

fn is_unprintable(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn printable(line: &str, colours: Colours) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let length = if c == ESCAPE { sequence(rest) } else { None };
        let (taken, after) = rest.split_at(length.unwrap_or(c.len_utf8()));
        match length {
            Some(_) if colours == Colours::Kept && is_colour(taken) => text.push_str(taken),
            Some(_) => {}
            None => text.push(shown(c)),
        }
        rest = after;
    }
    text
}

fn shown(c: char) -> char {
    match c {
        '\0'..='\u{1f}' if c != '\t' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        _ if is_unprintable(c) => '\u{fffd}',
        _ => c,
    }
}

/// Length of the escape sequence `text` begins with: `ESC [ .. letter`, or `ESC ] .. BEL`, a title or link
/// (<https://ecma-international.org/publications-and-standards/standards/ecma-48/>).
fn sequence(text: &str) -> Option<usize> {
    let body = &text[ESCAPE.len_utf8()..];
    if let Some(parameters) = body.strip_prefix('[') {
        let end = parameters.find(|c: char| !matches!(c, ' '..='?'))?;
        let is_ended = matches!(parameters[end..].chars().next()?, '@'..='~');
        return is_ended.then_some(2 + end + 1);
    }
    let command = body.strip_prefix(']')?;
    let end = command.find(|c: char| c.is_control())?;
    match &command[end..] {
        after if after.starts_with('\u{7}') => Some(2 + end + 1),
        after if after.starts_with("\u{1b}\\") => Some(2 + end + 2),
        _ => None,
    }
}

/// Whether a sequence is `ESC [ digits and semicolons m`.
fn is_colour(sequence: &str) -> bool {
    let parameters = sequence.strip_prefix("\u{1b}[");
    let parameters = parameters.and_then(|rest| rest.strip_suffix('m'));
    parameters.is_some_and(|text| text.chars().all(|c| c.is_ascii_digit() || c == ';'))
}

fn leaves_a_colour_on(text: &str) -> bool {
    let last = text.rsplit_once(ESCAPE).map(|(_, last)| last);
    last.is_some_and(|last| !last.starts_with("[0m") && !last.starts_with("[m"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use testkit::runner::commands::commands;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        assert_eq!(harmless(line), expected);
    }

    #[test]
    fn plain_text_and_colours_stay() {
        check("hello\tworld é 日本", "hello\tworld é 日本");
        check("\u{1b}[1;31mred\u{1b}[0m", "\u{1b}[1;31mred\u{1b}[0m");
    }

    #[test]
    fn a_colour_ends_with_its_line() {
        check("\u{1b}[31mred", "\u{1b}[31mred\u{1b}[0m");
        assert_eq!(colourless("a \u{1b}[31mred\u{1b}[0m b"), "a red b");
        assert_eq!(colourless("##\u{1b}[31m[error]x"), "##\u{200b}[error]x");
    }

    #[test]
    fn commands_are_broken_wherever_the_runner_looks_for_them() {
        check("::error::x", "\u{200b}::error::x");
        check("  ::error::x", "  \u{200b}::error::x");
        check(
            "a ##[set-output name=digest]x",
            "a ##\u{200b}[set-output name=digest]x",
        );
        check("a::b", "a::b");
        check("x\r::error::y", "x␍::error::y");
        check("\u{2028}::error::y", "\u{fffd}::error::y");
        check("#\u{0}#[x", "#␀#[x");
    }

    #[test]
    fn cursor_sequences_are_removed() {
        check("\u{1b}[2K::notice::", "\u{200b}::notice::");
        check("##\u{1b}[K[error]x", "##\u{200b}[error]x");
        check("##\u{1b}]0;title\u{7}[error]x", "##\u{200b}[error]x");
        check("\u{1b}]8;;http://a\u{1b}\\b", "b");
        check("\u{1b}[31", "␛[31");
        check("\u{1b}[?25lx\u{1b}c", "x␛c");
    }

    /// Text made of what the runner looks for, and of what could hide it.
    fn hostile() -> impl Strategy<Value = String> {
        const PIECES: &[&str] = &[
            ":",
            "::",
            "#",
            "##",
            "[",
            "]",
            "##[",
            "error",
            "set-output name=a",
            "stop-commands",
            "::error::x",
            "##[group]x",
            " ",
            "\t",
            "\r",
            "\n",
            "\0",
            "\u{85}",
            "\u{2028}",
            "\u{2029}",
            "\u{feff}",
            "\u{200b}",
            "\u{ad}",
            "\u{1b}",
            "\u{1b}[",
            "m",
            "\u{1b}[K",
            "\u{1b}[31m",
            "\u{1b}]0;",
            "\u{7}",
            "%0A",
            "%0D::",
            "é",
        ];
        let piece = prop_oneof![
            4 => proptest::sample::select(PIECES).prop_map(str::to_owned),
            1 => any::<char>().prop_map(String::from),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    mod properties {
        use super::*;
        use testkit::corpus;
        use testkit::{proof, proof::Proof};

        #[test]
        fn the_runner_finds_no_command_in_harmless_text() {
            let mut proof = Proof::of("log: no command in any line, with colours or without");
            proof.property(2 * proof::cases(), &hostile(), |line| {
                let text = harmless(&line);
                prop_assert!(!text.contains(['\r', '\n']), "{text:?}");
                prop_assert_eq!(commands(text.as_bytes()), [], "{:?}", text);
                prop_assert_eq!(commands(colourless(&text).as_bytes()), [], "{:?}", text);
                Ok(())
            });
            let bytes = proptest::collection::vec(any::<u8>(), 0..64);
            proof.property(2 * proof::cases(), &bytes, |bytes| {
                prop_assert_eq!(commands(log(&bytes).as_bytes()), []);
                Ok(())
            });
            for bytes in corpus::bytes() {
                let found = commands(log(&bytes).as_bytes());
                proof.case(if found.is_empty() {
                    Ok(())
                } else {
                    Err(format!("{found:?}"))
                });
            }
            proof.end();
        }

        fn log(bytes: &[u8]) -> String {
            let text = String::from_utf8_lossy(bytes);
            text.lines()
                .map(|line| format!("{}\n", harmless(line)))
                .collect()
        }
    }
}
