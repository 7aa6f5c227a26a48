//! Publishes an image: checks access, builds and pushes, verifies, moves tags, reads them back.

pub(crate) mod after_cancel;
pub(crate) mod attest;
mod candidate;
mod closed;
mod commit_tags;
pub(crate) mod compare;
mod existing_image;
mod fixed;
mod floating;
mod move_tags;
pub(crate) mod part;
pub(crate) mod preflight;
mod promote;
mod published;
mod push;
mod recheck;
mod release;
mod staged;

#[cfg(test)]
mod faults;
#[cfg(test)]
mod late_writes;
#[cfg(test)]
mod races;

pub(crate) use published::{Change, Published, Skipped};

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;

use crate::buildx::builder::Builder;
use crate::buildx::progress::Record;
use crate::buildx::{self, Built, Engine, version};
use crate::context::server::RegistryKind;
use crate::deadline::{Deadline, Pace};
use crate::error::{Explanation, Problem};
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::inputs::Mode;
use crate::inputs::destination::MoveTags;
use crate::inputs::staged::Staged;
use crate::plan::Plan;
use crate::publish::attest::Attester;
use crate::publish::commit_tags::CommitTagCheck;
use crate::publish::compare::Comparer;
use crate::publish::move_tags::{TagUpdate, move_tags, verify};
use crate::publish::part::PartDone;
use crate::publish::preflight::{Preflight, Registries, connect, names_in, subject};
use crate::publish::push::BuildContext;
use crate::registry::Registry;
use crate::session::Session;

/// What was achieved, kept although a later part may fail.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// The builder, to be removed when all is over if it was made for this run.
    pub(crate) builder: Option<Builder>,
    pub(crate) built: Option<Built>,
    /// What the build did, however far it came.
    pub(crate) record: Record,
    /// Why nothing was pushed although that was the plan.
    pub(crate) not_pushed: Option<String>,
    /// The image that is published in place of a build, or those that are merged into one.
    pub(crate) published_from: Vec<String>,
    /// Whether a version existed for this commit, so that nothing was built.
    pub(crate) reused: bool,
    /// What each registry holds, read back from it.
    pub(crate) published: Vec<Published>,
    /// What became of an image that several jobs build.
    pub(crate) part: Option<PartDone>,
    /// What a later step or job needs to write the tags, if this one does not.
    pub(crate) staged: Option<Staged>,
    /// The plan that was carried out, where dates come from the parts of the image.
    pub(crate) plan: Option<Plan>,
}

/// Checks push access, then publishes to the registries that are up. `done` says what was achieved, also when this fails.
pub(crate) async fn publish(session: &Session, done: &mut Done) -> anyhow::Result<()> {
    let plan = &session.plan;
    if let Some(reason) = closed::reason(session) {
        session.console.notice(&reason);
        done.not_pushed = Some(reason);
        return Ok(());
    }
    staged::require_short(session)?;
    let is_merge = session.mode == Mode::Merge;
    if plan.candidate.is_none() && !is_merge {
        buildx::require_sources(&session.vars, &plan.build)?;
    }
    candidate::require_files(session)?;
    let mut registries = if plan.push.is_push() {
        connect(session, Pace::REAL).await?
    } else {
        Registries::new()
    };
    let may_build = !plan.is_promotion() && !is_merge;
    let (preflight, recent) = tokio::join!(
        preflight::before_build(session, &registries),
        version::require_recent(&session.vars, may_build.then_some(&plan.build))
    );
    let Preflight { not_pushed, down } = preflight?;
    let buildx_version = recent?;
    done.not_pushed = not_pushed;
    registries.retain(|host, _| !down.contains_key(host));
    // A token that may not push, such as Dependabot's, may not sign either.
    let attester = match &done.not_pushed {
        None => Attester::new(session)?,
        Some(_) => None,
    };
    let attester = attester.as_ref();
    let outcome = publish_to(&registries, session, buildx_version, attester, done).await;
    if done.published.is_empty() {
        return outcome;
    }
    let down = down.into_values().map(anyhow::Error::from);
    combine(outcome.err().into_iter().chain(down).collect())?;
    staged::keep(session, done)
}

/// Publishes an image that exists; else builds one, pushes it if the plan says so, verifies it and moves its tags.
async fn publish_to(
    registries: &Registries,
    session: &Session,
    buildx_version: Option<String>,
    attester: Option<&Attester<'_>>,
    done: &mut Done,
) -> anyhow::Result<()> {
    let plan = &session.plan;
    let pushes = plan.push.is_push() && done.not_pushed.is_none();
    if plan.is_promotion() && !pushes {
        promote::say_it_would_be(session);
        return Ok(());
    }
    if session.mode == Mode::Merge {
        return match pushes {
            true => part::merge(session, registries, attester, done).await,
            false => Ok(()),
        };
    }
    if pushes && session.inputs.destination.keep_login {
        let names = names_in(registries, session).map(ImageName::registry);
        let hosts: BTreeSet<&str> = names.collect();
        let credentials = &session.credentials;
        credentials
            .keep(hosts.into_iter(), &session.vars, session.console)
            .await?;
    }
    if pushes
        && !plan.is_promotion()
        && let Some(found) = release::find(session, registries, attester).await?
    {
        done.reused = true;
        return promote::promote(session, registries, &found, done).await;
    }
    if pushes && let Some(found) = candidate::find(session, registries, attester).await? {
        release::require(session, registries, &found).await?;
        return promote::promote(session, registries, &found, done).await;
    }
    if plan.candidate.is_some() {
        buildx::require_sources(&session.vars, &plan.build)?;
    }
    let commit = session.context.base_commit();
    if pushes {
        let deadline = Deadline::after(session.inputs.push_timeout, Pace::REAL);
        CommitTagCheck::new(session, &commit, None)
            .require_all(registries, deadline)
            .await?;
    }
    let engine = Engine::find(&session.vars, plan, buildx_version).await?;
    let builder = engine
        .builder(plan, &session.vars, &session.credentials, &session.trust)
        .await?;
    // Recorded before it is created: a run that is stopped meanwhile removes it too.
    let builder = done.builder.insert(builder);
    let build_context = BuildContext::boot(&engine, builder, session).await?;
    if !pushes {
        let request = plan.build_only();
        let record = &mut done.record;
        done.built = build_context.build(&request, None, record).await?;
        return Ok(());
    }
    if let Some(part) = &plan.part {
        let pushed = part::push(&build_context, registries, &mut done.record).await?;
        return part::publish(session, registries, part, attester, pushed, done).await;
    }
    if plan.build.layout.is_some() {
        let built = build_context.build_to_push(&plan.build, &mut done.record);
        let (built, found) = built.await?;
        done.built = Some(built);
        return promote::promote(session, registries, &found, done).await;
    }
    let tag = (!build_context.builder.can_push_by_digest()).then_some(&plan.primary);
    let before = fixed::before_push(session, registries, tag).await;
    let pushed = push::build_and_push(&build_context, registries, &mut done.record).await?;
    let image = PushedImage {
        digest: pushed.built.digest.clone(),
        tag,
        commit,
        attester,
        release: Release::default(),
    };
    done.built = Some(pushed.built);
    let carrier = image.tag.and(plan.carrier());
    let published = pushed.names.into_iter().map(|name| Published {
        others: carrier.cloned().into_iter().collect(),
        changes: before.changes(&name, &image.digest),
        ..Published::new(name)
    });
    done.published = published.collect();
    let (deadline, published) = (pushed.deadline, &mut done.published);
    let mut failures = verify_and_move_tags(session, registries, &image, deadline, published).await;
    failures.extend(pushed.failures);
    combine(failures)
}

/// What is in the registries: the digest, and the tag the engine wrote if it cannot do without one.
struct PushedImage<'a> {
    digest: Digest,
    tag: Option<&'a Tag>,
    /// The commit the image is of; else why that is not known.
    commit: Result<String, String>,
    /// What attests the image, if this run built it.
    attester: Option<&'a Attester<'a>>,
    release: Release<'a>,
}

/// An image that versions showed before the build, and where.
#[derive(Clone, Copy, Default)]
struct Release<'a> {
    manifest: Option<&'a Manifest>,
    shown: &'a [(ImageName, Tag)],
}

impl<'a> Release<'a> {
    /// The image, if a version showed it under `name`.
    fn manifest(&self, name: &ImageName) -> Option<&'a Manifest> {
        let is_shown = self.shown.iter().any(|(other, _)| other == name);
        self.manifest.filter(|_| is_shown)
    }

    fn shows(&self, name: &ImageName, tag: &Tag) -> bool {
        let mut shown = self.shown.iter();
        shown.any(|(other, version)| other == name && version == tag)
    }
}

/// Verifies every image, attests those that are right, and moves their tags. An image that fails does not keep the others
/// from their tags; without its attestation no image gets a tag.
async fn verify_and_move_tags(
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
    let Some(name) = names.first() else {
        return Vec::new();
    };
    let comparer = Comparer::new(session, registries, name, deadline);
    let verified = published.iter_mut().zip(&updates);
    let verified = verified.map(|(published, update)| verify(update, &image.digest, published));
    let (verified, baseline) = tokio::join!(join_all(verified), comparer.baseline(image));
    let mut failures = failures(verified);
    let ours = published.iter().find_map(|one| one.verified.clone());
    let comparison = comparer.comparison(baseline, ours.as_ref());
    if session.plan.max_growth.is_some() {
        let comparison = comparison.await;
        let checked = comparer.check(&comparison);
        published[0].comparison = comparison.ok();
        if let Err(problem) = checked {
            failures.push(problem.into());
            return failures;
        }
        let moved = attest_and_move_tags(session, registries, image, &updates, published);
        failures.extend(moved.await);
        return failures;
    }
    let moved = attest_and_move_tags(session, registries, image, &updates, published);
    let (comparison, moved) = tokio::join!(comparison, moved);
    failures.extend(moved);
    failures.extend(comparer.check(&comparison).err().map(Into::into));
    published[0].comparison = comparison.ok();
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
    let mut failures = Vec::new();
    if let Some(attester) = image.attester
        && let Err(error) = attester
            .attest(registries, published, updates[0].repository.deadline)
            .await
    {
        let text = "no tag of the plan was written, because the image is not attested";
        session.console.say(text);
        failures.push(error);
        return failures;
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
            say_how_to_find(session, &registries[name.registry()], published).await;
        }
        anyhow::Ok(())
    });
    failures.extend(self::failures(join_all(moved).await));
    failures
}

fn failures(outcomes: Vec<anyhow::Result<()>>) -> Vec<anyhow::Error> {
    outcomes.into_iter().filter_map(Result::err).collect()
}

/// The only failure as it is, or all of them as one.
fn combine(mut failures: Vec<anyhow::Error>) -> anyhow::Result<()> {
    if failures.len() < 2 {
        return failures.pop().map_or(Ok(()), Err);
    }
    let texts = failures
        .iter()
        .map(|error| Explanation::of(error).to_string());
    let texts: Vec<String> = texts.collect();
    Err(Problem::new(
        format!("{} images failed to publish", texts.len()),
        "apply each fix, then run the job again: the build is cached",
    )
    .because(texts.join("\n  "))
    .into())
}

/// A remark is not worth a longer wait.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(5);

/// Says once, after the first push of a package, what keeps people from finding it.
async fn say_how_to_find(session: &Session, registry: &Registry, published: &Published) {
    let context = &session.context;
    let server = &context.server;
    let host = published.name.registry();
    let shows_packages = server.has(host) && server.kind(host) == RegistryKind::Container;
    if !shows_packages || session.inputs.github_token.is_none() {
        return;
    }
    let deadline = Deadline::after(NOTICE_TIMEOUT, Pace::REAL);
    let repository = registry.repository(published.name.repository(), deadline);
    // Whether the package holds nothing but what this run pushed.
    let plan = &session.plan;
    let planned = plan.tags.iter().map(|planned| planned.tag.clone());
    let others = published.others.iter().cloned();
    let others = others.chain([plan.primary.clone()]);
    let ours: Vec<Tag> = planned.chain(others).collect();
    let is_first = repository
        .has_tags_beside(&ours)
        .await
        .is_ok_and(|others| !others);
    if !is_first {
        return;
    }
    let subject = subject(session, &published.name);
    let package = session.github.package(subject.package()).await;
    let Some(package) = package else { return };
    let settings = subject.settings();
    let name = &published.name;
    let own = context.repository.to_string();
    let linked = package.repository;
    let is_linked = linked.is_some_and(|linked| linked.full_name.eq_ignore_ascii_case(&own));
    let repository = context.event.repository.as_ref();
    let is_public = repository.is_some_and(|facts| facts.is_public);
    if !is_linked {
        session.console.notice(&format!("`{name}` is not linked to `{own}`, whose page does not show it: open {settings} → Connect repository"));
    }
    if package.visibility == "private" && is_public {
        session.console.notice(&format!("`{name}` is private while `{own}` is public, so nobody can pull it without a login: open {settings} → Change visibility"));
    }
}
