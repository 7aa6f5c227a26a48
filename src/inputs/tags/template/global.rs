//! `Global`: the expressions that rules, flavor, labels and annotations share.

use crate::context::facts::Facts;
use crate::error::InputError;
use crate::inputs::tags::date_format::DateFormat;
use crate::inputs::tags::date_format::zone::Zone;
use crate::inputs::tags::template::call::Call;
use crate::inputs::tags::template::{Expression, Template};

/// A fact of the run, by the name docker/metadata-action gives it.
#[derive(Clone, Debug)]
pub(crate) enum Global {
    Branch,
    Tag,
    Sha,
    BaseRef,
    IsDefaultBranch,
    IsNotDefaultBranch,
    /// When the program runs.
    Date(DateFormat, Zone),
    /// When the commit was made.
    CommitDate(DateFormat, Zone),
}

impl Expression for Global {
    const NAMES: &'static [&'static str] = &[
        "branch",
        "tag",
        "sha",
        "base_ref",
        "is_default_branch",
        "is_not_default_branch",
        "date",
        "commit_date",
    ];

    fn from_call(call: &Call) -> Option<Result<Self, InputError>> {
        let plain = |expression: Self| Some(call.without_arguments().map(|()| expression));
        match call.name() {
            "branch" => plain(Self::Branch),
            "tag" => plain(Self::Tag),
            "sha" => plain(Self::Sha),
            "base_ref" => plain(Self::BaseRef),
            "is_default_branch" => plain(Self::IsDefaultBranch),
            "is_not_default_branch" => plain(Self::IsNotDefaultBranch),
            "date" => Some(date(call).map(|(format, zone)| Self::Date(format, zone))),
            "commit_date" => Some(date(call).map(|(format, zone)| Self::CommitDate(format, zone))),
            _ => None,
        }
    }

    fn options(&self) -> &'static [&'static str] {
        match self {
            Self::Date(..) | Self::CommitDate(..) => &["tz"],
            Self::Branch
            | Self::Tag
            | Self::Sha
            | Self::BaseRef
            | Self::IsDefaultBranch
            | Self::IsNotDefaultBranch => &[],
        }
    }
}

impl Template<Global> {
    /// The text; a commit that may not be named leaves nothing.
    pub(crate) fn text(&self, facts: &Facts<'_>) -> String {
        self.render(|expression| expression.value(facts))
    }

    /// The same for a text that is worth nothing without its commit; else why no commit may be named.
    pub(crate) fn whole_text(&self, facts: &Facts<'_>) -> Result<String, String> {
        if self.names_the_commit() {
            facts.commit()?;
        }
        Ok(self.text(facts))
    }

    /// Whether the text differs from commit to commit.
    pub(crate) fn names_the_commit(&self) -> bool {
        self.expressions()
            .any(|expression| matches!(expression, Global::Sha))
    }
}

impl Global {
    fn value(&self, facts: &Facts<'_>) -> String {
        match self {
            Self::Branch => facts.branch().to_owned(),
            Self::Tag => facts.tag().unwrap_or_default().to_owned(),
            Self::Sha => facts.short_sha().unwrap_or_default().to_owned(),
            Self::BaseRef => facts.base_ref().to_owned(),
            Self::IsDefaultBranch => facts.is_default_branch().to_string(),
            Self::IsNotDefaultBranch => (!facts.is_default_branch()).to_string(),
            Self::Date(format, zone) => format.format(facts.now(), zone),
            Self::CommitDate(format, zone) => format.format(facts.commit_time(), zone),
        }
    }
}

fn date(call: &Call) -> Result<(DateFormat, Zone), InputError> {
    let format = DateFormat::parse(call.one_argument()?);
    let zone = call.option("tz").map_or(Ok(Zone::UTC), time_zone)?;
    Ok((format, zone))
}

/// A zone by its IANA name, in any case.
fn time_zone(name: &str) -> Result<Zone, InputError> {
    Zone::named(name).ok_or_else(|| {
        let names = Zone::names();
        let near = names
            .iter()
            .max_by(|a, b| likeness(name, a).total_cmp(&likeness(name, b)))
            .map_or("", String::as_str);
        InputError::new(
            format!("`{name}` is not a time zone"),
            format!("write an IANA name such as `UTC` or `Europe/Berlin`; did you mean `{near}`?"),
        )
    })
}

fn likeness(name: &str, zone: &str) -> f64 {
    strsim::jaro_winkler(&name.to_lowercase(), &zone.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, because: &str, fix: &str) {
        let error = Template::<Global>::parse(text).err();
        assert_eq!(error, Some(InputError::new(because, fix)));
    }

    #[test]
    fn dates_need_a_format_and_a_known_zone() {
        refused(
            "{{date}}",
            "`date` has 0 arguments instead of one",
            "write for example `{{date 'YYYY-MM-DD'}}`",
        );
        refused(
            "{{commit_date 'x' tz='Asia/Tokio'}}",
            "`Asia/Tokio` is not a time zone",
            "write an IANA name such as `UTC` or `Europe/Berlin`; did you mean `Asia/Tokyo`?",
        );
        refused(
            "{{sha 'x'}}",
            "`{{sha \"x\"}}` has arguments, and `sha` takes none",
            "write `{{sha}}`",
        );
    }

    #[test]
    fn an_unknown_option_is_ignored_with_a_warning() {
        let warnings = |text| {
            let template = Template::<Global>::parse(text).unwrap();
            template.warnings().to_owned()
        };
        assert_eq!(
            warnings("{{date 'x' zone='UTC' tz='UTC'}}{{branch a='b'}}"),
            [
                "the option `zone` of `{{date}}` has no effect: `date` has only the option `tz`",
                "the option `a` of `{{branch}}` has no effect: `branch` has no option",
            ]
        );
        assert_eq!(warnings("{{commit_date 'x' tz='UTC'}}"), [""; 0]);
    }

    #[test]
    fn zones_are_found_in_any_case() {
        assert_eq!(time_zone("asia/tokyo"), time_zone("Asia/Tokyo"));
        assert!(time_zone("").is_err());
    }
}
