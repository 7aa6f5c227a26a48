//! A build that says much: a scripted buildx writes its progress, because an engine cuts the log of each build step.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::network::Network;
use crate::ours;
use crate::row::Row;
use crate::runner::Job;
use crate::trial::{Contender, Series, Trial};
use crate::world::{TOKEN, World, command, variable};

const MEGABYTE: usize = 1_000_000;
const LINE: &str = "compiling a part of something large, as a build does for a long time\n";
/// In one message of the progress.
const LINES: usize = 50;

/// The plain tool is the scripted buildx with `cat` as its reader.
pub(crate) fn rows(world: &World, what: &str, megabytes: usize) -> Vec<Row> {
    let buildx = Buildx::saying(megabytes * MEGABYTE);
    let directories = [buildx.directory.path().to_owned()];
    let path = variable("PATH").unwrap_or_default();
    let path = std::env::join_paths(directories.into_iter().chain(std::env::split_paths(&path)));
    let path = path.unwrap();
    let ours: Contender<'_> = Box::new(|_, meter| {
        let job = Job::new(world, &world.example, "v1.2.3", TOKEN);
        let mut step = ours::step(&job, &[("push", "false")]);
        meter.run_unheard(step.env("PATH", &path));
    });
    let plain: Contender<'_> = Box::new(|_, meter| {
        let read = "\"$0\" build --metadata-file=/dev/null 2>&1 | cat";
        let mut shell = command("sh");
        meter.run_unheard(shell.args(["-c", read]).arg(buildx.program()));
    });
    let trial = Trial::of_growth(Network::Loopback);
    let measured = trial.run(world, &[Some(ours), Some(plain), None]);
    let what = format!("{what} (plain: `cat`)");
    let row = |figure: &str, of| measured.row(format!("{what}: {figure}"), of);
    vec![
        row("time", Series::time).at("MB of build log", megabytes as f64),
        row("peak memory", Series::peak).at("MB of build log", megabytes as f64),
    ]
}

/// A program in the place of buildx that builds nothing.
struct Buildx {
    directory: TempDir,
}

impl Buildx {
    fn saying(bytes: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let buildx = Self { directory };
        let path = buildx.program();
        fs::write(&path, script(buildx.directory.path(), bytes)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        buildx
    }

    fn program(&self) -> PathBuf {
        self.directory.path().join("buildx")
    }
}

fn script(directory: &Path, bytes: usize) -> String {
    let text = LINE.repeat(LINES);
    let message = directory.join("message");
    fs::write(&message, log(&text).to_string()).unwrap();
    let (begin, end) = (
        step(&json!({})),
        step(&json!({"completed": "2026-01-01T00:00:09Z"})),
    );
    let digest = format!("sha256:{}", "0".repeat(64));
    let metadata = json!({ "containerimage.digest": digest });
    format!(
        "#!/bin/sh
[ \"$1\" != version ] || {{ echo 'github.com/docker/buildx v0.29.1 a32761a'; exit; }}
for argument; do case $argument in --metadata-file=*) metadata=${{argument#*=}};; esac; done
echo '{metadata}' >\"$metadata\"
exec >&2
echo '{begin}'
yes \"$(cat {})\" | head -n {}
echo '{end}'
",
        message.display(),
        bytes.div_ceil(text.len()),
    )
}

/// <https://github.com/moby/buildkit/blob/v0.25.0/client/graph.go>, as `--progress=rawjson` writes it.
fn step(more: &Value) -> Value {
    let mut vertex = json!({
        "digest": "sha256:1",
        "name": "[1/1] RUN make",
        "started": "2026-01-01T00:00:00Z",
    });
    let more = more.as_object().unwrap().clone();
    vertex.as_object_mut().unwrap().extend(more);
    json!({ "vertexes": [vertex] })
}

fn log(text: &str) -> Value {
    let data = STANDARD.encode(text);
    json!({ "logs": [{"vertex": "sha256:1", "stream": 1, "data": data, "timestamp": "2026-01-01T00:00:01Z"}] })
}
