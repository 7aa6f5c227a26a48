//! The steps of a release that need no GitHub, with the scripts that the workflow calls.

mod files;
mod ourselves;
mod tags;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ghcr_double::{Account, Double};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::world::{login, output_of, publication, repository_file, tool};
use crate::support::{Action, Run, TOKEN};

const VERSION: &str = "v1.2.3";

/// A version that this program published to the double, and a directory for what the scripts write.
struct Release {
    double: Double,
    image: String,
    digest: String,
    login: TempDir,
    directory: TempDir,
}

impl Release {
    fn of(action: impl FnOnce() -> Action) -> Self {
        let double = Double::builder()
            .token(TOKEN, Account::classic("acme"))
            .start()
            .unwrap();
        let run = publish(action(), &double);
        Self {
            image: run.output("image").to_owned(),
            digest: run.output("digest").to_owned(),
            login: login(&double.host()),
            directory: tempfile::tempdir().unwrap(),
            double,
        }
    }

    fn hello() -> Self {
        Self::of(|| publication(None))
    }

    /// A script of `release/`, started in the directory, with the programs that the testbed installed.
    fn script(&self, name: &str, arguments: &[&str]) -> Command {
        let path = repository_file(&format!("release/{name}"));
        let mut script = tool(path.to_str().unwrap());
        script
            .args(arguments)
            .current_dir(self.directory.path())
            .env_remove("GITHUB_TOKEN")
            .env("DOCKER_CONFIG", self.login.path());
        script
    }

    fn says(&self, name: &str, arguments: &[&str]) -> String {
        output_of(&mut self.script(name, arguments))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A script that reads `input`; what it prints is also left in the file `name`.
    fn fed(&self, name: &str, arguments: &[&str], input: &Path) -> String {
        let mut script = self.script(name, arguments);
        let text = output_of(script.stdin(fs::File::open(input).unwrap()));
        fs::write(self.file(name), format!("{text}\n")).unwrap();
        text
    }

    fn reference(&self) -> String {
        format!("{}@{}", self.image, self.digest)
    }

    fn tags_children(&self) -> String {
        self.says("tag-children", &[&self.image, VERSION, &self.digest])
    }

    /// action.yml, the notes and what `gh attestation verify --format json` says of the image.
    fn writes_documents(&self) {
        fs::write(
            self.file("CHANGELOG.md"),
            "# Changelog\n\n## 1.2.3\n\n- Ours.\n\n## 1.2.2\n",
        )
        .unwrap();
        fs::write(self.file("bases"), "RUST_IMAGE=rust@sha256:0\n").unwrap();
        self.fed(
            "pin-action",
            &[&self.reference()],
            &repository_file("action.yml"),
        );
        let about = [
            &self.image,
            VERSION,
            &self.digest,
            "acme/hello",
            "CHANGELOG.md",
        ];
        self.fed("notes", &about, &self.file("bases"));
        let subject = json!({
            "name": self.image,
            "digest": {"sha256": self.digest.strip_prefix("sha256:").unwrap()},
        });
        let attestation = json!([{"verificationResult": {"statement": {"subject": [subject]}}}]);
        fs::write(self.file("attestation"), attestation.to_string()).unwrap();
    }

    fn verify(&self) -> Command {
        let documents = ["pin-action", "notes", "attestation"];
        self.script(
            "verify",
            &[&[&self.image, VERSION], &documents[..]].concat(),
        )
    }
}

/// A tag `release/v1.2.3` is pushed; the action gets the inputs that the release workflow has.
fn publish(action: Action, double: &Double) -> Run {
    let action = action
        .event("push_tag")
        .env("GITHUB_REF", format!("refs/tags/release/{VERSION}"))
        .input("registry", double.host())
        .input("github-token", TOKEN)
        .input(
            "tags",
            "type=semver,pattern=v{{version}},match=release/(.*)",
        )
        .input("platforms", "linux/amd64,linux/arm64");
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.output("version"), VERSION);
    run
}

/// The failure of a script that must not succeed, with what it printed before.
fn failure_of(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{command:?} succeeded");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn every_manifest_gets_a_tag_of_its_own() {
    let release = Release::hello();
    release.tags_children();
    let name = release.image.split_once('/').unwrap().1;
    let tags = release.double.tags(name);
    let index: Value =
        serde_json::from_slice(&release.double.manifest(name, &release.digest).unwrap().1).unwrap();
    for child in index["manifests"].as_array().unwrap() {
        let architecture = child["platform"]["architecture"].as_str().unwrap();
        assert_eq!(
            tags[&format!("{VERSION}-linux-{architecture}")],
            child["digest"]
        );
    }
    assert_eq!(tags[VERSION], release.digest);
    assert_eq!(
        release.double.manifests(name).len(),
        3,
        "nothing else was made"
    );
}

#[test]
fn a_release_is_one_digest_or_refused() {
    let release = Release::hello();
    release.writes_documents();
    let untagged = failure_of(&mut release.verify());
    assert!(
        untagged.contains("DIFFERENT tag v1.2.3-linux-arm64: ") && untagged.contains("2 of these"),
        "{untagged}"
    );
    release.tags_children();
    let said = output_of(&mut release.verify());
    assert_eq!(said.matches("same ").count(), 5, "{said}");

    let other = format!("sha256:{}", "0".repeat(64));
    for document in ["pin-action", "notes", "attestation"] {
        let text = fs::read_to_string(release.file(document)).unwrap();
        let hex = |digest: &str| digest.strip_prefix("sha256:").unwrap().to_owned();
        let lie = text.replace(&hex(&release.digest), &hex(&other));
        assert_ne!(lie, text);
        fs::write(release.file(document), lie).unwrap();
        let said = failure_of(&mut release.verify());
        assert!(
            said.contains("1 of these") && said.contains(&other),
            "{said}"
        );
        fs::write(release.file(document), text).unwrap();
    }
}

#[test]
fn an_image_that_is_gone_is_named() {
    let release = Release::hello();
    let said = release.says("pull", &[&release.reference()]);
    assert_eq!(said.matches("there ").count(), 2, "{said}");
    let gone = format!("{}@sha256:{}", release.image, "0".repeat(64));
    let said = failure_of(&mut release.script("pull", &[&release.reference(), &gone]));
    assert!(said.contains(&format!("GONE      {gone}")), "{said}");
    assert!(said.contains("1 cannot be pulled"), "{said}");
}

#[test]
fn the_bases_are_recorded_by_digest() {
    let release = Release::hello();
    let dockerfile = format!(
        "ARG BASE_IMAGE={}:{VERSION}\nFROM ${{BASE_IMAGE}}\n",
        release.image
    );
    fs::write(release.file("Dockerfile"), dockerfile).unwrap();
    assert_eq!(
        release.says("bases", &["Dockerfile"]),
        format!("BASE_IMAGE={}:{VERSION}@{}", release.image, release.digest)
    );
}
