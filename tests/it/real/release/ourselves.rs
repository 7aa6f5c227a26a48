//! The action's own image, from its Dockerfile, through all steps of a release.

use std::fs;

use serde_json::Value;

use super::{Release, VERSION};
use crate::real::world::{output_of, publication, repository_file};
use crate::support::{Action, process};

/// The image of this very checkout, as the release workflow builds it.
fn ourselves() -> Action {
    publication(None)
        .input("outputs", "type=image,compression-level=9")
        .env(
            "GITHUB_WORKSPACE",
            repository_file("").display().to_string(),
        )
}

/// The size in bytes of the layer with the program, as a runner downloads it.
fn own_layer(release: &Release, platform: &str) -> u64 {
    let document = |digest: &str| -> Value {
        let (_, body) = release.double.manifest("acme/widget", digest).unwrap();
        serde_json::from_slice(&body).unwrap()
    };
    let index = document(&release.digest);
    let name = |entry: &Value| {
        let part = |key: &str| entry["platform"][key].as_str().unwrap().to_owned();
        format!("{}-{}", part("os"), part("architecture"))
    };
    let mut entries = index["manifests"].as_array().unwrap().iter();
    let entry = entries.find(|entry| name(entry) == platform).unwrap();
    let manifest = document(entry["digest"].as_str().unwrap());
    let layers = manifest["layers"].as_array().unwrap();
    layers.last().unwrap()["size"].as_u64().unwrap()
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

    let mut sizes = Vec::new();
    for (platform, machine) in [("linux-amd64", 62), ("linux-arm64", 183)] {
        let program = release.file(&format!("assets/ghcr-publish-{VERSION}-{platform}"));
        let header = fs::read(&program).unwrap();
        assert_eq!(u16::from_le_bytes([header[18], header[19]]), machine);
        sizes.push((platform, header.len(), own_layer(&release, platform)));
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
    // 9.5 MiB, and 4.5 MiB compressed.
    let is_small = |(_, size, layer): &(&str, usize, u64)| *size <= 19 << 19 && *layer <= 9 << 19;
    assert!(sizes.iter().all(is_small), "{sizes:?}");
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
