//! `Step`: the state of one build step.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use crate::buildx::progress::lines::{Lines, clipped};
use crate::buildx::progress::messages::{Activity, Vertex};
use crate::buildx::progress::record::{End, Span, Traffic};
use crate::console::{duration, size};

#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(crate) title: String,
    began: Option<DateTime<Utc>>,
    /// When it began the last time: BuildKit ends some steps and begins them again.
    resumed: Option<DateTime<Utc>>,
    before: TimeDelta,
    spent: TimeDelta,
    is_cached: bool,
    /// How it ended; nothing while it runs or waits.
    pub(crate) end: Option<End>,
    pub(crate) lines: Lines,
    /// The last lines of its log.
    pub(crate) tail: VecDeque<String>,
    /// Lines that are not printed yet.
    pub(crate) waiting: Vec<String>,
    pub(crate) has_group: bool,
    /// Whether its end was printed.
    pub(crate) is_printed: bool,
    /// What it does now.
    pub(crate) activity: String,
    moved: HashMap<String, u64>,
    pushing: Option<(DateTime<Utc>, TimeDelta)>,
}

const MAX_TITLE: usize = 120;
const MAX_NAME: usize = 4 * MAX_TITLE;
const MAX_ACTIVITY: usize = 160;
const TAIL_LINES: usize = 20;
const MAX_TAIL_LINE: usize = 500;
/// Transfers of a step that are counted; a usual step has a few dozen.
const MAX_TRANSFERS: usize = 1000;

impl Step {
    /// Takes what the engine says of the step now.
    pub(crate) fn update(&mut self, vertex: &Vertex<'_>) {
        self.title = title(&vertex.name);
        self.is_cached |= vertex.cached;
        let Some(started) = vertex.started else {
            return;
        };
        self.began.get_or_insert(started);
        if self.resumed != Some(started) {
            (self.resumed, self.before) = (Some(started), self.spent);
        }
        self.end = vertex.completed.map(|completed| {
            self.spent = self.before + (completed - started).max(TimeDelta::zero());
            match &*vertex.error {
                "" if self.is_cached && self.spent < TimeDelta::seconds(1) => End::Cached,
                "" => End::Done,
                error if error.ends_with("context canceled") => End::Stopped,
                _ => End::Failed,
            }
        });
    }

    pub(crate) fn act(&mut self, activity: &Activity<'_>) {
        let is_known = self.moved.contains_key(&*activity.id);
        if is_known || self.moved.len() < MAX_TRANSFERS {
            self.moved.insert(
                clipped(&activity.id, MAX_ACTIVITY).into_owned(),
                activity.current,
            );
        }
        if let ("pushing layers", Some(began)) = (&*activity.id, activity.started) {
            let end = activity.completed.or(activity.timestamp).unwrap_or(began);
            self.pushing = Some((began, end - began));
        }
        let name = clipped(activity.id.trim_end_matches(':'), MAX_ACTIVITY);
        self.activity = match activity.current {
            _ if activity.completed.is_some() => String::new(),
            0 => name.into_owned(),
            bytes => format!("{name} {}", size(bytes)),
        };
    }

    /// Keeps the last lines, for the case that it fails.
    pub(crate) fn remember(&mut self, lines: &[Cow<'_, str>]) {
        for line in &lines[lines.len().saturating_sub(TAIL_LINES)..] {
            if self.tail.len() == TAIL_LINES {
                self.tail.pop_front();
            }
            self.tail
                .push_back(clipped(line, MAX_TAIL_LINE).into_owned());
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.began.is_some() && self.end.is_none()
    }

    pub(crate) fn running_for(&self, now: DateTime<Utc>) -> TimeDelta {
        self.began.map_or(TimeDelta::zero(), |began| now - began)
    }

    /// Ends it when the engine did not: its process is gone.
    pub(crate) fn stop(&mut self, now: DateTime<Utc>) {
        if let Some(resumed) = self.resumed.filter(|_| self.end.is_none()) {
            self.spent = self.before + (now - resumed);
            self.end = Some(End::Stopped);
        }
    }

    /// Steps of the Dockerfile begin with their place in it; `[internal]` ones belong to BuildKit.
    pub(crate) fn is_of_the_dockerfile(&self) -> bool {
        self.title.starts_with('[') && !self.is_internal()
    }

    fn is_internal(&self) -> bool {
        ["[internal]", "[auth]"]
            .iter()
            .any(|own| self.title.starts_with(own))
    }

    /// Internal steps get a line only when they take time or transfer data.
    pub(crate) fn is_worth_a_line(&self) -> bool {
        !self.is_internal()
            || self.has_group
            || !self.waiting.is_empty()
            || self.end == Some(End::Failed)
            || self.spent >= TimeDelta::seconds(1)
            || self.moved_bytes() >= 1_000_000
    }

    pub(crate) fn traffic(&self) -> Traffic {
        let sum = |which: &dyn Fn(&str) -> bool| {
            let moved = self.moved.iter().filter(|(id, _)| which(id));
            moved.map(|(_, bytes)| bytes).sum()
        };
        let sends = ["exporting", "pushing"]
            .iter()
            .any(|word| self.title.starts_with(word));
        let is_layer = |id: &str| {
            ["sha256:", "pushing sha256:", "writing layer "]
                .iter()
                .any(|start| id.starts_with(start))
        };
        Traffic {
            context: sum(&|id| id.starts_with("transferring ")),
            pulled: sum(&|id| is_layer(id) && !sends),
            pushed: sum(&|id| is_layer(id) && sends),
        }
    }

    fn moved_bytes(&self) -> u64 {
        let Traffic {
            context,
            pulled,
            pushed,
        } = self.traffic();
        context + pulled + pushed
    }

    /// How it ended, in words: `cached`, `2.0 s`, `failed after 2.0 s`.
    pub(crate) fn result(&self) -> String {
        let time = duration(self.spent);
        match self.end {
            Some(End::Cached) => "cached".to_owned(),
            Some(End::Failed) => format!("failed after {time}"),
            Some(End::Stopped) => format!("stopped after {time}"),
            Some(End::Done) | None => {
                let load = Some(self.moved_bytes()).filter(|bytes| *bytes >= 1000);
                let load = load.map(|bytes| format!(", {}", size(bytes)));
                let pushing = self
                    .pushing
                    .filter(|(_, time)| *time >= TimeDelta::milliseconds(100));
                let pushing =
                    pushing.map(|(_, time)| format!(", {} of it pushing", duration(time)));
                [Some(time), load, pushing].into_iter().flatten().collect()
            }
        }
    }

    /// Its places in the timeline of a build that began at `origin`.
    pub(crate) fn spans(&self, origin: DateTime<Utc>) -> Vec<Span> {
        let (Some(began), Some(end)) = (self.began, self.end) else {
            return Vec::new();
        };
        let span = |title: &str, start: DateTime<Utc>, duration| Span {
            title: title.to_owned(),
            start: start - origin,
            duration,
            end,
        };
        let pushing = self
            .pushing
            .map(|(began, time)| span("pushing layers", began, time));
        let own = span(&self.title, began, self.spent);
        std::iter::once(own).chain(pushing).collect()
    }

    /// Frees what is not needed after the end was printed.
    pub(crate) fn forget(&mut self) {
        (self.lines, self.waiting) = (Lines::default(), Vec::new());
        (self.moved, self.activity) = (HashMap::new(), String::new());
        if self.end != Some(End::Failed) {
            self.tail = VecDeque::new();
        }
    }
}

/// The first line of an instruction, its digests short, not longer than a screen is wide.
fn title(name: &str) -> String {
    let first = name.lines().next().unwrap_or_default();
    let mut short = String::new();
    for (number, part) in clipped(first, MAX_NAME).split("@sha256:").enumerate() {
        let digits = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        match (number, digits) {
            (0, _) => short.push_str(part),
            (_, 64..) => short += &format!("@sha256:{}…{}", &part[..12], &part[64..]),
            _ => short += &format!("@sha256:{part}"),
        }
    }
    match short.char_indices().nth(MAX_TITLE) {
        Some((at, _)) => format!("{}…", &short[..at]),
        None if first.len() < name.len() => format!("{short}…"),
        None => short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_one_short_line() {
        assert_eq!(title("RUN a\nb"), "RUN a…");
        assert_eq!(title(&"é".repeat(200)), format!("{}…", "é".repeat(120)));
        let name = format!("[1/2] FROM a@sha256:{} AS b", "0".repeat(64));
        assert_eq!(title(&name), "[1/2] FROM a@sha256:000000000000… AS b");
    }

    #[track_caller]
    fn check(messages: &[&str], expected: &str) {
        let mut step = Step::default();
        for message in messages {
            step.update(&serde_json::from_str(message).unwrap());
        }
        assert_eq!(step.result(), expected);
    }

    #[test]
    fn a_step_that_begins_again_counts_all_its_time_once() {
        let first =
            r#"{"digest":"a","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:02Z"}"#;
        let again =
            r#"{"digest":"a","started":"2026-01-01T00:00:05Z","completed":"2026-01-01T00:00:06Z"}"#;
        check(&[first, first], "2.0 s");
        check(&[first, again, again], "3.0 s");
    }

    #[test]
    fn a_step_says_how_it_ended() {
        let end = |rest: &str| {
            format!(
                r#"{{"digest":"a","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:00.1Z",{rest}}}"#
            )
        };
        check(&[&end(r#""cached":true"#)], "cached");
        check(&[&end(r#""error":"exit code: 1""#)], "failed after 0.1 s");
        check(
            &[&end(r#""error":"x: context canceled""#)],
            "stopped after 0.1 s",
        );
    }
}
