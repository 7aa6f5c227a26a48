//! Decodes the progress of buildx (`rawjson`) into log groups, annotations and timings.
//!
//! Log bytes are base64 in the engine's messages, so no output of a build reaches the log without sanitizing.

pub(crate) mod exported;
mod lines;
pub(crate) mod messages;
pub(crate) mod push_watch;
pub(crate) mod record;
mod render;
mod step;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc::UnboundedSender;

use crate::buildx::progress::exported::{Exported, Pushed};
use crate::buildx::progress::lines::Ending;
use crate::buildx::progress::messages::{Activity, Log, Message, Status, Vertex};
use crate::buildx::progress::push_watch::{is_export_of_cache, is_import_of_cache};
use crate::buildx::progress::record::{End, Timeline, Warnings};
use crate::buildx::progress::render::LogRenderer;
use crate::console::Console;
use crate::error::FilePosition;

/// What a build did before it ended.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) timeline: Timeline,
    pub(crate) warnings: Warnings,
    /// Why a cache was not exported, which fails no build that ignores it.
    pub(crate) unwritten_cache: Option<String>,
    /// The denial of a cache service that was asked for a cache, which fails no build.
    pub(crate) unread_cache: Option<String>,
}

impl Record {
    /// Why a build that succeeded will be slower the next time, or was slower than it could be.
    pub(crate) fn notices(&self) -> impl Iterator<Item = String> {
        let unread = self.unread_cache.iter();
        let unread = unread.map(|error| format!("a cache was not read: {error}"));
        let unwritten = self.unwritten_cache.iter();
        unread.chain(unwritten.map(|error| format!("a cache was not written: {error}")))
    }
}

/// The failure of a build, in the words of buildx.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Title of the step that failed.
    pub(crate) step: Option<String>,
    pub(crate) cause: String,
    pub(crate) place: Option<FilePosition>,
    /// The source around that position.
    pub(crate) excerpt: Vec<String>,
    /// The last lines of the step's log.
    pub(crate) log: Vec<String>,
    pub(crate) while_pushing: bool,
}

/// Reads the messages of buildx and prints them.
pub(crate) struct Progress {
    /// The Dockerfile's path in the repository.
    dockerfile: String,
    renderer: LogRenderer,
    /// The engine's clock.
    now: Option<DateTime<Utc>>,
    /// Steps that ended in the message before: BuildKit may begin one again in this.
    ended: Vec<String>,
    failed: Option<(String, String)>,
    /// The export of a cache, which fails the build only if no other step does.
    failed_export: Option<(String, String)>,
    denied_import: Option<String>,
    warnings: Warnings,
    exported: Exported,
    /// Gets each image when it has been pushed.
    pushed: Option<UnboundedSender<Pushed>>,
    ending: Ending,
}

const MAX_PLAIN_LINE: usize = 16 * 1024;
const MAX_CAUSE: usize = 600;

impl Progress {
    pub(crate) fn new(console: Console, dockerfile: String) -> Self {
        Self {
            dockerfile,
            renderer: LogRenderer::new(console),
            now: None,
            ended: Vec::new(),
            failed: None,
            failed_export: None,
            denied_import: None,
            warnings: Warnings::default(),
            exported: Exported::default(),
            pushed: None,
            ending: Ending::default(),
        }
    }

    pub(crate) fn telling(self, pushed: Option<UnboundedSender<Pushed>>) -> Self {
        Self { pushed, ..self }
    }

    pub(crate) fn see(&mut self, message: &Message<'_>) {
        match message {
            Message::Status(status) => self.status(status),
            Message::Text(line) => self.text(line),
        }
    }

    fn text(&mut self, line: &[u8]) {
        let line = &line[..line.len().min(MAX_PLAIN_LINE)];
        let line = String::from_utf8_lossy(line);
        if let Some(line) = self.ending.take(line.trim_end_matches('\r')) {
            self.renderer.outside_groups().say(line);
        }
    }

    /// Called every second without a message; `quiet` is how long that has lasted.
    pub(crate) fn idle(&mut self, quiet: TimeDelta) {
        self.print_ended(&[]);
        self.renderer.idle(self.now, quiet);
    }

    /// Prints what is left; returns the failure if the build failed.
    pub(crate) fn finish(mut self) -> (Record, Failure) {
        self.print_ended(&[]);
        self.renderer.finish(self.now);
        self.print_warnings();
        let failure = self.failure();
        let mut timeline = std::mem::take(&mut self.renderer.timeline);
        let total = self.renderer.origin.zip(self.now);
        timeline.total = total.map_or(TimeDelta::zero(), |(origin, now)| now - origin);
        let warnings = std::mem::take(&mut self.warnings);
        let record = Record {
            timeline,
            warnings,
            unwritten_cache: self.failed_export.map(|(_, error)| shortened(&error)),
            unread_cache: self.denied_import.as_deref().map(shortened),
        };
        (record, failure)
    }

    fn status(&mut self, status: &Status<'_>) {
        self.now = self.now.max(status.time());
        self.renderer.origin = self.renderer.origin.or(self.now);
        self.print_ended(&status.vertexes);
        status
            .vertexes
            .iter()
            .for_each(|vertex| self.vertex(vertex));
        status
            .statuses
            .iter()
            .for_each(|activity| self.activity(activity));
        status.logs.iter().for_each(|log| self.log(log));
        status
            .warnings
            .iter()
            .for_each(|warning| self.warnings.add(warning));
        self.renderer.print_overdue(self.now);
    }

    fn vertex(&mut self, vertex: &Vertex<'_>) {
        let digest = vertex.digest.as_ref();
        if !self.renderer.steps.contains_key(digest) {
            self.renderer
                .steps
                .insert(digest.to_owned(), step::Step::default());
        }
        let Some(step) = self.renderer.steps.get_mut(digest) else {
            return;
        };
        step.update(vertex);
        if step.end.is_some() && !self.ended.iter().any(|ended| ended == digest) {
            self.ended.push(digest.to_owned());
        }
        if step.end == Some(End::Failed) {
            self.failed(vertex);
        }
    }

    fn failed(&mut self, vertex: &Vertex<'_>) {
        let failed = || (vertex.digest.to_string(), vertex.error.to_string());
        if is_import_of_cache(&vertex.name) {
            // That a cache does not exist yet is an error for BuildKit, and no news.
            let denied = vertex.error.contains("cache read denied:");
            self.denied_import = self.denied_import.take().or(denied.then(|| failed().1));
        } else if is_export_of_cache(&vertex.name) {
            self.failed_export.get_or_insert_with(failed);
        } else {
            self.failed.get_or_insert_with(failed);
        }
    }

    fn activity(&mut self, activity: &Activity<'_>) {
        let pushed = self.exported.see(activity);
        if let Some((pushed, teller)) = pushed.zip(self.pushed.as_ref()) {
            // Nobody has to listen.
            let _unheard = teller.send(pushed);
        }
        if let Some(step) = self.renderer.steps.get_mut(&*activity.vertex) {
            step.act(activity);
        }
    }

    fn log(&mut self, log: &Log<'_>) {
        let Ok(bytes) = STANDARD.decode(log.data.as_bytes()) else {
            return;
        };
        let Some(step) = self.renderer.steps.get_mut(&*log.vertex) else {
            return;
        };
        let mut lines = Vec::new();
        step.lines.push(&bytes, |line| lines.push(line));
        step.remember(&lines);
        self.renderer.log(&log.vertex, lines, self.now);
    }

    /// Prints the steps that ended in an earlier message and are not in this one.
    fn print_ended(&mut self, again: &[Vertex<'_>]) {
        for digest in std::mem::take(&mut self.ended) {
            let step = self.renderer.steps.get(&digest);
            if again.iter().any(|vertex| *vertex.digest == digest) {
                self.ended.push(digest);
            } else if step.is_some_and(|step| step.end.is_some()) {
                self.renderer.ended(&digest, self.now);
            }
        }
    }

    fn print_warnings(&mut self) {
        let console = self.renderer.outside_groups();
        for warning in self.warnings.shown() {
            let place = self.place(warning.file.as_deref(), warning.line);
            console.warning(place.as_ref(), &warning.lines());
        }
        match self.warnings.more() {
            0 => {}
            more => console.warning(
                None,
                &format!(
                    "{more} more findings in the Dockerfile; `docker build --check` lists them"
                ),
            ),
        }
    }

    fn failure(&self) -> Failure {
        let (step, error) = match self.failed.as_ref().or(self.failed_export.as_ref()) {
            Some((digest, error)) => (self.renderer.steps.get(digest), Some(error.clone())),
            None => (None, None),
        };
        let cause = error.or_else(|| self.ending.error()).unwrap_or_default();
        let spot = self.ending.spot();
        let while_pushing = cause.starts_with("failed to push");
        Failure {
            step: step.map(|step| step.title.clone()),
            cause: shortened(
                cause
                    .trim_start_matches("failed to build: ")
                    .trim_start_matches("failed to solve: "),
            ),
            place: spot.and_then(|spot| self.place(Some(&spot.file), Some(spot.line))),
            excerpt: self.ending.excerpt(),
            log: step
                .map(|step| step.tail.iter().cloned().collect())
                .unwrap_or_default(),
            while_pushing,
        }
    }

    /// A line of the Dockerfile; the engine knows that file by its last name only.
    fn place(&self, file: Option<&str>, line: Option<u32>) -> Option<FilePosition> {
        let own = Path::new(&self.dockerfile).file_name()?.to_str()?;
        let line = line.filter(|_| file.is_none_or(|file| file == own))?;
        let file = self.dockerfile.clone();
        Some(FilePosition { file, line })
    }
}

/// `text` without its middle when it is long: the engine repeats a whole script before it says what is wrong.
fn shortened(text: &str) -> String {
    if text.len() <= MAX_CAUSE {
        return text.to_owned();
    }
    let begin = &text[..text.floor_char_boundary(MAX_CAUSE / 2)];
    let end = &text[text.ceil_char_boundary(text.len() - MAX_CAUSE / 2)..];
    format!("{begin} … {end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buildx::progress::messages::Decoder;

    fn failure(lines: &[&str]) -> Failure {
        let mut progress = Progress::new(Console::NOWHERE, "app/Dockerfile".to_owned());
        let mut decoder = Decoder::default();
        let mut each = |message: Message<'_>| progress.see(&message);
        decoder.push(lines.join("\n").as_bytes(), &mut each);
        decoder.finish(&mut each);
        progress.finish().1
    }

    #[test]
    fn a_failed_instruction_names_its_step_cause_place_and_log() {
        let failure = failure(&[
            r#"{"vertexes":[{"digest":"sha256:1","name":"[2/2] RUN false","started":"2026-01-01T00:00:00Z"}]}"#,
            r#"{"logs":[{"vertex":"sha256:1","stream":1,"data":"YQpi","timestamp":"2026-01-01T00:00:00Z"}]}"#,
            r#"{"vertexes":[{"digest":"sha256:1","name":"[2/2] RUN false","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:01Z","error":"process \"false\" did not complete successfully: exit code: 1"}]}"#,
            "Dockerfile:2",
            "--------",
            "   2 | >>> RUN false",
            "--------",
            "ERROR: failed to build: failed to solve: process",
        ]);
        let expected = Failure {
            step: Some("[2/2] RUN false".to_owned()),
            cause: "process \"false\" did not complete successfully: exit code: 1".to_owned(),
            place: Some(FilePosition {
                file: "app/Dockerfile".to_owned(),
                line: 2,
            }),
            excerpt: vec!["   2 | >>> RUN false".to_owned()],
            log: vec!["a".to_owned(), "b".to_owned()],
            while_pushing: false,
        };
        assert_eq!(failure, expected);
    }

    #[test]
    fn refused_push_differs_from_a_failed_build() {
        let vertex = r#"{"vertexes":[{"digest":"sha256:1","name":"exporting to image","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:01Z","error":"failed to push localhost:5000/a/b:1: connection refused"}]}"#;
        let failure = failure(&[vertex]);
        assert!(failure.while_pushing);
        assert_eq!(
            failure.cause,
            "failed to push localhost:5000/a/b:1: connection refused"
        );
    }

    #[test]
    fn the_failure_of_a_cache_is_not_the_failure_of_the_build() {
        let step = |digest: &str, name: &str, error: &str| {
            format!(
                r#"{{"vertexes":[{{"digest":"{digest}","name":"{name}","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:01Z","error":"{error}"}}]}}"#
            )
        };
        let import = step("1", "importing cache manifest from gha:1", "not found");
        let export = step(
            "2",
            "exporting to GitHub Actions Cache",
            "cache write denied: x",
        );
        let build = step("3", "[2/2] RUN make", "exit code: 2");
        let cause = |lines: &[&str]| failure(lines).cause;
        assert_eq!(cause(&[&import, &export, &build]), "exit code: 2");
        assert_eq!(cause(&[&import, &export]), "cache write denied: x");
        assert_eq!(cause(&[&import, "ERROR: failed to solve: y"]), "y");
    }

    #[test]
    fn a_failure_before_any_step_is_the_error_of_the_end() {
        let failure = failure(&[
            "ERROR: failed to build: failed to solve: failed to read dockerfile: open Nope: no such file or directory",
        ]);
        assert_eq!(
            failure.cause,
            "failed to read dockerfile: open Nope: no such file or directory"
        );
        assert_eq!((failure.step, failure.place), (None, None));
    }

    #[test]
    fn position_in_another_file_is_not_annotated() {
        let failure = failure(&["other.hcl:3", "---", "   3 | x", "---", "ERROR: x"]);
        assert_eq!(failure.place, None);
    }

    #[test]
    fn a_long_cause_keeps_its_ends() {
        let text = shortened(&format!("process \"{}\" failed", "é".repeat(1000)));
        assert!(
            text.starts_with("process \"é") && text.ends_with("é\" failed"),
            "{text}"
        );
        assert!(text.len() <= MAX_CAUSE + 10);
    }
}
