//! The runner what it makes of a log and of the files a step leaves for it.
//!
//! Written after the source of <https://github.com/actions/runner>, commit
//! 258d6c857db3519913f7deb6004b60172f8043ae; each file names what it follows.

pub mod commands;
pub mod files;
pub mod masker;

use commands::LogReader;
use masker::Masker;

/// The log as the run page shows it: what `add-mask` named is hidden, and the command itself is not shown;
/// of the other commands the data is, decoded.
pub fn shown(log: &[u8]) -> String {
    let (mut judge, mut masker, mut shown) =
        (LogReader::default(), Masker::default(), String::new());
    for line in log.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let found = judge.read(&[line, b"\n"].concat());
        match found.first() {
            Some(command) if command.name.eq_ignore_ascii_case("add-mask") => {
                masker.add_lines(&command.data);
            }
            Some(command) => {
                let lines = command.data.lines().map(|line| masker.masked(line) + "\n");
                shown.extend(lines);
            }
            None => shown += &(masker.masked(&String::from_utf8_lossy(line)) + "\n"),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_masked_is_not_shown_and_neither_is_the_command() {
        let log = b"a hunter2\n::add-mask::hunter2%0Asecond line\nb hunter2\rsecond line\n";
        assert_eq!(shown(log), "a hunter2\nb ***\n***\n\n");
    }
}
