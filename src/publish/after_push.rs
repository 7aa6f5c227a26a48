//! What follows a push: the image is verified, compared and attested, and its tags move.

use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, OptionFuture, join, join_all};
use tokio::sync::oneshot;

use crate::deadline::Deadline;
use crate::image::name::ImageName;
use crate::inputs::destination::MoveTags;
use crate::publish::compare::{Comparer, check};
use crate::publish::move_tags::{TagUpdate, move_tags, verify};
use crate::publish::preflight::Registries;
use crate::publish::{Published, PushedImage, attest, first_push};
use crate::session::Session;

/// Verifies every image, compares the first, attests those that are right, and moves their tags. An image that fails does
/// not keep the others from their tags; without its attestation no image gets a tag.
pub(super) async fn verify_and_move_tags(
    session: &Session,
    registries: &Registries,
    image: &PushedImage<'_>,
    deadline: Deadline,
    published: &mut [Published],
) -> Vec<anyhow::Error> {
    let names = published.iter().map(|published| published.name.clone());
    let names: Vec<ImageName> = names.collect();
    let updates = names.iter().map(|name| {
        let repository = registries[name.registry()].repository(name.repository(), deadline);
        TagUpdate::new(session, name, image, repository)
    });
    let updates: Vec<TagUpdate> = updates.collect();
    let Some(first) = updates.first() else {
        return Vec::new();
    };
    let comparer = Comparer::new(session, registries, first);
    let holds = session.plan.max_growth.is_some();
    let (read, baseline) = oneshot::channel();
    let read_baseline = async move {
        // Nobody waits for it if the run fails.
        let _unsent = read.send(comparer.baseline().await);
    };
    let read_baseline = (!holds).then_some(read_baseline.boxed_local());
    let (mut early, late) = match first.reads_later(&session.plan.compared) {
        true => (None, read_baseline),
        false => (read_baseline, None),
    };
    let verified = published.iter_mut().zip(&updates);
    let verified = verified.map(|(published, update)| {
        let beside = OptionFuture::from(early.take());
        verify(update, &image.digest, published, beside)
    });
    let compared = OptionFuture::from(holds.then(|| comparer.compare().boxed_local()));
    let (verified, compared) = join(join_all(verified), compared).await;
    let mut failures = failures(verified);
    if published
        .iter()
        .all(|published| published.verified.is_none())
    {
        return failures;
    }
    if let Some(comparison) = compared {
        let checked = check(session, &comparison);
        published[0].comparison = comparison.ok();
        if let Err(problem) = checked {
            failures.push(problem.into());
            return failures;
        }
    }
    let comparison = async {
        let baseline = baseline.await.ok()?;
        Some(comparer.comparison(baseline).await)
    };
    let moved = attest_and_move_tags(session, registries, image, &updates, late, published);
    let (comparison, moved) = join(comparison.boxed_local(), moved.boxed_local()).await;
    failures.extend(moved);
    if let Some(comparison) = comparison {
        failures.extend(check(session, &comparison).err().map(Into::into));
        published[0].comparison = comparison.ok();
    }
    failures
}

/// Attests the images that are verified, and moves their tags. `before_floating` is about the first of them.
async fn attest_and_move_tags(
    session: &Session,
    registries: &Registries,
    image: &PushedImage<'_>,
    updates: &[TagUpdate<'_>],
    mut before_floating: Option<LocalBoxFuture<'_, ()>>,
    published: &mut [Published],
) -> Vec<anyhow::Error> {
    let deadline = updates[0].repository.deadline;
    if let Some(attester) = image.attester
        && let Err(error) = attester.attest(registries, published, deadline).await
    {
        let text = "no tag of the plan was written, because the image is not attested";
        session.console.say(text);
        return vec![error];
    }
    let moved = published.iter_mut().zip(updates);
    let moved = moved.map(|(published, update)| (published, update, before_floating.take()));
    let moved = moved.filter(|(published, ..)| published.verified.is_some());
    let moved = moved.map(|(published, update, before_floating)| async move {
        if session.plan.move_tags == MoveTags::Now {
            move_tags(update, published, OptionFuture::from(before_floating)).await?;
        }
        let name = &published.name;
        attest::keep_listed(session, name, update.repository, published).await?;
        if published.has_changed() {
            let list = update.reads.last_list();
            first_push::say_how_to_find(session, registries, published, list).await;
        }
        anyhow::Ok(())
    });
    failures(join_all(moved).await)
}

fn failures(outcomes: Vec<anyhow::Result<()>>) -> Vec<anyhow::Error> {
    outcomes.into_iter().filter_map(Result::err).collect()
}
