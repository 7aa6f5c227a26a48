//! The inputs `secrets`, `secret-envs` and `secret-files`: values that only the build may read.

use crate::error::{InputError, Problem};
use crate::inputs::list;
use crate::inputs::list::Entry;
use crate::inputs::raw::RawInputs;
use crate::secret::Secret;
use crate::vars::Vars;

/// A secret of the build, mounted under its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildSecret {
    pub(crate) id: String,
    pub(crate) content: SecretContent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretContent {
    Value(Secret),
    /// A file, relative to the workspace or absolute.
    File(String),
}

impl BuildSecret {
    pub(crate) fn value(id: &str, value: Secret) -> Self {
        Self {
            id: id.to_owned(),
            content: SecretContent::Value(value),
        }
    }
}

/// All secrets, with warnings. An empty value is not an error: in a pull
/// request from a fork every secret is empty.
pub(super) fn read(
    raw: &RawInputs,
    vars: &Vars,
) -> Result<(Vec<BuildSecret>, Vec<String>), Problem> {
    let mut secrets = Vec::new();
    let mut warnings = Vec::new();
    let mut add = |input: &str, id: &str, value: &str| match Secret::exact(value) {
        Some(value) => secrets.push(BuildSecret::value(id, value)),
        None => warnings.push(format!(
            "the secret `{id}` of the input `{input}` is empty, so the build runs without it"
        )),
    };
    for entry in list::untrimmed_entries("secrets", raw.untrimmed("secrets"))? {
        let (id, value) = pair(&entry).map_err(|error| entry.private_problem(error))?;
        add("secrets", id, value);
    }
    for entry in list::comma_entries("secret-envs", raw.untrimmed("secret-envs"))? {
        let (id, variable) = pair(&entry).map_err(|error| entry.problem(error))?;
        let value = vars
            .even_empty(variable)
            .ok_or_else(|| entry.problem(not_set(variable)))?;
        add("secret-envs", id, value);
    }
    for entry in list::entries("secret-files", raw.untrimmed("secret-files"))? {
        let (id, file) = pair(&entry).map_err(|error| entry.problem(error))?;
        secrets.push(BuildSecret {
            id: id.to_owned(),
            content: SecretContent::File(file.to_owned()),
        });
    }
    Ok((secrets, warnings))
}

fn pair(entry: &Entry) -> Result<(&str, &str), InputError> {
    match entry.text().split_once('=') {
        Some((id, what)) if !id.trim().is_empty() => Ok((id.trim(), what)),
        Some(_) => Err(InputError::new(
            "the id before the `=` is missing",
            example(entry),
        )),
        None => Err(InputError::new("`=` is missing", example(entry))),
    }
}

fn example(entry: &Entry) -> &'static str {
    match entry.input() {
        "secret-envs" => "write `id=VARIABLE`, for example `npm_token=NPM_TOKEN`",
        "secret-files" => "write `id=path`, for example `npmrc=.npmrc`",
        _ => {
            "write `id=value`; put a value of several lines in quotes that begin before the id: `\"key=…\"`"
        }
    }
}

fn not_set(variable: &str) -> InputError {
    InputError::new(
        format!("the environment variable `{variable}` is not set"),
        format!(
            "set it under the step's `env:`, for example `{variable}: ${{{{ secrets.{variable} }}}}`"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;

    fn parse(variables: &[(&str, &str)]) -> Result<(Vec<BuildSecret>, Vec<String>), Problem> {
        let vars = Vars::of(variables);
        read(&RawInputs::collect(&vars, &[]), &vars)
    }

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: &[(&str, &str)]) {
        let (secrets, _) = parse(variables).unwrap();
        let seen: Vec<(&str, &str)> = secrets
            .iter()
            .map(|secret| match &secret.content {
                SecretContent::Value(value) => (secret.id.as_str(), value.expose()),
                SecretContent::File(path) => (secret.id.as_str(), path.as_str()),
            })
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn values_are_not_changed() {
        check(
            &[(
                "INPUT_SECRETS",
                "# note\na= x=y \n\"b=one\n two, \"\"three\"\"\n\"\nc={\"k\":\"v\",\"l\":[\"m\",\"n\"]}",
            )],
            &[
                ("a", " x=y "),
                ("b", "one\n two, \"three\"\n"),
                ("c", "{\"k\":\"v\",\"l\":[\"m\",\"n\"]}"),
            ],
        );
        check(
            &[
                ("INPUT_SECRET-ENVS", "a=ONE,b=TWO\nc=ONE"),
                ("ONE", "1 "),
                ("TWO", "2"),
            ],
            &[("a", "1 "), ("b", "2"), ("c", "1 ")],
        );
        check(&[("INPUT_SECRET-FILES", "a=x,y.txt")], &[("a", "x,y.txt")]);
    }

    #[test]
    fn empty_secret_is_omitted_with_a_warning() {
        let (secrets, warnings) = parse(&[
            ("INPUT_SECRETS", "a="),
            ("INPUT_SECRET-ENVS", "b=B"),
            ("B", ""),
        ])
        .unwrap();
        assert_eq!(secrets, []);
        assert_eq!(
            warnings,
            [
                "the secret `a` of the input `secrets` is empty, so the build runs without it",
                "the secret `b` of the input `secret-envs` is empty, so the build runs without it",
            ]
        );
    }

    #[test]
    fn a_malformed_secret_is_refused_and_not_shown() {
        let refused =
            |name, text| Explanation::of(&parse(&[(name, text)]).unwrap_err().into()).to_string();
        let text = refused("INPUT_SECRETS", "a=1\nhunter2");
        assert!(
            text.starts_with("invalid entry in the input `secrets`, line 2\n"),
            "{text}"
        );
        assert!(!refused("INPUT_SECRETS", "\"a=hunter2").contains("hunter2"));
        assert!(!refused("INPUT_SECRETS", "=hunter2").contains("hunter2"));
        expect_test::expect![[r"
            invalid entry in the input `secret-envs`, line 1: `a=NPM_TOKEN`
              because: the environment variable `NPM_TOKEN` is not set
              fix: set it under the step's `env:`, for example `NPM_TOKEN: ${{ secrets.NPM_TOKEN }}`"]]
        .assert_eq(&refused("INPUT_SECRET-ENVS", "a=NPM_TOKEN"));
        assert!(refused("INPUT_SECRET-FILES", ".npmrc").contains("`=` is missing"));
    }
}
