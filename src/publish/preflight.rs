//! Connects to the registries of the plan, and checks push access to each before the build.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::error::Elapsed;

use crate::console::Console;
use crate::context::event::OwnerKind;
use crate::deadline::{Deadline, Pace};
use crate::error::{Explanation, Problem};
use crate::image::name::ImageName;
use crate::inputs::Mode;
use crate::inputs::candidate::Candidate;
use crate::plan::decision::{PushDecision, way_to_log_in};
use crate::registry::diagnosis::Provider;
use crate::registry::diagnosis::Subject;
use crate::registry::error::RegistryError;
use crate::registry::{Registry, explain};
use crate::session::Session;

/// For a short outage: the build takes its time, and the push shows whether the registry is well again.
const SHORT_OUTAGE: Duration = Duration::from_millis(1500);
/// For a registry that is known and down. Others fail at once: their names may be mistyped.
const LONG_OUTAGE: Duration = Duration::from_secs(60);
/// A registry that takes longer is not waited for: the push will show.
pub(super) const MAX_RESPONSE_TIME: Duration = Duration::from_secs(15);

pub(super) type Registries = BTreeMap<String, Registry>;

/// The names of the plan whose registries are up.
pub(super) fn names_in<'a>(
    registries: &'a Registries,
    session: &'a Session,
) -> impl Iterator<Item = &'a ImageName> {
    let names = session.plan.images.iter();
    names.filter(|name| registries.contains_key(name.registry()))
}

/// A connection to each registry the plan names, those of a candidate and of the image to compare with among them.
pub(super) async fn connect(session: &Session, pace: Pace) -> anyhow::Result<Registries> {
    let plan = &session.plan;
    let sources = plan.candidate.iter().flat_map(Candidate::references);
    let sources = sources.chain(plan.compared.reference());
    let names = plan.images.iter().chain(sources.map(|source| &source.name));
    let hosts: BTreeSet<&str> = names.map(ImageName::registry).collect();
    let connections = hosts.into_iter().map(async |host| {
        let credentials = session.credentials.login(host).await?;
        let kind = session.context.server.kind(host);
        let registry = Registry::new(
            host,
            kind,
            credentials,
            &session.trust,
            pace,
            session.console,
        )?;
        Ok((host.to_owned(), registry))
    });
    join_all(connections).await.into_iter().collect()
}

/// What an explanation of a failure has to know of an image.
pub(super) fn subject(session: &Session, name: &ImageName) -> Subject {
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

/// Whether a registry accepts a push of a name.
pub(super) enum PushAccess {
    Allowed,
    Denied(Problem),
    /// The registry refuses connections, or its host is not found.
    Down(Problem),
    /// The text says why it is not clear.
    Unknown(String),
}

/// Says for each name whether the registry would accept it.
pub(crate) async fn check(session: &Session) -> anyhow::Result<()> {
    let plan = &session.plan;
    if let PushDecision::NoLogin {
        reason,
        registry,
        fix,
    } = &plan.push
    {
        let what = format!("cannot push to `{registry}`: {reason}");
        return Err(Problem::new(what, fix).into());
    }
    if let PushDecision::BuildOnly { reason } = &plan.push {
        let fate = if plan.is_promotion() {
            "would not be published"
        } else {
            "would be built and not pushed"
        };
        for name in &plan.images {
            let text = format!("{name} {fate}, because {reason}");
            session.console.answer(&text);
        }
        return Ok(());
    }
    let registries = connect(session, Pace::REAL).await?;
    fail(ask(session, &registries).await, session.console)
}

/// What is known before the build.
#[derive(Default)]
pub(super) struct Preflight {
    /// Why nothing is pushed after all, when that is not a failure.
    pub(super) not_pushed: Option<String>,
    /// The registries to go on without, each with the reason.
    pub(super) down: BTreeMap<String, Problem>,
}

/// The registries that do not accept the push, with the reasons.
#[derive(Default)]
struct Refusals {
    /// With `check`, also those that gave no answer.
    denied: Vec<Problem>,
    down: Vec<(ImageName, Problem)>,
}

/// Asks every registry. Some that are down do not keep the others from being published.
pub(super) async fn before_build(
    session: &Session,
    registries: &Registries,
) -> anyhow::Result<Preflight> {
    let mut preflight = Preflight::default();
    if registries.is_empty() {
        return Ok(preflight);
    }
    let refusals = ask(session, registries).await;
    let Refusals { denied, down } = &refusals;
    let may_refuse = matches!(session.plan.push, PushDecision::PushIfAllowed { .. });
    match denied.first() {
        Some(refusal) if may_refuse => {
            let reason = format!("Dependabot's token may not write packages: {refusal}");
            let fate = if session.plan.is_promotion() {
                "is not published"
            } else {
                "is built and not pushed"
            };
            let text = format!("the image {fate}, because {reason}");
            session.console.notice(&text);
            preflight.not_pushed = Some(reason);
        }
        None if down.len() < session.plan.images.len() && !is_candidate_in(session, down) => {
            for (name, problem) in refusals.down {
                let text = format!("{problem}; continuing without `{name}`");
                session.console.say(&text);
                preflight.down.insert(name.registry().to_owned(), problem);
            }
        }
        _ => fail(refusals, session.console)?,
    }
    Ok(preflight)
}

/// Whether an image to publish is in a registry that is down.
fn is_candidate_in(session: &Session, down: &[(ImageName, Problem)]) -> bool {
    let candidate = session.plan.candidate.iter();
    let hosts = candidate.flat_map(Candidate::references);
    let mut hosts = hosts.map(|reference| reference.name.registry());
    hosts.any(|host| down.iter().any(|(name, _)| name.registry() == host))
}

/// Fails with the first of the problems, if there are any; the others are warnings.
fn fail(Refusals { denied, down }: Refusals, console: Console) -> anyhow::Result<()> {
    let down = down.into_iter().map(|(_, problem)| problem);
    let mut errors = denied.into_iter().chain(down).map(anyhow::Error::from);
    let first = errors.next();
    errors.for_each(|error| console.warning(None, &Explanation::of(&error).to_string()));
    first.map_or(Ok(()), Err)
}

/// Asks for every name at once, and logs which registries allow the push.
async fn ask(session: &Session, registries: &Registries) -> Refusals {
    let names = &session.plan.images;
    let accesses = names.iter().map(|name| async move {
        let registry = registries.get(name.registry())?;
        Some((name, push_access(session, registry, name).await))
    });
    let mut refusals = Refusals::default();
    let say = |text: &str| match session.mode {
        Mode::Check => session.console.answer(text),
        _ => session.console.say(text),
    };
    for (name, access) in join_all(accesses).await.into_iter().flatten() {
        match access {
            PushAccess::Allowed => say(&format!("Push access to {name}: OK")),
            PushAccess::Unknown(why) if session.mode == Mode::Check => {
                refusals.denied.push(not_checked(name, &why));
            }
            PushAccess::Unknown(why) => say(&format!(
                "could not check push access to {name}, continuing: {why}"
            )),
            PushAccess::Denied(problem) => refusals.denied.push(problem),
            PushAccess::Down(problem) => refusals.down.push((name.clone(), problem)),
        }
    }
    refusals
}

fn not_checked(name: &ImageName, why: &str) -> Problem {
    let what = format!("could not check push access to `{name}`");
    Problem::new(what, "check again when the registry responds").because(why)
}

/// Asks for one name, in at most three requests while the registry is well.
pub(super) async fn push_access(
    session: &Session,
    registry: &Registry,
    name: &ImageName,
) -> PushAccess {
    let error = match ask_with_retries(session, registry, name).await {
        Ok(Ok(())) => return PushAccess::Allowed,
        Ok(Err(error)) => error,
        Err(_elapsed) => return PushAccess::Unknown("no response within 15 seconds".to_owned()),
    };
    let explain = |what: String| explain::explain(&what, &subject(session, name), &error);
    let host = name.registry();
    let is_denied = match &error {
        RegistryError::Denied(_) if !error.is_transient() && !registry.has_credentials() => {
            let what = format!("cannot push `{name}`: no credentials for {host}");
            let fix = way_to_log_in(host, &session.context);
            return PushAccess::Denied(Problem::new(what, fix).because(error.to_string()));
        }
        _ if error.is_down() => {
            return PushAccess::Down(explain(format!("cannot reach the registry `{host}`")));
        }
        RegistryError::Unreachable { .. } => error.is_permanent_when_repeated(),
        _ if error.is_transient() => false,
        RegistryError::Denied(_) | RegistryError::Invalid { .. } => true,
        RegistryError::NotFound(response) => response.message.contains("owner not found"),
        RegistryError::Unexpected(_) => false,
    };
    if is_denied {
        PushAccess::Denied(explain(format!("cannot push `{name}`")))
    } else {
        PushAccess::Unknown(error.to_string())
    }
}

/// Asks whether a push would be accepted: again for a moment after a short outage, and for a minute while a registry
/// that is known is down.
async fn ask_with_retries(
    session: &Session,
    registry: &Registry,
    name: &ImageName,
) -> Result<Result<(), RegistryError>, Elapsed> {
    let pace = registry.pace;
    let [short, long] = [SHORT_OUTAGE, LONG_OUTAGE].map(|time| Deadline::after(time, pace));
    let once = registry.repository(name.repository(), short.at_most(Duration::ZERO));
    let mut tries = 0;
    loop {
        tries += 1;
        let Err(error) = pace.timeout(MAX_RESPONSE_TIME, once.may_push()).await? else {
            return Ok(Ok(()));
        };
        let waits = error.is_down() && session.credentials.know(name.registry());
        let deadline = if waits { long } else { short };
        let retry = error
            .may_succeed_later(tries)
            .then(|| deadline.retry(tries, error.retry_after()));
        let Some(retry) = retry.flatten() else {
            return Ok(Err(error));
        };
        registry.say(&format!("{error}; {retry}"));
        retry.wait().await;
    }
}
