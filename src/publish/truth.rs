//! What the registries hold after a run was stopped half-way, read in the little time that is left.

use std::time::Duration;

use futures_util::future::join_all;

use crate::Decided;
use crate::console::Console;
use crate::deadline::{Pace, Patience};
use crate::publish::{Done, Held, connect};
use crate::registry::Registry;

/// A runner asks a step to end, asks more firmly 7.5 seconds later, and kills it 2.5 seconds after that. Report and
/// removal of the builder come after this question.
const LIMIT: Duration = Duration::from_secs(3);

/// Reads back which tags show the image; writes nothing.
pub(crate) async fn look_again(decided: &Decided, done: &mut Done, console: Console) {
    let Some(built) = &done.built else { return };
    let digest = &built.digest;
    let looks = async {
        let Ok(registries) = connect(decided, Pace::REAL, console).await else {
            return;
        };
        let looks = done.held.iter_mut().map(|held| {
            let registry = &registries[held.name.registry()];
            look(decided, registry, digest, held)
        });
        join_all(looks).await;
    };
    let looked = tokio::time::timeout(LIMIT, looks).await;
    if looked.is_err() {
        console.say("the registry does not say in time what the tags show");
    }
}

async fn look(
    decided: &Decided,
    registry: &Registry,
    digest: &crate::image::digest::Digest,
    held: &mut Held,
) {
    let tags: Vec<_> = decided
        .plan
        .tags
        .iter()
        .map(|planned| planned.tag.clone())
        .collect();
    let path = held.name.repository().to_owned();
    let repository = registry.repository(&path, Patience::lasting(LIMIT, Pace::REAL));
    if held.proof.is_none() {
        held.proof = repository.prove(digest, &decided.plan.primary).await.ok();
    }
    if let Ok(tags) = repository.read_back(digest, &tags, Duration::ZERO).await {
        held.tags = tags;
    }
}
