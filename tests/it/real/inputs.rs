//! Inputs of the build, with the engine of the machine and a real registry.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::world::{Crane, DebianRegistry, engine_is_recent, output_of, publication};
use crate::support::{Action, Run, process};

/// A base image with a shell, which `testbed/images` makes.
const BASE: &str = "FROM testbed/debian:trixie AS base\n";

fn dockerfile(action: &Action, text: &str) {
    fs::write(action.path("workspace/Dockerfile"), text).unwrap();
}

fn published(registry: &DebianRegistry) -> Action {
    publication(None)
        .event("push_branch")
        .input("registry", registry.host())
}

#[track_caller]
fn succeeded(action: Action) -> Run {
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run
}

/// A text no cache has seen, so that the step is run.
fn unique() -> String {
    let directory = tempfile::tempdir().unwrap();
    directory.path().display().to_string()
}

/// BuildKit in a container of its own, with nothing in its cache; gone with the test.
struct ContainerBuilder {
    config: TempDir,
    name: String,
}

impl ContainerBuilder {
    fn create() -> Self {
        let config = tempfile::tempdir().unwrap();
        let name = unique().replace(['/', '.'], "").to_lowercase();
        let builder = Self { config, name };
        builder.buildx(&[
            "create",
            "--name",
            &builder.name,
            "--driver=docker-container",
            "--driver-opt=network=host",
        ]);
        builder
    }

    fn serve(&self, action: Action) -> Action {
        action
            .env("BUILDX_CONFIG", self.config.path().to_str().unwrap())
            .env("BUILDX_BUILDER", &self.name)
    }

    fn buildx(&self, arguments: &[&str]) {
        let mut docker = process("docker");
        docker.arg("buildx").args(arguments);
        output_of(docker.env("BUILDX_CONFIG", self.config.path()));
    }
}

impl Drop for ContainerBuilder {
    fn drop(&mut self) {
        self.buildx(&["rm", "--force", &self.name]);
    }
}

/// Whether any file below `directory` holds `text`, also in the layers that are packed.
fn holds(directory: &Path, text: &str) -> bool {
    fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, text);
        }
        let unpacked = process("gzip").args(["-dcf"]).arg(&path).output().unwrap();
        let contains = |bytes: &[u8]| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        contains(&unpacked.stdout) || contains(&fs::read(&path).unwrap())
    })
}

#[test]
fn a_secret_is_seen_by_its_instruction_and_by_nothing_after() {
    let registry = DebianRegistry::start();
    let action = published(&registry)
        .input("provenance", "max")
        .input("secrets", "one=canary-of-the-value")
        .input("secret-envs", "two=CANARY")
        .env("CANARY", "canary-of-the-variable")
        .input("secret-files", "three=secret.txt")
        .input("build-args", format!("RUN={}", unique()));
    fs::write(action.path("workspace/secret.txt"), "canary-of-the-file").unwrap();
    fs::write(action.path("workspace/.dockerignore"), "secret.txt\n").unwrap();
    dockerfile(
        &action,
        &format!(
            "{BASE}ARG RUN\nRUN --mount=type=secret,id=one --mount=type=secret,id=two --mount=type=secret,id=three \
             cat /run/secrets/one /run/secrets/two /run/secrets/three | wc -c > /length\n\
             FROM scratch\nCOPY --from=base /length /length\nLABEL run=1\n"
        ),
    );
    let run = succeeded(action);
    let crane = Crane::new(&registry.host());
    let reference = run.output("ref");
    let copy = tempfile::tempdir().unwrap();
    crane.run(&[
        "pull",
        "--format=oci",
        reference,
        copy.path().to_str().unwrap(),
    ]);
    assert!(
        holds(copy.path(), "org.opencontainers.image"),
        "the copy is empty"
    );
    assert!(
        !holds(copy.path(), "canary-of-the"),
        "the image shows a secret"
    );
    let files = crane.run(&["export", "--platform=linux/amd64", reference, "-"]);
    let length = "canary-of-the-value canary-of-the-variable canary-of-the-file".len() - 2;
    assert!(
        files.contains(&format!("{length}\n")),
        "the secrets were not there"
    );
    let metadata = run.output("metadata");
    assert!(!metadata.contains("canary-of-the") && !run.summary.contains("canary-of-the"));
}

#[test]
fn a_named_context_is_a_directory_beside_the_main_one() {
    let registry = DebianRegistry::start();
    let action = published(&registry).input("context", "app").input(
        "build-contexts",
        "docs=docs\nbase=docker-image://testbed/debian:trixie",
    );
    for (name, text) in [
        (
            "app/Dockerfile",
            "FROM base AS shell\nRUN true\nFROM scratch\nCOPY main /\nCOPY --from=docs guide /\n",
        ),
        ("app/main", "main"),
        ("docs/guide", "guide"),
    ] {
        let path = action.path("workspace").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let run = succeeded(action);
    let crane = Crane::new(&registry.host());
    let layers = crane.manifest(run.output("ref"))["layers"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(layers, 2);
}

#[test]
fn a_second_build_finds_everything_in_the_cache() {
    let registry = DebianRegistry::start();
    let build = || {
        let builder = ContainerBuilder::create();
        let action = builder.serve(published(&registry).input("cache", "registry"));
        let text =
            "FROM scratch AS first\nCOPY hello.txt /a\nFROM scratch\nCOPY --from=first /a /b\n";
        dockerfile(&action, text);
        succeeded(action)
    };
    let steps = [
        "[first 1/1] COPY hello.txt /a",
        "[stage-1 1/1] COPY --from=first /a /b",
    ];
    let first = build();
    assert!(!first.stdout.contains("(cached)"), "{}", first.stdout);
    let cache = format!("{}/cache:main", first.output("image"));
    assert!(!Crane::new(&registry.host()).digest(&cache).is_empty());
    let second = build();
    for step in steps {
        let line = format!("{step} (cached)");
        second.assert_log(&line);
    }
}

/// A generator of the engine's own, as BuildKit asks for one: it writes a statement into the directory it is
/// given (<https://github.com/moby/buildkit/blob/v0.25.0/docs/attestations/sbom-protocol.md>). The usual one
/// lies in a registry that is not here.
pub(super) fn sbom_generator() -> &'static str {
    let name = "testbed/sbom-generator:1";
    let directory = tempfile::tempdir().unwrap();
    let statement = r#"{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://spdx.dev/Document","subject":[],"predicate":{"spdxVersion":"SPDX-2.3","name":"of the generator"}}"#;
    fs::write(directory.path().join("statement.json"), statement).unwrap();
    let text = "FROM testbed/debian:trixie\nCOPY statement.json /\n\
                ENTRYPOINT [\"/bin/sh\", \"-c\", \"cp /statement.json $BUILDKIT_SCAN_DESTINATION/sbom.spdx.json\"]\n";
    fs::write(directory.path().join("Dockerfile"), text).unwrap();
    let mut build = process("docker");
    output_of(
        build
            .args(["build", "--quiet", "--tag", name])
            .arg(directory.path()),
    );
    name
}

/// The statement in layer number `at` of an attestation manifest.
fn statement(crane: &Crane, image: &str, attestation: &Value, at: usize) -> String {
    let layer = attestation["layers"][at]["digest"].as_str().unwrap();
    crane.run(&["blob", &format!("{image}@{layer}")])
}

#[test]
fn platforms_with_provenance_and_sbom_match_what_crane_reads() {
    let registry = DebianRegistry::start();
    let run = succeeded(
        published(&registry)
            .input("platforms", "linux/amd64,linux/arm64")
            .input("provenance", "max")
            .input("sbom", format!("generator={}", sbom_generator()))
            .env("GITHUB_RUN_ID", "17"),
    );
    let crane = Crane::new(&registry.host());
    assert_eq!(crane.digest(run.output("tags")), run.output("digest"));
    let index = crane.manifest(run.output("ref"));
    let manifests = index["manifests"].as_array().unwrap();
    let of = |manifest: &Value| {
        manifest["platform"]["architecture"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let architectures: Vec<String> = manifests.iter().map(of).collect();
    assert_eq!(architectures, ["amd64", "arm64", "unknown", "unknown"]);
    let platforms: Value = serde_json::from_str(run.output("platform-digests")).unwrap();
    assert_eq!(platforms["linux/amd64"], manifests[0]["digest"]);
    assert_eq!(platforms["linux/arm64"], manifests[1]["digest"]);
    let digests: Vec<String> = serde_json::from_str(run.output("digests")).unwrap();
    let attested = manifests[2]["digest"].as_str().unwrap();
    assert!(digests.contains(&attested.to_owned()), "{digests:?}");
    let attestation = crane.manifest(&format!("{}@{attested}", run.output("image")));
    assert_eq!(attestation["layers"].as_array().unwrap().len(), 2);
    let read = |at| statement(&crane, run.output("image"), &attestation, at);
    let statements = [0, 1].map(read).join("\n");
    assert!(statements.contains("of the generator"), "{statements}");
    assert!(
        statements.contains("https://github.com/acme/Widget/actions/runs/17/attempts/1"),
        "{statements}"
    );
    assert_eq!(
        index["annotations"]["org.opencontainers.image.description"],
        "Makes widgets"
    );
}

#[test]
fn attestations_of_one_platform_make_an_index_with_annotations() {
    let registry = DebianRegistry::start();
    let run = succeeded(published(&registry).input("provenance", "min"));
    let index = Crane::new(&registry.host()).manifest(run.output("ref"));
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
    assert_eq!(
        index["annotations"]["org.opencontainers.image.description"],
        "Makes widgets"
    );
}

/// The engine's own store unpacks what it gets and refuses to date it anew, so a builder in a container.
#[test]
fn two_reproducible_builds_have_one_digest() {
    let registry = DebianRegistry::start();
    let builder = ContainerBuilder::create();
    let build = |clock: &str| {
        let action = published(&registry)
            .input("reproducible", "true")
            .input("no-cache", "true")
            .env("SOURCE_DATE_EPOCH", clock);
        let hello = action.path("workspace/hello.txt");
        output_of(process("touch").arg(format!("--date=@{clock}")).arg(hello));
        let run = succeeded(builder.serve(action));
        (
            run.output("digest").to_owned(),
            run.output("ref").to_owned(),
        )
    };
    let (first, reference) = build("1795168800");
    let (second, _) = build("1795268800");
    assert_eq!(second, first);
    let config = Crane::new(&registry.host()).run(&["config", &reference]);
    assert!(
        config.contains(r#""created":"2026-11-20T09:00:00Z""#),
        "{config}"
    );
}

#[test]
fn a_file_and_the_engine_get_the_image_too() {
    let registry = DebianRegistry::start();
    let action = published(&registry)
        .input("load", "true")
        .input("outputs", "type=oci,dest=image.tar");
    let run = succeeded(action);
    let name = format!(
        "{}/acme/widget:sha-0123456789abcdef0123456789abcdef01234567",
        registry.host()
    );
    assert_eq!(run.output("pushed"), "true");
    assert_eq!(
        Crane::new(&registry.host()).digest(&name),
        run.output("digest")
    );
    assert!(run.path("workspace/image.tar").is_file());
    output_of(process("docker").args(["image", "inspect", &name]));
    output_of(process("docker").args(["image", "rm", &name]));
}

#[test]
fn files_alone_lie_where_they_were_asked_for() {
    let run = succeeded(
        publication(None)
            .event("push_branch")
            .input("outputs", "out"),
    );
    assert_eq!((run.output("pushed"), run.output("digest")), ("false", ""));
    assert_eq!(
        fs::read(run.path("workspace/out/hello.txt")).unwrap(),
        fs::read(run.path("workspace/hello.txt")).unwrap()
    );
}

/// What buildx wants to use when an engine has an older one; Docker Hub may be out of reach.
const FRONTEND: &str = "docker.io/docker/dockerfile:1";

#[track_caller]
fn names_the_frontend_that_is_missing(run: &Run, frontend: &str) {
    // buildx appends a version and a digest.
    let step = format!("the build failed at `resolve image config for docker-image://{frontend}");
    let said = [step.as_str(), "because: ", "fix: "];
    assert!(
        said.iter().all(|part| run.stderr.contains(part)),
        "{}",
        run.stderr
    );
    assert_eq!(run.output("digest"), "");
}

#[test]
fn a_frontend_that_is_missing_is_named() {
    let action = publication(None)
        .event("push_branch")
        .input("call", "check");
    // Port 9 is the discard service's; nothing listens there.
    let frontend = "127.0.0.1:9/docker/dockerfile:1";
    let text = format!("# syntax={frontend}\nFROM scratch\nCOPY hello.txt /\n");
    dockerfile(&action, &text);
    names_the_frontend_that_is_missing(&action.run(), frontend);
}

#[test]
fn the_engine_checks_a_dockerfile() {
    let action = publication(None)
        .event("push_branch")
        .input("call", "check");
    dockerfile(&action, "FROM scratch as base\nCOPY hello.txt /\n");
    let run = action.run();
    assert!(!run.succeeded);
    if !engine_is_recent() && run.stdout.contains(FRONTEND) {
        return names_the_frontend_that_is_missing(&run, FRONTEND);
    }
    run.assert_log("::warning file=Dockerfile,line=1,title=ghcr-publish::FromAsCasing: ");
    let clean = publication(None)
        .event("push_branch")
        .input("call", "check");
    let clean = succeeded(clean);
    clean.assert_log("the check of Dockerfile found no problems");
    let outline = publication(None)
        .event("push_branch")
        .input("call", "targets");
    let outline = succeeded(outline);
    outline.assert_log("TARGET");
}
