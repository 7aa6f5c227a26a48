//! The parts as values: an engine's address, a registry that ends with the test, crane.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ghcr_double::{Account, Issuer};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::{Server, free_address};
use crate::support::{Action, TOKEN, process};

/// A file of the repository.
pub(crate) fn repository_file(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Standard output of a program that must succeed.
pub(crate) fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A publication of examples/hello by the real engine: the one of the machine, or another.
pub(crate) fn publication(engine: Option<&str>) -> Action {
    let action = Action::new();
    let workspace = action.path("workspace");
    fs::remove_file(workspace.join("Dockerfile")).unwrap();
    for name in ["Dockerfile", "hello.txt"] {
        fs::copy(
            repository_file("examples/hello").join(name),
            workspace.join(name),
        )
        .unwrap();
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the engine of the machine is named by its environment"
    )]
    let own = std::env::var("DOCKER_HOST").ok();
    let path = output_of(tool("printenv").arg("PATH"));
    let action = action
        .without("DOCKER_HOST")
        .env("PATH", path)
        .input("github-token", TOKEN);
    match engine.map(str::to_owned).or(own) {
        Some(host) => action.env("DOCKER_HOST", host),
        None => action,
    }
}

/// The address of an engine with a graph driver.
pub(crate) fn graph_engine() -> String {
    let script = repository_file("testbed/graph-engine");
    let said = output_of(&mut process(script.to_str().unwrap()));
    said.lines().last().unwrap().to_owned()
}

/// A program that the testbed installed, or the machine's own.
pub(crate) fn tool(program: &str) -> Command {
    let common = repository_file("testbed/common.sh");
    let start = format!(". '{}'; exec \"$@\"", common.display());
    let mut tool = process("bash");
    tool.args(["-c", &start, "testbed", program]);
    tool
}

/// The buildx program, found as the testbed finds it.
fn buildx_path() -> String {
    let common = repository_file("testbed/common.sh");
    let ask = format!(". '{}' && buildx_path", common.display());
    output_of(process("bash").args(["-c", &ask]))
}

/// A call of that buildx on one engine.
pub(crate) fn buildx(engine: Option<&str>) -> Command {
    let mut buildx = process(&buildx_path());
    buildx.env("BUILDX_NO_DEFAULT_ATTESTATIONS", "1");
    buildx.envs(engine.map(|host| ("DOCKER_HOST", host)));
    buildx
}

/// Whether the engine of the machine is 28 or newer: it repeats what a registry said with a refusal (older ones show the
/// status alone) and has BuildKit's checks of a Dockerfile.
pub(crate) fn engine_is_recent() -> bool {
    engine_version() >= 28
}

/// The first number of the version of the engine of the machine.
pub(crate) fn engine_version() -> u32 {
    let version = output_of(process("docker").args(["version", "--format={{.Server.Version}}"]));
    version.split('.').next().unwrap().parse().unwrap()
}

/// A `DOCKER_CONFIG` with credentials for one registry, where `docker buildx` is the same program.
pub(crate) fn login(registry: &str) -> TempDir {
    let config = tempfile::tempdir().unwrap();
    let auth = STANDARD.encode(format!("octocat:{TOKEN}"));
    let login = json!({"auths": {registry: {"auth": auth}}});
    fs::write(config.path().join("config.json"), login.to_string()).unwrap();
    let plugins = config.path().join("cli-plugins");
    fs::create_dir(&plugins).unwrap();
    symlink(buildx_path(), plugins.join("docker-buildx")).unwrap();
    config
}

/// crane, logged in to one registry.
pub(crate) struct Crane {
    config: TempDir,
}

impl Crane {
    pub(crate) fn new(registry: &str) -> Self {
        let config = login(registry);
        Self { config }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        output_of(
            tool("crane")
                .args(arguments)
                .env("DOCKER_CONFIG", self.config.path()),
        )
    }

    /// What crane prints, as it is.
    pub(crate) fn bytes(&self, arguments: &[&str]) -> Vec<u8> {
        let mut crane = tool("crane");
        let crane = crane
            .args(arguments)
            .env("DOCKER_CONFIG", self.config.path());
        crane.output().unwrap().stdout
    }

    pub(crate) fn digest(&self, reference: &str) -> String {
        self.run(&["digest", reference])
    }

    pub(crate) fn manifest(&self, reference: &str) -> Value {
        serde_json::from_str(&self.run(&["manifest", reference])).unwrap()
    }
}

/// The distribution registry, which Debian calls `docker-registry`, behind token authentication.
pub(crate) struct DebianRegistry {
    address: SocketAddr,
    _server: Server,
    _issuer: Issuer,
    directory: TempDir,
}

impl DebianRegistry {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let issuer = Issuer::builder("registry.test")
            .token(TOKEN, Account::classic("acme"))
            .start(directory.path())
            .unwrap();
        let address = free_address();
        let config = directory.path().join("config.yml");
        fs::write(
            &config,
            issuer.registry_config(address, &directory.path().join("storage")),
        )
        .unwrap();
        let mut serve = tool("docker-registry");
        serve.arg("serve").arg(&config);
        let log = directory.path().join("log");
        let server = Server::start(serve, address, &log);
        Self {
            address,
            _server: server,
            _issuer: issuer,
            directory,
        }
    }

    /// Removes the blobs that no manifest needs.
    pub(crate) fn collect_garbage(&self) {
        let config = self.directory.path().join("config.yml");
        let mut collect = tool("docker-registry");
        output_of(collect.arg("garbage-collect").arg(config));
    }

    /// The name that the token server has too.
    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }
}
