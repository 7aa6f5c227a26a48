//! What is checked of an image, in which order, and with which requests.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect;
use ghcr_double::{Double, Endpoint, Fault, Package};
use serde_json::json;

use super::{Attested, REPOSITORY};
use crate::attest::{Profile, attesting};
use crate::json::result;
use crate::publication::{COMMIT, NAME};
use crate::support::{Action, TOKEN};

const SOURCE: (&str, &str) = (
    "org.opencontainers.image.source",
    "https://github.com/acme/Widget",
);

/// Two platforms, and a manifest of BuildKit that has none.
pub(super) fn put_index(double: &Double) -> String {
    let images = ["linux/amd64", "linux/arm64"];
    let [amd64, arm64] = images.map(|platform| double.put_platform_image(NAME, platform));
    let note = double.put_platform_image(NAME, "linux/riscv64");
    let children = [
        ("linux/amd64", amd64.as_str()),
        ("linux/arm64", &arm64),
        ("unknown/unknown", &note),
    ];
    double.put_index(NAME, &format!("sha-{COMMIT}"), &children, &[SOURCE])
}

fn put_labelled_image(double: &Double) -> String {
    double.put_labelled_image(NAME, &format!("sha-{COMMIT}"), &[SOURCE])
}

#[test]
fn every_platform_is_a_check_and_the_image_names_its_repository() {
    let attested = Attested::of("registry", put_index);
    let run = attested.verify(&attested.image(":v1.2.3"), &[]);
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    expect![[r#"
        ✓ <registry>/acme/widget:v1.2.3 → <digest>
        ✓ linux/amd64: manifest and 2 blobs
        ✓ linux/arm64: manifest and 2 blobs
        ✓ 1 other manifest with all blobs
        ✓ provenance signed by https://github.com/acme/Widget/.github/workflows/release.yml@refs/tags/v1.2.3 at <time>, commit babca52ab0c93ae16539e5923cb0d7403b9a093b (found in the registry)
    "#]].assert_eq(&attested.stable(&run, &run.stdout));
    let attested = Attested::of("registry", put_labelled_image);
    let run = attested.verify(&attested.image(":v1.2.3"), &[]);
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
}

#[test]
fn first_wrong_thing_of_each_reference_is_told() {
    let attested = Attested::of("github", put_index);
    let unsigned = attested.double.put_image(NAME, "other", &[SOURCE]);
    let references = ["missing", "other", "v1.2.3"];
    let references = references.map(|tag| attested.image(&format!(":{tag}")));
    let [missing, other, valid] = references.each_ref().map(String::as_str);
    let run = attested.verify(missing, &[other, valid, "--json"]);
    assert_eq!(run.status, Some(1));
    let text = attested.stable(&run, &run.stderr);
    expect![[r#"
        ✗ cannot read `<registry>/acme/widget:missing`
        ✓ <registry>/acme/widget:other → <other digest>
        ✓ linux/amd64: manifest and 2 blobs
        ✗ no valid attestation of `<registry>/acme/widget:other`
        ✓ <registry>/acme/widget:v1.2.3 → <digest>
        ✓ linux/amd64: manifest and 2 blobs
        ✓ linux/arm64: manifest and 2 blobs
        ✓ 1 other manifest with all blobs
        ✓ provenance signed by https://github.com/acme/Widget/.github/workflows/release.yml@refs/tags/v1.2.3 at <time>, commit babca52ab0c93ae16539e5923cb0d7403b9a093b (found on GitHub)
        error: cannot read `<registry>/acme/widget:missing`
          because: the tag `missing` does not exist
          fix: check the name and, for a private image, the credentials; a workflow needs `packages: read` in the job's `permissions:`
        error: no valid attestation of `<registry>/acme/widget:other`
          because: neither the registry nor GitHub has a provenance of it
          fix: publish it with `attest: true`
    "#]].assert_eq(&text.replace(&unsigned, "<other digest>"));
    let json = result(&run);
    let json = serde_json::to_string_pretty(&json).unwrap();
    let json = attested.stable(&run, &json);
    expect![[r#"
        {
          "mode": "verify",
          "status": "failure",
          "error": {
            "what": "cannot read `<registry>/acme/widget:missing`",
            "because": "the tag `missing` does not exist",
            "fix": "check the name and, for a private image, the credentials; a workflow needs `packages: read` in the job's `permissions:`"
          },
          "images": [
            {
              "reference": "<registry>/acme/widget:missing",
              "digest": null,
              "platforms": [],
              "attestation": null,
              "error": {
                "what": "cannot read `<registry>/acme/widget:missing`",
                "because": "the tag `missing` does not exist",
                "fix": "check the name and, for a private image, the credentials; a workflow needs `packages: read` in the job's `permissions:`"
              }
            },
            {
              "reference": "<registry>/acme/widget:other",
              "digest": "<other digest>",
              "platforms": [
                "linux/amd64"
              ],
              "attestation": null,
              "error": {
                "what": "no valid attestation of `<registry>/acme/widget:other`",
                "because": "neither the registry nor GitHub has a provenance of it",
                "fix": "publish it with `attest: true`"
              }
            },
            {
              "reference": "<registry>/acme/widget:v1.2.3",
              "digest": "<digest>",
              "platforms": [
                "linux/amd64",
                "linux/arm64"
              ],
              "attestation": {
                "identity": "https://github.com/acme/Widget/.github/workflows/release.yml@refs/tags/v1.2.3",
                "repository": "https://github.com/acme/Widget",
                "ref": "refs/tags/v1.2.3",
                "commit": "babca52ab0c93ae16539e5923cb0d7403b9a093b",
                "signed-at": "<time>",
                "source": "github"
              },
              "error": null
            }
          ]
        }"#]].assert_eq(&json.replace(&unsigned, "<other digest>"));
}

/// Content that does not exist was not just pushed: a 404 is not retried.
#[test]
fn missing_content_is_asked_for_once() {
    let attested = Attested::new("registry");
    let missing = attested.verify(&attested.image(":missing"), &REPOSITORY);
    assert!(!missing.succeeded);
    assert_eq!(not_found(&attested.double), [Endpoint::ManifestRead]);
    attested.double.clear_requests();
    let gone = Fault::on(Endpoint::BlobHead).answer(404).always();
    attested.double.script(gone);
    let incomplete = attested.verify(&attested.image(":v1.2.3"), &REPOSITORY);
    incomplete.assert_error("` is not complete in the registry");
    assert_eq!(not_found(&attested.double), [Endpoint::BlobHead]);
}

#[test]
fn outage_is_told_from_missing_content() {
    let attested = Attested::new("registry");
    let outage = Fault::on(Endpoint::BlobHead).answer(503);
    // Longer than a verification lasts, so that it ends at once.
    let outage = outage.header("retry-after", "60");
    attested.double.script(outage.always());
    let run = attested.verify(&attested.image(":v1.2.3"), &REPOSITORY);
    assert!(!run.succeeded, "{}", run.stdout);
    run.assert_error("error: cannot read all of `");
    run.assert_error("fix: check the registry's status and the credentials, then verify again");
}

/// The requests that were answered with 404.
fn not_found(double: &Double) -> Vec<Endpoint> {
    let requests = double.requests().into_iter();
    let refused = requests.filter(|seen| seen.status == Some(404));
    refused.map(|seen| seen.endpoint).collect()
}

#[test]
fn missing_platform_is_refused() {
    let attested = Attested::of("registry", put_index);
    let gone = Fault::on(Endpoint::ManifestRead)
        .path("sha256:")
        .answer(404);
    attested.double.script(gone.after(1).always());
    let run = attested.verify(&attested.image(":v1.2.3"), &[]);
    assert!(!run.succeeded, "{}", run.stdout);
    run.assert_error("` is not complete in the registry");
}

#[test]
fn changed_payload_is_refused() {
    let attested = Attested::new("github");
    let mut stored = attested
        .double
        .attestations("acme/Widget", &attested.digest);
    let mut forged = stored.remove(0);
    let payload = &mut forged["dsseEnvelope"]["payload"];
    let text = STANDARD.decode(payload.as_str().unwrap()).unwrap();
    let text = String::from_utf8(text).unwrap();
    let text = text.replace("github-hosted", "self-hosted");
    *payload = STANDARD.encode(text).into();
    let page = json!({ "attestations": [{ "bundle": forged }] }).to_string();
    let answer = Fault::on(Endpoint::AttestationGet).answer(200);
    attested
        .double
        .script(answer.body("application/json", &page).always());
    let run = attested.verify(&attested.image(":v1.2.3"), &REPOSITORY);
    assert!(!run.succeeded, "{}", run.stdout);
    expect![[r#"
        error: no valid attestation of `<registry>/acme/widget:v1.2.3`
          because: invalid signature: DSSE signature verification failed: Verification error: ECDSA_P256_SHA256: ring::error::Unspecified
          fix: do not use the image, unless you expect this signer: then name it in `repository`, `workflow`, `ref` or `oidc-issuer`
    "#]].assert_eq(&attested.stable(&run, &run.stderr));
}

#[test]
fn unknown_sigstore_needs_its_root() {
    let attested = Attested::new("registry");
    let image = attested.image(":v1.2.3");
    let action = Action::new().env("GITHUB_API_URL", attested.double.api_url());
    let run = action
        .arguments(&["verify", &image, "--repository", "acme/Widget"])
        .run();
    assert!(!run.succeeded, "{}", run.stdout);
    run.assert_error("because: invalid inclusion promise: No log key valid at");
    run.assert_error(
        "fix: if another Sigstore signed it, name the file of its trusted root in `trusted-root`",
    );
}

#[test]
fn unreadable_store_is_told_from_a_missing_attestation() {
    let attested = Attested::new("github");
    let refusal = Fault::on(Endpoint::AttestationGet).answer(403).always();
    attested.double.script(refusal);
    let run = attested.verify(&attested.image(":v1.2.3"), &REPOSITORY);
    assert!(!run.succeeded, "{}", run.stdout);
    run.assert_error("cannot read the attestations of `acme/Widget`");
}

#[test]
fn step_verifies_a_private_image_with_its_token() {
    let attested = Attested::new("registry");
    attested
        .double
        .set_package(NAME, Package::of("acme/Widget"));
    let action = || {
        let action = Action::publishing("push_tag", &attested.double);
        let root = action.path("workspace/root.json");
        fs::write(root, attested.sigstore.trusted_root()).unwrap();
        let references = [":v1.2.3", ":latest"].map(|version| attested.image(version));
        let action = action
            .input("mode", "verify")
            .input("references", references.join("\n"));
        let action = action
            .input("repository", "acme/Widget")
            .input("ref", "refs/tags/v1.2.3");
        action.input("trusted-root", "root.json")
    };
    let run = action().run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.stdout.matches("✓ provenance signed by").count(), 2);
    assert!(
        !run.stdout
            .replace(&format!("::add-mask::{TOKEN}"), "")
            .contains(TOKEN)
    );
    assert!(run.outputs.is_empty() && run.summary.is_empty());
    let run = action().without("INPUT_GITHUB-TOKEN").run();
    assert!(!run.succeeded, "{}", run.stdout);
    run.assert_error("cannot read");
}

/// Who signs and who verifies read `trusted-root` by one rule.
#[test]
fn invalid_trusted_root_is_the_same_error_for_signing_and_verifying() {
    let attested = Attested::new("registry");
    let (double, digest, sigstore) = (&attested.double, &attested.digest, &attested.sigstore);
    let large = " ".repeat((1 << 20) + 1);
    for (content, expected) in [("{}", "invalid trusted root"), (&large, "1024 KiB")] {
        let signing = attesting(double, digest, sigstore, Profile::Log);
        let verifying = Action::publishing("push_tag", double)
            .input("mode", "verify")
            .input("references", attested.image(":v1.2.3"))
            .input("trusted-root", "root.json");
        let errors = [signing, verifying].map(|action| {
            fs::write(action.path("workspace/root.json"), content).unwrap();
            let run = action.run();
            run.assert_error(expected);
            run.errors(double.host())
        });
        assert_eq!(errors[0], errors[1]);
    }
}
