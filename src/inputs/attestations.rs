//! The inputs `provenance`, `sbom` and `attests`: what BuildKit attests to the image.

use crate::error::Problem;
use crate::inputs::list;
use crate::inputs::raw::RawInputs;
use crate::inputs::spec::Spec;

/// All that are switched on. `provenance` and `sbom` win over `attests`, as in
/// docker/build-push-action; nothing is on unless it is asked for.
pub(super) fn read(raw: &RawInputs) -> Result<Vec<Spec>, Problem> {
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
    use crate::vars::Vars;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: &[Spec]) {
        let raw = RawInputs::collect(&Vars::of(variables), &[]);
        assert_eq!(read(&raw).unwrap(), expected);
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
        assert!(read(&raw).is_err());
    }
}
