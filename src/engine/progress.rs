//! rawjson -> log groups, annotations, timings.
//!
//! `buildx --progress=rawjson` writes one JSON object a line on stderr, BuildKit's `SolveStatus`
//! (<https://github.com/moby/buildkit/blob/v0.25.0/client/graph.go>), and plain text at the end when
//! something fails. Log bytes are base64 there, so nothing of a build reaches the log but through here.

use std::collections::HashMap;
use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use crate::problem::Place;
use crate::workflow::Console;

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Status {
    vertexes: Vec<Vertex>,
    logs: Vec<Log>,
    warnings: Vec<Warning>,
}

#[derive(Deserialize)]
struct Vertex {
    digest: String,
    #[serde(default)]
    name: String,
    started: Option<DateTime<Utc>>,
    completed: Option<DateTime<Utc>>,
    #[serde(default)]
    cached: bool,
    #[serde(default)]
    error: String,
}

#[derive(Deserialize)]
struct Log {
    vertex: String,
    #[serde(default)]
    data: String,
}

#[derive(Deserialize)]
struct Warning {
    #[serde(default)]
    short: String,
    #[serde(default)]
    range: Vec<Range>,
}

#[derive(Deserialize)]
struct Range {
    start: Position,
}

#[derive(Deserialize)]
struct Position {
    #[serde(default)]
    line: u32,
}

/// A step of the build, as far as it got.
#[derive(Debug, Default)]
struct Step {
    title: String,
    spent: TimeDelta,
    cached: bool,
    running: bool,
    /// Log bytes after the last line break.
    rest: Vec<u8>,
    has_log: bool,
    reported: bool,
}

/// What went wrong in a build, in the engine's words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Failure {
    /// Title of the step that failed.
    pub(super) step: Option<String>,
    pub(super) cause: String,
    /// Line of the Dockerfile.
    pub(super) line: Option<u32>,
    pub(super) while_pushing: bool,
}

/// Reads the progress line by line and tells it to a person.
pub(super) struct Progress {
    console: Console,
    dockerfile: String,
    steps: HashMap<String, Step>,
    order: Vec<String>,
    /// The step whose group is open.
    open: Option<String>,
    failed: Option<(String, String)>,
    /// The last lines of plain text.
    plain: VecDeque<String>,
}

const LONGEST_LINE: usize = 16 * 1024;
const PLAIN_LINES_KEPT: usize = 40;

impl Progress {
    pub(super) fn new(console: Console, dockerfile: String) -> Self {
        Self {
            console,
            dockerfile,
            steps: HashMap::new(),
            order: Vec::new(),
            open: None,
            failed: None,
            plain: VecDeque::new(),
        }
    }

    pub(super) fn line(&mut self, line: &[u8]) {
        match serde_json::from_slice::<Status>(line) {
            Ok(status) if line.first() == Some(&b'{') => self.status(status),
            _ => self.plain_text(&String::from_utf8_lossy(line)),
        }
    }

    /// Tells what is left, and what failed if `succeeded` is false.
    pub(super) fn finish(mut self) -> Failure {
        self.report_finished(&[]);
        self.close();
        let plain: Vec<String> = self.plain.into();
        let error = plain
            .iter()
            .rev()
            .find_map(|line| line.strip_prefix("ERROR: "));
        let (step, vertex_error) = self.failed.unzip();
        let cause = vertex_error
            .or_else(|| error.map(str::to_owned))
            .unwrap_or_default();
        Failure {
            step,
            line: plain.iter().find_map(|line| failing_line(line)),
            while_pushing: cause.starts_with("failed to push"),
            cause: cause
                .trim_start_matches("failed to build: ")
                .trim_start_matches("failed to solve: ")
                .to_owned(),
        }
    }

    fn status(&mut self, status: Status) {
        let touched: Vec<String> = status
            .vertexes
            .iter()
            .map(|vertex| vertex.digest.clone())
            .collect();
        self.report_finished(&touched);
        for vertex in status.vertexes {
            self.vertex(vertex);
        }
        for log in status.logs {
            self.log(&log);
        }
        for warning in status.warnings {
            self.warning(&warning);
        }
    }

    fn vertex(&mut self, vertex: Vertex) {
        let Vertex {
            digest,
            name,
            started,
            completed,
            cached,
            error,
        } = vertex;
        if !self.steps.contains_key(&digest) {
            self.order.push(digest.clone());
        }
        let step = self.steps.entry(digest).or_default();
        step.title = title(&name);
        step.cached |= cached;
        step.running = started.is_some() && completed.is_none();
        if let (Some(started), Some(completed)) = (started, completed) {
            step.spent += completed - started;
            step.cached &= completed - started < TimeDelta::seconds(1);
        }
        if !error.is_empty() && !error.ends_with("context canceled") {
            self.failed
                .get_or_insert_with(|| (step.title.clone(), error));
        }
    }

    /// Reports the steps that ended in an earlier message: BuildKit may restart one in the next.
    fn report_finished(&mut self, except: &[String]) {
        for digest in std::mem::take(&mut self.order) {
            let Some(step) = self.steps.get_mut(&digest) else {
                continue;
            };
            let ended = !step.running && (step.spent > TimeDelta::zero() || step.cached);
            if !ended || except.contains(&digest) {
                self.order.push(digest);
                continue;
            }
            if !step.reported && is_worth_a_line(step) {
                self.report(&digest);
            }
        }
    }

    fn report(&mut self, digest: &str) {
        let Some(step) = self.steps.get_mut(digest) else {
            return;
        };
        step.reported = true;
        let result = if step.cached {
            "cached".to_owned()
        } else {
            seconds(step.spent)
        };
        let rest = std::mem::take(&mut step.rest);
        if rest.is_empty() && self.open.as_deref() != Some(digest) {
            let text = format!("{} ({result})", step.title);
            self.close();
            return self.console.say(&text);
        }
        self.open(digest);
        if !rest.is_empty() {
            self.console.say(&text_of(&rest));
        }
        self.console.say(&format!("done in {result}"));
        self.close();
    }

    fn log(&mut self, log: &Log) {
        let Ok(bytes) = STANDARD.decode(&log.data) else {
            return;
        };
        let Some(step) = self.steps.get_mut(&log.vertex) else {
            return;
        };
        step.rest.extend_from_slice(&bytes);
        let whole = if step.rest.len() > LONGEST_LINE {
            step.rest.len()
        } else {
            step.rest
                .iter()
                .rposition(|b| *b == b'\n')
                .map_or(0, |at| at + 1)
        };
        let lines: Vec<u8> = step.rest.drain(..whole).collect();
        if !lines.is_empty() {
            self.open(&log.vertex);
            for line in lines
                .strip_suffix(b"\n")
                .unwrap_or(&lines)
                .split(|b| *b == b'\n')
            {
                self.console
                    .say(&text_of(line.strip_suffix(b"\r").unwrap_or(line)));
            }
        }
    }

    fn open(&mut self, digest: &str) {
        if self.open.as_deref() == Some(digest) {
            return;
        }
        self.close();
        let Some(step) = self.steps.get_mut(digest) else {
            return;
        };
        let title = if step.has_log {
            format!("{} (continued)", step.title)
        } else {
            step.title.clone()
        };
        step.has_log = true;
        self.console.open_group(&title);
        self.open = Some(digest.to_owned());
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            self.console.close_group();
        }
    }

    fn warning(&mut self, warning: &Warning) {
        let Ok(short) = STANDARD.decode(&warning.short) else {
            return;
        };
        self.close();
        let line = warning.range.first().map(|range| range.start.line);
        let place = line.map(|line| Place {
            file: self.dockerfile.clone(),
            line,
        });
        self.console.warning(place.as_ref(), &text_of(&short));
    }

    /// The source excerpt and the last error are worth showing; the rest is kept for [`Failure`].
    fn plain_text(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        self.report_finished(&[]);
        self.close();
        if !line.starts_with("ERROR: ") {
            self.console.say(&clipped(line));
        }
        self.plain.push_back(clipped(line));
        if self.plain.len() > PLAIN_LINES_KEPT {
            self.plain.pop_front();
        }
    }
}

/// `[internal]` steps are the engine's own; they earn a line only when they take time.
fn is_worth_a_line(step: &Step) -> bool {
    !["[internal]", "[auth]"]
        .iter()
        .any(|own| step.title.starts_with(own))
        || step.has_log
        || step.spent >= TimeDelta::seconds(1)
}

/// The first line of an instruction, not longer than a screen is wide.
fn title(name: &str) -> String {
    let first = name.lines().next().unwrap_or_default();
    let short: String = first.chars().take(120).collect();
    if short.len() < name.len() {
        format!("{short}…")
    } else {
        short
    }
}

fn seconds(time: TimeDelta) -> String {
    let tenths = (time.num_milliseconds() + 50) / 100;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

fn text_of(bytes: &[u8]) -> String {
    clipped(&String::from_utf8_lossy(bytes))
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(LONGEST_LINE) {
        Some((at, _)) => format!("{}… ({} bytes more)", &text[..at], text.len() - at),
        None => text.to_owned(),
    }
}

/// The number in `Dockerfile:3`, the line buildx puts above its excerpt of the source.
fn failing_line(text: &str) -> Option<u32> {
    let (file, line) = text.rsplit_once(':')?;
    let bare = !file.is_empty() && !file.contains(char::is_whitespace);
    bare.then(|| line.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::{Reader, Stream};

    fn progress(lines: &[&str]) -> Failure {
        let console = Console {
            reader: Reader::Person,
            stream: Stream::Stderr,
        };
        let mut progress = Progress::new(console, "Dockerfile".to_owned());
        lines.iter().for_each(|line| progress.line(line.as_bytes()));
        progress.finish()
    }

    #[test]
    fn a_failed_instruction_names_its_step_cause_and_line() {
        let vertex = r#"{"vertexes":[{"digest":"sha256:1","name":"[2/2] RUN false","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:01Z","error":"process \"false\" did not complete successfully: exit code: 1"}]}"#;
        let failure = progress(&[
            vertex,
            "Dockerfile:2",
            "--------",
            "   2 | >>> RUN false",
            "ERROR: failed to build: failed to solve: process",
        ]);
        let expected = Failure {
            step: Some("[2/2] RUN false".to_owned()),
            cause: "process \"false\" did not complete successfully: exit code: 1".to_owned(),
            line: Some(2),
            while_pushing: false,
        };
        assert_eq!(failure, expected);
    }

    #[test]
    fn a_refused_push_is_told_from_a_failed_build() {
        let vertex = r#"{"vertexes":[{"digest":"sha256:1","name":"exporting to image","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:01Z","error":"failed to push localhost:5000/a/b:1: connection refused"}]}"#;
        let failure = progress(&[vertex]);
        assert!(failure.while_pushing);
        assert_eq!(
            failure.cause,
            "failed to push localhost:5000/a/b:1: connection refused"
        );
    }

    #[test]
    fn a_failure_before_any_step_is_the_last_error_line() {
        let failure = progress(&[
            "ERROR: failed to build: failed to solve: failed to read dockerfile: open Nope: no such file or directory",
        ]);
        assert_eq!(
            failure.cause,
            "failed to read dockerfile: open Nope: no such file or directory"
        );
        assert_eq!(failure.step, None);
    }

    #[test]
    fn titles_are_one_short_line() {
        assert_eq!(title("RUN a\nb"), "RUN a…");
        assert_eq!(seconds(TimeDelta::milliseconds(1260)), "1.3 s");
    }
}
