//! `Vars`: the environment as a value, read once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::error::Problem;

/// The environment variables and the working directory the program was started with.
#[derive(Clone, Debug)]
pub struct Vars {
    variables: BTreeMap<String, String>,
    working_dir: PathBuf,
}

impl Vars {
    pub fn new(
        variables: impl IntoIterator<Item = (String, String)>,
        working_dir: PathBuf,
    ) -> Self {
        Self {
            variables: variables.into_iter().collect(),
            working_dir,
        }
    }

    /// The value of `name`; an empty value counts as unset, as it does for the runner.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The value of `name`, also when it is empty; nothing when `name` is not set.
    pub(crate) fn even_empty(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The same with other values; a variable without a value is not set.
    pub(crate) fn with<const N: usize>(&self, values: [(&str, Option<String>); N]) -> Self {
        let mut variables = self.variables.clone();
        for (name, value) in values {
            match value {
                Some(value) => variables.insert(name.to_owned(), value),
                None => variables.remove(name),
            };
        }
        Self {
            variables,
            ..self.clone()
        }
    }

    pub(crate) fn path(&self, name: &str) -> Option<&Path> {
        self.get(name).map(Path::new)
    }

    /// Whether `name` is set to `true`, as the runner writes its flags.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The checkout: `GITHUB_WORKSPACE`, or the working directory outside Actions.
    pub(crate) fn workspace(&self) -> &Path {
        self.path("GITHUB_WORKSPACE").unwrap_or(&self.working_dir)
    }

    /// The clock for everything that is written: `SOURCE_DATE_EPOCH` when set, else `now`
    /// (<https://reproducible-builds.org/specs/source-date-epoch/>).
    pub(crate) fn clock(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, Problem> {
        let Some(text) = self.get("SOURCE_DATE_EPOCH") else {
            return Ok(now);
        };
        let time = text
            .parse()
            .ok()
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        time.ok_or_else(|| {
            Problem::new(
                format!("`SOURCE_DATE_EPOCH` is `{text}`"),
                "set it to seconds since 1970, for example `git log -1 --format=%ct`, or unset it",
            )
        })
    }

    /// Whether a GitHub Actions runner, or `act`, started the program.
    pub fn in_actions(&self) -> bool {
        self.is_true("GITHUB_ACTIONS")
    }
}

#[cfg(test)]
impl Vars {
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self::new(variables, PathBuf::from("/nowhere"))
    }
}
