//! `Statement`: what is signed about an image (pure).
//!
//! Statement: <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>; provenance:
//! <https://actions.github.io/buildtypes/workflow/v1>, field for field as `actions/attest` writes it.

use serde_json::{Value, json};

use crate::image::digest::Digest;
use crate::sigstore::oidc::Claims;

/// The predicate type of a build provenance.
pub(crate) const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
const BUILD_TYPE: &str = "https://actions.github.io/buildtypes/workflow/v1";

/// An in-toto statement v1 about one image name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    subjects: Value,
    predicate_type: String,
    predicate: Value,
}

impl Statement {
    /// A predicate about `digests`, each named once, of the image name `name`, which has no tag.
    pub(crate) fn new(
        name: &str,
        digests: &[Digest],
        predicate_type: &str,
        predicate: Value,
    ) -> Self {
        let mut named: Vec<&Digest> = Vec::new();
        for digest in digests {
            if !named.contains(&digest) {
                named.push(digest);
            }
        }
        let name = name.to_lowercase();
        let subjects = named
            .into_iter()
            .map(|digest| json!({ "name": name, "digest": { "sha256": digest.hex() } }));
        Self {
            subjects: subjects.collect(),
            predicate_type: predicate_type.to_owned(),
            predicate,
        }
    }

    /// The build provenance of a job. `server` is `GITHUB_SERVER_URL`.
    pub(crate) fn provenance(
        name: &str,
        digests: &[Digest],
        claims: &Claims,
        server: &str,
    ) -> Self {
        Self::new(name, digests, PROVENANCE, provenance(claims, server))
    }

    pub(crate) fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// The compact JSON that is signed.
    pub(crate) fn to_json(&self) -> String {
        json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": self.subjects,
            "predicateType": self.predicate_type,
            "predicate": self.predicate,
        })
        .to_string()
    }
}

fn provenance(claims: &Claims, server: &str) -> Value {
    let Claims {
        git_ref,
        repository,
        ..
    } = claims;
    let url = format!("{}/{repository}", server.trim_end_matches('/'));
    let builder = format!(
        "{}/{}",
        server.trim_end_matches('/'),
        claims.job_workflow_ref
    );
    let run = format!(
        "{url}/actions/runs/{}/attempts/{}",
        claims.run_id, claims.run_attempt
    );
    json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "workflow": { "ref": git_ref, "repository": url, "path": workflow_path(claims) },
            },
            "internalParameters": {
                "github": {
                    "event_name": claims.event_name,
                    "repository_id": claims.repository_id,
                    "repository_owner_id": claims.repository_owner_id,
                    "runner_environment": claims.runner_environment,
                },
            },
            "resolvedDependencies": [{
                "uri": format!("git+{url}@{git_ref}"),
                "digest": { "gitCommit": claims.sha },
            }],
        },
        "runDetails": {
            "builder": { "id": builder },
            "metadata": { "invocationId": run },
        },
    })
}

/// The path of the workflow: `workflow_ref` without repository and ref.
fn workflow_path(claims: &Claims) -> &str {
    let path = claims.workflow_ref.strip_prefix(&claims.repository);
    let path = path.and_then(|path| path.strip_prefix('/'));
    let path = path.unwrap_or(&claims.workflow_ref);
    path.split('@').next().unwrap_or_default()
}
