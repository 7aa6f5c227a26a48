//! `RawInputs`: the inputs as text, and the questions every parser asks of them.

use std::collections::BTreeMap;

use crate::error::Problem;
use crate::inputs::names::NAMES;
use crate::secret::Secret;
use crate::vars::Vars;

/// The inputs as text, by their name in `action.yml`.
pub(super) struct RawInputs(BTreeMap<String, String>);

impl RawInputs {
    /// `INPUT_BUILD-ARGS` is `build-args`; an `_` instead of the `-` is understood too, since a shell
    /// can't set the former.
    pub(super) fn collect(vars: &Vars, with: &[(String, String)]) -> Self {
        let from_env = vars.iter().filter_map(|(variable, value)| {
            Some((normal(variable.strip_prefix("INPUT_")?), value.to_owned()))
        });
        let from_with = with
            .iter()
            .map(|(input, value)| (normal(input), value.clone()));
        Self(from_env.chain(from_with).collect())
    }

    /// The value without the white space around it; nothing when empty.
    pub(super) fn text(&self, name: &'static str) -> Option<&str> {
        debug_assert!(NAMES.contains(&name), "`{name}` is declared");
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The value as it was given; the empty text when it was not.
    pub(super) fn untrimmed(&self, name: &'static str) -> &str {
        debug_assert!(NAMES.contains(&name), "`{name}` is declared");
        self.0.get(name).map_or("", String::as_str)
    }

    pub(super) fn secret(&self, name: &'static str) -> Option<Secret> {
        Secret::new(self.text(name)?)
    }

    pub(super) fn parsed<T>(
        &self,
        name: &'static str,
        parse: fn(&str) -> Result<T, &'static str>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        parse(text)
            .map(Some)
            .map_err(|rule| Problem::new(format!("the input `{name}` is `{text}`"), rule))
    }

    /// YAML 1.2 booleans: `true` or `false`, in any case.
    pub(super) fn flag(&self, name: &'static str, default: bool) -> Result<bool, Problem> {
        Ok(self.parsed(name, boolean)?.unwrap_or(default))
    }

    /// Takes away every input of `names` whose value is not the one beside it; gives those that were there.
    pub(super) fn take_all(&mut self, names: &[(&'static str, &str)]) -> Vec<&'static str> {
        let mut taken = Vec::new();
        for (name, default) in names {
            let value = self.0.remove(*name).unwrap_or_default();
            let value = value.trim();
            if !value.is_empty() && !value.eq_ignore_ascii_case(default) {
                taken.push(*name);
            }
        }
        taken
    }

    pub(super) fn unknown_names(&self) -> Vec<String> {
        let unknown = self.0.keys().filter(|name| !NAMES.contains(&name.as_str()));
        unknown.map(|name| unknown_input(name)).collect()
    }
}

fn unknown_input(name: &str) -> String {
    let hint = nearest(name).map(|known| format!("; did you mean `{known}`?"));
    let hint = hint.unwrap_or_default();
    format!("there is no input `{name}`, so it has no effect{hint}")
}

/// An input's name as `action.yml` writes it.
pub(super) fn normal(text: &str) -> String {
    text.to_ascii_lowercase().replace('_', "-")
}

/// The input that may be meant.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let nearest = NAMES
        .iter()
        .min_by_key(|known| strsim::damerau_levenshtein(known, name));
    let near = nearest.filter(|known| strsim::normalized_damerau_levenshtein(known, name) > 0.5);
    near.copied()
}

fn boolean(text: &str) -> Result<bool, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("write `true` or `false`"),
    }
}
