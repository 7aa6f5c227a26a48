//! An image of 200 MB that exists gets five tags inside one registry: this action beside `crane copy` and
//! `crane tag`, alternating in one run. Prints medians; asserts that no layer was moved.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement, printed for people"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ghcr_double::{Account, Double, Endpoint};
use serde_json::json;
use tempfile::TempDir;

const RUNS: usize = 9;
const TOKEN: &str = "ghs_of-the-bench";
const LAYERS: u8 = 4;
const BYTES: usize = 50_000_000;
const TAGS: [&str; 5] = ["1.2.3", "1.2", "1", "stable", "edge"];

fn main() {
    let double = Double::builder()
        .token(TOKEN, Account::workflow("acme/Hello"))
        .start()
        .unwrap();
    let digest = put_image(&double, "acme/tested");
    let source = format!("{}/acme/tested@{digest}", double.host());
    let config = login(&double.host());
    let has_crane = command("crane")
        .arg("version")
        .stdout(Stdio::null())
        .status();
    let has_crane = has_crane.is_ok_and(|status| status.success());
    let (mut ours, mut beside, mut crane) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        let same = format!("{}/acme/tested", double.host());
        ours.push(time(&mut publish(&double, &source, &same)));
        let other = format!("{}/acme/ours-{run}", double.host());
        beside.push(time(&mut publish(&double, &source, &other)));
        if has_crane {
            let other = format!("{}/acme/crane-{run}", double.host());
            crane.push(copy_and_tag(&source, &other, config.path()));
        }
    }
    assert_eq!(double.count(Endpoint::BlobPut), 0, "a layer was moved");
    let row = |what: &str, times: Vec<Duration>| {
        println!("| {what} | {:.3} s |", median(times).as_secs_f64());
    };
    println!(
        "| five tags for an image of 200 MB inside one registry, {RUNS} alternating runs | median |"
    );
    println!("|---|--:|");
    row("`candidate`, the same repository", ours);
    row(
        "`candidate`, another repository: mounted, proven, read back",
        beside,
    );
    if has_crane {
        row(
            "`crane copy` to another repository, then `crane tag` four times",
            crane,
        );
    }
}

/// One layer after the other with one byte over and over.
fn put_image(double: &Double, name: &str) -> String {
    let config = json!({ "architecture": "amd64", "os": "linux" }).to_string();
    let size = config.len();
    let config = double.put_blob(name, config);
    let layer = |fill| {
        let digest = double.put_blob(name, vec![fill; BYTES]);
        let media_type = "application/vnd.oci.image.layer.v1.tar";
        json!({ "mediaType": media_type, "digest": digest, "size": BYTES })
    };
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let config_type = "application/vnd.oci.image.config.v1+json";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": { "mediaType": config_type, "digest": config, "size": size },
        "layers": (0..LAYERS).map(layer).collect::<Vec<_>>(),
    });
    double.set_package(name, ghcr_double::Package::of("acme/Hello"));
    double.put_manifest(name, "tested", media_type, manifest.to_string())
}

fn publish(double: &Double, candidate: &str, name: &str) -> Command {
    let mut publish = command(env!("CARGO_BIN_EXE_ghcr-publish"));
    let tags: Vec<String> = TAGS
        .iter()
        .map(|tag| format!("type=raw,value={tag}"))
        .collect();
    publish
        .env_remove("GITHUB_ACTIONS")
        .env("GITHUB_REPOSITORY", "acme/Hello")
        .env("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567")
        .env("GITHUB_REF", "refs/heads/main")
        .env("GITHUB_API_URL", double.api_url())
        .env("INPUT_PASSWORD", TOKEN)
        .env("INPUT_REGISTRY", double.host())
        .env("INPUT_IMAGES", name)
        .env("INPUT_CANDIDATE", candidate)
        .env("INPUT_TAGS", tags.join("\n"))
        .env("INPUT_FLAVOR", "latest=false");
    publish
}

fn copy_and_tag(source: &str, name: &str, config: &Path) -> Duration {
    let crane = |arguments: &[&str]| {
        let mut crane = command("crane");
        time(crane.env("DOCKER_CONFIG", config).args(arguments))
    };
    let [first, others @ ..] = TAGS;
    let first = format!("{name}:{first}");
    let copied = crane(&["copy", source, &first]);
    let tagged = others.iter().map(|tag| crane(&["tag", &first, tag]));
    tagged.fold(copied, |sum, took| sum + took)
}

fn login(host: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({"auths": {host: {"username": "octocat", "password": TOKEN}}});
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    folder
}

fn time(command: &mut Command) -> Duration {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let start = Instant::now();
    let output = command.output().unwrap();
    let took = start.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    took
}

fn median(mut times: Vec<Duration>) -> Duration {
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
