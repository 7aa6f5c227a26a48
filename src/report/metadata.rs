//! The outputs of docker/metadata-action, byte for byte: a step that read them there reads them here.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::error::Problem;
use crate::inputs::MetadataFormat;
use crate::inputs::labels::Levels;
use crate::plan::Plan;
use crate::vars::Vars;

/// Name and value of an output.
pub(crate) type Output = (&'static str, String);

/// A file that later steps read; the output of that name is its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutputFile {
    pub(crate) output: &'static str,
    pub(crate) file_name: &'static str,
    pub(crate) text: String,
}

/// The outputs that are texts.
pub(crate) fn outputs(plan: &Plan, layout: &MetadataFormat) -> Vec<Output> {
    let labels: Vec<String> = plan
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    vec![
        ("version", plan.version.clone()),
        ("tags", tags(plan).join(&layout.sep_tags)),
        ("tag-names", tag_names(plan).join(&layout.sep_tags)),
        ("labels", labels.join(&layout.sep_labels)),
        (
            "annotations",
            annotations(plan).join(&layout.sep_annotations),
        ),
        ("json", json_output(plan).to_string()),
    ]
}

/// The outputs that are files.
pub(crate) fn bake_files(plan: &Plan, layout: &MetadataFormat) -> Vec<OutputFile> {
    let arguments = bake_arguments(plan);
    let labels = labels_object(plan);
    let file = |output, file_name, definition: Value| OutputFile {
        output,
        file_name,
        text: format!(
            "{:#}",
            json!({ "target": { layout.bake_target.as_str(): definition } })
        ),
    };
    vec![
        file(
            "bake-file-tags",
            "docker-metadata-action-bake-tags.json",
            json!({ "tags": tags(plan), "args": arguments }),
        ),
        file(
            "bake-file-labels",
            "docker-metadata-action-bake-labels.json",
            json!({ "labels": labels }),
        ),
        file(
            "bake-file-annotations",
            "docker-metadata-action-bake-annotations.json",
            json!({ "annotations": annotations(plan) }),
        ),
        file(
            "bake-file",
            "docker-metadata-action-bake.json",
            json!({ "tags": tags(plan), "labels": labels, "args": arguments }),
        ),
    ]
}

/// Writes the files into a directory that later steps of the job can read; their outputs.
pub(super) fn write_files(files: &[OutputFile], vars: &Vars) -> anyhow::Result<Vec<Output>> {
    let Some(temporary) = vars
        .path("RUNNER_TEMP")
        .filter(|_| vars.get("GITHUB_OUTPUT").is_some())
    else {
        return Ok(Vec::new());
    };
    let directory = temporary.join(format!("ghcr-publish-{:016x}", fastrand::u64(..)));
    let seen = directory_outside(&directory, temporary, vars);
    let output = |file: &OutputFile| (file.output, seen.join(file.file_name).display().to_string());
    let outputs: Vec<Output> = files.iter().map(output).collect();
    let written = fs::create_dir(&directory).and_then(|()| {
        files
            .iter()
            .try_for_each(|file| fs::write(directory.join(file.file_name), &file.text))
    });
    written.with_context(|| {
        let what = format!(
            "cannot write the bake files and bundles to `{}`",
            directory.display()
        );
        Problem::new(
            what,
            "set `RUNNER_TEMP` to a writable directory, or unset it",
        )
    })?;
    Ok(outputs)
}

/// In the container of an action the runner's temporary directory is mounted at `/github/runner_temp`,
/// and outputs are not translated back. On the machine it lies beside the directory of the repository's
/// work, which `RUNNER_WORKSPACE` names untranslated.
fn directory_outside(directory: &Path, temporary: &Path, vars: &Vars) -> PathBuf {
    let mounted = temporary == Path::new("/github/runner_temp");
    let work = vars
        .path("RUNNER_WORKSPACE")
        .and_then(Path::parent)
        .filter(|_| mounted);
    match (work, directory.strip_prefix(temporary)) {
        (Some(work), Ok(inside)) => work.join("_temp").join(inside),
        _ => directory.to_owned(),
    }
}

/// The tags of the rules under every name; bare without a name.
fn tags(plan: &Plan) -> Vec<String> {
    if plan.images.is_empty() {
        return tag_names(plan);
    }
    let references = plan.images.iter().flat_map(|name| {
        let tags = plan.tag_names.iter();
        tags.map(move |tag| format!("{name}:{tag}"))
    });
    references.collect()
}

pub(super) fn tag_names(plan: &Plan) -> Vec<String> {
    plan.tag_names.iter().map(ToString::to_string).collect()
}

pub(crate) fn annotations(plan: &Plan) -> Vec<String> {
    let levels = plan
        .annotation_levels
        .clone()
        .unwrap_or_else(Levels::manifest);
    let lines = levels.iter().flat_map(|level| {
        let annotations = plan.annotations.iter();
        annotations.map(move |(key, value)| format!("{level}:{key}={value}"))
    });
    lines.collect()
}

fn json_output(plan: &Plan) -> Value {
    json!({
        "tags": tags(plan),
        "tag-names": tag_names(plan),
        "labels": labels_object(plan),
        "annotations": annotations(plan),
    })
}

fn bake_arguments(plan: &Plan) -> Value {
    let images: Vec<String> = plan.images.iter().map(ToString::to_string).collect();
    let mut arguments = Map::new();
    arguments.insert("DOCKER_META_IMAGES".to_owned(), images.join(",").into());
    if !plan.version.is_empty() {
        arguments.insert(
            "DOCKER_META_VERSION".to_owned(),
            plan.version.clone().into(),
        );
    }
    arguments.into()
}

/// An object as JavaScript lists its keys: those that look like an index of an array come first.
fn labels_object(plan: &Plan) -> Value {
    let mut labels: Vec<&(String, String)> = plan.labels.iter().collect();
    labels.sort_by_key(|(key, _)| array_index(key).map_or((1, 0), |index| (0, index)));
    let pairs = labels
        .into_iter()
        .map(|(key, value)| (key.clone(), Value::from(value.clone())));
    Value::Object(pairs.collect())
}

fn array_index(key: &str) -> Option<u32> {
    let index: u32 = key.parse().ok()?;
    (index.to_string() == key && index < u32::MAX).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_steps_see_the_directory_of_the_machine() {
        let seen = |temporary: &str| {
            let vars = Vars::of(&[("RUNNER_WORKSPACE", "/home/runner/work/widget")]);
            let temporary = Path::new(temporary);
            directory_outside(&temporary.join("x"), temporary, &vars)
        };
        assert_eq!(
            seen("/github/runner_temp"),
            Path::new("/home/runner/work/_temp/x")
        );
        assert_eq!(seen("/tmp"), Path::new("/tmp/x"));
    }
}
