//! A signal at every moment of a run: it ends in time, with a report, and leaves nothing behind.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ghcr_double::{Double, Endpoint, Fault, Repository};

use crate::publication::PUSHED;
use crate::publication::registry;
use crate::support::{Action, Run, Started, TOKEN};

/// The runner asks more firmly after 7.5 seconds, and kills soon after.
const IN_TIME: Duration = Duration::from_secs(7);
const SIGNALS: [&str; 2] = ["-TERM", "-INT"];
const HANGS: &str = "touch ../hangs; exec sleep 60";

/// A publication with a builder of its own. The facts of the repository come from the API, the credentials from a helper.
struct Fixture {
    double: Double,
    action: Action,
}

impl Fixture {
    /// `special` is a case of the scripted `buildx`, tried before the usual ones.
    fn new(special: &str) -> Self {
        let double = registry()
            .repository(Repository::new("acme/Widget"))
            .start()
            .unwrap();
        let digest = double.put_image("acme/widget", PUSHED, &[]);
        let script = format!(
            "case $1 in\n{special}\nrm) cp ../output ../summary ..; cp ../output ../output-before-removal;;\n\
             build) echo '{{\"containerimage.digest\":\"{digest}\"}}' > \"$metadata\";;\n\
             inspect) printf 'Driver: docker-container\\nPlatforms: linux/amd64\\n';;\nesac"
        );
        let action = Action::new().event("push_tag").buildx(&script);
        let state = action.path("state").display().to_string();
        let action = action
            .without("GITHUB_EVENT_PATH")
            .env("GITHUB_API_URL", format!("http://{}/api/v3", double.host()))
            .env("GITHUB_STATE", state)
            .env("GITHUB_RUN_ID", "42")
            .input("github-token", TOKEN)
            .input("registry", double.host())
            .input("driver", "docker-container");
        Self { double, action }
    }

    /// A credential helper that hangs has the credentials for another registry.
    fn with_a_hanging_helper(mut self) -> Self {
        let helper = self.action.path("bin/docker-credential-test");
        let directory = self.action.path("workspace").display().to_string();
        fs::write(&helper, format!("#!/bin/sh\ncd {directory}\n{HANGS}\n")).unwrap();
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(self.action.path("home/.docker")).unwrap();
        let config = r#"{"credHelpers":{"registry.invalid":"test"}}"#;
        fs::write(self.action.path("home/.docker/config.json"), config).unwrap();
        let images = format!(
            "{}/acme/widget\nregistry.invalid/acme/widget",
            self.double.host()
        );
        self.action = self.action.input("images", images);
        self
    }

    fn stop_when(self, moment: &str, signal: &str, reached: impl Fn(&Double, &Path) -> bool) {
        let hangs = self.action.path("hangs");
        let reached = || reached(&self.double, &hangs);
        let (run, took) = self.action.run_and_signal_when(signal, reached);
        in_time(&format!("{moment} {signal}"), took);
        nothing_is_left(&run, moment);
    }
}

/// `--nocapture` shows how long each moment takes.
#[expect(clippy::print_stdout, reason = "figures for people")]
#[track_caller]
fn in_time(moment: &str, took: Duration) {
    println!("{moment}: {took:.1?}");
    assert!(took < IN_TIME, "{moment}: {took:?}");
}

/// Sends the signal now.
fn stop(moment: &str, signal: &str, started: Started) -> Run {
    let sent = Instant::now();
    let run = started.stop_with(signal);
    in_time(&format!("{moment} {signal}"), sent.elapsed());
    run
}

fn is_stopped(moment: &str, signal: &str, started: Started) {
    nothing_is_left(&stop(moment, signal, started), moment);
}

fn nothing_is_left(run: &Run, moment: &str) {
    let log = format!(
        "{moment}\n{}{}\n{}",
        run.stdout,
        run.stderr,
        run.noted("calls")
    );
    assert!(
        !run.succeeded && run.stderr.contains("the run was cancelled"),
        "{log}"
    );
    assert!(
        run.summary.starts_with("### ❌ ") && run.summary.ends_with('\n'),
        "{log}"
    );
    assert_eq!(run.outputs.len(), 34, "{log}");
    no_login_is_left(run, moment);
    if run.noted("calls").contains("create ") {
        let last = run
            .noted("calls")
            .lines()
            .last()
            .unwrap_or_default()
            .to_owned();
        assert!(last.starts_with("rm --force "), "{log}");
        assert_eq!(
            run.noted("output-before-removal"),
            run.noted("output"),
            "{log}"
        );
    }
}

#[track_caller]
fn no_login_is_left(run: &Run, moment: &str) {
    for line in run.noted("environment").lines() {
        if let Some(directory) = line.strip_prefix("DOCKER_CONFIG=") {
            assert!(!Path::new(directory).exists(), "{moment}: {directory}");
        }
    }
}

/// How many requests a run sends that nobody stops.
fn requests() -> u32 {
    let Fixture { double, action } = Fixture::new("");
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    u32::try_from(double.count(Endpoint::Any)).unwrap()
}

#[test]
fn cancel_ends_pending_request() {
    let moments: Vec<u32> = (0..requests()).collect();
    assert!(moments.len() >= 12, "{}", moments.len());
    for few in moments.chunks(4) {
        thread::scope(|scope| {
            for &before in few {
                scope.spawn(move || {
                    for signal in SIGNALS {
                        let fixture = Fixture::new("");
                        let fault = Fault::on(Endpoint::Any).after(before).always();
                        fixture.double.script(fault.hang(Duration::from_secs(60)));
                        let reached = |double: &Double, _: &Path| {
                            double.count(Endpoint::Any) > before as usize
                        };
                        fixture.stop_when(&format!("request {before}"), signal, reached);
                    }
                });
            }
        });
    }
}

#[test]
fn cancel_ends_child_process() {
    let builds = format!("build) {HANGS};;");
    let pushes = format!(
        "build) echo '{{\"statuses\":[{{\"id\":\"pushing layers\",\"vertex\":\"d\"}}]}}' >&2; {HANGS};;"
    );
    for signal in SIGNALS {
        for (moment, special) in [
            ("the builder is made", format!("create) {HANGS};;")),
            ("the builder is inspected", format!("inspect) {HANGS};;")),
            ("the image is built", builds.clone()),
            ("the image is pushed", pushes.clone()),
        ] {
            Fixture::new(&special).stop_when(moment, signal, |_, hangs| hangs.exists());
        }
        let fixture = Fixture::new("").with_a_hanging_helper();
        fixture.stop_when("a helper is asked", signal, |_, hangs| hangs.exists());
    }
}

/// A builder whose removal hangs.
fn removal_hangs() -> String {
    format!("rm) cp ../output ../summary ..; cp ../output ../output-before-removal; {HANGS};;")
}

#[test]
fn cancel_ends_builder_removal() {
    for signal in SIGNALS {
        let fixture = Fixture::new(&removal_hangs());
        let hangs = fixture.action.path("hangs");
        let (run, took) = fixture
            .action
            .run_and_signal_when(signal, || hangs.exists());
        in_time(&format!("the builder is removed {signal}"), took);
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        assert_eq!(run.outputs.len(), 34);
        run.assert_summary("is published");
        is_left_to_the_post_step(&run);
    }
}

#[test]
fn cancelled_run_with_stuck_builder_removal_ends() {
    for signal in SIGNALS {
        let special = format!("build) {HANGS};;\n{}", removal_hangs());
        let fixture = Fixture::new(&special);
        let hangs = fixture.action.path("hangs");
        let (run, took) = fixture
            .action
            .run_and_signal_when(signal, || hangs.exists());
        in_time(
            &format!("the image is built, and the builder's removal hangs {signal}"),
            took,
        );
        nothing_is_left(&run, "the builder's removal hangs");
        is_left_to_the_post_step(&run);
    }
}

/// The log says so, and the runner keeps the name.
#[track_caller]
fn is_left_to_the_post_step(run: &Run) {
    run.assert_log("the post step removes it");
    let state = run.noted("state");
    assert!(state.starts_with("builder=ghcr-publish-42-"), "{state}");
    assert_eq!(state.lines().count(), 1, "{state}");
}

#[test]
fn second_signal_ends_stuck_builder_removal() {
    let special = format!("build) {HANGS};;\nrm) touch ../removes; exec sleep 60;;");
    let Fixture {
        double: _alive,
        action,
    } = Fixture::new(&special);
    let action = action
        .without("GITHUB_ACTIONS")
        .without("GITHUB_STATE")
        .arguments(&["publish"]);
    let (hangs, removes) = (action.path("hangs"), action.path("removes"));
    let started = action.start();
    started.send_when("-INT", || hangs.exists());
    started.send_when("-INT", || removes.exists());
    let run = started.end();
    let left = "remove it with `docker rm --force --volumes buildx_buildkit_ghcr-publish-";
    run.assert_log(left);
}

#[test]
fn post_step_ends_in_time() {
    for signal in SIGNALS {
        let Fixture {
            double: _alive,
            action,
        } = Fixture::new(&format!("rm) {HANGS};;"));
        let hangs = action.path("hangs");
        let action = action
            .env("STATE_builder", "ghcr-publish-42-abcdef-ghijkl")
            .arguments(&["post"]);
        let (run, took) = action.run_and_signal_when(signal, || hangs.exists());
        in_time(&format!("the post step removes the builder {signal}"), took);
        assert!(!run.succeeded);
        let said = "the post step was stopped before it removed the builder";
        run.assert_error(said);
        no_login_is_left(&run, "the post step");
    }
}

/// A port of this machine where nothing listens.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn cancel_ends_retry_delay() {
    for signal in SIGNALS {
        let Fixture {
            double: _alive,
            action,
        } = Fixture::new("");
        let down = action
            .input("registry", closed_port())
            .input("password", TOKEN);
        let down = down.start().says("; retry 1 in ");
        is_stopped("a registry that is down is waited for", signal, down);

        let Fixture {
            double: _alive,
            action,
        } = Fixture::new("");
        let server = format!("http://{}", closed_port());
        let down = action
            .env("GITHUB_SERVER_URL", server)
            .without("INPUT_REGISTRY");
        let down = down
            .start()
            .says("the GitHub server did not respond; retry 1 in ");
        is_stopped("a server that is down is waited for", signal, down);

        let status = r#"{"statuses":[{"id":"pushing layers","vertex":"d"}]}"#;
        let cause = "failed to push: 429 Too Many Requests: retry-after: 30s, allowed: 1/minute";
        let failed = format!(
            r#"{{"vertexes":[{{"digest":"d","completed":"2026-01-01T00:00:01Z","error":"{cause}"}}]}}"#
        );
        let script =
            format!("build) printf '%s\\n' '{status}' '{failed}' 'ERROR: {cause}' >&2; exit 1;;");
        let Fixture {
            double: _alive,
            action,
        } = Fixture::new(&script);
        let again = action.start().says("retry 1 in 30 s");
        is_stopped("the next push is waited for", signal, again);
    }
}

/// The program once it has asked the engine its question number `number`, and the connections that get no answer.
fn asks_a_silent_engine(action: Action, number: usize) -> (Started, Vec<UnixStream>) {
    let socket = action.path("silent.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let action = action.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let started = action.start();
    let silent = (0..number).map(|_| listener.accept().unwrap().0).collect();
    (started, silent)
}

#[test]
fn cancel_ends_engine_wait() {
    for signal in SIGNALS {
        let Fixture {
            double: _alive,
            action,
        } = Fixture::new("");
        let platforms = action
            .without("INPUT_DRIVER")
            .input("platforms", "linux/amd64,linux/386");
        // The first connection only sees whether there is an engine.
        let (started, _silent) = asks_a_silent_engine(platforms, 2);
        is_stopped("the engine is asked for its store", signal, started);

        let Fixture {
            double: _alive,
            action,
        } = Fixture::new("");
        let candidate = action.input("candidate", "docker-daemon:app:test");
        let (started, _silent) = asks_a_silent_engine(candidate, 1);
        is_stopped("the engine is asked for an image", signal, started);
    }
}

/// A publication of an image of the registry `source`, with a layer that has to be copied.
fn copying(fixture: Fixture, source: &Double) -> Fixture {
    source.put_large_image("acme/widget", "v1", 1 << 20);
    let host = source.host();
    let credentials = format!("- {{registry: '{host}', username: octocat, password: {TOKEN}}}");
    let action = fixture.action.input("registry-auth", credentials);
    let action = action.input("candidate", format!("{host}/acme/widget:v1"));
    Fixture { action, ..fixture }
}

#[test]
fn cancel_ends_image_copy() {
    let hangs = |on| Fault::on(on).always().hang(Duration::from_secs(60));
    for signal in SIGNALS {
        let Fixture { double: source, .. } = Fixture::new("");
        source.script(hangs(Endpoint::BlobGet));
        let fixture = copying(Fixture::new(""), &source);
        fixture.stop_when("a blob is read", signal, |_, _| {
            source.count(Endpoint::BlobGet) > 0
        });

        // The first upload only asks whether a push is allowed.
        for (moment, on, before) in [
            ("an upload is begun", Endpoint::BlobPost, 1),
            ("a blob is sent", Endpoint::BlobPut, 0),
        ] {
            let Fixture { double: source, .. } = Fixture::new("");
            let fixture = copying(Fixture::new(""), &source);
            fixture.double.script(hangs(on).after(before));
            let reached = |double: &Double, _: &Path| double.count(on) > before as usize;
            fixture.stop_when(moment, signal, reached);
        }
    }
}
