//! `BuildRequest`: what is asked of the engine, as a value.

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
    pub(crate) annotations: Vec<(String, String)>,
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
    ) -> Self {
        Self {
            context: inputs.context.clone().unwrap_or_else(|| ".".to_owned()),
            file: inputs.file.clone(),
            target: inputs.target.clone(),
            platforms: inputs.platforms.clone(),
            build_args: inputs.build_args.clone(),
            labels: labels.to_vec(),
            annotations: annotations.to_vec(),
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
