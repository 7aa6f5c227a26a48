//! Builds and pushes. A failed push is retried, a failed build is not.

use std::path::Path;

use anyhow::Context as _;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::buildx::builder::Builder;
use crate::buildx::progress::Record;
use crate::buildx::progress::exported::Pushed;
use crate::buildx::progress::push_watch::PushFailed;
use crate::buildx::{BuildOptions, Built, Engine};
use crate::deadline::{self, Deadline, Pace};
use crate::docker::images::{self, LocalImage};
use crate::image::name::ImageName;
use crate::plan::build::BuildRequest;
use crate::publish::early_reads::EarlyReads;
use crate::publish::existing_image::{ExistingImage, ImageSource};
use crate::publish::preflight::{PushAccess, Registries, push_access, subject};
use crate::registry::diagnosis::{Diagnosis, Persistence};
use crate::registry::explain::explain_push;
use crate::registry::{PERMANENT_AFTER, diagnosis};
use crate::session::Session;

/// Where the image is built, and with what.
pub(super) struct BuildContext<'a> {
    engine: &'a Engine,
    pub(super) builder: &'a Builder,
    pub(super) session: &'a Session,
}

impl<'a> BuildContext<'a> {
    /// Boots the builder.
    pub(super) async fn boot(
        engine: &'a Engine,
        builder: &'a mut Builder,
        session: &'a Session,
    ) -> anyhow::Result<Self> {
        if session.trust.pem().is_some() && !builder.can_trust_ca_cert() {
            session.console.notice("the builder existed before this run and cannot be given `ca-cert`: configure the CA in the builder itself");
        }
        let platforms = &session.plan.build.parameters.platforms;
        builder.boot(platforms, session.console).await?;
        Ok(Self {
            engine,
            builder,
            session,
        })
    }

    /// Builds the image into a directory, from which this program pushes it.
    pub(super) async fn build_to_push(
        &self,
        request: &BuildRequest,
        record: &mut Record,
    ) -> anyhow::Result<(Built, ExistingImage)> {
        let directory = images::directory_for_build(&self.session.vars)?;
        let built = self.build(request, Some(directory.path()), None, record);
        let built = built.await?;
        let (image, root) = LocalImage::built(directory)?;
        let found = ExistingImage::new(
            ImageSource::Build(image),
            root,
            self.session.context.base_commit(),
        );
        Ok((built.context("buildx built no image to push")?, found))
    }

    /// Builds, into the directory `layout` if there is one; `pushed` gets each image when it has been pushed. See
    /// [`Engine::build`].
    pub(super) async fn build(
        &self,
        request: &BuildRequest,
        layout: Option<&Path>,
        pushed: Option<UnboundedSender<Pushed>>,
        record: &mut Record,
    ) -> anyhow::Result<Option<Built>> {
        let options = BuildOptions {
            builder: self.builder,
            vars: &self.session.vars,
            credentials: &self.session.credentials,
            trust: &self.session.trust,
            layout,
            pushed,
        };
        let build = self
            .engine
            .build(request, options, self.session.console, record);
        build.await
    }
}

/// What the engine pushed, and what it could not.
pub(super) struct PushResult<'a> {
    pub(super) built: Built,
    pub(super) names: Vec<ImageName>,
    pub(super) failures: Vec<anyhow::Error>,
    pub(super) reads: EarlyReads<'a>,
    /// What is left of `push-timeout`: it began with the first push that failed, else with the end of the build.
    pub(super) deadline: Deadline,
}

/// Builds and pushes until the registries have it or the deadline passes. A name that is refused for good is
/// left out, so that the others are published all the same.
pub(super) async fn build_and_push<'a>(
    session: &'a Session,
    build_context: &BuildContext<'_>,
    registries: &'a Registries,
    record: &mut Record,
) -> anyhow::Result<PushResult<'a>> {
    let mut request = session.plan.build.clone();
    let is_up = |name: &ImageName| registries.contains_key(name.registry());
    request.names.retain(|tagged| is_up(&tagged.name));
    let mut failures = Vec::new();
    let mut deadline: Option<Deadline> = None;
    let (mut tries, mut repeated) = (0, 0);
    let begin = || Deadline::after(session.inputs.push_timeout, Pace::REAL);
    loop {
        let (pushed, images) = unbounded_channel();
        let build = build_context.build(&request, None, Some(pushed), record);
        let mut reads = EarlyReads::default();
        let built = reads.beside(build, images, session, registries);
        let failed: PushFailed = match built.await {
            Ok(built) => {
                let built = built.context("buildx built no image to push")?;
                let names = request.names.into_iter().map(|tagged| tagged.name);
                return Ok(PushResult {
                    built,
                    names: names.collect(),
                    failures,
                    reads,
                    deadline: deadline.unwrap_or_else(begin),
                });
            }
            Err(error) => error.downcast()?,
        };
        // A read that nobody polls would keep the question for push access from the token.
        drop(reads);
        tries += 1;
        let deadline = deadline.get_or_insert_with(begin);
        let name = failed.name(&request);
        let retry_after = deadline::retry_after_in_message(&failed.cause);
        let diagnosis = diagnose(session, registries, &name, &failed).await;
        let persistence = diagnosis.as_ref().map(|known| known.persistence);
        // A mistake in the setup, once it has happened several times in a row.
        repeated = match persistence {
            Some(Persistence::PermanentWhenRepeated | Persistence::PermanentWhenReachable) => {
                repeated + 1
            }
            _ => 0,
        };
        let is_final = repeated == PERMANENT_AFTER
            || is_refused(session, registries, &name, persistence).await;
        let retry = (!is_final)
            .then(|| deadline.retry(tries, retry_after))
            .flatten();
        if let Some(retry) = retry {
            let reason = failed.reason();
            let text = format!("Push to `{name}` failed ({reason}); {retry}");
            session.console.say(&text);
            retry.wait().await;
        } else {
            repeated = 0;
            let problem = explain_push(&subject(session, &name), &failed.cause, diagnosis);
            failures.push(problem.into());
            request.names.retain(|other| other.name != name);
            if request.names.is_empty() {
                return Err(failures.swap_remove(0));
            }
            let text = format!("{failed}; continuing without `{name}`");
            session.console.say(&text);
        }
        // What was built is in the cache, and asking for it again would be a build from scratch.
        request.parameters.no_cache = false;
        request.parameters.no_cache_filters.clear();
        request.parameters.pull = false;
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

/// Whether the registry refuses the push. After a refusal without a reason, it is asked again.
async fn is_refused(
    session: &Session,
    registries: &Registries,
    name: &ImageName,
    persistence: Option<Persistence>,
) -> bool {
    match persistence {
        Some(Persistence::Permanent) => true,
        Some(Persistence::Unclear) => {
            let access = push_access(session, &registries[name.registry()], name).await;
            matches!(access, PushAccess::Denied(_))
        }
        _ => false,
    }
}
