//! Text for `GITHUB_OUTPUT`
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#multiline-strings>).

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

use crate::error::Problem;
use crate::image::digest::hex;
use crate::report::Report;
use crate::report::metadata::{self, Output};
use crate::report::result::publication::Publication;

/// Every output the action has, in the order they are written. `action.yml` declares the same; a test
/// compares the two.
pub(crate) const NAMES: &[&str] = &[
    "image",
    "digest",
    "ref",
    "subjects",
    "platform-digests",
    "digests",
    "imageid",
    "attestation-id",
    "attestation-url",
    "bundle-path",
    "pushed",
    "complete",
    "part-digest",
    "staged",
    "tags",
    "other-references",
    "tag-changes",
    "changes",
    "skipped-tags",
    "reused",
    "tag-names",
    "version",
    "labels",
    "annotations",
    "json",
    "bake-file",
    "bake-file-tags",
    "bake-file-labels",
    "bake-file-annotations",
    "metadata",
    "deleted",
    "kept",
    "retained",
    "failed",
];

/// All outputs of a run, empty where nothing is known. `others` are those that are not about the plan.
pub(super) fn of_report(report: &Report, result: &Publication, others: &[Output]) -> Vec<Output> {
    let session = report.session.as_ref();
    let mut planned = session
        .map(|session| metadata::outputs(&session.plan, &session.inputs.metadata_format))
        .unwrap_or_default();
    planned.extend_from_slice(others);
    // In a matrix, an output of one job replaces that of another unless it is empty.
    let is_incomplete = report.incomplete().is_some();
    let value = |name| match name {
        "tag-changes" | "skipped-tags" | "subjects" | "platform-digests" | "digests"
            if is_incomplete =>
        {
            String::new()
        }
        "ref" => result.reference.clone().unwrap_or_default(),
        "digest" => text(result.digest.as_ref()),
        "image" => result.image.clone().unwrap_or_default(),
        "pushed" => result.pushed.to_string(),
        "complete" => result.complete.to_string(),
        "part-digest" => text(result.part_digest.as_ref()),
        "tags" if report.is_publication() => tags(report, result),
        "other-references" => result.other_references.join("\n"),
        "tag-changes" => json!(result.tag_changes).to_string(),
        "changes" => text(result.changes.as_ref()),
        "skipped-tags" => json!(result.skipped_tags).to_string(),
        "staged" => result.staged.clone().unwrap_or_default(),
        "reused" => result.reused.to_string(),
        "subjects" => json!(result.subjects).to_string(),
        "platform-digests" => json!(result.platform_digests).to_string(),
        "digests" => json!(result.digests).to_string(),
        "imageid" => text(result.imageid.as_ref()),
        "metadata" => {
            let metadata = result.metadata.as_ref();
            metadata.map_or_else(String::new, |metadata| json!(metadata).to_string())
        }
        _ => planned
            .iter()
            .find(|(planned, _)| *planned == name)
            .map(|(_, value)| value.clone())
            .unwrap_or_default(),
    };
    NAMES.iter().map(|name| (*name, value(name))).collect()
}

fn text(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

fn tags(report: &Report, result: &Publication) -> String {
    let separator = report.session.as_ref().map_or("\n", |session| {
        session.inputs.metadata_format.sep_tags.as_str()
    });
    result.tags.join(separator)
}

/// Appends the outputs in one write, so that the file holds all of them or none.
pub(super) fn append(path: &Path, outputs: &[Output]) -> anyhow::Result<()> {
    let text: String = outputs
        .iter()
        .map(|(name, value)| entry(name, value))
        .collect();
    let fix = "set `GITHUB_OUTPUT` to a writable file, or unset it";
    append_text(path, &text, "the outputs", fix)
}

/// The subjects for actions/attest: one line per image name
/// (<https://github.com/actions/attest#github_artifacts>).
pub(super) fn append_artifacts(path: &Path, report: &Report) -> anyhow::Result<()> {
    let subjects = report.verified();
    let lines: String = subjects
        .map(|(name, verified)| format!("oci://{name}@{}\n", verified.manifest.digest))
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    let fix = "set `GITHUB_ARTIFACTS` to a writable file, or unset it";
    append_text(path, &lines, "the artifacts", fix)
}

/// The outputs that docker/metadata-action can turn into variables for later steps.
const METADATA_NAMES: &[&str] = &[
    "version",
    "tags",
    "tag-names",
    "labels",
    "annotations",
    "json",
    "bake-file",
    "bake-file-tags",
    "bake-file-labels",
    "bake-file-annotations",
];

/// Sets `DOCKER_METADATA_OUTPUT_*` for later steps.
pub(super) fn append_variables(path: &Path, outputs: &[Output]) -> anyhow::Result<()> {
    let metadata = outputs
        .iter()
        .filter(|(name, _)| METADATA_NAMES.contains(name));
    let entries = metadata.map(|(name, value)| {
        let name = name.replace('-', "_").to_uppercase();
        entry(&format!("DOCKER_METADATA_OUTPUT_{name}"), value)
    });
    let fix = "set `GITHUB_ENV` to a writable file, or do not set `DOCKER_METADATA_SET_OUTPUT_ENV`";
    append_text(path, &entries.collect::<String>(), "variables", fix)
}

/// Sets `GHCR_PUBLISH_TAGS` to the references of the tags that were moved.
pub(super) fn append_moved_tags(
    path: &Path,
    report: &Report,
    result: &Publication,
) -> anyhow::Result<()> {
    let text = entry("GHCR_PUBLISH_TAGS", &tags(report, result));
    let fix = "set `GITHUB_ENV` to a writable file";
    append_text(path, &text, "the moved tags", fix)
}

pub(super) fn append_text(path: &Path, text: &str, what: &str, fix: &str) -> anyhow::Result<()> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written
        .with_context(|| Problem::new(format!("cannot write {what} to `{}`", path.display()), fix))
}

fn entry(name: &str, value: &str) -> String {
    entry_with(&random_delimiter(value), name, value)
}

fn entry_with(delimiter: &str, name: &str, value: &str) -> String {
    format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
}

/// 128 random bits that do not occur in `value`: so no text can end the value early
/// (<https://github.com/advisories/GHSA-7r3h-m5j6-3q42>).
fn random_delimiter(value: &str) -> String {
    loop {
        let random: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
        let delimiter = format!("ghadelimiter_{}", hex(&random));
        if !value.contains(&delimiter) {
            return delimiter;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_whole_by_the_runner() {
        assert_eq!(entry_with("x", "tags", "a\nb"), "tags<<x\na\nb\nx\n");
        assert_eq!(entry_with("x", "digest", ""), "digest<<x\n\nx\n");
    }

    #[test]
    fn every_output_is_written_even_when_empty() {
        let report = Report::default();
        let outputs = of_report(&report, &Publication::of(&report, &[]), &[]);
        let names: Vec<&str> = outputs.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, NAMES);
        let known: Vec<_> = outputs
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let expected = [
            ("subjects", "[]"),
            ("platform-digests", "{}"),
            ("digests", "[]"),
            ("pushed", "false"),
            ("complete", "false"),
            ("tag-changes", "[]"),
            ("skipped-tags", "[]"),
            ("reused", "false"),
        ];
        assert_eq!(
            known,
            expected.map(|(name, value)| (name, value.to_owned()))
        );
    }
}

#[cfg(test)]
mod properties {
    use proptest::collection::vec;
    use proptest::prelude::{Strategy, any, prop_oneof};
    use proptest::sample::select;
    use proptest::test_runner::TestCaseError;
    use proptest::{prop_assert, prop_assert_eq};
    use testkit::runner::files;

    use super::*;
    use testkit::corpus;
    use testkit::{proof, proof::Proof};

    /// Values near the grammar of the file.
    fn value() -> impl Strategy<Value = String> {
        let word = select(vec![
            "\n",
            "\r",
            "<<",
            "=",
            "ghadelimiter_",
            "EOF",
            "a",
            "\u{feff}",
            "\0",
        ]);
        let near = vec(word, 0..12).prop_map(|words| words.concat());
        prop_oneof![any::<String>(), near]
    }

    /// What is written comes back, and nothing else does.
    fn comes_back(values: &[String]) -> Result<(), TestCaseError> {
        let directory = tempfile::tempdir().unwrap();
        let (path, variables) = (
            directory.path().join("output"),
            directory.path().join("env"),
        );
        let names = METADATA_NAMES.iter().copied();
        let outputs: Vec<Output> = names.zip(values.iter().cloned()).collect();
        append(&path, &outputs).unwrap();
        append_variables(&variables, &outputs).unwrap();
        let pairs = files::pairs(&std::fs::read(path).unwrap());
        let expected: Vec<(String, String)> = outputs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        prop_assert_eq!(pairs, Ok(expected));
        let variables = files::variables(&std::fs::read(variables).unwrap()).unwrap();
        prop_assert!(
            variables
                .iter()
                .all(|(name, _)| name.starts_with("DOCKER_METADATA_OUTPUT_"))
        );
        let read = variables.into_iter().map(|(_, value)| value);
        prop_assert_eq!(read.collect::<Vec<_>>(), values);
        Ok(())
    }

    #[test]
    fn runner_reads_exactly_the_written_values() {
        let mut proof = Proof::of("outputs: the runner reads what was written");
        let values = vec(value(), 1..=METADATA_NAMES.len());
        proof.property(proof::cases(), &values, |values| comes_back(&values));
        for text in corpus::texts() {
            let outcome = comes_back(&[text, "last".to_owned()]);
            proof.case(outcome.map_err(|error| error.to_string()));
        }
        proof.end();
    }
}
