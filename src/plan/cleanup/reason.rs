//! Why a version stays.

use std::fmt;

use chrono::TimeDelta;

/// Why a version is kept. Shown, it completes the sentence "it is kept: ...".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeepReason {
    /// No rule matches the tag.
    NoRule {
        tag: String,
    },
    Protected {
        tag: String,
        by: Protection,
    },
    /// Two versions list the tag, or the version is listed twice: the list is not settled.
    Unsettled {
        what: String,
    },
    /// The rule that matches the tag asks for a closed pull request.
    NotClosed {
        tag: String,
        number: u64,
    },
    /// As [`Self::NotClosed`], and GitHub was not asked about it.
    NotAsked {
        tag: String,
        number: u64,
    },
    /// The rule keeps the newest versions.
    Newest {
        rule: String,
        keep: usize,
    },
    /// The rule asks for older versions.
    NotOldEnough {
        rule: String,
    },
    /// It, or something that belongs to it alone, was pushed or changed a short time ago.
    Recent {
        days: i64,
    },
    /// This run published it.
    OwnRun,
    /// A rule for part records matches the tag, and the version is none.
    NoPartRecord {
        tag: String,
    },
    /// It is a child or referrer of a version that stays.
    BelongsTo {
        name: String,
    },
    /// It has no tag, and no rule selects it.
    Untagged,
    /// Without it, the package has no tag left, which GitHub refuses.
    LastTagged,
    Unreadable(String),
    /// A version that cannot be read stays, and may list it.
    MayBelongTo {
        name: String,
    },
}

/// What protects a tag from every rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// A pattern of the input `protect`.
    Input(String),
    Latest,
    DefaultBranch,
    /// A version without a pre-release part.
    Release,
    /// The major or minor tag of such a version.
    ReleaseLine,
    NewestVersion,
}

impl KeepReason {
    /// The reason without names, to count versions.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::NoRule { .. } => "no rule matches a tag".to_owned(),
            Self::Protected { by, .. } => format!("protected: {by}"),
            Self::NotClosed { .. } => "the pull request is not closed".to_owned(),
            Self::NotAsked { .. } => {
                "the next run asks whether the pull request is closed".to_owned()
            }
            Self::NoPartRecord { .. } => "it is not the record of a part".to_owned(),
            Self::BelongsTo { .. } => "it belongs to a version that stays".to_owned(),
            Self::Unsettled { .. } => "GitHub lists it or a tag twice at the moment".to_owned(),
            Self::Unreadable(_) => "its manifest cannot be read".to_owned(),
            other => other.to_string(),
        }
    }

    pub(super) fn recent(guard: TimeDelta) -> Self {
        Self::Recent {
            days: guard.num_days(),
        }
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRule { tag } => write!(f, "no rule matches `{tag}`"),
            Self::Protected { tag, by } => write!(f, "`{tag}` is protected: {by}"),
            Self::Unsettled { what } => write!(f, "GitHub lists {what} twice at the moment"),
            Self::NotClosed { tag, number } => {
                write!(f, "`{tag}`: pull request {number} is not closed")
            }
            Self::NotAsked { tag, number } => write!(
                f,
                "`{tag}`: the next run asks whether pull request {number} is closed"
            ),
            Self::Newest { rule, keep: 1 } => write!(f, "it is the newest of `{rule}`"),
            Self::Newest { rule, keep } => write!(f, "it is one of the newest {keep} of `{rule}`"),
            Self::NotOldEnough { rule } => write!(f, "it is not old enough for `{rule}`"),
            Self::Recent { days: 1 } => {
                f.write_str("it or something that belongs to it changed in the last day")
            }
            Self::Recent { days } => {
                write!(
                    f,
                    "it or something that belongs to it changed in the last {days} days"
                )
            }
            Self::OwnRun => f.write_str("this run published it"),
            Self::NoPartRecord { tag } => write!(f, "`{tag}` is not the record of a part"),
            Self::BelongsTo { name } => write!(f, "it belongs to {name}"),
            Self::Untagged => f.write_str("no rule selects this version without a tag"),
            Self::LastTagged => {
                f.write_str("no other version would have a tag, and GitHub keeps the last one")
            }
            Self::MayBelongTo { name } => {
                write!(f, "{name} cannot be read, and may list it")
            }
            Self::Unreadable(reason) => write!(f, "its manifest cannot be read: {reason}"),
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(pattern) => write!(f, "`{pattern}` in the input `protect`"),
            Self::Latest => f.write_str("it is `latest`"),
            Self::DefaultBranch => f.write_str("it is the tag of the default branch"),
            Self::Release => f.write_str("it is a version without a pre-release part"),
            Self::ReleaseLine => f.write_str("it is the major or minor tag of a version"),
            Self::NewestVersion => f.write_str("it is the newest version"),
        }
    }
}
