//! Finds a valid provenance of an image: in its registry, else on GitHub.

use std::fmt;

use crate::context::RepositoryName;
use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::inputs::verify::{ImageReference, repository_name};
use crate::registry::Repository;
use crate::registry::copy_source::CopySource;
use crate::report::result::verification::SignerResult;
use crate::sigstore::bundle::MEDIA_TYPE;
use crate::sigstore::instance::issuer_of;
use crate::sigstore::policy::Policy;
use crate::sigstore::refusal::Refusal;
use crate::sigstore::statement::PROVENANCE;
use crate::sigstore::verify::{Expected, Root, Verified};
use crate::verify::Verifier;

/// A valid provenance.
#[derive(Debug)]
pub(super) struct Provenance {
    pub(super) verified: Verified,
    pub(super) store: Store,
}

/// Where a provenance was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    Registry,
    GitHub,
}

const NAME_IT: &str = "name the repository that must have signed it: the input `repository`, or `--repository OWNER/REPO`";
/// How many reasons an error lists: anybody may attach an attestation to a public image they can push to.
const MAX_REASONS: usize = 3;

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registry => "in the registry",
            Self::GitHub => "on GitHub",
        })
    }
}

impl Provenance {
    /// For a program.
    pub(super) fn to_result(&self) -> SignerResult {
        let verified = self.verified.clone();
        SignerResult {
            identity: verified.identity,
            repository: verified.repository,
            git_ref: verified.git_ref,
            commit: verified.commit,
            signed_at: verified.signed_at,
            source: match self.store {
                Store::Registry => "registry",
                Store::GitHub => "github",
            },
        }
    }
}

/// What was read, and why it is not enough.
struct Search<'a> {
    digest: &'a Digest,
    policy: Policy,
    /// The stores that could not be read.
    unread: Vec<Problem>,
    refusals: Vec<Refusal>,
}

impl Verifier {
    /// A provenance whose signer is the expected one. GitHub is asked only if the registry has none.
    pub(super) async fn provenance(
        &self,
        reference: &ImageReference,
        repository: Repository<'_>,
        image: &Manifest,
    ) -> anyhow::Result<Provenance> {
        let source = self.source(reference, repository, image).await?;
        let mut search = Search {
            digest: &image.digest,
            policy: self.policy(&source),
            unread: Vec::new(),
            refusals: Vec::new(),
        };
        let root = self.trusted_root.as_ref();
        let attached = search.in_registry(reference, repository).await;
        if let Some(verified) = search.first_valid(root, &attached) {
            let store = Store::Registry;
            return Ok(Provenance { verified, store });
        }
        let (github, deadline) = (&self.github, repository.deadline);
        let listed = github.attestations(&source, search.digest, Some(PROVENANCE), deadline);
        let listed = search.read(listed.await);
        match search.first_valid(root, &listed) {
            Some(verified) => {
                let store = Store::GitHub;
                Ok(Provenance { verified, store })
            }
            None => Err(search.into_problem(reference, image).into()),
        }
    }

    /// Who must have signed.
    fn policy(&self, source: &RepositoryName) -> Policy {
        let (verify, issuer) = (&self.inputs.verify, self.inputs.attest.issuer.clone());
        Policy {
            issuer: issuer.unwrap_or_else(|| issuer_of(&self.server)),
            server: self.server_url.clone(),
            repository: Some(source.to_string()),
            workflow: verify.workflow.clone(),
            git_ref: verify.git_ref.clone(),
            identity: None,
        }
    }

    /// The repository that must have signed: the input's, else the one that the image names.
    async fn source(
        &self,
        reference: &ImageReference,
        repository: Repository<'_>,
        image: &Manifest,
    ) -> anyhow::Result<RepositoryName> {
        if let Some(given) = &self.inputs.verify.repository {
            return Ok(given.clone());
        }
        let url = CopySource::Repository(repository).source_url(image).await;
        let url = url.map_err(|error| {
            let what = format!("cannot read the source of `{}`", reference.text);
            Problem::new(what, NAME_IT).because(error.to_string())
        })?;
        let named = url
            .as_deref()
            .and_then(|url| repository_of(url, &self.server_url));
        named.ok_or_else(|| self.unknown_source(reference, url.as_deref()).into())
    }

    fn unknown_source(&self, reference: &ImageReference, url: Option<&str>) -> Problem {
        const SOURCE: &str = "org.opencontainers.image.source";
        let because = match url {
            Some(url) => format!(
                "its `{SOURCE}` is `{url}`, which is not a repository of {}",
                self.server_url
            ),
            None => format!("it has no annotation or label `{SOURCE}`"),
        };
        Problem::new(
            format!(
                "`{}` does not say which repository it is from",
                reference.text
            ),
            NAME_IT,
        )
        .because(because)
    }
}

impl Search<'_> {
    /// What a store has; nothing if it cannot be read.
    fn read(&mut self, read: Result<Vec<String>, Problem>) -> Vec<String> {
        read.unwrap_or_else(|problem| {
            self.unread.push(problem);
            Vec::new()
        })
    }

    async fn in_registry(
        &mut self,
        reference: &ImageReference,
        repository: Repository<'_>,
    ) -> Vec<String> {
        let attached = repository.attached(self.digest, MEDIA_TYPE).await;
        let attached = attached.map_err(|error| {
            let what = format!("cannot read the attestations of `{}`", reference.text);
            let fix = "check the registry's status and the credentials, then verify again";
            Problem::new(what, fix).because(error.to_string())
        });
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let bundles = attached.map(|list| list.into_iter().map(|(_, bytes)| text(bytes)));
        self.read(bundles.map(Iterator::collect))
    }

    fn first_valid(&mut self, root: Option<&Root>, bundles: &[String]) -> Option<Verified> {
        bundles
            .iter()
            .find_map(|bundle| match self.verified(root, bundle) {
                Ok(verified) => Some(verified),
                Err(refusal) => {
                    let is_new = !self.refusals.contains(&refusal);
                    self.refusals.extend(is_new.then_some(refusal));
                    None
                }
            })
    }

    fn verified(&self, root: Option<&Root>, bundle: &str) -> Result<Verified, Refusal> {
        let expected = Expected {
            digest: self.digest,
            predicate_type: PROVENANCE,
            policy: &self.policy,
        };
        match root {
            Some(root) => root.verify(bundle, &expected),
            None => Root::embedded_for(bundle)?.verify(bundle, &expected),
        }
    }

    /// Why there is no valid provenance.
    fn into_problem(mut self, reference: &ImageReference, image: &Manifest) -> Problem {
        let what = format!("no valid attestation of `{}`", reference.text);
        if self.refusals.is_empty() {
            if !self.unread.is_empty() {
                return self.unread.remove(0);
            }
            return Problem::new(what, missing(reference, image))
                .because("neither the registry nor GitHub has a provenance of it");
        }
        let is_unknown = |refusal: &Refusal| matches!(refusal, Refusal::UnknownRoot(_));
        let fix = if self.refusals.iter().all(is_unknown) {
            "if another Sigstore signed it, name the file of its trusted root in `trusted-root`"
        } else {
            "do not use the image, unless you expect this signer: then name it in `repository`, `workflow`, `ref` or `oidc-issuer`"
        };
        Problem::new(what, fix).because(self.reasons())
    }

    fn reasons(&self) -> String {
        let refusals = self.refusals.iter().map(Refusal::to_string);
        let mut reasons: Vec<String> = refusals.take(MAX_REASONS).collect();
        let more = self.refusals.len().saturating_sub(MAX_REASONS);
        if more > 0 {
            reasons.push(format!("{more} more"));
        }
        reasons.extend(self.unread.iter().map(Problem::to_string));
        reasons.join("; ")
    }
}

/// What to do if nothing is stored. The registry attaches the attestation of an image for several platforms to its index, and
/// no image names the index that lists it.
fn missing(reference: &ImageReference, image: &Manifest) -> &'static str {
    if reference.tag.is_none() && image.config_digest().is_some() {
        "if it is the image of one platform, verify the tag or the digest of its index; else publish it with `attest: true`"
    } else {
        "publish it with `attest: true`"
    }
}

/// `OWNER/REPO` of a URL below `server`.
fn repository_of(url: &str, server: &str) -> Option<RepositoryName> {
    let path = url.strip_prefix(server)?.strip_prefix('/')?;
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    repository_name(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_a_repository_of_the_server() {
        let server = "https://github.com";
        let of = |url: &str| repository_of(url, server).map(|name| name.to_string());
        for url in ["", "/", ".git", ".git/"] {
            let url = format!("{server}/acme/app{url}");
            assert_eq!(of(&url).as_deref(), Some("acme/app"), "{url}");
        }
        for url in [
            "https://github.com",
            "https://github.com/acme",
            "https://github.com/acme/",
            "https://github.com/acme/app/tree/main",
            "https://github.com/acme/app?x=/../../y",
            "https://github.com.evil.example/acme/app",
            "https://gitlab.com/acme/app",
            "git@github.com:acme/app.git",
        ] {
            assert_eq!(of(url), None, "{url}");
        }
    }
}
