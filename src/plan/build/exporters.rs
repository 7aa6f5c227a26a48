//! Where the result of a build goes.

use chrono::{DateTime, Utc};

use crate::inputs::build::BuildInputs;
use crate::inputs::results::is_image;
use crate::inputs::spec::Spec;
use crate::plan::build::{Image, Pusher};

/// The image, unless only other things are asked for and nothing is pushed; then what else is asked for.
/// An image that is loaded into the engine is not an output: see [`super::BuildRequest::handed_over`].
pub(super) fn all(build: &BuildInputs, image: &Image) -> Vec<Spec> {
    let others = || {
        build
            .outputs
            .iter()
            .filter(|output| !is_image(output) && !is_kept(output))
    };
    let images: Vec<&Spec> = build
        .outputs
        .iter()
        .filter(|output| is_image(output))
        .collect();
    let nothing_else = others().next().is_none();
    let wanted = !images.is_empty() || nothing_else || loads(build);
    let has_image = match image.pusher {
        Pusher::Engine => true,
        Pusher::Ourselves => loads(build),
        Pusher::Nobody => wanted,
    };
    let own = has_image.then(|| image_output(&images, image));
    let dated = others().map(|output| with_timestamp(output.clone(), image.timestamp));
    own.into_iter().chain(dated).collect()
}

/// Whether the engine of this machine is to keep the image.
pub(super) fn loads(build: &BuildInputs) -> bool {
    build.load || build.outputs.iter().any(is_kept)
}

/// Docker's own media types, as the older Docker registry wants them.
pub(super) fn layout(build: &BuildInputs, image: &Image) -> Option<Spec> {
    if image.pusher != Pusher::Ourselves {
        return None;
    }
    let asked = build.outputs.iter().filter(|output| is_image(output));
    let asked = asked.flat_map(|output| output.attributes());
    let output = asked.fold(Spec::new("oci"), |output, (key, value)| {
        output.with(key, value)
    });
    let output = output.with("oci-mediatypes", "false").with("tar", "false");
    Some(with_timestamp(output, image.timestamp))
}

/// The same image, when it turns out that it stays here.
pub(super) fn unpushed_docker() -> Spec {
    let image = Spec::new("image").with("oci-mediatypes", "false");
    image.with("push", "false")
}

/// Annotations belong to OCI manifests only, so the OCI media types are asked for.
fn image_output(asked: &[&Spec], image: &Image) -> Spec {
    let asked = asked.iter().flat_map(|output| output.attributes());
    let output = asked.fold(
        Spec::new("image").with("oci-mediatypes", "true"),
        |output, (key, value)| output.with(key, value),
    );
    let push = match image.pusher {
        Pusher::Engine => "true",
        Pusher::Ourselves | Pusher::Nobody => "false",
    };
    with_timestamp(output, image.timestamp).with("push", push)
}

/// Without it only the records have the time of the request, and each file the time of its checkout.
/// Directories take it on their own.
pub(super) fn with_timestamp(output: Spec, timestamp: Option<DateTime<Utc>>) -> Spec {
    match (timestamp, output.kind()) {
        (Some(_), "image" | "oci" | "docker") => output.or_with("rewrite-timestamp", "true"),
        _ => output,
    }
}

/// A bare `type=docker` is what `load: true` is short for.
fn is_kept(output: &Spec) -> bool {
    output.kind() == "docker" && output.attributes().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Inputs;
    use crate::vars::Vars;

    #[track_caller]
    fn check(variables: &[(&str, &str)], pusher: Pusher, expected: &[&str]) {
        let inputs = Inputs::from_vars(&Vars::of(variables), &[]).unwrap();
        let image = Image {
            names: Vec::new(),
            pusher,
            labels: Vec::new(),
            annotations: Vec::new(),
            timestamp: inputs.build.reproducible.then_some(DateTime::UNIX_EPOCH),
        };
        let outputs = all(&inputs.build, &image);
        let shown: Vec<String> = outputs.iter().map(shown).collect();
        assert_eq!(shown, expected);
    }

    fn shown(output: &Spec) -> String {
        let attributes = output.attributes().iter();
        let attributes = attributes.map(|(key, value)| format!(" {key}={value}"));
        format!("{}{}", output.kind(), attributes.collect::<String>())
    }

    #[test]
    fn image_is_the_default_output() {
        check(
            &[],
            Pusher::Engine,
            &["image oci-mediatypes=true push=true"],
        );
        check(
            &[],
            Pusher::Nobody,
            &["image oci-mediatypes=true push=false"],
        );
        let files = ("INPUT_OUTPUTS", "type=local,dest=out");
        check(&[files], Pusher::Nobody, &["local dest=out"]);
        check(
            &[files],
            Pusher::Engine,
            &["image oci-mediatypes=true push=true", "local dest=out"],
        );
    }

    #[test]
    fn image_attributes_are_added_to_the_defaults() {
        check(
            &[(
                "INPUT_OUTPUTS",
                "type=image,compression=zstd\ntype=oci,dest=x.tar",
            )],
            Pusher::Engine,
            &[
                "image oci-mediatypes=true compression=zstd push=true",
                "oci dest=x.tar",
            ],
        );
    }

    #[test]
    fn loaded_image_is_the_pushed_image() {
        let load = ("INPUT_LOAD", "true");
        let image = "image oci-mediatypes=true push=false";
        check(&[load], Pusher::Nobody, &[image]);
        check(
            &[("INPUT_OUTPUTS", "type=docker")],
            Pusher::Nobody,
            &[image],
        );
        check(
            &[load, ("INPUT_OUTPUTS", "type=local,dest=out")],
            Pusher::Nobody,
            &[image, "local dest=out"],
        );
        let tar = "type=docker,dest=x.tar";
        check(
            &[("INPUT_OUTPUTS", tar)],
            Pusher::Nobody,
            &["docker dest=x.tar"],
        );
    }

    #[test]
    fn image_that_we_push_is_written_as_an_oci_layout() {
        let shown = |variables: &[(&str, &str)]| {
            let inputs = Inputs::from_vars(&Vars::of(variables), &[]).unwrap();
            let image = Image {
                names: Vec::new(),
                pusher: Pusher::Ourselves,
                labels: Vec::new(),
                annotations: Vec::new(),
                timestamp: None,
            };
            let outputs = all(&inputs.build, &image);
            let all = outputs
                .iter()
                .chain(layout(&inputs.build, &image).as_ref())
                .map(shown)
                .collect::<Vec<_>>();
            all.join("; ")
        };
        assert_eq!(shown(&[]), "oci oci-mediatypes=false tar=false");
        assert_eq!(
            shown(&[
                ("INPUT_LOAD", "true"),
                ("INPUT_OUTPUTS", "type=image,compression-level=9")
            ]),
            "image oci-mediatypes=true compression-level=9 push=false; oci compression-level=9 oci-mediatypes=false tar=false"
        );
    }

    #[test]
    fn a_reproducible_image_carries_the_time_of_the_commit() {
        let reproducible = ("INPUT_REPRODUCIBLE", "true");
        check(
            &[reproducible, ("INPUT_OUTPUTS", "type=oci,dest=x.tar")],
            Pusher::Engine,
            &[
                "image oci-mediatypes=true rewrite-timestamp=true push=true",
                "oci dest=x.tar rewrite-timestamp=true",
            ],
        );
    }
}
