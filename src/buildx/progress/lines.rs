//! Lines of text: the log of a step, split as a terminal shows it, and the text after the last message, which is the
//! excerpt of the Dockerfile and the error.

use std::borrow::Cow;

/// Longer lines are cut, so that memory stays bounded.
const MAX_LINE: usize = 16 * 1024;

/// The line that has not ended yet.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    line: Vec<u8>,
    /// Bytes of the line that were not kept.
    cut: usize,
    /// Whether a carriage return came last: what follows overwrites the line, as progress bars do.
    rewound: bool,
}

impl Lines {
    /// Takes a piece of log and gives each line that it ends.
    pub(crate) fn push<'a>(&mut self, piece: &'a [u8], mut each: impl FnMut(Cow<'a, str>)) {
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', piece) {
            self.end_with(&piece[begin..end], &mut each);
            begin = end + 1;
        }
        self.append(&piece[begin..]);
    }

    /// Gives the last line, which nothing ended.
    pub(crate) fn finish(&mut self, mut each: impl FnMut(Cow<'static, str>)) {
        if !self.line.is_empty() {
            self.end_with(b"", &mut each);
        }
    }

    fn end_with<'a>(&mut self, rest: &'a [u8], each: &mut impl FnMut(Cow<'a, str>)) {
        let is_whole = self.line.is_empty() && rest.len() <= MAX_LINE;
        if is_whole && memchr::memchr(b'\r', rest).is_none() {
            each(String::from_utf8_lossy(rest));
        } else {
            self.append(rest);
            let mut text = String::from_utf8_lossy(&self.line).into_owned();
            if self.cut > 0 {
                text.push_str(&format!("… ({} bytes more)", self.cut));
            }
            each(text.into());
        }
        *self = Self::default();
    }

    fn append(&mut self, piece: &[u8]) {
        let returns = piece
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\r')
            .count();
        let text = &piece[..piece.len() - returns];
        if !text.is_empty() {
            let rewritten = memchr::memrchr(b'\r', text);
            if self.rewound || rewritten.is_some() {
                *self = Self::default();
            }
            let text = &text[rewritten.map_or(0, |at| at + 1)..];
            let room = MAX_LINE.saturating_sub(self.line.len()).min(text.len());
            self.line.extend_from_slice(&text[..room]);
            self.cut += text.len() - room;
        }
        self.rewound |= returns > 0;
    }
}

/// `text`, or its beginning and how much is missing.
pub(crate) fn clipped(text: &str, longest: usize) -> Cow<'_, str> {
    if text.len() <= longest {
        return Cow::Borrowed(text);
    }
    let kept = &text[..text.floor_char_boundary(longest)];
    Cow::Owned(format!("{kept}… ({} bytes more)", text.len() - kept.len()))
}

/// What buildx prints when a build has failed: an excerpt of the source between dashes, then `ERROR: ..`.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// `Dockerfile:3`, the dashes, and the lines between them.
    excerpt: Vec<String>,
    error: Vec<String>,
}

/// A line of the source, as buildx names it: the file by its last name only.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) file: String,
    pub(crate) line: u32,
}

const MAX_LINES: usize = 30;
const MAX_KEPT_LINE: usize = 300;
const MAX_ERROR: usize = 4000;

impl Ending {
    /// Takes a line, or gives it back when it belongs neither to an excerpt nor to the error.
    pub(crate) fn take<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        if let Some(error) = line.strip_prefix("ERROR: ") {
            self.error = vec![clipped(error, MAX_ERROR).into_owned()];
        } else if !self.error.is_empty() {
            push(&mut self.error, line);
        } else if self.is_in_excerpt() || (self.excerpt.is_empty() && spot(line).is_some()) {
            push(&mut self.excerpt, line);
        } else if !line.trim().is_empty() {
            return Some(line);
        }
        None
    }

    fn is_in_excerpt(&self) -> bool {
        let dashes = self.excerpt.iter().filter(|line| is_dashes(line)).count();
        !self.excerpt.is_empty() && dashes < 2
    }

    pub(crate) fn spot(&self) -> Option<Spot> {
        spot(self.excerpt.first()?)
    }

    /// The lines between the dashes.
    pub(crate) fn excerpt(&self) -> Vec<String> {
        let lines = self.excerpt.iter().skip(1);
        let lines = lines.filter(|line| !is_dashes(line) && !line.trim_end().ends_with('|'));
        lines.cloned().collect()
    }

    pub(crate) fn error(&self) -> Option<String> {
        let text = self.error.join("\n");
        (!text.is_empty()).then(|| text.trim_end().to_owned())
    }
}

fn push(lines: &mut Vec<String>, line: &str) {
    if lines.len() < MAX_LINES {
        lines.push(clipped(line, MAX_KEPT_LINE).into_owned());
    }
}

fn is_dashes(line: &str) -> bool {
    line.len() >= 3 && line.bytes().all(|byte| byte == b'-')
}

/// `Dockerfile:3`, the line above an excerpt.
fn spot(text: &str) -> Option<Spot> {
    let (file, line) = text.rsplit_once(':')?;
    let is_bare = !file.is_empty() && !file.contains(char::is_whitespace);
    let line = line.parse().ok().filter(|_| is_bare)?;
    let file = file.to_owned();
    Some(Spot { file, line })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pieces: &[&[u8]], expected: &[&str]) {
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.push(piece, |line| seen.push(line.into_owned()));
        }
        lines.finish(|line| seen.push(line.into_owned()));
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_line_may_come_in_pieces_and_without_an_end() {
        check(&[b"a\nb", b"c\n\nd"], &["a", "bc", "", "d"]);
        check(&["é\n".as_bytes().split_at(1).0, b"\xa9\n"], &["é"]);
        check(&[b"\xff\n"], &["\u{fffd}"]);
    }

    #[test]
    fn a_line_that_was_overwritten_is_shown_as_it_ended() {
        check(&[b"10%\r20%\r100%\ndone\r\n"], &["100%", "done"]);
        check(&[b"10%\r", b"20%", b"\r", b"\n"], &["20%"]);
        check(&[b"10%\r", b"\r\n"], &["10%"]);
        check(&[b"x\r::error::y\n"], &["::error::y"]);
    }

    #[test]
    fn a_long_line_is_cut() {
        let mut lines = Lines::default();
        (0..1024).for_each(|_| lines.push(&[b'x'; 1024], |_| panic!("no line ended")));
        let mut seen = String::new();
        lines.push(b"\n", |line| seen = line.into_owned());
        assert!(seen.ends_with("x… (1032192 bytes more)"), "{seen}");
        assert_eq!(clipped("aéé", 2), "a… (4 bytes more)");
    }

    #[test]
    fn excerpt_and_error_are_kept_and_the_rest_is_given_back() {
        let text = "WARNING: no output\nDockerfile:2\n-----\n   1 |     FROM a\n   2 | >>> RUN x:1\n   3 |     \n-----\nERROR: failed\nto build";
        let mut ending = Ending::default();
        let rest: Vec<&str> = text.lines().filter_map(|line| ending.take(line)).collect();
        assert_eq!(rest, ["WARNING: no output"]);
        let spot = Spot {
            file: "Dockerfile".to_owned(),
            line: 2,
        };
        assert_eq!(ending.spot(), Some(spot));
        assert_eq!(
            ending.excerpt(),
            ["   1 |     FROM a", "   2 | >>> RUN x:1"]
        );
        assert_eq!(ending.error().as_deref(), Some("failed\nto build"));
    }
}
