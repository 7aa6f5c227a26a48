//! The engine builds and pushes to the GHCR double.

use expect_test::expect;
use ghcr_double::Double;

use super::world::{Crane, graph_engine, output_of, publication};
use crate::publication::empty_registry;
use crate::support::process;

fn double() -> Double {
    empty_registry().start().unwrap()
}

fn publishes(engine: Option<&str>) {
    let double = double();
    let run = publication(engine)
        .event("push_tag")
        .input("registry", double.host())
        .run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    let crane = Crane::new(&double.host());
    let tags: Vec<&str> = run.output("tags").lines().collect();
    let name = format!("{}/acme/widget", double.host());
    assert_eq!(tags, [format!("{name}:v1.2.3"), format!("{name}:latest")]);
    for tag in tags {
        assert_eq!(crane.digest(tag), run.output("digest"), "for {tag}");
    }
    let config = crane.run(&["config", run.output("ref")]);
    assert!(
        config.contains(r#""org.opencontainers.image.version":"v1.2.3""#),
        "{config}"
    );
    assert_eq!(
        run.output("imageid"),
        crane.manifest(run.output("ref"))["config"]["digest"]
    );
}

#[test]
fn the_containerd_store_publishes_what_crane_finds() {
    publishes(None);
}

#[test]
fn a_graph_driver_publishes_what_crane_finds() {
    publishes(Some(&graph_engine()));
}

/// BuildKit writes the layers of such an image as `null`.
fn publishes_without_layers(engine: Option<&str>) {
    let double = double();
    let publish = |label: &str| {
        let action = publication(engine)
            .event("push_branch")
            .input("registry", double.host())
            .input("max-growth", "1kB");
        let dockerfile = format!("FROM scratch\nCMD [\"/hello\"]\nLABEL step={label}\n");
        std::fs::write(action.path("workspace/Dockerfile"), dockerfile).unwrap();
        let run = action.run();
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        run
    };
    publish("1");
    let run = publish("2");
    let changes: serde_json::Value = serde_json::from_str(run.output("changes")).unwrap();
    let after = &changes["platforms"][0]["after"];
    assert_eq!(after["layers"], 0, "{changes}");
}

#[test]
fn the_containerd_store_publishes_an_image_without_layers() {
    publishes_without_layers(None);
}

#[test]
fn a_graph_driver_publishes_an_image_without_layers() {
    publishes_without_layers(Some(&graph_engine()));
}

#[test]
fn a_mistake_in_the_dockerfile_is_annotated_where_it_stands() {
    let double = double();
    let action = publication(None)
        .event("push_tag")
        .input("registry", double.host());
    std::fs::write(
        action.path("workspace/Dockerfile"),
        "FROM scratch\nCOPPY a b\n",
    )
    .unwrap();
    let run = action.run();
    assert!(!run.succeeded);
    expect![[r#"
        ::error file=Dockerfile,line=2,title=ghcr-publish::the build failed
          because: dockerfile parse error on line 2: unknown instruction: COPPY (did you mean COPY?)
          the source:
               1 |     FROM scratch
               2 | >>> COPPY a b
          fix: correct line 2 of `Dockerfile`
    "#]]
    .assert_eq(&run.stderr.replace("%0A", "\n"));
    assert!(double.tags("acme/widget").is_empty());
}

#[test]
fn what_is_only_built_is_in_the_engine_under_its_tag() {
    let run = publication(None)
        .event("pull_request_fork")
        .input("images", "localhost/real-engine/only-built")
        .run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.output("pushed"), "false");
    let name = "localhost/real-engine/only-built:pr-3";
    output_of(process("docker").args(["image", "inspect", name]));
    output_of(process("docker").args(["image", "rm", name]));
}
