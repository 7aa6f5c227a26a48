//! Builds and pushes. A failed push is retried, a failed build is not.

use anyhow::Context as _;

use crate::buildx::Built;
use crate::buildx::progress::Record;
use crate::buildx::progress::push_watch::PushFailed;
use crate::deadline;
use crate::deadline::{Pace, Patience};
use crate::image::name::ImageName;
use crate::plan::build::BuildRequest;
use crate::publish::preflight::{Probe, probe};
use crate::publish::{Registries, Workshop, subject};
use crate::registry::catalogue::{Diagnosis, Prospect};
use crate::registry::refusal::push_refusal;
use crate::registry::{PERMANENT_AFTER, catalogue};
use crate::session::Session;

/// What the engine pushed, and what it could not.
pub(super) struct Pushed {
    pub(super) built: Built,
    pub(super) names: Vec<ImageName>,
    pub(super) failures: Vec<anyhow::Error>,
    /// What is left of `push-timeout`: it began with the first push that failed, else with the end of the build.
    pub(super) patience: Patience,
}

/// Builds and pushes until the registries have it or patience ends. A name that is refused for good is
/// left out, so that the others are published all the same.
pub(super) async fn build_and_push(
    workshop: &Workshop<'_>,
    registries: &Registries,
    record: &mut Record,
) -> anyhow::Result<Pushed> {
    let Workshop { session, .. } = *workshop;
    let mut request = session.plan.build.clone();
    let is_up = |name: &ImageName| registries.contains_key(name.registry());
    request.names.retain(|tagged| is_up(&tagged.name));
    let mut failures = Vec::new();
    let mut patience: Option<Patience> = None;
    let (mut tries, mut repeated) = (0, 0);
    let begin = || Patience::lasting(session.inputs.push_timeout, Pace::REAL);
    loop {
        let failed: PushFailed = match workshop.build(&request, record).await {
            Ok(built) => {
                let built = built.context("buildx made no image to push")?;
                return Ok(Pushed {
                    built,
                    names: names(&request),
                    failures,
                    patience: patience.unwrap_or_else(begin),
                });
            }
            Err(error) => error.downcast()?,
        };
        tries += 1;
        let patience = patience.get_or_insert_with(begin);
        let name = failed.name(&request);
        let asked = deadline::hint(&failed.cause);
        let diagnosis = diagnose(session, registries, &name, &failed).await;
        let prospect = diagnosis.as_ref().map(|known| known.prospect);
        repeated = if is_mistake(prospect) {
            repeated + 1
        } else {
            0
        };
        let is_final =
            repeated == PERMANENT_AFTER || is_refused(session, registries, &name, prospect).await;
        let retry = (!is_final).then(|| patience.retry(tries, asked)).flatten();
        if let Some(retry) = retry {
            let reason = failed.reason();
            session
                .console
                .say(&format!("Push to `{name}` failed ({reason}); {retry}"));
            retry.wait().await;
        } else {
            repeated = 0;
            let problem = push_refusal(&subject(session, &name), &failed.cause, diagnosis);
            failures.push(problem.into());
            request.names.retain(|other| other.name != name);
            if request.names.is_empty() {
                return Err(failures.swap_remove(0));
            }
            session
                .console
                .say(&format!("{failed}; going on without `{name}`"));
        }
        // What was built is in the cache, and asking for it again would be a build from scratch.
        request.no_cache = false;
        request.no_cache_filters.clear();
        request.pull = false;
    }
}

/// What the failure means, if that is known. A builder that cannot reach the registry has a fault of its own
/// only while this process does reach it; else the registry is down.
async fn diagnose(
    session: &Session,
    registries: &Registries,
    name: &ImageName,
    failed: &PushFailed,
) -> Option<Diagnosis> {
    let diagnosis = catalogue::diagnose(&failed.cause, &subject(session, name))?;
    let is_down = diagnosis.prospect == Prospect::FinalWhenReachable
        && !registries[name.registry()].answers().await;
    (!is_down).then_some(diagnosis)
}

/// Whether the failure is a mistake in the setup once it has happened several times in a row.
fn is_mistake(prospect: Option<Prospect>) -> bool {
    matches!(
        prospect,
        Some(Prospect::FinalWhenRepeated | Prospect::FinalWhenReachable)
    )
}

/// Whether the registry refuses the push. A refusal without a reason is put to it once more.
async fn is_refused(
    session: &Session,
    registries: &Registries,
    name: &ImageName,
    prospect: Option<Prospect>,
) -> bool {
    match prospect {
        Some(Prospect::Final) => true,
        Some(Prospect::Unclear) => {
            let answer = probe(session, &registries[name.registry()], name).await;
            matches!(answer, Probe::Refused(_))
        }
        None
        | Some(Prospect::Passing | Prospect::FinalWhenRepeated | Prospect::FinalWhenReachable) => {
            false
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
