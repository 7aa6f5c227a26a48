//! `candidate: sha` with `attest`: only an image with a valid provenance of this commit is published without a build.

use ghcr_double::{Double, Endpoint, Fault, Sigstore};
use serde_json::json;

use super::{Profile, attesting, doubles};
use crate::publication::{COMMIT, NAME};
use crate::support::{Action, Run};

/// The image of this commit, as a run leaves it that could not attest it.
fn pushed() -> (Double, String, Sigstore) {
    let (double, _, sigstore) = doubles();
    let source = "https://github.com/acme/Widget";
    let annotations = [
        ("org.opencontainers.image.source", source),
        ("org.opencontainers.image.revision", COMMIT),
    ];
    let digest = double.put_image(NAME, &format!("sha-{COMMIT}"), &annotations);
    sigstore.set_claim("sha", json!(COMMIT));
    (double, digest, sigstore)
}

fn action(doubles: &(Double, String, Sigstore), candidate: &str) -> Action {
    let (double, digest, sigstore) = doubles;
    attesting(double, digest, sigstore, Profile::Log).input("candidate", candidate)
}

/// It was built and attested; `why` says what was wrong with the image of this commit.
#[track_caller]
fn is_built(run: &Run, double: &Double, why: &str) {
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run.assert_log(why);
    run.assert_log("no image of this commit found; building it");
    assert!(!run.noted("calls").is_empty(), "{}", run.stdout);
    run.assert_log("Attested ");
    assert!(double.tags(NAME).contains_key("latest"));
}

#[test]
fn image_of_this_commit_with_a_provenance_is_published_with_it() {
    let doubles = pushed();
    let first = action(&doubles, "").run();
    assert!(first.succeeded, "{}{}", first.stdout, first.stderr);
    let second = action(&doubles, "sha").run();
    assert!(second.succeeded, "{}{}", second.stdout, second.stderr);
    assert_eq!(second.noted("calls"), "", "something was built");
    second.assert_log("(not rebuilt)");
    let (double, digest, sigstore) = &doubles;
    assert_eq!(sigstore.count(Endpoint::SigningCertificate), 1);
    let bundle = |run: &Run| std::fs::read_to_string(run.output("bundle-path")).unwrap();
    assert_eq!(bundle(&second), bundle(&first));
    assert_eq!(second.output("attestation-id"), "");
    second.assert_summary("| Attestation | `slsa.dev/provenance/v1`, signed by `127.0.0.1` |");
    let digests: Vec<String> = serde_json::from_str(second.output("digests")).unwrap();
    assert_eq!((digests.len(), &digests[0]), (2, digest));
    assert!(double.manifest(NAME, &digests[1]).is_some());
}

#[test]
fn image_without_provenance_is_built_again() {
    let doubles = pushed();
    let run = action(&doubles, "sha").run();
    is_built(
        &run,
        &doubles.0,
        "is ignored: no valid build provenance of this commit in the registry",
    );
}

#[test]
fn provenance_is_required_in_every_store() {
    let doubles = pushed();
    let first = action(&doubles, "").input("attest", "registry").run();
    assert!(first.succeeded, "{}{}", first.stdout, first.stderr);
    let second = action(&doubles, "sha").run();
    is_built(
        &second,
        &doubles.0,
        "is ignored: no valid build provenance of this commit on GitHub",
    );
    let third = action(&doubles, "sha").input("attest", "registry").run();
    assert!(third.noted("calls").is_empty(), "{}", third.stdout);
}

#[test]
fn provenance_of_another_commit_or_repository_does_not_count() {
    for (claim, value) in [
        ("sha", "babca52ab0c93ae16539e5923cb0d7403b9a093b"),
        ("repository", "acme/other"),
        (
            "job_workflow_ref",
            "acme/other/.github/workflows/release.yml@refs/tags/v1.2.3",
        ),
    ] {
        let doubles = pushed();
        let (_, _, sigstore) = &doubles;
        sigstore.set_claim(claim, json!(value));
        let first = action(&doubles, "").run();
        assert!(first.succeeded, "{claim}: {}{}", first.stdout, first.stderr);
        let claims = [
            ("sha", COMMIT),
            ("repository", "acme/Widget"),
            (
                "job_workflow_ref",
                "acme/Widget/.github/workflows/release.yml@refs/tags/v1.2.3",
            ),
        ];
        for (claim, value) in claims {
            sigstore.set_claim(claim, json!(value));
        }
        let second = action(&doubles, "sha").run();
        is_built(
            &second,
            &doubles.0,
            "is ignored: no valid build provenance of this commit",
        );
    }
}

#[test]
fn reusable_workflow_of_another_repository_counts_if_it_is_the_one_of_this_job() {
    let doubles = pushed();
    let workflow = "corp/ci/.github/workflows/build.yml@refs/heads/main";
    doubles.2.set_claim("job_workflow_ref", json!(workflow));
    let first = action(&doubles, "").run();
    assert!(first.succeeded, "{}{}", first.stdout, first.stderr);
    let second = action(&doubles, "sha").run();
    second.assert_log("(not rebuilt)");
    second.assert_log("https://slsa.dev/provenance/v1, signed by an earlier run");
}

#[test]
fn store_that_does_not_tell_lets_the_image_be_built_again() {
    let doubles = pushed();
    let first = action(&doubles, "").run();
    assert!(first.succeeded, "{}{}", first.stdout, first.stderr);
    let (double, _, sigstore) = &doubles;
    double.script(Fault::on(Endpoint::AttestationGet).answer(403));
    let run = action(&doubles, "sha").run();
    is_built(&run, double, "is ignored: cannot read the attestations of");
    sigstore.script(Fault::on(Endpoint::IdToken).answer(403));
    let run = action(&doubles, "sha").run();
    is_built(&run, double, "is ignored: cannot get an OIDC token");
}

/// A repeated run of a release: the version exists for this commit.
fn repeated(doubles: &(Double, String, Sigstore)) -> Run {
    action(doubles, "").input("fixed-tags", "once").run()
}

#[test]
fn release_with_a_provenance_is_reported_and_not_signed_again() {
    let doubles = pushed();
    let first = repeated(&doubles);
    assert!(first.succeeded, "{}{}", first.stdout, first.stderr);
    let second = repeated(&doubles);
    assert!(second.succeeded, "{}{}", second.stdout, second.stderr);
    assert_eq!(second.noted("calls"), "", "something was built");
    assert_eq!(second.output("reused"), "true");
    let (_, digest, sigstore) = &doubles;
    assert_eq!(second.output("digest"), digest);
    assert_eq!(sigstore.count(Endpoint::SigningCertificate), 1);
    let bundle = |run: &Run| std::fs::read_to_string(run.output("bundle-path")).unwrap();
    assert_eq!(bundle(&second), bundle(&first));
}

#[test]
fn release_without_a_provenance_is_neither_signed_nor_built() {
    let doubles = pushed();
    let (double, digest, sigstore) = &doubles;
    let (media_type, bytes) = double.manifest(NAME, digest).unwrap();
    double.put_manifest(NAME, "v1.2.3", &media_type, bytes);
    let run = repeated(&doubles);
    assert!(!run.succeeded, "{}", run.stdout);
    assert_eq!(run.noted("calls"), "", "something was built");
    run.assert_error("is not attested, and a run does not sign what it did not build");
    run.assert_error("no valid build provenance of this commit in the registry");
    run.assert_error("set `fixed-tags: replace` to build and attest it again");
    assert_eq!(sigstore.count(Endpoint::SigningCertificate), 0);
    assert!(!double.tags(NAME).contains_key("latest"));
}
