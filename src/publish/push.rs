//! Builds and pushes. A failed push is retried, a failed build is not.

use anyhow::Context as _;

use crate::buildx::Built;
use crate::buildx::progress::Record;
use crate::buildx::progress::push_watch::PushFailed;
use crate::deadline;
use crate::deadline::{Deadline, Pace};
use crate::image::name::ImageName;
use crate::plan::build::BuildRequest;
use crate::publish::preflight::{PushAccess, push_access};
use crate::publish::{BuildContext, Registries, subject};
use crate::registry::diagnosis::{Diagnosis, Persistence};
use crate::registry::explain::explain_push;
use crate::registry::{PERMANENT_AFTER, diagnosis};
use crate::session::Session;

/// What the engine pushed, and what it could not.
pub(super) struct PushResult {
    pub(super) built: Built,
    pub(super) names: Vec<ImageName>,
    pub(super) failures: Vec<anyhow::Error>,
    /// What is left of `push-timeout`: it began with the first push that failed, else with the end of the build.
    pub(super) deadline: Deadline,
}

/// Builds and pushes until the registries have it or the deadline passes. A name that is refused for good is
/// left out, so that the others are published all the same.
pub(super) async fn build_and_push(
    build_context: &BuildContext<'_>,
    registries: &Registries,
    record: &mut Record,
) -> anyhow::Result<PushResult> {
    let BuildContext { session, .. } = *build_context;
    let mut request = session.plan.build.clone();
    let is_up = |name: &ImageName| registries.contains_key(name.registry());
    request.names.retain(|tagged| is_up(&tagged.name));
    let mut failures = Vec::new();
    let mut deadline: Option<Deadline> = None;
    let (mut tries, mut repeated) = (0, 0);
    let begin = || Deadline::after(session.inputs.push_timeout, Pace::REAL);
    loop {
        let failed: PushFailed = match build_context.build(&request, record).await {
            Ok(built) => {
                let built = built.context("buildx built no image to push")?;
                return Ok(PushResult {
                    built,
                    names: names(&request),
                    failures,
                    deadline: deadline.unwrap_or_else(begin),
                });
            }
            Err(error) => error.downcast()?,
        };
        tries += 1;
        let deadline = deadline.get_or_insert_with(begin);
        let name = failed.name(&request);
        let asked = deadline::retry_after_in_message(&failed.cause);
        let diagnosis = diagnose(session, registries, &name, &failed).await;
        let persistence = diagnosis.as_ref().map(|known| known.persistence);
        repeated = if is_mistake(persistence) {
            repeated + 1
        } else {
            0
        };
        let is_final = repeated == PERMANENT_AFTER
            || is_refused(session, registries, &name, persistence).await;
        let retry = (!is_final).then(|| deadline.retry(tries, asked)).flatten();
        if let Some(retry) = retry {
            let reason = failed.reason();
            session
                .console
                .say(&format!("Push to `{name}` failed ({reason}); {retry}"));
            retry.wait().await;
        } else {
            repeated = 0;
            let problem = explain_push(&subject(session, &name), &failed.cause, diagnosis);
            failures.push(problem.into());
            request.names.retain(|other| other.name != name);
            if request.names.is_empty() {
                return Err(failures.swap_remove(0));
            }
            session
                .console
                .say(&format!("{failed}; continuing without `{name}`"));
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
    let diagnosis = diagnosis::diagnose(&failed.cause, &subject(session, name))?;
    let is_down = diagnosis.persistence == Persistence::PermanentWhenReachable
        && !registries[name.registry()].is_reachable().await;
    (!is_down).then_some(diagnosis)
}

/// Whether the failure is a mistake in the setup once it has happened several times in a row.
fn is_mistake(persistence: Option<Persistence>) -> bool {
    matches!(
        persistence,
        Some(Persistence::PermanentWhenRepeated | Persistence::PermanentWhenReachable)
    )
}

/// Whether the registry refuses the push. A refusal without a reason is put to it once more.
async fn is_refused(
    session: &Session,
    registries: &Registries,
    name: &ImageName,
    persistence: Option<Persistence>,
) -> bool {
    match persistence {
        Some(Persistence::Permanent) => true,
        Some(Persistence::Unclear) => {
            let answer = push_access(session, &registries[name.registry()], name).await;
            matches!(answer, PushAccess::Denied(_))
        }
        None
        | Some(
            Persistence::Transient
            | Persistence::PermanentWhenRepeated
            | Persistence::PermanentWhenReachable,
        ) => false,
    }
}

fn names(request: &BuildRequest) -> Vec<ImageName> {
    request
        .names
        .iter()
        .map(|tagged| tagged.name.clone())
        .collect()
}
