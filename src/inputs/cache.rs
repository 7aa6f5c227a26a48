//! The inputs `cache`, `cache-from` and `cache-to`.

use crate::error::{InputError, Problem};
use crate::image::name::lowercase_reference;
use crate::inputs::list;
use crate::inputs::list::Entry;
use crate::inputs::spec::Spec;

/// The input `cache`: where the layers of a build are kept for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CacheKind {
    None,
    Gha,
    Registry,
    Inline,
}

pub(super) fn kind(text: &str) -> Result<CacheKind, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "none" => Ok(CacheKind::None),
        "gha" => Ok(CacheKind::Gha),
        "registry" => Ok(CacheKind::Registry),
        "inline" => Ok(CacheKind::Inline),
        _ => Err("write `none`, `gha`, `registry` or `inline`"),
    }
}

/// Reads `cache-from` or `cache-to`: `type=…` with its attributes, or bare references.
pub(super) fn parse(input: &'static str, text: &str) -> Result<Vec<Spec>, Problem> {
    let mut specs = Vec::new();
    for entry in list::entries(input, text)? {
        if entry.text().contains('=') {
            specs.push(normal(Spec::parse(&entry)?));
        } else {
            specs.extend(references(&entry).map_err(|error| entry.problem(error))?);
        }
    }
    Ok(specs)
}

fn references(entry: &Entry) -> Result<Vec<Spec>, InputError> {
    let references = entry
        .fields()?
        .into_iter()
        .filter(|field| !field.is_empty());
    let spec = |reference: String| normal(Spec::new("registry").with("ref", &reference));
    Ok(references.map(spec).collect())
}

/// Registries know lowercase names only; a tag keeps its case.
fn normal(spec: Spec) -> Spec {
    match spec.get("ref") {
        Some(reference) if spec.kind() == "registry" => {
            let reference = lowercase_reference(reference);
            spec.replaced("ref", &reference)
        }
        _ => spec,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[Spec]) {
        assert_eq!(parse("cache-from", text).unwrap(), expected);
    }

    #[test]
    fn references_are_lowercased_in_the_name_only() {
        let registry = |reference: &str| Spec::new("registry").with("ref", reference);
        check(
            "GHCR.io/Acme/X:Main, user/App\nlocalhost:5000/A",
            &[
                registry("ghcr.io/acme/x:Main"),
                registry("user/app"),
                registry("localhost:5000/a"),
            ],
        );
        check(
            "type=registry,ref=ghcr.io/Acme/X/cache:Main,mode=max",
            &[registry("ghcr.io/acme/x/cache:Main").with("mode", "max")],
        );
    }

    #[test]
    fn other_types_pass_as_they_are() {
        check(
            "# comment\ntype=local,src=/Tmp/Cache\ntype=gha,\"\"\"scope=A,b\"\"\"",
            &[
                Spec::new("local").with("src", "/Tmp/Cache"),
                Spec::new("gha").with("scope", "A,b"),
            ],
        );
        assert!(parse("cache-to", "mode=max").is_err());
    }
}
