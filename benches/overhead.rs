//! `publish` against bare `buildx build --push` for the hello image: medians of alternating pairs in
//! one run, and the peak memory of our process. Prints; asserts nothing.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement, printed for people"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ghcr_double::{Account, Double};
use serde_json::json;
use tempfile::TempDir;

const PAIRS: usize = 9;
const TOKEN: &str = "ghs_of-the-bench";

fn main() {
    let double = Double::builder()
        .token(TOKEN, Account::workflow("acme/Hello"))
        .start()
        .unwrap();
    let config = login(&double.host());
    let mut bare = || buildx(&double.host(), config.path());
    let mut ours = || publish(&double.host(), "refs/pull/1/merge");
    let mut floating = || publish(&double.host(), "refs/tags/v1.2.3");
    time(&mut bare); // the first build of each fills the cache
    time(&mut ours);
    time(&mut floating);
    let floating = median((0..PAIRS).map(|_| time(&mut floating)));
    let pairs: Vec<(Duration, Duration)> = (0..PAIRS)
        .map(|_| (time(&mut bare), time(&mut ours)))
        .collect();
    let bare = median(pairs.iter().map(|(bare, _)| *bare));
    let ours = median(pairs.iter().map(|(_, ours)| *ours));
    println!("| publish of examples/hello, {PAIRS} alternating pairs | median |");
    println!("|---|--:|");
    println!(
        "| bare `buildx build --push`, 1 tag | {:.3} s |",
        bare.as_secs_f64()
    );
    println!(
        "| `ghcr-publish publish`, 1 tag, preflight, proof and read-back | {:.3} s |",
        ours.as_secs_f64()
    );
    println!("| ratio | {:.2} |", ours.as_secs_f64() / bare.as_secs_f64());
    println!(
        "| `ghcr-publish publish`, a tag and `latest`, looked at again after it moved | {:.3} s |",
        floating.as_secs_f64()
    );
    println!(
        "| peak memory of our process | {:.1} MiB |",
        peak_memory(&double.host())
    );
}

fn time(run: &mut impl FnMut() -> Command) -> Duration {
    let mut command = run();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let start = Instant::now();
    let output = command.output().unwrap();
    let took = start.elapsed();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    took
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times[times.len() / 2]
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement starts the programs it measures"
)]
fn command(program: impl AsRef<Path>) -> Command {
    Command::new(program.as_ref())
}

fn login(host: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({"auths": {host: {"username": "octocat", "password": TOKEN}}});
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    folder
}

/// The same build as [`publish`] asks for, a new `created` label each time included.
fn buildx(host: &str, config: &Path) -> Command {
    let mut buildx = command(buildx_program());
    buildx
        .env("DOCKER_CONFIG", config)
        .env("BUILDX_NO_DEFAULT_ATTESTATIONS", "1");
    buildx.args([
        "build",
        "--progress=plain",
        "--push",
        &format!("--tag={host}/acme/hello:v1.2.3"),
    ]);
    buildx.arg(format!(
        "--label=org.opencontainers.image.created={:?}",
        Instant::now()
    ));
    buildx.arg(example());
    buildx
}

fn publish(host: &str, git_ref: &str) -> Command {
    let mut publish = command(env!("CARGO_BIN_EXE_ghcr-publish"));
    publish
        .env("GITHUB_REPOSITORY", "acme/Hello")
        .env("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567");
    publish
        .env("GITHUB_REF", git_ref)
        .env("INPUT_PASSWORD", TOKEN)
        .env_remove("GITHUB_ACTIONS");
    publish
        .env("GITHUB_WORKSPACE", example())
        .arg(format!("--with=registry={host}"));
    publish
}

/// The largest resident set of our process alone, in MiB: the kernel's `VmHWM`, read until it ends.
fn peak_memory(host: &str) -> f64 {
    let mut publish = publish(host, "refs/pull/1/merge");
    let mut child = publish
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak = 0.0;
    while child.try_wait().unwrap().is_none() {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes =
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        peak = kibibytes.unwrap_or(0.0).max(peak);
        std::thread::sleep(Duration::from_millis(2));
    }
    peak / 1024.0
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello")
}

fn buildx_program() -> PathBuf {
    let folders = [
        "/usr/local/lib/docker",
        "/usr/local/libexec/docker",
        "/usr/lib/docker",
        "/usr/libexec/docker",
    ];
    let plugins = folders.map(|folder| Path::new(folder).join("cli-plugins/docker-buildx"));
    plugins
        .into_iter()
        .find(|path| path.is_file())
        .expect("buildx is here: testbed/engine installs it")
}
