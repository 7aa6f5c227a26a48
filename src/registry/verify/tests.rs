//! What a verification reads, and what it takes from earlier reads.

use std::time::Duration;

use ghcr_double::{Account, Double, Endpoint, Fault, Package};

use super::*;
use crate::console::Console;
use crate::credentials::Login;
use crate::deadline::{Deadline, Pace};
use crate::registry::Registry;
use crate::secret::Secret;
use crate::tls::Trust;

const NAME: &str = "acme/widget";
const TOKEN: &str = "ghs_of-the-verification";

fn double() -> Double {
    let builder = Double::builder().token(TOKEN, Account::workflow(NAME));
    builder.package(NAME, Package::of(NAME)).start().unwrap()
}

fn registry(double: &Double) -> Registry {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let login = Secret::new(TOKEN).map(|password| Login {
        username: "octocat".to_owned(),
        password,
    });
    let (kind, trust, console) = (RegistryKind::Generic, Trust::default(), Console::NOWHERE);
    Registry::new(&double.host(), kind, login, &trust, Pace::REAL, console).unwrap()
}

/// The repository, with a single attempt for each request.
fn repository(registry: &Registry) -> Repository<'_> {
    registry.repository(NAME, Deadline::after(Duration::ZERO, Pace::REAL))
}

fn image(double: &Double) -> (Digest, Tag) {
    let digest = double.put_image(NAME, "v1", &[]).parse().unwrap();
    (digest, Tag::sanitized("v1").unwrap())
}

#[tokio::test]
async fn what_was_read_before_the_push_is_read_again() {
    let double = double();
    let (digest, tag) = image(&double);
    let registry = registry(&double);
    let repository = repository(&registry);
    repository.reading_once().manifest(&digest).await.unwrap();
    double.script(Fault::on(Endpoint::ManifestRead).always().answer(404));
    let verified = repository.verify(&digest, &tag, None, ready(())).await;
    assert!(verified.is_err());
}

#[tokio::test]
async fn what_was_read_since_the_push_is_not_read_again() {
    let double = double();
    let (digest, tag) = image(&double);
    let registry = registry(&double);
    let repository = repository(&registry);
    let since = Instant::now();
    let manifest = repository.manifest(&digest).await.unwrap();
    let config = manifest.config_digest().unwrap();
    repository.read_pushed(&digest, &[], &[config], since).await;
    double.clear_requests();
    let verified = repository.verify(&digest, &tag, Some(since), ready(()));
    verified.await.unwrap();
    let counts = [
        Endpoint::ManifestRead,
        Endpoint::BlobGet,
        Endpoint::BlobHead,
    ];
    assert_eq!(counts.map(|it| double.count(it) > 0), [false, false, true]);
}
