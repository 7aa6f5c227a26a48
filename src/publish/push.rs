//! Builds and pushes; what goes wrong at the registry is tried again, what goes wrong in the build is not.

use anyhow::Context as _;

use crate::Decided;
use crate::engine::{Built, PushFailed, Record};
use crate::image::ImageName;
use crate::plan::build::BuildRequest;
use crate::registry::catalogue::{self, Prospect};
use crate::registry::{Pace, Patience, patience, push_refusal};

use super::preflight::{Probe, probe};
use super::{Registries, Workshop, subject};

/// What the engine pushed, and what it could not.
pub(super) struct Pushed {
    pub(super) built: Built,
    pub(super) names: Vec<ImageName>,
    pub(super) failures: Vec<anyhow::Error>,
}

/// Builds and pushes until the registries have it or patience ends. A name that is refused for good is
/// left out, so that the others are published all the same.
pub(super) async fn build_and_push(
    workshop: &Workshop<'_>,
    registries: &Registries,
    record: &mut Record,
) -> anyhow::Result<Pushed> {
    let Workshop {
        decided, console, ..
    } = *workshop;
    let mut request = decided.plan.build.clone();
    let mut failures = Vec::new();
    let mut patience: Option<Patience> = None;
    let mut tries = 0;
    loop {
        let failed: PushFailed = match workshop.build(&request, record).await {
            Ok(built) => {
                let built = built.context("buildx made no image to push")?;
                return Ok(Pushed {
                    built,
                    names: names(&request),
                    failures,
                });
            }
            Err(error) => error.downcast()?,
        };
        tries += 1;
        let timeout = decided.inputs.push_timeout;
        let patience = patience.get_or_insert_with(|| Patience::lasting(timeout, Pace::REAL));
        let name = failed.name(&request);
        let asked = patience::hint(&failed.cause);
        if may_pass(decided, registries, &name, &failed).await && patience.wait(tries, asked).await
        {
            console.say(&format!("{failed}; pushing again, the build is cached"));
        } else {
            failures.push(push_refusal(&subject(decided, &name), &failed.cause).into());
            request.names.retain(|other| other.name != name);
            if request.names.is_empty() {
                return Err(failures.swap_remove(0));
            }
            console.say(&format!("{failed}; going on without `{name}`"));
        }
        // What was built is in the cache, and asking for it again would be a build from scratch.
        request.no_cache = false;
        request.no_cache_filters.clear();
        request.pull = false;
    }
}

/// Whether the same push may succeed later. A refusal without a reason is put to the registry once more.
async fn may_pass(
    decided: &Decided,
    registries: &Registries,
    name: &ImageName,
    failed: &PushFailed,
) -> bool {
    let diagnosis = catalogue::diagnose(&failed.cause, &subject(decided, name));
    match diagnosis.map(|known| known.prospect) {
        None | Some(Prospect::Passing) => true,
        Some(Prospect::Final) => false,
        Some(Prospect::Unclear) => {
            let answer = probe(decided, &registries[name.registry()], name).await;
            !matches!(answer, Probe::Refused(_))
        }
    }
}

fn names(request: &BuildRequest) -> Vec<ImageName> {
    request
        .names
        .iter()
        .map(|tagged| tagged.name.clone())
        .collect()
}
