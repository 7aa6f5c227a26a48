//! OCI labels and annotations
//! (<https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md>).

mod collation;
pub(crate) mod level;

use chrono::SecondsFormat;

use super::facts::Facts;
use super::template::Template;
use super::template::global::Global;
use crate::inputs::list;
use crate::problem::Problem;

/// A line of the input `labels` or `annotations`; once filled in, what stands before the first `=` is
/// the key.
#[derive(Clone, Debug)]
pub(crate) struct LabelLine(Template<Global>);

/// Reads the input called `input`; also returns what a person should hear about it.
pub(crate) fn parse(
    input: &'static str,
    text: &str,
) -> Result<(Vec<LabelLine>, Vec<String>), Problem> {
    let mut lines = Vec::new();
    let mut warnings = Vec::new();
    for entry in list::entries(input, text)? {
        let template = Template::parse(entry.text()).map_err(|flaw| entry.problem(flaw))?;
        if template.literal().is_some_and(|text| !text.contains('=')) {
            warnings.push(format!(
                "line {} of the input `{input}` has no `=`, so it has no effect: `{}`",
                entry.line(),
                entry.text()
            ));
        }
        let ignored = template.warnings().iter();
        warnings.extend(ignored.map(|warning| entry.warning(warning)));
        lines.push(LabelLine(template));
    }
    Ok((lines, warnings))
}

/// What every image says of its origin, with `own` on top, in the order of the keys.
pub(super) fn labels(own: &[LabelLine], facts: &Facts<'_>, version: &str) -> Vec<(String, String)> {
    let mut labels = origin(facts, version);
    for LabelLine(template) in own {
        let Ok(text) = template.whole_text(facts) else {
            continue;
        };
        let Some((key, value)) = text.split_once('=') else {
            continue;
        };
        match labels.iter_mut().find(|(other, _)| other == key) {
            Some((_, other)) => value.clone_into(other),
            None => labels.push((key.to_owned(), value.to_owned())),
        }
    }
    labels.sort_by(|(a, _), (b, _)| collation::compare(a, b));
    labels
}

fn origin(facts: &Facts<'_>, version: &str) -> Vec<(String, String)> {
    let repository = facts.repository();
    let created = facts.now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let origin = [
        ("title", repository.name),
        ("description", repository.description),
        ("url", repository.html_url.clone()),
        ("source", repository.html_url),
        ("version", version.to_owned()),
        ("created", created),
        // Empty, the label still replaces one that a Dockerfile sets.
        ("revision", facts.revision()),
        ("licenses", repository.license),
    ];
    let origin = origin.map(|(key, value)| (format!("org.opencontainers.image.{key}"), value));
    origin.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_a_value_is_a_warning() {
        let (lines, warnings) = parse("labels", "empty=\n\n{{branch}}\nnovalue").unwrap();
        assert_eq!(lines.len(), 3);
        let expected = "line 4 of the input `labels` has no `=`, so it has no effect: `novalue`";
        assert_eq!(warnings, [expected]);
    }

    #[test]
    fn an_option_that_does_not_exist_is_a_warning() {
        let (_lines, warnings) = parse("labels", "a=b\nc={{date 'YYYY' zone='UTC'}}").unwrap();
        let expected = "line 2 of the input `labels`: the option `zone` of `{{date}}` has no effect: `date` has only the option `tz`";
        assert_eq!(warnings, [expected]);
    }

    #[test]
    fn a_line_that_is_no_template_names_itself() {
        let problem = parse("annotations", "a=b\nc={{sah}}").unwrap_err();
        let expected = "line 2 of the input `annotations` is not understood: `c={{sah}}`";
        assert_eq!(problem.to_string(), expected);
    }
}
