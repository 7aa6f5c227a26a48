//! What is known of a run that was cancelled.

use std::future::ready;
use std::time::Duration;

use futures_util::future::join_all;

use crate::deadline::{Deadline, Pace};
use crate::image::tag::Tag;
use crate::publish::Done;
use crate::publish::preflight::connect;
use crate::session::Session;

/// A runner asks a step to end, asks more firmly 7.5 seconds later, and kills it 2.5 seconds after that. Report and
/// removal of the builder come after this read.
const READ_BACK_TIMEOUT: Duration = Duration::from_secs(3);

/// Reads back which tags show the image after a cancelled run, within the time that the runner leaves; writes nothing.
pub(crate) async fn read_back(session: &Session, done: &mut Done) {
    let Some(built) = &done.built else { return };
    let digest = &built.digest;
    let tags = session.plan.tags.iter().map(|planned| planned.tag.clone());
    let tags: &Vec<Tag> = &tags.collect();
    let read_all = async {
        let Ok(registries) = &connect(session, Pace::REAL).await else {
            return;
        };
        let reads = done.published.iter_mut().map(|published| async move {
            let name = published.name.clone();
            let deadline = Deadline::after(READ_BACK_TIMEOUT, Pace::REAL);
            let repository = registries[name.registry()].repository(name.repository(), deadline);
            if published.verified.is_none() {
                let tag = &session.plan.primary;
                published.verified = repository.verify(digest, tag, None, ready(())).await.ok();
            }
            if let Ok(tags) = repository.read_back(digest, tags, Duration::ZERO).await {
                published.tags = tags;
            }
        });
        join_all(reads).await;
    };
    if tokio::time::timeout(READ_BACK_TIMEOUT, read_all)
        .await
        .is_err()
    {
        let text = "the registry did not respond in time: the state of the tags is unknown";
        session.console.say(text);
    }
}
