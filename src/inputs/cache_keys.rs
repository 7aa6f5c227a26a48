//! `CacheKey`: what opens a cache, taken out of `cache-from` and `cache-to`.
//!
//! Every process of the machine can read buildx's command line, and only its owner the environment. buildx
//! takes keys from there too: those of S3 as the AWS tools do, the token of GitHub's cache as the runner gives
//! it (<https://github.com/docker/buildx/blob/v0.29.1/util/buildflags/cache.go>).

use crate::error::{InputError, Problem};
use crate::inputs::spec::Spec;
use crate::secret::Secret;

/// A variable for the child that builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CacheKey {
    pub(crate) variable: &'static str,
    pub(crate) value: Secret,
}

impl CacheKey {
    /// What nobody may see; an access key is only a name.
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
pub(super) fn taken(caches: &mut [Spec]) -> Result<Vec<CacheKey>, Problem> {
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
        "buildx takes it on its command line only, which every process of the machine can read",
        "leave it out, and let the builder be one with an identity in Azure of its own; or keep the cache elsewhere",
    );
    Problem::new(
        "a cache of the type `azblob` has a `secret_access_key`",
        fix,
    )
    .because(because)
}

fn two(kind: &str, attribute: &str) -> Problem {
    Problem::new(
        format!("two caches of the type `{kind}` have a different `{attribute}`"),
        "keep one of them, or build in two steps",
    )
    .because("buildx is given it in its environment, where there is room for one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_leave_the_spec_and_may_stand_in_several() {
        let cache = Spec::new("s3").with("bucket", "b");
        let open = cache.clone().with("Secret_Access_Key", "k");
        let mut caches = [open.clone(), open, Spec::new("gha").with("scope", "x")];
        let keys = taken(&mut caches).unwrap();
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
        let problem = taken(&mut [cache("a"), cache("b")]).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "two caches of the type `gha` have a different `token`"
        );
    }
}
