//! The files that BuildKit reads when it is created: its configuration, with `ca-cert`, and the certificates of remote nodes
//! (<https://docs.docker.com/build/buildkit/toml-configuration/>).

use std::path::Path;

use crate::buildx::builder::create;
use crate::buildx::docker_config::{PrivateConfig, write_private};
use crate::error::Problem;
use crate::inputs::builder::{DaemonConfig, Driver, Recipe};
use crate::tls::Trust;
use crate::workspace::Workspace;

/// In KiB; a daemon needs a page.
const MAX_CONFIG_KIB: u64 = 1024;

/// Writes it to `place`, where only we can read it.
pub(crate) fn write(recipe: &Recipe, place: &Path, workspace: &Path) -> anyhow::Result<()> {
    if let Some(config) = &recipe.daemon_config {
        let text = daemon_text(config, workspace)?;
        write_private(&place.join(create::DAEMON_CONFIG), text.as_bytes())?;
    }
    for (number, node) in recipe.nodes.iter().enumerate() {
        for (_, file, text) in create::tls_files(recipe.driver, node, number) {
            write_private(&place.join(file), text.as_bytes())?;
        }
    }
    Ok(())
}

/// The text of a daemon's configuration, wherever it stands.
fn daemon_text(config: &DaemonConfig, workspace: &Path) -> Result<String, Problem> {
    match config {
        DaemonConfig::Inline(text) => Ok(text.clone()),
        DaemonConfig::File(path) => daemon_config(path, workspace),
    }
}

/// The text of a configuration in the workspace; a path that leads out of it is none of ours to read.
fn daemon_config(path: &str, workspace: &Path) -> Result<String, Problem> {
    let bytes = Workspace(workspace).read("buildkitd-config", path, MAX_CONFIG_KIB)?;
    String::from_utf8(bytes).map_err(|error| {
        Problem::new(
            format!("the input `buildkitd-config` is `{path}`, which is not UTF-8 text"),
            "set it to a TOML file, or set the text in `buildkitd-config-inline`",
        )
        .because(error.to_string())
    })
}

/// Lets the BuildKit of `recipe` trust the private CA certificates when it connects to `registries`; buildx carries
/// the file to wherever BuildKit runs. One that runs already is not told anything.
pub(super) fn trusting(
    recipe: Recipe,
    trust: &Trust,
    registries: &[&str],
    config: &PrivateConfig,
    workspace: &Path,
) -> anyhow::Result<Recipe> {
    let directory = config.ca_directory(trust)?;
    let Some(directory) = directory.filter(|_| recipe.driver != Driver::Remote) else {
        return Ok(recipe);
    };
    let file = directory.join("ca.pem");
    let given = recipe.daemon_config.as_ref();
    let given = given.map(|config| daemon_text(config, workspace));
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
    use std::fs;

    use super::*;
    use crate::error::Explanation;
    use expect_test::expect;

    #[test]
    fn a_configuration_outside_of_the_workspace_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let workspace = directory.path().join("workspace");
        fs::create_dir(&workspace).unwrap();
        fs::write(directory.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink("../secret", workspace.join("link")).unwrap();
        fs::write(workspace.join("buildkitd.toml"), "debug = true").unwrap();
        let read = |path| daemon_config(path, &workspace);
        assert_eq!(read("buildkitd.toml").unwrap(), "debug = true");
        for path in ["../secret", "link", "/etc/hostname"] {
            let problem = read(path).unwrap_err().to_string();
            assert!(
                problem.ends_with("which is outside the workspace"),
                "{problem}"
            );
        }
        expect![[r#"
            invalid value `nope.toml` for the input `buildkitd-config`
              because: it cannot be read: No such file or directory (os error 2)
              fix: check the path; paths start at the root of the checkout"#]]
        .assert_eq(&Explanation::of(&read("nope.toml").unwrap_err().into()).to_string());
    }

    #[test]
    fn ca_certificate_is_added_once_per_registry() {
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
