//! `World`: the registry, the logins and the programs that every row uses.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::Command;

use ghcr_double::{Access, Account, Double, Repository};
use serde_json::json;
use tempfile::TempDir;

use crate::actions::{Action, Actions};
use crate::price::Price;

pub(crate) const TOKEN: &str = "ghs_of-the-bench";
/// Of a job without `packages: write`.
pub(crate) const READER: &str = "ghs_of-the-bench-that-may-only-read";
pub(crate) const REPOSITORY: &str = "acme/Hello";
pub(crate) const DESCRIPTION: &str = "Says hello";
pub(crate) const LICENSE: &str = "Apache-2.0";
/// More requests to the API than a run of the bench makes.
const UNLIMITED: u64 = 10_000_000;
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

pub(crate) struct World {
    pub(crate) double: Double,
    pub(crate) buildx: PathBuf,
    pub(crate) crane: Option<PathBuf>,
    pub(crate) actions: Option<Actions>,
    /// The name of the image of this action in the engine.
    pub(crate) image: Option<String>,
    pub(crate) example: PathBuf,
    price: OnceCell<Option<Price>>,
}

impl World {
    pub(crate) fn start() -> Self {
        Self {
            double: registry(),
            buildx: buildx(),
            crane: on_path("crane"),
            actions: variable("PEERS").map(|directory| Actions::read(Path::new(&directory))),
            image: variable("IMAGE"),
            example: Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hello"),
            price: OnceCell::new(),
        }
    }

    /// The image name of a package that only one column of one row writes to.
    pub(crate) fn package(&self, name: &str) -> String {
        format!("{}/acme/{name}", self.double.host())
    }

    /// What a job pays besides the work of ours, if the image of this action is known; measured once.
    pub(crate) fn price(&self) -> Option<&Price> {
        self.price.get_or_init(|| Price::of(self)).as_ref()
    }

    /// Whether the columns and the prices of the README can be measured.
    pub(crate) fn has_peers(&self) -> bool {
        self.actions.is_some() && self.price().is_some()
    }

    /// The actions that publish together, if they are here.
    pub(crate) fn usual(&self) -> Vec<&Action> {
        self.actions.iter().flat_map(Actions::each).collect()
    }
}

/// A registry that behaves like ghcr.io, in this process.
pub(crate) fn registry() -> Double {
    Double::builder()
        .token(TOKEN, Account::workflow(REPOSITORY))
        .token(READER, Account::workflow(REPOSITORY).packages(Access::Read))
        .repository(
            Repository::new(REPOSITORY)
                .description(DESCRIPTION)
                .license(LICENSE)
                .commit(COMMIT, &[], "2026-11-20T16:00:00Z"),
        )
        .requests_an_hour(UNLIMITED)
        .points_a_minute(UNLIMITED)
        .start()
        .unwrap()
}

/// A `DOCKER_CONFIG` with logins to registries.
pub(crate) fn login(hosts: &[String], token: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let login = json!({"username": "octocat", "password": token});
    let logins: serde_json::Map<_, _> = hosts
        .iter()
        .map(|host| (host.clone(), login.clone()))
        .collect();
    let config = json!({ "auths": logins });
    std::fs::write(directory.path().join("config.json"), config.to_string()).unwrap();
    directory
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement starts the programs it measures"
)]
pub(crate) fn command(program: impl AsRef<Path>) -> Command {
    Command::new(program.as_ref())
}

#[expect(
    clippy::disallowed_methods,
    reason = "who measures says with it what to measure"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = variable("PATH")?;
    let places = std::env::split_paths(&path).map(|directory| directory.join(program));
    places.into_iter().find(|place| place.is_file())
}

fn buildx() -> PathBuf {
    let directories = [
        "/usr/local/lib/docker",
        "/usr/local/libexec/docker",
        "/usr/lib/docker",
        "/usr/libexec/docker",
    ];
    let plugins =
        directories.map(|directory| Path::new(directory).join("cli-plugins/docker-buildx"));
    plugins
        .into_iter()
        .find(|path| path.is_file())
        .expect("buildx is here: testbed/engine installs it")
}
