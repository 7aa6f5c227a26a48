//! The private `DOCKER_CONFIG`: our logins on top of the person's own configuration, gone when we are.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::credentials::{Credentials, docker_config};
use crate::error::Problem;
use crate::private_directory::PrivateDirectory;
use crate::tls::Trust;
use crate::vars::Vars;
use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// The configuration of one run, in a directory of its own.
#[derive(Debug)]
pub(crate) struct PrivateConfig {
    directory: PrivateDirectory,
    buildx: PathBuf,
}

const CONFIG: &str = "config.json";

impl PrivateConfig {
    /// Writes the configuration for pushing to `registries`.
    pub(crate) fn write(
        vars: &Vars,
        credentials: &Credentials,
        registries: &[&str],
    ) -> anyhow::Result<Self> {
        let problem = || {
            Problem::new(
                "cannot write the private docker configuration",
                "make one of `/dev/shm`, `/run` or `/tmp` writable",
            )
        };
        let directory = PrivateDirectory::for_secrets(vars).with_context(problem)?;
        let config = overlay(credentials, registries);
        write_private(
            &directory.path().join(CONFIG),
            config.to_string().as_bytes(),
        )
        .with_context(problem)?;
        let base = credentials
            .docker()
            .map(|docker| docker.directory.as_path());
        if let Some(base) = base {
            link_contexts(base, directory.path()).with_context(problem)?;
        }
        let buildx = base.map_or_else(
            || directory.path().join("buildx"),
            |base| base.join("buildx"),
        );
        Ok(Self { directory, buildx })
    }

    /// Adds a file only we can read; it goes with the directory.
    pub(crate) fn add(&self, name: &str, bytes: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.directory.path().join(name);
        write_private(&path, bytes)
            .with_context(|| format!("could not write `{}`", path.display()))?;
        Ok(path)
    }

    /// A directory with the private CA certificates and nothing else, if there are any.
    pub(crate) fn ca_directory(&self, trust: &Trust) -> anyhow::Result<Option<PathBuf>> {
        let Some(pem) = trust.pem() else {
            return Ok(None);
        };
        let directory = self.directory.path().join("ca");
        fs::create_dir_all(&directory)
            .with_context(|| format!("could not create `{}`", directory.display()))?;
        self.add("ca/ca.pem", pem.as_bytes())?;
        Ok(Some(directory))
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Where buildx keeps its builders: the person's own, so that theirs can be named.
    pub(crate) fn buildx_directory<'a>(&'a self, vars: &'a Vars) -> &'a Path {
        vars.path("BUILDX_CONFIG").unwrap_or(&self.buildx)
    }

    /// Where buildx keeps a builder of ours, which the person never sees.
    pub(crate) fn own_buildx_directory(&self) -> PathBuf {
        self.directory().join("buildx")
    }
}

/// The person's `config.json` with our logins. A helper named `""` makes docker read the login from
/// the file although a credential store is configured.
fn overlay(credentials: &Credentials, registries: &[&str]) -> Value {
    let base = credentials.docker().map(|docker| docker.json.clone());
    let mut config = base.filter(Value::is_object).unwrap_or_else(|| json!({}));
    for registry in registries {
        let Some(login) = credentials.own_login(registry) else {
            continue;
        };
        let auth = STANDARD.encode(format!("{}:{}", login.username, login.password.expose()));
        let registry = docker_config::key(registry);
        section(&mut config, "auths").insert(registry.to_owned(), json!({ "auth": auth }));
        if config.get("credsStore").is_some() || config.get("credHelpers").is_some() {
            section(&mut config, "credHelpers").insert(registry.to_owned(), json!(""));
        }
    }
    config
}

fn section<'a>(config: &'a mut Value, name: &str) -> &'a mut Map<String, Value> {
    if !config[name].is_object() {
        config[name] = json!({});
    }
    config[name]
        .as_object_mut()
        .expect("it was just made an object")
}

pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

/// Docker contexts are looked up beside `config.json`.
fn link_contexts(base: &Path, directory: &Path) -> std::io::Result<()> {
    let contexts = base.join("contexts");
    if contexts.is_dir() {
        symlink(contexts, directory.join("contexts"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;
    use crate::context::server::Server;
    use crate::inputs::Inputs;

    fn vars_with_home(config: Option<&str>) -> (TempDir, Vars) {
        let home = tempfile::tempdir().unwrap();
        if let Some(config) = config {
            fs::create_dir(home.path().join(".docker")).unwrap();
            fs::write(home.path().join(".docker/config.json"), config).unwrap();
        }
        let vars = Vars::of(&[
            ("HOME", home.path().to_str().unwrap()),
            ("GITHUB_TOKEN", "t"),
            ("GITHUB_ACTOR", "joe"),
        ]);
        (home, vars)
    }

    fn write(vars: &Vars) -> PrivateConfig {
        let inputs = Inputs::from_vars(vars, &[]).unwrap();
        let credentials = Credentials::new(&inputs, vars, &Server::Public).unwrap();
        PrivateConfig::write(vars, &credentials, &["ghcr.io", "quay.io"]).unwrap()
    }

    #[test]
    fn docker_config_is_private_and_removed() {
        let (home, vars) = vars_with_home(None);
        let config = write(&vars);
        let file = config.directory().join("config.json");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(config.directory()), mode(&file)), (0o700, 0o600));
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            r#"{"auths":{"ghcr.io":{"auth":"am9lOnQ="}}}"#
        );
        assert!(!config.directory().starts_with(home.path()));
        drop(config);
        assert!(!file.exists());
    }

    #[test]
    fn user_configuration_is_kept_under_ours() {
        let own = r#"{"credsStore":"desktop","auths":{"quay.io":{"auth":"x"}}}"#;
        let (home, vars) = vars_with_home(Some(own));
        let config = write(&vars);
        let text = fs::read_to_string(config.directory().join("config.json")).unwrap();
        let expected = r#"{"credsStore":"desktop","auths":{"quay.io":{"auth":"x"},"ghcr.io":{"auth":"am9lOnQ="}},"credHelpers":{"ghcr.io":""}}"#;
        assert_eq!(text, expected);
        assert_eq!(
            fs::read_to_string(home.path().join(".docker/config.json")).unwrap(),
            own
        );
        assert_eq!(
            config.buildx_directory(&vars),
            home.path().join(".docker/buildx")
        );
    }
}
