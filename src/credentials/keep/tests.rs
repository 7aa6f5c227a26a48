use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use tempfile::TempDir;

use super::*;
use crate::console::{Reader, Stream};
use crate::error::Explanation;

const TOKEN: &str = "ghs_canary";

/// A home directory, and the steps of a job that use it.
struct Job {
    directory: TempDir,
}

impl Job {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("home")).unwrap();
        Self { directory }
    }

    /// A home directory with a docker configuration.
    fn with(config: &str) -> Self {
        let job = Self::new();
        fs::create_dir(job.path(".docker")).unwrap();
        fs::write(job.config(), config).unwrap();
        job
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("home").join(name)
    }

    fn config(&self) -> PathBuf {
        self.path(".docker/config.json")
    }

    fn read(&self) -> Value {
        serde_json::from_slice(&fs::read(self.config()).unwrap()).unwrap()
    }

    fn vars(&self, others: &[(&str, &str)]) -> Vars {
        let home = self.path("").display().to_string();
        let state = self.directory.path().join("state").display().to_string();
        let own = [
            ("HOME", home.as_str()),
            ("GITHUB_STATE", &state),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_ACTOR", "octocat"),
            ("INPUT_GITHUB-TOKEN", TOKEN),
        ];
        Vars::of(&[&own, others].concat())
    }

    async fn keep(&self) -> anyhow::Result<()> {
        let vars = self.vars(&[]);
        let credentials = super::credentials(&vars).unwrap();
        credentials
            .keep(["ghcr.io", "quay.io"].into_iter(), &vars, CONSOLE)
            .await
    }

    /// What the run told its post step.
    fn state(&self) -> String {
        let state = fs::read_to_string(self.directory.path().join("state")).unwrap();
        assert!(!state.contains(TOKEN) && !state.contains(OURS), "{state}");
        let last = state.lines().last().unwrap();
        last.strip_prefix("kept_login=").unwrap().to_owned()
    }

    async fn end(&self) {
        let state = self.state();
        remove(&state, &self.vars(&[])).await.unwrap();
    }

    async fn refused(&self, part: &str) {
        let said = Explanation::of(&self.keep().await.unwrap_err()).to_string();
        assert!(said.contains(part) && !said.contains(TOKEN), "{said}");
    }
}

const CONSOLE: Console = Console {
    reader: Reader::Runner,
    stream: Stream::Stderr,
    ..Console::NOWHERE
};

/// `octocat:ghs_canary`
const OURS: &str = "b2N0b2NhdDpnaHNfY2FuYXJ5";

#[tokio::test]
async fn kept_credentials_are_private_and_removed_with_their_directory() {
    let job = Job::new();
    job.keep().await.unwrap();
    assert_eq!(
        job.read(),
        json!({ "auths": { "ghcr.io": { "auth": OURS } } })
    );
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(job.config()), 0o600);
    assert_eq!(mode(job.path(".docker")), 0o700);
    job.end().await;
    assert!(!job.path(".docker").exists());
    // The post step of a second step in the job.
    job.end().await;
}

const EXISTING: &str = r#"{"credsStore":"x","auths":{"quay.io":{"auth":"cTpx"}},"z":[1]}"#;

#[tokio::test]
async fn existing_configuration_keeps_everything_else() {
    let job = Job::with(EXISTING);
    job.keep().await.unwrap();
    let config = job.read();
    assert_eq!(config["auths"]["ghcr.io"]["auth"], OURS);
    job.end().await;
    let existing: Value = serde_json::from_str(EXISTING).unwrap();
    assert_eq!(job.read().to_string(), existing.to_string());
    let mut with_ours = existing;
    with_ours["auths"]["ghcr.io"] = json!({ "auth": OURS });
    assert_eq!(config.to_string(), with_ours.to_string());
}

#[tokio::test]
async fn empty_directory_that_existed_stays() {
    let job = Job::with("{}");
    fs::remove_file(job.config()).unwrap();
    job.keep().await.unwrap();
    job.end().await;
    assert!(job.path(".docker").exists() && !job.config().exists());
}

#[tokio::test]
async fn entry_that_somebody_changed_stays() {
    let job = Job::new();
    job.keep().await.unwrap();
    let theirs = r#"{"auths":{"ghcr.io":{"auth":"dGhlaXJz"}}}"#;
    fs::write(job.config(), theirs).unwrap();
    job.end().await;
    assert_eq!(fs::read_to_string(job.config()).unwrap(), theirs);
}

#[tokio::test]
async fn entry_that_was_there_is_not_removed() {
    let there = format!(r#"{{"auths":{{"ghcr.io":{{"auth":"{OURS}"}}}}}}"#);
    let job = Job::with(&there);
    job.keep().await.unwrap();
    job.end().await;
    assert_eq!(job.read()["auths"]["ghcr.io"]["auth"], OURS);
    let job = Job::with(r#"{"auths":{"ghcr.io":{"auth":"b2xk"}}}"#);
    job.keep().await.unwrap();
    assert_eq!(job.read()["auths"]["ghcr.io"]["auth"], OURS);
    job.end().await;
    assert_eq!(job.read(), json!({ "auths": {} }));
}

#[tokio::test]
async fn file_that_another_step_added_to_the_directory_stays() {
    let job = Job::new();
    job.keep().await.unwrap();
    fs::write(job.path(".docker/other"), "").unwrap();
    job.end().await;
    assert!(!job.config().exists() && job.path(".docker/other").exists());
}

#[tokio::test]
async fn symbolic_links_are_not_followed() {
    let job = Job::new();
    let outside = job.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, job.path(".docker")).unwrap();
    job.refused(".docker` is not a directory").await;
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    let job = Job::with("{}");
    let outside = job.directory.path().join("outside");
    fs::write(&outside, "{}").unwrap();
    fs::remove_file(job.config()).unwrap();
    symlink(&outside, job.config()).unwrap();
    job.refused("config.json` is a symbolic link").await;
    assert_eq!(fs::read_to_string(&outside).unwrap(), "{}");
}

#[tokio::test]
async fn configuration_that_cannot_be_read_is_not_replaced() {
    for (config, part) in [
        ("hunter2", "is not JSON"),
        ("[]", "is not a docker configuration"),
        (r#"{"auths":1}"#, "is not a docker configuration"),
    ] {
        let job = Job::with(config);
        // Credentials are read without it.
        let vars = job.vars(&[("DOCKER_CONFIG", "/nowhere")]);
        let credentials = super::credentials(&vars).unwrap();
        let kept = credentials.keep(["ghcr.io"].into_iter(), &vars, CONSOLE);
        let said = Explanation::of(&kept.await.unwrap_err()).to_string();
        assert!(said.contains(part) && !said.contains("hunter2"), "{said}");
        assert_eq!(fs::read_to_string(job.config()).unwrap(), config);
    }
}

#[tokio::test]
async fn nothing_is_kept_that_no_post_step_would_remove() {
    let job = Job::new();
    let vars = job.vars(&[("GITHUB_STATE", "")]);
    let credentials = super::credentials(&vars).unwrap();
    let kept = credentials.keep(["ghcr.io"].into_iter(), &vars, CONSOLE);
    let said = Explanation::of(&kept.await.unwrap_err()).to_string();
    assert!(said.contains("`GITHUB_STATE` is not set"), "{said}");
    assert!(!job.path(".docker").exists());
}

#[tokio::test]
async fn nothing_is_written_without_credentials() {
    let job = Job::new();
    let vars = job.vars(&[]);
    let credentials = super::credentials(&vars).unwrap();
    let kept = credentials.keep(["quay.io"].into_iter(), &vars, CONSOLE);
    kept.await.unwrap();
    assert!(!job.path(".docker").exists());
}

#[test]
fn identity_token_has_a_key_of_its_own() {
    let login = Login {
        username: "<token>".to_owned(),
        password: crate::secret::Secret::new("t").unwrap(),
    };
    let expected = json!({ "auth": STANDARD.encode("<token>:"), "identitytoken": "t" });
    assert_eq!(entry(&login), expected);
}
