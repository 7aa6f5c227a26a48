//! Where the engine is, and whether it can be reached, before anything is started.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::problem::Problem;
use crate::vars::Vars;

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
const PATIENCE: Duration = Duration::from_secs(10);

/// `buildx` or `docker-buildx` on `PATH`, else where the docker CLI keeps its plugins
/// (<https://github.com/docker/cli/blob/v28.5.2/cli-plugins/manager/manager_unix.go>).
pub(super) fn buildx(vars: &Vars) -> Result<PathBuf, Problem> {
    let on_path = vars
        .get("PATH")
        .map(std::env::split_paths)
        .into_iter()
        .flatten();
    let on_path = on_path.flat_map(|folder| [folder.join("buildx"), folder.join("docker-buildx")]);
    let own = vars
        .path("HOME")
        .map(|home| home.join(".docker/cli-plugins"));
    let shared = [
        "/usr/local/lib/docker",
        "/usr/local/libexec/docker",
        "/usr/lib/docker",
        "/usr/libexec/docker",
    ];
    let folders = own
        .into_iter()
        .chain(shared.map(|folder| Path::new(folder).join("cli-plugins")));
    let plugins = folders.map(|folder| folder.join("docker-buildx"));
    on_path.chain(plugins).find(|path| path.is_file()).ok_or_else(|| {
        Problem::new("there is no `buildx` on this machine", "install it (package `docker-buildx-plugin` or `docker-buildx`), or run the action from its own image, which brings it")
    })
}

/// Asks the engine's socket to answer. An engine in a docker context or behind ssh is buildx's to find.
pub(super) async fn engine(vars: &Vars) -> Result<(), Problem> {
    let elsewhere = ["DOCKER_CONTEXT", "BUILDX_BUILDER"]
        .iter()
        .any(|name| vars.get(name).is_some());
    let socket = match vars.get("DOCKER_HOST") {
        Some(host) => host.strip_prefix("unix://").map(Path::new),
        None => Some(Path::new(DEFAULT_SOCKET)),
    };
    let Some(socket) = socket.filter(|_| !elsewhere) else {
        return Ok(());
    };
    match timeout(PATIENCE, UnixStream::connect(socket)).await {
        Ok(Ok(_stream)) => Ok(()),
        Ok(Err(error)) => Err(unreachable(socket, &error, vars)),
        Err(_elapsed) => Err(unreachable(socket, &io::ErrorKind::TimedOut.into(), vars)),
    }
}

fn unreachable(socket: &Path, error: &io::Error, vars: &Vars) -> Problem {
    let fix = if vars.in_actions() {
        "run the job on a runner with Docker, for example `runs-on: ubuntu-latest`; on your own runner start the engine and let this socket reach it"
    } else {
        "start the engine (`sudo systemctl start docker`, or Docker Desktop), or let `DOCKER_HOST` name the one to use"
    };
    Problem::new(
        format!("cannot reach the Docker engine at `{}`", socket.display()),
        fix,
    )
    .because(error.to_string())
}
