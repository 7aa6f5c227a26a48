//! A line of the input `retention`: which versions go, and under which conditions.

use chrono::TimeDelta;

use crate::error::{InputError, Problem};
use crate::inputs::cleanup::pattern::TagPattern;
use crate::inputs::list::{self, Entry};

/// One rule. Each tag is judged by the first rule whose target it is; the conditions then say whether it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RetentionRule {
    /// As it is written, for messages.
    pub(crate) text: String,
    pub(crate) target: Target,
    /// The least time since a version was pushed or changed.
    pub(crate) older_than: Option<TimeDelta>,
    /// How many of the newest versions stay.
    pub(crate) keep: usize,
}

/// What a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `delete=PATTERN`
    Tags(TagPattern),
    /// `delete=PATTERN,when=closed`: the tags `pr-<number>` and `pr-<number>-sha-<commit>` of closed pull requests.
    ClosedPullRequests(TagPattern),
    /// `untagged`: versions without a tag that nothing refers to.
    Untagged,
    /// The records by which the jobs of a run find each other's parts. Only a default rule has this target.
    PartRecords,
}

const KEYS: [&str; 5] = ["delete", "untagged", "when", "older-than", "keep"];
const EXAMPLE: &str = "write `delete=PATTERN` or `untagged`, for example `delete=sha-*,older-than=30d` or `untagged,older-than=7d`";

/// The rules in the order they are written.
pub(crate) fn parse(text: &str) -> Result<Vec<RetentionRule>, Problem> {
    let entries = list::entries("retention", text)?;
    let mut rules: Vec<RetentionRule> = Vec::new();
    for entry in &entries {
        let rule = RetentionRule::parse(entry).map_err(|error| entry.problem(error))?;
        let is_same = |other: &RetentionRule| other.target == rule.target;
        if let Some(first) = rules.iter().find(|other| is_same(other)) {
            return Err(entry.problem(second(first)));
        }
        rules.push(rule);
    }
    Ok(rules)
}

impl RetentionRule {
    fn parse(entry: &Entry) -> Result<Self, InputError> {
        let mut fields = Fields::default();
        for field in entry.fields()? {
            fields.add(&field)?;
        }
        Ok(Self {
            text: entry.text().to_owned(),
            target: fields.target()?,
            older_than: fields.older_than,
            keep: fields.keep.unwrap_or(0),
        })
    }
}

/// What was read of a line.
#[derive(Default)]
struct Fields {
    delete: Option<TagPattern>,
    untagged: Option<()>,
    closed: Option<()>,
    older_than: Option<TimeDelta>,
    keep: Option<usize>,
}

impl Fields {
    fn add(&mut self, field: &str) -> Result<(), InputError> {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.trim_end(), Some(value.trim_start())),
            None => (field, None),
        };
        match (key, value) {
            ("delete", Some(value)) => set(&mut self.delete, key, TagPattern::parse(value)?),
            ("untagged", None) => set(&mut self.untagged, key, ()),
            ("when", Some("closed")) => set(&mut self.closed, key, ()),
            ("when", Some(other)) => {
                let because = format!("`when` is `{other}`");
                Err(InputError::not_one_of(because, other, &["closed"]))
            }
            ("older-than", Some(value)) => set(&mut self.older_than, key, age(value)?),
            ("keep", Some(value)) => set(&mut self.keep, key, count(value)?),
            ("", None) => Err(InputError::new("a field is empty", "remove the comma")),
            _ => Err(malformed(key, value)),
        }
    }

    fn target(&mut self) -> Result<Target, InputError> {
        match (self.delete.take(), self.untagged, self.closed) {
            (Some(pattern), None, None) => Ok(Target::Tags(pattern)),
            (Some(pattern), None, Some(())) => Ok(Target::ClosedPullRequests(pattern)),
            (None, Some(()), None) => Ok(Target::Untagged),
            (None, Some(()), Some(())) => Err(InputError::new(
                "`when` is about the tags of pull requests, and `untagged` is about versions without a tag",
                "remove `when`, or write `delete=pr-*` instead of `untagged`",
            )),
            (Some(_), Some(()), _) => Err(InputError::new(
                "a rule is about tags (`delete`) or about versions without one (`untagged`)",
                "write two lines",
            )),
            (None, None, _) => Err(InputError::new(
                "the rule does not say what to delete",
                EXAMPLE,
            )),
        }
    }
}

fn set<T>(field: &mut Option<T>, key: &str, value: T) -> Result<(), InputError> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(InputError::new(
            format!("`{key}` is given twice"),
            "write one rule per line",
        )),
    }
}

fn malformed(key: &str, value: Option<&str>) -> InputError {
    match value {
        Some(_) if key == "untagged" => {
            InputError::new("`untagged` takes no value", "write `untagged` alone")
        }
        None if KEYS.contains(&key) => InputError::new(
            format!("`{key}` has no value"),
            format!("write `{key}=…`, for example `delete=sha-*,older-than=30d,keep=10`"),
        ),
        _ => InputError::not_one_of(format!("a rule has no key `{key}`"), key, &KEYS),
    }
}

fn second(first: &RetentionRule) -> InputError {
    InputError::new(
        format!("the rule `{}` is about the same versions", first.text),
        "remove one of them: the first rule that matches decides",
    )
}

/// A whole number of hours, days or weeks: `12h`, `30d`, `2w`.
fn age(text: &str) -> Result<TimeDelta, InputError> {
    let number_and_unit = || {
        let unit = text.chars().last()?;
        let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
        match unit {
            'h' => TimeDelta::try_hours(number.into()),
            'd' => TimeDelta::try_days(number.into()),
            'w' => TimeDelta::try_weeks(number.into()),
            _ => None,
        }
    };
    number_and_unit().ok_or_else(|| {
        InputError::new(
            format!("`older-than` is `{text}`"),
            "write a number with `h`, `d` or `w`, for example `30d`",
        )
    })
}

fn count(text: &str) -> Result<usize, InputError> {
    text.parse().map_err(|_malformed| {
        InputError::new(
            format!("`keep` is `{text}`"),
            "write a number of versions, for example `10`",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;

    fn pattern(text: &str) -> TagPattern {
        TagPattern::parse(text).unwrap()
    }

    #[track_caller]
    fn check(text: &str, target: Target, hours: Option<i64>, keep: usize) {
        let rules = parse(text).unwrap();
        let expected = RetentionRule {
            text: text.trim().to_owned(),
            target,
            older_than: hours.map(TimeDelta::hours),
            keep,
        };
        assert_eq!(rules, [expected]);
    }

    #[test]
    fn rules_of_every_kind_are_read() {
        let closed = Target::ClosedPullRequests(pattern("pr-*"));
        check("delete=pr-*,when=closed", closed, None, 0);
        let tags = || Target::Tags(pattern("sha-*"));
        check("delete=sha-*,older-than=30d,keep=10", tags(), Some(720), 10);
        check(" keep = 3 , delete = sha-* ", tags(), None, 3);
        check("untagged,older-than=2w", Target::Untagged, Some(336), 0);
        check("untagged", Target::Untagged, None, 0);
        check(
            "delete=*,older-than=12h",
            Target::Tags(pattern("*")),
            Some(12),
            0,
        );
    }

    #[test]
    fn rules_keep_their_order() {
        let rules =
            parse("# weekly\nuntagged\n\ndelete=b\ndelete=a\ndelete=a,when=closed").unwrap();
        let texts: Vec<_> = rules.iter().map(|rule| rule.text.as_str()).collect();
        assert_eq!(
            texts,
            ["untagged", "delete=b", "delete=a", "delete=a,when=closed"]
        );
    }

    #[track_caller]
    fn refused(text: &str, because: &str, fix: &str) {
        let problem = parse(&format!("delete=z\n{text}")).unwrap_err();
        let explanation = Explanation::of(&problem.into());
        let what = format!("invalid entry in the input `retention`, line 2: `{text}`");
        assert_eq!(explanation.what, what);
        assert_eq!(explanation.because, [because]);
        assert_eq!(explanation.fix.as_deref(), Some(fix));
    }

    #[test]
    fn malformed_rules_are_refused_with_line_key_cause_and_fix() {
        let count = "write a number of versions, for example `10`";
        let age = "write a number with `h`, `d` or `w`, for example `30d`";
        refused("keep=3", "the rule does not say what to delete", EXAMPLE);
        refused(
            "when=closed",
            "the rule does not say what to delete",
            EXAMPLE,
        );
        refused("delete=a,keep=-1", "`keep` is `-1`", count);
        refused("delete=a,keep=", "`keep` is ``", count);
        refused("delete=a,older-than=30", "`older-than` is `30`", age);
        refused("delete=a,older-than=1.5d", "`older-than` is `1.5d`", age);
        refused("delete=a,older-than=5m", "`older-than` is `5m`", age);
        refused("delete=a,older-than=3é", "`older-than` is `3é`", age);
        refused(
            "delete=a,older-than=99999999999d",
            "`older-than` is `99999999999d`",
            age,
        );
        refused(
            "delete=a,when=merged",
            "`when` is `merged`",
            "write `closed`",
        );
        refused("delete=a,", "a field is empty", "remove the comma");
        refused(
            "delete=a,keep=1,keep=2",
            "`keep` is given twice",
            "write one rule per line",
        );
        refused(
            "delete=a,delete=b",
            "`delete` is given twice",
            "write one rule per line",
        );
        refused(
            "untagged=true",
            "`untagged` takes no value",
            "write `untagged` alone",
        );
        refused(
            "delete=a,untagged",
            "a rule is about tags (`delete`) or about versions without one (`untagged`)",
            "write two lines",
        );
        refused(
            "untagged,when=closed",
            "`when` is about the tags of pull requests, and `untagged` is about versions without a tag",
            "remove `when`, or write `delete=pr-*` instead of `untagged`",
        );
        refused(
            "delete",
            "`delete` has no value",
            "write `delete=…`, for example `delete=sha-*,older-than=30d,keep=10`",
        );
        refused(
            "delete=a,older=3d",
            "a rule has no key `older`",
            "write `delete`, `untagged`, `when`, `older-than` or `keep`",
        );
        refused(
            "delte=a",
            "a rule has no key `delte`",
            "write `delete`, `untagged`, `when`, `older-than` or `keep`; did you mean `delete`?",
        );
        refused(
            "delete=z,keep=3",
            "the rule `delete=z` is about the same versions",
            "remove one of them: the first rule that matches decides",
        );
        refused(
            "delete=/sha/",
            "no tag contains `/`",
            "write a pattern in which `*` stands for any characters and `?` for one, for example `v?.*`",
        );
    }
}
