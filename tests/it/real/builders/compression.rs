//! The compression of the layers that are pushed, on each kind of store.

use serde_json::Value;

use super::{double, left_by, run_number};
use crate::real::world::{
    Crane, DebianRegistry, buildx, graph_engine, login, output_of, publication, repository_file,
};
use crate::support::process;

/// The media types of the layers of a manifest, each once.
fn layer_types(manifest: &Value) -> Vec<&str> {
    let layers = manifest["layers"].as_array().unwrap().iter();
    let mut types: Vec<&str> = layers
        .map(|one| one["mediaType"].as_str().unwrap())
        .collect();
    types.dedup();
    types
}

const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// The fact that the choice rests on: a graph driver accepts the option and ignores it.
#[test]
fn a_graph_driver_pushes_gzip_whatever_compression_is_asked_for() {
    let registry = DebianRegistry::start();
    let config = login(&registry.host());
    let docker_gzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    for (engine, expected) in [(None, ZSTD), (Some(graph_engine()), docker_gzip)] {
        let name = format!("{}/acme/{}", registry.host(), engine.is_some());
        let output = format!(
            "--output=type=image,name={name},push=true,oci-mediatypes=true,compression=zstd,force-compression=true"
        );
        let mut build = buildx(engine.as_deref());
        build.env("DOCKER_CONFIG", config.path());
        output_of(
            build
                .args(["build", "--builder=default", &output])
                .arg(repository_file("examples/hello")),
        );
        let manifest = Crane::new(&registry.host()).manifest(&name);
        assert_eq!(layer_types(&manifest), [expected], "{manifest}");
    }
}

/// A builder in a container reaches a registry on localhost only with the host's network, so it is asked for here. Not with
/// estargz: an engine that is built with Go 1.27 and an older BuildKit crashes on it (`footer buffer = 48, not 51`).
#[test]
fn layers_have_the_compression_that_is_asked_for_on_both_stores() {
    let graph = graph_engine();
    let image = repository_file("testbed/buildkit-image");
    output_of(process(image.to_str().unwrap()).arg(&graph));
    let registry = DebianRegistry::start();
    for (engine, number) in [(None, 9), (Some(graph.as_str()), 10)] {
        let action = publication(engine)
            .event("push_tag")
            .env("GITHUB_RUN_ID", run_number(number))
            .input("registry", registry.host())
            .input("images", format!("{}/acme/{number}", registry.host()))
            .input(
                "outputs",
                "type=image,compression=zstd,force-compression=true",
            );
        let action = match engine {
            None => action,
            Some(_) => action.input("driver-opts", "network=host"),
        };
        let state = action.path("state").display().to_string();
        let run = action.env("GITHUB_STATE", state).run();
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        let manifest = Crane::new(&registry.host()).manifest(run.output("ref"));
        assert_eq!(layer_types(&manifest), [ZSTD], "{manifest}");
    }
}

/// Without `driver-opts` the step makes that builder by itself. It has its own `localhost`, so it cannot push here; the reason
/// for the builder is in the log before.
#[test]
fn a_graph_driver_gets_a_builder_for_another_compression() {
    let graph = graph_engine();
    let image = repository_file("testbed/buildkit-image");
    output_of(process(image.to_str().unwrap()).arg(&graph));
    let number = run_number(11);
    let double = double();
    let action = publication(Some(&graph))
        .event("push_tag")
        .env("GITHUB_RUN_ID", &number)
        .input("registry", double.host())
        .input("push-timeout", "1s")
        .input("outputs", "type=image,compression=zstd");
    let state = action.path("state").display().to_string();
    let run = action.env("GITHUB_STATE", state).run();
    run.assert_log("which cannot push layers with another compression than gzip");
    run.assert_error("driver-opts: network=host");
    assert_eq!(left_by(&number, Some(&graph)), [""; 0]);
}
