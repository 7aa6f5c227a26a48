//! The program signs with Fulcio and a timestamp authority, and cosign and sigstore-go verify it.

pub(super) mod instance;
mod verifiers;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ghcr_double::{Double, Endpoint, Repository, Seen, Sigstore};
use serde_json::{Value, json};

use self::instance::Instance;
use self::verifiers::Expected;
use super::world::{Crane, DebianRegistry, graph_engine, publication};
use crate::publication::empty_registry;
use crate::support::{Action, Run};

/// What proves when something was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    /// A transparency log.
    Log,
    /// A signed timestamp.
    Timestamp,
}

impl Profile {
    /// What a verifier says of a changed payload.
    fn changed(self) -> &'static str {
        match self {
            Self::Log => "does not match envelope payload hash",
            Self::Timestamp => "accepted signatures do not match threshold",
        }
    }
}

const OTHER_DIGEST: &str = "provided artifact digest does not match any digest in statement";
const OTHER_WORKFLOW: &str = "no matching CertificateIdentity found";

/// An image in Debian's registry that this program attested.
struct Attested {
    instance: Instance,
    registry: DebianRegistry,
    run: Run,
}

impl Attested {
    fn on(engine: Option<&str>, profile: Profile) -> Self {
        let (instance, registry) = (Instance::start(profile), DebianRegistry::start());
        let action = publication(engine)
            .event("push_tag")
            .input("attest", "registry")
            .input("registry", registry.host());
        let run = succeeds(instance.signs(action));
        Self {
            instance,
            registry,
            run,
        }
    }

    fn expected(&self) -> Expected {
        Expected::of(&self.instance)
    }

    fn crane(&self) -> Crane {
        Crane::new(&self.registry.host())
    }

    fn image(&self) -> &str {
        self.run.output("image")
    }

    /// The digest of the image in hexadecimal form.
    fn digest(&self) -> &str {
        self.run.output("digest").strip_prefix("sha256:").unwrap()
    }

    /// The bundle, found by the fallback tag.
    fn bundle(&self) -> String {
        let (crane, image) = (self.crane(), self.image());
        let index = crane.manifest(&format!("{image}:sha256-{}", self.digest()));
        let artifact = index["manifests"][0]["digest"].as_str().unwrap();
        let artifact = crane.manifest(&format!("{image}@{artifact}"));
        let blob = artifact["layers"][0]["digest"].as_str().unwrap();
        crane.run(&["blob", &format!("{image}@{blob}")])
    }
}

#[track_caller]
fn succeeds(action: Action) -> Run {
    let run = action.run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run
}

#[track_caller]
fn refused(verdict: Result<(), String>, reason: &str) {
    let said = verdict.expect_err("the verifier accepts it");
    assert!(said.contains(reason), "`{reason}` is not in: {said}");
}

/// The bundle with another subject, under the same signature.
fn changed(bundle: &str) -> String {
    let mut bundle: Value = serde_json::from_str(bundle).unwrap();
    let payload = &mut bundle["dsseEnvelope"]["payload"];
    let text = String::from_utf8(STANDARD.decode(payload.as_str().unwrap()).unwrap()).unwrap();
    let lie = text.replace("refs/tags/v1.2.3", "refs/tags/v1.2.4");
    assert_ne!(lie, text);
    *payload = STANDARD.encode(lie).into();
    bundle.to_string()
}

/// Both programs accept the attestation, and refuse it for anything else.
fn check_verifiers(engine: Option<&str>, profile: Profile) {
    let attested = Attested::on(engine, profile);
    let (bundle, digest) = (attested.bundle(), attested.digest());
    for tag in attested.run.output("tags").lines() {
        attested.expected().cosign(tag).unwrap();
        attested.expected().ours(tag, "acme/Widget").unwrap();
    }
    attested
        .expected()
        .cosign(attested.run.output("ref"))
        .unwrap();
    attested
        .expected()
        .cosign_on_bundle(&bundle, digest)
        .unwrap();
    attested.expected().sigstore_go(&bundle, digest).unwrap();

    refused(
        attested
            .expected()
            .ours(attested.run.output("ref"), "acme/other"),
        "expected https://github.com/acme/other",
    );
    let other = "0".repeat(64);
    let changed = changed(&bundle);
    refused(
        attested.expected().cosign_on_bundle(&bundle, &other),
        OTHER_DIGEST,
    );
    refused(
        attested.expected().sigstore_go(&bundle, &other),
        OTHER_DIGEST,
    );
    refused(
        attested.expected().cosign_on_bundle(&changed, digest),
        profile.changed(),
    );
    refused(
        attested.expected().sigstore_go(&changed, digest),
        profile.changed(),
    );
    for workflow in [
        "https://github.com/acme/Widget/.github/workflows/other.yml@refs/tags/v1.2.3",
        "https://github.com/acme/other/.github/workflows/release.yml@refs/tags/v1.2.3",
    ] {
        let by_another = attested.expected().by(workflow);
        refused(
            by_another.cosign(attested.run.output("ref")),
            OTHER_WORKFLOW,
        );
        refused(by_another.sigstore_go(&bundle, digest), OTHER_WORKFLOW);
    }
    check_other_image(&attested);
}

/// cosign finds the attestation of another image in the registry, and refuses it.
fn check_other_image(attested: &Attested) {
    let (crane, image) = (attested.crane(), attested.image());
    let other = format!("{image}:other");
    crane.run(&[
        "mutate",
        "--user=other",
        "--tag",
        &other,
        attested.run.output("ref"),
    ]);
    let digest = crane.digest(&other);
    let listed = format!("sha256-{}", digest.strip_prefix("sha256:").unwrap());
    crane.run(&[
        "tag",
        &format!("{image}:sha256-{}", attested.digest()),
        &listed,
    ]);
    refused(attested.expected().cosign(&other), OTHER_DIGEST);
    refused(
        attested.expected().ours(&other, "acme/Widget"),
        "no valid attestation",
    );
}

#[test]
fn an_attestation_in_a_log_is_valid_for_others() {
    check_verifiers(None, Profile::Log);
}

#[test]
fn an_attestation_with_a_timestamp_is_valid_for_others() {
    check_verifiers(None, Profile::Timestamp);
}

#[test]
fn an_attestation_of_a_graph_driver_is_valid_for_others() {
    check_verifiers(Some(&graph_engine()), Profile::Log);
}

/// A registry that stores attestations too, as GitHub's API.
fn github() -> Double {
    let repository = Repository::new("acme/Widget");
    empty_registry().repository(repository).start().unwrap()
}

fn attesting(engine: Option<&str>, double: &Double) -> Action {
    publication(engine)
        .event("push_tag")
        .env("GITHUB_API_URL", double.api_url())
        .input("attest", "true")
        .input("registry", double.host())
}

/// The image is attested, on GitHub and in the registry, before the first tag of the plan is written.
fn check_order(engine: Option<&str>) {
    let (instance, double) = (Instance::start(Profile::Log), github());
    let run = succeeds(instance.signs(attesting(engine, &double)));
    let requests = double.requests();
    let first = |is_wanted: &dyn Fn(&Seen) -> bool| requests.iter().position(is_wanted).unwrap();
    let written = |tag: &str| {
        let end = format!("/manifests/{tag}");
        first(&|seen| seen.endpoint == Endpoint::TagPut && seen.path.ends_with(&end))
    };
    let listed = written(&run.output("digest").replace(':', "-"));
    let stored = first(&|seen| seen.endpoint == Endpoint::AttestationPost);
    for tag in ["v1.2.3", "latest"] {
        assert!(listed.max(stored) < written(tag), "{requests:#?}");
    }
}

/// Without a certificate, no tag of the plan is written.
fn check_refusal(engine: Option<&str>) {
    let (instance, double) = (Instance::start(Profile::Log), github());
    let issuer = Sigstore::start(&json!({})).unwrap();
    let action = instance
        .signs(attesting(engine, &double))
        .env("ACTIONS_ID_TOKEN_REQUEST_URL", issuer.token_url());
    let run = action.run();
    assert!(!run.succeeded, "{}", run.stdout);
    run.assert_error("There was an error processing the identity token");
    let tags = double.tags("acme/widget");
    assert!(
        !tags.contains_key("v1.2.3") && !tags.contains_key("latest"),
        "{tags:?}"
    );
}

#[test]
fn the_containerd_store_attests_before_any_tag() {
    check_order(None);
    check_refusal(None);
}

#[test]
fn a_graph_driver_attests_before_any_tag() {
    let engine = graph_engine();
    check_order(Some(&engine));
    check_refusal(Some(&engine));
}
