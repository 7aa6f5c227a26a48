//! `Job`: what the runner gives each step (the same for ours and for the usual actions).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::world::{COMMIT, DESCRIPTION, LICENSE, REPOSITORY, World};

/// A push of a git tag.
pub(crate) struct Job {
    directory: TempDir,
    variables: BTreeMap<String, String>,
}

impl Job {
    pub(crate) fn new(world: &World, workspace: &Path, tag: &str, token: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).display().to_string();
        fs::write(at("event.json"), payload(tag)).unwrap();
        for name in ["temp", "tools", "docker"] {
            fs::create_dir(at(name)).unwrap();
        }
        let variables = [
            ("CI", "true".to_owned()),
            ("DOCKER_CONFIG", at("docker")),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_ACTOR", "octocat".to_owned()),
            ("GITHUB_API_URL", world.double.api_url()),
            ("GITHUB_EVENT_NAME", "push".to_owned()),
            ("GITHUB_EVENT_PATH", at("event.json")),
            ("GITHUB_JOB", "image".to_owned()),
            ("GITHUB_REF", format!("refs/tags/{tag}")),
            ("GITHUB_REF_NAME", tag.to_owned()),
            ("GITHUB_REF_TYPE", "tag".to_owned()),
            ("GITHUB_REPOSITORY", REPOSITORY.to_owned()),
            ("GITHUB_REPOSITORY_OWNER", "acme".to_owned()),
            ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
            ("GITHUB_RUN_ID", "1".to_owned()),
            ("GITHUB_RUN_NUMBER", "1".to_owned()),
            ("GITHUB_SERVER_URL", "https://github.com".to_owned()),
            ("GITHUB_SHA", COMMIT.to_owned()),
            ("GITHUB_WORKFLOW", "publish".to_owned()),
            ("GITHUB_WORKSPACE", workspace.display().to_string()),
            ("INPUT_GITHUB-TOKEN", token.to_owned()),
            ("RUNNER_ARCH", "X64".to_owned()),
            ("RUNNER_ENVIRONMENT", "github-hosted".to_owned()),
            ("RUNNER_OS", "Linux".to_owned()),
            ("RUNNER_TEMP", at("temp")),
            ("RUNNER_TOOL_CACHE", at("tools")),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        Self {
            variables: variables.into(),
            directory,
        }
    }

    /// Gives a step its variables and empty files for what it wants to say.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command.current_dir(&self.variables["GITHUB_WORKSPACE"]);
        command.envs(&self.variables);
        for name in ["OUTPUT", "STATE", "ENV", "PATH", "STEP_SUMMARY"] {
            let file = self.file(name);
            fs::write(&file, "").unwrap();
            command.env(format!("GITHUB_{name}"), file);
        }
    }

    /// What the last step wrote to `OUTPUT`, `STATE` or `ENV`.
    pub(crate) fn entries(&self, name: &str) -> BTreeMap<String, String> {
        entries(&fs::read_to_string(self.file(name)).unwrap())
    }

    /// What the last step wrote to its summary.
    pub(crate) fn summary(&self) -> String {
        fs::read_to_string(self.file("STEP_SUMMARY")).unwrap()
    }

    /// Later steps have these variables too.
    pub(crate) fn keep(&mut self, variables: BTreeMap<String, String>) {
        self.variables.extend(variables);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn payload(tag: &str) -> String {
    let (owner, name) = REPOSITORY.split_once('/').unwrap();
    let repository = json!({
        "name": name,
        "full_name": REPOSITORY,
        "default_branch": "main",
        "html_url": format!("https://github.com/{REPOSITORY}"),
        "description": DESCRIPTION,
        "license": {"spdx_id": LICENSE},
        "private": false,
        "visibility": "public",
        "owner": {"login": owner},
    });
    json!({
        "ref": format!("refs/tags/{tag}"),
        "after": COMMIT,
        "repository": repository,
        "sender": {"login": "octocat"},
    })
    .to_string()
}

/// `name=value`, or `name<<end` with the value up to a line `end`
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>).
fn entries(text: &str) -> BTreeMap<String, String> {
    let mut lines = text.lines();
    let mut entries = BTreeMap::new();
    while let Some(line) = lines.next() {
        if let Some((name, end)) = line.split_once("<<") {
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
            entries.insert(name.to_owned(), value.join("\n"));
        } else if let Some((name, value)) = line.split_once('=') {
            entries.insert(name.to_owned(), value.to_owned());
        }
    }
    entries
}
