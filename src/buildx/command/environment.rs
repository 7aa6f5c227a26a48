//! The environment of the child, from an allow-list.

use std::path::Path;

use crate::plan::build::BuildRequest;
use crate::proxy;
use crate::vars::Vars;

/// Variables that are passed to buildx; all others, tokens in particular, are not.
const ALLOWED: &[&str] = &[
    "ALL_PROXY",
    "BUILDKIT_HOST",
    "BUILDX_BUILDER",
    "DOCKER_API_VERSION",
    "DOCKER_CERT_PATH",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "KUBECONFIG",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "NO_PROXY",
    "PATH",
    "SSH_AUTH_SOCK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// URL and token of the cache of GitHub Actions, for a build that uses it.
const GITHUB_CACHE: &[&str] = &[
    "ACTIONS_CACHE_URL",
    "ACTIONS_RESULTS_URL",
    "ACTIONS_RUNTIME_TOKEN",
];

/// Selects version 2 of the cache protocol.
const SECOND_PROTOCOL: &str = "ACTIONS_CACHE_SERVICE_V2";

/// Credentials of a bucket, for a build whose cache is in one.
const S3_CACHE: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// Settings of buildx that override the environment of the user: no build arguments or event
/// payload in the metadata file, no attestations unless asked for, no call of `git`.
const FIXED: &[(&str, &str)] = &[
    ("BUILDX_METADATA_PROVENANCE", "disabled"),
    ("BUILDX_NO_DEFAULT_ATTESTATIONS", "1"),
    ("BUILDX_GIT_INFO", "false"),
];

/// The environment of every child.
pub(crate) fn common_environment(
    vars: &Vars,
    docker_config: &Path,
    buildx_config: &Path,
) -> Vec<(String, String)> {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let allowed = vars
        .iter()
        .filter(|(name, _)| ALLOWED.contains(name))
        .map(own);
    let fixed = FIXED.iter().copied().map(own);
    let directories = [
        ("DOCKER_CONFIG", docker_config),
        ("BUILDX_CONFIG", buildx_config),
    ];
    let directories = directories.map(|(name, path)| (name.to_owned(), path.display().to_string()));
    let exceptions = proxy::exceptions(vars);
    let is_other = |(name, _): &(String, String)| exceptions.iter().all(|(own, _)| own != name);
    let others: Vec<_> = allowed.filter(is_other).chain(fixed).collect();
    others
        .into_iter()
        .chain(directories)
        .chain(exceptions)
        .collect()
}

/// The additional environment of a build: the credentials of its caches, and its clock.
pub(crate) fn build_environment(request: &BuildRequest, vars: &Vars) -> Vec<(String, String)> {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let keys = request.parameters.cache_keys.iter();
    let keys = keys.map(|key| (key.variable.to_owned(), key.value.expose().to_owned()));
    let keys: Vec<(String, String)> = keys.collect();
    // A key of the input is the whole identity: no part of another one goes with it.
    let is_replaced = |name: &str| {
        let same =
            |(key, _): &(String, String)| key == name || (is_identity(key) && is_identity(name));
        keys.iter().any(same)
    };
    let may_see = |name: &str| {
        ((GITHUB_CACHE.contains(&name) && request.has_cache("gha"))
            || (S3_CACHE.contains(&name) && request.has_cache("s3")))
            && !is_replaced(name)
    };
    let caches = vars.iter().filter(|(name, _)| may_see(name)).map(own);
    let caches: Vec<(String, String)> = caches.chain(keys.clone()).collect();
    let protocol = second_protocol(request, vars).map(|value| own((SECOND_PROTOCOL, value)));
    let clock = clock(request, vars).map(|seconds| ("SOURCE_DATE_EPOCH".to_owned(), seconds));
    caches.into_iter().chain(protocol).chain(clock).collect()
}

/// Whether a variable is part of an AWS identity.
fn is_identity(name: &str) -> bool {
    S3_CACHE.contains(&name) && !name.ends_with("REGION")
}

/// buildx itself asks for the bearers that BuildKit shows. `SSL_CERT_DIR` adds to the system's bundle, where
/// `SSL_CERT_FILE` would replace it (<https://pkg.go.dev/crypto/x509#SystemCertPool>).
pub(crate) fn trusting(vars: &Vars, ca_directory: &Path) -> (String, String) {
    let system = vars.get("SSL_CERT_DIR");
    let system = system.unwrap_or("/etc/ssl/certs:/etc/pki/tls/certs");
    let directories = format!("{system}:{}", ca_directory.display());
    ("SSL_CERT_DIR".to_owned(), directories)
}

/// The commit's time for a reproducible build, else the value of the environment.
fn clock(request: &BuildRequest, vars: &Vars) -> Option<String> {
    let commit = request.timestamp.map(|time| time.timestamp().to_string());
    commit.or_else(|| vars.get("SOURCE_DATE_EPOCH").map(str::to_owned))
}

/// The runner tells actions in JavaScript that GitHub's cache speaks the second protocol, and actions in
/// containers not, so buildx takes the first, which GitHub has shut off. act and GitHub Enterprise Server
/// speak the first.
pub(crate) fn second_protocol<'a>(request: &BuildRequest, vars: &'a Vars) -> Option<&'a str> {
    if !request.has_cache("gha") {
        return None;
    }
    let server = vars
        .get("GITHUB_SERVER_URL")
        .unwrap_or("https://github.com");
    let host = server.trim_end_matches('/').rsplit('/').next();
    let is_github = host.is_some_and(|host| host == "github.com" || host.ends_with(".ghe.com"));
    let is_known = is_github && !vars.is_true("ACT");
    vars.get(SECOND_PROTOCOL).or(is_known.then_some("true"))
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use expect_test::{Expect, expect};

    use super::super::tests::bare_request;
    use super::*;
    use crate::inputs::spec::Spec;

    const RUNNER: &[(&str, &str)] = &[
        ("PATH", "/bin"),
        ("GITHUB_TOKEN", "t"),
        ("INPUT_PASSWORD", "p"),
        ("ACTIONS_RUNTIME_TOKEN", "r"),
        ("ACTIONS_RESULTS_URL", "https://results"),
        ("ACTIONS_CACHE_URL", "https://cache"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "i"),
        ("AWS_SECRET_ACCESS_KEY", "k"),
        ("DOCKER_AUTH_CONFIG", "x"),
        ("SOURCE_DATE_EPOCH", "17"),
    ];

    fn shown(request: &BuildRequest, variables: &[(&str, &str)]) -> String {
        let vars = Vars::of(&[RUNNER, variables].concat());
        let mut environment =
            common_environment(&vars, Path::new("/run/x"), Path::new("/run/x/buildx"));
        environment.extend(build_environment(request, &vars));
        let lines = environment
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn cached_by(kind: &str) -> BuildRequest {
        BuildRequest {
            cache_to: vec![Spec::new(kind)],
            ..bare_request()
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a snapshot is written where it is used"
    )]
    #[track_caller]
    fn check(request: &BuildRequest, expected: Expect) {
        expected.assert_eq(&shown(request, &[]));
    }

    #[test]
    fn child_environment_is_the_allow_list() {
        check(
            &bare_request(),
            expect![[r#"
                PATH=/bin
                BUILDX_METADATA_PROVENANCE=disabled
                BUILDX_NO_DEFAULT_ATTESTATIONS=1
                BUILDX_GIT_INFO=false
                DOCKER_CONFIG=/run/x
                BUILDX_CONFIG=/run/x/buildx
                SOURCE_DATE_EPOCH=17"#]],
        );
    }

    #[test]
    fn cache_adds_its_variables_to_the_allow_list() {
        check(
            &cached_by("gha"),
            expect![[r#"
                PATH=/bin
                BUILDX_METADATA_PROVENANCE=disabled
                BUILDX_NO_DEFAULT_ATTESTATIONS=1
                BUILDX_GIT_INFO=false
                DOCKER_CONFIG=/run/x
                BUILDX_CONFIG=/run/x/buildx
                ACTIONS_CACHE_URL=https://cache
                ACTIONS_RESULTS_URL=https://results
                ACTIONS_RUNTIME_TOKEN=r
                ACTIONS_CACHE_SERVICE_V2=true
                SOURCE_DATE_EPOCH=17"#]],
        );
        assert!(shown(&cached_by("s3"), &[]).contains("AWS_SECRET_ACCESS_KEY=k"));
    }

    #[test]
    fn the_protocol_of_the_cache_follows_the_server() {
        #[track_caller]
        fn speaks(variables: &[(&str, &str)], expected: Option<&str>) {
            let text = shown(&cached_by("gha"), variables);
            let said = text
                .lines()
                .find_map(|line| line.strip_prefix("ACTIONS_CACHE_SERVICE_V2="));
            assert_eq!(said, expected);
        }
        speaks(
            &[("GITHUB_SERVER_URL", "https://acme.ghe.com")],
            Some("true"),
        );
        speaks(&[("GITHUB_SERVER_URL", "https://git.example.com")], None);
        speaks(&[("ACT", "true")], None);
        speaks(&[("ACTIONS_CACHE_SERVICE_V2", "false")], Some("false"));
    }

    #[test]
    fn a_reproducible_build_has_the_time_of_its_commit() {
        let request = BuildRequest {
            timestamp: DateTime::from_timestamp(1_000, 0),
            ..bare_request()
        };
        assert!(shown(&request, &[]).contains("SOURCE_DATE_EPOCH=1000"));
    }
}
