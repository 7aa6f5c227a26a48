//! The requests before the build: what each answer about push access leads to.

use std::fs;

use expect_test::expect;
use ghcr_double::{Access, Account, Denial, Double, Endpoint, Fault, Package};

use super::{closed_port, double, publication};
use crate::publication::empty_registry;
use crate::support::{Action, TOKEN};

#[test]
fn known_registry_that_is_down_is_retried_before_build() {
    let address = closed_port();
    let started = Action::new()
        .event("push_tag")
        .input("password", "quay-password")
        .input("registry", address.to_string())
        .input("images", format!("{address}/acme/widget"))
        .arguments(&["check"])
        .start()
        .says("; retry 1 in ");
    let double = Double::builder()
        .address(address)
        .token("quay-password", Account::classic("acme"))
        .start();
    let run = started.end();
    drop(double);
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run.assert_log(", giving up in 60 s\n");
}

#[test]
fn read_only_dependabot_token_builds_without_push() {
    let double = Double::builder()
        .token(
            TOKEN,
            Account::workflow("acme/Widget").packages(Access::Read),
        )
        .package("acme/widget", Package::of("acme/Widget"))
        .start()
        .unwrap();
    let digest = format!("sha256:{}", "0".repeat(64));
    let run = publication(&double)
        .env("GITHUB_ACTOR", "dependabot[bot]")
        .buildx_pushes(&digest)
        .run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(
        (run.output("pushed"), run.output("digest")),
        ("false", digest.as_str())
    );
    assert!(run.noted("arguments").contains("push=false"));
    assert!(run.noted("arguments").contains("/acme/widget:latest\n"));
    let notice = "::notice title=ghcr-publish::the image is built and not pushed, because Dependabot's token may not write packages";
    run.assert_log(notice);
    assert!(run.summary.starts_with("### 🔨 "), "{}", run.summary);
}

#[test]
fn check_reports_every_name() {
    let (double, _) = double();
    let names = format!(
        "{0}/acme/widget\n{0}/acme/new\n{0}/joe/other",
        double.host()
    );
    let run = publication(&double)
        .input("images", names)
        .arguments(&["check"])
        .run();
    assert!(!run.succeeded);
    for name in ["acme/widget", "acme/new"] {
        run.assert_log(format!("/{name}: OK\n"));
    }
    expect![[r#"
        ::error title=ghcr-publish::cannot push `<registry>/joe/other`: <registry> answered 404 DENIED: not_found: owner not found
          because: there is no user or organisation `joe`
          fix: correct the owner in `images`; a renamed owner has only its new name
    "#]].assert_eq(&run.errors(double.host()));
    assert!(double.requests().len() <= 9, "{:?}", double.requests());
}

#[test]
fn settings_url_of_a_user_package() {
    let double = empty_registry()
        .package("acme/widget", Package::unlinked())
        .start()
        .unwrap();
    let action = publication(&double);
    let payload = r#"{"repository": {"name": "Widget", "owner": {"type": "User"}}}"#;
    fs::write(action.path("event"), payload).unwrap();
    let path = action.path("event").display().to_string();
    let run = action.env("GITHUB_EVENT_PATH", path).run();
    let page = "https://github.com/users/acme/packages/container/widget/settings";
    run.assert_error(page);
}

#[test]
fn inconclusive_preflight_does_not_stop_build() {
    let (double, digest) = double();
    double.script(
        Fault::on(Endpoint::BlobPost)
            .always()
            .deny(&Denial::SecondaryRateLimit),
    );
    let run = publication(&double).buildx_pushes(&digest).run();
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    run.assert_log("could not check push access to ");
}

#[test]
fn check_without_an_answer_fails() {
    let (double, _) = double();
    double.script(
        Fault::on(Endpoint::BlobPost)
            .always()
            .deny(&Denial::SecondaryRateLimit),
    );
    let run = publication(&double).arguments(&["check"]).run();
    assert!(!run.succeeded, "{}", run.stdout);
    run.assert_error("could not check push access to `");
    run.assert_error("fix: check again when the registry responds");
}
