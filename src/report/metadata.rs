//! The outputs of docker/metadata-action, byte for byte: a step that read them there reads them here.

use crate::inputs::MetadataFormat;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::inputs::labels::Levels;
use crate::plan::Plan;

/// A definition for `docker buildx bake`; the output of that name is the path of a file with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BakeFile {
    pub(crate) output: &'static str,
    pub(crate) file_name: &'static str,
    pub(crate) text: String,
}

/// The outputs that are texts.
pub(crate) fn outputs(plan: &Plan, layout: &MetadataFormat) -> Vec<(&'static str, String)> {
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
pub(crate) fn bake_files(plan: &Plan, layout: &MetadataFormat) -> Vec<BakeFile> {
    let arguments = bake_arguments(plan);
    let labels = labels_object(plan);
    let file = |output, file_name, definition: Value| BakeFile {
        output,
        file_name,
        text: pretty(&json!({ "target": { layout.bake_target.as_str(): definition } })),
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

fn tag_names(plan: &Plan) -> Vec<String> {
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

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("a JSON value is written without fail")
}
