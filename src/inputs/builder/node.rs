//! `Node`: one BuildKit of a builder: its certificates, and the input `append`.

use crate::error::Problem;
use crate::inputs::builder::Driver;
use crate::secret::Secret;
use crate::vars::Vars;
use serde::Deserialize;

/// One BuildKit of a builder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) driver_opts: Vec<String>,
    pub(crate) buildkitd_flags: Option<String>,
    pub(crate) platforms: Option<String>,
    pub(crate) tls: Tls,
}

/// `BUILDER_NODE_<n>_AUTH_TLS_CACERT`, `…_CERT` and `…_KEY`, each the text of a PEM file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    pub(crate) cacert: Option<Secret>,
    pub(crate) cert: Option<Secret>,
    pub(crate) key: Option<Secret>,
}

impl Node {
    /// `number` is 0 for the inputs themselves, else the place in `append`.
    pub(super) fn checked(self, driver: Driver, number: usize) -> Result<Self, Problem> {
        if driver != Driver::Remote {
            return Ok(self);
        }
        if self.endpoint.is_none() {
            let whose = match number {
                0 => "the input `driver` is `remote`, but `endpoint` is not set".to_owned(),
                number => format!("node {number} of the input `append` has no endpoint"),
            };
            return Err(Problem::new(
                whose,
                "set it to the address of that BuildKit, for example `tcp://buildkit.example:1234`",
            ));
        }
        if self.buildkitd_flags.is_some() {
            return Err(runs_already("buildkitd-flags"));
        }
        Ok(self)
    }
}

impl Tls {
    pub(super) fn read(node: usize, vars: &Vars) -> Self {
        let part = |name| Secret::new(vars.get(&format!("BUILDER_NODE_{node}_AUTH_TLS_{name}"))?);
        Self {
            cacert: part("CACERT"),
            cert: part("CERT"),
            key: part("KEY"),
        }
    }
}

pub(super) fn runs_already(input: &str) -> Problem {
    Problem::new(
        format!("the input `{input}` has no effect on `driver: remote`"),
        format!("remove `{input}`: that BuildKit already runs with its own settings"),
    )
}

/// A node as YAML has it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Appended {
    name: Option<String>,
    endpoint: Option<String>,
    #[serde(default)]
    driver_opts: Vec<String>,
    buildkitd_flags: Option<String>,
    platforms: Option<Platforms>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Platforms {
    Text(String),
    List(Vec<String>),
}

pub(super) fn appended(text: &str) -> Result<Vec<Node>, Problem> {
    let nodes: Vec<Appended> = serde_saphyr::from_str(text).map_err(|error| {
        Problem::new(
            "the input `append` is not a list of nodes",
            "write YAML such as `- endpoint: tcp://arm.example:1234` with `platforms: linux/arm64` below it; a node has `name`, `endpoint`, `driver-opts`, `buildkitd-flags`, `platforms`",
        )
        .because(error.without_snippet().to_string())
    })?;
    let node = |node: Appended| Node {
        name: node.name,
        endpoint: node.endpoint,
        driver_opts: node.driver_opts,
        buildkitd_flags: node.buildkitd_flags,
        platforms: node.platforms.map(|platforms| match platforms {
            Platforms::Text(text) => text,
            Platforms::List(list) => list.join(","),
        }),
        tls: Tls::default(),
    };
    Ok(nodes.into_iter().map(node).collect())
}
