//! Another engine of ECMAScript finds the same in generated expressions and texts.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy};
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use proptest::{prop_assert_eq, prop_oneof};
use regress::Regex;

use crate::inputs::tags::pattern::Pattern;
use testkit::proof::Proof;

/// The smallest parts of expressions.
const ATOMS: &[&str] = &[
    "(?:a*|b)*",
    "(?:|a)*?",
    "(?:b?a?){0,3}",
    "(?:a|b*)+",
    "(a*)?",
    "(?:a|(?=b)|b)*",
    "(b?a)+",
    "a",
    "b",
    "c",
    "1",
    "-",
    "_",
    ".",
    "\\.",
    "\\/",
    "\\d",
    "\\D",
    "\\w",
    "\\W",
    "\\s",
    "\\S",
    "[ab]",
    "[^a]",
    "[a-c1]",
    "[\\d-]",
    "[\\w.]",
    "[^]",
    "[]",
    "[[a]",
    "[a&&b]",
    "[\\]b]",
    "[^\\d\\s]",
    "\\x61",
    "\\u0062",
    "\\b",
    "\\B",
    "^",
    "$",
    "k",
    "s",
    "é",
    "[é-ü]",
    "[j-l]",
    "\\t",
    "\\cA",
    "\\0",
    "\\141",
    "\\-",
    "{",
    "}",
    "]",
    "a{,2}",
    "[\\b]",
    "[a-\\d]",
    "\\k",
    "\\c",
    "\\xz",
];
const QUANTIFIERS: &[&str] = &[
    "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?", "{1,}", "{0}",
];
const FLAGS: &[&str] = &["", "", "i", "m", "s", "g", "gi", "u", "iu", "im", "ms"];
const LETTERS: &[&str] = &[
    "a", "b", "c", "A", "B", "1", "2", "-", "_", ".", "/", "\n", " ", "k", "K", "s", "é", "É", "&",
    "[", "\\", "{",
];

fn expression() -> impl Strategy<Value = String> {
    let atom = select(ATOMS).prop_map(str::to_owned);
    atom.prop_recursive(4, 24, 3, |inner| {
        let quantified = (inner.clone(), select(QUANTIFIERS));
        let group = (
            select(&["(", "(", "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?<n>"][..]),
            inner.clone(),
        );
        prop_oneof![
            3 => vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            2 => quantified.prop_map(|(inner, times)| format!("{inner}{times}")),
            1 => (inner.clone(), inner).prop_map(|(one, other)| format!("{one}|{other}")),
            3 => group.prop_map(|(open, inner)| format!("{open}{inner})")),
            1 => select(&["\\1", "\\2", "\\k<n>"][..]).prop_map(str::to_owned),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    let letters = vec(select(LETTERS), 0..8).prop_map(|letters| letters.concat());
    prop_oneof![3 => letters, 1 => Just("v1.2.3-rc.1".to_owned()), 1 => "[abc]{0,8}"]
}

/// How many unbounded repetitions an expression has: `*`, `+`, `{1,}`. The other engine has no limit of steps, and its
/// time grows exponentially with them.
const MAX_REPETITIONS: usize = 3;

fn is_bounded(expression: &str) -> bool {
    let repetitions = expression.matches(['*', '+']).count() + expression.matches(",}").count();
    repetitions <= MAX_REPETITIONS
}

/// What the other engine finds, as `String.prototype.match` gives it.
fn judged(regex: &Regex, flags: &str, text: &str) -> Option<Vec<Option<String>>> {
    let shown = |range: std::ops::Range<usize>| text[range].to_owned();
    if flags.contains('g') {
        let all: Vec<_> = regex
            .find_iter(text)
            .map(|found| Some(shown(found.range())))
            .collect();
        return (!all.is_empty()).then_some(all);
    }
    let found = regex.find(text)?;
    Some(found.groups().map(|group| group.map(shown)).collect())
}

fn same(expression: &str, flags: &str, text: &str) -> Result<(), TestCaseError> {
    let pattern = Pattern::compile(expression, expression, flags);
    let judge = Regex::with_flags(expression, flags);
    let pattern = match (pattern, &judge) {
        (Ok(pattern), _) => pattern,
        (Err(error), Ok(_)) if error.because.ends_with("is not supported") => return Ok(()),
        // ECMAScript repeats no `^`, `$`, `\b` or look-behind; the other engine does.
        (Err(error), Ok(_)) if error.because.ends_with("has nothing to repeat") => return Ok(()),
        (Err(_), Err(_)) => return Ok(()),
        (Err(error), Ok(_)) => {
            return Err(TestCaseError::fail(format!(
                "`{expression}`, `{flags}`: {}",
                error.because
            )));
        }
    };
    let Ok(judge) = judge else {
        return Err(TestCaseError::fail(format!(
            "`{expression}`, `{flags}` is accepted"
        )));
    };
    let found = pattern.captures(text);
    let found = found.map_err(|error| TestCaseError::fail(error.because))?;
    let found = found.map(|groups| {
        let groups = groups.into_iter().map(|group| group.map(str::to_owned));
        groups.collect::<Vec<_>>()
    });
    prop_assert_eq!(
        found,
        judged(&judge, flags, text),
        "`{}`, `{}`, {:?}",
        expression,
        flags,
        text
    );
    Ok(())
}

#[test]
fn every_expression_finds_what_another_engine_finds() {
    let mut proof = Proof::of("expressions: the same result as another engine of ECMAScript");
    let expressions = expression().prop_filter("bounded", |expression| is_bounded(expression));

    let cases = (expressions, select(FLAGS), vec(text(), 4));
    // The same cases in every run, since the other engine has no limit: a rare expression takes it all memory.
    proof.fixed_property(256 * 20, &cases, |(expression, flags, texts)| {
        texts
            .iter()
            .try_for_each(|text| same(&expression, flags, text))
    });
    proof.end();
}

/// As node 20 has it.
#[test]
fn repeated_group_keeps_what_its_last_round_matched() {
    for expression in ["(?<n>.+?)*", "^(?<n>.+?)*$"] {
        let pattern = Pattern::compile(expression, expression, "").unwrap();
        let groups = pattern.captures("aa").unwrap().unwrap();
        assert_eq!(groups, [Some("aa"), Some("a")], "{expression}");
    }
}
