//! What the report shows of a build: the warnings of its checks, and the duration of each step.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;

use crate::buildx::progress::lines::clipped;
use crate::buildx::progress::messages;

/// The findings, none twice: each platform of a build repeats them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Warnings {
    list: Vec<Warning>,
    /// The number of warnings that were not kept.
    beyond: usize,
}

/// One finding (<https://docs.docker.com/reference/build-checks/>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    /// For example `FromAsCasing: 'as' and 'FROM' keywords' casing do not match`.
    pub(crate) text: String,
    pub(crate) detail: String,
    /// The page about the rule.
    pub(crate) url: String,
    /// Last name of the file, and the line.
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
}

const MAX_SHOWN: usize = 10;
const MAX_WARNINGS: usize = 200;
const MAX_TEXT: usize = 1000;

impl Warnings {
    pub(crate) fn add(&mut self, warning: &messages::Warning<'_>) {
        let decoded = |text: &str| {
            let bytes = STANDARD.decode(text).unwrap_or_default();
            clipped(&String::from_utf8_lossy(&bytes), MAX_TEXT).into_owned()
        };
        let line = warning.range.first().map(|range| range.start.line);
        let text = decoded(&warning.short);
        let repeated = line.map(|line| format!(" (line {line})"));
        let text = repeated
            .and_then(|repeated| text.strip_suffix(&repeated))
            .unwrap_or(&text);
        let warning = Warning {
            text: text.to_owned(),
            detail: warning
                .detail
                .first()
                .map(|text| decoded(text))
                .unwrap_or_default(),
            url: clipped(&warning.url, MAX_TEXT).into_owned(),
            file: warning
                .source
                .as_ref()
                .map(|source| source.filename.clone()),
            line,
        };
        if warning.text.is_empty() || self.list.contains(&warning) {
            return;
        }
        if self.list.len() < MAX_WARNINGS {
            self.list.push(warning);
        } else {
            self.beyond += 1;
        }
    }

    /// The warnings that get an annotation.
    pub(crate) fn shown(&self) -> &[Warning] {
        &self.list[..self.list.len().min(MAX_SHOWN)]
    }

    /// The number of other warnings.
    pub(crate) fn more(&self) -> usize {
        self.list.len() - self.shown().len() + self.beyond
    }
}

impl Warning {
    /// The text, the detail and the URL, one per line.
    pub(crate) fn lines(&self) -> String {
        let parts = [&self.text, &self.detail, &self.url];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        parts.map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// The steps of a build with their times, counted from its first message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timeline {
    /// In the order they began; the longest ones when there are very many.
    pub(crate) spans: Vec<Span>,
    pub(crate) total: TimeDelta,
    /// Steps of the Dockerfile that ran or came from the cache.
    pub(crate) steps: usize,
    /// Those of them that came from the cache.
    pub(crate) cached: usize,
    pub(crate) traffic: Traffic,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) title: String,
    pub(crate) start: TimeDelta,
    pub(crate) duration: TimeDelta,
    pub(crate) end: End,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Cached,
    Failed,
    /// Another step failed first.
    Stopped,
}

/// Bytes that the engine says it moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Context and Dockerfile, to the builder.
    pub(crate) context: u64,
    /// Base images and cache, from registries.
    pub(crate) pulled: u64,
    /// Layers, to the registry; unknown to an engine that does not count them.
    pub(crate) pushed: u64,
}

impl std::ops::AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.context += other.context;
        self.pulled += other.pulled;
        self.pushed += other.pushed;
    }
}

const MAX_SPANS: usize = 200;

impl Timeline {
    pub(crate) fn add(&mut self, span: Span) {
        let later = self
            .spans
            .partition_point(|other| other.start <= span.start);
        self.spans.insert(later, span);
        if self.spans.len() > MAX_SPANS {
            let durations = self.spans.iter().map(|span| span.duration).enumerate();
            let shortest = durations.min_by_key(|(_, duration)| *duration);
            shortest.map(|(at, _)| self.spans.remove(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_steps_are_kept_in_their_order() {
        let mut timeline = Timeline::default();
        for number in 0..1000 {
            timeline.add(Span {
                title: number.to_string(),
                start: TimeDelta::seconds(number),
                duration: TimeDelta::seconds(number % 10),
                end: End::Done,
            });
        }
        assert_eq!(timeline.spans.len(), MAX_SPANS);
        assert!(timeline.spans.is_sorted_by_key(|span| span.start));
        assert!(
            timeline
                .spans
                .iter()
                .all(|span| span.duration >= TimeDelta::seconds(8))
        );
    }
}
