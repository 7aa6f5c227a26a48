//! Asks each registry whether it would take a push, before anything is built.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::error::Elapsed;

use crate::console::Console;
use crate::deadline::{Pace, Patience};
use crate::error::{Explanation, Problem};
use crate::image::name::ImageName;
use crate::inputs::candidate::Candidate;
use crate::plan::decision::{PushDecision, way_to_log_in};
use crate::publish::{Registries, connect, subject};
use crate::registry::answer::{Reach, Trouble};
use crate::registry::{Registry, refusal};
use crate::session::Session;

/// For a hiccup: the build takes its time, and the push shows whether the registry is well again.
const HICCUP: Duration = Duration::from_millis(1500);
/// For a registry that is known and down. Others fail at once: their names may be mistyped.
const OUTAGE: Duration = Duration::from_secs(60);
/// A registry that takes longer is not asked further; the push will show.
const LONGEST: Duration = Duration::from_secs(15);

/// What a registry says to a push of a name.
pub(super) enum Probe {
    Accepted,
    Refused(Problem),
    /// The registry refuses connections, or its host is not found.
    Down(Problem),
    /// The text says why it is not clear.
    Unclear(String),
}

/// Tells for each name whether the registry would take it.
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
        for name in &plan.images {
            let fate = if plan.is_promotion() {
                "would not be published"
            } else {
                "would be built and not pushed"
            };
            session
                .console
                .say(&format!("{name} {fate}, because {reason}"));
        }
        return Ok(());
    }
    let registries = connect(session, Pace::REAL).await?;
    let Answers { refused, down } = ask(session, &registries).await;
    let down = down.into_iter().map(|(_, problem)| problem);
    first(refused.into_iter().chain(down).collect(), session.console)
}

/// What is known before the build.
#[derive(Default)]
pub(super) struct Outlook {
    /// Why nothing is pushed after all, when that is not a failure.
    pub(super) not_pushed: Option<String>,
    /// The registries to go on without, each with the reason.
    pub(super) down: BTreeMap<String, Problem>,
}

/// What the registries said, but for those that take a push.
#[derive(Default)]
struct Answers {
    refused: Vec<Problem>,
    down: Vec<(ImageName, Problem)>,
}

/// Asks every registry. Some that are down do not keep the others from being published.
pub(super) async fn before_the_build(
    session: &Session,
    registries: &Registries,
) -> anyhow::Result<Outlook> {
    let mut outlook = Outlook::default();
    if registries.is_empty() {
        return Ok(outlook);
    }
    let Answers { refused, down } = ask(session, registries).await;
    let may_refuse = matches!(session.plan.push, PushDecision::PushIfAllowed { .. });
    match refused.first() {
        Some(refusal) if may_refuse => {
            let reason = format!("Dependabot's token may not write packages: {refusal}");
            let fate = if session.plan.is_promotion() {
                "is not published"
            } else {
                "is built and not pushed"
            };
            session
                .console
                .notice(&format!("the image {fate}, because {reason}"));
            outlook.not_pushed = Some(reason);
        }
        None if down.len() < session.plan.images.len() && !is_candidate_in(session, &down) => {
            for (name, problem) in down {
                session
                    .console
                    .say(&format!("{problem}; going on without `{name}`"));
                outlook.down.insert(name.registry().to_owned(), problem);
            }
        }
        _ => {
            let down = down.into_iter().map(|(_, problem)| problem);
            first(refused.into_iter().chain(down).collect(), session.console)?;
        }
    }
    Ok(outlook)
}

/// Whether the image to publish is in a registry that is down.
fn is_candidate_in(session: &Session, down: &[(ImageName, Problem)]) -> bool {
    let Some(Candidate::InRegistry(reference)) = &session.plan.candidate else {
        return false;
    };
    let host = reference.name.registry();
    down.iter().any(|(name, _)| name.registry() == host)
}

/// Fails with the first of the problems; the others are warnings.
fn first(problems: Vec<Problem>, console: Console) -> anyhow::Result<()> {
    let mut errors = problems.into_iter().map(anyhow::Error::from);
    let first = errors.next();
    errors.for_each(|error| console.warning(None, &Explanation::of(&error).to_string()));
    first.map_or(Ok(()), Err)
}

/// Asks for every name at once, and says who takes a push.
async fn ask(session: &Session, registries: &Registries) -> Answers {
    let names = &session.plan.images;
    let probes = names.iter().map(|name| async move {
        let registry = registries.get(name.registry())?;
        Some((name, probe(session, registry, name).await))
    });
    let mut answers = Answers::default();
    for (name, probe) in join_all(probes).await.into_iter().flatten() {
        match probe {
            Probe::Accepted => session.console.say(&format!(
                "{} takes a push of {}",
                name.registry(),
                name.repository()
            )),
            Probe::Unclear(why) => session.console.say(&format!(
                "whether {name} takes a push is not clear, so the run goes on: {why}"
            )),
            Probe::Refused(problem) => answers.refused.push(problem),
            Probe::Down(problem) => answers.down.push((name.clone(), problem)),
        }
    }
    answers
}

/// Asks for one name, in at most three requests while the registry is well.
pub(super) async fn probe(session: &Session, registry: &Registry, name: &ImageName) -> Probe {
    let trouble = match asked_until_clear(session, registry, name).await {
        Ok(Ok(())) => return Probe::Accepted,
        Ok(Err(trouble)) => trouble,
        Err(_elapsed) => return Probe::Unclear("it takes too long to answer".to_owned()),
    };
    let subject = subject(session, name);
    let refused = |what: String| Probe::Refused(refusal::refusal(&what, &subject, &trouble));
    match &trouble {
        Trouble::Denied { .. } if !trouble.is_passing() && !registry.has_login() => {
            let host = name.registry();
            let what = format!("cannot push `{name}`: there is no login for {host}");
            let fix = way_to_log_in(host, &session.context);
            Probe::Refused(Problem::new(what, fix).because(trouble.to_string()))
        }
        Trouble::Unreachable {
            reach: Reach::Nobody,
            ..
        } => {
            let what = format!("cannot reach the registry `{}`", name.registry());
            Probe::Down(refusal::refusal(&what, &subject, &trouble))
        }
        Trouble::Unreachable {
            reach: Reach::WithoutTls | Reach::Untrusted,
            ..
        } => refused(format!("cannot push `{name}`")),
        passing if passing.is_passing() => Probe::Unclear(trouble.to_string()),
        Trouble::Denied { .. } | Trouble::Broken { .. } => refused(format!("cannot push `{name}`")),
        Trouble::NotFound { said, .. } if said.contains("owner not found") => {
            refused(format!("cannot push `{name}`"))
        }
        Trouble::NotFound { .. } | Trouble::Unexpected { .. } | Trouble::Unreachable { .. } => {
            Probe::Unclear(trouble.to_string())
        }
    }
}

/// The answer to whether a push would be taken: asked again for a moment after a hiccup, and for a minute while a
/// registry that is known is down.
async fn asked_until_clear(
    session: &Session,
    registry: &Registry,
    name: &ImageName,
) -> Result<Result<(), Trouble>, Elapsed> {
    let pace = registry.pace();
    let [hiccup, outage] = [HICCUP, OUTAGE].map(|time| Patience::lasting(time, pace));
    let once = registry.repository(name.repository(), hiccup.at_most(Duration::ZERO));
    let mut tries = 0;
    loop {
        tries += 1;
        let Err(trouble) = pace.timeout(LONGEST, once.may_push()).await? else {
            return Ok(Ok(()));
        };
        let waits = trouble.is_absence() && session.credentials.know(name.registry());
        let patience = if waits { outage } else { hiccup };
        let retry = trouble
            .deserves_retry(tries)
            .then(|| patience.retry(tries, trouble.asked()));
        let Some(retry) = retry.flatten() else {
            return Ok(Err(trouble));
        };
        registry.say(&format!("{trouble}; {retry}"));
        retry.wait().await;
    }
}
