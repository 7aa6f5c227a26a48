//! Publishes an image: checks access, builds and pushes, verifies, moves tags, reads them back.

pub(crate) mod after_cancel;
mod candidate;
mod commit_tags;
mod floating;
mod freshness;
mod move_tags;
pub(crate) mod preflight;
mod promote;
mod push;
mod recheck;
mod tag_update;
mod visibility;

#[cfg(test)]
mod faults;
#[cfg(test)]
mod late_writes;
#[cfg(test)]
mod races;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use futures_util::future::join_all;

use crate::buildx;
use crate::buildx::builder::Builder;
use crate::buildx::progress::Record;
use crate::buildx::version;
use crate::buildx::{BuildOptions, Built, Engine};
use crate::context::event::OwnerKind;
use crate::deadline::{Deadline, Pace};
use crate::docker::images;
use crate::docker::images::LocalImage;
use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::inputs::candidate::Candidate;
use crate::plan::build::BuildRequest;
use crate::publish::candidate::{ExistingImage, ImageSource};
use crate::publish::commit_tags::CommitTagCheck;
use crate::publish::move_tags::move_tags;
use crate::publish::tag_update::TagUpdate;
use crate::registry::Registry;
use crate::registry::diagnosis::Subject;
use crate::registry::provider::Provider;
use crate::registry::verify::Verified;
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
    /// The image that is published in place of a build.
    pub(crate) published_from: Option<String>,
    /// What each registry holds, read back from it.
    pub(crate) published: Vec<Published>,
}

/// What a registry holds of the image.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) name: ImageName,
    pub(crate) verified: Option<Verified>,
    /// The tags that point to the image.
    pub(crate) tags: Vec<Tag>,
    /// The floating tags that were left where they were.
    pub(crate) skipped: Vec<Skipped>,
    /// Tags that were written and that no rule gives: the one of the first push, those of referrers.
    pub(crate) others: Vec<Tag>,
}

/// A floating tag that does not show the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skipped {
    pub(crate) tag: Tag,
    /// Completes the sentence "it stays, since ...".
    pub(crate) reason: String,
    /// What it shows, if it exists.
    pub(crate) holds: Option<Digest>,
    /// What to do about it, when the tag stays only because a question was not answered: the step fails.
    pub(crate) fix: Option<String>,
}

impl Skipped {
    fn since(tag: &Tag, reason: String, shown: Option<&Manifest>) -> Self {
        Self {
            tag: tag.clone(),
            reason,
            holds: shown.map(|shown| shown.digest.clone()),
            fix: None,
        }
    }
}

/// Builds, and pushes if the plan says so; or publishes an image that exists. What was achieved stands in `done`, also when this fails.
pub(crate) async fn publish(session: &Session, done: &mut Done) -> anyhow::Result<()> {
    let plan = &session.plan;
    if plan.candidate.is_none() {
        buildx::require_sources(&session.vars, &plan.build)?;
    }
    let mut registries = if plan.push.is_push() {
        connect(session, Pace::REAL).await?
    } else {
        Registries::new()
    };
    let may_build = !plan.is_promotion();
    let (preflight, recent) = tokio::join!(
        preflight::before_build(session, &registries),
        version::require_recent(&session.vars, may_build.then_some(&plan.build))
    );
    let preflight::Preflight { not_pushed, down } = preflight?;
    recent?;
    done.not_pushed = not_pushed;
    registries.retain(|host, _| !down.contains_key(host));
    let outcome = publish_to(&registries, session, done).await;
    if done.published.is_empty() {
        return outcome;
    }
    let down = down.into_values().map(anyhow::Error::from);
    combine(outcome.err().into_iter().chain(down).collect())
}

/// The same for the registries that are up.
async fn publish_to(
    registries: &Registries,
    session: &Session,
    done: &mut Done,
) -> anyhow::Result<()> {
    let Session {
        plan, credentials, ..
    } = session;
    let pushes = plan.push.is_push() && done.not_pushed.is_none();
    if plan.is_promotion() && !pushes {
        promote::say_it_would_be(session);
        return Ok(());
    }
    if pushes && let Some(found) = candidate::find(session, registries).await? {
        return promote::promote(session, registries, &found, done).await;
    }
    if plan.candidate.is_some() {
        buildx::require_sources(&session.vars, &plan.build)?;
    }
    if pushes {
        let check = CommitTagCheck {
            session,
            commit: &session.context.base_commit(),
            digest: None,
        };
        let deadline = Deadline::after(session.inputs.push_timeout, Pace::REAL);
        check.require_all(registries, deadline).await?;
    }
    let engine = Engine::find(&session.vars, plan).await?;
    let builder = engine
        .builder(plan, &session.vars, credentials, &session.trust)
        .await?;
    if session.trust.pem().is_some() && !builder.can_trust_ca_cert() {
        session.console.notice("the builder existed before this run and cannot be given `ca-cert`: configure the CA in the builder itself");
    }
    // It stands in `done` before it is made: a run that is stopped meanwhile removes it too.
    let builder = done.builder.insert(builder);
    builder.boot(&plan.build.platforms, session.console).await?;
    let build_context = BuildContext {
        engine: &engine,
        builder,
        session,
    };
    if !pushes {
        let request = plan.build_only();
        done.built = build_context.build(&request, &mut done.record).await?;
        return Ok(());
    }
    if plan.build.layout.is_some() {
        let (built, found) = build_context.build_to_push(&mut done.record).await?;
        done.built = Some(built);
        return promote::promote(session, registries, &found, done).await;
    }
    let pushed = push::build_and_push(&build_context, registries, &mut done.record).await?;
    let image = PushedImage {
        digest: pushed.built.digest.clone(),
        tag: (!builder.can_push_by_digest()).then_some(&plan.primary),
        commit: session.context.base_commit(),
    };
    done.built = Some(pushed.built);
    let carrier = image.tag.and(plan.carrier());
    let published = pushed.names.into_iter().map(|name| Published {
        others: carrier.cloned().into_iter().collect(),
        ..Published::new(name)
    });
    done.published = published.collect();
    let moved = move_all_tags(
        session,
        registries,
        &image,
        pushed.deadline,
        &mut done.published,
    );
    combine(moved.await.chain(pushed.failures).collect())
}

/// Where the image is built, and with what.
struct BuildContext<'a> {
    engine: &'a Engine,
    builder: &'a Builder,
    session: &'a Session,
}

impl BuildContext<'_> {
    /// See [`Engine::build`].
    async fn build(
        &self,
        request: &BuildRequest,
        record: &mut Record,
    ) -> anyhow::Result<Option<Built>> {
        self.build_into(None, request, record).await
    }

    /// Builds the image into a folder, for us to push.
    async fn build_to_push(&self, record: &mut Record) -> anyhow::Result<(Built, ExistingImage)> {
        let folder = images::directory_for_build(&self.session.vars)?;
        let request = &self.session.plan.build;
        let built = self
            .build_into(Some(folder.path()), request, record)
            .await?;
        let (image, root) = LocalImage::built(folder)?;
        let found = ExistingImage {
            source: ImageSource::Build(image),
            root,
            commit: self.session.context.base_commit(),
        };
        Ok((built.context("buildx built no image to push")?, found))
    }

    async fn build_into(
        &self,
        layout: Option<&Path>,
        request: &BuildRequest,
        record: &mut Record,
    ) -> anyhow::Result<Option<Built>> {
        let options = BuildOptions {
            builder: self.builder,
            vars: &self.session.vars,
            credentials: &self.session.credentials,
            trust: &self.session.trust,
            layout,
        };
        let build = self
            .engine
            .build(request, options, self.session.console, record);
        build.await
    }
}

impl Published {
    fn new(name: ImageName) -> Self {
        Self {
            name,
            verified: None,
            tags: Vec::new(),
            skipped: Vec::new(),
            others: Vec::new(),
        }
    }

    /// `name:tag` for each of `tags`.
    pub(crate) fn references(&self, tags: &[Tag]) -> impl Iterator<Item = String> {
        tags.iter().map(|tag| format!("{}:{tag}", self.name))
    }
}

/// What is in the registries: the digest, and the tag the engine wrote if it cannot do without one.
struct PushedImage<'a> {
    digest: Digest,
    tag: Option<&'a Tag>,
    /// The commit the image is of; else why that is not known.
    commit: Result<String, String>,
}

/// Settles every image at once; one that fails does not keep the others from their tags.
async fn move_all_tags<'a>(
    session: &'a Session,
    registries: &'a Registries,
    image: &'a PushedImage<'a>,
    deadline: Deadline,
    published: &'a mut [Published],
) -> impl Iterator<Item = anyhow::Error> + use<'a> {
    let updates = published.iter_mut().map(|published| async move {
        let name = published.name.clone();
        let registry = &registries[name.registry()];
        let repository = registry.repository(name.repository(), deadline);
        let update = TagUpdate::new(session, &name, image, repository);
        move_tags(&update, &image.digest, published).await?;
        visibility::remark(session, registry, published).await;
        anyhow::Ok(())
    });
    join_all(updates).await.into_iter().filter_map(Result::err)
}

/// The only failure as it is, or all of them as one.
fn combine(mut failures: Vec<anyhow::Error>) -> anyhow::Result<()> {
    if failures.len() < 2 {
        return failures.pop().map_or(Ok(()), Err);
    }
    let texts: Vec<String> = failures
        .iter()
        .map(|error| crate::error::Explanation::of(error).to_string())
        .collect();
    Err(Problem::new(
        format!("{} images failed to publish", texts.len()),
        "apply each fix, then run the job again: the build is cached",
    )
    .because(texts.join("\n  "))
    .into())
}

type Registries = BTreeMap<String, Registry>;

/// The names of the plan whose registries are up.
fn names_in<'a>(
    registries: &'a Registries,
    session: &'a Session,
) -> impl Iterator<Item = &'a ImageName> {
    let names = session.plan.images.iter();
    names.filter(|name| registries.contains_key(name.registry()))
}

/// A connection to each registry the plan names, that of a candidate among them.
async fn connect(session: &Session, pace: Pace) -> anyhow::Result<Registries> {
    let plan = &session.plan;
    let source = match &plan.candidate {
        Some(Candidate::InRegistry(reference)) => Some(&reference.name),
        _ => None,
    };
    let hosts: BTreeSet<&str> = plan
        .images
        .iter()
        .chain(source)
        .map(ImageName::registry)
        .collect();
    let connections = hosts.into_iter().map(async |host| {
        let registry = connection(session, host, pace).await?;
        Ok((host.to_owned(), registry))
    });
    join_all(connections).await.into_iter().collect()
}

async fn connection(session: &Session, host: &str, pace: Pace) -> anyhow::Result<Registry> {
    let login = session.credentials.login(host).await?;
    let kind = session.context.server.kind(host);
    Registry::new(host, kind, login, &session.trust, pace, session.console)
}

/// What an explanation of a failure has to know of an image.
fn subject(session: &Session, name: &ImageName) -> Subject {
    let context = &session.context;
    let owner = name.repository().split('/').next().unwrap_or_default();
    let facts = context.event.repository.as_ref();
    let own = context.repository.owner.eq_ignore_ascii_case(owner);
    let is_user = facts.is_some_and(|facts| facts.owner_type.as_deref() == Some("User"));
    Subject {
        name: name.clone(),
        repository: context.repository.to_string(),
        server_url: context.server_url.clone(),
        provider: Provider::of(name.registry(), context.server.kind(name.registry())),
        owner: if own && is_user {
            OwnerKind::User
        } else {
            OwnerKind::Organization
        },
    }
}
