//! Images of real engines and of a real registry, published as they are and read by crane.

use std::fs;

use ghcr_double::Double;
use serde_json::Value;

use super::world::{Crane, DebianRegistry, buildx, graph_engine, output_of, publication};
use crate::publication::empty_registry;
use crate::support::{Action, Run, TOKEN, process};

fn double() -> Double {
    empty_registry().start().unwrap()
}

/// An image of an engine: gone with the value.
struct Built {
    engine: Option<String>,
    name: String,
}

impl Built {
    /// What `docker build --tag` makes of a file, with these arguments beside.
    fn new(engine: Option<String>, name: &str, arguments: &[&str]) -> Self {
        let context = tempfile::tempdir().unwrap();
        fs::write(
            context.path().join("Dockerfile"),
            "FROM scratch\nCOPY . /\n",
        )
        .unwrap();
        fs::write(context.path().join("file"), name.repeat(1000)).unwrap();
        let mut build = buildx(engine.as_deref());
        build
            .args(["build", "--load", "--tag", name])
            .args(arguments);
        output_of(build.arg(context.path()));
        let name = name.to_owned();
        Self { engine, name }
    }

    fn docker(&self, arguments: &[&str]) -> String {
        let mut docker = process("docker");
        docker.envs(self.engine.iter().map(|host| ("DOCKER_HOST", host)));
        output_of(docker.args(arguments))
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        self.docker(&["image", "rm", "--force", &self.name]);
    }
}

fn action(engine: Option<&str>, host: &str, candidate: &str) -> Action {
    let action = publication(engine).event("push_tag");
    action.input("registry", host).input("candidate", candidate)
}

/// Every tag shows the digest, and crane gets every part of the image, which it checks by its digest.
#[track_caller]
fn agrees(run: &Run, host: &str) -> Value {
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    let crane = Crane::new(host);
    let tags: Vec<&str> = run.output("tags").lines().collect();
    assert_eq!(tags.len(), 2);
    for tag in tags {
        assert_eq!(crane.digest(tag), run.output("digest"), "{tag}");
        let directory = tempfile::tempdir().unwrap();
        crane.run(&[
            "pull",
            "--format=oci",
            tag,
            directory.path().to_str().unwrap(),
        ]);
    }
    crane.manifest(run.output("ref"))
}

/// Layers are archives and add up to what the config says. An attestation has no such layers.
#[track_caller]
fn is_valid(run: &Run, host: &str) {
    Crane::new(host).run(&["validate", "--remote", run.output("ref")]);
}

#[test]
fn an_image_of_the_containerd_store_keeps_its_digest() {
    let built = Built::new(None, "candidate-containerd:test", &[]);
    let double = double();
    let run = action(None, &double.host(), &built.name).run();
    let manifest = agrees(&run, &double.host());
    is_valid(&run, &double.host());
    let shown = built.docker(&["image", "inspect", "--format", "{{.Id}}", &built.name]);
    assert_eq!(run.output("digest"), shown);
    assert_eq!(manifest["schemaVersion"], 2);
    let by_id = action(None, &double.host(), &shown).run();
    assert!(by_id.succeeded, "{}{}", by_id.stdout, by_id.stderr);
    assert_eq!(by_id.output("digest"), shown);
}

#[test]
fn an_image_of_a_graph_driver_is_packed_as_its_engine_would_push_it() {
    let engine = graph_engine();
    let built = Built::new(Some(engine.clone()), "candidate-graph:test", &[]);
    let (one, two) = (double(), double());
    let run = action(Some(&engine), &one.host(), &built.name).run();
    let manifest = agrees(&run, &one.host());
    is_valid(&run, &one.host());
    let id = built.docker(&["image", "inspect", "--format", "{{.Id}}", &built.name]);
    assert_eq!(manifest["config"]["digest"], Value::from(id.as_str()));
    assert_eq!(run.output("imageid"), id);
    let layer = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    assert_eq!(manifest["layers"][0]["mediaType"], layer);
    let again = action(Some(&engine), &two.host(), &built.name).run();
    assert_eq!(again.output("digest"), run.output("digest"));
}

#[test]
fn an_image_the_registry_does_not_have_is_the_engines_only_when_it_is_named() {
    let double = double();
    let name = format!("{}/acme/widget/built:here", double.host());
    let built = Built::new(None, &name, &[]);
    let unnamed = action(None, &double.host(), &built.name).run();
    assert!(!unnamed.succeeded, "{}", unnamed.stdout);
    let named = format!("docker-daemon:{name}");
    agrees(&action(None, &double.host(), &named).run(), &double.host());
}

#[test]
fn an_image_passes_between_the_double_and_debians_registry() {
    let (double, registry) = (double(), DebianRegistry::start());
    let action = publication(None)
        .event("push_tag")
        .input("registry", double.host());
    let first = action
        .input("platforms", "linux/amd64,linux/arm64")
        .input("provenance", "max")
        .run();
    assert!(first.succeeded, "{}{}", first.stdout, first.stderr);
    let logins = format!(
        "- {{registry: '{}', username: octocat, password: {TOKEN}}}\n- {{registry: '{}', username: octocat, password: {TOKEN}}}",
        double.host(),
        registry.host()
    );
    let promoted = |host: &str, candidate: &str, name: &str| {
        let action = self::action(None, host, candidate);
        action
            .input("registry-auth", &logins)
            .input("images", name)
            .run()
    };
    let there = promoted(&registry.host(), first.output("ref"), "acme/widget");
    agrees(&there, &registry.host());
    assert_eq!(there.output("digest"), first.output("digest"));
    let beside = promoted(&registry.host(), there.output("ref"), "acme/beside");
    agrees(&beside, &registry.host());
    assert!(!beside.stdout.contains("Copied "), "{}", beside.stdout);
    let back = promoted(&double.host(), beside.output("ref"), "acme/back");
    agrees(&back, &double.host());
    assert_eq!(back.output("digest"), first.output("digest"));
    assert_eq!(back.output("digests"), first.output("digests"));
}
