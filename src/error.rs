//! What failed, why, and what the reader can do about it.

use std::fmt;

/// A failure that the reader can act on: what failed, optionally the cause, and the fix.
///
/// Used as the context of an [`anyhow::Error`]; the causes below it in the chain are shown as the
/// reason. Lowercase, present tense, no full stop.
#[derive(Debug)]
pub(crate) struct Problem {
    what: String,
    because: Option<String>,
    exhibits: Vec<Exhibit>,
    fix: String,
    place: Option<Box<FilePosition>>,
}

/// Lines that show what is meant: source, or log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exhibit {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
}

/// A line of a file in the workspace, for an annotation on the run page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilePosition {
    pub(crate) file: String,
    pub(crate) line: u32,
}

impl Problem {
    pub(crate) fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            because: None,
            exhibits: Vec::new(),
            fix: fix.into(),
            place: None,
        }
    }

    /// What the reader can do.
    pub(crate) fn fix(&self) -> &str {
        &self.fix
    }

    pub(crate) fn cause(&self) -> Option<&str> {
        self.because.as_deref()
    }

    #[must_use]
    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.because = Some(cause.into());
        self
    }

    /// Shows `lines`, if there are any, between cause and fix.
    #[must_use]
    pub(crate) fn showing(mut self, title: &str, lines: Vec<String>) -> Self {
        if !lines.is_empty() {
            let title = title.to_owned();
            self.exhibits.push(Exhibit { title, lines });
        }
        self
    }

    #[must_use]
    pub(crate) fn at(mut self, place: Option<FilePosition>) -> Self {
        self.place = place.map(Box::new);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Problem {}

/// An error as the log shows it, once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Explanation {
    /// What failed, in one line.
    pub(crate) what: String,
    /// The causes, outermost first.
    pub(crate) because: Vec<String>,
    pub(crate) exhibits: Vec<Exhibit>,
    pub(crate) fix: Option<String>,
    pub(crate) place: Option<FilePosition>,
}

impl Explanation {
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let problem = error.downcast_ref::<Problem>();
        let mut because: Vec<String> = problem
            .and_then(|p| p.because.clone())
            .into_iter()
            .collect();
        for cause in error.chain().skip(1).map(ToString::to_string) {
            // Libraries repeat the inner error in the outer one's text; say it once.
            if !because.iter().any(|said| said.contains(&cause)) {
                because.push(cause);
            }
        }
        Self {
            what: error.to_string(),
            because,
            exhibits: problem.map(|p| p.exhibits.clone()).unwrap_or_default(),
            fix: problem.map(|p| p.fix.clone()),
            place: problem.and_then(|p| p.place.as_deref().cloned()),
        }
    }

    /// The lines after the first: cause, exhibits and fix, indented by two spaces.
    pub(crate) fn details(&self) -> Vec<String> {
        let because =
            (!self.because.is_empty()).then(|| format!("  because: {}", self.because.join(": ")));
        let exhibits = self.exhibits.iter().flat_map(|Exhibit { title, lines }| {
            let lines = lines.iter().map(|line| format!("    {line}"));
            std::iter::once(format!("  {title}:")).chain(lines)
        });
        let fix = self.fix.as_ref().map(|fix| format!("  fix: {fix}"));
        because.into_iter().chain(exhibits).chain(fix).collect()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.details()
            .iter()
            .try_for_each(|line| write!(f, "\n{line}"))
    }
}

/// A cause and a fix, before it is known in which entry of which input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputError {
    pub(crate) because: String,
    pub(crate) fix: String,
}

impl InputError {
    pub(crate) fn new(because: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            because: because.into(),
            fix: fix.into(),
        }
    }

    /// A word that is none of the `allowed` ones; the fix lists them, the nearest one last.
    pub(crate) fn not_one_of(because: String, word: &str, allowed: &[&str]) -> Self {
        let fix = format!("write {}{}", one_of(allowed), did_you_mean(word, allowed));
        Self { because, fix }
    }
}

/// "`a`, `b` or `c`"
pub(crate) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// "; did you mean `x`?" when a word is close enough to one of `allowed`.
fn did_you_mean(word: &str, allowed: &[&str]) -> String {
    match nearest(word, allowed.iter().copied()) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => String::new(),
    }
}

/// The one of `names` that was probably meant, if any is close enough; case does not count.
pub(crate) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let near = names
        .map(|name| {
            let distance = strsim::damerau_levenshtein(&word, &name.to_lowercase());
            (distance, name)
        })
        .min();
    let near = near.filter(|(distance, name)| *distance <= 2 && *distance < name.len());
    near.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};
    use expect_test::{Expect, expect};

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a snapshot is written where it is used"
    )]
    fn check(error: anyhow::Error, expected: Expect) {
        expected.assert_eq(&Explanation::of(&error).to_string());
    }

    #[test]
    fn explanation_has_failure_cause_and_fix() {
        let refusal = Err::<(), _>(anyhow!(
            "ghcr.io answered 403 DENIED: installation not allowed to write"
        ));
        let error = refusal
            .context(Problem::new(
                "cannot push `ghcr.io/acme/app:1.4.0`",
                "add `packages: write` to the job's `permissions:`",
            ))
            .unwrap_err();
        check(
            error,
            expect![[r"
                cannot push `ghcr.io/acme/app:1.4.0`
                  because: ghcr.io answered 403 DENIED: installation not allowed to write
                  fix: add `packages: write` to the job's `permissions:`"]],
        );
    }

    #[test]
    fn repeated_cause_is_printed_once() {
        let inner = Err::<(), _>(anyhow!("connection refused"))
            .context("error sending request: connection refused");
        let error = inner
            .context(Problem::new("cannot reach `localhost:5000`", "start it"))
            .unwrap_err();
        check(
            error,
            expect![[r"
                cannot reach `localhost:5000`
                  because: error sending request: connection refused
                  fix: start it"]],
        );
    }

    #[track_caller]
    fn check_fix(word: &str, allowed: &[&str], expected: &str) {
        assert_eq!(
            InputError::not_one_of(String::new(), word, allowed).fix,
            expected
        );
    }

    #[test]
    fn the_fix_lists_what_is_allowed_and_the_nearest_spelling() {
        check_fix("bit", &["pr", "branch"], "write `pr` or `branch`");
        check_fix("PR", &["pr"], "write `pr`; did you mean `pr`?");
        check_fix(
            "brnach",
            &["branch", "tag", "pr"],
            "write `branch`, `tag` or `pr`; did you mean `branch`?",
        );
    }
}
