//! An image that exists goes to every name, and is settled there as one that was built.

use futures_util::future::join_all;

use crate::buildx::Built;
use crate::context::server::RegistryKind;
use crate::deadline::{Pace, Patience};
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::publish::candidate::{Found, Home};
use crate::publish::commit_tags::Claim;
use crate::publish::{Done, Held, Pushed, Registries, combine, names_in, settle_all, subject};
use crate::registry::as_docker::Unfit;
use crate::registry::copy::copy_under;
use crate::registry::referrers::copy;
use crate::registry::refusal::read_refusal;
use crate::registry::upload::Halted;
use crate::registry::{as_docker, refusal};
use crate::session::Session;

/// Copies the image to each name that is not its own, and lets the tags point to it.
pub(super) async fn promote(
    session: &Session,
    registries: &Registries,
    found: &Found,
    done: &mut Done,
) -> anyhow::Result<()> {
    if !matches!(found.home, Home::Workshop(_)) {
        session.console.say(&format!("publishing {found} as it is"));
        done.published_from = Some(found.to_string());
    }
    // One deadline for all that follows.
    let patience = Patience::lasting(session.inputs.push_timeout, Pace::REAL);
    let root = root_for(session, registries, found, patience).await?;
    let claim = Claim {
        session,
        commit: &found.commit,
        digest: Some(&root.digest),
    };
    claim.require_all(registries, patience).await?;
    let root = &root;
    let names: Vec<&ImageName> = names_in(registries, session).collect();
    let copies = names.iter().map(|&name| async move {
        let copied = copy_to(session, name, registries, found, root, patience).await;
        copied.map_err(|halted| explain(session, name, found, &halted))
    });
    let mut failures = Vec::new();
    for (&name, copied) in names.iter().zip(join_all(copies).await) {
        match copied {
            Ok(others) => done.held.push(Held {
                others,
                ..Held::nothing_yet(name.clone())
            }),
            Err(error) => failures.push(error),
        }
    }
    if done.held.is_empty() {
        return combine(failures);
    }
    let metadata = done.built.take().map(|built| built.metadata);
    done.built = Some(Built {
        digest: root.digest.clone(),
        config_digest: root.config_digest(),
        metadata: metadata.unwrap_or_default(),
    });
    let image = Pushed {
        digest: root.digest.clone(),
        tag: None,
        commit: found.commit.clone(),
    };
    let settled = settle_all(session, registries, &image, patience, &mut done.held);
    combine(settled.await.chain(failures).collect())
}

/// A run that may not push publishes nothing, and has nothing to build either.
pub(super) fn say_it_would_be(session: &Session) {
    let plan = &session.plan;
    if let Some(candidate) = &plan.candidate
        && !plan.push.is_push()
    {
        let reason = plan.push.reason();
        session.console.notice(&format!(
            "{candidate} would be published, and is not, because {reason}"
        ));
    }
}

/// The manifest to publish: in Docker's form when the older Docker registry is among the targets, so that
/// every name shows the same digest.
async fn root_for(
    session: &Session,
    registries: &Registries,
    found: &Found,
    patience: Patience,
) -> anyhow::Result<Manifest> {
    if session
        .plan
        .images
        .iter()
        .all(|name| !is_older(session, name))
    {
        return Ok(found.root.clone());
    }
    let origin = found.origin(registries, patience);
    let platform = session.inputs.build.platforms.first();
    let converted = as_docker::as_docker(origin, &found.root, platform.map(String::as_str)).await;
    converted.map_err(|unfit| match unfit {
        Unfit::Image(problem) => problem.into(),
        Unfit::Unread(trouble) => match found.name() {
            Some(name) => {
                let what = format!("cannot read `{found}`");
                read_refusal(&what, &subject(session, name), &trouble).into()
            }
            None => trouble.into(),
        },
    })
}

fn is_older(session: &Session, name: &ImageName) -> bool {
    session.context.server.kind(name.registry()) == RegistryKind::Docker
}

/// Gives the tags that were written besides those of the rules.
async fn copy_to(
    session: &Session,
    name: &ImageName,
    registries: &Registries,
    found: &Found,
    root: &Manifest,
    patience: Patience,
) -> Result<Vec<Tag>, Halted> {
    let target = registries[name.registry()].repository(name.repository(), patience);
    let origin = found.origin(registries, patience);
    let plan = &session.plan;
    let moved = if is_older(session, name) {
        let mut moved = copy_under(origin, root, target, &plan.primary).await?;
        moved.tags.extend(plan.carrier().cloned());
        moved
    } else {
        copy(origin, root, target).await?
    };
    if moved.bytes > 0 {
        let size = crate::console::units::size(moved.bytes);
        session.console.say(&format!("{size} went to {name}"));
    }
    Ok(moved.tags)
}

fn explain(session: &Session, name: &ImageName, found: &Found, halted: &Halted) -> anyhow::Error {
    let problem = match halted {
        Halted::Reading(trouble) => {
            let source = found.name().unwrap_or(name);
            let what = format!("cannot read `{found}`");
            read_refusal(&what, &subject(session, source), trouble)
        }
        Halted::Writing(trouble) => refusal::refusal(
            &format!("cannot push `{name}`"),
            &subject(session, name),
            trouble,
        ),
    };
    problem.into()
}
