//! The `tags` input -> `Vec<TagRule>`.
//!
//! The language is that of docker/metadata-action v6
//! (<https://github.com/docker/metadata-action#tags-input>). A rule that parsed is complete: every
//! template, pattern, number and choice in it is known to be right.

use crate::error::{InputError, Problem};
use crate::inputs::list;
use crate::inputs::tags::kind::RuleKind;
use crate::inputs::tags::template::{Expression, Global, Template};
use std::collections::BTreeMap;
pub(crate) mod date_format;
pub(crate) mod flavor;
pub(crate) mod images;
pub(crate) mod kind;
pub(crate) mod pattern;
pub(crate) mod template;
pub(crate) mod version;

/// One line of the input: when it applies, and which tag it gives.
#[derive(Clone, Debug)]
pub(crate) struct TagRule {
    /// Its line in the input; a default rule has none.
    pub(crate) line: Option<usize>,
    pub(crate) text: String,
    pub(crate) kind: RuleKind,
    /// Gives `true` or `false`.
    pub(crate) enable: Template<Global>,
    /// Rules of a higher priority come first.
    pub(crate) priority: f64,
    /// Set, even to nothing, it replaces the flavor's.
    pub(crate) prefix: Option<Template<Global>>,
    pub(crate) suffix: Option<Template<Global>>,
    /// Warnings that stop nothing.
    pub(crate) warnings: Vec<String>,
}

const DEFAULT_RULES: &[&str] = &[
    "type=schedule",
    "type=ref,event=branch",
    "type=ref,event=tag",
    "type=ref,event=pr",
];

/// The rules in the order they are written; the default ones when none are.
pub(crate) fn parse(text: &str) -> Result<Vec<TagRule>, Problem> {
    let written = list::entries("tags", text)?;
    if !written.is_empty() {
        return written.iter().map(TagRule::parse).collect();
    }
    let defaults = list::entries("tags", &DEFAULT_RULES.join("\n"))?;
    let rules = defaults.iter().map(|entry| {
        let line = None;
        Ok(TagRule {
            line,
            ..TagRule::parse(entry)?
        })
    });
    rules.collect()
}

impl TagRule {
    fn parse(entry: &list::Entry) -> Result<Self, Problem> {
        Self::read(entry).map_err(|error| entry.problem(error))
    }

    fn read(entry: &list::Entry) -> Result<Self, InputError> {
        let mut attributes = Attributes::new(entry.fields()?);
        let kind_name = attributes.take("type").unwrap_or_else(|| "raw".to_owned());
        let (kind, priority, default_prefix) = RuleKind::read(&kind_name, &mut attributes)?;
        let mut rule = Self {
            line: Some(entry.line()),
            text: entry.text().to_owned(),
            kind,
            enable: attributes
                .template("enable")?
                .map_or_else(|| Template::parse("true"), Ok)?,
            priority: attributes.number("priority")?.unwrap_or(priority),
            prefix: match attributes.template("prefix")? {
                None => default_prefix.map(Template::parse).transpose()?,
                given => given,
            },
            suffix: attributes.template("suffix")?,
            warnings: Vec::new(),
        };
        let warnings = attributes.warnings.iter();
        rule.warnings = warnings.map(|warning| entry.warning(warning)).collect();
        attributes.nothing_left(&kind_name)?;
        match rule.enable.literal() {
            None | Some("true" | "false") => Ok(rule),
            Some(other) => Err(not_a_boolean(other)),
        }
    }
}

/// `enable` gave something else than a boolean.
pub(crate) fn not_a_boolean(enable: &str) -> InputError {
    let because = format!("`enable` is `{enable}`");
    InputError::not_one_of(because, enable, &["true", "false"])
}

/// The fields that were not taken yet, and every name that was asked for.
pub(crate) struct Attributes {
    given: BTreeMap<String, String>,
    asked: Vec<&'static str>,
    /// What has no effect.
    pub(crate) warnings: Vec<String>,
}

impl Attributes {
    /// A field without `=` is the `value`; of two fields with one key the later wins. A bare value that is replaced is
    /// most likely meant as a rule of its own.
    pub(crate) fn new(fields: Vec<String>) -> Self {
        let mut given = BTreeMap::new();
        let mut bare = None;
        let mut lost: Vec<String> = Vec::new();
        for field in fields {
            let (key, value, is_bare) = match field.split_once('=') {
                Some((key, value)) if !key.is_empty() => {
                    (key.trim().to_lowercase(), value.trim().to_owned(), false)
                }
                _ => ("value".to_owned(), field, true),
            };
            if key == "value" {
                lost.extend(bare.take());
                bare = (is_bare && !value.is_empty()).then(|| value.clone());
            }
            given.insert(key, value);
        }
        Self {
            given,
            asked: Vec::new(),
            warnings: no_effect(&lost).into_iter().collect(),
        }
    }

    /// Parses a text of the rule.
    pub(crate) fn parse<E: Expression>(&mut self, text: &str) -> Result<Template<E>, InputError> {
        let template = Template::parse(text)?;
        self.warnings.extend_from_slice(template.warnings());
        Ok(template)
    }

    pub(crate) fn take(&mut self, name: &'static str) -> Option<String> {
        self.asked.push(name);
        self.given.remove(name)
    }

    /// A field that a rule of the type `kind` can't do without; when one with nearly its name is there,
    /// that is what was meant.
    pub(crate) fn required(
        &mut self,
        name: &'static str,
        kind: &str,
        example: &str,
    ) -> Result<String, InputError> {
        if let Some(value) = self.take(name) {
            return Ok(value);
        }
        let near = |given: &&String| strsim::normalized_damerau_levenshtein(given, name) > 0.6;
        let needs = format!("a rule of the type `{kind}` needs the attribute `{name}`");
        Err(match self.given.keys().find(near) {
            Some(given) => InputError::new(
                format!("{needs}, but has `{given}`"),
                format!("write `{name}` instead of `{given}`"),
            ),
            None => InputError::new(
                needs,
                format!("add it, for example `type={kind},{example}`"),
            ),
        })
    }

    /// As [`Attributes::take`]; an empty value counts as none.
    pub(crate) fn filled(&mut self, name: &'static str) -> Option<String> {
        self.take(name).filter(|value| !value.is_empty())
    }

    pub(crate) fn template(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Template<Global>>, InputError> {
        self.take(name).map(|value| self.parse(&value)).transpose()
    }

    pub(crate) fn filled_template(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Template<Global>>, InputError> {
        self.filled(name)
            .map(|value| self.parse(&value))
            .transpose()
    }

    pub(crate) fn number(&mut self, name: &'static str) -> Result<Option<f64>, InputError> {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        let because = format!("`{name}` is `{text}`");
        number
            .map(Some)
            .ok_or_else(|| InputError::new(because, "write a number, for example `900`"))
    }

    /// Refuses what a rule of the type `kind` has no use for.
    pub(crate) fn nothing_left(mut self, kind: &str) -> Result<(), InputError> {
        let Some((name, value)) = self.given.pop_first() else {
            return Ok(());
        };
        self.asked.sort_unstable();
        let because = match name.as_str() {
            "value" => format!("a rule of the type `{kind}` takes no value, but has `{value}`"),
            _ => format!("a rule of the type `{kind}` has no attribute `{name}`"),
        };
        Err(InputError::not_one_of(because, &name, &self.asked))
    }
}

/// The warning that values are replaced by a later one on the same line.
fn no_effect(lost: &[String]) -> Option<String> {
    let lost: Vec<String> = lost.iter().map(|value| format!("`{value}`")).collect();
    let have = match lost.len() {
        0 => return None,
        1 => "has",
        _ => "have",
    };
    let lost = lost.join(", ");
    Some(format!(
        "a line is one rule, and only its last value counts: {lost} {have} no effect; write one rule per line"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let rules = parse(text).unwrap();
        assert_eq!(format!("{:?}", rules[0].kind), expected);
    }

    #[test]
    fn empty_input_gives_the_default_rules() {
        for text in ["", "\n", "# only a comment"] {
            let rules = parse(text).unwrap();
            let read: Vec<_> = rules
                .iter()
                .map(|rule| (rule.line, rule.text.as_str()))
                .collect();
            let expected: Vec<_> = DEFAULT_RULES.iter().map(|text| (None, *text)).collect();
            assert_eq!(read, expected);
        }
    }

    #[track_caller]
    fn warned(text: &str, expected: &[&str]) {
        let rules = parse(text).unwrap();
        let warnings: Vec<_> = rules.into_iter().flat_map(|rule| rule.warnings).collect();
        assert_eq!(warnings, expected);
    }

    #[test]
    fn last_bare_value_wins_with_a_warning() {
        check(
            "v1,v2",
            "Raw { value: Template { pieces: [Text(\"v2\")], warnings: [] } }",
        );
        warned(
            "type=sha\n\nv1,v2",
            &[
                "line 3 of the input `tags`: a line is one rule, and only its last value counts: `v1` has no effect; write one rule per line",
            ],
        );
        warned(
            "v1, =a ,type=raw,enable=true,value=v3",
            &[
                "line 1 of the input `tags`: a line is one rule, and only its last value counts: `v1`, `=a` have no effect; write one rule per line",
            ],
        );
        warned(
            "v1,",
            &[
                "line 1 of the input `tags`: a line is one rule, and only its last value counts: `v1` has no effect; write one rule per line",
            ],
        );
        warned(
            "\"v1,v2\"",
            &[
                "line 1 of the input `tags`: a line is one rule, and only its last value counts: `v1` has no effect; write one rule per line",
            ],
        );
    }

    #[test]
    fn usual_rules_give_no_warning() {
        warned(
            "v1\nv2\nv3,enable=true\n,v4\npriority=1,v5,prefix=a-\nvalue=v6,value=v7\ntype=raw,value=v7,suffix=\n\
             type=semver,pattern={{version}},value=1.2.3\ntype=raw,value={{date 'YYYY' tz='UTC'}}\ntype=sha",
            &[],
        );
    }

    #[test]
    fn an_option_that_does_not_exist_is_ignored_wherever_a_rule_has_a_template() {
        let option = |text: &str, call: &str, has: &str| {
            let warning = format!(
                "line 1 of the input `tags`: the option `x` of `{{{{{call}}}}}` has no effect: `{call}` has {has}"
            );
            warned(text, &[&warning]);
        };
        let (tz, none) = ("only the option `tz`", "no option");
        option("type=raw,value={{date 'YYYY' x='UTC'}}", "date", tz);
        option(
            "type=raw,value={{commit_date 'YYYY' x='UTC'}}",
            "commit_date",
            tz,
        );
        option("v1,prefix={{branch x='y'}}", "branch", none);
        option("v1,suffix={{sha x='y'}}", "sha", none);
        option(
            "v1,enable={{is_default_branch x='y'}}",
            "is_default_branch",
            none,
        );
        option("type=schedule,pattern={{date 'YYYY' x='y'}}", "date", tz);
        option("type=semver,pattern={{version x='y'}}", "version", none);
        option("type=match,pattern=v,value={{tag x='y'}}", "tag", none);
    }
}
