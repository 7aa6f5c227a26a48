//! `Zone`: a time zone, and what its clock shows.

use chrono::{DateTime, FixedOffset, Utc};
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

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
