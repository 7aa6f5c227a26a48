//! The story of a publication: ask, build and push, prove, tag, read back.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;

use crate::credentials::Credentials;
use crate::engine::{Builder, Built, Engine, Record};
use crate::image::{Digest, ImageName, Tag};
use crate::plan::Plan;
use crate::plan::tags::Motion;
use crate::problem::Problem;
use crate::registry::{Patience, Proof, Registry, STALE_READS, Trouble, refusal};
use crate::vars::Vars;
use crate::workflow::Console;

/// What was achieved, kept although a later part may fail.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// The builder, to be removed when all is over if it was made for this run.
    pub(crate) builder: Option<Builder>,
    pub(crate) built: Option<Built>,
    /// What the build did, however far it came.
    pub(crate) record: Record,
    /// What each registry holds, read back from it.
    pub(crate) held: Vec<Held>,
}

/// What a registry holds of the image.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) name: ImageName,
    pub(crate) proof: Option<Proof>,
    /// The tags that point to the image.
    pub(crate) tags: Vec<Tag>,
}

/// A question a registry answers at once or not at all: long patience would only hide its absence.
const PREFLIGHT: Duration = Duration::from_secs(3);

/// Asks each registry whether it would take a push.
pub(crate) async fn check(
    plan: &Plan,
    credentials: &Credentials,
    console: Console,
) -> anyhow::Result<()> {
    let registries = connect(plan, credentials, console)?;
    preflight(plan, &registries, console).await
}

/// Builds, and pushes if the plan says so. What was achieved stands in `done`, also when this fails.
pub(crate) async fn publish(
    plan: &Plan,
    credentials: &Credentials,
    push_timeout: Duration,
    vars: &Vars,
    console: Console,
    done: &mut Done,
) -> anyhow::Result<()> {
    let engine = Engine::find(vars, plan).await?;
    let registries = if plan.push.is_push() {
        connect(plan, credentials, console)?
    } else {
        Registries::new()
    };
    preflight(plan, &registries, console).await?;
    let builder = engine.builder(plan, vars, credentials).await?;
    // It stands in `done` before it is made: a run that is stopped meanwhile removes it too.
    let builder = done.builder.insert(builder);
    builder.boot(&plan.build.platforms, console).await?;
    let built = engine
        .build(
            &plan.build,
            builder,
            vars,
            credentials,
            console,
            &mut done.record,
        )
        .await?;
    let Some(built) = built else {
        return Ok(());
    };
    let digest = built.digest.clone();
    done.built = Some(built);
    let patience = Patience::lasting(push_timeout);
    for name in plan.images.iter().filter(|_| plan.push.is_push()) {
        let registry = &registries[name.registry()];
        done.held.push(Held {
            name: name.clone(),
            proof: None,
            tags: Vec::new(),
        });
        let held = done.held.last_mut().expect("one was just pushed");
        settle(registry, plan, &digest, patience, held)
            .await
            .with_context(|| unsettled(name, &digest))?;
    }
    Ok(())
}

type Registries = BTreeMap<String, Registry>;

/// A connection to each registry the plan names.
fn connect(plan: &Plan, credentials: &Credentials, console: Console) -> anyhow::Result<Registries> {
    let hosts = plan.images.iter().map(ImageName::registry);
    hosts
        .map(|host| {
            Ok((
                host.to_owned(),
                Registry::new(host, credentials.login(host)?, console)?,
            ))
        })
        .collect()
}

async fn preflight(plan: &Plan, registries: &Registries, console: Console) -> anyhow::Result<()> {
    for name in &plan.images {
        let Some(registry) = registries.get(name.registry()) else {
            continue;
        };
        match registry
            .repository(name.repository(), Patience::lasting(PREFLIGHT))
            .may_push()
            .await
        {
            Ok(()) => console.say(&format!(
                "{} takes a push of {}",
                name.registry(),
                name.repository()
            )),
            Err(
                trouble @ (Trouble::Denied { .. }
                | Trouble::Unreachable { .. }
                | Trouble::Broken { .. }),
            ) => return Err(refusal(name, trouble)),
            Err(trouble) => console.say(&format!(
                "whether {name} takes a push is not clear, so the build goes on: {trouble}"
            )),
        }
    }
    Ok(())
}

/// Proves the digest, lets the tags point to it, the floating ones last, and reads them back.
async fn settle(
    registry: &Registry,
    plan: &Plan,
    digest: &Digest,
    patience: Patience,
    held: &mut Held,
) -> anyhow::Result<()> {
    let path = held.name.repository().to_owned();
    let repository = registry.repository(&path, patience);
    let proof = repository.prove(digest).await?;
    let manifest = proof.manifest.clone();
    held.proof = Some(proof);
    let mut written = Ok(());
    for tags in waves(plan) {
        written = repository.tag(&manifest, &tags).await;
        if written.is_err() {
            break;
        }
    }
    let all: Vec<Tag> = plan
        .tags
        .iter()
        .map(|planned| planned.tag.clone())
        .collect();
    // What could not be written will not turn up, however long one waits.
    let lag = if written.is_ok() {
        STALE_READS
    } else {
        Duration::ZERO
    };
    held.tags = repository.read_back(digest, &all, lag).await?;
    written?;
    let missing: Vec<String> = all
        .iter()
        .filter(|tag| !held.tags.contains(tag))
        .map(|tag| format!("`{tag}`"))
        .collect();
    anyhow::ensure!(
        missing.is_empty(),
        "after a minute {} still points to another image",
        missing.join(", ")
    );
    Ok(())
}

/// The tags the engine has not pushed, in the order in which they are written: those that never move,
/// then the floating ones, `latest` alone at the end.
fn waves(plan: &Plan) -> Vec<Vec<Tag>> {
    let wave = |which: fn(Motion, &Tag) -> bool| {
        let tags = plan
            .tags
            .iter()
            .filter(|planned| planned.tag != plan.primary && which(planned.motion, &planned.tag));
        tags.map(|planned| planned.tag.clone()).collect::<Vec<_>>()
    };
    let waves = [
        wave(|motion, _| motion == Motion::Fixed),
        wave(|motion, tag| motion == Motion::Floating && tag.as_str() != "latest"),
        wave(|motion, tag| motion == Motion::Floating && tag.as_str() == "latest"),
    ];
    waves.into_iter().filter(|wave| !wave.is_empty()).collect()
}

fn unsettled(name: &ImageName, digest: &Digest) -> Problem {
    Problem::new(
        format!("`{name}@{digest}` was pushed, but its tags are not all in place"),
        "run the job again: the build is cached, and the tags move once the registry is well",
    )
}
