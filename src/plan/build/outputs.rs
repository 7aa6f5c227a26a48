//! Where the result of a build goes.

use super::Image;
use crate::inputs::build::BuildInputs;
use crate::inputs::outputs::is_image;
use crate::inputs::spec::Spec;

/// The image, unless only other things are asked for and nothing is pushed; then what else is asked for.
pub(super) fn outputs(build: &BuildInputs, image: &Image) -> Vec<Spec> {
    let (images, others): (Vec<&Spec>, Vec<&Spec>) =
        build.outputs.iter().partition(|output| is_image(output));
    let nothing_else = others.is_empty() && !build.load;
    let has_image = image.push || !images.is_empty() || nothing_else;
    let own = has_image.then(|| image_output(&images, image));
    let loads = build.load && !others.iter().any(|output| is_loaded(output));
    let loaded = loads.then(|| Spec::new("docker"));
    let others = others.into_iter().cloned().chain(loaded);
    let dated = others.map(|output| with_timestamp(output, image));
    own.into_iter().chain(dated).collect()
}

/// Annotations belong to OCI manifests only, so the OCI media types are asked for.
fn image_output(asked: &[&Spec], image: &Image) -> Spec {
    let asked = asked.iter().flat_map(|output| output.attributes());
    let output = asked.fold(
        Spec::new("image").with("oci-mediatypes", "true"),
        |output, (key, value)| output.with(key, value),
    );
    let output = match image.timestamp {
        // An image that is unpacked here would need its times twice: the engine refuses both at once.
        Some(_) => output
            .or_with("rewrite-timestamp", "true")
            .or_with("unpack", "false"),
        None => output,
    };
    output.with("push", if image.push { "true" } else { "false" })
}

/// The other formats of an image take their times from the request as well; folders do so on their own.
fn with_timestamp(output: Spec, image: &Image) -> Spec {
    match (image.timestamp, output.kind()) {
        (Some(_), "oci") => output.or_with("rewrite-timestamp", "true"),
        (Some(_), "docker") => output
            .or_with("rewrite-timestamp", "true")
            .or_with("unpack", "false"),
        _ => output,
    }
}

fn is_loaded(output: &Spec) -> bool {
    output.kind() == "docker" && output.get("dest").is_none()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::inputs::Inputs;
    use crate::vars::Vars;

    #[track_caller]
    fn check(variables: &[(&str, &str)], push: bool, expected: &[&str]) {
        let inputs = Inputs::from_vars(&Vars::of(variables), &[]).unwrap();
        let image = Image {
            names: Vec::new(),
            push,
            labels: Vec::new(),
            annotations: Vec::new(),
            timestamp: inputs.build.reproducible.then_some(DateTime::UNIX_EPOCH),
        };
        let outputs = outputs(&inputs.build, &image);
        let shown: Vec<String> = outputs.iter().map(shown).collect();
        assert_eq!(shown, expected);
    }

    fn shown(output: &Spec) -> String {
        let attributes = output.attributes().iter();
        let attributes = attributes.map(|(key, value)| format!(" {key}={value}"));
        format!("{}{}", output.kind(), attributes.collect::<String>())
    }

    #[test]
    fn an_image_is_the_result_unless_something_else_is() {
        check(&[], true, &["image oci-mediatypes=true push=true"]);
        check(&[], false, &["image oci-mediatypes=true push=false"]);
        let files = ("INPUT_OUTPUTS", "type=local,dest=out");
        check(&[files], false, &["local dest=out"]);
        check(
            &[files],
            true,
            &["image oci-mediatypes=true push=true", "local dest=out"],
        );
    }

    #[test]
    fn attributes_of_an_image_are_added_to_ours() {
        check(
            &[(
                "INPUT_OUTPUTS",
                "type=image,compression=zstd\ntype=oci,dest=x.tar",
            )],
            true,
            &[
                "image oci-mediatypes=true compression=zstd push=true",
                "oci dest=x.tar",
            ],
        );
    }

    #[test]
    fn loading_is_one_more_output() {
        let load = ("INPUT_LOAD", "true");
        check(&[load], false, &["docker"]);
        check(
            &[load],
            true,
            &["image oci-mediatypes=true push=true", "docker"],
        );
        check(
            &[load, ("INPUT_OUTPUTS", "type=docker")],
            false,
            &["docker"],
        );
    }

    #[test]
    fn a_reproducible_image_carries_the_time_of_the_commit() {
        let reproducible = ("INPUT_REPRODUCIBLE", "true");
        check(
            &[reproducible, ("INPUT_OUTPUTS", "type=oci,dest=x.tar")],
            true,
            &[
                "image oci-mediatypes=true rewrite-timestamp=true unpack=false push=true",
                "oci dest=x.tar rewrite-timestamp=true",
            ],
        );
    }
}
