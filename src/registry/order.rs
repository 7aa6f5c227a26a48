//! May this floating tag move? Pure: versions and ancestry in, the standing of ours out.
//!
//! Registries know no conditional write, so the question is asked twice: before a tag moves, and again
//! a little after. Only what is known to be newer is put back, so that publishers who race end with the
//! newest.

#[cfg(test)]
mod simulation;

use std::cmp::Ordering;
use std::time::Duration;

use crate::plan::version::line::VersionLine;

/// What is published, compared to what a tag shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Newer,
    Same,
    /// The reason completes the sentence "it stays, since ...".
    Older(String),
    /// The remark completes the sentence "it moves although ...".
    Unknown(String),
}

/// How the published commit relates to another one in the history of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Same,
    Ahead,
    Behind,
    Diverged,
    Unknown(String),
}

/// What to do with a tag that was moved and meanwhile shows something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    PutBack,
    /// Somebody else's stays; the text says whose.
    Overtaken(String),
}

impl Standing {
    /// By the versions that are there, within the tag's own line.
    pub(crate) fn by_version(line: &VersionLine, present: &[String]) -> Self {
        let there = present
            .iter()
            .filter_map(|tag| Some((line.version_of(tag)?, tag)));
        let highest = there.max_by(|(a, _), (b, _)| a.compare(b).unwrap_or(Ordering::Equal));
        match highest {
            Some((version, tag)) if version.compare(line.version()) == Some(Ordering::Greater) => {
                Self::Older(format!("`{tag}` is newer than `{}`", line.version().text()))
            }
            _ => Self::Newer,
        }
    }

    /// By the history between our commit and `shown`, the one the tag shows.
    pub(crate) fn by_ancestry(relation: Relation, shown: &str) -> Self {
        let short = shown.get(..7).unwrap_or(shown);
        match relation {
            Relation::Same => Self::Same,
            Relation::Ahead => Self::Newer,
            Relation::Behind => {
                Self::Older(format!("it shows the commit `{short}`, which is newer"))
            }
            Relation::Diverged => Self::Unknown(format!(
                "it shows the commit `{short}` of another line of history"
            )),
            Relation::Unknown(why) => Self::Unknown(why),
        }
    }

    /// Whether somebody who put theirs over ours makes way.
    pub(crate) fn after_a_race(self) -> Answer {
        match self {
            Self::Newer => Answer::PutBack,
            Self::Same => Answer::Overtaken("another run published the same commit".to_owned()),
            Self::Older(reason) => Answer::Overtaken(reason),
            // Two who both believe to be right would go on for ever.
            Self::Unknown(_) => Answer::Overtaken("another run moved it meanwhile".to_owned()),
        }
    }
}

/// How long to wait before a moved tag is looked at again. Another publisher may have asked before we
/// wrote and may write after us; `gap` is how long that took us, and theirs is of the same order.
pub(crate) fn second_look(gap: Duration) -> Duration {
    (gap * 4).clamp(Duration::from_millis(250), Duration::from_secs(5))
}

/// How often a tag is put back before somebody else has it.
pub(crate) const MOST_ROUNDS: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::version::line::Level;
    use crate::plan::version::{Scheme, Version};

    fn line(version: &str, level: Level) -> VersionLine {
        VersionLine::new(Version::parse(version, Scheme::Semver).unwrap(), level)
    }

    #[track_caller]
    fn check(version: &str, level: Level, present: &[&str], newer: Option<&str>) {
        let present: Vec<String> = present.iter().map(|tag| (*tag).to_owned()).collect();
        let expected = newer.map_or(Standing::Newer, |tag| {
            Standing::Older(format!("`{tag}` is newer than `{version}`"))
        });
        assert_eq!(
            Standing::by_version(&line(version, level), &present),
            expected
        );
    }

    #[test]
    fn a_backport_leaves_latest_and_moves_its_own_line() {
        let present = ["v2.0.0", "v1.2.8", "v1.2.9", "1.2", "latest", "sha-0123456"];
        check("v1.2.9", Level::Any, &present, Some("v2.0.0"));
        check("v1.2.9", Level::Minor, &present, None);
        check("v1.2.9", Level::Major, &["v1.3.0"], Some("v1.3.0"));
        check("v1.2.9", Level::Major, &["v2.0.0", "v1.3.0-rc.1"], None);
        check("v1.2.9", Level::Any, &[], None);
        check("v10.0.0", Level::Any, &["v9.9.9"], None);
    }

    #[test]
    fn a_prerelease_gives_way_to_newer_ones_of_its_kind() {
        check(
            "v2.0.0-rc.1",
            Level::Any,
            &["v2.0.0-rc.2"],
            Some("v2.0.0-rc.2"),
        );
        check("v2.0.0-rc.1", Level::Any, &["v1.9.0"], None);
        check("v2.0.0-rc.1", Level::Any, &["v2.0.0"], Some("v2.0.0"));
    }

    #[test]
    fn ancestry_decides_for_branches() {
        let check = |relation, expected| {
            assert_eq!(Standing::by_ancestry(relation, "0123456789"), expected)
        };
        check(Relation::Ahead, Standing::Newer);
        check(Relation::Same, Standing::Same);
        check(
            Relation::Behind,
            Standing::Older("it shows the commit `0123456`, which is newer".to_owned()),
        );
        check(
            Relation::Diverged,
            Standing::Unknown(
                "it shows the commit `0123456` of another line of history".to_owned(),
            ),
        );
    }
}
