//! `Action`: one run of the program in a world of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, TryRecvError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::engine_double::{self, Answers, CONTAINERD};

pub(crate) const TOKEN: &str = "ghs_canary.of-the-test_0123456789";

/// A run being prepared: an empty environment, a workspace with a Dockerfile, an engine that answers.
pub(crate) struct Action {
    directory: TempDir,
    variables: BTreeMap<String, String>,
    arguments: Vec<String>,
}

/// A run that has not ended.
pub(crate) struct Started {
    action: Action,
    child: Child,
    /// What was read of the log already.
    said: Vec<u8>,
}

/// What a run left behind.
pub(crate) struct Run {
    pub(crate) succeeded: bool,
    /// The exit status; a signal leaves none.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) summary: String,
    directory: TempDir,
}

impl Action {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).display().to_string();
        for name in ["bin", "home", "workspace"] {
            fs::create_dir(at(name)).unwrap();
        }
        fs::write(at("workspace/Dockerfile"), "FROM scratch\n").unwrap();
        let notes = directory.path().join("engine-requests");
        engine_double::start(&directory.path().join("docker.sock"), notes, &[CONTAINERD]);
        let variables = [
            ("DOCKER_HOST", format!("unix://{}", at("docker.sock"))),
            ("GITHUB_OUTPUT", at("output")),
            ("GITHUB_STEP_SUMMARY", at("summary")),
            ("GITHUB_WORKSPACE", at("workspace")),
            ("HOME", at("home")),
            ("PATH", format!("{}:/usr/bin:/bin", at("bin"))),
            ("SOURCE_DATE_EPOCH", "1795168800".to_owned()),
        ];
        let variables = variables
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        Self {
            directory,
            variables,
            arguments: Vec::new(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Takes the environment and payload of a recorded event.
    pub(crate) fn event(mut self, name: &str) -> Self {
        let text = fs::read_to_string(fixture(name, "env")).unwrap();
        let pairs = text.lines().map(|line| line.split_once('=').unwrap());
        self.variables
            .extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let payload = fixture(name, "json").display().to_string();
        self.env("GITHUB_EVENT_PATH", &payload)
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.variables
            .insert(name.to_owned(), value.as_ref().to_owned());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// Sets an input, as the runner does.
    pub(crate) fn input(self, name: &str, value: impl AsRef<str>) -> Self {
        self.env(&format!("INPUT_{}", name.to_uppercase()), value)
    }

    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments
            .iter()
            .map(|argument| (*argument).to_owned())
            .collect();
        self
    }

    /// A `buildx` that says its version, or notes its arguments and environment and runs `script` with the
    /// path of the metadata file in `$metadata`.
    pub(crate) fn buildx(self, script: &str) -> Self {
        let (path, note) = (self.path("bin/buildx"), self.directory.path().display());
        let head = format!(
            "#!/bin/sh\n[ \"$1\" != version ] || exec cat {note}/version\nprintf '%s\\n' \"$@\" > {note}/arguments\necho \"$@\" >> {note}/calls\nenv | sort > {note}/environment\n\
             cat \"$DOCKER_CONFIG/config.json\" > {note}/docker-config\n\
             for argument; do case $argument in --metadata-file=*) metadata=${{argument#*=}};; esac; done\n"
        );
        fs::write(
            self.path("version"),
            "github.com/docker/buildx v0.29.1 a32761a\n",
        )
        .unwrap();
        fs::write(&path, format!("{head}{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// An engine that answers each request with the first of `answers` whose method and path fit, and notes
    /// the requests.
    pub(crate) fn engine(self, answers: Answers) -> Self {
        fs::remove_file(self.path("docker.sock")).unwrap();
        engine_double::start(
            &self.path("docker.sock"),
            self.path("engine-requests"),
            answers,
        );
        self
    }

    /// A `buildx` that says it pushed `digest`.
    pub(crate) fn buildx_pushes(self, digest: &str) -> Self {
        self.buildx(&format!(
            "[ \"$1\" != build ] || echo '{{\"containerimage.digest\":\"{digest}\"}}' > \"$metadata\""
        ))
    }

    pub(crate) fn run(self) -> Run {
        let output = self.command().output().unwrap();
        self.ended(output)
    }

    /// Runs on a terminal, as `script` (of Debian's essential package bsdutils) makes one.
    pub(crate) fn run_on_a_terminal(self) -> Run {
        let mut command = process("script");
        let program = env!("CARGO_BIN_EXE_ghcr-publish");
        let line = format!("{program} {}", self.arguments.join(" "));
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        let command = self.prepared(command).output();
        self.ended(command.unwrap())
    }

    /// Runs until the scripted `buildx` has started, then asks the program to end.
    pub(crate) fn run_until_building(self) -> Run {
        let started = self.path("docker-config");
        self.run_and_stop_when(|| started.exists())
    }

    /// Runs until `reached`, then asks the program to end.
    pub(crate) fn run_and_stop_when(self, reached: impl Fn() -> bool) -> Run {
        self.run_and_signal_when("-TERM", reached).0
    }

    /// Runs until `reached`, then sends a signal; also how long the program took to end.
    pub(crate) fn run_and_signal_when(
        self,
        signal: &str,
        reached: impl Fn() -> bool,
    ) -> (Run, Duration) {
        let started = self.start();
        started.send_when(signal, reached);
        let sent = Instant::now();
        (started.end(), sent.elapsed())
    }

    /// Starts the program in a process group of its own.
    pub(crate) fn start(self) -> Started {
        let mut command = self.command();
        command
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        Started {
            action: self,
            child,
            said: Vec::new(),
        }
    }

    /// Runs, gives the log to `each` piece by piece, and measures: the largest resident set of the program
    /// alone, in KiB, the kernel's `VmHWM`.
    pub(crate) fn measured(self, mut each: impl FnMut(&[u8])) -> u64 {
        let mut command = self.command();
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut log = child.stdout.take().unwrap();
        let (mut piece, mut peak) = (vec![0; 256 * 1024], 0);
        while let Ok(length @ 1..) = log.read(&mut piece) {
            peak = peak.max(peak_memory(child.id()));
            each(&piece[..length]);
        }
        child.wait().unwrap();
        peak
    }

    /// Runs to its end, and measures as [`Action::measured`] does; also how long it took.
    #[expect(clippy::disallowed_methods, reason = "the watch of a test")]
    pub(crate) fn run_measured(self) -> (Run, u64, Duration) {
        let (start, started) = (Instant::now(), self.start());
        let process = started.child.id();
        let (has_ended, ended) = mpsc::channel::<()>();
        let watch = std::thread::spawn(move || {
            let mut peak = 0;
            // A program that ends before the first look is never seen: its end is what counts.
            while ended.try_recv() == Err(TryRecvError::Empty) {
                peak = peak.max(peak_memory(process));
                sleep(Duration::from_millis(1));
            }
            peak
        });
        let run = started.end();
        drop(has_ended);
        (run, watch.join().unwrap(), start.elapsed())
    }

    /// Runs until `reached`, then kills the program; true when it ended before.
    pub(crate) fn run_and_kill_when(self, reached: impl Fn() -> bool) -> bool {
        let mut started = self.start();
        loop {
            if started.child.try_wait().unwrap().is_some() {
                return true;
            }
            if reached() {
                started.child.kill().unwrap();
                started.child.wait().unwrap();
                return false;
            }
            sleep(Duration::from_millis(5));
        }
    }

    fn command(&self) -> Command {
        let mut command = process(env!("CARGO_BIN_EXE_ghcr-publish"));
        command.args(&self.arguments);
        self.prepared(command)
    }

    fn prepared(&self, mut command: Command) -> Command {
        command.env_clear().envs(&self.variables);
        command
            .current_dir(self.path("workspace"))
            .stdin(Stdio::null());
        command
    }

    fn ended(self, output: Output) -> Run {
        let read = |name: &str| fs::read_to_string(self.path(name)).unwrap_or_default();
        Run {
            succeeded: output.status.success(),
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            outputs: read_outputs(&read("output")),
            summary: read("summary"),
            directory: self.directory,
        }
    }
}

impl Started {
    /// Asks the program to end, as the runner does when a run is cancelled.
    pub(crate) fn stop_with(self, signal: &str) -> Run {
        self.signal(signal, &self.child.id().to_string());
        self.end()
    }

    /// Waits until `reached`, then sends a signal.
    pub(crate) fn send_when(&self, signal: &str, reached: impl Fn() -> bool) {
        let until = Instant::now() + Duration::from_secs(20);
        while !reached() {
            assert!(Instant::now() < until, "the run did not come that far");
            sleep(Duration::from_millis(10));
        }
        self.signal(signal, &self.child.id().to_string());
    }

    /// Ends the program and all its children on the spot.
    pub(crate) fn kill(self) -> Run {
        self.signal("-KILL", &format!("-{}", self.child.id()));
        self.end()
    }

    /// Waits until `part` is in the log.
    pub(crate) fn says(mut self, part: &str) -> Self {
        let log = self.child.stdout.as_mut().unwrap();
        let mut byte = [0];
        while !self.said.ends_with(part.as_bytes()) {
            let length = log.read(&mut byte).unwrap();
            assert_eq!(length, 1, "{}", String::from_utf8_lossy(&self.said));
            self.said.extend(byte);
        }
        self
    }

    pub(crate) fn end(self) -> Run {
        let mut output = self.child.wait_with_output().unwrap();
        output.stdout.splice(..0, self.said);
        self.action.ended(output)
    }

    fn signal(&self, signal: &str, target: &str) {
        // A shell has `kill`, where no package with that program is installed.
        let mut kill = process("bash");
        kill.args(["-c", "kill \"$@\"", "bash", signal, "--", target]);
        let status = kill.status().unwrap();
        assert!(status.success());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests start programs, in an environment made for them"
)]
pub(crate) fn process(program: &str) -> Command {
    Command::new(program)
}

/// Zero for a process that has ended.
fn peak_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kibibytes.unwrap_or(0)
}

impl Run {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What the scripted `buildx` noted; empty when it was not started.
    pub(crate) fn noted(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).unwrap_or_default()
    }

    /// `text` with what differs from run to run replaced: the directory, and the address of the double. It has no
    /// group *Environment*.
    pub(crate) fn stable(&self, text: &str, host: impl AsRef<str>) -> String {
        let text = without_environment(text);
        let text = text.replace(&self.directory.path().display().to_string(), "<directory>");
        text.replace(host.as_ref(), "<registry>")
    }

    pub(crate) fn output(&self, name: &str) -> &str {
        &self.outputs[name]
    }
}

pub(crate) fn without_environment(text: &str) -> String {
    let Some((before, rest)) = text.split_once("::group::Environment\n") else {
        return text.to_owned();
    };
    let (_, after) = rest.split_once("::endgroup::\n").unwrap();
    format!("{before}{after}")
}

pub(crate) fn fixture(name: &str, ending: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/fixtures/{name}.{ending}"))
}

/// Reads the file as the runner does: `name<<delimiter`, lines, `delimiter`.
fn read_outputs(text: &str) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (name, delimiter) = line.split_once("<<").expect("every entry is a heredoc");
        let value: Vec<&str> = lines
            .by_ref()
            .take_while(|line| *line != delimiter)
            .collect();
        outputs.insert(name.to_owned(), value.join("\n"));
    }
    outputs
}
