//! What goes through a proxy of the environment, and what never does.

use crate::properties::recorder::Recorder;
use crate::publication::PUSHED;
use crate::publication::registry_with_image;
use crate::support::{Action, TOKEN};

/// Every spelling of a variable that names a proxy.
const PROXIES: &[&str] = &[
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];

fn behind(action: Action, variables: &[&str], proxy: &Recorder) -> Action {
    let address = format!("http://{}", proxy.host());
    variables
        .iter()
        .fold(action, |action, name| action.env(name, &address))
}

#[test]
fn this_machine_is_never_reached_through_a_proxy() {
    for variables in [&PROXIES[..2], &PROXIES[2..4], &PROXIES[4..], PROXIES] {
        let (double, digest) = registry_with_image(PUSHED);
        let proxy = Recorder::start("127.0.0.2");
        let action = Action::new().event("push_tag").buildx_pushes(&digest);
        let action = action
            .input("github-token", TOKEN)
            .input("registry", double.host())
            .env("GITHUB_API_URL", double.api_url())
            .env("NO_PROXY", "example.com")
            .without("GITHUB_EVENT_PATH");
        let run = behind(action, variables, &proxy).run();
        assert_eq!(proxy.seen(), "");
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        let environment = run.noted("environment");
        let exceptions = "\nNO_PROXY=example.com,localhost,127.0.0.1,::1\n";
        assert!(environment.contains(exceptions), "{environment}");
    }
}

/// A proxy for others is still used.
#[test]
fn other_hosts_are_reached_through_the_proxy() {
    for variables in [
        &PROXIES[2..3],
        &PROXIES[3..4],
        &PROXIES[4..5],
        &PROXIES[5..],
    ] {
        let proxy = Recorder::start("127.0.0.2");
        let action = Action::new()
            .event("push_tag")
            .input("github-token", TOKEN)
            .input("registry", "registry.invalid")
            .input("password", "hunter2")
            .arguments(&["check"]);
        let run = behind(action, variables, &proxy).run();
        let seen = proxy.seen();
        assert!(
            seen.starts_with("CONNECT registry.invalid:443 "),
            "{seen}{}{}",
            run.stdout,
            run.stderr
        );
    }
}

#[test]
fn what_is_excepted_is_reached_without_the_proxy() {
    for registry in ["registry.invalid", "localhost:1", "127.8.0.1:1", "[::1]:1"] {
        let proxy = Recorder::start("127.0.0.2");
        let action = Action::new()
            .event("push_tag")
            .input("registry", registry)
            .input("password", "hunter2")
            .env("no_proxy", ".invalid")
            .arguments(&["check"]);
        // A registry with a login is waited for.
        let started = behind(action, PROXIES, &proxy).start();
        let run = started.says("; retry 1 in ").stop_with("-TERM");
        assert_eq!(proxy.seen(), "", "{registry}");
        assert!(!run.succeeded, "{}", run.stdout);
    }
}
