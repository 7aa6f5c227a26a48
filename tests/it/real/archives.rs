//! Archives and layouts of other tools are published without an engine, with the digests that the tools show.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::world::{Crane, DebianRegistry, graph_engine, login, output_of, publication, tool};
use crate::support::{Action, Run, TOKEN, process};

/// An image of two platforms in a registry, and a directory for what tools make of it.
struct Source {
    registry: DebianRegistry,
    crane: Crane,
    run: Run,
    directory: TempDir,
}

impl Source {
    fn new() -> Self {
        let registry = DebianRegistry::start();
        let run = publication(None)
            .event("push_branch")
            .input("registry", registry.host())
            .input("platforms", "linux/amd64,linux/arm64")
            .run();
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        Self {
            crane: Crane::new(&registry.host()),
            registry,
            run,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn image(&self, platform: &str) -> String {
        let digests: Value = serde_json::from_str(self.run.output("platform-digests")).unwrap();
        let digest = digests[platform].as_str().unwrap();
        format!("{}@{digest}", self.run.output("image"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn skopeo(&self, image: &str, archive: &str) {
        let mut skopeo = tool("skopeo");
        skopeo.args(["--insecure-policy", "copy", "--src-tls-verify=false"]);
        skopeo.args([format!("--src-creds=octocat:{TOKEN}")]);
        output_of(skopeo.args([format!("docker://{image}"), archive.to_owned()]));
    }
}

/// Publishes `candidate` from files of `directory`, with no engine, no `docker` and no `buildx` in reach.
fn published(registry: &DebianRegistry, directory: &Path, candidate: &str) -> Run {
    let action = Action::new()
        .event("push_tag")
        .env("PATH", "/nowhere")
        .env("RUNNER_TEMP", directory.display().to_string())
        .input("github-token", TOKEN)
        .input("registry", registry.host())
        .input("candidate", candidate)
        .input("fixed-tags", "replace");
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.noted("engine-requests"), "");
    run
}

fn digest(reference: &str) -> &str {
    reference.split_once('@').unwrap().1
}

#[test]
fn archives_of_skopeo_and_a_layout_of_crane_keep_their_digests() {
    let source = Source::new();
    let image = source.image("linux/amd64");
    let (oci, docker) = (source.path("oci.tar"), source.path("docker.tar"));
    source.skopeo(&image, &format!("oci-archive:{}", oci.display()));
    source.skopeo(&image, &format!("docker-archive:{}", docker.display()));
    let layout = source.path("layout");
    source
        .crane
        .run(&["pull", "--format=oci", &image, layout.to_str().unwrap()]);

    for candidate in [
        format!("oci-archive:{}", oci.display()),
        format!("oci-layout:{}", layout.display()),
    ] {
        let run = published(&source.registry, source.directory.path(), &candidate);
        assert_eq!(run.output("digest"), digest(&image), "{candidate}");
        assert_eq!(
            source
                .crane
                .digest(run.output("tags").lines().next().unwrap()),
            digest(&image)
        );
    }
    let run = published(
        &source.registry,
        source.directory.path(),
        &format!("docker-archive:{}", docker.display()),
    );
    let config = source.crane.manifest(&image)["config"]["digest"].clone();
    assert_eq!(run.output("imageid"), config);
    source
        .crane
        .run(&["validate", "--remote", run.output("ref")]);
}

#[test]
fn two_layouts_of_two_platforms_become_the_image_they_come_from() {
    let source = Source::new();
    let layouts = ["linux/amd64", "linux/arm64"].map(|platform| {
        let layout = source.path(&platform.replace('/', "-"));
        let image = source.image(platform);
        source
            .crane
            .run(&["pull", "--format=oci", &image, layout.to_str().unwrap()]);
        format!("oci-layout:{}", layout.display())
    });
    let run = published(
        &source.registry,
        source.directory.path(),
        &layouts.join("\n"),
    );
    assert_eq!(
        run.output("platform-digests"),
        source.run.output("platform-digests")
    );
    let index = source.crane.manifest(run.output("ref"));
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
}

/// What `docker save` writes has the digest (of the config, on a graph driver) that the engine shows.
fn check_docker_save(engine: Option<&str>, output: &str) {
    let registry = DebianRegistry::start();
    let directory = tempfile::tempdir().unwrap();
    let config = login(&registry.host());
    let docker = |arguments: &[&str]| {
        let mut docker = process("docker");
        docker.args(arguments).env("DOCKER_CONFIG", config.path());
        docker.env("BUILDX_NO_DEFAULT_ATTESTATIONS", "1");
        output_of(docker.envs(engine.map(|host| ("DOCKER_HOST", host))))
    };
    let (name, archive) = (
        format!("saved:{output}"),
        directory.path().join("image.tar"),
    );
    let example = super::world::repository_file("examples/hello");
    docker(&[
        "build",
        "--quiet",
        "--tag",
        &name,
        example.to_str().unwrap(),
    ]);
    docker(&["save", "--output", archive.to_str().unwrap(), &name]);
    let id = docker(&["image", "inspect", "--format={{.Id}}", &name]);
    docker(&["image", "rm", &name]);
    let candidate = format!("docker-archive:{}", archive.display());
    let run = published(&registry, directory.path(), &candidate);
    assert_eq!(run.output(output), id);
    Crane::new(&registry.host()).run(&["validate", "--remote", run.output("ref")]);
}

#[test]
fn an_archive_of_docker_save_keeps_the_digest_of_the_containerd_store() {
    check_docker_save(None, "digest");
}

#[test]
fn an_archive_of_docker_save_keeps_the_config_of_a_graph_driver() {
    check_docker_save(Some(&graph_engine()), "imageid");
}
