//! cosign and sigstore-go, and what they are told to expect.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use ghcr_double::{Double, Repository};
use tempfile::TempDir;

use super::Profile;
use super::instance::Instance;
use crate::real::world::{login, tool};
use crate::support::Action;

/// Who must have signed, by which instance.
pub(super) struct Expected {
    profile: Profile,
    issuer: String,
    directory: TempDir,
    pub(super) workflow: String,
}

impl Expected {
    /// The workflow of the recorded event.
    pub(super) fn of(instance: &Instance) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("root.json"), &instance.trusted_root).unwrap();
        Self {
            profile: instance.profile,
            issuer: instance.issuer(),
            directory,
            workflow:
                "https://github.com/acme/Widget/.github/workflows/release.yml@refs/tags/v1.2.3"
                    .to_owned(),
        }
    }

    pub(super) fn by(self, workflow: &str) -> Self {
        let workflow = workflow.to_owned();
        Self { workflow, ..self }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root.json")
    }

    fn bundle(&self, bundle: &str) -> PathBuf {
        let path = self.directory.path().join("bundle.json");
        fs::write(&path, bundle).unwrap();
        path
    }

    /// cosign finds the attestation of an image in the registry.
    pub(super) fn cosign(&self, reference: &str) -> Result<(), String> {
        let registry = reference.split('/').next().unwrap();
        let config = login(registry);
        let mut cosign = self.cosign_on("verify-attestation");
        cosign
            .args(["--allow-http-registry", reference])
            .env("DOCKER_CONFIG", config.path());
        verdict(&mut cosign)
    }

    /// cosign judges a bundle about the SHA-256 digest in hexadecimal form.
    pub(super) fn cosign_on_bundle(&self, bundle: &str, digest: &str) -> Result<(), String> {
        let mut cosign = self.cosign_on("verify-blob-attestation");
        cosign.arg("--bundle").arg(self.bundle(bundle));
        verdict(cosign.args(["--digestAlg=sha256", "--digest", digest]))
    }

    /// This program finds the attestation of an image in the registry, and accepts it for a repository.
    pub(super) fn ours(&self, reference: &str, repository: &str) -> Result<(), String> {
        let config = login(reference.split('/').next().unwrap());
        let github = Double::builder().repository(Repository::new(repository));
        let github = github.start().unwrap();
        let action = Action::new()
            .env("DOCKER_CONFIG", config.path().display().to_string())
            .env("GITHUB_API_URL", github.api_url());
        fs::copy(self.root(), action.path("workspace/root.json")).unwrap();
        let arguments = ["verify", reference, "--repository", repository];
        let trusted = ["--trusted-root=root.json", "--oidc-issuer", &self.issuer];
        let run = action.arguments(&[&arguments[..], &trusted].concat()).run();
        run.succeeded.then_some(()).ok_or(run.stderr)
    }

    fn cosign_on(&self, command: &str) -> Command {
        let mut cosign = tool("cosign");
        cosign
            .args([command, "--type=slsaprovenance1", "--insecure-ignore-sct"])
            .arg("--trusted-root")
            .arg(self.root())
            .args(["--certificate-identity", &self.workflow])
            .args(["--certificate-oidc-issuer", &self.issuer]);
        if self.profile == Profile::Timestamp {
            cosign.args(["--insecure-ignore-tlog", "--use-signed-timestamps"]);
        }
        cosign
    }

    /// sigstore-go judges a bundle about the SHA-256 digest in hexadecimal form.
    pub(super) fn sigstore_go(&self, bundle: &str, digest: &str) -> Result<(), String> {
        let mut verify = tool("sigstore-go-verification");
        verify.args(["-requireCTlog=false", "-artifact-digest", digest]);
        if self.profile == Profile::Timestamp {
            verify.arg("-requireTlog=false");
        }
        verify
            .args(["-expectedIssuer", &self.issuer])
            .args(["-expectedSAN", &self.workflow])
            .arg("-trustedrootJSONpath")
            .arg(self.root())
            .arg(self.bundle(bundle));
        verdict(&mut verify)
    }
}

/// What the program says when it refuses.
fn verdict(command: &mut Command) -> Result<(), String> {
    let Output { status, stderr, .. } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    // 127 is of the shell: there is no such program.
    assert_ne!(status.code(), Some(127), "testbed/up installs it: {said}");
    status.success().then_some(()).ok_or(said)
}
