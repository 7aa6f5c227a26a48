//! `Meaning`: the cause and the fix of a known message of the API.

use crate::error::Problem;

/// What a message of the API means.
pub(crate) struct Meaning {
    /// Lowercase texts that the message contains, in any order.
    pub(crate) says: &'static [&'static str],
    pub(crate) because: &'static str,
    pub(crate) fix: &'static str,
}

/// The fix of a refusal whose reason is not known.
pub(super) const REPORT: &str =
    "run the job again; if GitHub refuses it again, report the message with the debug log";

pub(super) const fn meaning(
    says: &'static [&'static str],
    because: &'static str,
    fix: &'static str,
) -> Meaning {
    Meaning { says, because, fix }
}

impl Meaning {
    /// The first one in the catalogue whose texts `message` contains.
    pub(super) fn of<'a>(catalogue: &'a [Self], message: &str) -> Option<&'a Self> {
        let message = message.to_lowercase();
        let mut meanings = catalogue.iter();
        meanings.find(|known| known.says.iter().all(|text| message.contains(text)))
    }

    /// The problem `what` with this cause and fix; `fill` replaces their placeholders.
    pub(super) fn explain(&self, what: String, fill: impl Fn(&str) -> String) -> Problem {
        Problem::new(what, fill(self.fix)).because(fill(self.because))
    }
}
