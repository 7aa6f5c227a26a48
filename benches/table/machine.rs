//! When and where the run takes place, as the machine itself says it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use chrono::{DateTime, Utc};

use crate::trial::{ROUNDS_OF_GROWTH, rounds};
use crate::world::{World, command};

/// The load of one processor up to which the machine counts as quiet.
const QUIET: f64 = 0.5;

pub(crate) fn described(world: &World) -> String {
    let mut lines = vec![
        format!("- {}, medians of {} alternating rounds; of the growth, of {}", now().format("%-d %B %Y, %H:%M UTC"),
            rounds(), rounds().min(ROUNDS_OF_GROWTH)),
        format!("- {} processors ({}), {}", available_parallelism().unwrap(), processor(), system()),
        format!(
            "- engine {}; {}",
            line(command("docker").args(["info", "--format", "{{.ServerVersion}}, store {{.Driver}} ({{range .DriverStatus}}{{index . 1}} {{end}})"])),
            line(command(&world.buildx).arg("version")),
        ),
        load("at the start"),
    ];
    if let Some(crane) = &world.crane {
        lines.push(format!("- crane {}", line(command(crane).arg("version"))));
    }
    if let Some(actions) = &world.actions {
        let all = actions.each().into_iter().chain(&actions.cleanup);
        let versions: Vec<_> = all.map(|action| checkout(&action.directory)).collect();
        let node = line(command(&actions.node).arg("--version"));
        lines.push(format!(
            "- usual actions: {}; node {node}",
            versions.join(", ")
        ));
    }
    lines.join("\n")
}

pub(crate) fn load(moment: &str) -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<&str> = text.split(' ').take(3).collect();
    format!(
        "- load {moment}: {} (1, 5 and 15 minutes)",
        averages.join(", ")
    )
}

/// What the page says if other programs are at work now: then the figures say little.
pub(crate) fn warning() -> Option<String> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    let load: f64 = text.split(' ').next()?.parse().ok()?;
    let limit = QUIET * available_parallelism().unwrap().get() as f64;
    (load > limit).then(|| {
        format!(
            "**The machine was not quiet: its load was {load}, above {limit}. Do not compare these figures; close other programs and measure again.**\n\n"
        )
    })
}

pub(crate) fn date() -> String {
    now().format("%-d %B %Y").to_string()
}

#[expect(clippy::disallowed_methods, reason = "a measurement has a date")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(": "));
    name.map_or("unknown", |(_, name)| name).to_owned()
}

fn system() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("an unknown system")
        .trim_matches('"')
        .to_owned()
}

/// The action and the version in its directory.
fn checkout(directory: &Path) -> String {
    let name = directory.file_name().unwrap().display();
    let mut git = command("git");
    git.arg("-C").arg(directory);
    let version = line(git.args(["describe", "--tags", "--always", "--match=v*.*.*"]));
    format!("{name} {version}")
}

/// The first line of what a program says, when a version is in it.
fn line(command: &mut Command) -> String {
    let output = command
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    let line = text.lines().next().map_or("", str::trim);
    let has_version = line.contains(|letter: char| letter.is_ascii_digit());
    if has_version {
        line
    } else {
        "(version unknown)"
    }
    .to_owned()
}
