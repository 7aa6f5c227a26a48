//! Manifests that are deleted, by a registry like ghcr.io and by others.

use std::time::Duration;

use ghcr_double::{Access, Account, Builder, Deletes, Double, Endpoint, Fault, Package};

use super::*;
use crate::console::Console;
use crate::context::server::RegistryKind;
use crate::credentials::Login;
use crate::deadline::{Deadline, Pace};
use crate::registry::Registry;
use crate::secret::Secret;
use crate::tls::Trust;

const NAME: &str = "acme/widget";
const TOKEN: &str = "ghs_of-the-deletions";

fn builder(account: Account) -> Builder {
    let builder = Double::builder().token(TOKEN, account);
    builder.package(NAME, Package::of("acme/widget"))
}

/// A registry that deletes.
fn double() -> Double {
    let builder = builder(Account::workflow("acme/widget"));
    builder.deletes(Deletes::ByDigest).start().unwrap()
}

/// Deletes with fifteen minutes for it, a thousand times faster.
async fn delete(double: &Double, digest: &Digest) -> Result<ManifestDeletion, String> {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let login = Secret::new(TOKEN).map(|password| Login {
        username: "octocat".to_owned(),
        password,
    });
    let (kind, pace, trust) = (RegistryKind::Generic, Pace::waiting(1000), Trust::default());
    let registry = Registry::new(&double.host(), kind, login, &trust, pace, Console::NOWHERE);
    let registry = registry.unwrap();
    let deadline = Deadline::after(Duration::from_secs(900), pace);
    let deleted = registry.repository(NAME, deadline).delete(digest).await;
    deleted.map_err(|error| error.to_string().replace(&double.host(), "HOST"))
}

fn image(double: &Double) -> Digest {
    double.put_image(NAME, "v1", &[]).parse().unwrap()
}

#[tokio::test]
async fn manifest_and_its_tags_are_deleted_once() {
    let double = double();
    let digest = image(&double);
    assert_eq!(
        delete(&double, &digest).await,
        Ok(ManifestDeletion::Deleted)
    );
    assert_eq!(
        (double.manifests(NAME).len(), double.tags(NAME).len()),
        (0, 0)
    );
    assert_eq!(delete(&double, &digest).await, Ok(ManifestDeletion::Gone));
}

#[tokio::test]
async fn token_is_requested_with_the_action_delete() {
    let double = double();
    let digest = image(&double);
    delete(&double, &digest).await.unwrap();
    let tokens = double.requests().into_iter();
    let tokens = tokens.filter(|seen| seen.endpoint == Endpoint::Token);
    let scopes: Vec<String> = tokens.map(|seen| seen.query).collect();
    let scope = "scope=repository%3Aacme%2Fwidget%3Apull%2Cpush%2Cdelete";
    assert!(
        scopes.len() == 1 && scopes[0].ends_with(scope),
        "{scopes:?}"
    );
}

#[tokio::test]
async fn registry_without_deletion_is_told_from_a_refusal() {
    let github = builder(Account::workflow("acme/widget")).start().unwrap();
    let digest = image(&github);
    assert_eq!(
        delete(&github, &digest).await,
        Ok(ManifestDeletion::Unsupported)
    );
    let double = double();
    for (status, code, expected) in [
        (405, "UNSUPPORTED", Ok(ManifestDeletion::Unsupported)),
        (400, "UNSUPPORTED", Ok(ManifestDeletion::Unsupported)),
        (
            400,
            "NAME_INVALID",
            Err("HOST answered 400 NAME_INVALID: no".to_owned()),
        ),
        (
            403,
            "DENIED",
            Err("HOST answered 403 DENIED: no".to_owned()),
        ),
    ] {
        double.script(Fault::on(Endpoint::ManifestDelete).error(status, code, "no"));
        assert_eq!(delete(&double, &digest).await, expected);
    }
}

#[tokio::test]
async fn token_server_may_grant_less_than_delete() {
    let reader = Account::workflow("acme/widget").packages(Access::Read);
    let builder = builder(reader).deletes(Deletes::ByDigest);
    let double = builder.start().unwrap();
    let digest = image(&double);
    let refused = Err("HOST answered 401 UNAUTHORIZED: authentication required".to_owned());
    assert_eq!(delete(&double, &digest).await, refused);
    assert_eq!(double.count(Endpoint::ManifestDelete), 2);
    assert_eq!(double.tags(NAME).len(), 1);
}

#[tokio::test]
async fn transient_errors_are_retried_and_a_lost_answer_is_no_error() {
    // The first request has no token.
    let fault = || Fault::on(Endpoint::ManifestDelete).after(1);
    for (fault, expected) in [
        (fault().times(3).answer(503), ManifestDeletion::Deleted),
        (
            fault().answer(429).header("retry-after", "2"),
            ManifestDeletion::Deleted,
        ),
        (fault().reset(), ManifestDeletion::Deleted),
        (fault().reset_after_serving(), ManifestDeletion::Gone),
    ] {
        let double = double();
        let digest = image(&double);
        double.script(fault);
        assert_eq!(delete(&double, &digest).await, Ok(expected));
        assert_eq!(double.manifests(NAME).len(), 0);
    }
    let double = double();
    let digest = image(&double);
    double.script(fault().always().answer(503));
    let error = delete(&double, &digest).await.unwrap_err();
    assert_eq!(error, "HOST answered 503 Service Unavailable");
}
