//! `ca-cert` in the configuration of the BuildKit that is made
//! (<https://docs.docker.com/build/buildkit/toml-configuration/>).

use std::path::Path;

use crate::buildx::builder::files;
use crate::buildx::docker_config::PrivateConfig;
use crate::inputs::builder::{DaemonConfig, Driver, Recipe};
use crate::tls::Trust;

/// Lets the BuildKit of `recipe` trust the private authorities when it speaks to `registries`; buildx carries
/// the file to wherever BuildKit runs. One that runs already is not told anything.
pub(crate) fn told(
    recipe: Recipe,
    trust: &Trust,
    registries: &[&str],
    config: &PrivateConfig,
    workspace: &Path,
) -> anyhow::Result<Recipe> {
    let folder = config.authorities(trust)?;
    let Some(folder) = folder.filter(|_| recipe.driver != Driver::Remote) else {
        return Ok(recipe);
    };
    let file = folder.join("ca.pem");
    let given = recipe.daemon_config.as_ref();
    let given = given.map(|config| files::daemon_text(config, workspace));
    let text = extended(given.transpose()?.unwrap_or_default(), registries, &file);
    Ok(Recipe {
        daemon_config: Some(DaemonConfig::Inline(text)),
        ..recipe
    })
}

/// Adds a table for each registry that has none yet: what the author wrote about one says it all.
fn extended(given: String, registries: &[&str], file: &Path) -> String {
    let is_new = |registry: &&str| {
        let tables = ["\"", "'"].map(|quote| format!("[registry.{quote}{registry}{quote}]"));
        tables.iter().all(|table| !given.contains(table))
    };
    let mut new: Vec<&str> = registries.iter().copied().filter(is_new).collect();
    new.sort_unstable();
    new.dedup();
    let tables = new.iter().map(|registry| {
        let file = file.display();
        format!("\n[registry.\"{registry}\"]\n  ca = [\"{file}\"]\n")
    });
    let tables: String = tables.collect();
    given + &tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn each_registry_is_told_of_once() {
        let given = "debug = true\n\n[registry.'quay.io']\n  http = true\n".to_owned();
        let registries = [
            "docker.git.example.com",
            "quay.io",
            "docker.git.example.com",
        ];
        expect![[r#"
            debug = true

            [registry.'quay.io']
              http = true

            [registry."docker.git.example.com"]
              ca = ["/private/ca.pem"]
        "#]]
        .assert_eq(&extended(given, &registries, Path::new("/private/ca.pem")));
    }
}
