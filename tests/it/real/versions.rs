//! A version is written once, on each kind of store.

use std::fs;

use super::world::{
    Crane, DebianRegistry, buildx, graph_engine, login, output_of, publication, repository_file,
};
use crate::publication::COMMIT;
use crate::support::{Action, Run};

const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba98";

/// An engine, a registry, and releases of `v1.2.3` to it.
struct Fixture {
    engine: Option<String>,
    registry: DebianRegistry,
    crane: Crane,
}

impl Fixture {
    fn new(engine: Option<String>) -> Self {
        let registry = DebianRegistry::start();
        let crane = Crane::new(&registry.host());
        Self {
            engine,
            registry,
            crane,
        }
    }

    fn name(&self, name: &str) -> String {
        format!("{}/acme/{name}", self.registry.host())
    }

    fn release(&self, names: &[&str]) -> Action {
        let images: Vec<String> = names.iter().map(|name| self.name(name)).collect();
        publication(self.engine.as_deref())
            .event("push_tag")
            .input("registry", self.registry.host())
            .input("images", images.join("\n"))
    }

    /// The digest that the version shows.
    fn shown(&self, name: &str) -> String {
        self.crane.digest(&format!("{}:v1.2.3", self.name(name)))
    }

    /// An image without labels under the version.
    fn push_unlabelled(&self, name: &str) {
        let config = login(&self.registry.host());
        let output = format!(
            "--output=type=image,name={}:v1.2.3,push=true",
            self.name(name)
        );
        let mut build = buildx(self.engine.as_deref());
        build.env("DOCKER_CONFIG", config.path());
        build.args(["build", "--builder=default", &output]);
        output_of(build.arg(repository_file("examples/hello")));
    }
}

#[track_caller]
fn succeeded(action: Action) -> Run {
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run
}

/// Other sources, which would give another digest.
fn changed(action: Action) -> Action {
    fs::write(action.path("workspace/hello.txt"), "changed\n").unwrap();
    action
}

fn check(engine: Option<String>) {
    let fixture = Fixture::new(engine);
    let first = succeeded(fixture.release(&["one", "two"]));
    let digest = first.output("digest").to_owned();
    assert_eq!(first.output("reused"), "false");

    // The same commit, with a third name that lacks the version.
    let again = succeeded(changed(fixture.release(&["one", "two", "three"])));
    assert_eq!(
        [again.output("reused"), again.output("digest")],
        ["true", &digest]
    );
    for name in ["one", "two", "three"] {
        assert_eq!(fixture.shown(name), digest, "{name}");
        let latest = format!("{}:latest", fixture.name(name));
        assert_eq!(fixture.crane.digest(&latest), digest);
    }

    // Another commit.
    let other = changed(fixture.release(&["one"])).env("GITHUB_SHA", OTHER);
    let refused = other.run();
    assert!(!refused.succeeded, "{}", refused.stdout);
    refused.assert_error("exists, and a version is written once");
    for part in [digest.as_str(), COMMIT, OTHER] {
        refused.assert_error(part);
    }
    assert_eq!(fixture.shown("one"), digest);

    // An image that says nothing of its origin.
    fixture.push_unlabelled("unknown");
    let theirs = fixture.shown("unknown");
    let refused = fixture.release(&["unknown"]).run();
    assert!(!refused.succeeded, "{}", refused.stdout);
    refused.assert_error("of unknown origin");
    assert_eq!(fixture.shown("unknown"), theirs);

    let replaced = changed(fixture.release(&["one"])).env("GITHUB_SHA", OTHER);
    let replaced = succeeded(replaced.input("fixed-tags", "replace"));
    assert_ne!(replaced.output("digest"), digest);
    assert_eq!(fixture.shown("one"), replaced.output("digest"));
    assert_eq!(fixture.shown("two"), digest);
}

#[test]
fn version_is_written_once_from_the_containerd_store() {
    check(None);
}

#[test]
fn version_is_written_once_from_a_graph_driver() {
    check(Some(graph_engine()));
}
