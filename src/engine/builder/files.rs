//! What a builder reads when it is made: the daemon's configuration, certificates.

use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Context as _;

use super::arguments;
use crate::engine::docker_config::write_private;
use crate::engine::sources::{open_at_once, place_of};
use crate::inputs::builder::{DaemonConfig, Recipe};
use crate::problem::Problem;

/// In bytes; a daemon needs a page.
const LARGEST_CONFIG: u64 = 1 << 20;

/// Writes it to `place`, where only we can read it.
pub(super) fn write(recipe: &Recipe, place: &Path, workspace: &Path) -> anyhow::Result<()> {
    if let Some(config) = &recipe.daemon_config {
        let text = match config {
            DaemonConfig::Inline(text) => text.clone(),
            DaemonConfig::File(path) => daemon_config(path, workspace)?,
        };
        write_private(&place.join(arguments::DAEMON_CONFIG), text.as_bytes())?;
    }
    for (number, node) in recipe.nodes.iter().enumerate() {
        for (_, file, text) in arguments::tls_files(recipe.driver, node, number) {
            write_private(&place.join(file), text.as_bytes())?;
        }
    }
    Ok(())
}

/// The text of a configuration in the workspace; a path that leads out of it is none of ours to read.
fn daemon_config(path: &str, workspace: &Path) -> anyhow::Result<String> {
    let problem = || {
        Problem::new(
            format!(
                "the input `buildkitd-config` is `{path}`, and there is no such file in the workspace"
            ),
            "name a file of the checkout, from its root; or write its text in `buildkitd-config-inline`",
        )
    };
    let text = || {
        let file = open_at_once(&workspace.join(path))?;
        if !place_of(&file)?.starts_with(workspace.canonicalize()?) {
            return Err(io::Error::other("the path leads out of the workspace"));
        }
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let mut text = String::new();
        file.take(LARGEST_CONFIG).read_to_string(&mut text)?;
        Ok(text)
    };
    text().with_context(problem)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::problem::Explanation;
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
            let error = format!("{:#}", read(path).unwrap_err());
            assert!(
                error.ends_with("the path leads out of the workspace"),
                "{error}"
            );
        }
        expect![[r#"
            the input `buildkitd-config` is `nope.toml`, and there is no such file in the workspace
              because: No such file or directory (os error 2)
              fix: name a file of the checkout, from its root; or write its text in `buildkitd-config-inline`"#]].assert_eq(&Explanation::of(&read("nope.toml").unwrap_err()).to_string());
    }
}
