//! Debian's registry behind token authentication, read by crane.

use std::collections::BTreeMap;

use ghcr_double::Repository;
use serde_json::Value;

use super::world::{Crane, DebianRegistry, publication};
use crate::publication::empty_registry;

#[test]
fn several_platforms_and_tags_match_what_crane_reads() {
    let registry = DebianRegistry::start();
    let action = publication(None)
        .event("push_tag")
        .input("registry", registry.host());
    let run = action.input("platforms", "linux/amd64,linux/arm64").run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    let crane = Crane::new(&registry.host());
    for tag in run.output("tags").lines() {
        assert_eq!(crane.digest(tag), run.output("digest"), "for {tag}");
    }
    let index = crane.manifest(run.output("ref"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let children = index["manifests"].as_array().unwrap().iter();
    let served: BTreeMap<String, String> = children
        .map(|child| {
            (
                format!("linux/{}", text(&child["platform"]["architecture"])),
                text(&child["digest"]),
            )
        })
        .collect();
    let reported: BTreeMap<String, String> =
        serde_json::from_str(run.output("platform-digests")).unwrap();
    assert_eq!(reported, served);
    assert_eq!(reported.len(), 2);
    assert_eq!(
        index["annotations"]["org.opencontainers.image.description"],
        "Makes widgets"
    );
    let digests: Vec<String> = serde_json::from_str(run.output("digests")).unwrap();
    assert!(
        served.values().all(|digest| digests.contains(digest))
            && digests.contains(&run.output("digest").to_owned())
    );
}

#[test]
fn a_second_publication_moves_the_branch() {
    const FIRST: &str = "0123456789abcdef0123456789abcdef01234567";
    const SECOND: &str = "89abcdef0123456789abcdef0123456789abcdef";
    let registry = DebianRegistry::start();
    let date = "2026-11-20T10:00:00Z";
    let history = Repository::new("acme/Widget")
        .commit(FIRST, &[], date)
        .commit(SECOND, &[FIRST], date);
    let api = empty_registry().repository(history).start().unwrap();
    let push = |commit: &str| {
        publication(None)
            .event("push_branch")
            .env("GITHUB_API_URL", api.api_url())
            .env("GITHUB_SHA", commit)
            .input("registry", registry.host())
            .run()
    };
    let first = push(FIRST);
    assert!(first.succeeded, "{}", first.stderr);
    let second = push(SECOND);
    assert!(second.succeeded, "{}", second.stderr);
    assert_ne!(first.output("digest"), second.output("digest"));
    let crane = Crane::new(&registry.host());
    assert_eq!(crane.digest(second.output("tags")), second.output("digest"));
    let first_image = format!("{}:sha-{FIRST}", first.output("image"));
    assert_eq!(crane.digest(&first_image), first.output("digest"));
}
