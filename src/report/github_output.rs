//! Text for `GITHUB_OUTPUT`
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#multiline-strings>).

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::error::Problem;
use crate::image::digest::{Digest, hex};
use crate::publish::Done;
use crate::report::{Report, metadata};

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
    "pushed",
    "tags",
    "other-references",
    "skipped-tags",
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
];

/// Name and value of an output.
pub(crate) type Output = (&'static str, String);

const METADATA_LIMIT: usize = 32 * 1024;

/// All outputs of a run, empty where nothing is known. `files` are those whose value is a path.
pub(crate) fn of_report(report: &Report, files: &[Output]) -> Vec<Output> {
    let session = report.session.as_ref();
    let mut planned = session
        .map(|d| metadata::outputs(&d.plan, &d.inputs.metadata_format))
        .unwrap_or_default();
    planned.extend_from_slice(files);
    let digest = report.digest().map(ToString::to_string).unwrap_or_default();
    let image = report.image().map(ToString::to_string).unwrap_or_default();
    let reference = if digest.is_empty() || image.is_empty() {
        String::new()
    } else {
        format!("{image}@{digest}")
    };
    let value = |name| match name {
        "ref" => reference.clone(),
        "digest" => digest.clone(),
        "image" => image.clone(),
        "pushed" => report.is_pushed().to_string(),
        "tags" if report.is_publication() => held_tags(report),
        "other-references" => report.other_references().join("\n"),
        "skipped-tags" => skipped_tags(report),
        "subjects" => subjects(report),
        "platform-digests" => platform_digests(report),
        "digests" => digests(report),
        "imageid" => image_id(report),
        "metadata" => result_in_short(report),
        _ => planned
            .iter()
            .find(|(planned, _)| *planned == name)
            .map(|(_, value)| value.clone())
            .unwrap_or_default(),
    };
    NAMES.iter().map(|name| (*name, value(name))).collect()
}

fn held_tags(report: &Report) -> String {
    let references = report
        .done
        .published
        .iter()
        .flat_map(|held| held.tags.iter().map(|tag| format!("{}:{tag}", held.name)));
    let separator = report.session.as_ref().map_or("\n", |session| {
        session.inputs.metadata_format.sep_tags.as_str()
    });
    references.collect::<Vec<_>>().join(separator)
}

fn skipped_tags(report: &Report) -> String {
    let held = report.done.published.iter();
    let skipped = held.flat_map(|held| held.skipped.iter().map(move |skipped| (held, skipped)));
    let entries: Vec<Value> = skipped
        .map(|(held, skipped)| {
            json!({
                "name": held.name.to_string(),
                "tag": skipped.tag.as_str(),
                "reason": skipped.reason,
                "holds": skipped.holds.as_ref().map(Digest::as_str),
            })
        })
        .collect();
    Value::from(entries).to_string()
}

fn subjects(report: &Report) -> String {
    let proven = report
        .done
        .published
        .iter()
        .filter_map(|held| Some((&held.name, held.verified.as_ref()?)));
    let subjects: Vec<Value> = proven.map(|(name, verified)| json!({ "name": name.to_string(), "digest": verified.manifest.digest.as_str() })).collect();
    Value::from(subjects).to_string()
}

fn platform_digests(report: &Report) -> String {
    let images = report
        .verified()
        .map(|verified| verified.platforms.as_slice())
        .unwrap_or_default();
    let map: Map<String, Value> = images
        .iter()
        .map(|image| (image.platform.clone(), json!(image.digest.as_str())))
        .collect();
    Value::from(map).to_string()
}

/// Every manifest of every image name, none twice.
fn digests(report: &Report) -> String {
    let verified = report
        .done
        .published
        .iter()
        .filter_map(|held| held.verified.as_ref());
    let mut digests: Vec<&str> = Vec::new();
    for digest in verified.flat_map(|verified| &verified.digests) {
        if !digests.contains(&digest.as_str()) {
            digests.push(digest.as_str());
        }
    }
    json!(digests).to_string()
}

fn image_id(report: &Report) -> String {
    let proven = report
        .verified()
        .and_then(|verified| verified.config_digest.as_ref());
    let said = report
        .done
        .built
        .as_ref()
        .and_then(|built| built.config_digest.as_ref());
    proven.or(said).map(ToString::to_string).unwrap_or_default()
}

fn result_in_short(report: &Report) -> String {
    let text = report
        .done
        .built
        .as_ref()
        .map(|built| json!(built.metadata).to_string())
        .unwrap_or_default();
    if text.len() <= METADATA_LIMIT {
        text
    } else {
        String::new()
    }
}

/// Appends the outputs in one write, so that the file holds all of them or none.
pub(crate) fn append(path: &Path, outputs: &[Output]) -> anyhow::Result<()> {
    let text: String = outputs
        .iter()
        .map(|(name, value)| entry(name, value, &random_delimiter(value)))
        .collect();
    append_text(path, &text).with_context(|| {
        Problem::new(
            format!("cannot write the outputs to `{}`", path.display()),
            "set `GITHUB_OUTPUT` to a writable file, or unset it",
        )
    })
}

/// The subjects for actions/attest: one line per image name
/// (<https://github.com/actions/attest#github_artifacts>).
pub(super) fn append_artifacts(path: &Path, done: &Done) -> anyhow::Result<()> {
    let proven = done
        .published
        .iter()
        .filter_map(|held| Some((&held.name, held.verified.as_ref()?)));
    let lines: String = proven
        .map(|(name, verified)| format!("oci://{name}@{}\n", verified.manifest.digest))
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    append_text(path, &lines).with_context(|| {
        Problem::new(
            format!("cannot write the artifacts to `{}`", path.display()),
            "set `GITHUB_ARTIFACTS` to a writable file, or unset it",
        )
    })
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
        let variable = format!(
            "DOCKER_METADATA_OUTPUT_{}",
            name.replace('-', "_").to_uppercase()
        );
        entry(&variable, value, &random_delimiter(value))
    });
    append_text(path, &entries.collect::<String>()).with_context(|| {
        let what = format!("cannot write variables to `{}`", path.display());
        Problem::new(
            what,
            "set `GITHUB_ENV` to a writable file, or do not set `DOCKER_METADATA_SET_OUTPUT_ENV`",
        )
    })
}

pub(crate) fn append_text(path: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)?
        .write_all(text.as_bytes())
}

fn entry(name: &str, value: &str, delimiter: &str) -> String {
    let mut text = String::new();
    let _infallible = writeln!(text, "{name}<<{delimiter}\n{value}\n{delimiter}");
    text
}

/// 128 random bits that do not occur in `value`: so no text can end the value early
/// (<https://github.com/advisories/GHSA-7r3h-m5j6-3q42>).
fn random_delimiter(value: &str) -> String {
    loop {
        let delimiter = format!(
            "ghadelimiter_{}",
            hex(&std::array::from_fn::<u8, 16, _>(|_| fastrand::u8(..)))
        );
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
        assert_eq!(entry("tags", "a\nb", "x"), "tags<<x\na\nb\nx\n");
        assert_eq!(entry("digest", "", "x"), "digest<<x\n\nx\n");
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
            ("skipped-tags", "[]"),
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
