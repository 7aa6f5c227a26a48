//! The build provenance of an image that an earlier run pushed.

use anyhow::bail;

use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::publish::attest::stores::AttestationStores;
use crate::publish::attest::{Attestation, Attester, Signing};
use crate::registry::Repository;
use crate::sigstore::policy::Policy;
use crate::sigstore::statement::PROVENANCE;
use crate::sigstore::verify::Expected;

impl Attester<'_> {
    /// The provenance of an image of `commit`. Fails if one of the stores that `attest` names has no valid one, or if it cannot be
    /// asked.
    pub(in crate::publish) async fn provenance(
        &self,
        name: &ImageName,
        repository: Repository<'_>,
        image: &Manifest,
        commit: &str,
    ) -> anyhow::Result<Attestation> {
        let signing = self.signing(repository.deadline).await?;
        let stores = AttestationStores {
            session: self.session,
            stores: self.stores,
            name,
            repository,
        };
        let is_valid = |bundle: &str| signing.is_provenance(bundle, &image.digest, commit);
        let found = stores.find(image, PROVENANCE, is_valid).await?;
        let missing = found.missing_in(self.stores);
        let (None, Some(bundle)) = (missing, found.bundle()) else {
            let store = missing.unwrap_or("anywhere");
            bail!("no valid build provenance of this commit {store}");
        };
        Ok(Attestation {
            digest: image.digest.clone(),
            predicate_type: PROVENANCE.to_owned(),
            bundle: bundle.to_owned(),
            signer: signing.host,
            id: None,
            artifact: found.artifact(),
            tag: None,
        })
    }
}

impl Signing {
    /// Whether a workflow of this repository, or the workflow of this job, built the image from the commit.
    fn is_provenance(&self, bundle: &str, digest: &Digest, commit: &str) -> bool {
        let own = Policy {
            git_ref: None,
            identity: None,
            ..self.policy.clone()
        };
        let workflow = self.claims.job_workflow_ref.split('@').next();
        let same = Policy {
            workflow: workflow.map(str::to_owned),
            ..own.clone()
        };
        [own, same].iter().any(|policy| {
            let expected = Expected {
                digest,
                predicate_type: PROVENANCE,
                policy,
            };
            let verified = self.root.verify(bundle, &expected).ok();
            let built = verified.and_then(|verified| verified.commit);
            // A pull request is built from its merge commit.
            built.is_some_and(|built| built == commit || built == self.claims.sha)
        })
    }
}
