//! Text for `GITHUB_OUTPUT`
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#multiline-strings>).

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::error::Problem;
use crate::image::digest::{Digest, hex};
use crate::inputs::destination::MoveTags;
use crate::report::Report;
use crate::report::metadata::{self, Output};
use crate::report::{changes, tag_changes};

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

const METADATA_LIMIT: usize = 32 * 1024;

/// All outputs of a run, empty where nothing is known. `others` are those that are not about the plan.
pub(super) fn of_report(report: &Report, others: &[Output]) -> Vec<Output> {
    let session = report.session.as_ref();
    let mut planned = session
        .map(|session| metadata::outputs(&session.plan, &session.inputs.metadata_format))
        .unwrap_or_default();
    planned.extend_from_slice(others);
    let digest = report.digest().map(ToString::to_string).unwrap_or_default();
    let image = report.image().map(ToString::to_string).unwrap_or_default();
    let reference = if digest.is_empty() || image.is_empty() {
        String::new()
    } else {
        format!("{image}@{digest}")
    };
    // In a matrix, an output of one job replaces that of another unless it is empty.
    let is_incomplete = report.incomplete().is_some();
    let value = |name| match name {
        "tag-changes" | "skipped-tags" | "subjects" | "platform-digests" | "digests"
            if is_incomplete =>
        {
            String::new()
        }
        "ref" => reference.clone(),
        "digest" => digest.clone(),
        "image" => image.clone(),
        "pushed" => (report.is_pushed() || report.part_digest().is_some()).to_string(),
        "complete" => report.is_pushed().to_string(),
        "part-digest" => report
            .part_digest()
            .map(ToString::to_string)
            .unwrap_or_default(),
        "tags" if report.is_publication() => tags(report),
        "other-references" => report.other_references().join("\n"),
        "tag-changes" => tag_changes::output(report),
        "changes" => changes::output(report),
        "skipped-tags" => skipped_tags(report),
        "staged" => staged(report),
        "reused" => report.done.reused.to_string(),
        "subjects" => subjects(report),
        "platform-digests" => platform_digests(report),
        "digests" => digests(report),
        "imageid" => image_id(report),
        "metadata" => build_metadata(report),
        _ => planned
            .iter()
            .find(|(planned, _)| *planned == name)
            .map(|(_, value)| value.clone())
            .unwrap_or_default(),
    };
    NAMES.iter().map(|name| (*name, value(name))).collect()
}

fn tags(report: &Report) -> String {
    let published = report.done.published.iter();
    let references = published.flat_map(|published| published.references(&published.tags));
    let separator = report.session.as_ref().map_or("\n", |session| {
        session.inputs.metadata_format.sep_tags.as_str()
    });
    references.collect::<Vec<_>>().join(separator)
}

/// The image for a later job, if the tags are left to one.
fn staged(report: &Report) -> String {
    let is_left = report
        .plan()
        .is_some_and(|plan| plan.move_tags == MoveTags::Never);
    let staged = report.done.staged.as_ref().filter(|_| is_left);
    staged
        .and_then(|staged| staged.to_output().ok())
        .unwrap_or_default()
}

fn skipped_tags(report: &Report) -> String {
    let published = report.done.published.iter();
    let skipped = published.flat_map(|published| {
        let skipped = published.skipped.iter();
        skipped.map(|skipped| {
            json!({
                "name": published.name.to_string(),
                "tag": skipped.tag.as_str(),
                "reason": skipped.reason,
                "holds": skipped.holds.as_ref().map(Digest::as_str),
            })
        })
    });
    skipped.collect::<Value>().to_string()
}

fn subjects(report: &Report) -> String {
    let subjects = report.verified().map(|(name, verified)| {
        json!({ "name": name.to_string(), "digest": verified.manifest.digest.as_str() })
    });
    subjects.collect::<Value>().to_string()
}

fn platform_digests(report: &Report) -> String {
    let first = report.verified().next();
    let images = first
        .into_iter()
        .flat_map(|(_, verified)| &verified.platforms);
    let pairs = images.map(|image| (image.platform.clone(), json!(image.digest.as_str())));
    Value::Object(pairs.collect()).to_string()
}

/// Every manifest of every image name, and every artifact with an attestation, none twice.
fn digests(report: &Report) -> String {
    let mut digests: Vec<&str> = Vec::new();
    let manifests = report
        .verified()
        .flat_map(|(_, verified)| &verified.digests);
    let published = report.done.published.iter();
    let attestations = published.flat_map(|published| &published.attestations);
    let artifacts = attestations.filter_map(|attestation| attestation.artifact.as_ref());
    for digest in manifests.chain(artifacts) {
        if !digests.contains(&digest.as_str()) {
            digests.push(digest.as_str());
        }
    }
    json!(digests).to_string()
}

fn image_id(report: &Report) -> String {
    let mut verified = report.verified();
    let verified = verified
        .next()
        .and_then(|(_, verified)| verified.config_digest.as_ref());
    let built = report.done.built.as_ref();
    let built = || built.and_then(|built| built.config_digest.as_ref());
    verified
        .or_else(built)
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// What buildx says of the build, if it is short enough for an output.
fn build_metadata(report: &Report) -> String {
    let built = report.done.built.as_ref();
    let text = built.map(|built| json!(built.metadata).to_string());
    text.filter(|text| text.len() <= METADATA_LIMIT)
        .unwrap_or_default()
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
pub(super) fn append_moved_tags(path: &Path, report: &Report) -> anyhow::Result<()> {
    let text = entry("GHCR_PUBLISH_TAGS", &tags(report));
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
        let outputs = of_report(&Report::default(), &[]);
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
