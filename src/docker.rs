//! The Docker engine: its address, its API, and the images it has; and where buildx is installed.

pub(crate) mod api;
pub(crate) mod images;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::error::Problem;
use crate::vars::Vars;

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
const TIMEOUT: Duration = Duration::from_secs(10);

/// `buildx` or `docker-buildx` on `PATH`, else where the docker CLI keeps its plugins
/// (<https://github.com/docker/cli/blob/v28.5.2/cli-plugins/manager/manager_unix.go>).
pub(crate) fn find_buildx(vars: &Vars) -> Result<PathBuf, Problem> {
    let on_path = vars.get("PATH").map(std::env::split_paths);
    let on_path = on_path
        .into_iter()
        .flatten()
        .flat_map(|directory| ["buildx", "docker-buildx"].map(|name| directory.join(name)));
    let own = vars.path("HOME").map(|home| home.join(".docker"));
    let shared = [
        "/usr/local/lib/docker",
        "/usr/local/libexec/docker",
        "/usr/lib/docker",
        "/usr/libexec/docker",
    ];
    let plugins = own.into_iter().chain(shared.map(PathBuf::from));
    let plugins = plugins.map(|directory| directory.join("cli-plugins/docker-buildx"));
    on_path.chain(plugins).find(|path| path.is_file()).ok_or_else(|| {
        Problem::new("`buildx` is not installed", "install it (package `docker-buildx-plugin` or `docker-buildx`), or run the action's own image, which includes it")
    })
}

/// The address of an engine whose API this program can call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Socket(PathBuf),
    /// Host and port, without TLS.
    Tcp(String),
}

/// The engine of this environment; one in a docker context, behind ssh or TLS is buildx's to find.
pub(crate) fn address(vars: &Vars) -> Option<Address> {
    let elsewhere = ["DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY"];
    let Some(host) = vars.get("DOCKER_HOST") else {
        let here = vars.get("DOCKER_CONTEXT").is_none();
        return here.then(|| Address::Socket(PathBuf::from(DEFAULT_SOCKET)));
    };
    let socket = host.strip_prefix("unix://").map(PathBuf::from);
    let tcp = host
        .strip_prefix("tcp://")
        .filter(|_| elsewhere.iter().all(|name| vars.get(name).is_none()));
    let tcp = tcp.map(|address| Address::Tcp(address.trim_end_matches('/').to_owned()));
    socket.map(Address::Socket).or(tcp)
}

/// Fails unless the engine's socket accepts connections.
pub(crate) async fn require_engine(vars: &Vars) -> Result<(), Problem> {
    let elsewhere = ["DOCKER_CONTEXT", "BUILDX_BUILDER"]
        .iter()
        .any(|name| vars.get(name).is_some());
    let Some(Address::Socket(socket)) = address(vars).filter(|_| !elsewhere) else {
        return Ok(());
    };
    let socket = socket.as_path();
    match timeout(TIMEOUT, UnixStream::connect(socket)).await {
        Ok(Ok(_stream)) => Ok(()),
        Ok(Err(error)) => Err(unreachable(socket, &error, vars)),
        Err(_elapsed) => Err(unreachable(socket, &io::ErrorKind::TimedOut.into(), vars)),
    }
}

fn unreachable(socket: &Path, error: &io::Error, vars: &Vars) -> Problem {
    let fix = if vars.in_actions() {
        "run the job on a runner with Docker, for example `runs-on: ubuntu-latest`; on a self-hosted runner, start the engine and make this socket available"
    } else {
        "start the engine (`sudo systemctl start docker`, or Docker Desktop), or set `DOCKER_HOST` to the engine to use"
    };
    Problem::new(
        format!("cannot reach the Docker engine at `{}`", socket.display()),
        fix,
    )
    .because(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: Option<&Address>) {
        assert_eq!(address(&Vars::of(variables)).as_ref(), expected);
    }

    #[test]
    fn engine_address_is_read_from_environment() {
        let socket = |path: &str| Address::Socket(PathBuf::from(path));
        let tcp = ("DOCKER_HOST", "tcp://10.0.0.7:2375/");
        check(&[], Some(&socket(DEFAULT_SOCKET)));
        let elsewhere = ("DOCKER_HOST", "unix:///x.sock");
        check(&[elsewhere], Some(&socket("/x.sock")));
        check(&[tcp], Some(&Address::Tcp("10.0.0.7:2375".to_owned())));
        check(&[tcp, ("DOCKER_TLS_VERIFY", "1")], None);
        check(&[("DOCKER_HOST", "ssh://me@far")], None);
        check(&[("DOCKER_CONTEXT", "far")], None);
    }
}
