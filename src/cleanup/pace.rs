//! `Points`: keeps requests below GitHub's secondary rate limit.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// What was spent in the last minute
/// (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#calculating-points-for-the-secondary-rate-limit>).
#[derive(Debug, Default)]
pub(super) struct Points {
    spent: VecDeque<(Instant, u32)>,
}

/// A minute has 900 points: 180 deletions, or fewer with reads between them.
const LIMIT: u32 = 900;
const MINUTE: Duration = Duration::from_secs(60);

pub(super) const READ: u32 = 1;
pub(super) const WRITE: u32 = 5;

impl Points {
    /// Waits until a request with this cost is allowed, and counts it.
    pub(super) async fn spend(&mut self, cost: u32) {
        while let Err(until) = self.take(cost, Instant::now()) {
            sleep_until(until).await;
        }
    }

    /// Counts a request. If it costs too much, says when the oldest request no longer counts.
    fn take(&mut self, cost: u32, now: Instant) -> Result<(), Instant> {
        while self
            .spent
            .front()
            .is_some_and(|(at, _)| *at + MINUTE <= now)
        {
            self.spent.pop_front();
        }
        let spent: u32 = self.spent.iter().map(|(_, points)| points).sum();
        match self.spent.front() {
            Some((oldest, _)) if spent + cost > LIMIT => Err(*oldest + MINUTE),
            _ => {
                self.spent.push_back((now, cost));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds at which each deletion is sent, if a request takes a tenth of a second.
    fn times(costs: &[u32]) -> Vec<f64> {
        let (mut points, start) = (Points::default(), Instant::now());
        let mut now = start;
        let mut times = Vec::new();
        for _deletion in 0..400 {
            for cost in costs {
                while let Err(until) = points.take(*cost, now) {
                    now = until;
                }
                now += Duration::from_millis(100);
            }
            times.push((now - start).as_secs_f64());
        }
        times
    }

    #[test]
    fn minute_has_180_deletions_or_150_with_a_read_before_each() {
        for (costs, expected) in [(&[WRITE][..], 180), (&[READ, WRITE], 150)] {
            let times = times(costs);
            let in_minute = |from: &f64| {
                let is_in = |time: &&f64| **time >= *from && **time < from + 60.0;
                times.iter().filter(is_in).count()
            };
            assert_eq!(times.iter().map(in_minute).max(), Some(expected));
        }
    }
}
