//! The input `outputs`: where the result of a build goes in addition to the registry.

use crate::error::{InputError, Problem};
use crate::inputs::list;
use crate::inputs::list::Entry;
use crate::inputs::spec::Spec;

const KINDS: &[&str] = &[
    "image",
    "registry",
    "docker",
    "oci",
    "tar",
    "local",
    "cacheonly",
];

/// Attributes that other inputs set, and that verification and outputs rely on.
const OURS: &[&str] = &[
    "name",
    "push",
    "push-by-digest",
    "name-canonical",
    "dangling-name-prefix",
];

/// Reads the input; the quotes in it are buildx's.
pub(super) fn parse(text: &str) -> Result<Vec<Spec>, Problem> {
    let entries = list::quoted_entries("outputs", text)?;
    let outputs = entries.iter().map(|entry| {
        let output = match directory(entry) {
            Some(path) => Spec::new("local").with("dest", path),
            None => Spec::parse(entry)?,
        };
        check(output).map_err(|error| entry.problem(error))
    });
    outputs.collect()
}

/// Whether a spec gives files instead of an image.
pub(crate) fn is_files(output: &Spec) -> bool {
    matches!(output.kind(), "local" | "tar")
}

/// Whether a spec describes the image that we name and push.
pub(crate) fn is_image(output: &Spec) -> bool {
    matches!(output.kind(), "image" | "registry")
}

/// A bare path is a directory, as buildx has it.
fn directory(entry: &Entry) -> Option<&str> {
    let text = entry.text();
    (!text.starts_with("type=") && !text.contains([',', '"', '='])).then_some(text)
}

fn check(output: Spec) -> Result<Spec, InputError> {
    let kind = output.kind();
    if !KINDS.contains(&kind) {
        let because = format!("unknown output type `{kind}`");
        return Err(InputError::not_one_of(because, kind, KINDS));
    }
    let ours = OURS.iter().find(|key| output.get(key).is_some());
    if let Some(key) = ours.filter(|_| is_image(&output)) {
        return Err(InputError::new(
            format!("`{key}` of an image is not set here"),
            "name it with `images` and `tags`, and say with `push` whether it is pushed; the line may hold other attributes, for example `type=image,compression=zstd`",
        ));
    }
    let needs_place = is_files(&output) || kind == "oci";
    match output.get("dest") {
        None | Some("") if needs_place => Err(InputError::new(
            "it does not say where to",
            format!("write `type={kind},dest=path`"),
        )),
        Some("-") => Err(InputError::new(
            "standard output is not available",
            format!("write `type={kind},dest=path`"),
        )),
        _ => Ok(output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;

    #[test]
    fn outputs_are_read_as_buildx_reads_them() {
        let outputs = parse("out\ntype=tar,\"dest=a,b.tar\"\ntype=image,compression=zstd").unwrap();
        let expected = [
            Spec::new("local").with("dest", "out"),
            Spec::new("tar").with("dest", "a,b.tar"),
            Spec::new("image").with("compression", "zstd"),
        ];
        assert_eq!(outputs, expected);
    }

    #[test]
    fn invalid_outputs_are_refused() {
        for (text, cause) in [
            ("type=locl,dest=x", "unknown output type `locl`"),
            ("type=local", "it does not say where to"),
            ("-", "standard output is not available"),
            (
                "type=image,push-by-digest=true",
                "`push-by-digest` of an image is not set here",
            ),
            ("type=registry,name=x", "`name` of an image is not set here"),
        ] {
            let explanation = Explanation::of(&parse(text).unwrap_err().into());
            assert_eq!(explanation.because, [cause]);
        }
    }
}
