//! Asks each registry whether it would take a push, before anything is built.

use std::time::Duration;

use futures_util::future::join_all;

use super::{Registries, connect, subject};
use crate::Decided;
use crate::image::ImageName;
use crate::plan::decision::PushDecision;
use crate::problem::{Explanation, Problem};
use crate::registry::{Pace, Patience, Reach, Registry, Trouble, refusal};
use crate::workflow::Console;

/// A question a registry answers at once or not at all: long patience would only hide its absence.
const PATIENCE: Duration = Duration::from_millis(1500);
/// A registry that takes longer is not asked further; the push will show.
const LONGEST: Duration = Duration::from_secs(15);

/// What a registry says to a push of a name.
pub(super) enum Probe {
    Accepted,
    Refused(Problem),
    /// The text says why it is not clear.
    Unclear(String),
}

/// Tells for each name whether the registry would take it.
pub(crate) async fn check(decided: &Decided, console: Console) -> anyhow::Result<()> {
    let plan = &decided.plan;
    if let PushDecision::BuildOnly { reason } = &plan.push {
        for name in &plan.images {
            let fate = if plan.is_promotion() {
                "would not be published"
            } else {
                "would be built and not pushed"
            };
            console.say(&format!("{name} {fate}, because {reason}"));
        }
        return Ok(());
    }
    let registries = connect(decided, Pace::REAL, console).await?;
    ask(decided, &registries, console).await
}

/// The reason for not pushing after all, when that is no failure.
pub(super) async fn before_the_build(
    decided: &Decided,
    registries: &Registries,
    console: Console,
) -> anyhow::Result<Option<String>> {
    if registries.is_empty() {
        return Ok(None);
    }
    match ask(decided, registries, console).await {
        Ok(()) => Ok(None),
        Err(refusal) if matches!(decided.plan.push, PushDecision::PushIfAllowed { .. }) => {
            let reason = format!("Dependabot's token may not write packages: {refusal}");
            let fate = if decided.plan.is_promotion() {
                "is not published"
            } else {
                "is built and not pushed"
            };
            console.notice(&format!("the image {fate}, because {reason}"));
            Ok(Some(reason))
        }
        Err(refusal) => Err(refusal),
    }
}

/// Asks for every name at once and says what comes of it; an error is the first refusal.
async fn ask(decided: &Decided, registries: &Registries, console: Console) -> anyhow::Result<()> {
    let names = &decided.plan.images;
    let probes = names.iter().map(|name| async move {
        let registry = registries.get(name.registry())?;
        Some((name, probe(decided, registry, name).await))
    });
    let mut refusals = Vec::new();
    for (name, probe) in join_all(probes).await.into_iter().flatten() {
        match probe {
            Probe::Accepted => console.say(&format!(
                "{} takes a push of {}",
                name.registry(),
                name.repository()
            )),
            Probe::Unclear(why) => console.say(&format!(
                "whether {name} takes a push is not clear, so the run goes on: {why}"
            )),
            Probe::Refused(problem) => refusals.push(anyhow::Error::from(problem)),
        }
    }
    let others = refusals.iter().skip(1);
    others.for_each(|error| console.warning(None, &Explanation::of(error).to_string()));
    refusals.into_iter().next().map_or(Ok(()), Err)
}

/// Asks for one name, in at most three requests while the registry is well.
pub(super) async fn probe(decided: &Decided, registry: &Registry, name: &ImageName) -> Probe {
    let pace = registry.pace();
    let repository = registry.repository(name.repository(), Patience::lasting(PATIENCE, pace));
    let trouble = match pace.timeout(LONGEST, repository.may_push()).await {
        Ok(Ok(())) => return Probe::Accepted,
        Ok(Err(trouble)) => trouble,
        Err(_elapsed) => return Probe::Unclear("it takes too long to answer".to_owned()),
    };
    let subject = subject(decided, name);
    let refused = |what: String| Probe::Refused(refusal(&what, &subject, &trouble));
    match &trouble {
        Trouble::Unreachable {
            reach: Reach::Nobody,
            ..
        } => refused(format!("cannot reach the registry `{}`", name.registry())),
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
