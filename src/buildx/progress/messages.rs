//! Decodes the output of buildx into messages, in bounded memory.
//!
//! `buildx --progress=rawjson` writes JSON objects: each on a line of its own, or indented over many lines
//! before buildx 0.14. Plain text stands between them and after them. The objects are BuildKit's `SolveStatus`
//! (<https://github.com/moby/buildkit/blob/v0.25.0/client/graph.go>), the fields that are shown.

use chrono::{DateTime, Utc};
use memchr::{memchr, memchr2};
use serde::Deserialize;
use std::borrow::Cow;

/// A message of buildx.
pub(crate) enum Message<'a> {
    Status(&'a Status<'a>),
    /// A line without its end.
    Text(&'a [u8]),
}

/// Takes the output in pieces of any size, and gives each message once it is whole.
#[derive(Default)]
pub(crate) struct Decoder {
    /// The line or the object that has not ended.
    pending: Vec<u8>,
    /// Bytes of it that were not kept.
    cut: usize,
    /// Where the last line of `pending` begins.
    line: usize,
    is_object: bool,
    nesting: Nesting,
    /// buildx says last why it failed: an object in that text is text.
    has_failed: bool,
}

const USUAL: usize = 64 * 1024;
/// In bytes; longer messages are cut. BuildKit sends logs in pieces of some kilobytes, a few in one message.
const MAX_MESSAGE: usize = 6 * 1024 * 1024;

impl Decoder {
    pub(crate) fn push(&mut self, mut piece: &[u8], each: &mut impl FnMut(Message<'_>)) {
        while let Some(end) = memchr(b'\n', piece) {
            self.append(&piece[..end], each);
            self.end_line(each);
            piece = &piece[end + 1..];
        }
        self.append(piece, each);
    }

    /// Gives what has not ended.
    pub(crate) fn finish(&mut self, each: &mut impl FnMut(Message<'_>)) {
        if !self.pending.is_empty() {
            self.end_line(each);
        }
        if !self.pending.is_empty() {
            self.give_text(each);
        }
    }

    fn append(&mut self, text: &[u8], each: &mut impl FnMut(Message<'_>)) {
        let Some(first) = text.first() else {
            return;
        };
        let begins_line = self.line > 0 && self.line == self.pending.len() && self.cut == 0;
        if begins_line && !continues_object(*first) {
            self.give_text(each);
        }
        if self.pending.is_empty() {
            self.is_object = *first == b'{' && !self.has_failed;
        }
        if self.is_object {
            self.nesting.read(text);
        }
        let room = MAX_MESSAGE
            .saturating_sub(self.pending.len())
            .min(text.len());
        self.pending.extend_from_slice(&text[..room]);
        self.cut += text.len() - room;
    }

    fn end_line(&mut self, each: &mut impl FnMut(Message<'_>)) {
        if self.is_object && self.nesting.depth > 0 {
            if self.pending.len() < MAX_MESSAGE {
                self.pending.push(b'\n');
            } else {
                self.cut += 1;
            }
            self.line = self.pending.len();
        } else if let Some(statuses) = self.statuses() {
            statuses
                .iter()
                .for_each(|status| each(Message::Status(status)));
            drop(statuses);
            self.clear();
        } else {
            self.give_text(each);
        }
    }

    /// The objects in `pending`, if it holds nothing else. An object that says nothing that a status says is text.
    fn statuses(&self) -> Option<Vec<Status<'_>>> {
        if !self.is_object {
            return None;
        }
        let objects = serde_json::Deserializer::from_slice(&self.pending).into_iter();
        let statuses: Vec<Status<'_>> = objects.collect::<Result<_, _>>().ok()?;
        let is_bare = || memchr(b'"', &self.pending).is_none();
        let says_something = statuses.iter().any(|status| !status.is_empty());
        (says_something || is_bare()).then_some(statuses)
    }

    fn give_text(&mut self, each: &mut impl FnMut(Message<'_>)) {
        if self.is_object && self.cut > 0 {
            let length = self.pending.len() + self.cut;
            let text = format!("(a message of {length} bytes is too long to be shown)");
            each(Message::Text(text.as_bytes()));
        } else {
            let text = self.pending.strip_suffix(b"\n").unwrap_or(&self.pending);
            for line in text.split(|byte| *byte == b'\n') {
                self.has_failed |= line.starts_with(b"ERROR: ");
                each(Message::Text(line));
            }
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.pending.clear();
        self.pending.shrink_to(USUAL);
        self.cut = 0;
        self.line = 0;
        self.is_object = false;
        self.nesting = Nesting::default();
    }
}

/// Whether a line that begins with `first` can be a later line of an object: buildx indents those, and
/// begins the next object at the margin.
fn continues_object(first: u8) -> bool {
    matches!(first, b' ' | b'\t' | b'\r' | b'"' | b'}' | b']' | b',')
}

/// How many braces and brackets of an object are open.
#[derive(Default)]
struct Nesting {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

impl Nesting {
    fn read(&mut self, mut text: &[u8]) {
        while let Some((byte, rest)) = text.split_first() {
            text = rest;
            match byte {
                _ if std::mem::take(&mut self.is_escaped) => {}
                b'"' => self.in_string = !self.in_string,
                b'\\' => self.is_escaped = self.in_string,
                b'{' | b'[' if !self.in_string => self.depth += 1,
                b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if self.in_string && !self.is_escaped {
                let end = memchr2(b'"', b'\\', text).unwrap_or(text.len());
                text = &text[end..];
            }
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status<'a> {
    #[serde(borrow)]
    pub(crate) vertexes: Vec<Vertex<'a>>,
    #[serde(borrow)]
    pub(crate) statuses: Vec<Activity<'a>>,
    #[serde(borrow)]
    pub(crate) logs: Vec<Log<'a>>,
    #[serde(borrow)]
    pub(crate) warnings: Vec<Warning<'a>>,
}

/// A step; sent again whenever something about it changes.
#[derive(Deserialize)]
pub(crate) struct Vertex<'a> {
    #[serde(borrow)]
    pub(crate) digest: Cow<'a, str>,
    #[serde(default, borrow)]
    pub(crate) name: Cow<'a, str>,
    pub(crate) started: Option<DateTime<Utc>>,
    pub(crate) completed: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(crate) cached: bool,
    #[serde(default, borrow)]
    pub(crate) error: Cow<'a, str>,
}

/// What a step is doing, for example `pushing layers`, and how far it is.
#[derive(Deserialize)]
pub(crate) struct Activity<'a> {
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
    #[serde(default, borrow)]
    pub(crate) vertex: Cow<'a, str>,
    /// Bytes, of those things that have a size.
    #[serde(default)]
    pub(crate) current: u64,
    pub(crate) timestamp: Option<DateTime<Utc>>,
    pub(crate) started: Option<DateTime<Utc>>,
    pub(crate) completed: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
pub(crate) struct Log<'a> {
    #[serde(borrow)]
    pub(crate) vertex: Cow<'a, str>,
    /// Base64.
    #[serde(default, borrow)]
    pub(crate) data: Cow<'a, str>,
    pub(crate) timestamp: Option<DateTime<Utc>>,
}

/// A finding of BuildKit's checks of the Dockerfile; the texts are base64.
#[derive(Deserialize)]
pub(crate) struct Warning<'a> {
    #[serde(default, borrow)]
    pub(crate) short: Cow<'a, str>,
    #[serde(default)]
    pub(crate) detail: Vec<String>,
    #[serde(default, borrow)]
    pub(crate) url: Cow<'a, str>,
    #[serde(default)]
    pub(crate) range: Vec<Range>,
    #[serde(rename = "sourceInfo")]
    pub(crate) source: Option<Source>,
}

#[derive(Deserialize)]
pub(crate) struct Range {
    pub(crate) start: Position,
}

#[derive(Deserialize)]
pub(crate) struct Position {
    #[serde(default)]
    pub(crate) line: u32,
}

#[derive(Deserialize)]
pub(crate) struct Source {
    #[serde(default)]
    pub(crate) filename: String,
}

impl Status<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.vertexes.is_empty()
            && self.statuses.is_empty()
            && self.logs.is_empty()
            && self.warnings.is_empty()
    }

    /// The engine's clock, as far as this message knows it.
    pub(crate) fn time(&self) -> Option<DateTime<Utc>> {
        let steps = self
            .vertexes
            .iter()
            .flat_map(|vertex| [vertex.started, vertex.completed]);
        let activities = self.statuses.iter().map(|activity| activity.timestamp);
        let logs = self.logs.iter().map(|log| log.timestamp);
        steps.chain(activities).chain(logs).flatten().max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of `text` in pieces of every size up to its own, shown as one line each.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        for size in 1..=text.len() {
            let (mut decoder, mut seen) = (Decoder::default(), Vec::new());
            let mut each = |message: Message<'_>| seen.push(shown(&message));
            text.as_bytes()
                .chunks(size)
                .for_each(|piece| decoder.push(piece, &mut each));
            decoder.finish(&mut each);
            assert_eq!(seen, expected, "in pieces of {size}");
        }
    }

    fn shown(message: &Message<'_>) -> String {
        match message {
            Message::Text(line) => String::from_utf8_lossy(line).into_owned(),
            Message::Status(status) => {
                let steps = status.vertexes.iter().map(|step| &*step.name);
                format!("status {}", steps.collect::<Vec<_>>().join(" "))
            }
        }
    }

    #[test]
    fn objects_come_on_one_line_or_on_many() {
        check(
            "{\"vertexes\":[{\"digest\":\"1\",\"name\":\"a\"}]}\n{}\n",
            &["status a", "status "],
        );
        check(
            "{\n  \"vertexes\": [\n    {\n      \"digest\": \"1\",\n      \"name\": \"a\"\n    }\n  ]\n}\n{\n  \"vertexes\": [\n    {\n      \"digest\": \"2\",\n      \"name\": \"}\\\"{\\\\\"\n    }\n  ]\n}\n",
            &["status a", "status }\"{\\"],
        );
        check("{}{\n}\n", &["status ", "status "]);
        check(
            "{\n\"vertexes\": [ {\n\"digest\":\n\"1\"\n}\n]\n,\n\"logs\": []}",
            &["status "],
        );
    }

    #[test]
    fn text_between_objects_is_kept() {
        check(
            "WARNING: x\n\n{\n}\nDockerfile:2\n----\n{}\nERROR: a\n{}",
            &[
                "WARNING: x",
                "",
                "status ",
                "Dockerfile:2",
                "----",
                "status ",
                "ERROR: a",
                "{}",
            ],
        );
    }

    #[test]
    fn invalid_object_is_text() {
        check("{ echo a; }\nb", &["{ echo a; }", "b"]);
        check("{ echo {\n{}\n", &["{ echo {", "status "]);
        check("{\"vertexes\": [\n{}\n", &["{\"vertexes\": [", "status "]);
        check("{\"a\": \"b\nc\n{}\n", &["{\"a\": \"b", "c", "status "]);
        check(
            "{\"a\": \"b\"}\n{\"logs\": 7}\n{} x\n",
            &["{\"a\": \"b\"}", "{\"logs\": 7}", "{} x"],
        );
        check(
            "{\n  \"logs\": [\nERROR: x\n",
            &["{", "  \"logs\": [", "ERROR: x"],
        );
        check("{\n  \"logs\": \"\n  x", &["{", "  \"logs\": \"", "  x"]);
    }

    /// The lengths of what is given for `text`, and the most memory that was kept for it.
    fn lengths(text: &[u8]) -> (Vec<usize>, usize) {
        let (mut decoder, mut lengths, mut most) = (Decoder::default(), Vec::new(), 0);
        let mut each = |message: Message<'_>| match message {
            Message::Text(line) => lengths.push(line.len()),
            Message::Status(_) => lengths.push(0),
        };
        for piece in text.chunks(USUAL) {
            decoder.push(piece, &mut each);
            most = most.max(decoder.pending.capacity());
        }
        decoder.finish(&mut each);
        (lengths, most)
    }

    #[test]
    fn long_lines_and_objects_are_cut() {
        let long = "x".repeat(3 * MAX_MESSAGE);
        let (seen, most) = lengths(format!("a\n{long}\nb").as_bytes());
        assert_eq!(seen, [1, MAX_MESSAGE, 1]);
        assert!(most <= 2 * MAX_MESSAGE, "{most}");
        let notice = "(a message of 18874395 bytes is too long to be shown)".len();
        for object in [
            format!("{{\"logs\":[{{\"x\":\"{long}\"}}]}}\nb"),
            format!(
                "{{\n\"logs\":[ {}\n]}}\nb",
                " 1,\n".repeat(3 * MAX_MESSAGE / 4)
            ),
            format!("{{\n\"logs\":[ {}", " 1,\n".repeat(3 * MAX_MESSAGE / 4)),
        ] {
            let (seen, most) = lengths(object.as_bytes());
            let last = object.ends_with('b').then_some(1);
            assert_eq!(seen, [notice].into_iter().chain(last).collect::<Vec<_>>());
            assert!(most <= 2 * MAX_MESSAGE, "{most}");
        }
    }
}
