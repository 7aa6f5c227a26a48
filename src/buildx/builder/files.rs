//! What a builder reads when it is made: the daemon's configuration, certificates.

use std::path::Path;

use crate::buildx::builder::arguments;
use crate::buildx::docker_config::write_private;
use crate::error::Problem;
use crate::inputs::builder::{DaemonConfig, Recipe};
use crate::workspace::Workspace;

/// In KiB; a daemon needs a page.
const MAX_CONFIG_KIB: u64 = 1024;

/// Writes it to `place`, where only we can read it.
pub(crate) fn write(recipe: &Recipe, place: &Path, workspace: &Path) -> anyhow::Result<()> {
    if let Some(config) = &recipe.daemon_config {
        let text = daemon_text(config, workspace)?;
        write_private(&place.join(arguments::DAEMON_CONFIG), text.as_bytes())?;
    }
    for (number, node) in recipe.nodes.iter().enumerate() {
        for (_, file, text) in arguments::tls_files(recipe.driver, node, number) {
            write_private(&place.join(file), text.as_bytes())?;
        }
    }
    Ok(())
}

/// The text of a daemon's configuration, wherever it stands.
pub(crate) fn daemon_text(config: &DaemonConfig, workspace: &Path) -> Result<String, Problem> {
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
            format!("the input `buildkitd-config` is `{path}`, which is no text"),
            "name a TOML file, or write its text in `buildkitd-config-inline`",
        )
        .because(error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::error::Explanation;
    use expect_test::expect;

    #[test]
    fn a_configuration_outside_of_the_workspace_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = folder.path().join("workspace");
        fs::create_dir(&workspace).unwrap();
        fs::write(folder.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink("../secret", workspace.join("link")).unwrap();
        fs::write(workspace.join("buildkitd.toml"), "debug = true").unwrap();
        let read = |path| daemon_config(path, &workspace);
        assert_eq!(read("buildkitd.toml").unwrap(), "debug = true");
        for path in ["../secret", "link", "/etc/hostname"] {
            let problem = read(path).unwrap_err().to_string();
            assert!(problem.ends_with("which leaves the workspace"), "{problem}");
        }
        expect![[r#"
            the input `buildkitd-config` is `nope.toml`
              because: it cannot be read: No such file or directory (os error 2)
              fix: paths start at the root of the checkout"#]]
        .assert_eq(&Explanation::of(&read("nope.toml").unwrap_err().into()).to_string());
    }
}
