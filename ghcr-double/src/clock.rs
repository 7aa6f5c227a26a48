//! `Clock`: the time that the API shows. A test can set it, or let it run faster.

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that counts seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: u64,
    since: Instant,
    speed: u32,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            start: now().unwrap_or_default().as_secs(),
            since: Instant::now(),
            speed: 1,
        }
    }
}

impl Clock {
    pub(crate) fn now(&self) -> u64 {
        self.start + (self.since.elapsed() * self.speed).as_secs()
    }

    pub(crate) fn set(&mut self, time: u64) {
        self.start = time;
        self.since = Instant::now();
    }

    /// From now on it runs this many times faster than the real time.
    pub(crate) fn run(&mut self, speed: u32) {
        self.set(self.now());
        self.speed = speed;
    }
}

/// The real time since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "a real registry or verifier compares the token with the real time"
)]
pub(crate) fn now() -> io::Result<Duration> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(io::Error::other)
}

/// `2026-11-20T16:00:00Z`, as in the JSON of the API.
pub(crate) fn rfc3339(time: u64) -> String {
    let (year, month, day) = date(time / DAY);
    let (hour, minute, second) = time_of_day(time);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `Fri, 20 Nov 2026 16:00:00 GMT`, as in HTTP headers.
pub(crate) fn http_date(time: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let name = |names: &[&'static str], index: u64| {
        let index = usize::try_from(index).unwrap_or_default();
        names.get(index).copied().unwrap_or_default()
    };
    let (year, month, day) = date(time / DAY);
    let (hour, minute, second) = time_of_day(time);
    let weekday = name(&DAYS, time / DAY % 7);
    let month = name(&MONTHS, month - 1);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

const DAY: u64 = 24 * 60 * 60;

fn time_of_day(time: u64) -> (u64, u64, u64) {
    (time / 3600 % 24, time / 60 % 60, time % 60)
}

/// Year, month and day of a day since 1970: <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::{http_date, rfc3339};

    #[test]
    fn times_are_shown_in_both_forms() {
        let check = |time, json: &str, header: &str| {
            assert_eq!(
                (rfc3339(time), http_date(time)),
                (json.to_owned(), header.to_owned())
            );
        };
        check(0, "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT");
        check(
            951_827_696,
            "2000-02-29T12:34:56Z",
            "Tue, 29 Feb 2000 12:34:56 GMT",
        );
        check(
            1_795_168_805,
            "2026-11-20T10:00:05Z",
            "Fri, 20 Nov 2026 10:00:05 GMT",
        );
        check(
            1_798_761_599,
            "2026-12-31T23:59:59Z",
            "Thu, 31 Dec 2026 23:59:59 GMT",
        );
    }
}
