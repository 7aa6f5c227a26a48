//! `Rate` and `Points`: the primary rate limit of the API, and its secondary one for points (pure).
//!
//! <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>

use std::collections::VecDeque;

use hyper::Method;

/// How many requests an hour are allowed, and how many were sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) limit: u64,
    used: u64,
    /// In seconds since 1970.
    reset: u64,
}

const HOUR: u64 = 3600;

impl Rate {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            used: 0,
            reset: 0,
        }
    }

    /// Counts a request; false if it is one too many.
    pub(crate) fn take(&mut self, now: u64) -> bool {
        if now >= self.reset {
            self.used = 0;
            self.reset = now + HOUR;
        }
        let is_allowed = self.used < self.limit;
        self.used += u64::from(is_allowed);
        is_allowed
    }

    pub(crate) fn headers(&self) -> [(&'static str, String); 5] {
        [
            ("x-ratelimit-limit", self.limit.to_string()),
            (
                "x-ratelimit-remaining",
                (self.limit - self.used).to_string(),
            ),
            ("x-ratelimit-used", self.used.to_string()),
            ("x-ratelimit-reset", self.reset.to_string()),
            ("x-ratelimit-resource", "core".to_owned()),
        ]
    }
}

/// What requests cost, and how much of it a minute allows
/// (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#calculating-points-for-the-secondary-rate-limit>).
#[derive(Clone, Debug)]
pub(crate) struct Points {
    limit: u64,
    /// When they were spent, in seconds since 1970.
    spent: VecDeque<(u64, u64)>,
}

const MINUTE: u64 = 60;

impl Points {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            spent: VecDeque::new(),
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    ///
    /// If it costs too much, after how many seconds it does not.
    pub(crate) fn take(&mut self, method: &Method, now: u64) -> Result<(), u64> {
        while self.spent.front().is_some_and(|(at, _)| at + MINUTE <= now) {
            self.spent.pop_front();
        }
        let is_read = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let cost = if is_read { 1 } else { 5 };
        let spent: u64 = self.spent.iter().map(|(_, points)| points).sum();
        if spent + cost > self.limit {
            let first = self.spent.front().map_or(now, |(at, _)| *at);
            return Err((first + MINUTE).saturating_sub(now).max(1));
        }
        self.spent.push_back((now, cost));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hyper::Method;

    use super::{Points, Rate};

    #[test]
    fn points_are_per_minute() {
        let mut points = Points::new(7);
        let mut take = |method, now| points.take(&method, now);
        assert_eq!(take(Method::DELETE, 100), Ok(()));
        assert_eq!(take(Method::GET, 110), Ok(()));
        assert_eq!(take(Method::DELETE, 130), Err(30));
        assert_eq!(take(Method::GET, 130), Ok(()));
        assert_eq!(take(Method::GET, 159), Err(1));
        assert_eq!(take(Method::DELETE, 160), Ok(()));
    }

    #[test]
    fn limit_is_per_hour() {
        let mut rate = Rate::new(2);
        let taken = [100, 200, 300, 3699, 3700, 3701].map(|now| rate.take(now));
        assert_eq!(taken, [true, true, false, false, true, true]);
        assert_eq!(rate.headers()[1], ("x-ratelimit-remaining", "0".to_owned()));
        assert_eq!(rate.headers()[3], ("x-ratelimit-reset", "7300".to_owned()));
    }
}
