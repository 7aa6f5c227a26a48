//! Secrets that can be recognised, in fourteen forms, looked for wherever a run leaves something.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ghcr_double::{Account, Double, Endpoint, Fault, Package};
use memchr::memmem;
use serde_json::json;

use super::encodings;
use crate::publication::NAME;
use crate::publication::PUSHED;
use crate::support::{Action, Run};
use testkit::proof::Proof;
use testkit::runner;

const TOKEN: &str = "ghs_canary*of_the-token&01";
const BUILD: &str = "canary\"of*the|build##[secret]<02>";
const FILE: &str = "canary of the file, which has its own line 03";
const CACHE: &str = "canary/of+the-cache*04";
const CANARIES: [&str; 4] = [TOKEN, BUILD, FILE, CACHE];

/// How a run ends.
#[derive(Clone, Copy)]
enum End {
    Alone,
    Stopped,
    /// The post step comes after it.
    Killed,
    /// Another run comes after it.
    KilledAndRunAgain,
}

/// What the scripted buildx does, besides writing down what everybody can see of a process.
#[derive(Clone, Copy)]
enum Buildx {
    Pushes,
    TellsAll,
    TellsAllAndFails,
    Waits,
}

struct Scenario {
    name: &'static str,
    buildx: Buildx,
    end: End,
    fault: Option<Fault>,
    change: fn(Action) -> Action,
}

fn scenario(name: &'static str, buildx: Buildx) -> Scenario {
    Scenario {
        name,
        buildx,
        end: End::Alone,
        fault: None,
        change: |action| action,
    }
}

fn scenarios() -> Vec<Scenario> {
    use Buildx::{Pushes, TellsAll, TellsAllAndFails, Waits};
    let echo = format!("{{\"errors\":[{{\"code\":\"DENIED\",\"message\":\"{TOKEN} may not\"}}]}}");
    let refused = |endpoint| {
        Fault::on(endpoint)
            .answer(403)
            .body("application/json", &echo)
            .always()
    };
    let with = |name, change| Scenario {
        change,
        ..scenario(name, Pushes)
    };
    let ended = |name, end| Scenario {
        end,
        ..scenario(name, Waits)
    };
    let faulty = |name, fault| Scenario {
        fault: Some(fault),
        ..scenario(name, Pushes)
    };
    vec![
        scenario("a publication", Pushes),
        scenario("an engine that tells all", TellsAll),
        scenario("an engine that tells all and fails", TellsAllAndFails),
        ended("cancelled", End::Stopped),
        ended("killed, then the post step", End::Killed),
        ended("killed, then another run", End::KilledAndRunAgain),
        faulty(
            "a token endpoint that repeats the login",
            refused(Endpoint::Token),
        ),
        faulty(
            "a registry that repeats the login",
            refused(Endpoint::BlobPost),
        ),
        faulty(
            "a tag that is refused with the login",
            refused(Endpoint::TagPut),
        ),
        faulty(
            "an interface that repeats the login",
            refused(Endpoint::Api),
        ),
        faulty(
            "a registry that is away",
            Fault::on(Endpoint::BlobPost).reset().always(),
        ),
        with("a plan", |action| action.arguments(&["plan"])),
        with("a plan as JSON", |action| {
            action.arguments(&["plan", "--json"])
        }),
        with("a check", |action| action.arguments(&["check"])),
        with("a check as JSON", |action| {
            action.arguments(&["check", "--json"])
        }),
        Scenario {
            change: |action| action.arguments(&["--json"]),
            ..scenario("a failed build as JSON", TellsAllAndFails)
        },
        Scenario {
            change: |action| action.arguments(&["--json"]),
            ..faulty(
                "a registry that repeats the login, as JSON",
                refused(Endpoint::BlobPost),
            )
        },
        with("a publication as JSON", |action| {
            action.arguments(&["--json"])
        }),
        with("a run with debug lines", |action| {
            action.env("RUNNER_DEBUG", "1")
        }),
        with("only built", |action| action.input("push", "false")),
        with("a token in a build argument", |action| {
            action.input("build-args", format!("A={TOKEN}"))
        }),
        with("a secret without a name", |action| {
            action.input("secrets", BUILD)
        }),
        with("a secret that is never closed", |action| {
            action.input("secrets", format!("\"a={BUILD}"))
        }),
        with("a login in a context", |action| {
            action.input("context", format!("https://joe:{TOKEN}@example.com/x.git"))
        }),
        with("a login in a named context", |action| {
            action.input(
                "build-contexts",
                format!("a=https://joe:{TOKEN}@example.com/x.git"),
            )
        }),
        with("a login that is not understood", |action| {
            action.input("registry-auth", format!("joe:{TOKEN}"))
        }),
        with("variables for later steps", |action| {
            action.env("DOCKER_METADATA_SET_OUTPUT_ENV", "true")
        }),
    ]
}

/// What an engine would say that repeats all it knows, in the forms that the runner can hide.
fn telling(ending: &str) -> String {
    let mut lines = vec![json!({"vertexes": [{"digest": "a", "name": format!("RUN echo {BUILD}"), "started": "2026-01-01T00:00:00Z"}]}).to_string()];
    let secrets = [TOKEN, BUILD, CACHE];
    for secret in secrets {
        let uri = secret.bytes().map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        });
        let forms = [
            secret.to_owned(),
            STANDARD.encode(secret),
            json!(secret).to_string(),
            uri.collect(),
            format!("begin{secret}end {secret}{secret}"),
        ];
        let text = forms.join("\n") + "\n";
        lines.push(
            json!({"logs": [{"vertex": "a", "stream": 1, "data": STANDARD.encode(text)}]})
                .to_string(),
        );
        lines.push(
            json!({"warnings": [{"vertex": "a", "short": STANDARD.encode(secret)}]}).to_string(),
        );
        lines.push(format!("said beside the protocol: {secret}"));
    }
    lines.push(json!({"vertexes": [{"digest": "a", "name": format!("RUN echo {BUILD}"), "started": "2026-01-01T00:00:00Z", "completed": "2026-01-01T00:00:01Z", "error": ending}]}).to_string());
    if !ending.is_empty() {
        lines.push(format!("Dockerfile:1\n--------------------\n   1 | >>> RUN echo {BUILD}\n--------------------\nERROR: {ending}"));
    }
    lines.join("\n")
}

/// A registry that accepts the canary as a token.
fn double() -> (Double, String) {
    let double = Double::builder()
        .token(TOKEN, Account::workflow("acme/Widget"))
        .package(NAME, Package::of("acme/Widget"))
        .start()
        .unwrap();
    let digest = double.put_image(NAME, PUSHED, &[]);
    (double, digest)
}

/// A run with every secret there is, on a machine whose every directory is looked at afterwards.
fn action(double: &Double) -> Action {
    let action = Action::new().event("push_tag");
    for name in ["notes", "runtime", "temp"] {
        fs::create_dir(action.path(name)).unwrap();
    }
    fs::write(action.path("workspace/npmrc"), FILE).unwrap();
    let at = |name: &str| action.path(name).display().to_string();
    let (runtime, temp, state, variables) =
        (at("runtime"), at("temp"), at("state"), at("variables"));
    let action = action
        .env("XDG_RUNTIME_DIR", runtime)
        .env("TMPDIR", temp)
        .env("GITHUB_STATE", state)
        .env("GITHUB_ENV", variables)
        .env("GITHUB_API_URL", double.api_url());
    action
        .env("BUILD_SECRET", BUILD)
        .input("github-token", TOKEN)
        .input("registry", double.host())
        .input("push-timeout", "1s")
        .input("secret-envs", "npm=BUILD_SECRET")
        .input("secret-files", "file=npmrc")
        .input(
            "cache-from",
            format!(
                "type=s3,region=r,bucket=b,access_key_id=AKIDEXAMPLE,secret_access_key={CACHE}"
            ),
        )
}

fn with_buildx(action: Action, buildx: Buildx, digest: &str) -> Action {
    let (notes, telling_path) = (
        action.path("notes").display().to_string(),
        action.path("progress"),
    );
    let ending = match buildx {
        Buildx::TellsAllAndFails => format!("failed to solve: {TOKEN} and {BUILD} did not help"),
        Buildx::Pushes | Buildx::TellsAll | Buildx::Waits => String::new(),
    };
    fs::write(&telling_path, telling(&ending)).unwrap();
    let tell = format!("cat {} >&2", telling_path.display());
    let built = format!("echo '{{\"containerimage.digest\":\"{digest}\"}}' > \"$metadata\"");
    let act = match buildx {
        Buildx::Pushes => built,
        Buildx::TellsAll => format!("{tell}\n{built}"),
        Buildx::TellsAllAndFails => format!("{tell}\nexit 1"),
        Buildx::Waits => format!("touch {notes}/waiting\nexec sleep 30"),
    };
    let script = format!(
        "#!/bin/sh\ntr '\\0' '\\n' < /proc/$$/cmdline >> {notes}/command-lines\ntr '\\0' '\\n' < /proc/$PPID/cmdline >> {notes}/command-lines\n\
         tr '\\0' '\\n' < /proc/$$/environ | grep -v ^AWS_SECRET_ACCESS_KEY= >> {notes}/environments\n\
         for argument; do case $argument in --metadata-file=*) metadata=${{argument#*=}};; esac; done\n[ \"$1\" = build ] || exit 0\n{act}\n"
    );
    let path = action.path("bin/buildx");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    action
}

fn ended(action: Action, end: End) -> Run {
    let waiting = action.path("notes/waiting");
    match end {
        End::Alone => action.run(),
        End::Stopped => action.run_and_stop_when(|| waiting.exists()),
        End::Killed | End::KilledAndRunAgain => {
            let (runtime, home) = (action.path("runtime"), action.path("home"));
            let started = action.start();
            while !waiting.exists() {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            let run = started.kill();
            let left = fs::read_dir(&runtime).unwrap().count();
            assert!(left > 0, "the kernel cleans nothing up");
            let next = Action::new().event("push_tag");
            let at = |path: &Path| path.display().to_string();
            let next = next
                .env("XDG_RUNTIME_DIR", at(&runtime))
                .env("HOME", at(&home));
            match end {
                End::Killed => drop(next.arguments(&["post"]).run()),
                _ => drop(next.input("push", "false").buildx("exit 1").run()),
            }
            run
        }
    }
}

/// Where a run leaves something, and what it left there, as the next one finds it.
fn sinks(run: &Run) -> Vec<(String, Vec<u8>)> {
    let log = format!("{}\n{}\n", run.stdout, run.stderr);
    let page = runner::shown(format!("{log}{}", run.summary).as_bytes());
    // Markdown is shown without the backslashes that escape.
    let mut sinks = vec![
        (
            "log and summary without backslashes".to_owned(),
            page.replace('\\', "").into_bytes(),
        ),
        ("log and summary".to_owned(), page.into_bytes()),
    ];
    // A program that captures the object gets no masks.
    if run.stdout.starts_with('{') {
        sinks.push(("the object".to_owned(), run.stdout.clone().into_bytes()));
    }
    for name in ["output", "state", "variables", "engine-requests"] {
        sinks.push((
            name.to_owned(),
            fs::read(run.path(name)).unwrap_or_default(),
        ));
    }
    for directory in ["notes", "home", "workspace", "runtime", "temp"] {
        files(&run.path(directory), &mut sinks);
    }
    sinks.retain(|(name, _)| !name.ends_with("workspace/npmrc"));
    sinks
}

fn files(directory: &Path, sinks: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()) {
        match entry.file_type().unwrap().is_dir() {
            true => files(&entry.path(), sinks),
            false => sinks.push((
                entry.path().display().to_string(),
                fs::read(entry.path()).unwrap_or_default(),
            )),
        }
    }
}

#[test]
fn no_secret_is_seen_anywhere() {
    let mut proof = Proof::of("canary: 4 secrets in 14 forms, in log, files, processes, leftovers");
    for Scenario {
        name,
        buildx,
        end,
        fault,
        change,
    } in scenarios()
    {
        let (double, digest) = double();
        fault.into_iter().for_each(|fault| double.script(fault));
        let action = change(with_buildx(action(&double), buildx, &digest));
        let run = ended(action, end);
        for (sink, bytes) in sinks(&run) {
            for secret in CANARIES {
                for form in encodings(secret) {
                    let found = memmem::find(&bytes, &form);
                    let shown = || {
                        let at = found.unwrap_or_default();
                        let near = &bytes[at.saturating_sub(60)..(at + 80).min(bytes.len())];
                        format!(
                            "{name}: {secret} in {sink}: {}",
                            String::from_utf8_lossy(near)
                        )
                    };
                    proof.case(if found.is_some() {
                        Err(shown())
                    } else {
                        Ok(())
                    });
                }
            }
        }
    }
    proof.end();
}
