//! The `flavor` input: what holds for every tag unless its rule says otherwise.

use crate::error::{InputError, Problem};
use crate::inputs::list;
use crate::inputs::list::Entry;
use crate::inputs::tags::template::Global;
use crate::inputs::tags::template::Template;

/// `latest=…`, and texts put around every tag.
#[derive(Clone, Debug)]
pub(crate) struct Flavor {
    pub(crate) latest: Latest,
    pub(crate) prefix: Affix,
    pub(crate) suffix: Affix,
    /// Warnings that stop nothing.
    pub(crate) warnings: Vec<String>,
}

/// When the tag `latest` is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Latest {
    /// When the first tag comes from a git tag and is not a pre-release.
    Auto,
    Always,
    Never,
}

/// A prefix or suffix, and whether `latest` gets it too.
#[derive(Clone, Debug)]
pub(crate) struct Affix {
    pub(crate) text: Template<Global>,
    pub(crate) on_latest: bool,
}

const KEYS: &[&str] = &["latest", "prefix", "suffix", "onlatest"];

/// Which of the two an `onlatest` is about: the one before it on the same line.
#[derive(Clone, Copy)]
enum Side {
    Prefix,
    Suffix,
}

/// Reads the input; an empty one changes nothing.
pub(crate) fn parse(text: &str) -> Result<Flavor, Problem> {
    let nothing = Affix {
        text: Template::empty(),
        on_latest: false,
    };
    let mut flavor = Flavor {
        latest: Latest::Auto,
        prefix: nothing.clone(),
        suffix: nothing,
        warnings: Vec::new(),
    };
    for entry in list::entries("flavor", text)? {
        flavor.read(&entry).map_err(|error| entry.problem(error))?;
    }
    Ok(flavor)
}

impl Flavor {
    fn read(&mut self, entry: &Entry) -> Result<(), InputError> {
        let mut side = None;
        for field in entry.fields()? {
            let (key, value) = pair(&field)?;
            match key.as_str() {
                "latest" => self.latest = latest(value)?,
                "prefix" => {
                    self.prefix.text = self.template(value, entry)?;
                    side = Some(Side::Prefix);
                }
                "suffix" => {
                    self.suffix.text = self.template(value, entry)?;
                    side = Some(Side::Suffix);
                }
                "onlatest" => self.on_latest(side, boolean(value)?, entry.line()),
                other => {
                    let because = format!("unknown flavor key `{other}`");
                    return Err(InputError::not_one_of(because, other, KEYS));
                }
            }
        }
        Ok(())
    }

    fn template(&mut self, text: &str, entry: &Entry) -> Result<Template<Global>, InputError> {
        let template = Template::parse(text)?;
        let ignored = template.warnings().iter();
        self.warnings
            .extend(ignored.map(|warning| entry.warning(warning)));
        Ok(template)
    }

    fn on_latest(&mut self, side: Option<Side>, value: bool, line: usize) {
        match side {
            Some(Side::Prefix) => self.prefix.on_latest = value,
            Some(Side::Suffix) => self.suffix.on_latest = value,
            None => self.warnings.push(format!(
                "`onlatest` on line {line} of the input `flavor` has no effect: it belongs on the line of a prefix or suffix, after it"
            )),
        }
    }
}

fn pair(field: &str) -> Result<(String, &str), InputError> {
    match field.split_once('=') {
        Some((key, value)) => Ok((key.trim().to_lowercase(), value.trim())),
        None => Err(InputError::new(
            format!("`{field}` has no `=`"),
            "write `key=value`, for example `latest=false` or `suffix=-alpine`",
        )),
    }
}

fn latest(value: &str) -> Result<Latest, InputError> {
    match value {
        "auto" => Ok(Latest::Auto),
        "true" => Ok(Latest::Always),
        "false" => Ok(Latest::Never),
        other => {
            let because = format!("`latest` is `{other}`");
            Err(InputError::not_one_of(
                because,
                other,
                &["auto", "true", "false"],
            ))
        }
    }
}

/// `true` or `false`, spelled like this.
pub(crate) fn boolean(value: &str) -> Result<bool, InputError> {
    let because = format!("`{value}` is not a boolean");
    let parsed = value.parse().ok();
    parsed.ok_or_else(|| InputError::not_one_of(because, value, &["true", "false"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;

    #[track_caller]
    fn check(text: &str, latest: Latest, prefix: (&str, bool), suffix: (&str, bool)) {
        let flavor = parse(text).unwrap();
        let shown = |affix: &Affix| (affix.text.literal().unwrap().to_owned(), affix.on_latest);
        assert_eq!(flavor.latest, latest);
        assert_eq!(shown(&flavor.prefix), (prefix.0.to_owned(), prefix.1));
        assert_eq!(shown(&flavor.suffix), (suffix.0.to_owned(), suffix.1));
    }

    #[track_caller]
    fn refused(text: &str, because: &str) {
        let explanation = Explanation::of(&parse(text).unwrap_err().into());
        assert_eq!(explanation.because, [because]);
    }

    #[test]
    fn onlatest_applies_to_the_affix_before_it() {
        check("", Latest::Auto, ("", false), ("", false));
        check("Latest = true", Latest::Always, ("", false), ("", false));
        check(
            "prefix=a-,onlatest=true,suffix=-b\nlatest=false",
            Latest::Never,
            ("a-", true),
            ("-b", false),
        );
        check(
            "suffix=-b,onlatest=true,onlatest=false",
            Latest::Auto,
            ("", false),
            ("-b", false),
        );
    }

    #[test]
    fn unknown_flavor_key_is_refused() {
        refused("latest=yes", "`latest` is `yes`");
        refused("prefx=a", "unknown flavor key `prefx`");
        refused("alpine", "`alpine` has no `=`");
        refused("prefix=a,onlatest=1", "`1` is not a boolean");
    }

    #[test]
    fn an_option_that_does_not_exist_is_a_warning() {
        let flavor =
            parse("latest=auto\nprefix={{branch x='y'}}-,suffix={{date 'x' x='y'}}").unwrap();
        assert_eq!(
            flavor.warnings,
            [
                "line 2 of the input `flavor`: the option `x` of `{{branch}}` has no effect: `branch` has no option",
                "line 2 of the input `flavor`: the option `x` of `{{date}}` has no effect: `date` has only the option `tz`",
            ]
        );
    }

    #[test]
    fn onlatest_on_a_line_of_its_own_has_no_effect() {
        let flavor = parse("prefix=a\nonlatest=true").unwrap();
        assert!(!flavor.prefix.on_latest);
        assert_eq!(flavor.warnings.len(), 1);
    }
}
