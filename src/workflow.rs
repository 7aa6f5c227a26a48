//! What is printed: log lines, `::group::`, `::error::`, `::add-mask::`, and their escaping.
//!
//! Commands: <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.
//! The runner looks for `::name::` at the start of a line and for `##[name]` anywhere in it, on both
//! streams, so every text that is not ours is made harmless here.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use crate::problem::{Explanation, Place};
use crate::secret::Secret;

/// Where the log goes and who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Console {
    pub(crate) reader: Reader,
    pub(crate) stream: Stream,
}

/// Who reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A runner of GitHub Actions, which understands workflow commands.
    Runner,
    /// A person at a terminal.
    Person,
}

/// Where the log goes; the other stream may carry a machine-readable result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
    /// Nobody reads the log of a simulation.
    #[cfg(test)]
    Nowhere,
}

const TITLE: &str = "ghcr-publish";

impl Console {
    /// One line of log, or several.
    pub(crate) fn say(self, text: &str) {
        self.emit(
            &text
                .lines()
                .map(|line| format!("{}\n", harmless(line)))
                .collect::<String>(),
        );
    }

    pub(crate) fn open_group(self, title: &str) {
        match self.reader {
            Reader::Runner => self.emit(&format!("::group::{}\n", escape_data(&harmless(title)))),
            Reader::Person => self.say(title),
        }
    }

    pub(crate) fn close_group(self) {
        if self.reader == Reader::Runner {
            self.emit("::endgroup::\n");
        }
    }

    /// Asks the runner to hide a secret; says nothing to a person, whose log it would enter.
    pub(crate) fn mask(self, secret: &Secret) {
        if self.reader == Reader::Runner {
            self.emit(&format!("::add-mask::{}\n", escape_data(secret.expose())));
        }
    }

    pub(crate) fn notice(self, text: &str) {
        self.annotate("notice", None, text);
    }

    pub(crate) fn warning(self, place: Option<&Place>, text: &str) {
        self.annotate("warning", place, text);
    }

    fn annotate(self, kind: &str, place: Option<&Place>, text: &str) {
        match self.reader {
            Reader::Runner => self.emit(&command(kind, place, text)),
            Reader::Person => self.say(&format!("{kind}: {text}")),
        }
    }

    /// The failure of the run, always on stderr.
    pub(crate) fn failure(self, explanation: &Explanation) {
        let console = Self {
            stream: Stream::Stderr,
            ..self
        };
        match self.reader {
            Reader::Runner => console.emit(&command(
                "error",
                explanation.place.as_ref(),
                &explanation.to_string(),
            )),
            Reader::Person => console.say(&format!("error: {explanation}")),
        }
    }

    /// The result a program asked for, on stdout whatever the log does.
    pub(crate) fn result(self, text: &str) {
        write(Stream::Stdout, text);
    }

    fn emit(self, text: &str) {
        write(self.stream, text);
    }
}

/// A log whose reader has gone is no reason to stop a publication half-way.
fn write(stream: Stream, text: &str) {
    let written = match stream {
        Stream::Stdout => io::stdout()
            .lock()
            .write_all(text.as_bytes())
            .and_then(|()| io::stdout().flush()),
        Stream::Stderr => io::stderr().lock().write_all(text.as_bytes()),
        #[cfg(test)]
        Stream::Nowhere => Ok(()),
    };
    drop(written);
}

fn command(kind: &str, place: Option<&Place>, text: &str) -> String {
    let mut properties = String::new();
    if let Some(Place { file, line }) = place {
        let file = escape_property(&harmless(file));
        let _infallible = write!(properties, "file={file},line={line},");
    }
    format!(
        "::{kind} {properties}title={TITLE}::{}\n",
        escape_data(&harmless_lines(text))
    )
}

fn harmless_lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

/// The text of a command: `%`, CR and LF are encoded.
fn escape_data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property of a command: as the text, and `:` and `,` too.
fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// `line` as text in which the runner finds no command.
///
/// Control characters, among them those that some readers take for a line break, become visible;
/// colours stay. A zero-width space breaks `##[`, and a leading `::`.
pub(crate) fn harmless(line: &str) -> Cow<'_, str> {
    let commands = line.contains("##[") || line.trim_start().starts_with("::");
    if !commands && !line.contains(is_unprintable) {
        return Cow::Borrowed(line);
    }
    let printable: String = line
        .char_indices()
        .map(|(at, c)| shown(c, &line[at..]))
        .collect();
    let mut text = printable.replace("##[", "##\u{200b}[");
    if text.trim_start().starts_with("::") {
        let indent = text.len() - text.trim_start().len();
        text.insert(indent, '\u{200b}');
    }
    Cow::Owned(text)
}

fn is_unprintable(c: char) -> bool {
    (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}')
}

fn shown(c: char, rest: &str) -> char {
    match c {
        '\t' => '\t',
        '\u{1b}' if is_colour(rest) => '\u{1b}',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        _ if is_unprintable(c) => '\u{fffd}',
        _ => c,
    }
}

/// Whether `text` begins with an SGR sequence: `ESC [ digits and semicolons m`.
fn is_colour(text: &str) -> bool {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else {
        return false;
    };
    parameters
        .trim_start_matches(|c: char| c.is_ascii_digit() || c == ';')
        .starts_with('m')
}

#[cfg(test)]
mod tests {
    use super::*;

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
        check("\u{1b}[2K::notice::", "␛[2K::notice::");
        check("#\u{0}#[x", "#␀#[x");
    }

    #[test]
    fn an_annotation_is_one_line_whatever_its_text() {
        let place = Place {
            file: "a,b:c/Dockerfile".to_owned(),
            line: 3,
        };
        assert_eq!(
            command("error", Some(&place), "50% done\n  fix: ::x::"),
            "::error file=a%2Cb%3Ac/Dockerfile,line=3,title=ghcr-publish::50%25 done%0A  fix: ::x::\n"
        );
    }
}
