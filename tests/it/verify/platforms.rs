//! The image of one platform: the registry attaches the attestation to the index, GitHub finds it for each digest.

use expect_test::expect;
use serde_json::Value;

use super::checks::put_index;
use super::{Attested, REPOSITORY};
use crate::publication::NAME;

/// The digest of the first platform.
fn platform(attested: &Attested) -> String {
    let (_, index) = attested.double.manifest(NAME, &attested.digest).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    index["manifests"][0]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn github_finds_the_attestation_of_one_platform() {
    let attested = Attested::of("github", put_index);
    let reference = attested.image(&format!("@{}", platform(&attested)));
    let run = attested.verify(&reference, &REPOSITORY);
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
}

#[test]
fn one_platform_of_the_registry_is_verified_with_its_index() {
    let attested = Attested::of("registry", put_index);
    let platform = platform(&attested);
    let run = |version: &str| {
        let run = attested.verify(&attested.image(version), &REPOSITORY);
        assert!(!run.succeeded, "{}", run.stdout);
        attested
            .stable(&run, &run.stderr)
            .replace(&platform, "<platform>")
    };
    expect![[r#"
        error: no valid attestation of `<registry>/acme/widget@<platform>`
          because: neither the registry nor GitHub has a provenance of it
          fix: if it is the image of one platform, verify the tag or the digest of its index; else publish it with `attest: true`
    "#]].assert_eq(&run(&format!("@{platform}")));
    expect![[r#"
        error: `<registry>/acme/widget:v1.2.3` shows an index, not the image of one platform
          because: <platform> is an image in the index
          fix: verify the index: `<registry>/acme/widget:v1.2.3@<digest>`
    "#]]
    .assert_eq(&run(&format!(":v1.2.3@{platform}")));
}
