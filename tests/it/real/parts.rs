//! Two jobs at the same time build the parts of one image, on each kind of store.

use serde_json::Value;

use super::inputs::sbom_generator;
use super::sigstore::Profile;
use super::sigstore::instance::Instance;
use super::world::{Crane, DebianRegistry, graph_engine, publication};
use crate::support::{Action, Run};

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

struct Jobs {
    engine: Option<String>,
    registry: DebianRegistry,
    instance: Instance,
}

impl Jobs {
    fn on(engine: Option<String>) -> Self {
        Self {
            engine,
            registry: DebianRegistry::start(),
            instance: Instance::start(Profile::Log),
        }
    }

    /// The generator is an image of the engine, which a builder in a container cannot read.
    fn has_sbom(&self) -> bool {
        self.engine.is_none()
    }

    fn job(&self) -> Action {
        let action = publication(self.engine.as_deref())
            .event("push_tag")
            .env("GITHUB_RUN_ID", "42")
            .input("registry", self.registry.host())
            .input("platforms", PLATFORMS.join(","))
            .input("provenance", "max")
            .input("attest", "registry");
        let temp = action.path("temp").display().to_string();
        std::fs::create_dir_all(&temp).unwrap();
        let action = action.env("RUNNER_TEMP", temp);
        let action = match self.has_sbom() {
            true => action.input("sbom", format!("generator={}", sbom_generator())),
            false => action.input("driver-opts", "network=host"),
        };
        self.instance.signs(action)
    }

    fn parts(&self) -> [Run; 2] {
        let jobs = PLATFORMS.map(|platform| self.job().input("part", platform).start());
        let runs = jobs.map(|job| job.end());
        for run in &runs {
            assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
            assert_eq!(run.output("pushed"), "true");
        }
        runs
    }
}

/// Every part, attestation and annotation is there, as from one job.
fn check(engine: Option<String>) {
    let jobs = Jobs::on(engine);
    let runs = jobs.parts();
    let complete = runs.iter().find(|run| run.output("complete") == "true");
    let complete = complete.expect("one of the jobs completes the image");
    let crane = Crane::new(&jobs.registry.host());
    for tag in complete.output("tags").lines() {
        assert_eq!(crane.digest(tag), complete.output("digest"));
    }
    let platforms: Value = serde_json::from_str(complete.output("platform-digests")).unwrap();
    for platform in PLATFORMS {
        let digest = platforms[platform].as_str().unwrap();
        let image = format!("{}@{digest}", complete.output("image"));
        crane.run(&["validate", "--remote", &image]);
    }
    let index = crane.manifest(complete.output("ref"));
    let manifests = index["manifests"].as_array().unwrap();
    let architecture = |one: &Value| one["platform"]["architecture"].as_str().unwrap().to_owned();
    let mut architectures: Vec<String> = manifests.iter().map(architecture).collect();
    architectures.sort();
    assert_eq!(architectures, ["amd64", "arm64", "unknown", "unknown"]);
    let annotations = &index["annotations"];
    assert_eq!(
        annotations["org.opencontainers.image.description"],
        "Makes widgets"
    );
    for attestation in manifests
        .iter()
        .filter(|one| architecture(one) == "unknown")
    {
        let subject = &attestation["annotations"]["vnd.docker.reference.digest"];
        assert!(
            manifests.iter().any(|one| one["digest"] == *subject),
            "{index}"
        );
        let reference = format!(
            "{}@{}",
            complete.output("image"),
            attestation["digest"].as_str().unwrap()
        );
        let statements = crane.manifest(&reference)["layers"]
            .as_array()
            .unwrap()
            .len();
        assert_eq!(statements, 1 + usize::from(jobs.has_sbom()));
    }
    let bundles = std::fs::read_to_string(complete.output("bundle-path")).unwrap();
    // The provenance of the image, and an SBOM for each platform.
    assert_eq!(bundles.lines().count(), if jobs.has_sbom() { 3 } else { 1 });
    let merged = jobs.job().input("mode", "merge").run();
    assert!(merged.succeeded, "{}{}", merged.stdout, merged.stderr);
    assert_eq!(merged.output("digest"), complete.output("digest"));
}

#[test]
fn two_jobs_make_one_image_on_the_containerd_store() {
    check(None);
}

#[test]
fn two_jobs_make_one_image_on_a_graph_driver() {
    check(Some(graph_engine()));
}
