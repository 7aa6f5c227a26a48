//! The inputs of `mode: cleanup`: what is deleted, what never is, and how much in one run.

pub(crate) mod pattern;
pub(crate) mod rule;

use crate::error::Problem;
use crate::inputs::cleanup::pattern::TagPattern;
use crate::inputs::cleanup::rule::RetentionRule;
use crate::inputs::list;
use crate::inputs::raw::RawInputs;

/// What a clean-up may delete.
#[derive(Clone, Debug)]
pub(crate) struct CleanupInputs {
    /// In the order they are written; empty for the default rules.
    pub(crate) retention: Vec<RetentionRule>,
    /// Tags that no rule deletes.
    pub(crate) protect: Vec<TagPattern>,
    /// How many versions one run deletes at most.
    pub(crate) budget: usize,
    /// Whether everything is done but the deletions.
    pub(crate) dry_run: bool,
}

const DEFAULT_BUDGET: usize = 500;

impl CleanupInputs {
    pub(super) fn read(raw: &RawInputs) -> Result<Self, Problem> {
        Ok(Self {
            retention: rule::parse(raw.untrimmed("retention"))?,
            protect: protect(raw.untrimmed("protect"))?,
            budget: raw
                .parsed("cleanup-budget", budget)?
                .unwrap_or(DEFAULT_BUDGET),
            dry_run: raw.flag("dry-run", false)?,
        })
    }
}

fn protect(text: &str) -> Result<Vec<TagPattern>, Problem> {
    let entries = list::comma_entries("protect", text)?;
    let patterns = entries.iter().map(|entry| {
        let pattern = TagPattern::parse(entry.text());
        pattern.map_err(|error| entry.problem(error))
    });
    patterns.collect()
}

fn budget(text: &str) -> Result<usize, &'static str> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or("write a number of versions above 0, for example `500`")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::error::Explanation;
    use crate::inputs::Inputs;
    use crate::vars::Vars;

    fn read(variables: &[(&str, &str)]) -> anyhow::Result<CleanupInputs> {
        Ok(Inputs::from_vars(&Vars::of(variables), &[])?.cleanup)
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a snapshot is written where it is used"
    )]
    fn refused(name: &str, value: &str, expected: Expect) {
        let error = read(&[(name, value)]).unwrap_err();
        expected.assert_eq(&Explanation::of(&error).to_string());
    }

    #[test]
    fn defaults_delete_500_versions_by_the_default_rules() {
        let inputs = read(&[]).unwrap();
        assert!(inputs.retention.is_empty() && inputs.protect.is_empty());
        assert_eq!((inputs.budget, inputs.dry_run), (500, false));
    }

    #[test]
    fn protected_patterns_are_separated_by_lines_or_commas() {
        let inputs = read(&[("INPUT_PROTECT", "1.*-alpine, lts\n\n# note\nedge")]).unwrap();
        let patterns: Vec<_> = inputs.protect.iter().map(TagPattern::as_str).collect();
        assert_eq!(patterns, ["1.*-alpine", "lts", "edge"]);
    }

    #[test]
    fn malformed_values_are_refused_with_the_rule() {
        refused(
            "INPUT_CLEANUP-BUDGET",
            "0",
            expect![[r"
                invalid value `0` for the input `cleanup-budget`
                  fix: write a number of versions above 0, for example `500`"]],
        );
        refused(
            "INPUT_DRY-RUN",
            "1",
            expect![[r"
                invalid value `1` for the input `dry-run`
                  fix: write `true` or `false`"]],
        );
        refused(
            "INPUT_PROTECT",
            "lts\nv[0-9]",
            expect![[r"
                invalid entry in the input `protect`, line 2: `v[0-9]`
                  because: no tag contains `[`
                  fix: write a pattern in which `*` stands for any characters and `?` for one, for example `v?.*`"]],
        );
    }
}
