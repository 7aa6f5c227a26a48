//! The inputs about the text of the metadata outputs: `sep-tags`, `sep-labels`, `sep-annotations`, `bake-target`.

use crate::inputs::RawInputs;

/// How lists are written, and the name of the bake target.
#[derive(Clone, Debug)]
pub(crate) struct MetadataFormat {
    pub(crate) sep_tags: String,
    pub(crate) sep_labels: String,
    pub(crate) sep_annotations: String,
    pub(crate) bake_target: String,
}

impl MetadataFormat {
    pub(super) fn read(raw: &RawInputs) -> Self {
        let separator = |name| match raw.untrimmed(name) {
            "" => "\n".to_owned(),
            separator => separator.to_owned(),
        };
        Self {
            sep_tags: separator("sep-tags"),
            sep_labels: separator("sep-labels"),
            sep_annotations: separator("sep-annotations"),
            bake_target: raw
                .text("bake-target")
                .unwrap_or("docker-metadata-action")
                .to_owned(),
        }
    }
}
