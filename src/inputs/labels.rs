//! The inputs `labels`, `annotations` and `annotation-levels`.

use crate::error::{InputError, Problem};
use crate::inputs::expressions::Known;
use crate::inputs::list;
use crate::inputs::raw::RawInputs;
use crate::inputs::tags::template::Template;
use crate::inputs::tags::template::embedded::Backslash;
use crate::vars::Vars;
use std::fmt;

/// A line of the input `labels` or `annotations`; after evaluation, the text before the first `=` is
/// the key.
#[derive(Clone, Debug)]
pub(crate) struct LabelLine(Template<Known>);

/// Reads the input called `input`; also returns warnings.
pub(crate) fn parse(
    input: &'static str,
    text: &str,
) -> Result<(Vec<LabelLine>, Vec<String>), Problem> {
    let mut lines = Vec::new();
    let mut warnings = Vec::new();
    for entry in list::entries(input, text)? {
        let template = Template::embedded(entry.text(), Backslash::OfBraces);
        let template = template.map_err(|error| entry.problem(error))?;
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
    pub(crate) fn template(&self) -> &Template<Known> {
        &self.0
    }
}

/// At least one level, each `manifest`, `index`, `manifest-descriptor` or `index-descriptor`, some
/// with a platform: `manifest[linux/amd64]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Levels(Vec<Level>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Level(String);

const KINDS: &[&str] = &[
    "manifest",
    "index",
    "manifest-descriptor",
    "index-descriptor",
];

impl Levels {
    /// Reads the input `annotation-levels`, else docker/metadata-action's variable.
    pub(super) fn read(raw: &RawInputs, vars: &Vars) -> Result<Option<Self>, Problem> {
        const VARIABLE: &str = "DOCKER_METADATA_ANNOTATIONS_LEVELS";
        let input = raw
            .text("annotation-levels")
            .map(|text| ("annotation-levels", text));
        let levels = input.or_else(|| Some((VARIABLE, vars.get(VARIABLE)?)));
        levels
            .map(|(source, text)| Self::parse(source, text))
            .transpose()
    }

    /// Reads levels between commas.
    pub(crate) fn parse(source: &str, text: &str) -> Result<Self, Problem> {
        let levels = text.split(',').map(|level| Level::parse(level.trim()));
        let levels: Result<Vec<Level>, InputError> = levels.collect();
        levels.map(Self).map_err(|error| {
            Problem::new(format!("`{source}` is `{text}`"), error.fix).because(error.because)
        })
    }

    /// The default of docker/metadata-action.
    pub(crate) fn manifest() -> Self {
        Self(vec![Level("manifest".to_owned())])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Level> {
        self.0.iter()
    }
}

impl Level {
    fn parse(text: &str) -> Result<Self, InputError> {
        let kind = match text.split_once('[') {
            Some((kind, platform)) if platform.len() > 1 && platform.ends_with(']') => kind,
            _ => text,
        };
        if KINDS.contains(&kind) {
            return Ok(Self(text.to_owned()));
        }
        let because = format!("`{text}` is not a level of annotations");
        Err(InputError::not_one_of(because, kind, KINDS))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
    fn invalid_template_names_its_line() {
        let problem = parse("annotations", "a=b\nc={{date}}").unwrap_err();
        let expected = "invalid entry in the input `annotations`, line 2: `c={{date}}`";
        assert_eq!(problem.to_string(), expected);
    }

    #[test]
    fn braces_of_other_languages_stay() {
        let text = "a={{ .Name }}\nb=\\{{ .Name }}\nc={{#if x}}\nd={{sah}}";
        let (lines, warnings) = parse("labels", text).unwrap();
        let literals: Vec<_> = lines.iter().map(|line| line.0.literal().unwrap()).collect();
        assert_eq!(
            literals,
            ["a={{ .Name }}", "b={{ .Name }}", "c={{#if x}}", "d={{sah}}"]
        );
        let expected = "line 4 of the input `labels`: `{{sah}}` is not an expression, so it stays as it is; did you mean `{{sha}}`?";
        assert_eq!(warnings, [expected]);
    }

    #[test]
    fn levels_are_those_of_buildx() {
        let shown = |text| {
            let levels = Levels::parse("levels", text)?;
            Ok::<_, Problem>(levels.iter().map(Level::to_string).collect::<Vec<_>>())
        };
        assert_eq!(shown("manifest, index").unwrap(), ["manifest", "index"]);
        assert_eq!(
            shown("manifest[linux/amd64]").unwrap(),
            ["manifest[linux/amd64]"]
        );
        let problem = shown("manifests").unwrap_err();
        assert_eq!(problem.to_string(), "`levels` is `manifests`");
        assert!(shown("index[").is_err());
    }
}
