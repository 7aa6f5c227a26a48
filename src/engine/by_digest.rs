//! The arguments of a push that writes no tag: the image is there under its digest before any tag shows it.

use std::collections::BTreeSet;

use crate::image::Tagged;

/// Turns arguments that push under tags into ones that push by digest
/// (<https://github.com/moby/buildkit/blob/v0.25.0/README.md#imageregistry>).
pub(super) fn rewritten(arguments: Vec<String>, names: &[Tagged]) -> Vec<String> {
    let names: BTreeSet<String> = names.iter().map(|tagged| tagged.name.to_string()).collect();
    let names = names.into_iter().collect::<Vec<_>>().join(",");
    let options = format!(r#","name={names}",push-by-digest=true,name-canonical=true"#);
    arguments
        .into_iter()
        .filter(|argument| !argument.starts_with("--tag="))
        .map(
            |argument| match argument.strip_prefix("--output=type=image") {
                Some(_) => argument + &options,
                None => argument,
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{ImageName, Tag};

    #[test]
    fn the_names_stay_and_the_tags_go() {
        let arguments = [
            "build",
            "--tag=ghcr.io/acme/x:1",
            "--output=type=image,push=true",
            "--",
            ".",
        ];
        let names = ["ghcr.io/acme/x", "quay.io/acme/x"].map(|name| Tagged {
            name: ImageName::parse(name, "").unwrap(),
            tag: Tag::sanitized("1").unwrap(),
        });
        let rewritten = rewritten(arguments.map(str::to_owned).into(), &names);
        let output = r#"--output=type=image,push=true,"name=ghcr.io/acme/x,quay.io/acme/x",push-by-digest=true,name-canonical=true"#;
        assert_eq!(rewritten, ["build", output, "--", "."]);
    }
}
