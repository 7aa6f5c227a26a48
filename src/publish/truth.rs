//! What the registries hold after a run was stopped half-way, read in the little time that is left.

use std::time::Duration;

use futures_util::future::join_all;

use crate::deadline::{Pace, Patience};
use crate::publish::{Done, Held, connect};
use crate::registry::Registry;
use crate::session::Session;

/// A runner asks a step to end, asks more firmly 7.5 seconds later, and kills it 2.5 seconds after that. Report and
/// removal of the builder come after this question.
const LIMIT: Duration = Duration::from_secs(3);

/// Reads back which tags show the image; writes nothing.
pub(crate) async fn look_again(session: &Session, done: &mut Done) {
    let Some(built) = &done.built else { return };
    let digest = &built.digest;
    let looks = async {
        let Ok(registries) = connect(session, Pace::REAL).await else {
            return;
        };
        let looks = done.held.iter_mut().map(|held| {
            let registry = &registries[held.name.registry()];
            look(session, registry, digest, held)
        });
        join_all(looks).await;
    };
    let looked = tokio::time::timeout(LIMIT, looks).await;
    if looked.is_err() {
        session
            .console
            .say("the registry does not say in time what the tags show");
    }
}

async fn look(
    session: &Session,
    registry: &Registry,
    digest: &crate::image::digest::Digest,
    held: &mut Held,
) {
    let tags: Vec<_> = session
        .plan
        .tags
        .iter()
        .map(|planned| planned.tag.clone())
        .collect();
    let path = held.name.repository().to_owned();
    let repository = registry.repository(&path, Patience::lasting(LIMIT, Pace::REAL));
    if held.proof.is_none() {
        held.proof = repository.prove(digest, &session.plan.primary).await.ok();
    }
    if let Ok(tags) = repository.read_back(digest, &tags, Duration::ZERO).await {
        held.tags = tags;
    }
}
