//! What a builder is called: a name of its own that tells whose it is.

use sha2::{Digest as _, Sha256};

use crate::vars::Vars;

pub(crate) const PREFIX: &str = "ghcr-publish-";

/// A name that no other builder has.
pub(crate) fn new(vars: &Vars) -> String {
    let own: String = std::iter::repeat_with(fastrand::lowercase)
        .take(6)
        .collect();
    let step = of_step(vars).unwrap_or_else(|| format!("{PREFIX}local-"));
    format!("{step}{own}")
}

/// What the names of all builders of this step begin with, and of no other step on the machine: a run has
/// several jobs, a matrix gives them one name, but a runner has one job at a time. act calls every run 1, and
/// has a workspace for each. Two steps of a job can run at the same time, and `GITHUB_ACTION` tells them apart; the
/// post step has that of its step. Nothing outside of a job.
pub(crate) fn of_step(vars: &Vars) -> Option<String> {
    let run = vars.get("GITHUB_RUN_ID")?;
    if !run.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let facts = [
        "GITHUB_REPOSITORY",
        "GITHUB_WORKFLOW",
        "GITHUB_JOB",
        "GITHUB_ACTION",
        "GITHUB_RUN_ATTEMPT",
        "RUNNER_NAME",
        "GITHUB_WORKSPACE",
    ];
    let facts = facts.map(|name| vars.get(name).unwrap_or_default());
    let hash = Sha256::digest(facts.join("\n"));
    let step: String = hash[..3].iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{PREFIX}{run}-{step}-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builders_of_one_job_are_told_from_those_of_another() {
        let job = |runner| Vars::of(&[("GITHUB_RUN_ID", "42"), ("RUNNER_NAME", runner)]);
        let (one, other) = (job("a"), job("b"));
        let prefix = of_step(&one).unwrap();
        assert!(prefix.starts_with("ghcr-publish-42-"), "{prefix}");
        assert_ne!(Some(&prefix), of_step(&other).as_ref());
        let names = [new(&one), new(&one)];
        assert!(names.iter().all(|name| name.starts_with(&prefix)));
        assert_ne!(names[0], names[1]);
        assert_eq!(of_step(&Vars::of(&[])), None);
        assert!(new(&Vars::of(&[])).starts_with("ghcr-publish-local-"));
    }

    #[test]
    fn builders_of_two_steps_of_one_job_are_told_apart() {
        let step = |id| Vars::of(&[("GITHUB_RUN_ID", "42"), ("GITHUB_ACTION", id)]);
        let prefix = of_step(&step("__acme_publish")).unwrap();
        assert!(new(&step("__acme_publish")).starts_with(&prefix));
        assert!(!new(&step("__acme_publish_2")).starts_with(&prefix));
    }
}
