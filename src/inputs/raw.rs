//! The inputs as text: their names, from the environment and from `--with NAME=VALUE`.

use crate::error::Problem;
use crate::secret::Secret;
use crate::vars::Vars;
use std::collections::BTreeMap;

use self::Form::{Lines, One};
use self::Subject::{Build, Other};

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
        debug_assert!(is_declared(name), "`{name}` is declared");
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The value as it was given; the empty text when it was not.
    pub(super) fn untrimmed(&self, name: &'static str) -> &str {
        debug_assert!(is_declared(name), "`{name}` is declared");
        self.0.get(name).map_or("", String::as_str)
    }

    /// Replaces the value.
    pub(super) fn set(&mut self, name: &'static str, value: String) {
        debug_assert!(is_declared(name), "`{name}` is declared");
        self.0.insert(name.to_owned(), value);
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

    /// Removes the inputs that say how an image is built, and returns those that ask for something.
    pub(super) fn take_those_of_a_build(&mut self) -> Vec<&'static str> {
        let build = INPUTS.iter().filter(|(.., subject)| *subject == Build);
        let taken = build.filter(|(name, ..)| {
            let value = self.0.remove(*name).unwrap_or_default();
            !matches!(
                value.trim().to_ascii_lowercase().as_str(),
                "" | "false" | "none"
            )
        });
        taken.map(|(name, ..)| *name).collect()
    }

    pub(super) fn unknown_names(&self) -> Vec<String> {
        let unknown = self.0.keys().filter(|name| !is_declared(name));
        unknown.map(|name| unknown_input(name)).collect()
    }
}

fn unknown_input(name: &str) -> String {
    let hint = nearest(name).map(|known| format!("; did you mean `{known}`?"));
    let hint = hint.unwrap_or_default();
    format!("the unknown input `{name}` is ignored{hint}")
}

fn declared(name: &str) -> Option<&'static (&'static str, Form, Subject)> {
    INPUTS.iter().find(|(known, ..)| *known == name)
}

fn is_declared(name: &str) -> bool {
    declared(name).is_some()
}

/// An input's name as `action.yml` writes it.
pub(super) fn normal(text: &str) -> String {
    text.to_ascii_lowercase().replace('_', "-")
}

/// The nearest known input.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let names = INPUTS.iter().map(|(known, ..)| *known);
    let nearest = names.min_by_key(|known| strsim::damerau_levenshtein(known, name));
    nearest.filter(|known| strsim::normalized_damerau_levenshtein(known, name) > 0.5)
}

fn boolean(text: &str) -> Result<bool, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("write `true` or `false`"),
    }
}

/// Reads one `--with`; the name must be that of an input.
pub fn name_and_value(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=');
    let (name, value) = pair.ok_or("write NAME=VALUE, for example --with push=false")?;
    let name = normal(name);
    if is_declared(&name) {
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
            Some((_, lines)) if declared(&name).is_some_and(|(_, form, _)| *form == Lines) => {
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

/// How often an input may be given on the command line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Once: it takes one value.
    One,
    /// Again and again: each `--with` adds a line.
    Lines,
}

/// What an input is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// How an image is built: it has no effect on an image that exists.
    Build,
    Other,
}

/// Every input of the action. `action.yml` declares the same; a test compares the two.
pub(crate) const INPUTS: &[(&str, Form, Subject)] = &[
    ("add-hosts", Lines, Build),
    ("allow", Lines, Build),
    ("allow-untrusted-pull-request", One, Other),
    ("annotation-levels", One, Other),
    ("annotations", Lines, Other),
    ("append", Lines, Build),
    ("attest", One, Other),
    ("attests", Lines, Build),
    ("bake-target", One, Other),
    ("build-args", Lines, Build),
    ("build-contexts", Lines, Build),
    ("builder", One, Build),
    ("buildkitd-config", One, Build),
    ("buildkitd-config-inline", One, Build),
    ("buildkitd-flags", One, Build),
    ("cache", One, Build),
    ("cache-from", Lines, Build),
    ("cache-to", Lines, Build),
    ("ca-cert", One, Other),
    ("call", One, Build),
    ("candidate", Lines, Other),
    ("cgroup-parent", One, Build),
    ("cleanup-budget", One, Other),
    ("comment", One, Other),
    ("compare-with", One, Other),
    ("context", One, Build),
    ("driver", One, Build),
    ("driver-opts", Lines, Build),
    ("dry-run", One, Other),
    ("endpoint", One, Build),
    ("file", One, Build),
    ("flavor", Lines, Other),
    ("floating-tags", One, Other),
    ("fixed-tags", One, Other),
    ("fulcio-url", One, Other),
    ("git-context", One, Other),
    ("github-token", One, Other),
    ("images", Lines, Other),
    ("job-status", One, Other),
    ("keep-login", One, Other),
    ("labels", Lines, Other),
    ("load", One, Build),
    ("max-growth", One, Other),
    ("merge-timeout", One, Other),
    ("mode", One, Other),
    ("move-tags", One, Other),
    ("network", One, Build),
    ("no-cache", One, Build),
    ("no-cache-filters", Lines, Build),
    ("oidc-issuer", One, Other),
    ("outputs", Lines, Build),
    ("part", Lines, Build),
    ("password", One, Other),
    ("platforms", Lines, Other),
    ("protect", Lines, Other),
    ("provenance", One, Build),
    ("pull", One, Build),
    ("push", One, Other),
    ("push-timeout", One, Other),
    ("ref", One, Other),
    ("references", Lines, Other),
    ("registry", One, Other),
    ("registry-auth", Lines, Other),
    ("rekor-url", One, Other),
    ("repository", One, Other),
    ("reproducible", One, Build),
    ("sbom", One, Build),
    ("retention", Lines, Other),
    ("secret-envs", Lines, Build),
    ("secret-files", Lines, Build),
    ("secrets", Lines, Build),
    ("sep-annotations", One, Other),
    ("sep-labels", One, Other),
    ("sep-tags", One, Other),
    ("shm-size", One, Build),
    ("sigstore", One, Other),
    ("ssh", Lines, Build),
    ("summary", One, Other),
    ("tags", Lines, Other),
    ("target", One, Build),
    ("timestamp-url", One, Other),
    ("trusted-root", One, Other),
    ("ulimit", Lines, Build),
    ("username", One, Other),
    ("workflow", One, Other),
];
