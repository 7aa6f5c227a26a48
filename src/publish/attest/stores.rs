//! Where attestations are stored: on GitHub, and in the registry of the image.

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::try_join;

use crate::deadline::Failure;
use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::inputs::attest::Stores;
use crate::publish::attest::Attestation;
use crate::publish::preflight::subject;
use crate::registry::artifact::Artifact;
use crate::registry::error::RegistryError;
use crate::registry::{Repository, explain};
use crate::session::Session;
use crate::sigstore::bundle::MEDIA_TYPE;

/// The stores of one image name.
pub(super) struct AttestationStores<'a> {
    pub(super) session: &'a Session,
    pub(super) stores: Stores,
    pub(super) name: &'a ImageName,
    pub(super) repository: Repository<'a>,
}

/// Where a bundle is stored already.
pub(super) struct Stored {
    on_github: Option<String>,
    /// The digest of the artifact, and the bundle.
    in_registry: Option<(Digest, String)>,
}

impl Stored {
    pub(super) fn bundle(&self) -> Option<&str> {
        let in_registry = self.in_registry.as_ref().map(|(_, bundle)| bundle.as_str());
        in_registry.or(self.on_github.as_deref())
    }

    /// The artifact in the registry.
    pub(super) fn artifact(&self) -> Option<Digest> {
        let (digest, _bundle) = self.in_registry.as_ref()?;
        Some(digest.clone())
    }

    /// The first of `stores` that lacks the bundle.
    pub(super) fn missing_in(&self, stores: Stores) -> Option<&'static str> {
        if stores.has_registry() && self.in_registry.is_none() {
            Some("in the registry")
        } else if stores.has_github() && self.on_github.is_none() {
            Some("on GitHub")
        } else {
            None
        }
    }
}

impl AttestationStores<'_> {
    /// Asks each store for a bundle that `is_wanted`.
    pub(super) async fn find(
        &self,
        image: &Manifest,
        predicate_type: &str,
        is_wanted: impl Fn(&str) -> bool,
    ) -> anyhow::Result<Stored> {
        let (mut on_github, mut in_registry) = try_join!(
            self.on_github(&image.digest, predicate_type),
            self.in_registry(image)
        )?;
        on_github.retain(|bundle| is_wanted(bundle));
        in_registry.retain(|(_, bundle)| is_wanted(bundle));
        Ok(Stored {
            on_github: on_github.pop(),
            in_registry: in_registry.pop(),
        })
    }

    /// Stores the attestation where it is missing, and reads it back.
    pub(super) async fn store(
        &self,
        image: &Manifest,
        mut attestation: Attestation,
        stored: Stored,
    ) -> anyhow::Result<Attestation> {
        if self.stores.has_github() && stored.on_github.is_none() {
            attestation.id = Some(self.store_on_github(&attestation).await?);
        }
        match stored.in_registry {
            Some((artifact, _)) => attestation.artifact = Some(artifact),
            None if self.stores.has_registry() => {
                let attached = self.attach(image, &attestation).await;
                let attached = attached.map_err(|error| {
                    self.explained("cannot store the attestation of", image, &error)
                })?;
                attestation.artifact = Some(attached.digest);
                attestation.tag = attached.tag;
            }
            None => {}
        }
        Ok(attestation)
    }

    async fn on_github(
        &self,
        digest: &Digest,
        predicate_type: &str,
    ) -> anyhow::Result<Vec<String>> {
        if !self.stores.has_github() {
            return Ok(Vec::new());
        }
        let Session {
            context, github, ..
        } = self.session;
        let deadline = self.repository.deadline;
        let kind = Some(predicate_type);
        let listed = github.attestations(&context.repository, digest, kind, deadline);
        Ok(listed.await?)
    }

    async fn in_registry(&self, image: &Manifest) -> anyhow::Result<Vec<(Digest, String)>> {
        if !self.stores.has_registry() {
            return Ok(Vec::new());
        }
        let attached = self.repository.attached(&image.digest, MEDIA_TYPE).await;
        let attached = attached
            .map_err(|error| self.explained("cannot read the attestations of", image, &error))?;
        let bundles = attached.into_iter().filter_map(|(descriptor, bytes)| {
            Some((
                descriptor.digest.parse().ok()?,
                String::from_utf8(bytes).ok()?,
            ))
        });
        Ok(bundles.collect())
    }

    /// The number of the attestation, once GitHub lists it.
    async fn store_on_github(&self, attestation: &Attestation) -> anyhow::Result<u64> {
        let Session {
            context, github, ..
        } = self.session;
        let deadline = self.repository.deadline;
        let Attestation {
            digest,
            predicate_type,
            bundle,
            ..
        } = attestation;
        let json = RawValue::from_string(bundle.clone())?;
        let id = github.store_attestation(&context.repository, &json, deadline);
        let id = id.await?;
        let missing = || {
            let what = format!("GitHub does not list the attestation {id} of {digest}");
            Problem::new(what, "run the job again")
        };
        let read = async |_number| {
            let kind = Some(predicate_type.as_str());
            let listed = github.attestations(&context.repository, digest, kind, deadline);
            let listed = listed.await.map_err(Failure::Permanent)?;
            match listed.iter().any(|one| is_same(one, bundle)) {
                true => Ok(()),
                false => Err(Failure::Transient(missing(), None)),
            }
        };
        let console = self.session.console;
        deadline.retried(console, Problem::to_string, read).await?;
        Ok(id)
    }

    async fn attach(
        &self,
        image: &Manifest,
        attestation: &Attestation,
    ) -> Result<crate::registry::artifact::Attached, RegistryError> {
        let created = self
            .session
            .now
            .to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let artifact = Artifact {
            artifact_type: MEDIA_TYPE,
            media_type: MEDIA_TYPE,
            bytes: attestation.bundle.as_bytes(),
            annotations: &[
                ("org.opencontainers.image.created", created.as_str()),
                ("dev.sigstore.bundle.content", "dsse-envelope"),
                (
                    "dev.sigstore.bundle.predicateType",
                    attestation.predicate_type.as_str(),
                ),
            ],
        };
        self.repository.attach(image, &artifact).await
    }

    pub(super) fn explained(
        &self,
        doing: &str,
        image: &Manifest,
        error: &RegistryError,
    ) -> Problem {
        let what = format!("{doing} `{}@{}`", self.name, image.digest);
        explained(self.session, self.name, &what, error)
    }
}

pub(super) fn explained(
    session: &Session,
    name: &ImageName,
    what: &str,
    error: &RegistryError,
) -> Problem {
    explain::explain(what, &subject(session, name), error)
}

/// Whether two bundles have the same signature: GitHub may write the JSON in another order.
fn is_same(one: &str, other: &str) -> bool {
    let signature = |bundle: &str| -> Option<String> {
        let bundle: Value = serde_json::from_str(bundle).ok()?;
        let signature = bundle.pointer("/dsseEnvelope/signatures/0/sig")?;
        Some(signature.as_str()?.to_owned())
    };
    signature(one).is_some_and(|one| signature(other) == Some(one))
}
