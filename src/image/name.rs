//! `ImageName`: a registry and a repository in it, in the form every registry accepts.

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

use crate::error::Problem;

/// A registry host and a repository path, lowercase, for example `ghcr.io/acme/widget`.
///
/// Every component of the path matches `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
/// (<https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ImageName {
    registry: String,
    repository: String,
}

/// Registries refuse longer names: host and path together.
const MAX_LENGTH: usize = 255;

impl ImageName {
    /// Reads `[registry/]path`, lowercasing it; without a registry host the image is in
    /// `default_registry`. The first part is a host when it holds a `.` or a `:`, or is `localhost`
    /// (the rule of `docker pull`).
    pub(crate) fn parse(text: &str, default_registry: &str) -> Result<Self, Problem> {
        let lower = text.to_lowercase();
        let (registry, repository) = match lower.split_once('/') {
            Some((first, rest)) if is_host(first) => (first.to_owned(), rest.to_owned()),
            _ => (default_registry.to_lowercase(), lower),
        };
        let name = Self {
            registry,
            repository,
        };
        match name.violation() {
            None => Ok(name),
            Some(violation) => Err(Problem::new(
                format!("`{text}` is not a valid image name"),
                "write `images: <registry>/<owner>/<name>` with letters, digits and single `.`, `_` or `-` between them, for example `ghcr.io/acme/widget`",
            )
            .because(violation)),
        }
    }

    /// Whether `text` begins with a registry host.
    pub(crate) fn has_registry(text: &str) -> bool {
        let first = text.split_once('/');
        first.is_some_and(|(first, _)| is_host(first))
    }

    fn violation(&self) -> Option<String> {
        let Self {
            registry,
            repository,
        } = self;
        if !is_valid_host(registry) {
            return Some(format!("`{registry}` is not a registry host"));
        }
        if let Some((path, digest)) = repository.split_once('@') {
            return Some(format!(
                "it contains the digest `{digest}`; the name is `{registry}/{path}`"
            ));
        }
        if let Some((path, tag)) = repository.rsplit_once(':') {
            return Some(format!(
                "it contains the tag `{tag}`; the name is `{registry}/{path}`, and tags go to the input `tags`"
            ));
        }
        if registry == "ghcr.io" && !repository.contains('/') {
            return Some(format!(
                "`{repository}` has no owner, and every package of ghcr.io belongs to one"
            ));
        }
        if let Some(part) = repository.split('/').find(|part| !COMPONENT.is_match(part)) {
            return Some(format!(
                "the part `{part}` breaks the rule `{COMPONENT_RULE}`"
            ));
        }
        let length = registry.len() + 1 + repository.len();
        (length > MAX_LENGTH)
            .then(|| format!("it is {length} characters long, and {MAX_LENGTH} is the limit"))
    }

    /// The registry's host, with a port if it has one.
    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    /// The path in the registry, for example `acme/widget`.
    pub(crate) fn repository(&self) -> &str {
        &self.repository
    }
}

/// `name[:tag][@digest]` with the name in lowercase, and tag and digest as they are.
pub(crate) fn lowercase_reference(reference: &str) -> String {
    let path = reference.split('@').next().unwrap_or_default();
    let last = path.rfind('/').map_or(0, |slash| slash + 1);
    let name = path[last..]
        .find(':')
        .map_or(path.len(), |colon| last + colon);
    format!("{}{}", reference[..name].to_lowercase(), &reference[name..])
}

/// Whether the first part of a reference is a registry host, by the rule of [`ImageName::parse`].
pub(crate) fn starts_with_host(reference: &str) -> bool {
    let parts = reference.split_once('/');
    parts.is_some_and(|(first, _)| is_host(&first.to_lowercase()))
}

fn is_host(text: &str) -> bool {
    text.contains(['.', ':']) || text == "localhost"
}

/// `domain` of the [reference grammar](https://github.com/distribution/reference/blob/v0.6.0/regexp.go).
static DOMAIN: LazyLock<Regex> = LazyLock::new(|| {
    let label = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?";
    let host = format!(r"{label}(?:\.{label})*|\[[A-Fa-f0-9:]+\]");
    Regex::new(&format!("^(?:{host})(?::([0-9]+))?$")).expect("the grammar compiles")
});

/// `path-component` of the reference grammar.
static COMPONENT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!("^{COMPONENT_RULE}$")).expect("the grammar compiles"));
const COMPONENT_RULE: &str = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*";

fn is_valid_host(text: &str) -> bool {
    DOMAIN.captures(text).is_some_and(|host| {
        let port = host.get(1);
        port.is_none_or(|port| port.as_str().parse::<u16>().is_ok())
    })
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(
            ImageName::parse(text, "ghcr.io").unwrap().to_string(),
            expected
        );
    }

    #[track_caller]
    fn refused(text: &str, cause: &str) {
        let problem = ImageName::parse(text, "ghcr.io").unwrap_err();
        let explanation = Explanation::of(&problem.into());
        assert_eq!(explanation.because, [cause], "for `{text}`");
    }

    #[test]
    fn names_are_lowercased() {
        check("ghcr.io/OctoOrg/Tools.rs", "ghcr.io/octoorg/tools.rs");
        check("GHCR.io/Acme/Widget", "ghcr.io/acme/widget");
    }

    #[test]
    fn a_name_without_a_host_gets_the_default_registry() {
        check("acme/widget", "ghcr.io/acme/widget");
        check("localhost/widget", "localhost/widget");
        check("localhost:5000/acme/widget", "localhost:5000/acme/widget");
        check("[::1]:5000/widget", "[::1]:5000/widget");
    }

    #[test]
    fn a_tag_and_a_digest_keep_their_case() {
        for (reference, expected) in [
            ("GHCR.io/Acme/X:Main", "ghcr.io/acme/x:Main"),
            ("Localhost:5000/A@sha256:AB", "localhost:5000/a@sha256:AB"),
            ("A:T@sha256:AB", "a:T@sha256:AB"),
            ("A", "a"),
        ] {
            assert_eq!(lowercase_reference(reference), expected);
        }
    }

    #[test]
    fn interior_separators_are_legal() {
        check("ghcr.io/a--b/c__d.e/f", "ghcr.io/a--b/c__d.e/f");
    }

    #[test]
    fn invalid_image_name_is_refused_with_the_reason() {
        let rule = |part| {
            format!("the part `{part}` breaks the rule `[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*`")
        };
        refused("ghcr.io/acme/.github", &rule(".github"));
        refused("ghcr.io//x", &rule(""));
        refused("ghcr.io/acme-/x", &rule("acme-"));
        refused("ghcr.io/acme/a___b", &rule("a___b"));
        refused(
            "ghcr.io/image",
            "`image` has no owner, and every package of ghcr.io belongs to one",
        );
        refused(
            "ghcr.io/acme/x:1",
            "it contains the tag `1`; the name is `ghcr.io/acme/x`, and tags go to the input `tags`",
        );
        refused("gh_cr.io/acme/x", "`gh_cr.io` is not a registry host");
        refused("[]:80/x", "`[]:80` is not a registry host");
        refused("a.b:+80/x", "`a.b:+80` is not a registry host");
        refused("a-.b/x", "`a-.b` is not a registry host");
        refused(
            "localhost:99999/x",
            "`localhost:99999` is not a registry host",
        );
    }
}
