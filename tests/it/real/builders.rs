//! Builders of the real engine: chosen, made, used, removed.

mod compression;
mod policy;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ghcr_double::Double;
use serde_json::Value;

use super::world::{Crane, buildx, graph_engine, output_of, publication, repository_file};
use crate::publication::empty_registry;
use crate::support::{Action, Run, process};

fn double() -> Double {
    empty_registry().start().unwrap()
}

fn docker(engine: Option<&str>) -> Command {
    let mut docker = process("docker");
    docker.args(engine.map(|host| format!("--host={host}")));
    docker
}

/// A publication for two platforms in a run of its own number.
fn two_platforms(engine: Option<&str>, run: &str) -> Action {
    let action = publication(engine)
        .event("push_tag")
        .input("platforms", "linux/amd64,linux/386")
        .env("GITHUB_RUN_ID", run);
    let state = action.path("state").display().to_string();
    action.env("GITHUB_STATE", state)
}

/// Containers and volumes of the builders of a run.
fn left_by(run: &str, engine: Option<&str>) -> Vec<String> {
    let filter = format!("--filter=name=buildx_buildkit_ghcr-publish-{run}-");
    let containers = ["ps", "--all", "--format={{.Names}}", &filter];
    let volumes = ["volume", "ls", "--format={{.Name}}", &filter];
    let lists = [&containers, &volumes].map(|arguments| output_of(docker(engine).args(arguments)));
    let names = lists.iter().flat_map(|list| list.lines());
    names.map(str::to_owned).collect()
}

/// A number no other run has: tests of several checkouts may share the engine.
fn run_number(test: u32) -> String {
    format!("{}{test:02}", std::process::id())
}

#[track_caller]
fn matches_crane(run: &Run, double: &Double, expected: &[&str]) {
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    let crane = Crane::new(&double.host());
    for tag in run.output("tags").lines() {
        assert_eq!(crane.digest(tag), run.output("digest"), "for {tag}");
    }
    let index = crane.manifest(run.output("ref"));
    let reported: Value = serde_json::from_str(run.output("platform-digests")).unwrap();
    let children = index["manifests"].as_array().unwrap();
    assert_eq!(children.len(), expected.len(), "{index}");
    for child in children {
        let platform = &child["platform"];
        let platform = ["os", "architecture"].map(|key| platform[key].as_str().unwrap());
        let platform = platform.join("/");
        assert!(expected.contains(&platform.as_str()), "{index}");
        assert_eq!(reported[&platform], child["digest"]);
    }
}

#[test]
fn the_containerd_store_builds_several_platforms_itself() {
    let double = double();
    let run = two_platforms(None, &run_number(1))
        .input("registry", double.host())
        .run();
    matches_crane(&run, &double, &["linux/amd64", "linux/386"]);
    assert!(
        !run.stdout.contains("creating the builder"),
        "{}",
        run.stdout
    );
}

/// The facts the choice of a builder rests on.
#[test]
fn the_engines_own_builder_can_what_the_choice_expects_of_it() {
    let graph = graph_engine();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let kept = "--output=type=image,push=false";
    let cases = [
        (
            true,
            vec![
                kept.to_owned(),
                "--platform=linux/amd64,linux/386".to_owned(),
            ],
        ),
        (
            true,
            vec![kept.to_owned(), "--provenance=mode=max".to_owned()],
        ),
        (
            true,
            vec![
                kept.to_owned(),
                format!("--cache-to=type=local,dest={}", at("cache")),
            ],
        ),
        (
            true,
            vec![format!("--output=type=oci,dest={}", at("oci.tar"))],
        ),
        (
            true,
            vec![format!("--output=type=docker,dest={}", at("docker.tar"))],
        ),
        (
            false,
            vec![
                "--output=type=image,name=127.0.0.1:9/a/b,push=true,push-by-digest=true".to_owned(),
            ],
        ),
        (
            false,
            vec![kept.to_owned(), "--allow=security.insecure".to_owned()],
        ),
    ];
    for (containerd, arguments) in cases {
        for (engine, expected) in [(None, containerd), (Some(graph.as_str()), false)] {
            let mut build = buildx(engine);
            build.args(["build", "--builder=default"]).args(&arguments);
            let output = build
                .arg(repository_file("examples/hello"))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(
                output.status.success(),
                expected,
                "{arguments:?} on {engine:?}: {said}"
            );
        }
    }
}

#[test]
fn a_graph_driver_gets_a_builder_for_several_platforms() {
    let host = graph_engine();
    let image = repository_file("testbed/buildkit-image");
    output_of(process(image.to_str().unwrap()).arg(&host));
    let number = run_number(2);
    let action = two_platforms(Some(&host), &number).input("push", "false");
    let run = action.input("images", "localhost/real-engine/two").run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run.assert_log("graph driver");
    assert!(run.output("digest").starts_with("sha256:"));
    assert_eq!(left_by(&number, Some(&host)), [""; 0]);
}

#[test]
fn a_container_builder_is_made_used_and_removed() {
    let double = double();
    let number = run_number(3);
    let run = two_platforms(None, &number)
        .input("registry", double.host())
        .input("driver", "docker-container")
        .input("driver-opts", "network=host")
        .input("buildkitd-config-inline", "debug = true")
        .run();
    matches_crane(&run, &double, &["linux/amd64", "linux/386"]);
    run.assert_log("creating the builder ghcr-publish-");
    assert_eq!(left_by(&number, None), [""; 0]);
    assert_eq!(run.noted("state").lines().last(), Some("builder="));
}

/// A BuildKit of its own on loopback.
struct BuildKit {
    name: String,
    address: String,
}

impl BuildKit {
    fn start(name: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let name = format!("ghcr-publish-test-{}-{name}", std::process::id());
        let run = ["run", "--detach", "--privileged", "--network=host"];
        let name_it = format!("--name={name}");
        let image = "moby/buildkit:buildx-stable-1";
        let listen = format!("--addr=tcp://{address}");
        output_of(docker(None).args(run).args([&name_it, image, &listen]));
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(&address).is_err() {
            assert!(Instant::now() < until, "BuildKit does not listen");
            sleep(Duration::from_millis(50));
        }
        Self { name, address }
    }

    fn endpoint(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// The platforms of the builds in its log of builds.
    fn built(&self) -> Vec<String> {
        let address = format!("--addr={}", self.endpoint());
        let histories = ["debug", "histories", "--format={{json .}}"];
        let exec = ["exec", &self.name, "buildctl", &address];
        let log = output_of(docker(None).args(exec).args(histories));
        let records = serde_json::Deserializer::from_str(&log).into_iter::<Value>();
        let platforms = records.map(|record| {
            let attributes = &record.unwrap()["record"]["FrontendAttrs"];
            attributes["platform"].as_str().unwrap().to_owned()
        });
        platforms.collect()
    }
}

impl Drop for BuildKit {
    fn drop(&mut self) {
        output_of(docker(None).args(["rm", "--force", "--volumes", &self.name]));
    }
}

#[test]
fn two_remote_daemons_are_one_builder_and_build_a_platform_each() {
    let double = double();
    let (amd, arm) = (BuildKit::start("amd"), BuildKit::start("arm"));
    let append = format!(
        "- name: arm\n  endpoint: {}\n  platforms: linux/arm64\n",
        arm.endpoint()
    );
    let run = two_platforms(None, &run_number(4))
        .input("registry", double.host())
        .input("platforms", "linux/amd64,linux/arm64")
        .input("driver", "remote")
        .input("endpoint", amd.endpoint())
        .input("append", append)
        .run();
    matches_crane(&run, &double, &["linux/amd64", "linux/arm64"]);
    assert_eq!(amd.built(), ["linux/amd64"]);
    assert_eq!(arm.built(), ["linux/arm64"]);
}

/// A build that waits for an answer which never comes, from the moment this returns.
fn building(number: &str, double: &Double) -> (crate::support::Started, TcpStream) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let action = two_platforms(None, number)
        .input("registry", double.host())
        .input("driver", "docker-container")
        .input("driver-opts", "network=host");
    let address = silent.local_addr().unwrap();
    let dockerfile = format!("FROM scratch\nADD http://{address}/x /x\n");
    fs::write(action.path("workspace/Dockerfile"), dockerfile).unwrap();
    let started = action.start();
    let asked = silent.accept().unwrap().0;
    assert_eq!(left_by(number, None).len(), 2, "a container and its volume");
    (started, asked)
}

#[test]
fn a_stopped_run_removes_its_builder_itself() {
    let (double, number) = (double(), run_number(5));
    let (started, _asked) = building(&number, &double);
    let run = started.stop_with("-TERM");
    run.assert_error("the run was cancelled");
    assert_eq!(left_by(&number, None), [""; 0]);
}

/// `state` is what the runner hands over, as a function of what the run wrote.
fn the_post_step_removes(test: u32, state: fn(&str) -> Option<&str>) {
    let (double, number) = (double(), run_number(test));
    let (started, _asked) = building(&number, &double);
    let run = started.kill();
    assert_eq!(left_by(&number, None).len(), 2);
    let written = run.noted("state");
    for _again in 0..2 {
        let post = two_platforms(None, &number).input("driver", "docker-container");
        let post = post
            .env(
                "GITHUB_WORKSPACE",
                run.path("workspace").display().to_string(),
            )
            .env("STATE_builder", state(&written).unwrap_or_default())
            .arguments(&["post"])
            .run();
        assert!(post.succeeded);
        assert_eq!((post.stdout.as_str(), post.stderr.as_str()), ("", ""));
        assert_eq!(left_by(&number, None), [""; 0]);
    }
}

#[test]
fn the_post_step_removes_the_builder_of_a_killed_run() {
    the_post_step_removes(6, |written| written.trim().strip_prefix("builder="));
}

#[test]
fn the_post_step_finds_the_builder_of_a_job_whose_state_is_lost() {
    the_post_step_removes(8, |_written| None);
}

#[test]
fn a_builder_that_dies_is_named_and_its_log_shown() {
    let (double, number) = (double(), run_number(7));
    let (started, _asked) = building(&number, &double);
    let container = format!("buildx_buildkit_ghcr-publish-{number}-");
    let names = left_by(&number, None);
    let name = names.iter().find(|name| !name.ends_with("_state")).unwrap();
    assert!(name.starts_with(&container));
    output_of(docker(None).args(["kill", name]));
    let run = started.end();
    assert!(!run.succeeded);
    run.assert_error("was lost during the build");
    let group = format!("::group::the last 50 log lines of {name}\n");
    let log = run.stdout.split_once(&group).unwrap().1;
    assert!(log.contains("running server on"), "{log}");
    assert_eq!(left_by(&number, None), [""; 0]);
}
