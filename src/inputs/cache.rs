//! The inputs `cache`, `cache-from` and `cache-to`, and the keys of their caches.

use crate::error::{InputError, Problem};
use crate::inputs::list::Entry;
use crate::inputs::spec::Spec;
use crate::inputs::{expressions, list};
use crate::secret::Secret;

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
        if expressions::outside(entry.text()).contains('=') {
            specs.push(Spec::parse(&entry)?);
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
    let spec = |reference: String| Spec::new("registry").with("ref", &reference);
    Ok(references.map(spec).collect())
}

/// A credential of a cache, taken out of `cache-from` and `cache-to`; a variable of the child that builds.
///
/// Every process of the machine can read buildx's command line, and only its owner the environment. buildx reads
/// these variables: those of S3 as the AWS tools do, the token of GitHub's cache as the runner sets it
/// (<https://github.com/docker/buildx/blob/v0.29.1/util/buildflags/cache.go>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CacheKey {
    pub(crate) variable: &'static str,
    pub(crate) value: Secret,
}

impl CacheKey {
    /// The value, if it is secret; an access key id is not.
    pub(super) fn secret(&self) -> Option<&Secret> {
        (self.variable != "AWS_ACCESS_KEY_ID").then_some(&self.value)
    }
}

/// Type of the cache, attribute, variable.
const KEYS: &[(&str, &str, &str)] = &[
    ("gha", "token", "ACTIONS_RUNTIME_TOKEN"),
    ("s3", "access_key_id", "AWS_ACCESS_KEY_ID"),
    ("s3", "secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    ("s3", "session_token", "AWS_SESSION_TOKEN"),
];

/// Takes the keys out of `caches`. There is one environment, so two caches cannot have different keys.
pub(super) fn take_keys(caches: &mut [Spec]) -> Result<Vec<CacheKey>, Problem> {
    let mut keys: Vec<CacheKey> = Vec::new();
    for cache in caches {
        if cache.kind() == "azblob" && cache.get("secret_access_key").is_some() {
            return Err(azure());
        }
        for (kind, attribute, variable) in KEYS {
            if cache.kind() != *kind {
                continue;
            }
            let Some(value) = cache.take(attribute).and_then(|text| Secret::new(&text)) else {
                continue;
            };
            match keys.iter().find(|key| key.variable == *variable) {
                Some(other) if other.value != value => return Err(two(kind, attribute)),
                Some(_) => {}
                None => keys.push(CacheKey { variable, value }),
            }
        }
    }
    Ok(keys)
}

fn azure() -> Problem {
    let InputError { because, fix } = InputError::new(
        "buildx accepts it only on its command line, which every process on the machine can read",
        "remove it, and use a builder that has its own Azure identity, or another type of cache",
    );
    Problem::new(
        "a cache of the type `azblob` has a `secret_access_key`",
        fix,
    )
    .because(because)
}

fn two(kind: &str, attribute: &str) -> Problem {
    Problem::new(
        format!("two caches of the type `{kind}` have different values of `{attribute}`"),
        "remove one of them, or build in two steps",
    )
    .because("buildx reads it from an environment variable, which holds one value")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;

    #[test]
    fn error_shows_no_key() {
        for end in [",bad", ",bad hunter2", ",region=b", ",\"x", ",a\"b"] {
            let text = format!("type=s3,region=a,secret_access_key=hunter2{end}");
            let problem = parse("cache-to", &text).unwrap_err();
            let shown = Explanation::of(&problem.into()).to_string();
            assert!(shown.contains("`cache-to`, line 1"), "{shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &[Spec]) {
        assert_eq!(parse("cache-from", text).unwrap(), expected);
    }

    #[test]
    fn bare_references_are_caches_in_a_registry() {
        let registry = |reference: &str| Spec::new("registry").with("ref", reference);
        check(
            "ghcr.io/acme/x:Main, user/app\nlocalhost:5000/a:{{date 'YYYY' tz='UTC'}}",
            &[
                registry("ghcr.io/acme/x:Main"),
                registry("user/app"),
                registry("localhost:5000/a:{{date 'YYYY' tz='UTC'}}"),
            ],
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

    #[test]
    fn cache_keys_are_removed_from_every_spec() {
        let cache = Spec::new("s3").with("bucket", "b");
        let open = cache.clone().with("Secret_Access_Key", "k");
        let mut caches = [open.clone(), open, Spec::new("gha").with("scope", "x")];
        let keys = take_keys(&mut caches).unwrap();
        let expected = CacheKey {
            variable: "AWS_SECRET_ACCESS_KEY",
            value: Secret::new("k").unwrap(),
        };
        assert_eq!(keys, [expected]);
        assert_eq!(caches[..2], [cache.clone(), cache]);
    }

    #[test]
    fn two_keys_for_one_variable_are_refused() {
        let cache = |token| Spec::new("gha").with("token", token);
        let problem = take_keys(&mut [cache("a"), cache("b")]).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "two caches of the type `gha` have different values of `token`"
        );
    }
}
