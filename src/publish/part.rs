//! An image that several jobs build: pushes the part of this job, and completes the image once every part is there.

mod parts;
mod records;

#[cfg(test)]
mod tests;

use std::future::ready;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use serde_json::Map;
use tokio::time::Instant;

use crate::buildx::Built;
use crate::buildx::progress::Record;
use crate::deadline::{Deadline, Pace};
use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::index::{IndexEntry, assemble};
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::plan::part::PartPlan;
use crate::post_state::PostState;
use crate::publish::attest::Attester;
use crate::publish::commit_tags::CommitTagCheck;
use crate::publish::early_answers::EarlyAnswers;
use crate::publish::early_reads::EarlyReads;
use crate::publish::part::parts::Parts;
use crate::publish::preflight::{Registries, connect, names_in, subject};
use crate::publish::push::{BuildContext, PushResult, build_and_push};
use crate::publish::{
    Done, Published, PushedImage, Release, combine, promote, verify_and_move_tags,
};
use crate::registry::error::RegistryError;
use crate::registry::part_record::{FoundRecord, PartRecord, manifests_for};
use crate::registry::{Repository, explain};
use crate::session::Session;
use crate::vars::Vars;

/// What became of an image that several jobs build.
#[derive(Debug, Default)]
pub(crate) struct PartDone {
    /// What this job pushed; none if it only completes images.
    pub(crate) digest: Option<Digest>,
    /// The platforms whose parts are missing; none if this job completes the image.
    pub(crate) missing: Vec<String>,
    /// Whether another job completed the image.
    pub(crate) is_of_other_job: bool,
}

/// When a job looks again for the parts of the others: registries show a tag some seconds after it was written, and
/// two jobs that end together must not miss each other.
const LOOKS: [Duration; 3] = [
    Duration::from_secs(4),
    Duration::from_secs(6),
    Duration::from_secs(10),
];
/// What the post step finds in its environment as `STATE_incomplete_part`.
const STATE: &str = "incomplete_part";
/// How often a job that only merges looks.
const INTERVAL: Duration = Duration::from_secs(5);

/// What completing an image needs.
#[derive(Clone, Copy)]
struct Job<'a> {
    session: &'a Session,
    registries: &'a Registries,
    plan: &'a PartPlan,
    attester: Option<&'a Attester<'a>>,
    deadline: Deadline,
}

/// Records the part that this job pushed, and completes the image if no other part is missing.
pub(super) async fn publish(
    session: &Session,
    registries: &Registries,
    plan: &PartPlan,
    attester: Option<&Attester<'_>>,
    pushed: PushResult<'_>,
    done: &mut Done,
) -> anyhow::Result<()> {
    let PushResult {
        built,
        names,
        mut failures,
        reads,
        deadline,
    } = pushed;
    let job = Job {
        session,
        registries,
        plan,
        attester,
        deadline,
    };
    let part = done.part.insert(PartDone {
        digest: Some(built.digest.clone()),
        missing: plan.platforms.clone(),
        ..PartDone::default()
    });
    let text = format!("Pushed {}: {}", plan.own.join(", "), built.digest);
    session.console.say(&text);
    let since = reads.since;
    let records = names
        .iter()
        .map(|name| job.record(&built.digest, name, since));
    let records = join_all(records);
    let mut own = Vec::new();
    for recorded in reads.end_beside(records).await {
        match recorded {
            Ok(records) => own = records,
            Err(error) => failures.push(error),
        }
    }
    if own.is_empty() {
        return combine(failures);
    }
    let mut parts = Parts::new(job, own);
    parts.look_until_complete(LOOKS).await?;
    part.missing = parts.missing();
    if part.missing.is_empty() {
        failures.extend(job.complete(&parts, done).await.err());
        return combine(failures);
    }
    part.is_of_other_job = parts.are_published().await;
    parts.say_what_is_missing(part.is_of_other_job).await;
    if let Some(state) = PostState::of(&session.vars)
        && !part.is_of_other_job
    {
        state
            .set(STATE, "true")
            .context("could not record for the post step that parts are missing")?;
    }
    combine(failures)
}

/// Whether the step left an image without all of its parts.
pub(crate) fn is_left_incomplete(vars: &Vars) -> bool {
    vars.get("STATE_incomplete_part") == Some("true")
}

/// Looks once more in the post step, and completes the image if every part is there and no job did: a registry may have
/// hidden the record of the other job until now.
pub(crate) async fn look_again(session: &Session, done: &mut Done) -> anyhow::Result<()> {
    let (Some(plan), true) = (&session.plan.part, session.plan.push.is_push()) else {
        return Ok(());
    };
    let registries = &connect(session, Pace::REAL).await?;
    let mut job = Job::new(session, registries, plan);
    let mut parts = Parts::new(job, Vec::new());
    parts.look_until_complete([]).await?;
    if !parts.missing().is_empty() || parts.are_published().await {
        return Ok(());
    }
    let attester = Attester::new(session)?;
    job.attester = attester.as_ref();
    done.part = Some(PartDone::default());
    job.complete(&parts, done).await
}

/// Waits for every part, and completes the image.
pub(super) async fn merge(
    session: &Session,
    registries: &Registries,
    attester: Option<&Attester<'_>>,
    done: &mut Done,
) -> anyhow::Result<()> {
    let plan = session.plan.part.as_ref();
    let plan = plan.context("a merge has a plan for its parts")?;
    let job = Job {
        attester,
        ..Job::new(session, registries, plan)
    };
    let mut parts = Parts::new(job, Vec::new());
    let looks = session.inputs.part.merge_timeout.as_secs() / INTERVAL.as_secs();
    let looks = std::iter::repeat_n(INTERVAL, usize::try_from(looks).unwrap_or(usize::MAX));
    parts.look_until_complete(looks).await?;
    let missing = parts.missing();
    done.part = Some(PartDone {
        missing: missing.clone(),
        ..PartDone::default()
    });
    if missing.is_empty() {
        return job.complete(&parts, done).await;
    }
    let mut because = parts.remarks().await;
    if because.is_empty() {
        "no job of this run has recorded them".clone_into(&mut because);
    }
    let what = format!("the parts of {} are missing", missing.join(", "));
    let fix = "see why the jobs that build them failed, or set `merge-timeout` to a longer time; the inputs that describe the image must be the same in every job";
    Err(Problem::new(what, fix).because(because).into())
}

/// Pushes the image of this job's platforms by digest: the builder does, or this program does from a directory.
pub(super) async fn push<'a>(
    session: &'a Session,
    build_context: &BuildContext<'_>,
    registries: &'a Registries,
    record: &mut Record,
) -> anyhow::Result<PushResult<'a>> {
    if build_context.builder.can_push_by_digest() {
        return build_and_push(session, build_context, registries, record).await;
    }
    let request = session.plan.build.as_layout();
    let built = build_context.build_to_push(&request, record);
    let (built, found) = built.await?;
    let deadline = Deadline::after(session.inputs.push_timeout, Pace::REAL);
    let names: Vec<&ImageName> = names_in(registries, session).collect();
    let copies = names
        .iter()
        .map(|name| promote::copy_to(session, name, registries, &found, &found.root, deadline));
    let (mut pushed, mut failures) = (Vec::new(), Vec::new());
    for (name, copied) in names.iter().zip(join_all(copies).await) {
        match copied {
            Ok(_tags) => pushed.push((*name).clone()),
            Err(error) => failures.push(error),
        }
    }
    if pushed.is_empty() {
        combine(failures)?;
        anyhow::bail!("no registry is up");
    }
    Ok(PushResult {
        built: Built {
            digest: found.root.digest.clone(),
            ..built
        },
        names: pushed,
        failures,
        reads: EarlyReads::default(),
        deadline,
    })
}

fn pace(registries: &Registries) -> Pace {
    let first = registries.values().next();
    first.map_or(Pace::REAL, |registry| registry.pace)
}

impl<'a> Job<'a> {
    /// A job that attests nothing, with a deadline of its own.
    fn new(session: &'a Session, registries: &'a Registries, plan: &'a PartPlan) -> Self {
        Self {
            session,
            registries,
            plan,
            attester: None,
            deadline: Deadline::after(session.inputs.push_timeout, pace(registries)),
        }
    }
}

impl Job<'_> {
    fn repository<'b>(&'b self, name: &'b ImageName) -> Repository<'b> {
        self.registries[name.registry()].repository(name.repository(), self.deadline)
    }

    fn explained(&self, doing: &str, name: &ImageName, error: &RegistryError) -> anyhow::Error {
        explain::explain(doing, &subject(self.session, name), error).into()
    }

    /// Verifies what was pushed under a name, and writes the record of each platform there.
    async fn record(
        &self,
        digest: &Digest,
        name: &ImageName,
        since: Option<Instant>,
    ) -> anyhow::Result<Vec<PartRecord>> {
        let repository = self.repository(name);
        let explained = |what: String, error| self.explained(&what, name, &error);
        let tag = &self.session.plan.primary;
        let verified = repository.verify(digest, tag, since, ready(())).await;
        let verified = verified
            .map_err(|error| explained(format!("cannot verify `{name}@{digest}`"), error))?;
        let own = self.plan.own.iter();
        let own = own.map(|platform| self.record_of(platform, &verified.manifest));
        let mut records: Vec<PartRecord> = own.collect::<anyhow::Result<_>>()?;
        for record in &mut records {
            let tag = self.plan.record_tag(&record.platform);
            let shown = repository.record(&tag).await;
            let shown = shown.map_err(|error| {
                explained(format!("cannot read the record `{name}:{tag}`"), error)
            })?;
            if let Some(FoundRecord::Part(other)) = shown {
                self.refuse_double(record, &other)?;
            }
            let written = repository.put_record(record, &tag).await;
            let digest = written.map_err(|error| {
                explained(format!("cannot write the record `{name}:{tag}`"), error)
            })?;
            record.digest = Some(digest);
        }
        Ok(records)
    }

    fn record_of(&self, platform: &str, root: &Manifest) -> anyhow::Result<PartRecord> {
        let manifests = manifests_for(root, platform);
        if manifests.is_empty() {
            let what = format!("the build made no image for {platform}");
            let fix = "check the stages of the Dockerfile that set `--platform`";
            return Err(Problem::new(what, fix).into());
        }
        Ok(PartRecord {
            platform: platform.to_owned(),
            run: self.plan.run.clone(),
            attempt: self.plan.attempt,
            commit: self.plan.commit.clone(),
            created: self.session.now,
            rules: self.plan.rules.clone(),
            tags: self.plan.tags.clone(),
            manifests,
            digest: None,
        })
    }

    /// Makes the index of the parts, writes it, and publishes it as an image of one job.
    async fn complete(&self, parts: &Parts<'_>, done: &mut Done) -> anyhow::Result<()> {
        let records = parts.in_order();
        let created = records.iter().map(|record| record.created).max();
        let session = self
            .session
            .planned_at(created.unwrap_or(self.session.now))?;
        let manifests = records.iter().flat_map(|record| &record.manifests);
        let manifests = manifests.map(IndexEntry::listed);
        let manifests: Vec<IndexEntry> = manifests.collect::<Result<_, _>>()?;
        let mut annotations = session.plan.index_annotations();
        annotations.extend(self.plan.run_annotation());
        let index = assemble(&manifests, &annotations);
        let digests = manifests.into_iter().map(|manifest| manifest.digest);
        let digests: Vec<Digest> = digests.collect();
        let image = PushedImage {
            digest: index.digest.clone(),
            since: None,
            tag: None,
            commit: session.context.base_commit(),
            attester: self.attester,
            release: Release::default(),
        };
        CommitTagCheck::new(&session, &image.commit, Some(&index.digest))
            .require_all(self.registries, self.deadline, &EarlyAnswers::default())
            .await?;
        let names: Vec<&ImageName> = names_in(self.registries, &session).collect();
        let (index, digests) = (&index, &digests);
        let puts = names.iter().map(|&name| async move {
            let put = self.repository(name).put_index(index, digests).await;
            let what = format!("cannot put the parts of `{name}` together");
            put.map_err(|error| self.explained(&what, name, &error))
        });
        let mut failures = Vec::new();
        for (name, put) in names.iter().zip(join_all(puts).await) {
            match put {
                Ok(()) => done.published.push(Published::new((*name).clone())),
                Err(error) => failures.push(error),
            }
        }
        if done.published.is_empty() {
            return combine(failures);
        }
        let published = parts.published.iter();
        published.for_each(|text| session.console.say(text));
        let text = format!("Every part is there: the image is {}", index.digest);
        session.console.say(&text);
        done.built = Some(Built {
            digest: index.digest.clone(),
            config_digest: None,
            metadata: Map::new(),
        });
        let moved = verify_and_move_tags(
            &session,
            self.registries,
            &image,
            self.deadline,
            &mut done.published,
        );
        failures.extend(moved.await);
        done.plan = Some(session.plan);
        if failures.is_empty() {
            self.remove_records(parts).await;
        }
        combine(failures)
    }
}
