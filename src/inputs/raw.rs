//! The inputs as text: their names, from the environment and from `--with NAME=VALUE`.

use crate::error::Problem;
use crate::secret::Secret;
use crate::vars::Vars;
use std::collections::BTreeMap;

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
        parse(text).map(Some).map_err(|rule| {
            Problem::new(
                format!("invalid value `{text}` for the input `{name}`"),
                rule,
            )
        })
    }

    /// YAML 1.2 booleans: `true` or `false`, in any case.
    pub(super) fn flag(&self, name: &'static str, default: bool) -> Result<bool, Problem> {
        Ok(self.parsed(name, boolean)?.unwrap_or(default))
    }

    /// Removes the inputs of `names`, and returns those whose value was not the default next to the name.
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
    format!("the unknown input `{name}` is ignored{hint}")
}

/// An input's name as `action.yml` writes it.
pub(super) fn normal(text: &str) -> String {
    text.to_ascii_lowercase().replace('_', "-")
}

/// The nearest known input.
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

/// The inputs that hold one entry a line, so that another `--with` adds a line.
const LISTS: &[&str] = &[
    "add-hosts",
    "allow",
    "annotations",
    "append",
    "attests",
    "build-args",
    "build-contexts",
    "cache-from",
    "cache-to",
    "driver-opts",
    "flavor",
    "images",
    "labels",
    "no-cache-filters",
    "outputs",
    "platforms",
    "registry-auth",
    "secret-envs",
    "secret-files",
    "secrets",
    "ssh",
    "tags",
    "ulimit",
];

/// Reads one `--with`; the name must be that of an input.
pub fn name_and_value(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=');
    let (name, value) = pair.ok_or("write NAME=VALUE, for example --with push=false")?;
    let name = normal(name);
    if NAMES.contains(&name.as_str()) {
        return Ok((name, value.to_owned()));
    }
    Err(unknown_option(&name))
}

fn unknown_option(name: &str) -> String {
    match nearest(name) {
        Some(near) => format!("unknown input `{name}`; did you mean `{near}`?"),
        None => format!("unknown input `{name}`; action.yml lists all inputs"),
    }
}

/// Each input once: a repeated list has all its lines.
pub fn merged(given: Vec<(String, String)>) -> Result<Vec<(String, String)>, String> {
    let mut merged: Vec<(String, String)> = Vec::new();
    for (name, value) in given {
        match merged.iter_mut().find(|(known, _)| *known == name) {
            None => merged.push((name, value)),
            Some((_, lines)) if LISTS.contains(&name.as_str()) => {
                lines.push('\n');
                lines.push_str(&value);
            }
            Some(_) => {
                return Err(format!(
                    "`--with {name}` is given twice but takes one value"
                ));
            }
        }
    }
    Ok(merged)
}

/// Every input the action has. `action.yml` declares the same; a test compares the two.
pub(crate) const NAMES: &[&str] = &[
    "add-hosts",
    "allow",
    "allow-untrusted-pull-request",
    "annotation-levels",
    "annotations",
    "append",
    "attests",
    "bake-target",
    "build-args",
    "build-contexts",
    "builder",
    "buildkitd-config",
    "buildkitd-config-inline",
    "buildkitd-flags",
    "cache",
    "cache-from",
    "cache-to",
    "ca-cert",
    "call",
    "candidate",
    "cgroup-parent",
    "context",
    "driver",
    "driver-opts",
    "endpoint",
    "file",
    "flavor",
    "floating-tags",
    "git-context",
    "github-token",
    "images",
    "labels",
    "load",
    "mode",
    "network",
    "no-cache",
    "no-cache-filters",
    "outputs",
    "password",
    "platforms",
    "provenance",
    "pull",
    "push",
    "push-timeout",
    "registry",
    "registry-auth",
    "reproducible",
    "sbom",
    "secret-envs",
    "secret-files",
    "secrets",
    "sep-annotations",
    "sep-labels",
    "sep-tags",
    "shm-size",
    "ssh",
    "summary",
    "tags",
    "target",
    "ulimit",
    "username",
];
