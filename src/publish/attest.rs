//! Attests the image before its tags move: signs what was built, verifies the signature, stores it and reads it back.

mod existing;
mod stores;

use serde_json::Value;

use crate::deadline::Deadline;
use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::inputs::attest::Stores;
use crate::publish::Published;
use crate::publish::attest::stores::AttestationStores;
use crate::publish::preflight::Registries;
use crate::registry::Repository;
use crate::registry::verify::Verified;
use crate::session::Session;
use crate::sigstore::bundle::Bundle;
use crate::sigstore::http::Http;
use crate::sigstore::instance::{Instance, Operator};
use crate::sigstore::oidc::{Claims, TokenRequest};
use crate::sigstore::policy::Policy;
use crate::sigstore::signer::Signer;
use crate::sigstore::statement::Statement;
use crate::sigstore::verify::{Expected, Root};

/// A signed attestation that is stored.
#[derive(Clone, Debug)]
pub(crate) struct Attestation {
    /// The digest of the image, or of the image of one platform for an SBOM.
    pub(crate) digest: Digest,
    pub(crate) predicate_type: String,
    /// The bundle, one line of JSON.
    pub(crate) bundle: String,
    /// The host that issued the certificate, for example `fulcio.sigstore.dev`.
    pub(crate) signer: String,
    /// The number of the attestation on GitHub, if this run stored it there.
    pub(crate) id: Option<u64>,
    /// The artifact in the registry, if it is stored there.
    pub(crate) artifact: Option<Digest>,
    /// The tag whose index lists the artifact, if this run wrote it.
    pub(crate) tag: Option<Tag>,
}

/// What signing needs, found out before the build.
pub(super) struct Attester<'a> {
    session: &'a Session,
    stores: Stores,
    request: TokenRequest,
    http: Http,
    /// The root in the input `trusted-root`.
    trusted_root: Option<Root>,
}

/// What signs, and what a valid signature must show.
struct Signing {
    signer: Signer,
    claims: Claims,
    operator: Operator,
    /// The host that issues certificates.
    host: String,
    root: Root,
    policy: Policy,
}

/// A statement about a manifest that the registry holds.
struct Claim {
    manifest: Manifest,
    statement: Statement,
}

impl<'a> Attester<'a> {
    /// None if nothing is attested. Fails if the job cannot get a token, or if the trusted root is invalid.
    pub(super) fn new(session: &'a Session) -> anyhow::Result<Option<Self>> {
        let Some(stores) = session.plan.attest else {
            return Ok(None);
        };
        Ok(Some(Self {
            session,
            stores,
            trusted_root: Root::of_input(&session.inputs.attest, &session.vars)?,
            request: TokenRequest::from_vars(&session.vars)?,
            http: Http::new(&session.trust, session.console)?,
        }))
    }

    /// Attests every image that is verified. The first failure ends it.
    pub(super) async fn attest(
        &self,
        registries: &Registries,
        published: &mut [Published],
        deadline: Deadline,
    ) -> anyhow::Result<()> {
        let mut signing = self.signing(deadline).await?;
        for published in published {
            let name = published.name.clone();
            let Some(verified) = published.verified.clone() else {
                continue;
            };
            let registry = &registries[name.registry()];
            let stores = AttestationStores {
                session: self.session,
                stores: self.stores,
                name: &name,
                repository: registry.repository(name.repository(), deadline),
            };
            for claim in self.claims(&stores, &verified, &signing.claims).await? {
                let attestation = self.attest_one(&mut signing, &stores, &claim).await?;
                published.others.extend(attestation.tag.clone());
                published.attestations.push(attestation);
            }
        }
        Ok(())
    }

    async fn signing(&self, deadline: Deadline) -> anyhow::Result<Signing> {
        let Session {
            inputs, context, ..
        } = self.session;
        let token = self.request.send(&self.http, deadline).await?;
        let claims = token.claims.clone();
        let facts = context.event.repository.as_ref();
        let is_public = facts.is_some_and(|facts| facts.is_public);
        let (choice, issuer) = (&inputs.attest.sigstore, inputs.attest.issuer.as_deref());
        let instance = Instance::new(choice, issuer, &context.server, &claims, is_public);
        let root = match (&self.trusted_root, instance.operator) {
            (Some(root), _) => root.clone(),
            (None, Operator::PublicGood) => Root::public_good(),
            (None, Operator::GitHub | Operator::Own) => Root::github(),
        };
        let root = match instance.log {
            Some(_) => root,
            None => root.without_log(),
        };
        let host = instance.fulcio.url().host_str().unwrap_or_default();
        Ok(Signing {
            operator: instance.operator,
            host: host.to_owned(),
            policy: Policy::of_run(&claims, &context.server_url, &instance.issuer),
            signer: Signer::new(self.http.clone(), self.request.clone(), token, instance),
            claims,
            root,
        })
    }

    /// The build provenance of the image, and the SBOM of each platform if the build made some.
    async fn claims(
        &self,
        stores: &AttestationStores<'_>,
        verified: &Verified,
        claims: &Claims,
    ) -> anyhow::Result<Vec<Claim>> {
        let (name, server) = (stores.name.to_string(), &self.session.context.server_url);
        let index = &verified.manifest;
        let platforms = verified.platforms.iter().map(|image| image.digest.clone());
        let digests: Vec<Digest> = std::iter::once(index.digest.clone())
            .chain(platforms)
            .collect();
        let provenance = Claim {
            manifest: index.clone(),
            statement: Statement::provenance(&name, &digests, claims, server),
        };
        let sboms = stores.repository.sboms(index).await;
        let sboms =
            sboms.map_err(|error| stores.explained("cannot read the SBOM of", index, &error))?;
        let sboms = sboms.into_iter().map(|sbom| {
            let digest = std::slice::from_ref(&sbom.image.digest);
            let kind = &sbom.predicate_type;
            Claim {
                statement: Statement::new(&name, digest, kind, sbom.document),
                manifest: sbom.image,
            }
        });
        Ok(std::iter::once(provenance).chain(sboms).collect())
    }

    /// Signs a statement unless an earlier attempt of this run did, and stores it where it is missing.
    async fn attest_one(
        &self,
        signing: &mut Signing,
        stores: &AttestationStores<'_>,
        claim: &Claim,
    ) -> anyhow::Result<Attestation> {
        let predicate_type = claim.statement.predicate_type();
        let is_own = |bundle: &str| signing.made(bundle, claim);
        let found = stores.find(&claim.manifest, predicate_type, is_own).await?;
        let existing = found.bundle().map(str::to_owned);
        let (bundle, how) = match existing {
            Some(bundle) => (bundle, "earlier in this run".to_owned()),
            None => {
                let bundle = self
                    .signed(signing, claim, stores.repository.deadline)
                    .await?;
                let entry = bundle.log_index();
                let entry = entry.map(|index| format!(", log index {index}"));
                let how = format!("by {}{}", signing.host, entry.unwrap_or_default());
                (bundle.to_json(), how)
            }
        };
        let attestation = Attestation {
            digest: claim.manifest.digest.clone(),
            predicate_type: predicate_type.to_owned(),
            bundle,
            signer: signing.host.clone(),
            id: None,
            artifact: None,
            tag: None,
        };
        let attestation = stores.store(&claim.manifest, attestation, found).await?;
        let (name, digest) = (stores.name, &attestation.digest);
        let text = format!("Attested {name}@{digest}: {predicate_type}, signed {how}");
        self.session.console.say(&text);
        Ok(attestation)
    }

    /// A new bundle, which is valid.
    async fn signed(
        &self,
        signing: &mut Signing,
        claim: &Claim,
        deadline: Deadline,
    ) -> anyhow::Result<Bundle> {
        let bundle = signing.signer.sign(&claim.statement, deadline).await?;
        // GitHub can change its authorities between two releases of this program.
        let may_be_newer = signing.operator == Operator::GitHub && self.trusted_root.is_none();
        let expected = signing.expected(claim);
        let verified = signing.root.verify_new(&bundle, &expected, may_be_newer);
        let unverified = verified.map_err(|refusal| {
            let what = format!("the attestation that {} signed is not valid", signing.host);
            let fix = "run the job again; if `oidc-issuer` or `trusted-root` is set, check that it belongs to this Sigstore";
            Problem::new(what, fix).because(refusal.to_string())
        })?;
        if let Some(unverified) = unverified {
            let text = format!(
                "not verified of the attestation: {unverified}; its signature, signer and digest are right"
            );
            self.session.console.warning(None, &text);
        }
        Ok(bundle)
    }
}

impl Signing {
    fn expected<'a>(&'a self, claim: &'a Claim) -> Expected<'a> {
        Expected {
            digest: &claim.manifest.digest,
            predicate_type: claim.statement.predicate_type(),
            policy: &self.policy,
        }
    }

    /// Whether this run made the bundle: it is valid, and says what this attempt would say.
    fn made(&self, bundle: &str, claim: &Claim) -> bool {
        let verified = self.root.verify(bundle, &self.expected(claim));
        let ours = serde_json::from_str(&claim.statement.to_json()).unwrap_or_default();
        verified.is_ok_and(|verified| of_run(verified.statement) == of_run(ours))
    }
}

/// The statement without the attempt of the run.
fn of_run(mut statement: Value) -> Value {
    const INVOCATION: &str = "/predicate/runDetails/metadata/invocationId";
    if let Some(Value::String(invocation)) = statement.pointer_mut(INVOCATION)
        && let Some(attempt) = invocation.find("/attempts/")
    {
        invocation.truncate(attempt);
    }
    statement
}

/// Adds the attestations to the registry's list again if another writer removed them.
pub(super) async fn keep_listed(
    session: &Session,
    name: &ImageName,
    repository: Repository<'_>,
    published: &Published,
) -> anyhow::Result<()> {
    for attestation in &published.attestations {
        let listed = attestation
            .artifact
            .as_ref()
            .filter(|_| attestation.tag.is_some());
        let listed: Vec<Digest> = listed.into_iter().cloned().collect();
        let kept = repository.keep_listed(&attestation.digest, &listed).await;
        kept.map_err(|error| {
            let what = format!(
                "cannot keep the attestation of `{name}@{}` listed",
                attestation.digest
            );
            stores::explained(session, name, &what, &error)
        })?;
    }
    Ok(())
}
