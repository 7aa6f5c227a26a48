//! What follows a push: the image is verified, compared and attested, and its tags move.

use futures_util::FutureExt as _;
use futures_util::future::{OptionFuture, join, join_all};
use tokio::sync::OnceCell;

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
    let baseline = OnceCell::new();
    let read_baseline = || baseline.get_or_init(|| comparer.baseline());
    let holds = session.plan.max_growth.is_some();
    let verified = published.iter_mut().zip(&updates).enumerate();
    let verified = verified.map(|(number, (published, update))| {
        let compared = OptionFuture::from((number == 0 && !holds).then(read_baseline));
        verify(update, &image.digest, published, compared)
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
    // Read beside the verification: before the first tag moves.
    let baseline = baseline.into_inner();
    let comparison = baseline.map(|baseline| comparer.comparison(baseline).boxed_local());
    let moved = attest_and_move_tags(session, registries, image, &updates, published);
    let (comparison, moved) = join(OptionFuture::from(comparison), moved.boxed_local()).await;
    failures.extend(moved);
    if let Some(comparison) = comparison {
        failures.extend(check(session, &comparison).err().map(Into::into));
        published[0].comparison = comparison.ok();
    }
    failures
}

/// Attests the images that are verified, and moves their tags.
async fn attest_and_move_tags(
    session: &Session,
    registries: &Registries,
    image: &PushedImage<'_>,
    updates: &[TagUpdate<'_>],
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
    let moved = moved.filter(|(published, _)| published.verified.is_some());
    let moved = moved.map(|(published, update)| async move {
        if session.plan.move_tags == MoveTags::Now {
            move_tags(update, published).await?;
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
