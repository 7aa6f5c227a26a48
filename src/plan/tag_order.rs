//! Decides from versions and commit history whether a floating tag may move. Pure.
//!
//! Not every registry knows conditional writes, so the question is asked twice: before a tag moves, and
//! again a little after. Only what is known to be newer is put back, so that publishers who race end with
//! the newest.

use std::cmp::Ordering;
use std::time::Duration;

use crate::context::history::Relation;
use crate::inputs::tags::version::line::VersionLine;

/// What is published, compared to what a tag shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    Newer,
    Same,
    /// The reason completes the sentence "it stays, since ...".
    Older(String),
    /// There is nothing to compare, for example an image of another tool: the tag moves. The remark
    /// completes the sentence "it moves although ...".
    Incomparable(String),
}

/// A question that was not answered in time: whether a tag may move is unknown, so it stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unanswered {
    /// Completes the sentence "it stays, since ...".
    pub(crate) reason: String,
    pub(crate) fix: String,
}

impl Unanswered {
    /// Names the input that moves tags without this question.
    pub(crate) fn or_always(self) -> Self {
        let fix = format!(
            "{}; to move tags without asking, set `floating-tags: always`",
            self.fix
        );
        Self { fix, ..self }
    }
}

/// What to do with a tag that was moved and meanwhile shows something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RaceOutcome {
    Restore,
    /// Somebody else's stays; the text says whose.
    Keep(String),
}

impl Freshness {
    /// By the versions that are there, within the tag's own line.
    pub(crate) fn by_version(line: &VersionLine, present: &[String]) -> Self {
        match line.newest(present) {
            Some((version, tag)) if version.compare(line.version()) == Some(Ordering::Greater) => {
                Self::Older(format!("`{tag}` is newer than `{}`", line.version().text()))
            }
            _ => Self::Newer,
        }
    }

    /// By the version that the image under the tag says it has; nothing when that does not decide.
    pub(crate) fn by_shown_version(line: &VersionLine, shown: &str) -> Option<Self> {
        match line.compare_shown(shown)? {
            Ordering::Greater => Some(Self::Older(format!(
                "it shows the version `{shown}`, which is newer than `{}`",
                line.version().text()
            ))),
            Ordering::Less | Ordering::Equal => Some(Self::Newer),
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
            Relation::Diverged => Self::Incomparable(format!(
                "it shows the commit `{short}` of another line of history"
            )),
            Relation::Unrelated(why) => Self::Incomparable(why),
        }
    }

    /// Whether somebody who put theirs over ours makes way.
    pub(crate) fn after_a_race(self) -> RaceOutcome {
        match self {
            Self::Newer => RaceOutcome::Restore,
            Self::Same => RaceOutcome::Keep("another run published the same commit".to_owned()),
            Self::Older(reason) => RaceOutcome::Keep(reason),
            // Two who both believe to be right would go on for ever.
            Self::Incomparable(_) => RaceOutcome::Keep("another run moved it meanwhile".to_owned()),
        }
    }
}

/// How long to wait before a moved tag is looked at again. Another publisher may have asked before we
/// wrote and may write after us; `gap` is how long that took us, and theirs is of the same order.
pub(crate) fn recheck_delay(gap: Duration) -> Duration {
    (gap * 4).clamp(Duration::from_millis(250), Duration::from_secs(5))
}

/// How often a tag is put back before somebody else has it.
pub(crate) const MAX_ROUNDS: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::tags::version::line::Level;
    use crate::inputs::tags::version::{Scheme, Version};

    fn line(version: &str, level: Level) -> VersionLine {
        VersionLine::new(Version::parse(version, Scheme::Semver).unwrap(), level)
    }

    #[track_caller]
    fn check(version: &str, level: Level, present: &[&str], newer: Option<&str>) {
        let present: Vec<String> = present.iter().map(|tag| (*tag).to_owned()).collect();
        let expected = newer.map_or(Freshness::Newer, |tag| {
            Freshness::Older(format!("`{tag}` is newer than `{version}`"))
        });
        assert_eq!(
            Freshness::by_version(&line(version, level), &present),
            expected
        );
    }

    #[test]
    fn backport_keeps_latest_and_moves_its_minor_tag() {
        let present = ["v2.0.0", "v1.2.8", "v1.2.9", "1.2", "latest", "sha-0123456"];
        check("v1.2.9", Level::Any, &present, Some("v2.0.0"));
        check("v1.2.9", Level::Minor, &present, None);
        check("v1.2.9", Level::Major, &["v1.3.0"], Some("v1.3.0"));
        check("v1.2.9", Level::Major, &["v2.0.0", "v1.3.0-rc.1"], None);
        check("v1.2.9", Level::Any, &[], None);
        check("v10.0.0", Level::Any, &["v9.9.9"], None);
    }

    #[test]
    fn newer_prerelease_keeps_tag() {
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
    fn version_label_decides_where_possible() {
        let minor = line("1.2.3", Level::Minor);
        let check =
            |shown, expected| assert_eq!(Freshness::by_shown_version(&minor, shown), expected);
        let newer = "it shows the version `1.2.4`, which is newer than `1.2.3`".to_owned();
        check("1.2.4", Some(Freshness::Older(newer)));
        check("1.2.2", Some(Freshness::Newer));
        check("1.2.3", Some(Freshness::Newer));
        check("1.2", None);
        check("main", None);
    }

    #[test]
    fn ancestry_decides_for_branches() {
        let check = |relation, expected| {
            assert_eq!(Freshness::by_ancestry(relation, "0123456789"), expected)
        };
        check(Relation::Ahead, Freshness::Newer);
        check(Relation::Same, Freshness::Same);
        check(
            Relation::Behind,
            Freshness::Older("it shows the commit `0123456`, which is newer".to_owned()),
        );
        check(
            Relation::Diverged,
            Freshness::Incomparable(
                "it shows the commit `0123456` of another line of history".to_owned(),
            ),
        );
    }
}
