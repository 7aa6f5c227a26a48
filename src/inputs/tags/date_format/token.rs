//! `Token`: one token of a date format and how it shows a time.

use chrono::{Datelike, Days, Timelike, Weekday};

use crate::inputs::tags::date_format::DateFormat;
use crate::inputs::tags::date_format::Local;

type Show = fn(&Local) -> String;

/// A name out of [`TOKENS`] and its meaning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    name: &'static str,
    show: Show,
}

impl Token {
    /// The longest token `text` begins with, or else its first character.
    pub(crate) fn at_start(text: &str) -> Result<Self, &str> {
        let matching = TOKENS.iter().filter(|(name, _)| text.starts_with(name));
        match matching.max_by_key(|(name, _)| name.len()) {
            Some(&(name, show)) => Ok(Self { name, show }),
            None => Err(text.get(..width_of_first(text)).unwrap_or_default()),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        self.name
    }

    pub(crate) fn show(self, time: &Local) -> String {
        (self.show)(time)
    }
}

fn width_of_first(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// Every token of <https://momentjs.com/docs/#/displaying/format/> in the English locale.
const TOKENS: &[(&str, Show)] = &[
    ("M", |t| t.clock.month().to_string()),
    ("Mo", |t| ordinal(t.clock.month())),
    ("MM", |t| padded(t.clock.month(), 2)),
    ("MMM", |t| t.clock.format("%b").to_string()),
    ("MMMM", |t| t.clock.format("%B").to_string()),
    ("Q", |t| t.clock.quarter().to_string()),
    ("Qo", |t| ordinal(t.clock.quarter())),
    ("D", |t| t.clock.day().to_string()),
    ("Do", |t| ordinal(t.clock.day())),
    ("DD", |t| padded(t.clock.day(), 2)),
    ("DDD", |t| t.clock.ordinal().to_string()),
    ("DDDo", |t| ordinal(t.clock.ordinal())),
    ("DDDD", |t| padded(t.clock.ordinal(), 3)),
    ("d", |t| from_sunday(t).to_string()),
    ("do", |t| ordinal(from_sunday(t))),
    ("dd", |t| t.clock.format("%a").to_string()[..2].to_owned()),
    ("ddd", |t| t.clock.format("%a").to_string()),
    ("dddd", |t| t.clock.format("%A").to_string()),
    ("e", |t| from_sunday(t).to_string()),
    ("E", |t| t.clock.weekday().number_from_monday().to_string()),
    ("w", |t| week(t).1.to_string()),
    ("wo", |t| ordinal(week(t).1)),
    ("ww", |t| padded(week(t).1, 2)),
    ("W", |t| t.clock.iso_week().week().to_string()),
    ("Wo", |t| ordinal(t.clock.iso_week().week())),
    ("WW", |t| padded(t.clock.iso_week().week(), 2)),
    ("gg", |t| padded(week(t).0.rem_euclid(100), 2)),
    ("gggg", |t| padded(week(t).0, 4)),
    ("ggggg", |t| padded(week(t).0, 5)),
    ("GG", |t| {
        padded(t.clock.iso_week().year().rem_euclid(100), 2)
    }),
    ("GGGG", |t| padded(t.clock.iso_week().year(), 4)),
    ("GGGGG", |t| padded(t.clock.iso_week().year(), 5)),
    ("Y", |t| t.clock.year().to_string()),
    ("YY", |t| padded(t.clock.year().rem_euclid(100), 2)),
    ("YYYY", |t| padded(t.clock.year(), 4)),
    ("YYYYY", |t| padded(t.clock.year(), 5)),
    ("YYYYYY", |t| format!("+{}", padded(t.clock.year(), 6))),
    ("y", |t| t.clock.year().to_string()),
    ("yo", |t| ordinal(t.clock.year().unsigned_abs())),
    ("yy", |t| padded(t.clock.year(), 2)),
    ("yyy", |t| padded(t.clock.year(), 3)),
    ("yyyy", |t| padded(t.clock.year(), 4)),
    ("N", |_| "AD".to_owned()),
    ("NN", |_| "AD".to_owned()),
    ("NNN", |_| "AD".to_owned()),
    ("NNNN", |_| "Anno Domini".to_owned()),
    ("NNNNN", |_| "AD".to_owned()),
    ("A", |t| t.clock.format("%p").to_string()),
    ("a", |t| t.clock.format("%P").to_string()),
    ("H", |t| t.clock.hour().to_string()),
    ("HH", |t| padded(t.clock.hour(), 2)),
    ("h", |t| t.clock.hour12().1.to_string()),
    ("hh", |t| padded(t.clock.hour12().1, 2)),
    ("k", |t| from_one(t).to_string()),
    ("kk", |t| padded(from_one(t), 2)),
    ("m", |t| t.clock.minute().to_string()),
    ("mm", |t| padded(t.clock.minute(), 2)),
    ("s", |t| t.clock.second().to_string()),
    ("ss", |t| padded(t.clock.second(), 2)),
    ("hmm", |t| composed("h[]mm", t)),
    ("hmmss", |t| composed("h[]mm[]ss", t)),
    ("Hmm", |t| composed("H[]mm", t)),
    ("Hmmss", |t| composed("H[]mm[]ss", t)),
    ("eHHmm", |t| composed("e[]HH[]mm", t)),
    ("S", |t| fraction(t, 1)),
    ("SS", |t| fraction(t, 2)),
    ("SSS", |t| fraction(t, 3)),
    ("SSSS", |t| fraction(t, 4)),
    ("SSSSS", |t| fraction(t, 5)),
    ("SSSSSS", |t| fraction(t, 6)),
    ("SSSSSSS", |t| fraction(t, 7)),
    ("SSSSSSSS", |t| fraction(t, 8)),
    ("SSSSSSSSS", |t| fraction(t, 9)),
    ("X", |t| t.clock.timestamp().to_string()),
    ("x", |t| t.clock.timestamp_millis().to_string()),
    ("z", |t| t.zone.clone()),
    ("zz", |t| t.zone.clone()),
    ("Z", |t| offset(t, ":")),
    ("ZZ", |t| offset(t, "")),
];

fn composed(format: &str, time: &Local) -> String {
    DateFormat::parse(format).show(time)
}

fn padded(number: impl Into<i64>, width: usize) -> String {
    let number: i64 = number.into();
    format!("{number:0width$}")
}

fn ordinal(number: u32) -> String {
    let suffix = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

fn from_sunday(time: &Local) -> u32 {
    time.clock.weekday().num_days_from_sunday()
}

/// The hours 1 to 24.
fn from_one(time: &Local) -> u32 {
    match time.clock.hour() {
        0 => 24,
        hour => hour,
    }
}

/// Year and number of the week from Sunday to Saturday; the first one holds 1 January.
fn week(time: &Local) -> (i32, u32) {
    let date = time.clock.date_naive();
    let days = Weekday::Sat.num_days_from_sunday() - from_sunday(time);
    let saturday = date
        .checked_add_days(Days::new(days.into()))
        .unwrap_or(date);
    (saturday.year(), saturday.ordinal0() / 7 + 1)
}

/// The first `digits` of the second's fraction; like JavaScript's, it ends at milliseconds.
fn fraction(time: &Local, digits: usize) -> String {
    let milliseconds = time.clock.timestamp_subsec_millis() % 1000;
    let nine = format!("{milliseconds:03}000000");
    nine[..digits].to_owned()
}

fn offset(time: &Local, separator: &str) -> String {
    let minutes = time.clock.offset().local_minus_utc() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
    format!("{sign}{hours:02}{separator}{minutes:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_spelled_as_in_english() {
        let spelled = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(ordinal);
        let expected = "1st 2nd 3rd 4th 11th 12th 13th 21st 102nd 111th";
        assert_eq!(spelled.join(" "), expected);
    }

    #[test]
    fn the_longest_token_wins() {
        let name = |text| Token::at_start(text).map(Token::name);
        assert_eq!(name("YYYYMM").ok(), Some("YYYY"));
        assert_eq!(name("HHmm").ok(), Some("HH"));
        assert_eq!(name("Hmmss").ok(), Some("Hmmss"));
        assert_eq!(name("-MM").err(), Some("-"));
    }
}
