//! A builder that is created for a run: its name, its state, and the argument vectors that create, boot and remove it; the post step, which removes what a stopped run left.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::buildx::builder::{Builder, CONTAINER_PREFIX, create};
use crate::buildx::docker_config::PrivateConfig;
use crate::console::Console;
use crate::context::server::Server;
use crate::credentials::Credentials;
use crate::docker;
use crate::docker::api::EngineApi;
use crate::inputs::Inputs;
use crate::inputs::builder::node::Node;
use crate::inputs::builder::{BuilderInputs, Driver, Recipe};
use crate::post_state::PostState;
use crate::private_directory::remove_leftovers;
use crate::vars::Vars;

/// A builder that this run creates and removes.
#[derive(Debug)]
pub(crate) struct Creation {
    pub(crate) recipe: Recipe,
    /// Why one is created although no input asks for it.
    pub(crate) reason: Option<String>,
    /// How far it got.
    pub(crate) state: CreationState,
    /// Where the post step learns of it.
    post_state: Option<PostState>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CreationState {
    /// Nothing was created yet.
    NotCreated,
    /// Its record is in our directory; its container may exist.
    Recorded,
    /// Left by a stopped run: its container may exist, its record does not.
    LeftBehind,
}

impl Creation {
    pub(crate) fn new(
        recipe: Recipe,
        reason: Option<String>,
        state: CreationState,
        vars: &Vars,
    ) -> Self {
        Self {
            recipe,
            reason,
            state,
            post_state: PostState::of(vars),
        }
    }

    pub(crate) fn remember(&self, name: &str) -> anyhow::Result<()> {
        let Some(state) = &self.post_state else {
            return Ok(());
        };
        let set = state.set(STATE, name);
        set.context("could not write to `GITHUB_STATE`")
    }

    /// Without it the post step looks once more, and finds nothing.
    pub(crate) fn forget(&self) {
        drop(self.post_state.as_ref().map(|state| state.set(STATE, "")));
    }
}

/// The name of the builder for the post step; empty if there is none any more.
const STATE: &str = "builder";

pub(super) const PREFIX: &str = "ghcr-publish-";

/// A name that no other builder has.
pub(super) fn new_name(vars: &Vars) -> String {
    let own: String = std::iter::repeat_with(fastrand::lowercase)
        .take(6)
        .collect();
    let step = step_prefix(vars).unwrap_or_else(|| format!("{PREFIX}local-"));
    format!("{step}{own}")
}

/// What the names of all builders of this step begin with, and of no other step on the machine: a run has
/// several jobs, a matrix gives them one name, but a runner has one job at a time. act calls every run 1, and
/// has a workspace for each. Two steps of a job can run at the same time, and `GITHUB_ACTION` tells them apart; the
/// post step has that of its step. Nothing outside of a job.
pub(crate) fn step_prefix(vars: &Vars) -> Option<String> {
    let run = vars.get("GITHUB_RUN_ID")?;
    if !run.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let facts = [
        "GITHUB_REPOSITORY",
        "GITHUB_WORKFLOW",
        "GITHUB_JOB",
        "GITHUB_ACTION",
        "GITHUB_RUN_ATTEMPT",
        "RUNNER_NAME",
        "GITHUB_WORKSPACE",
    ];
    let facts = facts.map(|name| vars.get(name).unwrap_or_default());
    let hash = Sha256::digest(facts.join("\n"));
    let step: String = hash[..3].iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{PREFIX}{run}-{step}-"))
}

/// `buildx create`, once a node: the first makes the builder `name`, the others join it. `files` is the
/// directory with what [`files`] listed.
pub(crate) fn create(recipe: &Recipe, name: &str, files: &Path) -> Vec<Vec<String>> {
    let nodes = recipe.nodes.iter().enumerate();
    nodes
        .map(|(number, node)| create_node(recipe, name, number, node, files))
        .collect()
}

fn create_node(
    recipe: &Recipe,
    name: &str,
    number: usize,
    node: &Node,
    files: &Path,
) -> Vec<String> {
    let Node {
        name: node_name,
        endpoint,
        driver_opts,
        buildkitd_flags,
        platforms,
        tls: _,
    } = node;
    let mut arguments = vec!["create".to_owned(), format!("--name={name}")];
    arguments.push(match number {
        0 => format!("--driver={}", recipe.driver.as_str()),
        _ => "--append".to_owned(),
    });
    let optional = |flag: &str, value: &Option<String>| {
        let value = value.as_ref();
        value.map(|value| format!("--{flag}={value}"))
    };
    arguments.extend(optional("node", node_name));
    let certificates = tls_files(recipe.driver, node, number);
    let certificates =
        certificates.map(|(option, file, _)| format!("{option}={}", files.join(file).display()));
    let options = driver_opts.iter().cloned().chain(certificates);
    arguments.extend(options.map(|option| format!("--driver-opt={option}")));
    arguments.extend(optional("buildkitd-flags", buildkitd_flags));
    arguments.extend(optional("platform", platforms));
    if recipe.daemon_config.is_some() {
        let path = files.join(DAEMON_CONFIG);
        arguments.push(format!("--buildkitd-config={}", path.display()));
    }
    if let Some(endpoint) = endpoint {
        arguments.extend(["--".to_owned(), endpoint.clone()]);
    }
    arguments
}

/// The file a builder's daemon configuration is written to.
pub(crate) const DAEMON_CONFIG: &str = "buildkitd.toml";

/// The certificates of a node: the driver's option, the file, and the text of the file. Only BuildKit that
/// is reached directly takes them; an engine has them in its docker context.
pub(crate) fn tls_files(
    driver: Driver,
    node: &Node,
    number: usize,
) -> impl Iterator<Item = (&'static str, PathBuf, &str)> {
    let parts = [
        ("cacert", &node.tls.cacert),
        ("cert", &node.tls.cert),
        ("key", &node.tls.key),
    ];
    let parts = parts.into_iter().filter(move |_| driver == Driver::Remote);
    parts.filter_map(move |(option, text)| {
        let file = PathBuf::from(format!("{option}-{number}.pem"));
        Some((option, file, text.as_ref()?.expose()))
    })
}

pub(crate) fn boot(name: &str) -> Vec<String> {
    ["inspect", "--bootstrap", "--", name]
        .map(str::to_owned)
        .into()
}

pub(crate) fn inspect(name: Option<&str>) -> Vec<String> {
    let name = name.into_iter().flat_map(|name| ["--", name]);
    std::iter::once("inspect")
        .chain(name)
        .map(str::to_owned)
        .collect()
}

pub(crate) fn remove(name: &str) -> Vec<String> {
    ["rm", "--force", "--", name].map(str::to_owned).into()
}

/// Removes what the run left, if it left anything. Repeating it does no harm, and no failure of it fails
/// the job.
pub(crate) async fn remove_leftover(vars: &Vars, console: Console) {
    remove_leftovers(vars);
    let name = vars
        .get("STATE_builder")
        .filter(|name| name.starts_with(PREFIX));
    match name.map(|name| builder(name, vars)) {
        Some(Ok(builder)) => builder.remove(console).await,
        Some(Err(error)) => {
            let text = format!("could not remove the builder this run left: {error:#}");
            console.warning(None, &text);
        }
        None => {}
    }
    // A run that was killed may not have handed its state over, and act hands none to containers. When the
    // engine does not answer, nothing is reported: no leftover is known.
    if let (Some(api), Some(step)) = (EngineApi::find(vars), create::step_prefix(vars)) {
        drop(api.remove(&format!("{CONTAINER_PREFIX}{step}")).await);
    }
}

/// The builder, recreated from the inputs: its record was lost with the container of the run.
fn builder(name: &str, vars: &Vars) -> anyhow::Result<Builder> {
    let inputs = Inputs::from_vars(vars, &[])?;
    let recipe = match &inputs.builder {
        BuilderInputs::Made(recipe) => recipe.outline(),
        BuilderInputs::Automatic | BuilderInputs::Named(_) => Recipe::container(),
    };
    let credentials = Credentials::new(&inputs, vars, &Server::Public)?;
    let config = PrivateConfig::write(vars, &credentials, &[])?;
    let buildx = docker::find_buildx(vars)?;
    Ok(Builder::left(buildx, name.to_owned(), recipe, config, vars))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Inputs;
    use crate::inputs::builder::BuilderInputs;
    use crate::vars::Vars;
    use expect_test::{Expect, expect};

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a snapshot is written where it is used"
    )]
    #[track_caller]
    fn check(inputs: &[(&str, &str)], expected: Expect) {
        let with = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let with: Vec<_> = inputs.iter().map(with).collect();
        let vars = Vars::of(&[
            ("BUILDER_NODE_0_AUTH_TLS_CACERT", "ca"),
            ("BUILDER_NODE_0_AUTH_TLS_KEY", "key"),
        ]);
        let BuilderInputs::Made(recipe) = Inputs::from_vars(&vars, &with).unwrap().builder else {
            panic!("no builder is made");
        };
        let commands = create(&recipe, "b", Path::new("/run/x"));
        let oldest = include_str!("../../../tests/it/fixtures/buildx-0.13.1-help.txt");
        for argument in commands.iter().flatten() {
            let flag = argument
                .split_once('=')
                .filter(|(flag, _)| flag.starts_with("--"));
            assert!(flag.is_none_or(|(flag, _)| oldest.contains(&format!("{flag} "))));
        }
        let shown = commands.iter().map(|command| command.join("\n"));
        expected.assert_eq(&shown.collect::<Vec<_>>().join("\n\n"));
    }

    #[test]
    fn container_driver_accepts_every_input() {
        check(
            &[
                ("driver", "docker-container"),
                ("driver-opts", "network=host\nimage=moby/buildkit:v0.25.2"),
                ("buildkitd-flags", "--debug --oci-worker-gc=false"),
                ("buildkitd-config", "ci/buildkitd.toml"),
                ("endpoint", "ssh://me@far"),
            ],
            expect![[r#"
                create
                --name=b
                --driver=docker-container
                --driver-opt=network=host
                --driver-opt=image=moby/buildkit:v0.25.2
                --buildkitd-flags=--debug --oci-worker-gc=false
                --buildkitd-config=/run/x/buildkitd.toml
                --
                ssh://me@far"#]],
        );
    }

    #[test]
    fn remote_nodes_join_with_a_platform_each() {
        check(
            &[
                ("driver", "remote"),
                ("endpoint", "tcp://amd:1234"),
                (
                    "append",
                    "- name: arm\n  endpoint: tcp://arm:1234\n  platforms: linux/arm64\n",
                ),
            ],
            expect![[r#"
                create
                --name=b
                --driver=remote
                --driver-opt=cacert=/run/x/cacert-0.pem
                --driver-opt=key=/run/x/key-0.pem
                --
                tcp://amd:1234

                create
                --name=b
                --append
                --node=arm
                --platform=linux/arm64
                --
                tcp://arm:1234"#]],
        );
    }

    #[test]
    fn kubernetes_driver_accepts_namespace_and_nodes() {
        check(
            &[
                ("driver", "kubernetes"),
                (
                    "driver-opts",
                    "namespace=ci\nreplicas=2\n\"nodeselector=kubernetes.io/arch=amd64,pool=build\"",
                ),
                (
                    "append",
                    "- name: arm\n  driver-opts:\n    - namespace=ci\n    - nodeselector=kubernetes.io/arch=arm64\n  buildkitd-flags: --debug\n  platforms: linux/arm64\n",
                ),
                ("buildkitd-config-inline", "debug = true"),
            ],
            expect![[r#"
                create
                --name=b
                --driver=kubernetes
                --driver-opt=namespace=ci
                --driver-opt=replicas=2
                --driver-opt="nodeselector=kubernetes.io/arch=amd64,pool=build"
                --buildkitd-config=/run/x/buildkitd.toml

                create
                --name=b
                --append
                --node=arm
                --driver-opt=namespace=ci
                --driver-opt=nodeselector=kubernetes.io/arch=arm64
                --buildkitd-flags=--debug
                --platform=linux/arm64
                --buildkitd-config=/run/x/buildkitd.toml"#]],
        );
    }

    #[test]
    fn builders_of_two_jobs_have_different_prefixes() {
        let job = |runner| Vars::of(&[("GITHUB_RUN_ID", "42"), ("RUNNER_NAME", runner)]);
        let (one, other) = (job("a"), job("b"));
        let prefix = step_prefix(&one).unwrap();
        assert!(prefix.starts_with("ghcr-publish-42-"), "{prefix}");
        assert_ne!(Some(&prefix), step_prefix(&other).as_ref());
        let names = [new_name(&one), new_name(&one)];
        assert!(names.iter().all(|name| name.starts_with(&prefix)));
        assert_ne!(names[0], names[1]);
        assert_eq!(step_prefix(&Vars::of(&[])), None);
        assert!(new_name(&Vars::of(&[])).starts_with("ghcr-publish-local-"));
    }

    #[test]
    fn builders_of_two_steps_have_different_prefixes() {
        let step = |id| Vars::of(&[("GITHUB_RUN_ID", "42"), ("GITHUB_ACTION", id)]);
        let prefix = step_prefix(&step("__acme_publish")).unwrap();
        assert!(new_name(&step("__acme_publish")).starts_with(&prefix));
        assert!(!new_name(&step("__acme_publish_2")).starts_with(&prefix));
    }
}
