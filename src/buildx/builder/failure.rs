//! Failures of the builder: how they are recognized and reported.

use std::fs;
use std::path::Path;

use crate::buildx::builder::{Builder, CONTAINER_PREFIX};
use crate::buildx::hints::offer;
use crate::error::Problem;
use crate::vars::Vars;

/// How many builders are read for their names.
const MAX_BUILDERS: usize = 1000;

/// Whether a build failed because the builder was lost: its connection or its container. `cause` is the message of buildx.
pub(crate) fn is_of_builder(cause: &str) -> bool {
    let gone = [
        "rpc error: code = Unavailable",
        "error reading from server: EOF",
        "failed to list workers",
        "No such container",
        "is not running",
        "failed to find a running",
    ];
    gone.iter().any(|words| cause.contains(words))
}

/// Whether buildx does not know the builder that was named.
pub(crate) fn is_unknown(cause: &str) -> bool {
    cause.contains("no builder \"") && cause.contains("\" found")
}

impl Builder {
    pub(super) fn not_created(&self, is_log_shown: bool) -> Problem {
        let name = self.name().unwrap_or_default();
        let log = if is_log_shown {
            "; see the builder's log above"
        } else {
            ""
        };
        Problem::new(
            format!("cannot create the builder `{name}`"),
            format!(
                "check the inputs `driver`, `driver-opts`, `endpoint`, `append` and `buildkitd-config`{log}"
            ),
        )
    }

    /// The names of the builders that buildx knows, and `default`.
    fn known(&self) -> Vec<String> {
        let mut environment = self.environment.iter();
        let directory = environment.find(|(name, _)| name == "BUILDX_CONFIG");
        let directory = directory.map(|(_, directory)| Path::new(directory).join("instances"));
        let entries = directory.and_then(|directory| fs::read_dir(directory).ok());
        let entries = entries.into_iter().flatten().take(MAX_BUILDERS);
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.chain(["default".to_owned()]).collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn unknown(&self) -> Problem {
        let name = self.name().unwrap_or("default");
        Problem::new(
            format!("cannot use the builder `{name}`"),
            format!(
                "a builder of an earlier step is not visible here: describe it with `driver` and `endpoint`, or set `builder` to one that exists: {}",
                offer(name, &self.known())
            ),
        )
    }

    /// The builder was lost; `cause` is the message of buildx.
    pub(crate) fn lost(&self, cause: &str, is_log_shown: bool) -> Problem {
        let what = match &self.name {
            Some(name) => format!("the builder `{name}` was lost during the build"),
            None => "the engine was lost during the build".to_owned(),
        };
        let log = if is_log_shown {
            ", and read the builder's log above"
        } else {
            ""
        };
        let fix = format!(
            "run the job again; if it happens again, check that the machine has enough memory and disk space{log}"
        );
        Problem::new(what, fix).because(cause)
    }

    /// The warning when there is no time to remove it.
    pub(crate) fn if_left(&self, vars: &Vars) -> String {
        let name = self.name().unwrap_or("default");
        let creation = self.creation.as_ref();
        let fix = if vars.get("GITHUB_STATE").is_some() {
            "the post step removes it".to_owned()
        } else if creation.is_some_and(|creation| creation.recipe.uses_engine()) {
            let node = format!("{CONTAINER_PREFIX}{name}0");
            format!(
                "remove it with `docker rm --force --volumes {node}` and `docker volume rm {node}_state`"
            )
        } else {
            "remove it where it runs".to_owned()
        };
        format!("the builder `{name}` is not removed yet: {fix}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_connection_is_a_failure_of_the_builder() {
        for cause in [
            "failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
            "Unavailable: error reading from server: EOF",
            "failed to list workers: Unavailable: connection error: desc = \"transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused\"",
        ] {
            assert!(is_of_builder(cause), "{cause}");
        }
    }

    #[test]
    fn failing_instruction_or_registry_is_not_a_failure_of_the_builder() {
        for cause in [
            "process \"/bin/sh -c make\" did not complete successfully: exit code: 2",
            "failed to push ghcr.io/a/b:1: unexpected status from PUT request: 503 Service Unavailable",
            "failed to read dockerfile: open Nope: no such file or directory",
        ] {
            assert!(!is_of_builder(cause), "{cause}");
        }
    }
}
