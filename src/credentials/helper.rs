//! Credential helpers: programs that keep a person's logins
//! (<https://github.com/docker/docker-credential-helpers#development>).

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout_at};

use crate::child;
use crate::credentials::{Login, no_login};
use crate::error::Problem;
use crate::secret::Secret;
use crate::vars::Vars;

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
struct Answer {
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

    /// The login that the helper `name` keeps for `address`; none when it says that it has none.
    pub(super) async fn ask(&self, name: &str, address: &str) -> anyhow::Result<Option<Login>> {
        let program = format!("docker-credential-{name}");
        let deadline = *self.deadline.get_or_init(|| Instant::now() + self.limit);
        let output = timeout_at(deadline, self.run(&program, address)).await;
        let output = output.map_err(|_elapsed| silent(&program, address, self.limit))?;
        let output = output.with_context(|| no_login(address))?;
        if !output.status.success() {
            return Ok(None);
        }
        let answer: Answer = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("`{program}` did not return credentials"))
            .with_context(|| no_login(address))?;
        let login = |password| Login {
            username: answer.username,
            password,
        };
        Ok(Secret::new(&answer.secret).map(login))
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
            "run `echo {address} | {program} get` to see what it waits for, or give the login in the input `password` or `registry-auth`"
        ),
    )
    .because(format!("all credential helpers of a run share {seconds} seconds"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::error::Explanation;

    /// What a helper that is this shell script answers, and its folder.
    async fn asked(
        script: &str,
        variables: &[(&str, &str)],
        limit: Duration,
    ) -> (anyhow::Result<Option<Login>>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("docker-credential-test");
        let text = format!("#!/bin/sh\ncd {}\n{script}\n", folder.path().display());
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let workspace = folder.path().display().to_string();
        let own = [("PATH", path.as_str()), ("GITHUB_WORKSPACE", &workspace)];
        let vars = Vars::of(&[&own, variables].concat());
        let helpers = Helpers {
            limit,
            ..Helpers::new(&vars)
        };
        (helpers.ask("test", "quay.io").await, folder)
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
        let (login, folder) = asked(ANSWER, &variables, MAX_TIME).await;
        let login = login.unwrap().unwrap();
        assert_eq!(
            (login.username.as_str(), login.password.expose()),
            ("joe", "hunter2")
        );
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
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
        let (answer, _folder) = asked(hangs, &[], Duration::from_millis(200)).await;
        let said = Explanation::of(&answer.unwrap_err()).to_string();
        assert!(
            said.starts_with("the credential helper `docker-credential-test` did not respond"),
            "{said}"
        );
    }

    #[tokio::test]
    async fn missing_credentials_are_fine_and_invalid_output_fails() {
        let (none, _folder) = asked("echo 'credentials not found'; exit 1", &[], MAX_TIME).await;
        assert_eq!(none.unwrap(), None);
        for script in ["echo x", "echo '{}'", ""] {
            let (answer, _folder) = asked(script, &[], MAX_TIME).await;
            let said = Explanation::of(&answer.unwrap_err()).to_string();
            assert!(said.contains("`quay.io`"), "{said}");
        }
    }
}
