//! The double of the older Docker registry behaves towards real clients as users report of the registry itself.

use std::process::Command;

use ghcr_double::{Account, ContentDigest, Double, Server};

use super::world::{Crane, buildx, engine_is_recent, login, repository_file};
use crate::support::TOKEN;

const IMAGE: &str = "acme/widget/app";

fn double(content_digest: ContentDigest) -> Double {
    Double::builder()
        .server(Server::ghes_flat())
        .content_digest(content_digest)
        .token(TOKEN, Account::workflow("acme/widget"))
        .start()
        .unwrap()
}

/// buildx pushing examples/hello by itself, as one image in Docker's media types unless `options` say otherwise.
fn pushes(double: &Double, options: &str) -> (bool, String) {
    let config = login(&double.host());
    let name = format!("{}/{IMAGE}:v1", double.host());
    let output = format!("--output=type=image,name={name},push=true,store=false,{options}");
    let mut build: Command = buildx(None);
    build
        .args(["build", "--builder=default", "--quiet", &output])
        .arg(repository_file("examples/hello"))
        .env("DOCKER_CONFIG", config.path());
    let ended = build.output().unwrap();
    (
        ended.status.success(),
        String::from_utf8_lossy(&ended.stderr).into_owned(),
    )
}

#[track_caller]
fn check_fails(content_digest: ContentDigest, options: &str, reason: &str) {
    let double = double(content_digest);
    let (succeeded, said) = pushes(&double, options);
    assert!(!succeeded && said.contains(reason), "{said}");
    assert!(double.tags(IMAGE).is_empty());
}

#[test]
fn buildx_stumbles_over_the_digest_header() {
    let reason = "invalid content digest in response: invalid checksum digest format";
    for content_digest in [ContentDigest::Odd, ContentDigest::Missing] {
        check_fails(content_digest, "oci-mediatypes=false", reason);
    }
}

#[test]
fn buildx_is_refused_with_oci_media_types() {
    let reason = if engine_is_recent() {
        "manifest media type is not supported"
    } else {
        "400 Bad Request"
    };
    check_fails(ContentDigest::Correct, "oci-mediatypes=true", reason);
}

#[test]
fn with_a_sound_digest_header_buildx_gets_through_and_crane_reads_the_tag() {
    let double = double(ContentDigest::Correct);
    let (succeeded, said) = pushes(&double, "oci-mediatypes=false");
    assert!(succeeded, "{said}");
    let crane = Crane::new(&double.host());
    let image = format!("{}/{IMAGE}", double.host());
    let tagged = crane.manifest(&format!("{image}:v1"));
    assert_eq!(
        tagged["config"]["mediaType"],
        "application/vnd.docker.container.image.v1+json"
    );
    assert_eq!(crane.run(&["ls", &image]), "v1");
}
