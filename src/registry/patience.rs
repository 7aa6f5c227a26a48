//! How long and how often a call is tried again: until a deadline, not a count.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Waits between tries: 1 s, doubled each time up to 30 s, each shortened at random by up to the whole
/// (full jitter), so that many publishers do not come back at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    deadline: Instant,
}

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

impl Patience {
    pub(crate) fn lasting(time: Duration) -> Self {
        Self {
            deadline: Instant::now() + time,
        }
    }

    /// Waits before try number `tries` + 1, at least as long as the server asked; false when the
    /// deadline would pass.
    pub(super) async fn wait(&self, tries: u32, asked: Option<Duration>) -> bool {
        let delay = jittered(longest_wait(tries)).max(asked.unwrap_or_default());
        if Instant::now() + delay > self.deadline {
            return false;
        }
        sleep(delay).await;
        true
    }
}

fn longest_wait(tries: u32) -> Duration {
    FIRST
        .saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)))
        .min(LONGEST)
}

fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(fastrand::f64())
}

/// The header `Retry-After` in seconds or as a date
/// (<https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>), seen from the server's own clock.
pub(super) fn retry_after(value: &str, server_date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let parse = |text: &str| chrono::DateTime::parse_from_rfc2822(text.trim()).ok();
    (parse(value)? - parse(server_date?)?).to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute() {
        let seconds: Vec<u64> = [1, 2, 3, 6, 40]
            .map(|tries| longest_wait(tries).as_secs())
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

    #[tokio::test]
    async fn nothing_is_awaited_past_the_deadline() {
        let patience = Patience::lasting(Duration::from_secs(5));
        assert!(!patience.wait(1, Some(Duration::from_secs(6))).await);
    }
}
