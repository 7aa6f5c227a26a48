//! `Rate`: the primary rate limit of the API (pure).
//!
//! <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>

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

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn limit_is_per_hour() {
        let mut rate = Rate::new(2);
        let taken = [100, 200, 300, 3699, 3700, 3701].map(|now| rate.take(now));
        assert_eq!(taken, [true, true, false, false, true, true]);
        assert_eq!(rate.headers()[1], ("x-ratelimit-remaining", "0".to_owned()));
        assert_eq!(rate.headers()[3], ("x-ratelimit-reset", "7300".to_owned()));
    }
}
