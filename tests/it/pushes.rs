//! Pushes: asked for first, tried again while that helps, and to several registries.

mod preflight;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use expect_test::expect;
use ghcr_double::{Account, Denial, Double, Endpoint, Fault, Package};

use crate::publication::PUSHED;
use crate::publication::{empty_registry, registry};
use crate::support::Action;

fn double() -> (Double, String) {
    let double = empty_registry()
        .token("quay-password", Account::classic("acme"))
        .package("acme/widget", Package::of("acme/Widget"))
        .start()
        .unwrap();
    let digest = double.put_image("acme/widget", PUSHED, &[]);
    (double, digest)
}

fn publication(double: &Double) -> Action {
    Action::publishing("push_tag", double)
}

/// A `buildx` whose first pushes fail with these words, and that then pushes.
fn failing_at_first(digest: &str, causes: &[&str]) -> String {
    let mut script = "tries=$(cat \"$HOME/tries\" 2>/dev/null || echo 0)\necho $((tries + 1)) > \"$HOME/tries\"\ncp ../arguments \"$HOME/arguments-$tries\"\n".to_owned();
    for (number, cause) in causes.iter().enumerate() {
        let cause = cause.replace('"', "\\\"");
        let vertex =
            r#""digest":"sha256:1","name":"exporting to image","started":"2026-01-01T00:00:00Z""#;
        script += &format!(
            "if [ \"$tries\" = {number} ]; then cat >&2 <<'END'\n\
             {{\"vertexes\":[{{{vertex}}}]}}\n\
             {{\"statuses\":[{{\"id\":\"pushing layers\",\"vertex\":\"sha256:1\"}}]}}\n\
             {{\"vertexes\":[{{{vertex},\"completed\":\"2026-01-01T00:00:01Z\",\"error\":\"{cause}\"}}]}}\n\
             ERROR: failed to build: failed to solve: {cause}\nEND\nexit 1; fi\n"
        );
    }
    script + &format!("echo '{{\"containerimage.digest\":\"{digest}\"}}' > \"$metadata\"")
}

#[test]
fn failed_push_is_retried_from_cache() {
    let (double, digest) = double();
    let name = format!("{}/acme/widget", double.host());
    let causes = [
        format!(
            "failed to push {name}:v1.2.3: unexpected status from PUT request to http://{name}/manifests/v1.2.3: 502 Bad Gateway"
        ),
        format!(
            "failed to push {name}:v1.2.3: failed to do request: write: connection reset by peer"
        ),
    ];
    let script = failing_at_first(&digest, &causes.each_ref().map(String::as_str));
    let action = publication(&double)
        .buildx(&script)
        .input("no-cache", "true")
        .input("pull", "true");
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.noted("home/tries"), "3\n");
    let asks = |number: u32| {
        let arguments = run.noted(&format!("home/arguments-{number}"));
        (
            arguments.contains("--no-cache\n"),
            arguments.contains("--pull\n"),
        )
    };
    assert_eq!([asks(0), asks(1)], [(true, true), (false, false)]);
    run.assert_log("failed (502 Bad Gateway); retry 1 in ");
    run.assert_log(" s, giving up in 15 min\n");
}

#[test]
fn denied_push_is_not_retried_and_has_a_fix() {
    let (double, digest) = double();
    let cause = format!(
        "failed to push {}/acme/widget:v1.2.3: denied: permission_denied: write_package",
        double.host()
    );
    let run = publication(&double)
        .buildx(&failing_at_first(&digest, &[&cause]))
        .input("fixed-tags", "replace")
        .run();
    assert!(!run.succeeded);
    assert_eq!(run.noted("home/tries"), "1\n");
    expect![[r#"
        ::error title=ghcr-publish::cannot push `<registry>/acme/widget`: failed to push <registry>/acme/widget:v1.2.3: denied: permission_denied: write_package
          because: the package exists, and this repository has no write access to it
          fix: open https://github.com/orgs/acme/packages/container/widget/settings → Manage Actions access → add acme/Widget with role Write; if it is listed there, add `packages: write` to the job's `permissions:`
    "#]].assert_eq(&run.errors(double.host()));
}

#[test]
fn denial_without_reason_is_checked_against_registry() {
    let (double, digest) = double();
    let name = format!("{}/acme/widget", double.host());
    let cause = format!(
        "failed to push {name}:v1.2.3: unexpected status from HEAD request to http://{name}/blobs/x: 403 Forbidden"
    );
    let run = publication(&double)
        .buildx(&failing_at_first(&digest, &[&cause]))
        .run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    // The challenge, the preflight, and the question after the refusal.
    assert_eq!(double.count(Endpoint::BlobPost), 3);
    let probe = Fault::on(Endpoint::BlobPost).after(2);
    double.script(probe.deny(&Denial::WritePackage));
    double.clear_requests();
    let run = publication(&double)
        .buildx(&failing_at_first(&digest, &[&cause]))
        .input("fixed-tags", "replace")
        .run();
    assert!(!run.succeeded);
    assert_eq!(run.noted("home/tries"), "1\n");
}

#[test]
fn failing_push_ends_at_push_timeout() {
    let (double, digest) = double();
    let cause = format!(
        "failed to push {}/acme/widget:v1.2.3: 503 Service Unavailable",
        double.host()
    );
    let causes = [cause.as_str(); 40];
    let run = publication(&double)
        .buildx(&failing_at_first(&digest, &causes))
        .input("push-timeout", "1s")
        .run();
    assert!(!run.succeeded);
    let text = run.errors(double.host());
    assert!(
        text.contains("cannot push `<registry>/acme/widget`"),
        "{text}"
    );
    assert!(text.contains("503 Service Unavailable"), "{text}");
}

/// What comes of a push that always fails with this cause: the number of tries, and the error.
fn always_failing(double: &Double, digest: &str, cause: &str) -> (String, String) {
    let cause = format!(
        "failed to push {}/acme/widget:v1.2.3: {cause}",
        double.host()
    );
    let script = failing_at_first(digest, &[cause.as_str(); 5]);
    let run = publication(double).buildx(&script).run();
    assert!(!run.succeeded, "{}", run.stdout);
    (run.noted("home/tries"), run.errors(double.host()))
}

#[test]
fn registry_unreachable_from_builder_is_tried_three_times() {
    let (double, digest) = double();
    let head = |host: &str| format!("failed to do request: Head \"https://{host}/v2/\"");
    let (refused, unknown, plain) = (
        head("localhost:5000") + ": dial tcp 127.0.0.1:5000: connect: connection refused",
        head("registry.lan") + ": dial tcp: lookup registry.lan on 10.0.0.2:53: no such host",
        head("registry.lan") + ": http: server gave HTTP response to HTTPS client",
    );
    for (cause, fix) in [
        (refused, "fix: set `driver-opts: network=host`"),
        (unknown, "configure a DNS server for the builder"),
        (plain, "fix: set up TLS for the registry"),
    ] {
        let (tries, error) = always_failing(&double, &digest, &cause);
        assert_eq!(tries, "3\n", "{error}");
        assert!(error.contains(fix), "{error}");
    }
}

#[test]
fn refused_connection_is_outage_while_registry_is_down() {
    let (double, digest) = double();
    let cause = format!(
        "failed to push {}/acme/widget:v1.2.3: dial tcp 127.0.0.1:5000: connect: connection refused",
        double.host()
    );
    double.script(Fault::on(Endpoint::Ping).always().close());
    let run = publication(&double)
        .buildx(&failing_at_first(&digest, &[cause.as_str(); 3]))
        .run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.noted("home/tries"), "4\n");
}

/// One image at two registries, each with its own credentials.
fn two_registries(first: &Double, second: &Double) -> Action {
    let images = format!(
        "{}/acme/widget\n{}/acme/widget",
        first.host(),
        second.host()
    );
    let credentials = format!(
        "- registry: {}\n  username: bot\n  password: quay-password\n",
        second.host()
    );
    publication(first)
        .input("images", images)
        .input("registry-auth", credentials)
}

#[test]
fn each_registry_gets_its_own_credentials_and_is_reported() {
    let (first, digest) = double();
    let (second, _) = double();
    let artifacts = tempfile::NamedTempFile::new().unwrap();
    let run = two_registries(&first, &second)
        .buildx_pushes(&digest)
        .env("GITHUB_ARTIFACTS", artifacts.path().display().to_string())
        .run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    for double in [&first, &second] {
        assert_eq!(double.tags("acme/widget")["latest"], digest);
    }
    assert_eq!(run.output("tags").lines().count(), 4);
    let expected = format!(
        "oci://{}/acme/widget@{digest}\noci://{}/acme/widget@{digest}\n",
        first.host(),
        second.host()
    );
    assert_eq!(fs::read_to_string(artifacts.path()).unwrap(), expected);
    let unmasked = run
        .stdout
        .lines()
        .filter(|line| !line.starts_with("::add-mask::"));
    assert!(!unmasked.collect::<String>().contains("quay-password"));
}

#[test]
fn failure_of_one_registry_does_not_block_tags_in_another() {
    let (first, digest) = double();
    let (second, _) = double();
    first.script(
        Fault::on(Endpoint::TagPut)
            .always()
            .deny(&Denial::WritePackage),
    );
    let run = two_registries(&first, &second).buildx_pushes(&digest).run();
    assert!(!run.succeeded);
    let (one, other) = (first.host(), second.host());
    let expected = format!("{other}/acme/widget:v1.2.3\n{other}/acme/widget:latest");
    assert_eq!(run.output("tags"), expected);
    run.assert_error(format!("`{one}/acme/widget@{digest}` was pushed, but"));
}

/// A port of this machine where nothing listens.
fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

#[test]
fn registry_that_is_down_does_not_block_push_to_another() {
    let (first, digest) = double();
    let down = closed_port();
    let images = format!("{down}/acme/widget\n{}/acme/widget", first.host());
    let run = publication(&first)
        .buildx_pushes(&digest)
        .input("images", images)
        .run();
    assert!(!run.succeeded);
    assert_eq!(first.tags("acme/widget")["latest"], digest);
    assert!(!run.noted("arguments").contains(&down.to_string()));
    let error = format!("cannot reach the registry `{down}`");
    run.assert_error(&error);
    let headline = run.summary.lines().next().unwrap();
    assert_eq!(
        headline,
        format!("### ❌ `{down}/acme/widget` was not published")
    );
    assert!(
        run.output("ref").starts_with(&first.host()),
        "{}",
        run.output("ref")
    );
}

#[test]
fn name_denied_during_push_is_skipped() {
    let (first, digest) = double();
    let (second, _) = double();
    let cause = format!(
        "failed to push {}/acme/widget:v1.2.3: denied: permission_denied: write_package",
        second.host()
    );
    let run = two_registries(&first, &second)
        .buildx(&failing_at_first(&digest, &[&cause]))
        .run();
    assert!(!run.succeeded);
    assert_eq!(first.tags("acme/widget")["latest"], digest);
    assert!(!second.tags("acme/widget").contains_key("latest"));
    assert!(
        run.output("tags")
            .lines()
            .all(|tag| tag.starts_with(&first.host()))
    );
    run.assert_error(format!("cannot push `{}/acme/widget`", second.host()));
}

#[test]
fn bearer_token_is_renewed_before_it_expires() {
    let double = registry()
        .bearer_life(Duration::from_millis(300))
        .start()
        .unwrap();
    let digest = double.put_image("acme/widget", PUSHED, &[]);
    let slow =
        format!("sleep 0.5; echo '{{\"containerimage.digest\":\"{digest}\"}}' > \"$metadata\"");
    let run = publication(&double).buildx(&slow).run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert!(double.count(Endpoint::Token) >= 2);
}

/// The push waits two of three seconds, so a tag that asks for two more comes too late.
#[test]
fn push_and_tags_share_one_deadline() {
    let (double, digest) = double();
    let cause = format!(
        "failed to push {}/acme/widget:v1.2.3: toomanyrequests: retry-after: 2s, allowed: 1/minute",
        double.host()
    );
    let busy = Fault::on(Endpoint::TagPut).answer(503);
    double.script(busy.header("Retry-After", "2"));
    let run = publication(&double)
        .buildx(&failing_at_first(&digest, &[&cause]))
        .input("push-timeout", "3s")
        .run();
    assert_eq!(run.noted("home/tries"), "2\n");
    assert!(!run.succeeded, "{}", run.stdout);
    assert_eq!(double.tags("acme/widget").get("latest"), None);
}
