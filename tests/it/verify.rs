//! `ghcr-publish verify`: what it accepts, and what is wrong with everything else.

mod checks;
mod platforms;
mod silence;

use std::fs;

use expect_test::{Expect, expect};
use ghcr_double::{Double, Endpoint, Fault, Package, Sigstore};

use crate::attest::{Profile, attesting, doubles};
use crate::json::result;
use crate::publication::NAME;
use crate::support::{Action, Run};

/// An image that was published and attested as `v1.2.3` and `latest`.
pub(crate) struct Attested {
    double: Double,
    digest: String,
    sigstore: Sigstore,
}

impl Attested {
    pub(crate) fn new(stores: &str) -> Self {
        Self::with(stores, doubles())
    }

    /// The image that `put` stores under the tag of the first push.
    fn of(stores: &str, put: fn(&Double) -> String) -> Self {
        let (double, _, sigstore) = doubles();
        let digest = put(&double);
        Self::with(stores, (double, digest, sigstore))
    }

    fn with(stores: &str, doubles: (Double, String, Sigstore)) -> Self {
        let (double, digest, sigstore) = doubles;
        let run = attesting(&double, &digest, &sigstore, Profile::Log);
        let run = run.input("attest", stores).run();
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        double.set_package(NAME, Package::of("acme/Widget").public());
        double.clear_requests();
        Self {
            double,
            digest,
            sigstore,
        }
    }

    pub(crate) fn image(&self, version: &str) -> String {
        format!("{}/{NAME}{version}", self.double.host())
    }

    /// Verifies on a machine without a job, a checkout or credentials.
    pub(crate) fn verify(&self, reference: &str, arguments: &[&str]) -> Run {
        let action = Action::new().env("GITHUB_API_URL", self.double.api_url());
        fs::write(
            action.path("workspace/root.json"),
            self.sigstore.trusted_root(),
        )
        .unwrap();
        let base = ["verify", reference, "--trusted-root", "root.json"];
        action.arguments(&[&base, arguments].concat()).run()
    }

    pub(crate) fn stable(&self, run: &Run, text: &str) -> String {
        let text = run
            .stable(text, self.double.host())
            .replace(&self.digest, "<digest>");
        let mut times = text.match_indices("T").filter_map(|(place, _)| {
            let time = text.get(place.checked_sub(10)?..place + 10)?;
            (time.starts_with("20") && time.ends_with('Z')).then_some(time)
        });
        match times.next() {
            Some(time) => text.replace(time, "<time>"),
            None => text,
        }
    }
}

const REPOSITORY: [&str; 2] = ["--repository", "acme/Widget"];

#[test]
fn image_with_a_valid_attestation_is_accepted() {
    for store in ["registry", "github"] {
        let attested = Attested::new(store);
        let run = attested.verify(&attested.image(":v1.2.3"), &REPOSITORY);
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        let found = match store {
            "registry" => "in the registry",
            _ => "on GitHub",
        };
        let log = attested.stable(&run, &run.stdout).replace(found, "<store>");
        expect![[r#"
            ✓ <registry>/acme/widget:v1.2.3 → <digest>
            ✓ linux/amd64: manifest and 2 blobs
            ✓ provenance signed by https://github.com/acme/Widget/.github/workflows/release.yml@refs/tags/v1.2.3 at <time>, commit babca52ab0c93ae16539e5923cb0d7403b9a093b (found <store>)
        "#]].assert_eq(&log);
        let writes = attested.double.requests();
        let writes = writes
            .iter()
            .filter(|seen| !["GET", "HEAD"].contains(&seen.method.as_str()));
        assert_eq!(writes.count(), 0);
    }
}

#[test]
fn result_is_json_for_programs() {
    let attested = Attested::new("registry");
    let reference = attested.image(":latest");
    let arguments = [&REPOSITORY[..], &["--json"]].concat();
    let run = attested.verify(&reference, &arguments);
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    let image = &result(&run)["images"][0];
    assert_eq!(image["reference"], reference.as_str());
    assert_eq!(image["digest"], attested.digest.as_str());
    assert_eq!(image["platforms"][0], "linux/amd64");
    let workflow = "https://github.com/acme/Widget/.github/workflows/release.yml";
    let identity = format!("{workflow}@refs/tags/v1.2.3");
    assert_eq!(image["attestation"]["identity"], identity.as_str());
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a snapshot is written where it is used"
)]
#[track_caller]
fn refused(attested: &Attested, reference: &str, arguments: &[&str], expected: Expect) {
    let run = attested.verify(reference, arguments);
    assert!(!run.succeeded, "{}", run.stdout);
    let text = attested.stable(&run, &run.stderr);
    expected.assert_eq(text.lines().take(2).collect::<Vec<_>>().join("\n").as_str());
}

#[test]
fn another_signer_is_refused() {
    let attested = Attested::new("registry");
    let tag = attested.image(":v1.2.3");
    refused(
        &attested,
        &tag,
        &["--repository", "acme/other"],
        expect![[r#"
        error: no valid attestation of `<registry>/acme/widget:v1.2.3`
          because: the repository is https://github.com/acme/Widget, expected https://github.com/acme/other"#]],
    );
    let with = |name: &'static str, value: &'static str| [&REPOSITORY[..], &[name, value]].concat();
    refused(
        &attested,
        &tag,
        &with("--workflow", "test.yml"),
        expect![[r#"
        error: no valid attestation of `<registry>/acme/widget:v1.2.3`
          because: the workflow is https://github.com/acme/Widget/.github/workflows/release.yml@refs/tags/v1.2.3, expected https://github.com/acme/Widget/.github/workflows/test.yml"#]],
    );
    refused(
        &attested,
        &tag,
        &with("--ref", "refs/heads/main"),
        expect![[r#"
            error: no valid attestation of `<registry>/acme/widget:v1.2.3`
              because: the git ref is refs/tags/v1.2.3, expected refs/heads/main"#]],
    );
    let issuer = with("--oidc-issuer", "https://issuer.example");
    refused(
        &attested,
        &tag,
        &issuer,
        expect![[r#"
        error: no valid attestation of `<registry>/acme/widget:v1.2.3`
          because: issuer mismatch: expected https://issuer.example, got https://token.actions.githubusercontent.com"#]],
    );
    let right = [
        with("--workflow", "release.yml"),
        with("--ref", "refs/tags/v1.2.3"),
    ];
    for arguments in right {
        let run = attested.verify(&tag, &arguments);
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    }
}

#[test]
fn missing_image_and_other_digest_are_refused() {
    let attested = Attested::new("registry");
    refused(
        &attested,
        &attested.image(":v9"),
        &REPOSITORY,
        expect![[r#"
        error: cannot read `<registry>/acme/widget:v9`
          because: the tag `v9` does not exist"#]],
    );
    let other = attested.double.put_image(NAME, "other", &[("x", "y")]);
    let other = attested.image(&format!(":v1.2.3@{other}"));
    let run = attested.verify(&other, &REPOSITORY);
    assert!(!run.succeeded);
    run.assert_error(":v1.2.3` shows another image");
    let gone = Fault::on(Endpoint::BlobHead).answer(404);
    attested.double.script(gone.always());
    let incomplete = attested.verify(&attested.image(":v1.2.3"), &REPOSITORY);
    incomplete.assert_error(":v1.2.3` is not complete in the registry");
    attested.double.clear_script();
    let unsigned = attested.image(":other");
    refused(
        &attested,
        &unsigned,
        &REPOSITORY,
        expect![[r#"
        error: no valid attestation of `<registry>/acme/widget:other`
          because: neither the registry nor GitHub has a provenance of it"#]],
    );
}

#[test]
fn image_without_source_needs_a_repository() {
    let attested = Attested::new("registry");
    refused(
        &attested,
        &attested.image(":v1.2.3"),
        &[],
        expect![[r#"
            error: `<registry>/acme/widget:v1.2.3` does not say which repository it is from
              because: it has no annotation or label `org.opencontainers.image.source`"#]],
    );
}

#[test]
fn arguments_of_verify_belong_to_verify() {
    let run = Action::new()
        .arguments(&["plan", "ghcr.io/acme/app:1"])
        .run();
    assert!(!run.succeeded);
    run.assert_error("`references` is an argument of `verify`");
    let run = Action::new().arguments(&["verify"]).run();
    run.assert_error("no image to verify is named");
    let run = Action::new()
        .arguments(&["verify", "ghcr.io/acme/app:a b"])
        .run();
    run.assert_error("invalid reference");
}

/// A run in which nothing was verified must not succeed.
#[test]
fn input_mode_is_understood_in_every_spelling() {
    let refused = |action: Action| {
        let run = action.event("push_tag").run();
        assert!(!run.succeeded, "{}", run.stdout);
        run.assert_error("no image to verify is named");
        assert!(run.outputs.is_empty() && run.summary.is_empty());
    };
    for mode in ["verify", " verify\n"] {
        refused(Action::new().input("mode", mode));
    }
    refused(Action::new().arguments(&["--with", "mode=verify"]));
    refused(Action::new().arguments(&["verify", "--with", "mode=plan"]));
}
