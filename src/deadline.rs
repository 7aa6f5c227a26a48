//! Deadlines and retry delays: requests are retried until a deadline, not a number of times.

use std::fmt;
use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use tokio::time::Instant;
use tokio::time::error::Elapsed;

use crate::console::Console;

/// How fast time passes for everything that waits: in tests a minute takes a fraction of a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    waits: u32,
    limits: u32,
}

impl Pace {
    pub(crate) const REAL: Self = Self {
        waits: 1,
        limits: 1,
    };

    /// A second takes only `1 / times` of one.
    #[cfg(test)]
    pub(crate) fn times(times: u32) -> Self {
        Self {
            waits: times,
            limits: times,
        }
    }

    /// The same for what we wait for of our own; answers of others have their real time.
    #[cfg(test)]
    pub(crate) fn waiting(times: u32) -> Self {
        Self {
            waits: times,
            limits: 1,
        }
    }

    pub(crate) async fn sleep(self, time: Duration) {
        tokio::time::sleep(time / self.waits).await;
    }

    pub(crate) async fn timeout<F: Future>(
        self,
        time: Duration,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        tokio::time::timeout(time / self.limits, future).await
    }

    /// A limit for what knows real time only.
    pub(crate) fn limit(self, time: Duration) -> Duration {
        time / self.limits
    }

    pub(crate) fn since(self, start: Instant) -> Duration {
        start.elapsed() * self.waits
    }
}

/// Waits between tries: 1 s, doubled each time up to 30 s, each shortened at random by up to the whole
/// (full jitter), so that many publishers do not come back at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    start: Instant,
    time: Duration,
    pace: Pace,
}

const FIRST_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(30);

impl Deadline {
    pub(crate) fn after(time: Duration, pace: Pace) -> Self {
        Self {
            start: Instant::now(),
            time,
            pace,
        }
    }

    /// The same, but for at most `time` from now.
    pub(crate) fn at_most(&self, time: Duration) -> Self {
        Self::after(self.left().min(time), self.pace)
    }

    pub(crate) fn pace(&self) -> Pace {
        self.pace
    }

    /// Whether the deadline has passed.
    pub(crate) fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    fn left(&self) -> Duration {
        self.time.saturating_sub(self.pace.since(self.start))
    }

    /// The retry after `tries` tries, at least as late as the server asked, the last one at the deadline; none when
    /// the server asked for more time, or the deadline has passed.
    pub(crate) fn retry(&self, tries: u32, asked: Option<Duration>) -> Option<Retry> {
        let left = self.left();
        let delay = jittered(max_wait(tries)).min(left);
        let delay = delay.max(asked.unwrap_or_default());
        (delay <= left && !left.is_zero()).then_some(Retry {
            number: tries,
            delay,
            left,
            pace: self.pace,
        })
    }

    /// Calls `attempt` with its number, from 1, until it succeeds, fails for good, or the deadline passes. Each retry is
    /// logged behind what `describe` says of the failure.
    pub(crate) async fn retried<T, E>(
        &self,
        console: Console,
        describe: impl Fn(&E) -> String,
        mut attempt: impl AsyncFnMut(u32) -> Result<T, Failure<E>>,
    ) -> Result<T, E> {
        let mut tries = 0;
        loop {
            tries += 1;
            let (error, asked) = match attempt(tries).await {
                Ok(value) => return Ok(value),
                Err(Failure::Permanent(error)) => return Err(error),
                Err(Failure::Transient(error, asked)) => (error, asked),
            };
            let Some(retry) = self.retry(tries, asked) else {
                return Err(error);
            };
            console.say(&format!("{}; {retry}", describe(&error)));
            retry.wait().await;
        }
    }

    /// Waits for the retry after `tries` tries; false when the deadline would pass.
    pub(crate) async fn wait(&self, tries: u32, asked: Option<Duration>) -> bool {
        match self.retry(tries, asked) {
            Some(retry) => {
                retry.wait().await;
                true
            }
            None => false,
        }
    }
}

/// Why an attempt failed.
pub(crate) enum Failure<E> {
    /// The next attempt would fail too.
    Permanent(E),
    /// A later attempt may succeed, after the delay that the server asked for.
    Transient(E, Option<Duration>),
}

/// A try that follows a failed one. Shown as `retry 3 in 4 s, giving up in 14 min`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    number: u32,
    delay: Duration,
    /// Until the deadline.
    left: Duration,
    pace: Pace,
}

impl Retry {
    pub(crate) async fn wait(self) {
        self.pace.sleep(self.delay).await;
    }
}

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, delay, left) = (self.number, rounded(self.delay), rounded(self.left));
        write!(f, "retry {number} in {delay}, giving up in {left}")
    }
}

/// Whole seconds, rounded up; whole minutes from two minutes on.
fn rounded(time: Duration) -> String {
    let seconds = time.as_secs_f64().ceil();
    if seconds < 120.0 {
        format!("{seconds} s")
    } else {
        format!("{} min", (seconds / 60.0).round())
    }
}

fn max_wait(tries: u32) -> Duration {
    FIRST_WAIT
        .saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)))
        .min(MAX_WAIT)
}

fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(fastrand::f64())
}

/// The header `Retry-After` in seconds or as a date
/// (<https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>), seen from the server's own clock.
pub(crate) fn retry_after(value: &str, server_date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let parse = |text: &str| chrono::DateTime::parse_from_rfc2822(text.trim()).ok();
    (parse(value)? - parse(server_date?)?).to_std().ok()
}

/// The delay in a message such as `retry-after: 1.16676ms, allowed: 44000/minute`, which GHCR gives
/// instead of the header.
pub(crate) fn retry_after_in_message(said: &str) -> Option<Duration> {
    static HINT: LazyLock<Regex> = LazyLock::new(|| {
        let hint = r"retry-after: *([0-9.]+)(ns|us|µs|ms|s|m)(?-u:\b)";
        Regex::new(hint).expect("a duration as Go writes it")
    });
    let said = said.to_lowercase();
    let hint = HINT.captures(&said)?;
    let number: f64 = hint[1].parse().ok()?;
    let seconds = match &hint[2] {
        "ns" => number / 1e9,
        "us" | "µs" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        _minutes => number * 60.0,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute() {
        let seconds: Vec<u64> = [1, 2, 3, 6, 40]
            .map(|tries| max_wait(tries).as_secs())
            .into();
        assert_eq!(seconds, [1, 2, 4, 30, 30]);
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let date = Some("Fri, 20 Nov 2026 10:00:00 GMT");
        assert_eq!(retry_after("5", None), Some(Duration::from_secs(5)));
        assert_eq!(
            retry_after("Fri, 20 Nov 2026 10:00:30 GMT", date),
            Some(Duration::from_secs(30))
        );
        assert_eq!(retry_after("Fri, 20 Nov 2026 09:00:00 GMT", date), None);
        assert_eq!(retry_after("soon", date), None);
    }

    #[test]
    fn the_hint_in_a_message_is_read() {
        let check = |said, expected| assert_eq!(retry_after_in_message(said), expected);
        let ghcr = "toomanyrequests: retry-after: 1.16676ms, allowed: 44000/minute";
        check(ghcr, Some(Duration::from_nanos(1_166_760)));
        check("Retry-After: 2s", Some(Duration::from_secs(2)));
        check("retry-after: 1.5m", Some(Duration::from_secs(90)));
        check("retry-after: soon", None);
        check("slow down", None);
    }

    #[test]
    fn a_retry_says_its_number_delay_and_deadline() {
        let check = |delay: f64, left, expected: &str| {
            let retry = Retry {
                number: 3,
                delay: Duration::from_secs_f64(delay),
                left: Duration::from_secs(left),
                pace: Pace::REAL,
            };
            assert_eq!(retry.to_string(), expected);
        };
        check(3.2, 840, "retry 3 in 4 s, giving up in 14 min");
        check(0.0, 119, "retry 3 in 0 s, giving up in 119 s");
        check(300.0, 899, "retry 3 in 5 min, giving up in 15 min");
    }

    #[test]
    fn last_retry_is_at_the_deadline() {
        let deadline = Deadline::after(Duration::from_secs(5), Pace::REAL);
        for _random in 0..20 {
            let retry = deadline.retry(40, None).unwrap();
            assert!(retry.delay <= Duration::from_secs(5), "{retry}");
        }
        let over = deadline.at_most(Duration::ZERO);
        assert!(over.retry(1, None).is_none());
    }

    #[tokio::test]
    async fn no_retry_waits_past_the_deadline() {
        let deadline = Deadline::after(Duration::from_secs(5), Pace::REAL);
        assert!(!deadline.wait(1, Some(Duration::from_secs(6))).await);
    }
}
