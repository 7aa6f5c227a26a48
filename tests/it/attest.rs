//! Attestations of a publication, with doubles of the registry, of GitHub and of Sigstore.

mod of_commit;
mod sbom;

use std::fs;
use std::time::{Duration, Instant};

use expect_test::expect;
use ghcr_double::{Access, Account, Double, Endpoint, Fault, Package, Sigstore};
use serde_json::{Value, json};

use crate::publication::{COMMIT, NAME, registry};
use crate::support::{Action, Run, TOKEN};

/// A registry with the image that `buildx` claims to push, under the tag of the first push.
pub(crate) fn doubles() -> (Double, String, Sigstore) {
    let repository = ghcr_double::Repository::new("acme/Widget");
    let double = registry().repository(repository).start().unwrap();
    let digest = double.put_image(NAME, &format!("sha-{COMMIT}"), &[]);
    let claims = json!({
        "iss": "https://token.actions.githubusercontent.com",
        "repository": "acme/Widget",
        "job_workflow_ref": "acme/Widget/.github/workflows/release.yml@refs/tags/v1.2.3",
    });
    (double, digest, Sigstore::start(&claims).unwrap())
}

#[derive(Clone, Copy)]
pub(crate) enum Profile {
    Log,
    Timestamp,
}

pub(crate) fn attesting(
    double: &Double,
    digest: &str,
    sigstore: &Sigstore,
    profile: Profile,
) -> Action {
    let action = Action::publishing("push_tag", double).buildx_pushes(digest);
    fs::write(action.path("workspace/root.json"), sigstore.trusted_root()).unwrap();
    fs::create_dir(action.path("temp")).unwrap();
    let temp = action.path("temp").display().to_string();
    let recorder = match profile {
        Profile::Log => "rekor-url",
        Profile::Timestamp => "timestamp-url",
    };
    action
        .env("RUNNER_TEMP", temp)
        .env("ACTIONS_ID_TOKEN_REQUEST_URL", sigstore.token_url())
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", Sigstore::REQUEST_TOKEN)
        .input("attest", "true")
        .input("fixed-tags", "replace")
        .input("fulcio-url", sigstore.url())
        .input(recorder, sigstore.url())
        .input("trusted-root", "root.json")
}

/// The place of the first request that matches.
#[track_caller]
fn position(double: &Double, endpoint: Endpoint, part: &str) -> usize {
    let requests = double.requests();
    let mut requests = requests.iter();
    let found = requests.position(|seen| seen.endpoint == endpoint && seen.path.contains(part));
    found.unwrap_or_else(|| panic!("no request for {endpoint:?} {part}"))
}

#[track_caller]
fn has_no_secret(run: &Run) {
    let outputs: String = run.outputs.values().map(String::as_str).collect();
    let masked = |line: &&str| line.starts_with("::add-mask::");
    let log: String = run.stdout.lines().filter(|line| !masked(line)).collect();
    for text in [&log, &run.stderr, &run.summary, &outputs] {
        for secret in [Sigstore::REQUEST_TOKEN, "eyJ", "PRIVATE KEY"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

#[track_caller]
fn has_no_tag_of_the_plan(double: &Double) {
    let tags: Vec<String> = double.tags(NAME).into_keys().collect();
    let planned = ["v1.2.3", "latest"];
    assert!(
        tags.iter().all(|tag| !planned.contains(&tag.as_str())),
        "{tags:?}"
    );
}

#[test]
fn image_is_attested_before_its_tags() {
    for profile in [Profile::Log, Profile::Timestamp] {
        let (double, digest, sigstore) = doubles();
        let run = attesting(&double, &digest, &sigstore, profile).run();
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        let hex = digest.trim_start_matches("sha256:");
        let referrer = position(&double, Endpoint::TagPut, &format!("sha256-{hex}"));
        let github = position(&double, Endpoint::AttestationPost, "");
        let first = position(&double, Endpoint::TagPut, "v1.2.3");
        let latest = position(&double, Endpoint::TagPut, "latest");
        assert!(referrer < first && github < first && first < latest);
        assert_eq!(double.tags(NAME).get("latest"), Some(&digest));
        assert_eq!(double.attestations("acme/Widget", &digest).len(), 1);
        has_no_secret(&run);
    }
}

#[test]
fn later_steps_and_people_find_the_attestation() {
    let (double, digest, sigstore) = doubles();
    let run = attesting(&double, &digest, &sigstore, Profile::Log).run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    let stable = |text: &str| {
        let text = run.stable(text, double.host()).replace(&digest, "<digest>");
        text.replace(&digest.replace(':', "-"), "<tag of the digest>")
    };
    let lines = run.stdout.lines();
    let log: Vec<&str> = lines
        .filter(|line| line.starts_with("Attested") || line.starts_with("also"))
        .collect();
    expect![[r#"
        Attested <registry>/acme/widget@<digest>: https://slsa.dev/provenance/v1, signed by 127.0.0.1, log index 4242
        also     <registry>/acme/widget:sha-0123456789abcdef0123456789abcdef01234567
        also     <registry>/acme/widget:<tag of the digest>"#]].assert_eq(&stable(&log.join("\n")));
    expect![[r#"
        ### 📦 `<registry>/acme/widget` is published

        | | |
        |---|---|
        | Image | `<registry>/acme/widget` |
        | Digest | `<digest>` |
        | Tags | `v1.2.3` created<br>`latest` created |
        | Attestation | [slsa.dev/provenance/v1](https://github.com/acme/Widget/attestations/3), signed by `127.0.0.1` |

        | Platform | Size | Digest |
        |---|--:|---|
        | `linux/amd64` | 1.2 kB | `<digest>` |

        ```sh
        docker pull <registry>/acme/widget@<digest>
        ```
        ```sh
        ghcr-publish verify <registry>/acme/widget@<digest> --repository acme/Widget --trusted-root root.json
        ```

        Also written: `<registry>/acme/widget:sha-0123456789abcdef0123456789abcdef01234567`, `<registry>/acme/widget:<tag of the digest>`.

    "#]].assert_eq(&stable(&run.summary));
    let page = format!("/acme/Widget/attestations/{}", run.output("attestation-id"));
    let url = run.output("attestation-url");
    assert!(
        url.ends_with(&page) && page.ends_with(char::is_numeric),
        "{url}"
    );
    let bundle = fs::read_to_string(run.output("bundle-path")).unwrap();
    let bundle: Value = serde_json::from_str(&bundle).unwrap();
    assert_eq!(double.attestations("acme/Widget", &digest), [bundle]);
    let paths = fs::read_to_string(run.path("temp/created_attestation_paths.txt")).unwrap();
    assert_eq!(paths, format!("{}\n", run.output("bundle-path")));
    let digests: Vec<String> = serde_json::from_str(run.output("digests")).unwrap();
    assert_eq!(digests.len(), 2);
    assert!(double.manifest(NAME, &digests[1]).is_some());
}

#[test]
fn second_attempt_does_not_sign_again() {
    let (double, digest, sigstore) = doubles();
    let first = attesting(&double, &digest, &sigstore, Profile::Log).run();
    assert!(first.succeeded, "{}{}", first.stdout, first.stderr);
    sigstore.set_claim("run_attempt", json!("2"));
    let attempt = attesting(&double, &digest, &sigstore, Profile::Log);
    let second = attempt.env("GITHUB_RUN_ATTEMPT", "2").run();
    assert!(second.succeeded, "{}{}", second.stdout, second.stderr);
    second.assert_log("signed earlier in this run");
    assert_eq!(sigstore.count(Endpoint::SigningCertificate), 1);
    assert_eq!(double.count(Endpoint::AttestationPost), 1);
}

#[test]
fn store_that_lacks_the_attestation_gets_it() {
    let (double, digest, sigstore) = doubles();
    let only = attesting(&double, &digest, &sigstore, Profile::Log);
    let only = only.input("attest", "registry").run();
    assert!(only.succeeded, "{}{}", only.stdout, only.stderr);
    assert_eq!(double.count(Endpoint::AttestationPost), 0);
    let both = attesting(&double, &digest, &sigstore, Profile::Log).run();
    assert!(both.succeeded, "{}{}", both.stdout, both.stderr);
    assert_eq!(sigstore.count(Endpoint::SigningCertificate), 1);
    assert_eq!(double.attestations("acme/Widget", &digest).len(), 1);
}

#[test]
fn refused_certificate_leaves_every_tag() {
    let (double, digest, sigstore) = doubles();
    let refused = Fault::on(Endpoint::SigningCertificate).always().answer(400);
    sigstore.script(refused.body(
        "application/json",
        r#"{"code":3,"message":"There was an error processing the identity token"}"#,
    ));
    let run = attesting(&double, &digest, &sigstore, Profile::Log).run();
    assert!(!run.succeeded);
    has_no_tag_of_the_plan(&double);
    expect![[r#"
        ::error title=ghcr-publish::cannot get a signing certificate%0A  because: Fulcio at <registry> answered 400 There was an error processing the identity token%0A  fix: check the inputs `sigstore` and `fulcio-url`: the instance must accept tokens of https://token.actions.githubusercontent.com
    "#]].assert_eq(&run.stable(&run.stderr, sigstore.url().trim_start_matches("http://")));
    has_no_secret(&run);
    assert_eq!(run.output("digest"), digest);
    assert_eq!(run.output("tags"), "");
}

#[test]
fn refused_store_leaves_every_tag() {
    let (double, digest, sigstore) = doubles();
    double.script(
        Fault::on(Endpoint::AttestationPost)
            .always()
            .answer(403)
            .body(
                "application/json",
                r#"{"message":"Resource not accessible by integration"}"#,
            ),
    );
    let run = attesting(&double, &digest, &sigstore, Profile::Log).run();
    assert!(!run.succeeded);
    has_no_tag_of_the_plan(&double);
    expect![[r#"
        ::error title=ghcr-publish::cannot store the attestation of `acme/Widget`: GitHub's API answered 403 Resource not accessible by integration%0A  because: the token may not store attestations of `acme/Widget`%0A  fix: add `attestations: write` to the job's `permissions:`; in a reusable workflow the caller grants it too
    "#]].assert_eq(&run.stable(&run.stderr, double.host()));
}

#[test]
fn job_without_id_token_fails_before_the_build() {
    let (double, digest, sigstore) = doubles();
    let action = attesting(&double, &digest, &sigstore, Profile::Log);
    let run = action.without("ACTIONS_ID_TOKEN_REQUEST_TOKEN").run();
    assert!(!run.succeeded);
    assert_eq!(run.noted("calls"), "");
    assert_eq!(double.count(Endpoint::TagPut), 0);
    expect![[r#"
        ::error title=ghcr-publish::cannot sign attestations: the job gets no OIDC token%0A  because: `ACTIONS_ID_TOKEN_REQUEST_TOKEN` is not set%0A  fix: add `id-token: write` to the job's `permissions:`
    "#]].assert_eq(&run.stable(&run.stderr, double.host()));
}

#[test]
fn what_is_not_pushed_is_not_attested() {
    let (double, digest, sigstore) = doubles();
    let without_push = |action: Action| action.input("push", "false");
    let of_fork = |action: Action| action.event("pull_request_fork");
    for change in [without_push, of_fork] {
        let action = attesting(&double, &digest, &sigstore, Profile::Log);
        let action = action.without("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
        let run = change(action).run();
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        assert_eq!(run.output("pushed"), "false");
        assert_eq!(run.output("bundle-path"), "");
    }
}

#[test]
fn token_of_dependabot_builds_without_attestation() {
    let (_, digest, sigstore) = doubles();
    let account = Account::workflow("acme/Widget").packages(Access::Read);
    let double = Double::builder().token(TOKEN, account);
    let double = double
        .package(NAME, Package::of("acme/Widget"))
        .start()
        .unwrap();
    let action = attesting(&double, &digest, &sigstore, Profile::Log);
    let action = action.without("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    let run = action.env("GITHUB_ACTOR", "dependabot[bot]").run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.output("pushed"), "false");
}

/// Each service that signs or stores, down once and for good.
#[test]
fn outage_of_a_service_delays_the_tags_and_no_outage_lets_one_through() {
    let services = [
        Endpoint::IdToken,
        Endpoint::SigningCertificate,
        Endpoint::LogEntryPost,
        Endpoint::AttestationPost,
        Endpoint::AttestationGet,
    ];
    for endpoint in services {
        for is_for_good in [false, true] {
            let (double, digest, sigstore) = doubles();
            let fault = Fault::on(endpoint).answer(503);
            let fault = if is_for_good { fault.always() } else { fault };
            match endpoint {
                Endpoint::AttestationPost | Endpoint::AttestationGet => double.script(fault),
                _ => sigstore.script(fault),
            }
            let run = attesting(&double, &digest, &sigstore, Profile::Log);
            let run = run
                .input("push-timeout", if is_for_good { "2s" } else { "60s" })
                .run();
            let context = format!("{endpoint:?} {is_for_good}: {}{}", run.stdout, run.stderr);
            assert_eq!(run.succeeded, !is_for_good, "{context}");
            match is_for_good {
                true => has_no_tag_of_the_plan(&double),
                false => assert_eq!(double.tags(NAME).get("latest"), Some(&digest), "{context}"),
            }
            has_no_secret(&run);
        }
    }
}

#[test]
fn invalid_attestation_is_not_stored() {
    let (double, digest, sigstore) = doubles();
    sigstore.script(Fault::on(Endpoint::LogEntryPost).always().bad_inclusion());
    let run = attesting(&double, &digest, &sigstore, Profile::Log).run();
    assert!(!run.succeeded);
    has_no_tag_of_the_plan(&double);
    assert_eq!(double.count(Endpoint::AttestationPost), 0);
    run.assert_error("the attestation that 127.0.0.1 signed is not valid");
}

#[test]
fn attestation_that_a_concurrent_writer_removed_from_the_list_is_listed_again() {
    let (double, digest, sigstore) = doubles();
    let list = digest.replace(':', "-");
    let slow = Fault::on(Endpoint::TagPut).path("latest");
    double.script(slow.hang(Duration::from_secs(1)));
    let action = attesting(&double, &digest, &sigstore, Profile::Log).start();
    let until = Instant::now() + Duration::from_secs(20);
    while !double.tags(NAME).contains_key("v1.2.3") {
        assert!(Instant::now() < until, "the first tag is not written");
        std::thread::sleep(Duration::from_millis(10));
    }
    let kind = "application/vnd.oci.image.index.v1+json";
    let empty = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": [] });
    double.put_manifest(NAME, &list, kind, empty.to_string());
    let run = action.end();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    let (_, index) = double.manifest(NAME, &list).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
}
