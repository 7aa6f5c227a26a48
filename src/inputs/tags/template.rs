//! `{{branch}}`, `{{date 'YYYY' tz='UTC'}}` and their kin: text with expressions in it.
//!
//! The form is that of Handlebars (<https://handlebarsjs.com/guide/expressions.html>), as far as tag
//! rules use it: `{{name}}`, `{{{name}}}`, quoted arguments and `\{{` for plain braces. Values are
//! put in as they are, never HTML-escaped. Blocks and partials are not part of the language.

pub(crate) mod call;
pub(crate) mod embedded;

use crate::context::facts::Facts;
use crate::error::InputError;
use crate::inputs::tags::date_format::{DateFormat, Zone};
use crate::inputs::tags::template::call::Call;

/// A parsed text; every expression in it is known and complete.
#[derive(Clone, Debug)]
pub(crate) struct Template<E> {
    pieces: Vec<Piece<E>>,
    /// Warnings about options without effect.
    warnings: Vec<String>,
}

#[derive(Clone, Debug)]
enum Piece<E> {
    Text(String),
    Expression(E),
}

/// The expressions that a template may use.
pub(crate) trait Expression: Sized {
    /// The names, for the reader of an error.
    const NAMES: &'static [&'static str];

    /// The expression `call` asks for; nothing when it has no such name.
    fn from_call(call: &Call) -> Option<Result<Self, InputError>>;

    /// The options it has; others are ignored.
    fn options(&self) -> &'static [&'static str] {
        &[]
    }
}

impl<E: Expression> Template<E> {
    pub(crate) fn parse(text: &str) -> Result<Self, InputError> {
        let mut pieces = Vec::new();
        let mut warnings = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            if let Some(kept) = before.strip_suffix('\\').filter(|b| !b.ends_with('\\')) {
                literal.push_str(kept);
                literal.push_str("{{");
                rest = after;
                continue;
            }
            literal.push_str(before.strip_suffix('\\').unwrap_or(before));
            let (call, remaining) = Call::parse(after)?;
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
            let expression: E = resolve(&call)?;
            warnings.extend(call.ignored_options(expression.options()));
            pieces.push(Piece::Expression(expression));
            rest = remaining;
        }
        literal.push_str(rest);
        pieces.push(Piece::Text(literal));
        let mut template = Self { pieces, warnings };
        template.without_empty_text();
        Ok(template)
    }
}

fn resolve<E: Expression>(call: &Call) -> Result<E, InputError> {
    E::from_call(call).unwrap_or_else(|| {
        let name = call.name();
        let because = format!("unknown expression `{{{{{name}}}}}`");
        Err(InputError::not_one_of(because, name, E::NAMES))
    })
}

impl<E> Template<E> {
    pub(crate) fn empty() -> Self {
        Self {
            pieces: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn without_empty_text(&mut self) {
        let is_empty = |piece: &Piece<E>| matches!(piece, Piece::Text(text) if text.is_empty());
        self.pieces.retain(|piece| !is_empty(piece));
    }

    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(crate) fn render(&self, mut value: impl FnMut(&E) -> String) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Expression(expression) => value(expression),
        });
        pieces.collect()
    }

    /// The text, if it has no expression.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    pub(crate) fn expressions(&self) -> impl Iterator<Item = &E> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Expression(expression) => Some(expression),
        })
    }

    /// The expression, if the template is nothing else.
    pub(crate) fn single(&self) -> Option<&E> {
        match self.pieces.as_slice() {
            [Piece::Expression(expression)] => Some(expression),
            _ => None,
        }
    }
}

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
    /// Empty if this event has no value for it, or if the commit may not be named.
    pub(crate) fn value(&self, facts: &Facts<'_>) -> String {
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

    /// Any expression, shown as it was read.
    struct Echo(String);

    impl Expression for Echo {
        const NAMES: &'static [&'static str] = &["branch", "date"];

        fn from_call(call: &Call) -> Option<Result<Self, InputError>> {
            Self::NAMES
                .contains(&call.name())
                .then(|| Ok(Self(format!("{call:?}"))))
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let template = Template::<Echo>::parse(text).unwrap();
        assert_eq!(template.render(|echo| format!("<{}>", echo.0)), expected);
    }

    #[track_caller]
    fn refused(text: &str, because: &str, fix: &str) {
        let error = Template::<Echo>::parse(text).err();
        assert_eq!(error, Some(InputError::new(because, fix)));
    }

    #[test]
    fn text_and_expressions_alternate() {
        check("", "");
        check("a{{branch}}b", "a<branch>b");
        check(
            "{{ branch }}{{{branch}}}{{&branch}}",
            "<branch><branch><branch>",
        );
        check("{{date 'a}}b' tz=\"c\"}}", "<date \"a}}b\" tz=\"c\">");
        check("}} {x} {", "}} {x} {");
    }

    #[test]
    fn a_backslash_keeps_the_braces() {
        check("\\{{branch}}-{{branch}}", "{{branch}}-<branch>");
        check("\\\\{{branch}}", "\\<branch>");
    }

    #[test]
    fn unknown_expression_names_the_nearest() {
        refused(
            "{{brunch}}",
            "unknown expression `{{brunch}}`",
            "write `branch` or `date`; did you mean `branch`?",
        );
    }

    #[track_caller]
    fn refused_global(text: &str, because: &str, fix: &str) {
        let error = Template::<Global>::parse(text).err();
        assert_eq!(error, Some(InputError::new(because, fix)));
    }

    #[test]
    fn dates_need_a_format_and_a_known_zone() {
        refused_global(
            "{{date}}",
            "`date` has 0 arguments instead of one",
            "write for example `{{date 'YYYY-MM-DD'}}`",
        );
        refused_global(
            "{{commit_date 'x' tz='Asia/Tokio'}}",
            "`Asia/Tokio` is not a time zone",
            "write an IANA name such as `UTC` or `Europe/Berlin`; did you mean `Asia/Tokyo`?",
        );
        refused_global(
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
