//! Bundles that cosign, sigstore-go and gh accept: made by `@sigstore/sign` with Fulcio, a timestamp authority and a
//! Rekor v1, for the claims of the double.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::*;

const LOGGED: &str = include_str!("../../../tests/vectors/sigstore/rekor1.json");
const STAMPED: &str = include_str!("../../../tests/vectors/sigstore/private.json");
const TRUSTED_ROOT: &str = include_str!("../../../tests/vectors/sigstore/trusted_root.json");
/// Of the public-good instance and of GitHub's, from the tests of sigstore-verify 0.15.1 (Apache-2.0).
const PUBLIC_GOOD: &str = include_str!("../../../tests/vectors/sigstore/public_good.json");
const GITHUB: &str = include_str!("../../../tests/vectors/sigstore/github.json");
const DIGEST: &str = "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";

fn vector(profile: Profile) -> &'static str {
    match profile {
        Profile::Timestamp => STAMPED,
        Profile::Log | Profile::Both => LOGGED,
    }
}

fn root(profile: Profile) -> Root {
    let root = Root::given(TRUSTED_ROOT).unwrap();
    match profile {
        Profile::Timestamp => root.without_log(),
        Profile::Log | Profile::Both => root,
    }
}

fn check(profile: Profile, digest: &str, policy: &Policy) -> Result<Verified, Refusal> {
    let digest = digest.parse().unwrap();
    let expected = Expected {
        digest: &digest,
        predicate_type: PROVENANCE,
        policy,
    };
    root(profile).verify(vector(profile), &expected)
}

/// The policy for the vectors, whose issuer is a test server.
fn theirs() -> Policy {
    Policy {
        issuer: "http://127.0.0.1:17001".to_owned(),
        ..policy()
    }
}

#[test]
fn bundles_of_other_signers_are_valid() {
    for profile in [Profile::Log, Profile::Timestamp] {
        let verified = check(profile, DIGEST, &theirs()).unwrap();
        assert_eq!(verified.identity, IDENTITY);
        let commit = verified.commit.as_deref();
        assert_eq!(commit, Some("babca52ab0c93ae16539e5923cb0d7403b9a093b"));
        assert!(verified.signed_at.starts_with("2026-11-24T20:4"));
    }
}

#[test]
fn bundles_of_other_signers_are_refused_for_another_image_or_signer() {
    let other = Digest::of(b"other");
    for profile in [Profile::Log, Profile::Timestamp] {
        let refusal = check(profile, other.as_str(), &theirs()).unwrap_err();
        assert!(matches!(refusal, Refusal::Invalid(_)), "{refusal}");
        let refusal = check(profile, DIGEST, &policy()).unwrap_err();
        assert!(
            refusal.to_string().starts_with("issuer mismatch"),
            "{refusal}"
        );
    }
}

#[test]
fn a_bundle_of_the_public_good_instance_is_valid() {
    let digest = "sha256:54303491a8418fbed24344b513546182c29b43bf282ceb433af65e2299f9271f";
    let digest = digest.parse().unwrap();
    let check = |git_ref: &str| {
        let policy = Policy {
            repository: Some("prefix-dev/sigstore-example".to_owned()),
            workflow: Some("action.yaml".to_owned()),
            git_ref: Some(git_ref.to_owned()),
            identity: None,
            ..policy()
        };
        let expected = Expected {
            digest: &digest,
            predicate_type: "https://schemas.conda.org/attestations-publish-1.schema.json",
            policy: &policy,
        };
        Root::embedded_for(PUBLIC_GOOD)?.verify(PUBLIC_GOOD, &expected)
    };
    let verified = check("refs/heads/main").unwrap();
    assert!(verified.signed_at.starts_with("2025-09-01T12:1"));
    let refusal = check("refs/heads/other").unwrap_err();
    assert!(matches!(refusal, Refusal::Invalid(_)), "{refusal}");
}

/// It is about a release, whose certificate names no issuer.
#[test]
fn chain_and_timestamp_of_a_bundle_of_github_are_valid() {
    let digest = "sha256:76f1fe8593bf227cca2c089e3c16dc95014a8d3e89c5dd220530469ca043c428";
    let policy = Policy {
        identity: None,
        ..policy()
    };
    let expected = Expected {
        digest: &digest.parse().unwrap(),
        predicate_type: "https://in-toto.io/attestation/release/v0.2",
        policy: &policy,
    };
    let refusal = Root::embedded_for(GITHUB)
        .unwrap()
        .verify(GITHUB, &expected);
    let expected =
        "issuer mismatch: expected https://token.actions.githubusercontent.com, got none";
    assert_eq!(refusal, Err(Refusal::Invalid(expected.to_owned())));
}

/// The keys of a value, with their places.
fn keys(place: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let place = format!("{place}/{key}");
                found.push(place.clone());
                keys(&place, value, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| keys(place, value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn bundles_have_the_keys_of_other_signers_in_their_order() {
    let fixture = Fixture::new();
    for profile in [Profile::Log, Profile::Timestamp] {
        let ours = fixture.sign(profile).await.unwrap().to_json();
        let [ours, theirs] = [ours.as_str(), vector(profile)].map(|bundle| {
            let mut found = Vec::new();
            keys("", &serde_json::from_str(bundle).unwrap(), &mut found);
            found
        });
        assert_eq!(ours, theirs);
    }
}

#[tokio::test]
async fn the_statement_is_that_of_actions_attest_to_the_octet() {
    let fixture = Fixture::new();
    let claims = fixture.token().await.claims;
    let name = "127.0.0.1:17010/acme/app";
    let digests = [DIGEST, DIGEST].map(|digest| digest.parse().unwrap());
    let statement = Statement::provenance(name, &digests, &claims, "https://github.com");
    let bundle: Value = serde_json::from_str(LOGGED).unwrap();
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    let payload = String::from_utf8(STANDARD.decode(payload).unwrap()).unwrap();
    assert_eq!(statement.to_json(), payload);
}
