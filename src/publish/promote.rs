//! An image that exists goes to every name, and is moved there as one that was built.

use futures_util::future::join_all;

use crate::buildx::Built;
use crate::context::server::RegistryKind;
use crate::deadline::{Deadline, Pace};
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::publish::attest::Attestation;
use crate::publish::commit_tags::CommitTagCheck;
use crate::publish::early_answers::EarlyAnswers;
use crate::publish::existing_image::{ExistingImage, Part};
use crate::publish::fixed::before_push;
use crate::publish::preflight::{Registries, names_in, subject};
use crate::publish::{Done, Published, PushedImage, Release, combine, verify_and_move_tags};
use crate::registry::convert::ConvertError;
use crate::registry::copy::copy_under;
use crate::registry::copy_source::CopySource;
use crate::registry::error::RegistryError;
use crate::registry::explain::explain_read;
use crate::registry::referrers::{Moved, copy};
use crate::registry::upload::CopyError;
use crate::registry::{Repository, convert, explain};
use crate::session::Session;

/// Copies the image to each name that is not its own, and lets the tags point to it.
pub(super) async fn promote(
    session: &Session,
    registries: &Registries,
    image: &ExistingImage,
    done: &mut Done,
) -> anyhow::Result<()> {
    if !image.is_build() && !done.reused {
        let text = match image.is_merged() {
            true => format!("Merging {image} into {}", image.root.digest),
            false => format!("Promoting {image} (not rebuilt)"),
        };
        session.console.say(&text);
        let parts = image.parts.iter().map(ToString::to_string);
        done.published_from = parts.collect();
    }
    if let Some(Attestation { predicate_type, .. }) = &image.attestation {
        let text = format!("Attested {image}: {predicate_type}, signed by an earlier run");
        session.console.say(&text);
    }
    // One deadline for all that follows.
    let deadline = Deadline::after(session.inputs.push_timeout, Pace::REAL);
    let root = root_for(session, registries, image, deadline).await?;
    let early = EarlyAnswers::default();
    if !done.reused {
        CommitTagCheck::new(session, &image.commit, Some(&root.digest))
            .require_all(registries, deadline, &early)
            .await?;
    }
    let root = &root;
    let is_older = session
        .plan
        .images
        .iter()
        .any(|name| is_older(session, name));
    let tag = is_older.then_some(&session.plan.primary);
    let before = before_push(session, registries, &early, tag).await;
    let names: Vec<&ImageName> = names_in(registries, session).collect();
    let copies = names.iter().map(|&name| async move {
        copy_to(session, name, registries, image, root, deadline).await
    });
    let mut failures = Vec::new();
    for (&name, copied) in names.iter().zip(join_all(copies).await) {
        match copied {
            Ok(others) => done.published.push(Published {
                others,
                attestations: image.attestation.iter().cloned().collect(),
                changes: match self::is_older(session, name) {
                    true => before.changes(name, &root.digest),
                    false => Vec::new(),
                },
                ..Published::new(name.clone())
            }),
            Err(error) => failures.push(error),
        }
    }
    if done.published.is_empty() {
        return combine(failures);
    }
    let metadata = done.built.take().map(|built| built.metadata);
    done.built = Some(Built {
        digest: root.digest.clone(),
        config_digest: root.config_digest(),
        metadata: metadata.unwrap_or_default(),
    });
    let release = Release {
        manifest: Some(root),
        shown: &image.release,
    };
    let image = PushedImage {
        digest: root.digest.clone(),
        since: None,
        tag: None,
        commit: image.commit.clone(),
        attester: None,
        release,
    };
    let moved = verify_and_move_tags(session, registries, &image, deadline, &mut done.published);
    failures.splice(0..0, moved.await);
    combine(failures)
}

/// A run that may not push publishes nothing, and has nothing to build either.
pub(super) fn say_it_would_be(session: &Session) {
    let plan = &session.plan;
    if let Some(candidate) = &plan.candidate
        && !plan.push.is_push()
    {
        let reason = plan.push.reason();
        let text = format!("{candidate} would be published, and is not, because {reason}");
        session.console.notice(&text);
    }
}

/// The manifest to publish: in Docker's form when the older Docker registry is among the targets, so that
/// every name shows the same digest.
async fn root_for(
    session: &Session,
    registries: &Registries,
    image: &ExistingImage,
    deadline: Deadline,
) -> anyhow::Result<Manifest> {
    let mut names = session.plan.images.iter();
    if names.all(|name| !is_older(session, name)) {
        return Ok(image.root.clone());
    }
    // The plan refuses to merge images for such a registry.
    let part = &image.parts[0];
    let source = part.source(registries, deadline);
    let platform = session.inputs.build.parameters.platforms.first();
    let converted = convert::to_docker(source, &image.root, platform.map(String::as_str)).await;
    converted.map_err(|unfit| match unfit {
        ConvertError::Image(problem) => problem.into(),
        ConvertError::Unread(error) => match part.name() {
            Some(name) => explain(session, name, part, &CopyError::Reading(error)),
            None => error.into(),
        },
    })
}

fn is_older(session: &Session, name: &ImageName) -> bool {
    session.context.server.kind(name.registry()) == RegistryKind::Docker
}

/// Copies the image; gives the tags that were written besides those of the rules.
pub(super) async fn copy_to(
    session: &Session,
    name: &ImageName,
    registries: &Registries,
    image: &ExistingImage,
    root: &Manifest,
    deadline: Deadline,
) -> anyhow::Result<Vec<Tag>> {
    let target = registries[name.registry()].repository(name.repository(), deadline);
    let mut moved = Moved::default();
    for part in &image.parts {
        let source = part.source(registries, deadline);
        let copied = if is_older(session, name) {
            copy_under_primary(session, source, root, target).await
        } else {
            copy_all(source, part, target).await
        };
        moved.add(copied.map_err(|error| explain(session, name, part, &error))?);
    }
    if image.is_merged() {
        let written = target.put_by_digest(root).await;
        written.map_err(|error| cannot_push(session, name, &error))?;
    }
    if moved.bytes > 0 {
        let size = crate::console::size(moved.bytes);
        session.console.say(&format!("Copied {size} to {name}"));
    }
    Ok(moved.tags)
}

async fn copy_under_primary(
    session: &Session,
    source: CopySource<'_>,
    root: &Manifest,
    target: Repository<'_>,
) -> Result<Moved, CopyError> {
    let plan = &session.plan;
    Ok(Moved {
        bytes: copy_under(source, root, target, &plan.primary).await?,
        tags: plan.carrier().cloned().into_iter().collect(),
    })
}

/// Copies the manifests of a part with everything below them and all that refers to them.
async fn copy_all(
    source: CopySource<'_>,
    part: &Part,
    target: Repository<'_>,
) -> Result<Moved, CopyError> {
    let mut moved = Moved::default();
    for manifest in &part.manifests {
        moved.add(copy(source, manifest, target).await?);
    }
    Ok(moved)
}

fn explain(session: &Session, name: &ImageName, part: &Part, error: &CopyError) -> anyhow::Error {
    match error {
        CopyError::Reading(error) => {
            let source = part.name().unwrap_or(name);
            let what = format!("cannot read `{part}`");
            explain_read(&what, &subject(session, source), error).into()
        }
        CopyError::Writing(error) => cannot_push(session, name, error),
    }
}

fn cannot_push(session: &Session, name: &ImageName, error: &RegistryError) -> anyhow::Error {
    let what = format!("cannot push `{name}`");
    explain::explain(&what, &subject(session, name), error).into()
}
