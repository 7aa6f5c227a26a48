//! `BuildRequest`: the request to the engine, as a value.

pub(crate) mod context_source;
mod exporters;

use std::path::Path;

use chrono::{DateTime, Utc};

use crate::context::Context;
use crate::image::Tagged;
use crate::inputs::Inputs;
use crate::inputs::build::Parameters;
use crate::inputs::labels::Levels;
use crate::inputs::secrets::BuildSecret;
use crate::inputs::spec::Spec;
use crate::plan::build::context_source::ContextSource;
use crate::plan::cache::Cache;

/// One build, complete: the engine only has to carry it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildRequest {
    pub(crate) parameters: Parameters,
    pub(crate) context: ContextSource,
    /// Other contexts, by name.
    pub(crate) contexts: Vec<(String, ContextSource)>,
    pub(crate) cache_from: Vec<Spec>,
    pub(crate) cache_to: Vec<Spec>,
    pub(crate) attestations: Vec<Spec>,
    /// Where the result goes; the image that is named and pushed among them, if there is one.
    pub(crate) outputs: Vec<Spec>,
    /// Whether the engine of this machine keeps the image.
    pub(crate) load: bool,
    /// The time every file and record carries, instead of the clock's.
    pub(crate) timestamp: Option<DateTime<Utc>>,
    pub(crate) labels: Vec<(String, String)>,
    /// Each with the levels it goes to, as `docker buildx build --annotation` accepts it.
    pub(crate) annotations: Vec<String>,
    /// The names the engine gives the image.
    pub(crate) names: Vec<Tagged>,
    /// Whether the engine pushes those names.
    pub(crate) push: bool,
    /// The image as a layout in a directory, to be pushed by us: how that is asked for, but for the directory.
    pub(crate) layout: Option<Spec>,
}

/// Who pushes the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pusher {
    Engine,
    /// The engine does not get along with the older Docker registry: it believes the digest that the
    /// registry names.
    Ourselves,
    Nobody,
}

/// What was decided before about the image that is built.
pub(super) struct Image {
    pub(super) names: Vec<Tagged>,
    pub(super) pusher: Pusher,
    pub(super) labels: Vec<(String, String)>,
    pub(super) annotations: Vec<(String, String)>,
    pub(super) timestamp: Option<DateTime<Utc>>,
}

impl BuildRequest {
    /// `token` is what the engine fetches the repository with.
    pub(super) fn new(
        inputs: &Inputs,
        context: &Context,
        cache: Cache,
        image: Image,
        token: Option<BuildSecret>,
    ) -> Self {
        let build = &inputs.build;
        let place = ContextSource::of_context(build.context.as_ref(), context);
        let named = build.contexts.iter();
        let contexts: Vec<(String, ContextSource)> = named
            .map(|(name, source)| (name.clone(), ContextSource::of(source, context)))
            .collect();
        let layout = exporters::layout(build, &image);
        let mut parameters = build.parameters.clone();
        parameters.secrets.extend(token);
        let request = Self {
            parameters,
            context: place,
            contexts,
            cache_from: cache.from,
            cache_to: cache.to,
            attestations: attestations(&build.attestations, context),
            outputs: exporters::all(build, &image),
            load: exporters::loads(build),
            timestamp: image.timestamp,
            annotations: Vec::new(),
            labels: image.labels,
            names: image.names,
            push: image.pusher == Pusher::Engine,
            layout,
        };
        let levels = annotation_levels(inputs.annotation_levels.as_ref(), request.makes_index());
        Self {
            annotations: annotations(&image.annotations, &levels),
            ..request
        }
    }

    /// The same with the image as a layout that this program pushes: for a builder that cannot push by digest.
    pub(crate) fn as_layout(&self) -> Self {
        let is_image = |output: &&Spec| output.kind() == "image";
        let images = self.outputs.iter().filter(is_image);
        let attributes = images.flat_map(Spec::attributes);
        let attributes = attributes.filter(|(key, _)| key != "push");
        let layout = attributes.fold(Spec::new("oci"), |layout, (key, value)| {
            layout.with(key, value)
        });
        let others = self.outputs.iter().filter(|output| !is_image(output));
        Self {
            push: false,
            outputs: others.cloned().collect(),
            layout: Some(layout.with("tar", "false")),
            ..self.clone()
        }
    }

    /// The same for an image that stays here, under `names`.
    pub(super) fn unpushed(&self, names: Vec<Tagged>) -> Self {
        let stays = |output: &Spec| match output.kind() {
            "image" => output.clone().with("push", "false"),
            _ => output.clone(),
        };
        let of_layout = self.layout.as_ref().map(|_| exporters::unpushed_docker());
        let outputs = self.outputs.iter().map(stays);
        Self {
            names,
            push: false,
            layout: None,
            outputs: of_layout.into_iter().chain(outputs).collect(),
            ..self.clone()
        }
    }

    /// The Dockerfile's path in the repository, as it is shown.
    pub(crate) fn dockerfile(&self) -> String {
        match (&self.parameters.file, &self.context) {
            (Some(file), ContextSource::Directory(_) | ContextSource::Address(_)) => file.clone(),
            (Some(file), ContextSource::Repository { directory, .. }) => {
                in_directory(directory, file)
            }
            (None, ContextSource::Directory(directory)) => in_directory(directory, "Dockerfile"),
            (None, ContextSource::Repository { directory, .. }) => {
                in_directory(directory, "Dockerfile")
            }
            (None, ContextSource::Address(_)) => "Dockerfile".to_owned(),
        }
    }

    /// Whether the result is an index: of several platforms, or of an image and its attestations.
    pub(crate) fn makes_index(&self) -> bool {
        self.parameters.platforms.len() > 1 || !self.attestations.is_empty()
    }

    /// Whether the build results in an image, and so in a digest.
    pub(crate) fn makes_image(&self) -> bool {
        let is_image = |output: &Spec| matches!(output.kind(), "image" | "docker" | "oci");
        let has_image = self.layout.is_some() || self.outputs.iter().any(is_image);
        self.parameters.call.is_none() && has_image
    }

    /// How a separate builder loads the image into the engine; the engine's builder has it in
    /// the same store already, and would find the name taken.
    pub(crate) fn handed_over(&self) -> Option<Spec> {
        let output = || exporters::with_timestamp(Spec::new("docker"), self.timestamp);
        self.load.then(output)
    }

    /// How the image is written to `directory` as a layout, when we are to push it
    /// (<https://docs.docker.com/build/exporters/oci-docker/>).
    pub(crate) fn layout_in(&self, directory: &Path) -> Option<Spec> {
        let layout = self.layout.clone()?;
        Some(layout.with("dest", &directory.display().to_string()))
    }

    /// Whether a cache of the type `kind` is read or written.
    pub(crate) fn has_cache(&self, kind: &str) -> bool {
        let mut caches = self.cache_from.iter().chain(&self.cache_to);
        caches.any(|cache| cache.kind() == kind)
    }
}

fn in_directory(directory: &str, file: &str) -> String {
    match directory.trim_end_matches('/') {
        "" | "." => file.to_owned(),
        directory => format!("{directory}/{file}"),
    }
}

/// Provenance names its builder by the page of the run.
fn attestations(asked: &[Spec], context: &Context) -> Vec<Spec> {
    let run = context.run_url();
    let named = |spec: &Spec| match (&run, spec.kind()) {
        (Some(run), "provenance") => spec.clone().or_with("builder-id", run),
        _ => spec.clone(),
    };
    asked.iter().map(named).collect()
}

fn annotations(annotations: &[(String, String)], levels: &str) -> Vec<String> {
    let written = annotations.iter().filter(|_| !levels.is_empty());
    written
        .map(|(key, value)| format!("{levels}:{key}={value}"))
        .collect()
}

/// Where annotations go: GHCR reads those of the index, when there is one. Only several platforms or
/// attestations make an index, and an engine refuses annotations for an index that it does not make.
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
    use crate::plan::Plan;
    use crate::vars::Vars;

    fn request(variables: &[(&str, &str)]) -> BuildRequest {
        let run = [
            ("GITHUB_REPOSITORY", "Acme/Widget"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", "0123456789abcdef"),
            ("GITHUB_RUN_ID", "17"),
            ("GITHUB_RUN_ATTEMPT", "2"),
            ("INPUT_GITHUB-TOKEN", "ghs_token"),
        ];
        let vars = Vars::of(&[&run, variables].concat());
        let inputs = Inputs::from_vars(&vars, &[]).unwrap();
        let context = Context::from_vars(&vars).unwrap();
        let plan = Plan::new(&inputs, &context, |_| true, DateTime::UNIX_EPOCH);
        plan.unwrap().build
    }

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

    #[test]
    fn attestations_make_an_index_and_provenance_names_the_run() {
        let plain = request(&[]);
        assert!(!plain.makes_index() && plain.attestations.is_empty());
        let request = request(&[("INPUT_PROVENANCE", "max"), ("INPUT_SBOM", "true")]);
        assert!(request.makes_index());
        assert!(request.annotations[0].starts_with("index,manifest:"));
        let run = "https://github.com/Acme/Widget/actions/runs/17/attempts/2";
        let provenance = Spec::new("provenance")
            .with("mode", "max")
            .with("builder-id", run);
        assert_eq!(request.attestations, [provenance, Spec::new("sbom")]);
    }

    #[test]
    fn dockerfile_path_is_relative_to_the_repository() {
        let file = |context, file| {
            request(&[("INPUT_CONTEXT", context), ("INPUT_FILE", file)]).dockerfile()
        };
        assert_eq!(file("", ""), "Dockerfile");
        assert_eq!(file("app/", ""), "app/Dockerfile");
        assert_eq!(file("app", "docker/Web"), "docker/Web");
        assert_eq!(file("{{defaultContext}}:app", ""), "app/Dockerfile");
        assert_eq!(file("{{defaultContext}}:app", "Web"), "app/Web");
        assert_eq!(file("https://github.com/acme/other", ""), "Dockerfile");
    }
}
