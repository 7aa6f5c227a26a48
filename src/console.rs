//! Printing: log lines, `::group::`, `::error::`, `::add-mask::`, and their escaping.
//!
//! Commands: <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.
//! The runner looks for `::name::` at the start of a line and for `##[name]` anywhere in it, on both
//! streams, so every foreign text is made harmless here.

pub(crate) mod debug;
pub(crate) mod sanitize;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use chrono::TimeDelta;

use crate::console::sanitize::{colourless, harmless};
use crate::error::{Explanation, FilePosition};
use crate::secret::Secret;

/// The log, its reader and its destination, and the destination of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Console {
    pub(crate) reader: Reader,
    /// Of the log.
    pub(crate) stream: Stream,
    pub(crate) level: Level,
    /// Of the text that answers the question of the run, such as a plan.
    pub(crate) answers: Stream,
}

/// The least important lines that are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Info,
    Warning,
}

/// Who reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A runner of GitHub Actions, which understands workflow commands.
    Runner,
    /// A person, on a terminal or in a file.
    Person(Screen),
}

/// What can be done with a line once it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    /// Nothing: the log is a file or a pipe.
    Paper,
    /// It can be replaced: a terminal.
    Mono,
    /// It can be replaced, and be in colour.
    Colour,
}

/// Where a text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
    /// Nobody reads the log of a simulation.
    #[cfg(any(test, feature = "fuzzing"))]
    Nowhere,
}

/// The kind of a line, shown as its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Title,
    Aside,
    Warning,
    Error,
}

const TITLE: &str = "ghcr-publish";

impl Console {
    /// For tests: nobody reads it.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) const NOWHERE: Self = Self {
        reader: Reader::Person(Screen::Paper),
        stream: Stream::Nowhere,
        level: Level::Info,
        answers: Stream::Nowhere,
    };

    /// One line of log, or several.
    pub(crate) fn say(self, text: &str) {
        let mut lines = String::with_capacity(text.len() + 1);
        text.lines().for_each(|line| self.put(&mut lines, line));
        self.inform(&lines);
    }

    /// One line of log, or several, of which each is what `tone` says.
    pub(crate) fn say_as(self, tone: Tone, text: &str) {
        if self.reader != Reader::Person(Screen::Colour) {
            return self.say(text);
        }
        let code = match tone {
            Tone::Title => "1",
            Tone::Aside => "2",
            Tone::Warning => "33",
            Tone::Error => "31",
        };
        let lines = text
            .lines()
            .map(|line| format!("\u{1b}[{code}m{}\u{1b}[0m\n", colourless(line)));
        self.inform(&lines.collect::<String>());
    }

    /// What a step of the build prints: `lines` below the title of its group, in one write.
    pub(crate) fn say_below<'a>(self, lines: impl Iterator<Item = Cow<'a, str>>) {
        let mut text = String::new();
        for line in lines {
            if self.reader != Reader::Runner {
                text.push_str("  ");
            }
            self.put(&mut text, &line);
        }
        self.inform(&text);
    }

    fn put(self, text: &mut String, line: &str) {
        let line = match self.reader {
            Reader::Runner | Reader::Person(Screen::Colour) => harmless(line),
            Reader::Person(Screen::Paper | Screen::Mono) => colourless(line),
        };
        text.push_str(&line);
        text.push('\n');
    }

    pub(crate) fn open_group(self, title: &str) {
        match self.reader {
            Reader::Runner => self.inform(&format!("::group::{}\n", escape_data(&harmless(title)))),
            Reader::Person(_) => self.say_as(Tone::Title, title),
        }
    }

    pub(crate) fn close_group(self) {
        if self.reader == Reader::Runner {
            self.inform("::endgroup::\n");
        }
    }

    /// What a report of a bug needs: a folded group for a runner, debug lines for a person.
    pub(crate) fn environment(self, lines: &str) {
        if self.reader != Reader::Runner {
            return lines.lines().for_each(|line| log::debug!("{line}"));
        }
        self.open_group("Environment");
        self.say(lines);
        self.close_group();
    }

    /// Whether a line can be replaced by another.
    pub(crate) fn is_live(self) -> bool {
        matches!(self.reader, Reader::Person(Screen::Mono | Screen::Colour))
    }

    /// Shows `line` below the log until [`Console::wipe`]; a long one is cut where the terminal ends.
    pub(crate) fn show_for_now(self, line: &str) {
        if self.is_live() {
            let line = colourless(line);
            self.inform(&format!("\r\u{1b}[2K\u{1b}[?7l{line}\u{1b}[?7h"));
        }
    }

    pub(crate) fn wipe(self) {
        if self.is_live() {
            self.inform("\r\u{1b}[2K");
        }
    }

    /// Asks the runner to mask a secret; does nothing for a person, whose log would then contain it.
    pub(crate) fn mask(self, secret: &Secret) {
        if self.reader == Reader::Runner {
            for text in forms(secret) {
                self.emit(&format!("::add-mask::{}\n", escape_data(&text)));
            }
        }
    }

    pub(crate) fn notice(self, text: &str) {
        match self.reader {
            Reader::Runner => self.inform(&command("notice", None, text)),
            Reader::Person(_) => self.say(&format!("notice: {text}")),
        }
    }

    pub(crate) fn warning(self, place: Option<&FilePosition>, text: &str) {
        match self.reader {
            Reader::Runner => self.emit(&command("warning", place, text)),
            Reader::Person(_) => {
                let text = annotation("warning", place, text);
                self.despite_quiet().say_as(Tone::Warning, &text);
            }
        }
    }

    /// The failure of the run, always on stderr.
    pub(crate) fn failure(self, explanation: &Explanation) {
        let console = Self {
            stream: Stream::Stderr,
            ..self.despite_quiet()
        };
        let (place, text) = (explanation.place.as_ref(), explanation.to_string());
        match self.reader {
            Reader::Runner => console.emit(&command("error", place, &text)),
            Reader::Person(_) => {
                console.say_as(Tone::Error, &format!("error: {}", explanation.what));
                console.say(&explanation.details().join("\n"));
            }
        }
    }

    /// What the run was asked for, one line or several: no part of the log, unless a program reads stdout.
    pub(crate) fn answer(self, text: &str) {
        let console = match self.answers {
            Stream::Stderr => self,
            answers => Self {
                stream: answers,
                ..self.on_paper().despite_quiet()
            },
        };
        console.say(text);
    }

    /// The result a program asked for, on stdout whatever the log does.
    pub(crate) fn result(self, text: &str) {
        write(Stream::Stdout, text);
    }

    /// A part of the log that `--quiet` leaves out.
    fn inform(self, text: &str) {
        if self.level == Level::Info {
            self.emit(text);
        }
    }

    fn emit(self, text: &str) {
        write(self.stream, text);
    }

    /// For lines that a failure or a warning needs.
    pub(crate) fn despite_quiet(self) -> Self {
        Self {
            level: Level::Info,
            ..self
        }
    }

    /// For a stream that may not be the terminal of the log.
    fn on_paper(self) -> Self {
        let reader = match self.reader {
            Reader::Runner => Reader::Runner,
            Reader::Person(_) => Reader::Person(Screen::Paper),
        };
        Self { reader, ..self }
    }
}

/// The texts that the runner must mask: it masks exact texts only, and a program may print less,
/// and we may show a character that is harmless instead of one that is not.
fn forms(secret: &Secret) -> Vec<String> {
    let text = secret.expose();
    let shown = harmless_lines(text);
    let mut forms = Vec::new();
    for form in [text, text.trim(), shown.as_str()] {
        if !form.is_empty() && !forms.iter().any(|known| known == form) {
            forms.push(form.to_owned());
        }
    }
    forms
}

/// The text of an annotation, for a person.
fn annotation(kind: &str, place: Option<&FilePosition>, text: &str) -> String {
    match place {
        Some(FilePosition { file, line }) => format!("{kind}: {file}:{line}: {text}"),
        None => format!("{kind}: {text}"),
    }
}

/// A closed log does not stop a publication.
fn write(stream: Stream, text: &str) {
    let written = match stream {
        Stream::Stdout => io::stdout()
            .lock()
            .write_all(text.as_bytes())
            .and_then(|()| io::stdout().flush()),
        Stream::Stderr => io::stderr().lock().write_all(text.as_bytes()),
        #[cfg(any(test, feature = "fuzzing"))]
        Stream::Nowhere => Ok(()),
    };
    drop(written);
}

fn command(kind: &str, place: Option<&FilePosition>, text: &str) -> String {
    let mut properties = String::new();
    if let Some(FilePosition { file, line }) = place {
        let file = escape_property(&harmless(file));
        let _infallible = write!(properties, "file={file},line={line},");
    }
    let text = escape_data(&harmless_lines(text));
    format!("::{kind} {properties}title={TITLE}::{text}\n")
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

/// `12.3 s`, or `2 min 5 s`.
pub(crate) fn duration(time: TimeDelta) -> String {
    let tenths = (time.num_milliseconds() + 50) / 100;
    if tenths < 600 {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let seconds = (tenths + 5) / 10;
    format!("{} min {} s", seconds / 60, seconds % 60)
}

/// Bytes in decimal units, as GitHub's package pages show them.
pub(crate) fn size(bytes: u64) -> String {
    let in_tenths_of = |unit: u64| {
        let tenths = bytes.saturating_add(unit / 20) / (unit / 10);
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match bytes {
        0..50_000 => format!("{} kB", in_tenths_of(1000)),
        50_000..1_000_000_000 => format!("{} MB", in_tenths_of(1_000_000)),
        _ => format!("{} GB", in_tenths_of(1_000_000_000)),
    }
}

/// A difference of sizes with its sign: `+1.2 MB`.
pub(crate) fn signed_size(difference: i128) -> String {
    let sign = if difference < 0 { '-' } else { '+' };
    match u64::try_from(difference.unsigned_abs()).unwrap_or(u64::MAX) {
        bytes @ ..1000 => format!("{sign}{bytes} B"),
        bytes => format!("{sign}{}", size(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_in_every_form_it_is_shown_in() {
        let secret = Secret::exact(" a##[b\n::c ").unwrap();
        let expected = [" a##[b\n::c ", "a##[b\n::c", " a##\u{200b}[b\n\u{200b}::c "];
        assert_eq!(forms(&secret), expected);
    }

    #[test]
    fn an_annotation_is_one_line_whatever_its_text() {
        let place = FilePosition {
            file: "a,b:c/Dockerfile".to_owned(),
            line: 3,
        };
        assert_eq!(
            command("error", Some(&place), "50% done\n  fix: ::x::"),
            "::error file=a%2Cb%3Ac/Dockerfile,line=3,title=ghcr-publish::50%25 done%0A  fix: ::x::\n"
        );
    }

    #[test]
    fn times_and_sizes_are_short() {
        let times = [40, 1260, 59_940, 59_960, 3_661_000].map(TimeDelta::milliseconds);
        assert_eq!(
            times.map(duration),
            ["0.0 s", "1.3 s", "59.9 s", "1 min 0 s", "61 min 1 s"]
        );
        let sizes = [512, 99_000, 1_234_567, 2_950_000_000].map(size);
        assert_eq!(sizes, ["0.5 kB", "0.1 MB", "1.2 MB", "3.0 GB"]);
        let differences = [1_340_000, -99_000, -7, i128::from(u64::MAX)].map(signed_size);
        assert_eq!(
            differences,
            ["+1.3 MB", "-0.1 MB", "-7 B", "+18446744073.7 GB"]
        );
    }
}
