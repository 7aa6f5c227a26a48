//! `plan` with ten rules and three images, the whole process. Prints; asserts nothing.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement, printed for people"
)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 51;

const TAGS: &str = "type=schedule
type=semver,pattern={{version}}
type=semver,pattern={{major}}.{{minor}}
type=semver,pattern={{major}},enable={{is_not_default_branch}}
type=pep440,pattern={{version}}
type=match,pattern=v(\\d+).*,group=1
type=ref,event=branch
type=ref,event=pr
type=raw,value={{date 'YYYYMMDD-HHmmss' tz='Europe/Berlin'}}
type=sha,format=long";

fn main() {
    let plan = median(|| {
        plan(&[
            ("INPUT_TAGS", TAGS),
            (
                "INPUT_IMAGES",
                "ghcr.io/acme/a\nghcr.io/acme/b\nquay.io/acme/c",
            ),
        ])
    });
    let nothing = median(|| command("/bin/true"));
    println!("| plan, ten rules, three images, {RUNS} runs | median |");
    println!("|---|--:|");
    println!(
        "| `ghcr-publish plan --json`, whole process | {:.2} ms |",
        milliseconds(plan)
    );
    println!(
        "| `true`, whole process | {:.2} ms |",
        milliseconds(nothing)
    );
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn median(run: impl Fn() -> Command) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS).map(|_| time(run())).collect();
    times.sort();
    times[RUNS / 2]
}

fn time(mut command: Command) -> Duration {
    let start = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    start.elapsed()
}

fn plan(inputs: &[(&str, &str)]) -> Command {
    let mut plan = command(env!("CARGO_BIN_EXE_ghcr-publish"));
    plan.env_clear()
        .envs(inputs.iter().copied())
        .args(["plan", "--json"]);
    plan.env("GITHUB_REPOSITORY", "acme/widget")
        .env("GITHUB_REF", "refs/tags/v1.2.3");
    plan.env("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567");
    plan
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement starts the programs it measures"
)]
fn command(program: &str) -> Command {
    Command::new(program)
}
