//! Publishes an image: checks access, builds and pushes, verifies, moves tags, reads them back.

pub(crate) mod after_cancel;
mod after_push;
pub(crate) mod attest;
mod candidate;
mod closed;
mod commit_tags;
pub(crate) mod compare;
mod early_answers;
mod early_reads;
mod existing_image;
mod first_push;
mod fixed;
mod floating;
mod move_tags;
pub(crate) mod part;
pub(crate) mod preflight;
mod promote;
mod published;
mod push;
mod read_ahead;
mod recheck;
mod release;
mod staged;
mod tag_reads;

#[cfg(test)]
mod faults;
#[cfg(test)]
mod late_writes;
#[cfg(test)]
mod races;

pub(crate) use published::{Change, Published, Skipped};

use std::collections::BTreeSet;
use std::future::pending;
use std::pin::{Pin, pin};

use futures_util::future::{Either, LocalBoxFuture, MaybeDone, maybe_done, select, try_join};
use futures_util::{FutureExt as _, TryFutureExt as _};
use tokio::time::Instant;

use crate::buildx::builder::Builder;
use crate::buildx::progress::Record;
use crate::buildx::{self, Built, Engine, version};
use crate::deadline::{Deadline, Pace};
use crate::error::{Explanation, Problem};
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::inputs::Mode;
use crate::inputs::staged::Staged;
use crate::plan::Plan;
use crate::publish::after_push::verify_and_move_tags;
use crate::publish::attest::Attester;
use crate::publish::commit_tags::CommitTagCheck;
use crate::publish::early_answers::EarlyAnswers;
use crate::publish::existing_image::ExistingImage;
use crate::publish::part::PartDone;
use crate::publish::preflight::{Preflight, Registries, connect, names_in};
use crate::publish::push::BuildContext;
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
    let mut engine = maybe_done(engine_and_builder(session).boxed_local());
    let early = EarlyAnswers::default();
    let preflight = preflight::before_build(session, &registries);
    let preflight = early.ask_beside(preflight, session, &registries);
    let Preflight { not_pushed, down } = beside(&mut engine, preflight).await?;
    done.not_pushed = not_pushed;
    registries.retain(|host, _| !down.contains_key(host));
    // A token that may not push, such as Dependabot's, may not sign either.
    let attester = match &done.not_pushed {
        None => Attester::new(session)?,
        Some(_) => None,
    };
    let attester = attester.as_ref();
    let outcome = publish_to(&registries, session, &early, engine, attester, done).await;
    if done.published.is_empty() {
        return outcome;
    }
    let down = down.into_values().map(anyhow::Error::from);
    combine(outcome.err().into_iter().chain(down).collect())?;
    staged::keep(session, done)
}

/// What builds, looked for while the registries are asked. A run that builds nothing does not wait for it.
type EngineSearch<'a> = MaybeDone<LocalBoxFuture<'a, anyhow::Result<(Engine, Builder)>>>;

/// What builds; a builder that exists is inspected, and nothing is created yet.
async fn engine_and_builder(session: &Session) -> anyhow::Result<(Engine, Builder)> {
    let Session { vars, plan, .. } = session;
    if plan.is_promotion() || session.mode == Mode::Merge {
        return pending().await;
    }
    let search = async {
        let engine = Engine::find(vars, plan).await?;
        let builder = engine.builder(plan, vars, &session.credentials, &session.trust);
        let builder = builder.await?;
        anyhow::Ok((engine, builder))
    };
    let version = version::require_recent(vars, &plan.build).map_err(anyhow::Error::from);
    // A buildx that is too old explains any other failure.
    let (version, found) = try_join(version, search.map(Ok)).await?;
    let (mut engine, builder) = found?;
    engine.version = version;
    Ok((engine, builder))
}

/// What `awaited` gives, with `other` under way.
async fn beside<T>(other: &mut EngineSearch<'_>, awaited: impl Future<Output = T>) -> T {
    match select(pin!(awaited), other).await {
        Either::Left((given, _)) => given,
        Either::Right(((), awaited)) => awaited.await,
    }
}

/// Publishes an image that exists; else builds one, pushes it if the plan says so, verifies it and moves its tags.
async fn publish_to(
    registries: &Registries,
    session: &Session,
    early: &EarlyAnswers,
    mut engine: EngineSearch<'_>,
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
    if pushes {
        let found = existing(session, registries, early, attester, done);
        if let Some(found) = beside(&mut engine, found).await? {
            return promote::promote(session, registries, &found, done).await;
        }
    }
    if plan.candidate.is_some() {
        buildx::require_sources(&session.vars, &plan.build)?;
    }
    (&mut engine).await;
    let engine = Pin::new(&mut engine).take_output();
    let (engine, builder) = engine.expect("it was awaited")?;
    // Recorded before it is created: a run that is stopped meanwhile removes it too.
    let builder = done.builder.insert(builder);
    let build_context = BuildContext::boot(&engine, builder, session).await?;
    if !pushes {
        let request = plan.build_only();
        let record = &mut done.record;
        done.built = build_context.build(&request, None, None, record).await?;
        return Ok(());
    }
    if let Some(part) = &plan.part {
        let pushed = part::push(session, &build_context, registries, &mut done.record).await?;
        return part::publish(session, registries, part, attester, pushed, done).await;
    }
    if plan.build.layout.is_some() {
        let built = build_context.build_to_push(&plan.build, &mut done.record);
        let (built, found) = built.await?;
        done.built = Some(built);
        return promote::promote(session, registries, &found, done).await;
    }
    let tag = (!build_context.builder.can_push_by_digest()).then_some(&plan.primary);
    let before = fixed::before_push(session, registries, early, tag).await;
    let pushed =
        push::build_and_push(session, &build_context, registries, &mut done.record).await?;
    let image = PushedImage {
        digest: pushed.built.digest.clone(),
        since: pushed.reads.since,
        tag,
        commit: session.context.base_commit(),
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
    let moved = verify_and_move_tags(session, registries, &image, deadline, published);
    let mut failures = pushed.reads.end_beside(moved).await;
    failures.extend(pushed.failures);
    combine(failures)
}

/// The image to publish in place of a build, if there is one. Else fails if a commit tag shows another image.
async fn existing(
    session: &Session,
    registries: &Registries,
    early: &EarlyAnswers,
    attester: Option<&Attester<'_>>,
    done: &mut Done,
) -> anyhow::Result<Option<ExistingImage>> {
    if !session.plan.is_promotion()
        && let Some(found) = release::find(session, registries, early, attester).await?
    {
        done.reused = true;
        return Ok(Some(found));
    }
    if let Some(found) = candidate::find(session, registries, attester).await? {
        release::require(session, registries, &found).await?;
        return Ok(Some(found));
    }
    let deadline = Deadline::after(session.inputs.push_timeout, Pace::REAL);
    let commit = session.context.base_commit();
    let check = CommitTagCheck::new(session, &commit, None);
    check.require_all(registries, deadline, early).await?;
    Ok(None)
}

/// What is in the registries: the digest, and the tag the engine wrote if it cannot do without one.
struct PushedImage<'a> {
    digest: Digest,
    /// When it was pushed, if it may have been read since then.
    since: Option<Instant>,
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
        "apply each fix, then run the job again",
    )
    .because(texts.join("\n  "))
    .into())
}
