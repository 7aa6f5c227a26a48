//! After a cancelled run: reads which tags point to the image, within the time the runner leaves.

use std::time::Duration;

use futures_util::future::join_all;

use crate::deadline::{Deadline, Pace};
use crate::publish::{Done, Published, connect};
use crate::registry::Registry;
use crate::session::Session;

/// A runner asks a step to end, asks more firmly 7.5 seconds later, and kills it 2.5 seconds after that. Report and
/// removal of the builder come after this question.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Reads back which tags show the image; writes nothing.
pub(crate) async fn read_back(session: &Session, done: &mut Done) {
    let Some(built) = &done.built else { return };
    let digest = &built.digest;
    let looks = async {
        let Ok(registries) = connect(session, Pace::REAL).await else {
            return;
        };
        let looks = done.published.iter_mut().map(|published| {
            let registry = &registries[published.name.registry()];
            look(session, registry, digest, published)
        });
        join_all(looks).await;
    };
    let looked = tokio::time::timeout(TIMEOUT, looks).await;
    if looked.is_err() {
        session
            .console
            .say("the registry did not respond in time: the state of the tags is unknown");
    }
}

async fn look(
    session: &Session,
    registry: &Registry,
    digest: &crate::image::digest::Digest,
    published: &mut Published,
) {
    let tags: Vec<_> = session
        .plan
        .tags
        .iter()
        .map(|planned| planned.tag.clone())
        .collect();
    let path = published.name.repository().to_owned();
    let repository = registry.repository(&path, Deadline::after(TIMEOUT, Pace::REAL));
    if published.verified.is_none() {
        published.verified = repository.verify(digest, &session.plan.primary).await.ok();
    }
    if let Ok(tags) = repository.read_back(digest, &tags, Duration::ZERO).await {
        published.tags = tags;
    }
}
