//! The builder inputs: which BuildKit builds, or how one is created.
//!
//! Names and meaning are those of docker/setup-buildx-action.

pub(crate) mod node;

use crate::error::Problem;
use crate::inputs::builder::node::{Node, Tls, runs_already};
use crate::inputs::{RawInputs, list};
use crate::vars::Vars;

/// The builder that the inputs select.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BuilderInputs {
    /// No input: the engine's builder if it supports the request, else one is created.
    Automatic,
    /// An existing one: `builder`, or `driver: docker` for the engine's builder.
    Named(String),
    /// One to create, use and remove.
    Made(Recipe),
}

/// How a builder is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    pub(crate) driver: Driver,
    /// The first one creates the builder, the others join it.
    pub(crate) nodes: Vec<Node>,
    pub(crate) daemon_config: Option<DaemonConfig>,
}

/// What buildx runs BuildKit with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    DockerContainer,
    Kubernetes,
    Remote,
}

/// The configuration of the BuildKit daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DaemonConfig {
    /// A file in the workspace.
    File(String),
    Inline(String),
}

const MAKING: &[&str] = &[
    "driver",
    "driver-opts",
    "buildkitd-flags",
    "buildkitd-config",
    "buildkitd-config-inline",
    "endpoint",
    "append",
];

impl BuilderInputs {
    pub(super) fn read(raw: &RawInputs, vars: &Vars) -> Result<Self, Problem> {
        let making: Vec<&str> = MAKING
            .iter()
            .copied()
            .filter(|name| raw.text(name).is_some())
            .collect();
        if let Some(name) = raw.text("builder") {
            return match making.first() {
                None => Ok(Self::Named(name.to_owned())),
                Some(other) => Err(named_and_made(name, other)),
            };
        }
        match (making.is_empty(), raw.text("driver")) {
            (true, _) => Ok(Self::Automatic),
            (false, Some("docker")) => match making.get(1) {
                // buildx names the engine's builder after its docker context.
                None => Ok(Self::Named(
                    vars.get("DOCKER_CONTEXT").unwrap_or("default").to_owned(),
                )),
                Some(other) => Err(engine_takes_nothing(other)),
            },
            (false, driver) => Ok(Self::Made(Recipe::read(driver_of(driver)?, raw, vars)?)),
        }
    }
}

impl BuilderInputs {
    /// Whether the engine of this machine must be there.
    pub(crate) fn uses_engine(&self) -> bool {
        match self {
            Self::Automatic => true,
            Self::Named(_) => false,
            Self::Made(recipe) => recipe.uses_engine(),
        }
    }
}

impl Recipe {
    /// A BuildKit in a container of the engine, with nothing said about it.
    pub(crate) fn container() -> Self {
        Self {
            driver: Driver::DockerContainer,
            nodes: vec![Node::default()],
            daemon_config: None,
        }
    }

    /// Whether a node of it is a container of this machine's engine.
    pub(crate) fn uses_engine(&self) -> bool {
        self.driver == Driver::DockerContainer
            && self.nodes.iter().any(|node| node.endpoint.is_none())
    }

    /// BuildKit that may grant `security.insecure`, unless its flags are given: those say it all then.
    pub(crate) fn allowing_insecure(mut self) -> Self {
        let flags = ["network.host", "security.insecure"]
            .map(|name| format!("--allow-insecure-entitlement={name}"));
        let starts_daemon = self.driver != Driver::Remote;
        for node in self.nodes.iter_mut().filter(|_| starts_daemon) {
            node.buildkitd_flags.get_or_insert_with(|| flags.join(" "));
        }
        self
    }

    /// The part of the recipe that is needed to remove the builder.
    pub(crate) fn outline(&self) -> Self {
        let outline = |node: &Node| Node {
            buildkitd_flags: None,
            tls: Tls::default(),
            ..node.clone()
        };
        Self {
            driver: self.driver,
            nodes: self.nodes.iter().map(outline).collect(),
            daemon_config: None,
        }
    }

    fn read(driver: Driver, raw: &RawInputs, vars: &Vars) -> Result<Self, Problem> {
        let first = Node {
            endpoint: raw.text("endpoint").map(str::to_owned),
            driver_opts: list::quoted_entries("driver-opts", raw.untrimmed("driver-opts"))?
                .iter()
                .map(|entry| entry.text().to_owned())
                .collect(),
            buildkitd_flags: raw.text("buildkitd-flags").map(str::to_owned),
            ..Node::default()
        };
        let appended = raw.text("append").map(node::appended).transpose()?;
        // A remote builder has no node but those with an address; the list alone is enough then.
        let in_list_only = driver == Driver::Remote && first.endpoint.is_none();
        let first = (!in_list_only || appended.is_none()).then_some(first);
        // The variables count as docker/setup-buildx-action does: `endpoint` is 0, the list begins at 1.
        let numbered = (0..)
            .zip(first)
            .chain((1..).zip(appended.into_iter().flatten()));
        let nodes = numbered.map(|(number, node)| {
            let tls = Tls::read(number, vars);
            node.checked(driver, number)
                .map(|node| Node { tls, ..node })
        });
        Ok(Self {
            driver,
            nodes: nodes.collect::<Result<_, _>>()?,
            daemon_config: DaemonConfig::read(driver, raw)?,
        })
    }
}

impl Driver {
    /// As buildx calls it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::DockerContainer => "docker-container",
            Self::Kubernetes => "kubernetes",
            Self::Remote => "remote",
        }
    }
}

impl DaemonConfig {
    fn read(driver: Driver, raw: &RawInputs) -> Result<Option<Self>, Problem> {
        let (file, inline) = ("buildkitd-config", "buildkitd-config-inline");
        let config = match (raw.text(file), raw.text(inline)) {
            (None, None) => return Ok(None),
            (Some(path), None) => Self::File(path.to_owned()),
            (None, Some(text)) => Self::Inline(text.to_owned()),
            (Some(_), Some(_)) => {
                return Err(Problem::new(
                    format!("the inputs `{file}` and `{inline}` are both set"),
                    "remove one of them: BuildKit reads one configuration",
                ));
            }
        };
        if driver == Driver::Remote {
            return Err(runs_already(match config {
                Self::File(_) => file,
                Self::Inline(_) => inline,
            }));
        }
        Ok(Some(config))
    }
}

fn driver_of(text: Option<&str>) -> Result<Driver, Problem> {
    match text {
        None | Some("docker-container") => Ok(Driver::DockerContainer),
        Some("kubernetes") => Ok(Driver::Kubernetes),
        Some("remote") => Ok(Driver::Remote),
        Some(other) => {
            let fix = if other == "cloud" {
                "only Docker's own build of buildx has that driver: use such a builder with `driver: remote`, or write `docker-container`, `kubernetes` or `docker`"
            } else {
                "write `docker-container`, `remote`, `kubernetes` or `docker`"
            };
            Err(Problem::new(
                format!("invalid value `{other}` for the input `driver`"),
                fix,
            ))
        }
    }
}

fn named_and_made(name: &str, other: &str) -> Problem {
    Problem::new(
        format!("the inputs `builder` and `{other}` are both set"),
        format!(
            "remove `{other}` to use the builder `{name}` as it is, or remove `builder` to create one"
        ),
    )
}

fn engine_takes_nothing(other: &str) -> Problem {
    Problem::new(
        format!("the input `{other}` has no effect on `driver: docker`"),
        format!("remove `{other}`, or set `driver: docker-container` to create a builder with it"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;
    use crate::inputs::Inputs;
    use expect_test::{Expect, expect};

    fn read(inputs: &[(&str, &str)]) -> anyhow::Result<BuilderInputs> {
        let with = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let with: Vec<_> = inputs.iter().map(with).collect();
        let key = ("BUILDER_NODE_1_AUTH_TLS_KEY", "the key");
        Ok(Inputs::from_vars(&Vars::of(&[key]), &with)?.builder)
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a snapshot is written where it is used"
    )]
    #[track_caller]
    fn refused(inputs: &[(&str, &str)], expected: Expect) {
        expected.assert_eq(&Explanation::of(&read(inputs).unwrap_err()).to_string());
    }

    #[track_caller]
    fn made(inputs: &[(&str, &str)]) -> Recipe {
        match read(inputs).unwrap() {
            BuilderInputs::Made(recipe) => recipe,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn inputs_select_the_builder() {
        assert_eq!(read(&[]).unwrap(), BuilderInputs::Automatic);
        let named = |name: &str| BuilderInputs::Named(name.to_owned());
        assert_eq!(read(&[("driver", "docker")]).unwrap(), named("default"));
        assert_eq!(read(&[("builder", "mine")]).unwrap(), named("mine"));
        let recipe = made(&[("driver", "docker-container")]);
        assert_eq!(recipe, Recipe::container());
        // As in setup-buildx-action, it is this driver unless another is named.
        let opts = "# the registry of the job\nnetwork=host\n\"env.no_proxy=a,b\"";
        let recipe = made(&[("driver-opts", opts)]);
        assert_eq!(recipe.driver, Driver::DockerContainer);
        let expected = ["network=host", "\"env.no_proxy=a,b\""];
        assert_eq!(recipe.nodes[0].driver_opts, expected);
    }

    #[test]
    fn nodes_join_in_their_order() {
        let append = "- endpoint: tcp://arm:1234\n  platforms: [linux/arm64, linux/arm/v7]\n- name: far\n  endpoint: tcp://far:1234\n  driver-opts:\n    - servername=far\n  platforms: linux/s390x\n";
        let recipe = made(&[
            ("driver", "remote"),
            ("endpoint", "tcp://amd:1234"),
            ("append", append),
        ]);
        let seen = recipe.nodes.iter().map(|node| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let tls = node.tls.key.is_some();
            let (endpoint, platforms) = (text(&node.endpoint), text(&node.platforms));
            format!(
                "{endpoint} [{platforms}] key={tls} {:?}\n",
                node.driver_opts
            )
        });
        expect![[r#"
            tcp://amd:1234 [] key=false []
            tcp://arm:1234 [linux/arm64,linux/arm/v7] key=true []
            tcp://far:1234 [linux/s390x] key=false ["servername=far"]
        "#]]
        .assert_eq(&seen.collect::<String>());
        let listed_only = made(&[("driver", "remote"), ("append", append)]);
        assert_eq!(listed_only.nodes, recipe.nodes[1..]);
    }

    #[test]
    fn contradicting_inputs_are_refused() {
        refused(
            &[("driver", "cloud")],
            expect![[r#"
            invalid value `cloud` for the input `driver`
              fix: only Docker's own build of buildx has that driver: use such a builder with `driver: remote`, or write `docker-container`, `kubernetes` or `docker`"#]],
        );
        refused(
            &[("driver", "podman")],
            expect![[r#"
            invalid value `podman` for the input `driver`
              fix: write `docker-container`, `remote`, `kubernetes` or `docker`"#]],
        );
        refused(
            &[("driver", "remote")],
            expect![[r#"
            the input `driver` is `remote`, but `endpoint` is not set
              fix: set it to the address of that BuildKit, for example `tcp://buildkit.example:1234`"#]],
        );
        refused(
            &[("builder", "x"), ("driver-opts", "network=host")],
            expect![[r#"
            the inputs `builder` and `driver-opts` are both set
              fix: remove `driver-opts` to use the builder `x` as it is, or remove `builder` to create one"#]],
        );
        refused(
            &[("driver", "docker"), ("endpoint", "x")],
            expect![[r#"
            the input `endpoint` has no effect on `driver: docker`
              fix: remove `endpoint`, or set `driver: docker-container` to create a builder with it"#]],
        );
        refused(
            &[
                ("driver", "remote"),
                ("endpoint", "x"),
                ("buildkitd-config", "y"),
            ],
            expect![[r#"
                the input `buildkitd-config` has no effect on `driver: remote`
                  fix: remove `buildkitd-config`: that BuildKit already runs with its own settings"#]],
        );
        refused(
            &[("buildkitd-config", "x"), ("buildkitd-config-inline", "y")],
            expect![[r#"
                the inputs `buildkitd-config` and `buildkitd-config-inline` are both set
                  fix: remove one of them: BuildKit reads one configuration"#]],
        );
    }

    #[test]
    fn invalid_nodes_are_refused() {
        refused(
            &[("append", "endpoint: x")],
            expect![[r#"
            the input `append` is not a list of nodes
              because: expected sequence start at line 1, column 1
              fix: write YAML such as `- endpoint: tcp://arm.example:1234` with `platforms: linux/arm64` below it; a node has `name`, `endpoint`, `driver-opts`, `buildkitd-flags`, `platforms`"#]],
        );
        refused(
            &[("append", "- endpoint: x\n  plattforms: y")],
            expect![[r#"
            the input `append` is not a list of nodes
              because: unknown field `plattforms`, expected one of name, endpoint, driver-opts, buildkitd-flags, platforms at line 2, column 3
              fix: write YAML such as `- endpoint: tcp://arm.example:1234` with `platforms: linux/arm64` below it; a node has `name`, `endpoint`, `driver-opts`, `buildkitd-flags`, `platforms`"#]],
        );
        refused(
            &[("driver", "remote"), ("append", "- name: x")],
            expect![[r#"
            node 1 of the input `append` has no endpoint
              fix: set it to the address of that BuildKit, for example `tcp://buildkit.example:1234`"#]],
        );
    }
}
