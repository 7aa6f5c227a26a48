//! Which builder builds, how it is created and removed: a scripted `buildx` and a scripted engine.

mod removal;

use std::fs;

use expect_test::{Expect, expect};
use ghcr_double::Double;

use crate::engine_double::CONTAINERD;
use crate::publication::PUSHED;
use crate::publication::registry;
use crate::support::{Action, Run, TOKEN};

const GRAPH: (&str, &str) = (
    "GET /info",
    r#"{"Architecture":"x86_64","DriverStatus":[["Backing Filesystem","extfs"]]}"#,
);
const NOTHING_LEFT: [(&str, &str); 2] = [
    ("GET /containers/json", "[]"),
    ("GET /volumes", r#"{"Volumes":null}"#),
];

/// A publication of an image that is in the double already; `buildx` lists amd64 for every builder.
fn publication(double: &Double) -> Action {
    let digest = double.put_image("acme/widget", PUSHED, &[]);
    scripted(&format!(
        "build) echo '{{\"containerimage.digest\":\"{digest}\"}}' > \"$metadata\";;"
    ))
    .input("registry", double.host())
}

fn scripted(build: &str) -> Action {
    let script = format!(
        "case $1 in\n{build}\ninspect) printf 'Driver: docker-container\\nPlatforms: linux/amd64, linux/386\\n';;\nesac"
    );
    let action = Action::new().event("push_tag").buildx(&script);
    let state = action.path("state").display().to_string();
    action
        .input("github-token", TOKEN)
        .env("GITHUB_STATE", state)
        .env("GITHUB_RUN_ID", "42")
}

/// The calls of `buildx`, without what differs from run to run and without the build's own arguments.
fn calls(run: &Run) -> String {
    let arguments = run.noted("calls");
    let calls = arguments.lines().map(|call| {
        let words = call.split(' ');
        let words = words.filter(|word| {
            !call.starts_with("build ") || word.starts_with("--builder") || *word == "build"
        });
        format!("{}\n", words.collect::<Vec<_>>().join(" "))
    });
    stable(run, &calls.collect::<String>())
}

fn stable(run: &Run, text: &str) -> String {
    let text = run.stable(text, "no host");
    let own = name(&text).map(str::to_owned);
    let text = own.map_or(text.clone(), |own| {
        text.replace(&own, "ghcr-publish-42-<own>")
    });
    let private = text
        .split(['=', ' ', '\n'])
        .find_map(|word| word.strip_suffix("/buildkitd.toml"))
        .map(str::to_owned);
    private.map_or(text.clone(), |private| text.replace(&private, "<private>"))
}

/// The name of the builder that was created.
fn name(text: &str) -> Option<&str> {
    let at = text.find("ghcr-publish-42-")?;
    text.get(at..at + "ghcr-publish-42-".len() + 13)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a snapshot is written where it is used"
)]
#[track_caller]
fn check(run: &Run, expected: Expect) {
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    expected.assert_eq(&calls(run));
}

#[test]
fn a_plain_build_asks_the_engine_nothing() {
    let double = registry().start().unwrap();
    let run = publication(&double).run();
    check(
        &run,
        expect![[r#"
        build
    "#]],
    );
    assert_eq!(run.noted("state"), "");
}

#[test]
fn an_engine_with_the_containerd_store_builds_for_several_platforms() {
    let double = registry().start().unwrap();
    let run = publication(&double)
        .engine(&[CONTAINERD])
        .input("platforms", "linux/amd64,linux/386")
        .run();
    check(
        &run,
        expect![[r#"
        inspect
        build
    "#]],
    );
    expect![[r#"
        GET /info
    "#]]
    .assert_eq(&run.noted("engine-requests"));
}

#[test]
fn graph_driver_engine_gets_a_builder_that_is_removed() {
    const ANSWERS: &[(&str, &str)] = &[GRAPH, NOTHING_LEFT[0], NOTHING_LEFT[1]];
    let double = registry().start().unwrap();
    let run = publication(&double)
        .engine(ANSWERS)
        .input("platforms", "linux/amd64,linux/386")
        .run();
    check(
        &run,
        expect![[r#"
        create --name=ghcr-publish-42-<own> --driver=docker-container
        inspect --bootstrap -- ghcr-publish-42-<own>
        build --builder=ghcr-publish-42-<own>
        rm --force -- ghcr-publish-42-<own>
    "#]],
    );
    expect![[r#"
        builder=ghcr-publish-42-<own>
        builder=
    "#]]
    .assert_eq(&stable(&run, &run.noted("state")));
    let said = run
        .stdout
        .lines()
        .find(|line| line.contains("creating the builder"));
    expect!["creating the builder ghcr-publish-42-<own> (docker-container), because the engine keeps its images in a graph driver, which cannot build for several platforms"].assert_eq(&stable(&run, said.unwrap()));
    let environment = run.noted("environment");
    assert!(
        !environment.contains("BUILDX_CONFIG=<directory>/home"),
        "{environment}"
    );
}

/// `GET /info` is what a build asks whose builder depends on the store.
#[test]
fn a_graph_driver_gets_a_builder_for_layers_of_another_compression() {
    const ANSWERS: &[(&str, &str)] = &[GRAPH, NOTHING_LEFT[0], NOTHING_LEFT[1]];
    let double = registry().start().unwrap();
    let published = |outputs: &str, push: &str| {
        let action = publication(&double).engine(ANSWERS).input("push", push);
        let action = action.input("fixed-tags", "replace");
        let run = action.input("outputs", outputs).run();
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        let line = run.stdout.lines();
        let mut line = line.filter(|line| line.contains("creating the builder"));
        let why = line.next().and_then(|line| line.split_once(", because "));
        why.map(|(_, why)| why.to_owned())
    };
    let why = "the engine keeps its images in a graph driver, which cannot push layers with another compression than gzip";
    for outputs in [
        "type=image,compression=zstd,compression-level=9,force-compression=true",
        "type=registry,compression=estargz",
        "type=image,compression=uncompressed",
    ] {
        assert_eq!(published(outputs, "true").as_deref(), Some(why));
        assert_eq!(published(outputs, "false"), None);
    }
    assert_eq!(published("type=image,compression=gzip", "true"), None);
    assert_eq!(published("type=image,compression-level=9", "true"), None);
}

#[test]
fn a_named_builder_is_used_as_it_is() {
    let double = registry().start().unwrap();
    let run = publication(&double)
        .input("builder", "mine")
        .input("platforms", "linux/amd64")
        .run();
    check(
        &run,
        expect![[r#"
        inspect -- mine
        build --builder=mine
    "#]],
    );
}

#[test]
fn selected_builder_is_used() {
    let double = registry().start().unwrap();
    let run = publication(&double)
        .env("BUILDX_BUILDER", "theirs")
        .input("platforms", "linux/amd64,linux/386")
        .run();
    check(
        &run,
        expect![[r#"
        inspect
        build
    "#]],
    );
}

#[test]
fn builder_is_created_with_every_input() {
    const ANSWERS: &[(&str, &str)] = &[NOTHING_LEFT[0], NOTHING_LEFT[1]];
    let double = registry().start().unwrap();
    let action = publication(&double).engine(ANSWERS);
    fs::write(action.path("workspace/buildkitd.toml"), "debug = true\n").unwrap();
    let run = action
        .input("driver-opts", "network=host\nimage=moby/buildkit:v0.25.2")
        .input("buildkitd-flags", "--debug")
        .input("buildkitd-config", "buildkitd.toml")
        .input(
            "append",
            "- name: arm\n  endpoint: ssh://arm\n  platforms: linux/arm64\n",
        )
        .run();
    check(
        &run,
        expect![[r#"
        create --name=ghcr-publish-42-<own> --driver=docker-container --driver-opt=network=host --driver-opt=image=moby/buildkit:v0.25.2 --buildkitd-flags=--debug --buildkitd-config=<private>/buildkitd.toml
        create --name=ghcr-publish-42-<own> --append --node=arm --platform=linux/arm64 --buildkitd-config=<private>/buildkitd.toml -- ssh://arm
        inspect --bootstrap -- ghcr-publish-42-<own>
        build --builder=ghcr-publish-42-<own>
        rm --force -- ghcr-publish-42-<own>
    "#]],
    );
}

#[test]
fn remote_builders_need_no_engine_and_are_not_removed() {
    let double = registry().start().unwrap();
    let run = publication(&double)
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .input("driver", "remote")
        .input("endpoint", "tcp://amd:1234")
        .input(
            "append",
            "- endpoint: tcp://arm:1234\n  platforms: linux/arm64\n",
        )
        .run();
    check(
        &run,
        expect![[r#"
        create --name=ghcr-publish-42-<own> --driver=remote -- tcp://amd:1234
        create --name=ghcr-publish-42-<own> --append --platform=linux/arm64 -- tcp://arm:1234
        inspect --bootstrap -- ghcr-publish-42-<own>
        build --builder=ghcr-publish-42-<own>
    "#]],
    );
}

#[test]
fn emulation_is_installed_for_what_the_builder_does_not_list() {
    const ANSWERS: &[(&str, &str)] = &[
        CONTAINERD,
        (
            "POST /images/create",
            "{\"status\":\"Pulling\"}\n{\"status\":\"Done\"}\n",
        ),
        ("POST /containers/create", r#"{"Id":"c1"}"#),
        ("POST /containers/c1/start", ""),
        ("POST /containers/c1/wait", r#"{"StatusCode":0}"#),
        ("DELETE /containers/c1", ""),
    ];
    let double = registry().start().unwrap();
    let run = publication(&double)
        .engine(ANSWERS)
        .input("platforms", "linux/amd64,linux/arm64,linux/arm/v7")
        .run();
    check(
        &run,
        expect![[r#"
        inspect
        build
    "#]],
    );
    expect![[r#"
        GET /info
        GET /images/docker.io/tonistiigi/binfmt@sha256:400a4873b838d1b89194d982c45e5fb3cda4593fbfd7e08a02e76b03b21166f0/json
        POST /images/create?fromImage=docker.io%2Ftonistiigi%2Fbinfmt&tag=sha256%3A400a4873b838d1b89194d982c45e5fb3cda4593fbfd7e08a02e76b03b21166f0
        POST /containers/create {"Image":"docker.io/tonistiigi/binfmt@sha256:400a4873b838d1b89194d982c45e5fb3cda4593fbfd7e08a02e76b03b21166f0","Cmd":["--install","arm,arm64"],"HostConfig":{"Privileged":true,"NetworkMode":"none"}}
        POST /containers/c1/start
        POST /containers/c1/wait
        DELETE /containers/c1?force=true&v=true
    "#]].assert_eq(&run.noted("engine-requests"));
    assert!(!run.stdout.contains("::warning"), "{}", run.stdout);
}

#[test]
fn emulation_that_cannot_be_installed_is_a_warning() {
    const ANSWERS: &[(&str, &str)] = &[
        CONTAINERD,
        (
            "POST /images/create",
            "{\"error\":\"no route to the registry\"}\n",
        ),
    ];
    let double = registry().start().unwrap();
    let run = publication(&double)
        .engine(ANSWERS)
        .input("platforms", "linux/amd64,linux/arm64")
        .run();
    assert!(run.succeeded, "{}", run.stderr);
    let warning = run
        .stdout
        .lines()
        .find(|line| line.starts_with("::warning"));
    expect!["::warning title=ghcr-publish::no emulation for linux/arm64, so instructions that run programs may fail there: no route to the registry"].assert_eq(warning.unwrap());
}

#[test]
fn a_configuration_that_cannot_be_read_keeps_its_own_error() {
    let double = registry().start().unwrap();
    let run = publication(&double)
        .input("driver", "docker-container")
        .input("buildkitd-config", "missing.toml")
        .run();
    assert!(!run.succeeded);
    let own = "invalid value `missing.toml` for the input `buildkitd-config`";
    run.assert_error(own);
    assert!(
        !run.stderr.contains("cannot create the builder"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_mistyped_builder_names_those_that_exist() {
    let double = registry().start().unwrap();
    let action = scripted("build) echo 'ERROR: no builder \"fleat\" found' >&2; exit 1;;\ninspect) echo 'ERROR: no builder \"fleat\" found' >&2; exit 1;;")
        .input("registry", double.host())
        .input("builder", "fleat");
    let instances = action.path("home/.docker/buildx/instances");
    fs::create_dir_all(&instances).unwrap();
    fs::write(action.path("home/.docker/config.json"), "{}").unwrap();
    for name in ["fleet", "other"] {
        fs::write(instances.join(name), "{}").unwrap();
    }
    let run = action.run();
    expect![[r#"
        ::error title=ghcr-publish::cannot use the builder `fleat`
          because: no builder "fleat" found
          fix: a builder of an earlier step is not visible here: describe it with `driver` and `endpoint`, or set `builder` to one that exists: `default`, `fleet` or `other`; did you mean `fleet`?
    "#]].assert_eq(&run.stderr.replace("%0A", "\n"));
}
