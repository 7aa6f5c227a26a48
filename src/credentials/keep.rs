//! The input `keep-login`: gives later steps the credentials of a run, until the post step removes them.
//!
//! actions/attest reads `.docker/config.json` in its home directory, and of that only the entry of the registry in
//! `auths` (<https://github.com/sigstore/sigstore-js/blob/main/packages/oci/src/credentials.ts>).

mod docker_directory;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::console::Console;
use crate::context::server::Server;
use crate::credentials::docker_config::key;
use crate::credentials::keep::docker_directory::DockerDirectory;
use crate::credentials::{Credentials, Login};
use crate::error::Problem;
use crate::inputs::Inputs;
use crate::post_state::PostState;
use crate::vars::Vars;

/// What the post step must know. No secret is in it: the post step has the same inputs.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Record {
    /// The registries whose entry was added or replaced.
    registries: Vec<String>,
    /// Whether there was no `config.json` before.
    created_file: bool,
    /// Whether there was no `.docker` before.
    created_directory: bool,
}

/// The entries of `auths`, by registry.
type Entries = BTreeMap<String, Value>;

/// The name of the [`Record`] for the post step.
const STATE: &str = "kept_login";

impl Credentials {
    /// Writes the credentials for `registries` into `.docker/config.json` of the home directory, and logs which.
    /// Everything else in the file stays. As after `docker login`, an entry of the same registry is replaced.
    pub(crate) async fn keep(
        &self,
        registries: impl Iterator<Item = &str>,
        vars: &Vars,
        console: Console,
    ) -> anyhow::Result<()> {
        let mut entries = Entries::new();
        for registry in registries {
            if let Some(login) = self.login(registry).await? {
                entries.insert(registry.to_owned(), entry(&login));
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        let path = write(&entries, vars).with_context(|| {
            Problem::new(
                "cannot keep the credentials for later steps",
                "remove the input `keep-login`, and use docker/login-action before the step that needs them",
            )
        })?;
        for registry in entries.keys() {
            let path = path.display();
            console.say(&format!(
                "Wrote the credentials for {registry} to `{path}`; the post step removes them"
            ));
        }
        Ok(())
    }
}

/// Records what is added before it is written: the post step finds it even if the run is killed.
fn write(entries: &Entries, vars: &Vars) -> anyhow::Result<PathBuf> {
    let state = PostState::of(vars).context("`GITHUB_STATE` is not set")?;
    let home = home(vars)?;
    let directory = DockerDirectory::open(home)?;
    let before = directory.as_ref().map(DockerDirectory::config);
    let before = before.transpose()?.flatten();
    let (created_file, created_directory) = (before.is_none(), directory.is_none());
    let mut config = before.unwrap_or_else(|| json!({}));
    let record = Record {
        registries: add(entries, auths(&mut config)?),
        created_file,
        created_directory,
    };
    let record = serde_json::to_string(&record)?;
    state.set(STATE, &record)?;
    let directory = directory.map_or_else(|| DockerDirectory::create(home), Ok)?;
    directory.replace(&config)?;
    Ok(directory.config_path())
}

/// Adds the entries. Returns the registries whose entry is new or another one than before.
fn add(entries: &Entries, auths: &mut Map<String, Value>) -> Vec<String> {
    let mut added = Vec::new();
    for (registry, entry) in entries {
        let before = auths.insert(key(registry).to_owned(), entry.clone());
        if before.as_ref() != Some(entry) {
            added.push(registry.clone());
        }
    }
    added
}

/// Removes what [`Credentials::keep`] added, unless somebody changed it; the file and the directory too if they were
/// created for it and contain nothing else. No failure of it fails the job.
pub(crate) async fn remove_kept(vars: &Vars, console: Console) {
    let Some(record) = vars.get("STATE_kept_login") else {
        return;
    };
    if let Err(error) = remove(record, vars).await {
        let text = format!("could not remove the credentials that `keep-login` kept: {error:#}");
        console.warning(None, &text);
    }
}

async fn remove(record: &str, vars: &Vars) -> anyhow::Result<()> {
    let record: Record = serde_json::from_str(record)?;
    let home = home(vars)?;
    let Some(directory) = DockerDirectory::open(home)? else {
        return Ok(());
    };
    if let Some(mut config) = directory.config()? {
        let is_changed = take(&record.registries, auths(&mut config)?, vars).await?;
        if record.created_file && is_empty(&config) {
            directory.remove_config()?;
        } else if is_changed {
            directory.replace(&config)?;
        }
    }
    if record.created_directory {
        directory.remove_if_empty();
    }
    Ok(())
}

/// Takes out the entries of `registries` that are still those of this step. Returns whether there was one.
async fn take(
    registries: &[String],
    auths: &mut Map<String, Value>,
    vars: &Vars,
) -> anyhow::Result<bool> {
    let before = auths.len();
    let credentials = credentials(vars)?;
    for registry in registries {
        let login = credentials.login(registry).await?;
        if auths.get(key(registry)) == login.as_ref().map(entry).as_ref() {
            auths.shift_remove(key(registry));
        }
    }
    Ok(auths.len() < before)
}

/// The credentials of the step, from its inputs.
fn credentials(vars: &Vars) -> anyhow::Result<Credentials> {
    let inputs = Inputs::from_vars(vars, &[])?;
    let server = vars.get("GITHUB_SERVER_URL");
    let server = server.map_or(Server::Public, Server::of);
    Credentials::new(&inputs, vars, &server)
}

fn home(vars: &Vars) -> anyhow::Result<&Path> {
    vars.path("HOME").context("`HOME` is not set")
}

/// The entry of a registry, as docker writes it
/// (<https://github.com/docker/cli/blob/v28.3.3/cli/config/types/authconfig.go>).
fn entry(login: &Login) -> Value {
    let Login { username, password } = login;
    let password = password.expose();
    let encoded = |text: String| STANDARD.encode(text);
    match username.as_str() {
        "<token>" => json!({ "auth": encoded("<token>:".to_owned()), "identitytoken": password }),
        _ => json!({ "auth": encoded(format!("{username}:{password}")) }),
    }
}

fn auths(config: &mut Value) -> anyhow::Result<&mut Map<String, Value>> {
    let config = config.as_object_mut();
    let section = config.map(|config| config.entry("auths").or_insert_with(|| json!({})));
    let auths = section.and_then(Value::as_object_mut);
    auths.ok_or_else(|| anyhow!("its `config.json` is not a docker configuration"))
}

/// Whether nothing is in it but an empty `auths`.
fn is_empty(config: &Value) -> bool {
    config.as_object().is_some_and(|config| config.len() == 1) && config["auths"] == json!({})
}

#[cfg(test)]
mod tests;
