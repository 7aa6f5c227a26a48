//! `BuildRequest`: what is asked of the engine, as a value.

use super::labels::level::Levels;
use crate::image::Tagged;
use crate::inputs::BuildInputs;

/// One build, complete: the engine only has to carry it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildRequest {
    /// Folder of the build context, relative to the workspace.
    pub(crate) context: String,
    /// The Dockerfile, relative to the workspace; in the context when not named.
    pub(crate) file: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) platforms: Vec<String>,
    pub(crate) build_args: Vec<(String, String)>,
    pub(crate) labels: Vec<(String, String)>,
    /// Each with the levels it goes to, as `docker buildx build --annotation` takes it.
    pub(crate) annotations: Vec<String>,
    pub(crate) no_cache: bool,
    pub(crate) pull: bool,
    /// The names the engine gives the image.
    pub(crate) names: Vec<Tagged>,
    /// Whether the engine pushes those names.
    pub(crate) push: bool,
}

impl BuildRequest {
    pub(super) fn new(
        inputs: &BuildInputs,
        names: Vec<Tagged>,
        push: bool,
        labels: &[(String, String)],
        annotations: &[(String, String)],
        asked: Option<&Levels>,
    ) -> Self {
        let levels = annotation_levels(asked, inputs.platforms.len() > 1);
        let annotation = |(key, value): &(String, String)| format!("{levels}:{key}={value}");
        Self {
            context: inputs.context.clone().unwrap_or_else(|| ".".to_owned()),
            file: inputs.file.clone(),
            target: inputs.target.clone(),
            platforms: inputs.platforms.clone(),
            build_args: inputs.build_args.clone(),
            labels: labels.to_vec(),
            annotations: annotations
                .iter()
                .filter(|_| !levels.is_empty())
                .map(annotation)
                .collect(),
            no_cache: inputs.no_cache,
            pull: inputs.pull,
            names,
            push,
        }
    }

    /// The Dockerfile's path, as it is shown and looked for.
    pub(crate) fn dockerfile(&self) -> String {
        self.file
            .clone()
            .unwrap_or_else(|| match self.context.trim_end_matches('/') {
                "." => "Dockerfile".to_owned(),
                folder => format!("{folder}/Dockerfile"),
            })
    }
}

/// Where annotations go: GHCR reads those of the index, when there is one. Only several platforms make
/// an index, and an engine refuses annotations for an index that it does not make.
fn annotation_levels(asked: Option<&Levels>, is_index: bool) -> String {
    let asked = asked.map(|levels| levels.iter().map(ToString::to_string).collect());
    let levels: Vec<String> =
        asked.unwrap_or_else(|| vec!["index".to_owned(), "manifest".to_owned()]);
    let possible = levels
        .into_iter()
        .filter(|level| is_index || !level.starts_with("index"));
    possible.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_go_to_the_index_when_there_is_one() {
        assert_eq!(annotation_levels(None, true), "index,manifest");
        assert_eq!(annotation_levels(None, false), "manifest");
        let asked = Levels::parse("x", "manifest-descriptor,index").unwrap();
        assert_eq!(
            annotation_levels(Some(&asked), true),
            "manifest-descriptor,index"
        );
        assert_eq!(
            annotation_levels(Some(&asked), false),
            "manifest-descriptor"
        );
        let index = Levels::parse("x", "index").unwrap();
        assert_eq!(annotation_levels(Some(&index), false), "");
    }
}
