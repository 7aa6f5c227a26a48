//! A signal at every moment of a run: it ends in time, with a report, and leaves nothing behind.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use ghcr_double::{Account, Double, Endpoint, Fault, Package, Repository};

use crate::support::{Action, Run, TOKEN};

/// The runner asks more firmly after 7.5 seconds, and kills soon after.
const IN_TIME: Duration = Duration::from_secs(7);
const SIGNALS: [&str; 2] = ["-TERM", "-INT"];
const HANGS: &str = "touch ../hangs; exec sleep 60";

/// A publication with a builder of its own. The facts of the repository come from the API, the login from a helper.
struct World {
    double: Double,
    action: Action,
}

impl World {
    /// `special` is a case of the scripted `buildx`, tried before the usual ones.
    fn new(special: &str) -> Self {
        let double = Double::builder()
            .token(TOKEN, Account::workflow("acme/Widget"))
            .package("acme/widget", Package::of("acme/Widget"))
            .repository(Repository::new("acme/Widget"))
            .start()
            .unwrap();
        let digest = double.put_image("acme/widget", "v1.2.3", &[]);
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

    /// A credential helper that hangs keeps the login of another registry.
    fn with_a_hanging_helper(mut self) -> Self {
        let helper = self.action.path("bin/docker-credential-test");
        let folder = self.action.path("workspace").display().to_string();
        fs::write(&helper, format!("#!/bin/sh\ncd {folder}\n{HANGS}\n")).unwrap();
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
        assert!(took < IN_TIME, "{moment} {signal}: {took:?}");
        nothing_is_left(&run, &format!("{moment} {signal}"));
    }
}

fn nothing_is_left(run: &Run, moment: &str) {
    let log = format!(
        "{moment}\n{}{}\n{}",
        run.stdout,
        run.stderr,
        run.noted("calls")
    );
    assert!(
        !run.succeeded && run.stderr.contains("the run was stopped"),
        "{log}"
    );
    assert!(
        run.summary.starts_with("### ❌ ") && run.summary.ends_with('\n'),
        "{log}"
    );
    assert_eq!(run.outputs.len(), 20, "{log}");
    for line in run.noted("environment").lines() {
        if let Some(folder) = line.strip_prefix("DOCKER_CONFIG=") {
            assert!(!Path::new(folder).exists(), "{log}");
        }
    }
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

/// How many requests a run sends that nobody stops.
fn requests() -> u32 {
    let World { double, action } = World::new("");
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    u32::try_from(double.count(Endpoint::Any)).unwrap()
}

#[test]
fn a_run_that_waits_for_an_answer_ends_in_time() {
    let moments: Vec<u32> = (0..requests()).collect();
    assert!(moments.len() >= 12, "{}", moments.len());
    for few in moments.chunks(4) {
        thread::scope(|scope| {
            for &before in few {
                scope.spawn(move || {
                    for signal in SIGNALS {
                        let world = World::new("");
                        let fault = Fault::on(Endpoint::Any).after(before).always();
                        world.double.script(fault.hang(Duration::from_secs(60)));
                        let reached = |double: &Double, _: &Path| {
                            double.count(Endpoint::Any) > before as usize
                        };
                        world.stop_when(&format!("request {before}"), signal, reached);
                    }
                });
            }
        });
    }
}

#[test]
fn a_run_that_waits_for_a_program_ends_in_time() {
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
            World::new(&special).stop_when(moment, signal, |_, hangs| hangs.exists());
        }
        let world = World::new("").with_a_hanging_helper();
        world.stop_when("a helper is asked", signal, |_, hangs| hangs.exists());
    }
}
