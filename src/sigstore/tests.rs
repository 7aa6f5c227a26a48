//! Signing with the double of Sigstore, and verifying what it signed.

mod faults;
mod unknown_root;
mod vectors;

use std::time::Duration;

use ghcr_double::{Endpoint, Fault, Sigstore};
use reqwest::Url;
use serde_json::{Value, json};

use crate::console::Console;
use crate::context::server::Server;
use crate::deadline::{Deadline, Pace};
use crate::error::Explanation;
use crate::image::digest::Digest;
use crate::inputs::attest::{Choice, OwnUrls};
use crate::sigstore::bundle::Bundle;
use crate::sigstore::http::Http;
use crate::sigstore::instance::Instance;
use crate::sigstore::oidc::{IdToken, TokenRequest};
use crate::sigstore::policy::Policy;
use crate::sigstore::refusal::Refusal;
use crate::sigstore::signer::Signer;
use crate::sigstore::statement::{PROVENANCE, Statement};
use crate::sigstore::verify::{Expected, Root, Verified};
use crate::tls::Trust;
use crate::vars::Vars;

const NAME: &str = "ghcr.io/acme/app";
const IDENTITY: &str = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.2.3";
/// Fast waits; the double answers in real time.
const SPEED: u32 = 100;

/// What vouches for the time of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    Log,
    Timestamp,
    Both,
}

const PROFILES: [Profile; 3] = [Profile::Log, Profile::Timestamp, Profile::Both];

/// The double, and what a run knows of it.
struct Fixture {
    double: Sigstore,
    http: Http,
    request: TokenRequest,
    pace: Pace,
}

impl Fixture {
    fn new() -> Self {
        Self::at(Pace::waiting(SPEED))
    }

    fn at(pace: Pace) -> Self {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let double = Sigstore::start(&json!({})).unwrap();
        let request = request(&double);
        let http = Http::new(&Trust::default(), Console::NOWHERE).unwrap();
        Self {
            double,
            http,
            request,
            pace,
        }
    }

    fn deadline(&self, seconds: u64) -> Deadline {
        Deadline::after(Duration::from_secs(seconds), self.pace)
    }

    async fn token(&self) -> IdToken {
        let token = self.request.send(&self.http, self.deadline(600));
        token.await.unwrap()
    }

    async fn signer(&self, profile: Profile) -> Signer {
        let token = self.token().await;
        let instance = self.instance(profile, &token);
        let (http, request) = (self.http.clone(), self.request.clone());
        Signer::new(http, request, token, instance)
    }

    fn instance(&self, profile: Profile, token: &IdToken) -> Instance {
        let url = Url::parse(&self.double.url()).unwrap();
        let choice = Choice::Own(Box::new(OwnUrls {
            fulcio: url.clone(),
            rekor: (profile != Profile::Timestamp).then(|| url.clone()),
            timestamp: (profile != Profile::Log).then_some(url),
        }));
        Instance::new(&choice, None, &Server::Public, &token.claims, true)
    }

    async fn sign(&self, profile: Profile) -> anyhow::Result<Bundle> {
        let mut signer = self.signer(profile).await;
        let statement = self.statement().await;
        signer.sign(&statement, self.deadline(600)).await
    }

    async fn statement(&self) -> Statement {
        let token = self.token().await;
        let digests = [digest("index"), digest("amd64")];
        Statement::provenance(NAME, &digests, &token.claims, "https://github.com")
    }

    fn root(&self, profile: Profile) -> Root {
        let root = Root::given(&self.double.trusted_root()).unwrap();
        match profile {
            Profile::Timestamp => root.without_log(),
            Profile::Log | Profile::Both => root,
        }
    }
}

fn request(double: &Sigstore) -> TokenRequest {
    let vars = Vars::of(&[
        ("ACTIONS_ID_TOKEN_REQUEST_URL", &double.token_url()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", Sigstore::REQUEST_TOKEN),
    ]);
    TokenRequest::from_vars(&vars).unwrap()
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn policy() -> Policy {
    Policy {
        issuer: "https://token.actions.githubusercontent.com".to_owned(),
        server: "https://github.com".to_owned(),
        repository: Some("acme/app".to_owned()),
        workflow: Some("release.yml".to_owned()),
        git_ref: Some("refs/tags/v1.2.3".to_owned()),
        identity: Some(IDENTITY.to_owned()),
    }
}

fn verify(root: &Root, bundle: &str, policy: &Policy) -> Result<Verified, Refusal> {
    let digest = digest("index");
    let expected = Expected {
        digest: &digest,
        predicate_type: PROVENANCE,
        policy,
    };
    root.verify(bundle, &expected)
}

fn explained(error: &anyhow::Error) -> String {
    Explanation::of(error).to_string()
}

#[tokio::test]
async fn a_signed_statement_is_valid_in_each_profile() {
    for profile in PROFILES {
        let fixture = Fixture::new();
        let bundle = fixture.sign(profile).await.unwrap();
        assert_eq!(fixture.statement().await.predicate_type(), PROVENANCE);
        assert_eq!(bundle.log_index().is_some(), profile != Profile::Timestamp);
        let json = bundle.to_json();
        let verified = verify(&fixture.root(profile), &json, &policy()).unwrap();
        assert_eq!(verified.identity, IDENTITY, "{profile:?}");
        let repository = verified.repository.as_deref();
        assert_eq!(repository, Some("https://github.com/acme/app"));
        assert_eq!(verified.git_ref.as_deref(), Some("refs/tags/v1.2.3"));
        let statement = fixture.statement().await;
        assert_eq!(verified.statement.to_string(), statement.to_json());
    }
}

#[tokio::test]
async fn every_subject_of_a_statement_is_attested() {
    let fixture = Fixture::new();
    let bundle = fixture.sign(Profile::Log).await.unwrap().to_json();
    let (root, policy) = (fixture.root(Profile::Log), policy());
    let mut valid = Vec::new();
    for name in ["index", "amd64", "another"] {
        let expected = Expected {
            digest: &digest(name),
            predicate_type: PROVENANCE,
            policy: &policy,
        };
        valid.push(root.verify(&bundle, &expected).is_ok());
    }
    assert_eq!(valid, [true, true, false]);
}

/// What a change of the policy is refused with.
#[track_caller]
fn refused(root: &Root, bundle: &str, change: fn(&mut Policy), expected: &str) {
    let mut policy = policy();
    change(&mut policy);
    let refusal = verify(root, bundle, &policy).unwrap_err();
    let invalid = matches!(refusal, Refusal::Invalid(_));
    assert!(
        invalid && refusal.to_string().contains(expected),
        "{refusal}"
    );
}

#[tokio::test]
async fn another_signer_is_refused() {
    let fixture = Fixture::new();
    let bundle = fixture.sign(Profile::Log).await.unwrap().to_json();
    let root = fixture.root(Profile::Log);
    let refused = |change, expected| refused(&root, &bundle, change, expected);
    refused(
        |policy| policy.issuer.push_str("/acme"),
        "issuer mismatch: expected https://token.actions.githubusercontent.com/acme",
    );
    refused(
        |policy| policy.identity = Some(IDENTITY.replace("v1.2.3", "v1.2.4")),
        "identity mismatch",
    );
    refused(
        |policy| policy.repository = Some("acme/ap".to_owned()),
        "the repository is https://github.com/acme/app, expected https://github.com/acme/ap",
    );
    refused(
        |policy| policy.workflow = Some("release.yaml".to_owned()),
        "the workflow is https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.2.3, expected https://github.com/acme/app/.github/workflows/release.yaml",
    );
    refused(
        |policy| {
            policy.repository = None;
            policy.workflow = None;
            policy.identity = None;
        },
        "no repository, workflow or identity is expected",
    );
    refused(
        |policy| policy.git_ref = Some("refs/tags/v1.2".to_owned()),
        "the git ref is refs/tags/v1.2.3, expected refs/tags/v1.2",
    );
}

#[tokio::test]
async fn a_reusable_workflow_of_another_repository_must_be_named() {
    let workflow = "corp/ci/.github/workflows/build.yml@refs/heads/main";
    let mut fixture = Fixture::new();
    fixture.double = Sigstore::start(&json!({ "job_workflow_ref": workflow })).unwrap();
    fixture.request = request(&fixture.double);
    let bundle = fixture.sign(Profile::Log).await.unwrap().to_json();
    let root = fixture.root(Profile::Log);
    let check = |workflow: Option<&str>| {
        let policy = Policy {
            workflow: workflow.map(str::to_owned),
            identity: None,
            ..policy()
        };
        verify(&root, &bundle, &policy).map_err(|refusal| refusal.to_string())
    };
    let own = "the workflow is not in https://github.com/acme/app: https://github.com/corp/ci/.github/workflows/build.yml@refs/heads/main";
    assert_eq!(check(None).unwrap_err(), own);
    assert!(check(Some("build.yml")).is_err());
    assert!(check(Some("corp/ci/.github/workflows/build.yml")).is_ok());
    let claims = fixture.token().await.claims;
    let own = Policy::of_run(&claims, "https://github.com/", &policy().issuer);
    assert!(verify(&root, &bundle, &own).is_ok());
}

/// The bundle with a change.
fn changed(bundle: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut bundle: Value = serde_json::from_str(bundle).unwrap();
    change(&mut bundle);
    bundle.to_string()
}

#[tokio::test]
async fn a_changed_payload_is_refused_in_each_profile() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    for profile in PROFILES {
        let fixture = Fixture::new();
        let bundle = fixture.sign(profile).await.unwrap().to_json();
        let forged = changed(&bundle, |bundle| {
            let payload = &mut bundle["dsseEnvelope"]["payload"];
            let text = STANDARD.decode(payload.as_str().unwrap()).unwrap();
            let text = String::from_utf8(text).unwrap();
            *payload = json!(STANDARD.encode(text.replace("github-hosted", "self-hosted")));
        });
        let refusal = verify(&fixture.root(profile), &forged, &policy()).unwrap_err();
        let expected = "invalid signature: DSSE signature verification failed";
        assert!(refusal.to_string().starts_with(expected), "{refusal}");
    }
}

#[tokio::test]
async fn evidence_is_required() {
    let fixture = Fixture::new();
    let bundle = fixture.sign(Profile::Both).await.unwrap().to_json();
    let no_log = changed(&bundle, |bundle| {
        bundle["verificationMaterial"]["tlogEntries"] = json!([]);
    });
    let root = fixture.root(Profile::Both);
    let refusal = verify(&root, &no_log, &policy()).unwrap_err();
    assert!(matches!(refusal, Refusal::Invalid(_)), "{refusal}");
    let root = root.without_log();
    assert!(verify(&root, &no_log, &policy()).is_ok());
    let nothing = changed(&no_log, |bundle| {
        bundle["verificationMaterial"]["timestampVerificationData"] = json!({});
    });
    let refusal = verify(&root, &nothing, &policy()).unwrap_err();
    assert!(matches!(refusal, Refusal::Invalid(_)), "{refusal}");
}

#[tokio::test]
async fn an_unknown_root_is_told_from_an_invalid_attestation() {
    let fixture = Fixture::new();
    for profile in PROFILES {
        let bundle = fixture.sign(profile).await.unwrap().to_json();
        let embedded = Root::embedded_for(&bundle).unwrap();
        for root in [embedded, Fixture::new().root(profile)] {
            let refusal = verify(&root, &bundle, &policy()).unwrap_err();
            assert!(matches!(refusal, Refusal::UnknownRoot(_)), "{refusal}");
        }
    }
}

#[tokio::test]
async fn a_new_intermediate_certificate_is_accepted_from_the_own_run_only() {
    for profile in [Profile::Log, Profile::Timestamp] {
        let fixture = Fixture::new();
        let bundle = fixture.sign(profile).await.unwrap();
        let older = changed(&fixture.double.trusted_root(), |root| {
            let chain = &mut root["certificateAuthorities"][0]["certChain"]["certificates"];
            chain.as_array_mut().unwrap().remove(0);
        });
        let root = Root::given(&older).unwrap();
        let root = if profile == Profile::Log {
            root
        } else {
            root.without_log()
        };
        let refusal = verify(&root, &bundle.to_json(), &policy()).unwrap_err();
        assert!(matches!(refusal, Refusal::UnknownRoot(_)), "{refusal}");
        let (digest, policy) = (digest("index"), policy());
        let expected = Expected {
            digest: &digest,
            predicate_type: PROVENANCE,
            policy: &policy,
        };
        let verified = root.verify_own(&bundle, &expected).unwrap();
        assert_eq!(verified.identity, IDENTITY);
        let other = Fixture::new().root(profile);
        let refusal = other.verify_own(&bundle, &expected).unwrap_err();
        assert!(matches!(refusal, Refusal::UnknownRoot(_)), "{refusal}");
    }
}

#[tokio::test]
async fn another_predicate_type_is_refused() {
    let fixture = Fixture::new();
    let mut signer = fixture.signer(Profile::Log).await;
    let spdx = "https://spdx.dev/Document/v2.3";
    let sbom = Statement::new(NAME, &[digest("index")], spdx, json!({ "packages": [] }));
    let bundle = signer.sign(&sbom, fixture.deadline(600)).await.unwrap();
    let refusal = verify(&fixture.root(Profile::Log), &bundle.to_json(), &policy());
    assert_eq!(
        refusal.unwrap_err().to_string(),
        "the predicate type is https://spdx.dev/Document/v2.3, expected https://slsa.dev/provenance/v1"
    );
}

#[tokio::test]
async fn a_wrong_inclusion_proof_is_refused() {
    let fixture = Fixture::new();
    fixture
        .double
        .script(Fault::on(Endpoint::LogEntryPost).bad_inclusion());
    let bundle = fixture.sign(Profile::Log).await.unwrap().to_json();
    let refusal = verify(&fixture.root(Profile::Log), &bundle, &policy()).unwrap_err();
    assert!(matches!(refusal, Refusal::Invalid(_)), "{refusal}");
}

#[test]
fn what_is_no_bundle_is_refused() {
    for text in ["", "{}", "[]", "{\"mediaType\":\"x\"}"] {
        let refusal = verify(&Root::github(), text, &policy()).unwrap_err();
        assert!(matches!(refusal, Refusal::Invalid(_)), "{refusal}");
    }
}
