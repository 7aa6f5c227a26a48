//! The environment that reaches the child: the allow-list and what the build needs, whatever somebody sets.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::prop_assert_eq;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use tokio::runtime::Runtime;

use crate::buildx::command::environment::*;
use crate::buildx::command::properties::request;
use crate::child;
use testkit::{proof, proof::Proof};

/// Names somebody may set who wants the child to see more, or to do something else.
const SET: &[&str] = &[
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "BASH_ENV",
    "BUILDKIT_PROGRESS",
    "BUILDKIT_SYNTAX",
    "BUILDX_BAKE_FILE",
    "BUILDX_EXPERIMENTAL",
    "DOCKER_AUTH_CONFIG",
    "DOCKER_BUILDKIT",
    "DOCKER_CLI_PLUGIN_EXTRA_DIRS",
    "DOCKER_DEFAULT_PLATFORM",
    "GH_TOKEN",
    "GITHUB_ENV",
    "GITHUB_EVENT_PATH",
    "GITHUB_OUTPUT",
    "GITHUB_TOKEN",
    "GIT_ASKPASS",
    "GODEBUG",
    "INPUT_PASSWORD",
    "LD_PRELOAD",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "PATH ",
    "path",
];

/// Why the child must not see a variable of this name. The allow-list knows names; this knows kinds, so that
/// a longer list is judged too.
fn is_unfit(name: &str, cache: &str) -> Option<&'static str> {
    let upper = name.to_uppercase();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| upper.starts_with(prefix));
    let holds = |parts: &[&str]| parts.iter().any(|part| upper.contains(part));
    let opens_cache = (cache.contains("gha") && starts(&["ACTIONS_R", "ACTIONS_CACHE_"]))
        || (cache.contains("s3") && starts(&["AWS_"]));
    let names_builder = ["BUILDX_BUILDER", "BUILDKIT_HOST"].contains(&name);
    if opens_cache || names_builder {
        return None;
    }
    let kinds = [
        (
            holds(&["TOKEN", "PASSWORD", "SECRET", "_KEY", "AUTH_CONFIG"]),
            "a secret",
        ),
        (
            starts(&["ACTIONS_", "GITHUB_", "GH_", "INPUT_", "RUNNER_"]),
            "the runner's",
        ),
        (starts(&["AWS_", "AZURE_", "GOOGLE_"]), "a cloud's"),
        (
            starts(&["BASH_", "GIT_", "GO", "LD_", "OTEL_"]),
            "changes what programs do",
        ),
        (starts(&["BUILDKIT_", "BUILDX_"]), "a setting of buildx"),
        (
            starts(&["DOCKER_BUILDKIT", "DOCKER_CLI_", "DOCKER_DEFAULT_"]),
            "a setting of docker",
        ),
        (starts(&["CARGO", "RUST"]), "inherited from the test"),
    ];
    kinds
        .iter()
        .find(|(is_kind, _)| *is_kind)
        .map(|(_, kind)| *kind)
}

/// What a program sees that is started as buildx is.
fn seen(runtime: &Runtime, environment: Vec<(String, String)>) -> BTreeMap<String, String> {
    let env = child::command(
        Path::new("/usr/bin/env"),
        &["-0".to_owned()],
        environment,
        Path::new("/"),
    );
    let output = runtime.block_on(async { { env }.output().await }).unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text
        .split_terminator('\0')
        .map(|line| line.split_once('=').unwrap());
    lines
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A name somebody may set: on the list, near it, hostile, or any other.
fn variable_name() -> impl Strategy<Value = String> {
    let listed = [ALLOWED, GITHUB_CACHE, S3_CACHE].concat();
    let near = (
        select(listed.clone()),
        select(vec!["_FILE", "_", "2", "_TOKEN"]),
    );
    let near = near.prop_map(|(name, more)| format!("{name}{more}"));
    let own = |names: Vec<&'static str>| select(names).prop_map(str::to_owned);
    prop_oneof![4 => own(listed), 4 => own(SET.to_vec()), 1 => near, 1 => "[A-Za-z_][A-Za-z0-9_]{0,12}"]
}

#[test]
fn child_environment_is_the_allow_list_for_any_input() {
    let mut proof = Proof::of("child: its environment is exactly the allow-list");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let value = any::<String>().prop_map(|value| value.replace('\0', ""));
    let variables = vec((variable_name(), value), 0..20);
    let caches = select(vec!["", "type=gha", "type=s3,bucket=b,region=r"]);
    // Each starts a program.
    let cases = (proof::cases() / 10).max(25);
    proof.property(cases, &(variables, caches), |(variables, cache)| {
        let pairs: Vec<(&str, &str)> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let vars = Vars::of(&pairs);
        let request = request(&[("cache-from", cache.to_owned())], "").unwrap();
        let own = Path::new("/run/ours");
        let mut environment = common_environment(&vars, own, own);
        environment.extend(build_environment(&request, &vars));
        let mut child = seen(&runtime, environment);
        for (name, value) in FIXED.iter().chain(&[
            ("DOCKER_CONFIG", "/run/ours"),
            ("BUILDX_CONFIG", "/run/ours"),
        ]) {
            let found = child.remove(*name);
            prop_assert_eq!(found.as_deref(), Some(*value));
        }
        child
            .remove("ACTIONS_CACHE_SERVICE_V2")
            .into_iter()
            .try_for_each(|_| match cache {
                "type=gha" => Ok(()),
                _ => Err(TestCaseError::fail("the protocol of no cache")),
            })?;
        for name in ["NO_PROXY", "no_proxy"] {
            let given = vars.get(name).unwrap_or_default();
            let is_extended = |seen: &String| {
                seen.starts_with(given) && seen.ends_with("localhost,127.0.0.1,::1")
            };
            if child.get(name).is_some_and(is_extended) {
                child.remove(name);
            }
        }
        let exceptions = proxy::exceptions(&vars);
        let is_kept = |name: &&&str| exceptions.iter().all(|(own, _)| own != *name);
        for name in ALLOWED.iter().filter(is_kept) {
            prop_assert_eq!(
                child.get(*name).map(String::as_str),
                vars.even_empty(name),
                "{}",
                name
            );
        }
        for (name, value) in &child {
            prop_assert_eq!(Some(value.as_str()), vars.even_empty(name), "{}", name);
            prop_assert_eq!(is_unfit(name, cache), None, "{}", name);
        }
        Ok(())
    });
    proof.end();
}
