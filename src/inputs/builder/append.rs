//! The input `append`: nodes of a builder, as YAML.

use serde::Deserialize;

use crate::error::Problem;
use crate::inputs::builder::node::{Node, Tls};

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

pub(super) fn nodes(text: &str) -> Result<Vec<Node>, Problem> {
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
