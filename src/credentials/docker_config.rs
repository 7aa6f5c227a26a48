//! The configuration of the user's docker, and the credential helpers that it names: programs that keep credentials
//! (<https://github.com/docker/docker-credential-helpers#development>).

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context as _;
use docker_credential::{CredentialRetrievalError, DockerCredential};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout_at};

use crate::child;
use crate::credentials::Login;
use crate::error::Problem;
use crate::secret::Secret;
use crate::vars::Vars;

/// The directory of the configuration, and its `config.json`.
#[derive(Debug)]
pub(crate) struct DockerConfig {
    pub(crate) directory: PathBuf,
    pub(crate) json: Value,
}

impl DockerConfig {
    /// `DOCKER_CONFIG`, else `.docker` in the home directory; nothing when there is no `config.json`.
    pub(super) fn read(vars: &Vars) -> anyhow::Result<Option<Self>> {
        let home = || vars.path("HOME").map(|home| home.join(".docker"));
        let Some(directory) = vars.path("DOCKER_CONFIG").map(PathBuf::from).or_else(home) else {
            return Ok(None);
        };
        let path = directory.join("config.json");
        let Ok(text) = std::fs::read_to_string(&path) else {
            return Ok(None);
        };
        let json = serde_json::from_str(&text).with_context(|| {
            Problem::new(
                format!("the docker configuration `{}` is not JSON", path.display()),
                "fix the file, or set `DOCKER_CONFIG` to another directory",
            )
        })?;
        Ok(Some(Self { directory, json }))
    }

    pub(super) fn covers(&self, registry: &str) -> bool {
        let store = self.json["credsStore"].as_str();
        self.names(registry) || store.is_some_and(|store| !store.is_empty())
    }

    /// Whether an entry names `registry`; a store may be asked for any host.
    pub(super) fn names(&self, registry: &str) -> bool {
        let has = |section: &str| self.json[section].get(key(registry)).is_some();
        has("auths") || has("credHelpers")
    }

    /// The helper of `registry`. An empty name is the file.
    pub(super) fn helper(&self, registry: &str) -> Option<&str> {
        let helper = self.json["credHelpers"].get(key(registry))?.as_str();
        helper.filter(|name| !name.is_empty())
    }

    /// The helper for what has none of its own.
    pub(super) fn store(&self, registry: &str) -> Option<&str> {
        let has_own = self.json["credHelpers"].get(key(registry)).is_some();
        let store = self.json["credsStore"].as_str();
        store.filter(|name| !name.is_empty() && !has_own)
    }

    /// The credentials in the file.
    pub(crate) fn login(&self, registry: &str) -> anyhow::Result<Option<Login>> {
        let auths = serde_json::json!({ "auths": self.json["auths"] });
        let credential = docker_credential::get_credential_from_reader(
            auths.to_string().as_bytes(),
            key(registry),
        );
        let (username, password) = match credential {
            Ok(DockerCredential::UsernamePassword(username, password)) => (username, password),
            Ok(DockerCredential::IdentityToken(token)) => ("<token>".to_owned(), token),
            Err(CredentialRetrievalError::NoCredentialConfigured) => return Ok(None),
            Err(error) => return Err(error).with_context(|| no_login(registry)),
        };
        Ok(Secret::new(&password).map(|password| Login { username, password }))
    }
}

fn no_login(registry: &str) -> Problem {
    Problem::new(
        format!("cannot read the credentials for `{registry}` in the docker configuration"),
        format!("run `docker login {registry}` again"),
    )
}

/// Docker Hub is filed under its old address.
pub(crate) fn key(registry: &str) -> &str {
    if registry == "docker.io" {
        "https://index.docker.io/v1/"
    } else {
        registry
    }
}

/// For all helpers of a run together.
const MAX_TIME: Duration = Duration::from_secs(10);

/// How helpers are run.
#[derive(Debug)]
pub(super) struct Helpers {
    environment: Vec<(String, String)>,
    dir: PathBuf,
    limit: Duration,
    /// Set when the first one is asked.
    deadline: OnceLock<Instant>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    username: String,
    secret: String,
}

impl Helpers {
    pub(super) fn new(vars: &Vars) -> Self {
        let others = vars.iter().filter(|(name, _)| !is_ours(name));
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            environment: others.map(own).collect(),
            dir: vars.workspace().to_owned(),
            limit: MAX_TIME,
            deadline: OnceLock::new(),
        }
    }

    /// The credentials that the helper `name` keeps for `address`; nothing when it has none.
    pub(super) async fn ask(&self, name: &str, address: &str) -> anyhow::Result<Option<Login>> {
        let program = format!("docker-credential-{name}");
        let deadline = *self.deadline.get_or_init(|| Instant::now() + self.limit);
        let output = timeout_at(deadline, self.run(&program, address)).await;
        let output = output.map_err(|_elapsed| silent(&program, address, self.limit))?;
        let output = output.with_context(|| no_login(address))?;
        if !output.status.success() {
            return Ok(None);
        }
        let response: Response = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("`{program}` did not return credentials"))
            .with_context(|| no_login(address))?;
        let login = |password| Login {
            username: response.username,
            password,
        };
        Ok(Secret::new(&response.secret).map(login))
    }

    async fn run(&self, program: &str, address: &str) -> anyhow::Result<Output> {
        let environment = self.environment.iter().cloned();
        let arguments = ["get".to_owned()];
        let mut command = child::command(Path::new(program), &arguments, environment, &self.dir);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn();
        let mut child = child.with_context(|| format!("could not start `{program}`"))?;
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // One that ends without reading has its reason, and its status says so.
        let _unread = stdin.write_all(address.as_bytes()).await;
        drop(stdin);
        Ok(child.wait_with_output().await?)
    }
}

/// Inputs, and what opens GitHub and the services of Actions: no helper of another service needs them.
fn is_ours(name: &str) -> bool {
    const TOKENS: &[&str] = &[
        "GH_ENTERPRISE_TOKEN",
        "GH_TOKEN",
        "GITHUB_ENTERPRISE_TOKEN",
        "GITHUB_TOKEN",
    ];
    name.starts_with("INPUT_") || name.starts_with("ACTIONS_") || TOKENS.contains(&name)
}

fn silent(program: &str, address: &str, limit: Duration) -> Problem {
    let seconds = limit.as_secs();
    Problem::new(
        format!("the credential helper `{program}` did not respond"),
        format!(
            "run `echo {address} | {program} get` to see what it waits for, or set the credentials in the input `password` or `registry-auth`"
        ),
    )
    .because(format!("all credential helpers of a run share {seconds} seconds"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;
    use crate::error::Explanation;

    /// What a helper that is this shell script answers, and its directory.
    async fn asked(
        script: &str,
        variables: &[(&str, &str)],
        limit: Duration,
    ) -> (anyhow::Result<Option<Login>>, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("docker-credential-test");
        let text = format!("#!/bin/sh\ncd {}\n{script}\n", directory.path().display());
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", directory.path().display());
        let workspace = directory.path().display().to_string();
        let own = [("PATH", path.as_str()), ("GITHUB_WORKSPACE", &workspace)];
        let vars = Vars::of(&[&own, variables].concat());
        let helpers = Helpers {
            limit,
            ..Helpers::new(&vars)
        };
        (helpers.ask("test", "quay.io").await, directory)
    }

    const ANSWER: &str = r#"cat >asked; env >environment; echo '{"ServerURL":"quay.io","Username":"joe","Secret":"hunter2"}'"#;

    #[tokio::test]
    async fn helper_environment_has_no_inputs_or_tokens() {
        let variables = [
            ("INPUT_PASSWORD", "canary"),
            ("GITHUB_TOKEN", "canary"),
            ("GH_TOKEN", "canary"),
            ("ACTIONS_RUNTIME_TOKEN", "canary"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "canary"),
            ("AWS_SECRET_ACCESS_KEY", "cloud"),
        ];
        let (login, directory) = asked(ANSWER, &variables, MAX_TIME).await;
        let login = login.unwrap().unwrap();
        assert_eq!(
            (login.username.as_str(), login.password.expose()),
            ("joe", "hunter2")
        );
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!(read("asked"), "quay.io");
        let environment = read("environment");
        assert!(
            environment.contains("AWS_SECRET_ACCESS_KEY=cloud"),
            "{environment}"
        );
        assert!(!environment.contains("canary"), "{environment}");
    }

    #[tokio::test]
    async fn hanging_helper_is_killed_and_reported() {
        let hangs = "exec sleep 5";
        let (answer, _directory) = asked(hangs, &[], Duration::from_millis(200)).await;
        let said = Explanation::of(&answer.unwrap_err()).to_string();
        assert!(
            said.starts_with("the credential helper `docker-credential-test` did not respond"),
            "{said}"
        );
    }

    #[tokio::test]
    async fn missing_credentials_are_fine_and_invalid_output_fails() {
        let (none, _directory) = asked("echo 'credentials not found'; exit 1", &[], MAX_TIME).await;
        assert_eq!(none.unwrap(), None);
        for script in ["echo x", "echo '{}'", ""] {
            let (answer, _directory) = asked(script, &[], MAX_TIME).await;
            let said = Explanation::of(&answer.unwrap_err()).to_string();
            assert!(said.contains("`quay.io`"), "{said}");
        }
    }

    #[test]
    fn credential_helpers_are_used_as_docker_does() {
        let docker = |json| DockerConfig {
            directory: PathBuf::new(),
            json,
        };
        let config = docker(
            json!({"credsStore": "desktop", "credHelpers": {"a.example": "own", "b.example": ""}}),
        );
        let asked = |registry| (config.helper(registry), config.store(registry));
        assert_eq!(asked("a.example"), (Some("own"), None));
        assert_eq!(asked("b.example"), (None, None));
        assert_eq!(asked("quay.io"), (None, Some("desktop")));
        let config = docker(json!({"auths": {"quay.io": {}}}));
        assert_eq!(
            (config.helper("quay.io"), config.store("quay.io")),
            (None, None)
        );
        assert_eq!(config.login("quay.io").unwrap(), None);
    }
}
