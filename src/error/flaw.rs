//! `Flaw`: what is wrong with a piece of an entry, before it is known where the entry stands.

/// A cause and the way out, in the words of a [`crate::error::Problem`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) because: String,
    pub(crate) fix: String,
}

impl Flaw {
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

    #[track_caller]
    fn check(word: &str, allowed: &[&str], expected: &str) {
        assert_eq!(Flaw::not_one_of(String::new(), word, allowed).fix, expected);
    }

    #[test]
    fn the_fix_lists_what_is_allowed_and_the_nearest_spelling() {
        check("bit", &["pr", "branch"], "write `pr` or `branch`");
        check("PR", &["pr"], "write `pr`; did you mean `pr`?");
        check(
            "brnach",
            &["branch", "tag", "pr"],
            "write `branch`, `tag` or `pr`; did you mean `branch`?",
        );
    }
}
