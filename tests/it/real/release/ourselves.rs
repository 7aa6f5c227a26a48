//! The action's own image, from its Dockerfile, through all steps of a release.

use std::fs;

use serde_json::Value;

use super::{Release, VERSION};
use crate::real::world::{output_of, publication, repository_file};
use crate::support::{Action, process};

/// The image of this very checkout, as the release workflow builds it.
fn ourselves() -> Action {
    publication(None).env(
        "GITHUB_WORKSPACE",
        repository_file("").display().to_string(),
    )
}

const FILES: &str = "\
etc/
etc/ssl/
etc/ssl/certs/
etc/ssl/certs/ca-certificates.crt
ghcr-publish
ghcr-publish-post
tmp/
usr/
usr/bin/
usr/bin/buildx
var/
var/tmp/
";

/// What the engine itself puts into every container.
fn of_the_engine(path: &str) -> bool {
    let own = [
        ".dockerenv",
        "dev/",
        "proc/",
        "sys/",
        "etc/hostname",
        "etc/hosts",
        "etc/mtab",
        "etc/resolv.conf",
    ];
    own.iter().any(|own| path.starts_with(own))
}

#[test]
fn the_action_publishes_itself_for_both_processors() {
    let release = Release::of(ourselves);
    release.tags_children();
    release.says(
        "assets",
        &[&release.image, VERSION, &release.digest, "assets"],
    );

    for (platform, machine) in [("linux-amd64", 62), ("linux-arm64", 183)] {
        let program = release.file(&format!("assets/ghcr-publish-{VERSION}-{platform}"));
        let header = fs::read(&program).unwrap();
        assert_eq!(u16::from_le_bytes([header[18], header[19]]), machine);
        // 10 MiB.
        assert!(
            header.len() <= 10 << 20,
            "{platform}: {} bytes",
            header.len()
        );
        let sbom =
            fs::read(program.with_file_name(format!("ghcr-publish-{VERSION}-{platform}.cdx.json")));
        let sbom: Value = serde_json::from_slice(&sbom.unwrap()).unwrap();
        let names: Vec<&str> = sbom["components"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|component| component["name"].as_str())
            .collect();
        for name in [
            "rustls",
            "github.com/docker/buildx",
            "github.com/moby/buildkit",
        ] {
            assert!(names.contains(&name), "{platform} has no {name}");
        }
    }
    let sums = release.file("assets");
    output_of(
        process("sha256sum")
            .args(["--check", "SHA256SUMS"])
            .current_dir(sums),
    );

    let docker = |arguments: &[&str]| {
        let mut docker = process("docker");
        output_of(
            docker
                .args(arguments)
                .env("DOCKER_CONFIG", release.login.path()),
        )
    };
    let version = docker(&["run", "--rm", &release.reference(), "--version"]);
    assert_eq!(version, concat!("ghcr-publish ", env!("CARGO_PKG_VERSION")));
    let container = docker(&["create", &release.reference()]);
    let list = format!("docker export {container} | tar --list");
    let list = output_of(process("bash").args(["-c", &list]));
    docker(&["rm", &container]);
    let mut files: Vec<&str> = list.lines().filter(|path| !of_the_engine(path)).collect();
    files.sort_unstable();
    assert_eq!(files.join("\n") + "\n", FILES);

    release.writes_documents();
    output_of(&mut release.verify());
    release.says("pull", &[&release.reference()]);
    docker(&["image", "rm", &release.reference()]);
}
