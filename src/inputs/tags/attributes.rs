//! `Attributes`: the `key=value` fields of a rule; an unknown one is an error.

use std::collections::BTreeMap;

use crate::error::InputError;
use crate::inputs::tags::template::Global;
use crate::inputs::tags::template::{Expression, Template};

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
