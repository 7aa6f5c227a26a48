//! What a run shows to somebody who looks for a fault: with `RUNNER_DEBUG=1` in Actions, with `-v` on a laptop.

use ghcr_double::{Double, Endpoint, Fault, Repository};

use crate::publication::{NAME, registry};
use crate::support::{Action, Run, TOKEN};

fn empty_double() -> Double {
    let repository = Repository::new("acme/Widget");
    registry().repository(repository).start().unwrap()
}

/// A double that holds the image which `buildx` claims to push.
fn double() -> (Double, String) {
    let double = empty_double();
    let source = (
        "org.opencontainers.image.source",
        "https://github.com/acme/Widget",
    );
    let digest = double.put_image(NAME, "v1.2.3", &[source]);
    (double, digest)
}

/// A publication that asks the registry, its token endpoint and the API.
fn publish(double: &Double, digest: &str) -> Action {
    Action::publishing("push_tag", double)
        .buildx_pushes(digest)
        .input("fixed-tags", "replace")
        .input("build-args", "NPM_TOKEN=hunter2")
        .input("secrets", "npm=hunter2")
        .without("GITHUB_EVENT_PATH")
}

fn succeeded(action: Action) -> Run {
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run
}

/// The lines of a log that begin with `prefix`, without it.
fn lines<'a>(log: &'a str, prefix: &str) -> Vec<&'a str> {
    log.lines()
        .filter_map(|line| line.strip_prefix(prefix))
        .collect()
}

/// Method, path and status of each exchange with the double, and its attempt.
fn exchanges(lines: &[&str], double: &Double) -> Vec<String> {
    let host = format!("http://{}", double.host());
    let shown = lines.iter().filter_map(|line| {
        let (method, rest) = line.split_once(' ')?;
        let (url, rest) = rest.strip_prefix(&host)?.split_once(" (")?;
        let (_time, rest) = rest.split_once(" ms, attempt ")?;
        let (attempt, outcome) = rest.split_once("): ")?;
        let status = outcome.split(',').next()?;
        let id = outcome.split_once("request id ").map(|(_, id)| id);
        assert!(id.is_none_or(|id| id.starts_with("D0:")), "{line}");
        let path = url.split('?').next()?.replace("%25", "%");
        Some(format!("{method} {path} {status} {attempt}"))
    });
    shown.collect()
}

/// The requests that the double saw, each a first attempt. A redirect and the request it leads to are one exchange.
fn requests(double: &Double) -> Vec<String> {
    let seen = double.requests().into_iter();
    let seen = seen.filter(|seen| !seen.path.starts_with("/storage/"));
    let seen = seen.map(|seen| {
        let status = match seen.status {
            Some(307) => 200,
            status => status.unwrap_or_default(),
        };
        format!("{} {} {status} 1", seen.method, seen.path)
    });
    seen.collect()
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[test]
fn debug_lines_show_exchanges_and_programs_without_secrets() {
    let (double, digest) = double();
    let run = succeeded(publish(&double, &digest).env("RUNNER_DEBUG", "1"));
    let debug = lines(&run.stdout, "::debug::");
    assert_eq!(
        sorted(exchanges(&debug, &double)),
        sorted(requests(&double))
    );
    let redirected = debug.iter().filter(|line| {
        line.contains(", redirected to http://localhost:") && line.ends_with("?se=***&sig=***")
    });
    assert_eq!(redirected.count(), 1, "{debug:#?}");
    let endpoints = double.requests();
    for endpoint in [Endpoint::Api, Endpoint::Token, Endpoint::TagPut] {
        assert!(
            endpoints.iter().any(|seen| seen.endpoint == endpoint),
            "{endpoint:?}"
        );
    }
    let built = debug
        .iter()
        .filter(|line| line.contains("/buildx build --progress=rawjson "));
    let built: Vec<&&str> = built.collect();
    let [built] = built[..] else {
        panic!("{debug:#?}")
    };
    assert!(built.starts_with("starting /"), "{built}");
    assert!(built.contains(" --build-arg=NPM_TOKEN=*** "), "{built}");
    for secret in lines(&run.stdout, "::add-mask::")
        .into_iter()
        .chain(["hunter2", "of-the-double"])
    {
        assert!(
            debug.iter().all(|line| !line.contains(secret)),
            "{debug:#?}"
        );
    }
}

#[test]
fn debug_lines_number_the_attempts_and_say_why_one_failed() {
    let (double, digest) = double();
    let read = Fault::on(Endpoint::ManifestRead).path("/manifests/sha256:");
    double.script(read.answer(503));
    double.script(Fault::on(Endpoint::Api).reset());
    let run = succeeded(publish(&double, &digest).env("RUNNER_DEBUG", "1"));
    let debug = lines(&run.stdout, "::debug::");
    let exchanges = exchanges(&debug, &double);
    let refused = exchanges
        .iter()
        .find_map(|line| line.strip_suffix(" 503 1"));
    let again = format!("{} 200 2", refused.expect("the 503 is shown"));
    assert!(exchanges.contains(&again), "{exchanges:#?}");
    let lost = debug
        .iter()
        .filter(|line| line.contains("): no response: "));
    let lost: Vec<&&str> = lost.collect();
    let [lost] = lost[..] else {
        panic!("{debug:#?}")
    };
    assert!(lost.contains("/repos/acme/Widget "), "{lost}");
    assert_eq!(exchanges.len(), requests(&double).len());
}

#[test]
fn debug_lines_are_off_by_default() {
    let (double, digest) = double();
    for debug in ["", "0", "true"] {
        let run = succeeded(publish(&double, &digest).env("RUNNER_DEBUG", debug));
        let log = format!("{}{}", run.stdout, run.stderr);
        assert!(!log.contains("::debug::") && !log.contains("/v2/"), "{log}");
    }
}

#[test]
fn verbose_flag_prints_debug_lines_to_stderr() {
    for (flag, in_actions) in [("-v", false), ("--verbose", false), ("-v", true)] {
        let (double, digest) = double();
        let mut action = publish(&double, &digest);
        if !in_actions {
            action = action.without("GITHUB_ACTIONS");
        }
        let run = succeeded(action.arguments(&["publish", flag]));
        let debug = lines(&run.stderr, "debug: ");
        assert_eq!(
            sorted(exchanges(&debug, &double)),
            sorted(requests(&double))
        );
        assert!(debug.iter().any(|line| line.starts_with("starting /")));
        assert!(!run.stdout.contains("debug"), "{}", run.stdout);
    }
    let (double, digest) = double();
    let action = publish(&double, &digest).without("GITHUB_ACTIONS");
    let run = succeeded(action.arguments(&["publish"]));
    assert!(!run.stderr.contains("debug: "), "{}", run.stderr);
}

#[test]
fn debug_lines_show_the_requests_of_a_copy() {
    let ((source, digest), target) = (double(), empty_double());
    let login = format!(
        "- {{registry: '{}', username: octocat, password: {TOKEN}}}",
        source.host()
    );
    let action = publish(&target, &digest)
        .input("candidate", format!("{}/acme/widget:v1.2.3", source.host()))
        .input("registry-auth", login)
        .env("RUNNER_DEBUG", "1");
    let run = succeeded(action);
    let debug = lines(&run.stdout, "::debug::");
    for double in [&source, &target] {
        assert_eq!(sorted(exchanges(&debug, double)), sorted(requests(double)));
    }
    assert!(target.count(Endpoint::BlobPut) > 0, "{debug:#?}");
}

#[test]
fn debug_lines_show_each_decision_about_a_floating_tag() {
    let (double, digest) = double();
    let run = succeeded(publish(&double, &digest).env("RUNNER_DEBUG", "1"));
    let debug = lines(&run.stdout, "::debug::");
    let decision = format!(
        "tag {}/{NAME}:latest shows no image; our image compared with it: Newer",
        double.host()
    );
    assert!(debug.contains(&decision.as_str()), "{debug:#?}");
}

#[test]
fn environment_of_the_build_is_shown_before_it() {
    let (double, digest) = double();
    let run = succeeded(publish(&double, &digest));
    let (_, group) = run.stdout.split_once("::group::Environment\n").unwrap();
    let (group, _) = group.split_once("\n::endgroup::\n").unwrap();
    let facts: Vec<(&str, &str)> = group
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, value)| (name, value.trim()))
        .collect();
    let version = concat!("ghcr-publish ", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        facts[..3],
        [
            ("program", version),
            ("buildx", "github.com/docker/buildx v0.29.1 a32761a"),
            ("builder", "the default of buildx"),
        ]
    );
    let (name, command) = facts[3];
    assert_eq!((name, facts.len()), ("command", 4));
    assert!(
        command.contains("/buildx build --progress=rawjson "),
        "{command}"
    );
    assert!(!command.contains("hunter2"), "{command}");
    let laptop = publish(&double, &digest).without("GITHUB_ACTIONS");
    let laptop = succeeded(laptop.arguments(&["publish"]));
    assert!(!laptop.stdout.contains("Environment"), "{}", laptop.stdout);
}
