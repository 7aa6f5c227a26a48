//! Expressions in the inputs of a build -> their values on this event.
//!
//! The inputs are parsed into types before, so a value never adds an argument, a key or a line. Secrets, keys of
//! caches, names and keys are not expanded.

use crate::error::Problem;
use crate::image::name::{ImageName, lowercase_reference};
use crate::image::tag::Tag;
use crate::inputs::expressions::{Known, Values};
use crate::inputs::spec::Spec;
use crate::inputs::tags::template::Template;
use crate::inputs::tags::template::embedded::Backslash;
use crate::inputs::{Inputs, results};

/// The same inputs with the values of their expressions, and warnings about text that is nearly an expression.
pub(super) fn expanded(
    inputs: &Inputs,
    values: &Values<'_>,
) -> Result<(Inputs, Vec<String>), Problem> {
    let mut inputs = inputs.clone();
    let mut expander = Expander {
        values,
        warnings: Vec::new(),
    };
    let build = &mut inputs.build;
    let parameters = &mut build.parameters;
    if let Some(target) = &mut parameters.target {
        expander.filled(&Place::of("target"), target)?;
    }
    for (name, value) in &mut parameters.build_args {
        let is_expanded = expander.text(&Place::key("build-args", name), value)?;
        parameters.shown_args.push(match is_expanded {
            true => format!("{name}={value}"),
            false => name.clone(),
        });
    }
    for (input, caches) in [
        ("cache-from", &mut build.cache_from),
        ("cache-to", &mut build.cache_to),
    ] {
        for cache in caches {
            expander.cache(input, cache)?;
        }
    }
    for output in &mut build.outputs {
        expander.output(output)?;
    }
    inputs.refuse_secret_arguments()?;
    Ok((inputs, expander.warnings))
}

/// Where a text was written.
struct Place<'a> {
    input: &'static str,
    key: Option<&'a str>,
    is_reference: bool,
}

impl<'a> Place<'a> {
    fn of(input: &'static str) -> Self {
        Self {
            input,
            key: None,
            is_reference: false,
        }
    }

    fn key(input: &'static str, key: &'a str) -> Self {
        Self {
            input,
            key: Some(key),
            ..Self::of(input)
        }
    }

    /// A value in a reference has the characters of a tag, as in tag rules: the branch `fix/1` is `fix-1`.
    fn value(&self, value: String, known: &Known) -> String {
        if !self.is_reference || matches!(known, Known::Image) {
            return value;
        }
        Tag::sanitized(&value).map_or_else(String::new, |tag| tag.to_string())
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.key {
            Some(key) => write!(f, "`{key}` in the input `{}`", self.input),
            None => write!(f, "the input `{}`", self.input),
        }
    }
}

struct Expander<'a> {
    values: &'a Values<'a>,
    warnings: Vec<String>,
}

impl Expander<'_> {
    /// Replaces the expressions in `text`; whether there is one.
    fn text(&mut self, place: &Place<'_>, text: &mut String) -> Result<bool, Problem> {
        let template = Template::<Known>::embedded(text, Backslash::OfExpressions);
        let template = template.map_err(|error| {
            let what = format!("invalid expression in {place}: `{text}`");
            Problem::new(what, error.fix).because(error.because)
        })?;
        let warnings = template.warnings().iter();
        self.warnings
            .extend(warnings.map(|warning| format!("{place}: {warning}")));
        let value = |known: &Known| place.value(self.values.of(known), known);
        let mut values = template.expressions().map(value);
        if values.any(|value| value.contains(char::is_control)) {
            return Err(has_control_character(place, text));
        }
        *text = template.render(value);
        Ok(template.expressions().next().is_some())
    }

    /// As [`Expander::text`]; an empty value is an error.
    fn filled(&mut self, place: &Place<'_>, text: &mut String) -> Result<bool, Problem> {
        let written = text.clone();
        let is_expanded = self.text(place, text)?;
        if is_expanded && text.trim().is_empty() {
            return Err(is_empty(place, &written));
        }
        Ok(is_expanded)
    }

    fn cache(&mut self, input: &'static str, cache: &mut Spec) -> Result<(), Problem> {
        let is_registry = cache.kind() == "registry";
        for (key, text) in cache.values_mut() {
            let place = Place {
                is_reference: is_registry && key.eq_ignore_ascii_case("ref"),
                ..Place::key(input, key)
            };
            match place.is_reference {
                true => self.reference(&place, text)?,
                false => drop(self.filled(&place, text)?),
            }
        }
        Ok(())
    }

    /// Registries know lowercase names only; a tag keeps its case.
    fn reference(&mut self, place: &Place<'_>, text: &mut String) -> Result<(), Problem> {
        let written = text.clone();
        let is_expanded = self.filled(place, text)?;
        *text = lowercase_reference(text);
        match violation(text).filter(|_| is_expanded) {
            Some(because) => Err(no_reference(place, &written, text, because)),
            None => Ok(()),
        }
    }

    fn output(&mut self, output: &mut Spec) -> Result<(), Problem> {
        for (key, text) in output.values_mut() {
            self.filled(&Place::key("outputs", key), text)?;
        }
        results::check(output).map_err(|error| {
            let what = format!("invalid `type={}` in the input `outputs`", output.kind());
            Problem::new(what, error.fix).because(error.because)
        })
    }
}

/// Why `reference` names no image in a registry.
fn violation(reference: &str) -> Option<String> {
    let path = reference.split('@').next().unwrap_or_default();
    let last = path.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match path[last..].find(':') {
        Some(colon) => (&path[..last + colon], Some(&path[last + colon + 1..])),
        None => (path, None),
    };
    let is_tag = |tag: &str| Tag::sanitized(tag).is_some_and(|valid| valid.as_str() == tag);
    match tag {
        Some("") => Some("no tag follows the `:`".to_owned()),
        Some(tag) if !is_tag(tag) => Some(format!("`{tag}` is not a valid tag")),
        _ if ImageName::parse(name, "docker.io").is_err() => {
            Some(format!("`{name}` is not a valid image name"))
        }
        _ => None,
    }
}

fn no_reference(place: &Place<'_>, written: &str, text: &str, because: String) -> Problem {
    Problem::new(
        format!("{place} is `{text}` on this event, which is not a reference"),
        format!(
            "change `{written}` so that it is a reference on every event: an expression without a value is empty"
        ),
    )
    .because(because)
}

fn is_empty(place: &Place<'_>, written: &str) -> Problem {
    Problem::new(
        format!("{place} is empty on this event"),
        "use expressions that have a value on every event, or add text to them",
    )
    .because(format!("`{written}` has no value here"))
}

fn has_control_character(place: &Place<'_>, text: &str) -> Problem {
    Problem::new(
        format!(
            "the value of an expression in {place} has a line break or another control character"
        ),
        "use an expression without one",
    )
    .because(format!("it is `{text}`"))
}

#[cfg(test)]
mod tests;
