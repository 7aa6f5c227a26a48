//! The inputs `labels` and `annotations`.

use crate::error::Problem;
use crate::inputs::list;
use crate::inputs::tags::template::Template;
use crate::inputs::tags::template::global::Global;

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
        let template = Template::parse(entry.text()).map_err(|error| entry.problem(error))?;
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

impl LabelLine {
    pub(crate) fn template(&self) -> &Template<Global> {
        &self.0
    }
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
