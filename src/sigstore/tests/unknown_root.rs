//! The own attestation, signed by authorities that the root does not contain.

use super::*;
use crate::sigstore::unknown_root::{CHAIN, CHAIN_AND_TIME};

/// The trusted root of `double` with the `authorities` of another instance.
fn root_with_others(double: &Sigstore, authorities: &[&str]) -> Root {
    let other = Fixture::new().double.trusted_root();
    let other: Value = serde_json::from_str(&other).unwrap();
    let root = changed(&double.trusted_root(), |root| {
        for &kind in authorities {
            root[kind] = other[kind].clone();
        }
    });
    Root::given(&root).unwrap().without_log()
}

/// A root for each part that may be unknown, and what is not verified with it.
fn roots(double: &Sigstore) -> [(Root, &'static str); 3] {
    let (chain, time) = ("certificateAuthorities", "timestampAuthorities");
    [
        (root_with_others(double, &[chain]), CHAIN),
        (root_with_others(double, &[time]), CHAIN_AND_TIME),
        (root_with_others(double, &[chain, time]), CHAIN_AND_TIME),
    ]
}

fn verify_new(
    root: &Root,
    bundle: &Bundle,
    policy: &Policy,
    subject: &str,
    may_be_newer: bool,
) -> Result<&'static str, Refusal> {
    let expected = Expected {
        digest: &digest(subject),
        predicate_type: PROVENANCE,
        policy,
    };
    let verified = root.verify_new(bundle, &expected, may_be_newer);
    verified.map(|unverified| unverified.map_or("", |unverified| unverified.what))
}

#[tokio::test]
async fn only_what_the_unknown_authority_vouches_for_is_not_verified() {
    let fixture = Fixture::new();
    let bundle = fixture.sign(Profile::Timestamp).await.unwrap();
    let known = fixture.root(Profile::Timestamp);
    let verified = verify_new(&known, &bundle, &policy(), "index", true);
    assert_eq!(verified, Ok(""));
    for (root, unverified) in roots(&fixture.double) {
        let newer = verify_new(&root, &bundle, &policy(), "index", true);
        assert_eq!(newer, Ok(unverified));
        let own = verify_new(&root, &bundle, &policy(), "index", false);
        assert!(matches!(own, Err(Refusal::UnknownRoot(_))), "{own:?}");
    }
}

/// A change of the policy, and what the refusal names.
type Change = (fn(&mut Policy), &'static str);

#[tokio::test]
async fn another_signer_or_image_is_refused_without_the_authority() {
    let fixture = Fixture::new();
    let bundle = fixture.sign(Profile::Timestamp).await.unwrap();
    let changes: [Change; 4] = [
        (|policy| policy.issuer.push_str("/acme"), "issuer"),
        (
            |policy| policy.identity = Some(IDENTITY.replace("v1.2.3", "v1.2.4")),
            "identity",
        ),
        (
            |policy| policy.repository = Some("acme/other".to_owned()),
            "repository",
        ),
        (
            |policy| policy.git_ref = Some("refs/tags/v1.2".to_owned()),
            "git ref",
        ),
    ];
    let refusal = |root: &Root, policy: &Policy, subject: &str| match verify_new(
        root, &bundle, policy, subject, true,
    ) {
        Err(Refusal::Invalid(why)) => why,
        other => panic!("{other:?}"),
    };
    for (root, _) in roots(&fixture.double) {
        for (change, expected) in changes {
            let mut policy = policy();
            change(&mut policy);
            let why = refusal(&root, &policy, "index");
            assert!(why.contains(expected), "{why}");
        }
        let why = refusal(&root, &policy(), "another");
        assert!(
            why.contains("subject") || why.contains("not about"),
            "{why}"
        );
    }
}

#[tokio::test]
async fn wrong_signature_is_refused_without_the_authority() {
    let fixture = Fixture::new();
    let bundle = fixture.sign(Profile::Timestamp).await.unwrap();
    let other = fixture.sign(Profile::Timestamp).await.unwrap();
    let other: Value = serde_json::from_str(&other.to_json()).unwrap();
    // The certificate of another key.
    let bundle = bundle.changed(|bundle| {
        bundle["verificationMaterial"]["certificate"] =
            other["verificationMaterial"]["certificate"].clone();
    });
    for (root, _) in roots(&fixture.double) {
        let verified = verify_new(&root, &bundle, &policy(), "index", true);
        let text = verified.unwrap_err().to_string();
        assert!(text.contains("invalid signature"), "{text}");
    }
}

#[tokio::test]
async fn unknown_log_is_refused() {
    let fixture = Fixture::new();
    let bundle = fixture.sign(Profile::Log).await.unwrap();
    let root = Fixture::new().root(Profile::Log);
    let verified = verify_new(&root, &bundle, &policy(), "index", true);
    assert!(verified.is_err(), "{verified:?}");
}
