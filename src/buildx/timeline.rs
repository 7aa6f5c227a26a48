//! `Timeline`: the duration of each step of a build.

use chrono::TimeDelta;

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
