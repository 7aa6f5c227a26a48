//! The runner's own reading of a log, which commands does it find in these bytes?
//!
//! After `ActionCommand.TryParseV2` and `ActionCommand.TryParse` (`src/Runner.Common/ActionCommand.cs`) and
//! `TryProcessCommand` (`src/Runner.Worker/ActionCommandManager.cs`) of <https://github.com/actions/runner>,
//! commit 258d6c857db3519913f7deb6004b60172f8043ae. How the runner reads:
//!
//! - A line ends at LF, CR or CR LF (.NET's `ReadLine`). Bytes that are not UTF-8 become U+FFFD.
//! - The newer form is tried first: white space is trimmed from the start, then `::` must follow, then
//!   `name`, perhaps a space and `key=value` pairs with commas between, and `::` again.
//! - The older form may begin anywhere in a line: the first `##[`, then `name`, pairs with semicolons, `]`.
//! - Only registered names count, in any case. The rest of the line is the data, with `%0D` and its like
//!   decoded.
//! - After `stop-commands` nothing counts until its data comes back as the name of a command.
//!
//! .NET looks for `::` and `##[` with the rules of a language, where those of ICU skip invisible
//! characters (a zero-width space, a soft hyphen, control characters), and then counts UTF-16 units as if
//! nothing had been skipped. Which rules hold depends on the machine, so this reader tries every place where
//! either may find the mark, and finds at least what the runner finds.

use std::fmt;

/// A command the runner would carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub name: String,
    pub data: String,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name, self.data)
    }
}

const REGISTERED: &[&str] = &[
    "add-mask",
    "add-matcher",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "notice",
    "remove-matcher",
    "save-state",
    "set-env",
    "set-output",
    "stop-commands",
    "warning",
];

/// Reads a log piece by piece, as the runner does.
#[derive(Debug, Default)]
pub struct LogReader {
    rest: Vec<u8>,
    resume: Option<String>,
}

/// Every command in `log`.
pub fn commands(log: &[u8]) -> Vec<Command> {
    let mut judge = LogReader::default();
    let mut commands = judge.read(log);
    commands.extend(judge.read(b"\n"));
    commands
}

impl LogReader {
    /// The commands in the lines that end in `bytes`.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<Command> {
        let mut rest = std::mem::take(&mut self.rest);
        rest.extend_from_slice(bytes);
        let ended = memchr::memrchr2(b'\n', b'\r', &rest).map_or(0, |at| at + 1);
        self.rest = rest.split_off(ended);
        let (mut commands, mut begin) = (Vec::new(), 0);
        for end in memchr::memchr2_iter(b'\n', b'\r', &rest) {
            let line = &rest[begin..end];
            begin = end + 1;
            // Both marks are made of these; the rest of a log need not be read closely.
            if memchr::memchr2(b':', b'#', line).is_some() {
                commands.extend(self.line(&String::from_utf8_lossy(line)));
            }
        }
        commands
    }

    fn line(&mut self, line: &str) -> Option<Command> {
        let resume = self.resume.clone();
        let is_registered = |name: &str| {
            let names = REGISTERED.iter().copied().chain(resume.as_deref());
            names
                .into_iter()
                .any(|known| known.eq_ignore_ascii_case(name))
        };
        let command = newer(line, is_registered).or_else(|| older(line, is_registered))?;
        match &self.resume {
            Some(token) if token.eq_ignore_ascii_case(&command.name) => self.resume = None,
            Some(_) => return None,
            None if command.name.eq_ignore_ascii_case("stop-commands") => {
                self.resume = Some(command.data.clone());
            }
            None => {}
        }
        Some(command)
    }
}

/// `::name key=value,key=value::data`
fn newer(line: &str, is_registered: impl Fn(&str) -> bool) -> Option<Command> {
    let text = units(line.trim_start());
    if !finds(&text, "::") {
        return None;
    }
    let ends = (2..text.len()).filter(|at| finds(&text[*at..], "::"));
    ends.into_iter().find_map(|end| {
        let name = name(&text[2..end]);
        let data = || {
            unescaped(
                &text[end + 2..],
                &[("%0D", "\r"), ("%0A", "\n"), ("%25", "%")],
            )
        };
        is_registered(&name).then(|| Command { data: data(), name })
    })
}

/// `##[name key=value;key=value]data`
fn older(line: &str, is_registered: impl Fn(&str) -> bool) -> Option<Command> {
    let text = units(line);
    let starts = (0..text.len()).filter(|at| finds(&text[*at..], "##["));
    starts.into_iter().find_map(|start| {
        let end = start
            + text[start..]
                .iter()
                .position(|unit| *unit == u16::from(b']'))?;
        let name = name(text.get(start + 3..end)?);
        let escapes = [
            ("%3B", ";"),
            ("%0D", "\r"),
            ("%0A", "\n"),
            ("%5D", "]"),
            ("%25", "%"),
        ];
        let data = || unescaped(&text[end + 1..], &escapes);
        is_registered(&name).then(|| Command { data: data(), name })
    })
}

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

/// Whether `text` starts with `mark`, for a reader who may ignore invisible characters.
fn finds(text: &[u16], mark: &str) -> bool {
    let mut visible = text.iter().filter(|unit| !is_ignorable(**unit));
    mark.encode_utf16()
        .all(|unit| visible.next() == Some(&unit))
}

fn is_ignorable(unit: u16) -> bool {
    matches!(unit, 0..=8 | 0xe..=0x1f | 0x7f..=0x84 | 0x86..=0x9f | 0xad | 0x34f | 0x61c | 0x180b..=0x180f
        | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0xfe00..=0xfe0f | 0xfeff | 0xfff9..=0xfffb)
}

fn name(text: &[u16]) -> String {
    let text = String::from_utf16_lossy(text);
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn unescaped(text: &[u16], escapes: &[(&str, &str)]) -> String {
    let text = String::from_utf16_lossy(text);
    escapes
        .iter()
        .fold(text, |text, (escape, token)| text.replace(escape, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(log: &[u8], expected: &[&str]) {
        let found: Vec<String> = commands(log).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn both_forms_are_found_where_the_runner_finds_them() {
        check(b"::error::x", &["error \"x\""]);
        check(
            b" \t::ERROR file=a,line=2::50%25%0Ay",
            &["ERROR \"50%\\ny\""],
        );
        check(b"a ##[set-output name=b]c%5D", &["set-output \"c]\""]);
        check(b"a ::error::x", &[]);
        check(b"::unknown::x ##[error]y", &["error \"y\""]);
        check(b"::error x", &[]);
    }

    #[test]
    fn every_line_break_of_the_runner_starts_a_line() {
        check(
            b"a\r::error::b\r\n::notice::c\n",
            &["error \"b\"", "notice \"c\""],
        );
        check("a\u{85}::error::b".as_bytes(), &[]);
        check("\u{85}\u{2028}::error::b".as_bytes(), &["error \"b\""]);
    }

    #[test]
    fn after_stop_commands_only_the_token_counts() {
        let log = b"::stop-commands::token\n::error::x\n::token::\n::error::y\n";
        check(
            log,
            &["stop-commands \"token\"", "token \"\"", "error \"y\""],
        );
    }

    #[test]
    fn an_invisible_character_does_not_make_a_command() {
        check("\u{200b}::error::x".as_bytes(), &[]);
        check("##\u{200b}[error]x".as_bytes(), &[]);
        check(b"#\0#[error]x", &[]);
    }
}
