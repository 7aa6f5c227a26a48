//! An image that exists goes to every name, and is settled there as one that was built.

use futures_util::future::join_all;
use serde_json::Map;

use super::candidate::Found;
use super::{Done, Held, Pushed, Registries, combine, settle_all, subject};
use crate::Decided;
use crate::engine::Built;
use crate::image::ImageName;
use crate::plan::Plan;
use crate::plan::decision::PushDecision;
use crate::registry::copy::{Halted, copy};
use crate::registry::{Pace, Patience, read_refusal, refusal};
use crate::workflow::Console;

/// Copies the image to each name that is not its own, and lets the tags point to it.
pub(super) async fn promote(
    decided: &Decided,
    registries: &Registries,
    found: &Found,
    console: Console,
    done: &mut Done,
) -> anyhow::Result<()> {
    console.say(&format!("publishing {found} as it is"));
    done.published_from = Some(found.to_string());
    let patience = Patience::lasting(decided.inputs.push_timeout, Pace::REAL);
    let copies = decided.plan.images.iter().map(|name| async move {
        let copied = copy_to(name, registries, found, patience, console).await;
        copied.map_err(|halted| explain(decided, name, found, &halted))
    });
    let mut failures = Vec::new();
    for (name, copied) in decided.plan.images.iter().zip(join_all(copies).await) {
        match copied {
            Ok(()) => done.held.push(Held::nothing_yet(name.clone())),
            Err(error) => failures.push(error),
        }
    }
    if done.held.is_empty() {
        return combine(failures);
    }
    done.built = Some(Built {
        digest: found.root.digest.clone(),
        config_digest: found.root.config_digest(),
        metadata: Map::new(),
    });
    let image = Pushed {
        digest: found.root.digest.clone(),
        tag: None,
        commit: found.commit.clone(),
    };
    let settled = settle_all(
        decided,
        registries,
        &image,
        patience,
        console,
        &mut done.held,
    );
    combine(settled.await.chain(failures).collect())
}

/// A run that may not push publishes nothing, and has nothing to build either.
pub(super) fn say_it_would_be(plan: &Plan, console: Console) {
    if let (Some(candidate), PushDecision::BuildOnly { reason }) = (&plan.candidate, &plan.push) {
        console.notice(&format!(
            "{candidate} would be published, and is not, because {reason}"
        ));
    }
}

async fn copy_to(
    name: &ImageName,
    registries: &Registries,
    found: &Found,
    patience: Patience,
    console: Console,
) -> Result<(), Halted> {
    let target = registries[name.registry()].repository(name.repository(), patience);
    let moved = copy(found.origin(registries, patience), &found.root, target).await?;
    if moved.bytes > 0 {
        let size = crate::engine::timeline::size(moved.bytes);
        console.say(&format!("{size} went to {name}"));
    }
    Ok(())
}

fn explain(decided: &Decided, name: &ImageName, found: &Found, halted: &Halted) -> anyhow::Error {
    let problem = match halted {
        Halted::Reading(trouble) => {
            let source = found.name().unwrap_or(name);
            let what = format!("cannot read `{found}`");
            read_refusal(&what, &subject(decided, source), trouble)
        }
        Halted::Writing(trouble) => refusal(
            &format!("cannot push `{name}`"),
            &subject(decided, name),
            trouble,
        ),
    };
    problem.into()
}
