//! The inputs about the results of a build: `outputs`, and what BuildKit attests (`provenance`, `sbom`, `attests`).

use crate::error::{InputError, Problem};
use crate::inputs::list::Entry;
use crate::inputs::raw::RawInputs;
use crate::inputs::spec::Spec;
use crate::inputs::{expressions, list};

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
pub(super) fn outputs(text: &str) -> Result<Vec<Spec>, Problem> {
    let entries = list::quoted_entries("outputs", text)?;
    let outputs = entries.iter().map(|entry| {
        let output = match directory(entry) {
            Some(path) => Spec::new("local").with("dest", path),
            None => Spec::parse(entry)?,
        };
        check(&output).map_err(|error| entry.problem(error))?;
        Ok(output)
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
    let is_path = !expressions::outside(text).contains([',', '"', '=']);
    is_path.then_some(text)
}

/// Refuses an output that this program does not know, or that conflicts with another input.
pub(crate) fn check(output: &Spec) -> Result<(), InputError> {
    let kind = output.kind();
    if !KINDS.contains(&kind) {
        let because = format!("unknown output type `{kind}`");
        return Err(InputError::not_one_of(because, kind, KINDS));
    }
    let ours = OURS.iter().find(|key| output.get(key).is_some());
    if let Some(key) = ours.filter(|_| is_image(output)) {
        return Err(InputError::new(
            format!("`{key}` of an image is not set here"),
            "name it with `images` and `tags`, and say with `push` whether it is pushed; the line may hold other attributes, for example `type=image,compression=zstd`",
        ));
    }
    let needs_place = is_files(output) || kind == "oci";
    match output.get("dest") {
        None | Some("") if needs_place => Err(InputError::new(
            "it does not say where to",
            format!("write `type={kind},dest=path`"),
        )),
        Some("-") => Err(InputError::new(
            "standard output is not available",
            format!("write `type={kind},dest=path`"),
        )),
        _ => Ok(()),
    }
}

/// All that are switched on. `provenance` and `sbom` win over `attests`, as in
/// docker/build-push-action; nothing is on unless it is asked for.
pub(super) fn attestations(raw: &RawInputs) -> Result<Vec<Spec>, Problem> {
    let mut attestations = Vec::new();
    let mut said = Vec::new();
    for kind in ["provenance", "sbom"] {
        let Some(switch) = switch(raw, kind)? else {
            continue;
        };
        said.push(kind);
        attestations.extend(switch);
    }
    for entry in list::entries("attests", raw.untrimmed("attests"))? {
        let spec = Spec::parse(&entry)?;
        let repeated = said.contains(&spec.kind());
        if !repeated && is_on(&spec) {
            attestations.push(spec);
        }
    }
    Ok(attestations)
}

/// What the input called `kind` says: nothing, off, or on with attributes.
fn switch(raw: &RawInputs, kind: &'static str) -> Result<Option<Option<Spec>>, Problem> {
    let Some(text) = raw.text(kind) else {
        return Ok(None);
    };
    let spec = match text.to_ascii_lowercase().as_str() {
        "false" => return Ok(Some(None)),
        "true" => Spec::new(kind),
        mode @ ("min" | "max") if kind == "provenance" => Spec::new(kind).with("mode", mode),
        _ => attributes(kind, text)?,
    };
    Ok(Some(Some(spec).filter(is_on)))
}

fn attributes(kind: &'static str, text: &str) -> Result<Spec, Problem> {
    let entries = list::quoted_entries(kind, text)?;
    let [entry] = entries.as_slice() else {
        let rule = "write `true`, `false`, or attributes on one line, for example `mode=max`";
        return Err(Problem::new(
            format!("the input `{kind}` has several lines"),
            rule,
        ));
    };
    let spec = entry.fields().and_then(Spec::from_fields);
    spec.map(|spec| spec.of_kind(kind))
        .map_err(|error| entry.problem(error))
}

fn is_on(spec: &Spec) -> bool {
    !spec
        .get("disabled")
        .is_some_and(|value| matches!(value, "true" | "1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;

    #[test]
    fn outputs_are_read_as_buildx_reads_them() {
        let outputs =
            outputs("out\nout/{{date 'Y' tz='UTC'}}\ntype=tar,\"dest=a,b.tar\"\ntype=image,compression=zstd").unwrap();
        let expected = [
            Spec::new("local").with("dest", "out"),
            Spec::new("local").with("dest", "out/{{date 'Y' tz='UTC'}}"),
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
            let explanation = Explanation::of(&outputs(text).unwrap_err().into());
            assert_eq!(explanation.because, [cause]);
        }
    }

    use crate::vars::Vars;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: &[Spec]) {
        let raw = RawInputs::collect(&Vars::of(variables), &[]);
        assert_eq!(attestations(&raw).unwrap(), expected);
    }

    #[test]
    fn booleans_and_attributes_enable_an_attestation() {
        let provenance = || Spec::new("provenance");
        check(&[], &[]);
        check(&[("INPUT_PROVENANCE", "True")], &[provenance()]);
        check(
            &[("INPUT_PROVENANCE", "max")],
            &[provenance().with("mode", "max")],
        );
        check(
            &[
                ("INPUT_PROVENANCE", "mode=min,inline-only=true"),
                ("INPUT_SBOM", "true"),
            ],
            &[
                provenance().with("mode", "min").with("inline-only", "true"),
                Spec::new("sbom"),
            ],
        );
        check(
            &[("INPUT_SBOM", "generator=docker/scanner:1")],
            &[Spec::new("sbom").with("generator", "docker/scanner:1")],
        );
    }

    #[test]
    fn provenance_and_sbom_override_attests() {
        check(
            &[
                ("INPUT_PROVENANCE", "false"),
                (
                    "INPUT_ATTESTS",
                    "type=provenance,mode=max\ntype=sbom\ntype=x,disabled=true",
                ),
            ],
            &[Spec::new("sbom")],
        );
        let raw = RawInputs::collect(&Vars::of(&[("INPUT_PROVENANCE", "yes")]), &[]);
        assert!(attestations(&raw).is_err());
    }
}
