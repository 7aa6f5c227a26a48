//! Date formats in the tokens of Moment.js, English (<https://momentjs.com/docs/#/displaying/format/>).

mod token;

use chrono::{DateTime, FixedOffset, Utc};
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::inputs::tags::date_format::token::Token;

/// A parsed date format. Every text is valid: text without a meaning is kept.
#[derive(Clone, Debug)]
pub(crate) struct DateFormat(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Token(Token),
}

impl DateFormat {
    pub(crate) fn parse(format: &str) -> Self {
        let format = with_long_formats(format);
        let mut pieces = Vec::new();
        let mut rest = format.as_str();
        while !rest.is_empty() {
            let (piece, after) = next_piece(rest);
            match (pieces.last_mut(), piece) {
                (Some(Piece::Text(text)), Piece::Text(more)) => text.push_str(&more),
                (_, piece) => pieces.push(piece),
            }
            rest = after;
        }
        Self(pieces)
    }

    /// `time` as a clock in `zone` shows it.
    pub(crate) fn format(&self, time: DateTime<Utc>, zone: &Zone) -> String {
        self.show(&zone.local(time))
    }

    fn show(&self, local: &Local) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Token(token) => token.show(local),
        });
        pieces.collect()
    }
}

/// The formats that have a name, in the order in which the names are tried.
const LONG_FORMATS: &[(&str, &str)] = &[
    ("LTS", "h:mm:ss A"),
    ("LT", "h:mm A"),
    ("LLLL", "dddd, MMMM D, YYYY h:mm A"),
    ("LLL", "MMMM D, YYYY h:mm A"),
    ("LL", "MMMM D, YYYY"),
    ("L", "MM/DD/YYYY"),
    ("llll", "ddd, MMM D, YYYY h:mm A"),
    ("lll", "MMM D, YYYY h:mm A"),
    ("ll", "MMM D, YYYY"),
    ("l", "M/D/YYYY"),
];

/// Puts the format in for each name, in the text: its tokens may grow together with their neighbours.
fn with_long_formats(format: &str) -> String {
    let mut expanded = String::with_capacity(format.len());
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let name = |text: &str| LONG_FORMATS.iter().find(|(name, _)| text.starts_with(name));
        let escaped = rest.strip_prefix('\\').and_then(name);
        let width = match (bracketed(rest), escaped, name(rest)) {
            (Some((_, after)), _, _) => rest.len() - after.len(),
            (None, Some((name, _)), _) => 1 + name.len(),
            (None, None, Some((name, format))) => {
                expanded.push_str(format);
                rest = &rest[name.len()..];
                continue;
            }
            (None, None, None) => first.len_utf8(),
        };
        expanded.push_str(&rest[..width]);
        rest = &rest[width..];
    }
    expanded
}

/// `[text]` and `\token` are kept as text, the longest token wins, and line ends are removed.
fn next_piece(rest: &str) -> (Piece, &str) {
    if let Some((text, after)) = bracketed(rest) {
        return (Piece::Text(text.to_owned()), after);
    }
    let (escaped, body) = match rest.strip_prefix('\\') {
        Some(body) if !body.is_empty() => (true, body),
        _ => (false, rest),
    };
    match Token::at_start(body) {
        Ok(_) if escaped && body.starts_with('e') => (Piece::Text("e".to_owned()), &body[1..]),
        Ok(token) if escaped => (
            Piece::Text(token.name().to_owned()),
            &body[token.name().len()..],
        ),
        Ok(token) => (Piece::Token(token), &body[token.name().len()..]),
        Err(character) => (Piece::Text(kept(character)), &body[character.len()..]),
    }
}

/// A character that is not a token: itself, unless it ends a line or is the escape.
fn kept(character: &str) -> String {
    character.replace(['\n', '\r', '\u{2028}', '\u{2029}', '\\'], "")
}

/// From `[` to the last `]` before another `[`.
fn bracketed(rest: &str) -> Option<(&str, &str)> {
    let inside = rest.strip_prefix('[')?;
    let reach = inside.find('[').unwrap_or(inside.len());
    let end = inside[..reach].rfind(']')?;
    Some((&inside[..end], &inside[end + 1..]))
}

/// A zone of the IANA database, which the program brings along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Zone(TimeZone);

/// A time as a clock in a zone shows it.
pub(crate) struct Local {
    pub(crate) clock: DateTime<FixedOffset>,
    /// `JST`, or `+0545` where the zone has no letters.
    pub(crate) zone: String,
}

impl Zone {
    pub(crate) const UTC: Self = Self(TimeZone::UTC);

    /// The zone of an IANA name, in any case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        TimeZoneDatabase::bundled().get(name).ok().map(Self)
    }

    pub(crate) fn names() -> Vec<String> {
        let zones = TimeZoneDatabase::bundled();
        zones.available().map(|name| name.to_string()).collect()
    }

    pub(crate) fn local(&self, time: DateTime<Utc>) -> Local {
        let moment = Timestamp::from_second(time.timestamp()).unwrap_or(Timestamp::MAX);
        let shown = self.0.to_offset_info(moment);
        let offset = FixedOffset::east_opt(shown.offset().seconds());
        let offset = offset.expect("no time zone is a day away from UTC");
        Local {
            clock: time.with_timezone(&offset),
            zone: shown.abbreviation().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_in(zone: &Zone, format: &str) -> String {
        let time = "2026-03-01T05:07:09.045Z".parse::<DateTime<Utc>>().unwrap();
        DateFormat::parse(format).format(time, zone)
    }

    #[track_caller]
    fn check(format: &str, expected: &str) {
        assert_eq!(shown_in(&Zone::UTC, format), expected, "for `{format}`");
    }

    #[test]
    fn every_token_shows_what_moment_shows() {
        check("M Mo MM MMM MMMM", "3 3rd 03 Mar March");
        check("Q Qo D Do DD", "1 1st 1 1st 01");
        check("DDD DDDo DDDD", "60 60th 060");
        check("d do dd ddd dddd e E", "0 0th Su Sun Sunday 0 7");
        check("w wo ww W Wo WW", "10 10th 10 9 9th 09");
        check("YY YYYY YYYYY YYYYYY Y", "26 2026 02026 +002026 2026");
        check(
            "y yo yyyy N NN NNN NNNN NNNNN",
            "2026 2026th 2026 AD AD AD Anno Domini AD",
        );
        check("gg gggg ggggg GG GGGG GGGGG", "26 2026 02026 26 2026 02026");
        check(
            "A a H HH h hh k kk m mm s ss",
            "AM am 5 05 5 05 5 05 7 07 9 09",
        );
        check("hmm hmmss Hmm Hmmss eHHmm", "507 50709 507 50709 00507");
        check("S SS SSS SSSS SSSSSSSSS", "0 04 045 0450 045000000");
        check("X x", "1772341629 1772341629045");
        check("Z ZZ z zz", "+00:00 +0000 UTC UTC");
        check("LT LTS L LL", "5:07 AM 5:07:09 AM 03/01/2026 March 1, 2026");
        check("LLL", "March 1, 2026 5:07 AM");
        check("LLLL", "Sunday, March 1, 2026 5:07 AM");
        check("l ll", "3/1/2026 Mar 1, 2026");
        check("lll", "Mar 1, 2026 5:07 AM");
        check("llll", "Sun, Mar 1, 2026 5:07 AM");
    }

    #[test]
    fn time_zones_change_the_time_and_are_named() {
        let show = |zone, format| shown_in(&Zone::named(zone).unwrap(), format);
        assert_eq!(
            show("Asia/Tokyo", "YYYYMMDD-HHmm z Z"),
            "20260301-1407 JST +09:00"
        );
        assert_eq!(show("America/New_York", "HH z ZZ"), "00 EST -0500");
        assert_eq!(show("Asia/Kathmandu", "HHmm z Z"), "1052 +0545 +05:45");
        assert_eq!(show("America/Los_Angeles", "k A"), "21 PM");
    }

    #[test]
    fn brackets_and_backslashes_keep_text() {
        check("[YYYY] YYYY", "YYYY 2026");
        check("[a]b]", "a]b");
        check("[a[b]", "[amb");
        check("\\YYYY\\[E]", "YYYY[7]");
        check("YYYY-MM-DDTHH:mm", "2026-03-01T05:07");
        check("[", "[");
        check("é\\", "é");
        check("\\LT ML", "LT Mar/01/2026");
        check("\\eHHmm", "e0507");
    }
}
