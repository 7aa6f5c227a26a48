//! The parts of an image as far as their records are found.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream};

use crate::error::Problem;
use crate::image::digest::Digest;
use crate::image::manifest::Manifest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::plan::tags::Motion;
use crate::publish::part::{Job, pace};
use crate::publish::preflight::names_in;
use crate::registry::PARALLEL;
use crate::registry::copy_source::CopySource;
use crate::registry::part_record::{FoundRecord, PartRecord, manifests_for};

/// The parts that were found, by platform.
pub(super) struct Parts<'a> {
    job: Job<'a>,
    found: BTreeMap<String, PartRecord>,
    /// Why what was found is not taken.
    ignored: BTreeSet<String>,
    /// Which parts come from the image that this run published.
    pub(super) published: Option<String>,
}

/// How many records of other images of the run are compared with this one.
const MAX_COMPARED: usize = 20;

impl<'a> Parts<'a> {
    pub(super) fn new(job: Job<'a>, own: Vec<PartRecord>) -> Self {
        let own = own.into_iter();
        Self {
            job,
            found: own.map(|part| (part.platform.clone(), part)).collect(),
            ignored: BTreeSet::new(),
            published: None,
        }
    }

    /// The platforms without a part, in the order of the image.
    pub(super) fn missing(&self) -> Vec<String> {
        let platforms = self.job.plan.platforms.iter();
        let missing = platforms.filter(|platform| !self.found.contains_key(*platform));
        missing.cloned().collect()
    }

    /// The parts of a complete image, in the order of its index.
    pub(super) fn in_order(&self) -> Vec<&PartRecord> {
        let platforms = self.job.plan.platforms.iter();
        platforms
            .filter_map(|platform| self.found.get(platform))
            .collect()
    }

    /// The digests of the records of the parts.
    pub(super) fn records(&self) -> impl Iterator<Item = &Digest> {
        self.found.values().filter_map(|part| part.digest.as_ref())
    }

    /// Looks for the parts, and again after each of `delays` while some are missing. Fails if a registry does not answer, or
    /// if another job builds the same part.
    pub(super) async fn look_until_complete(
        &mut self,
        delays: impl IntoIterator<Item = Duration>,
    ) -> anyhow::Result<()> {
        self.look().await?;
        let missing = self.missing().join(", ");
        let mut delays = delays.into_iter().peekable();
        if !missing.is_empty() && delays.peek().is_some() {
            let text = format!("{missing} is not there yet, looking again");
            self.job.session.console.say(&text);
        }
        for delay in delays {
            if self.missing().is_empty() {
                return Ok(());
            }
            pace(self.job.registries).sleep(delay).await;
            self.look().await?;
        }
        self.take_from_image().await;
        Ok(())
    }
}

impl Parts<'_> {
    /// Reads the records of all platforms under all names, and takes the newest of each. Those of this job are read too:
    /// they tell whether another job builds the same part.
    async fn look(&mut self) -> anyhow::Result<()> {
        let (job, plan) = (self.job, self.job.plan);
        let names: Vec<&ImageName> = names_in(job.registries, job.session).collect();
        let wanted = names.iter().flat_map(|name| {
            let platforms = plan.platforms.iter();
            platforms.map(move |platform| (*name, platform, plan.record_tag(platform)))
        });
        let reads = wanted.map(|(name, platform, tag)| async move {
            let read = job.repository(name).record(&tag).await;
            (name, platform, tag, read)
        });
        let reads: Vec<_> = stream::iter(reads).buffered(PARALLEL).collect().await;
        for (name, platform, tag, read) in reads {
            let what = || format!("cannot read the record of the part, `{name}:{tag}`");
            let read = read.map_err(|error| job.explained(&what(), name, &error))?;
            let taken = match read {
                None => continue,
                Some(FoundRecord::Part(part)) => self.take(platform, part)?,
                Some(FoundRecord::Other(why)) => Err(why),
            };
            if let Err(why) = taken {
                self.ignored
                    .insert(format!("`{name}:{tag}` is ignored, because {why}"));
            }
        }
        Ok(())
    }

    /// Takes a part unless a newer one is there; else says why it is of another image.
    fn take(&mut self, platform: &str, part: PartRecord) -> Result<Result<(), String>, Problem> {
        let plan = self.job.plan;
        if let Some(why) = self.job.difference(platform, &part) {
            return Ok(Err(why));
        }
        let is_own = plan.own.iter().any(|own| own == platform);
        match self.found.get(platform) {
            Some(own) if is_own && part.attempt == own.attempt => {
                self.job.refuse_double(own, &part)?;
            }
            Some(known) if is_own || known.age() >= part.age() => {}
            _ => {
                self.found.insert(platform.to_owned(), part);
            }
        }
        Ok(Ok(()))
    }

    /// Takes missing parts from the image that this run published: their records are gone then. The first attempt of a job
    /// that builds a part has nothing to take.
    async fn take_from_image(&mut self) {
        let (missing, plan) = (self.missing(), self.job.plan);
        if missing.is_empty() || (plan.attempt < 2 && !plan.own.is_empty()) {
            return;
        }
        let Some(image) = self.job.shown_image().await else {
            return;
        };
        let listed = missing.join(", ");
        for platform in missing {
            let manifests = manifests_for(&image, &platform);
            if manifests.is_empty() {
                continue;
            }
            let digest = &image.digest;
            let text = format!("{listed} is in the image that this run published, {digest}");
            self.published = Some(text);
            let part = PartRecord {
                platform: platform.clone(),
                run: plan.run.clone(),
                attempt: plan.attempt,
                commit: plan.commit.clone(),
                created: created(&image).unwrap_or(self.job.session.now),
                rules: plan.rules.clone(),
                tags: plan.tags.clone(),
                manifests,
                digest: None,
            };
            self.found.insert(platform, part);
        }
    }

    /// Whether the image that a tag of the plan shows has every part that was found: then another job completed it.
    pub(super) async fn are_published(&self) -> bool {
        let Some(image) = self.job.shown_image().await else {
            return false;
        };
        let mut found = self.found.values();
        found.all(|part| manifests_for(&image, &part.platform) == part.manifests)
    }

    /// Says which parts are missing, and what was found in their place.
    pub(super) async fn say_what_is_missing(&self, is_complete: bool) {
        let console = self.job.session.console;
        if is_complete {
            return console.say("Another job of this run completed the image");
        }
        let missing = self.missing().join(", ");
        console.say(&format!(
            "The image is not complete: {missing} is missing; the job that pushes the last part completes the image"
        ));
        let remarks = self.remarks().await;
        if !remarks.is_empty() {
            console.say(&remarks);
        }
    }

    /// What was found in place of the missing parts: records that are not valid, and those of an image that differs from
    /// this one in one input.
    pub(super) async fn remarks(&self) -> String {
        let mut remarks: Vec<String> = self.ignored.iter().cloned().collect();
        remarks.extend(self.of_other_images().await);
        remarks.join("\n")
    }

    async fn of_other_images(&self) -> BTreeSet<String> {
        let mut remarks = BTreeSet::new();
        let (job, plan) = (self.job, self.job.plan);
        let own: Vec<Tag> = plan
            .platforms
            .iter()
            .map(|one| plan.record_tag(one))
            .collect();
        for name in names_in(job.registries, job.session) {
            let repository = job.repository(name);
            let tags = repository.tags().await.unwrap_or_default().names;
            let records = tags.iter().filter(|tag| tag.starts_with(&plan.prefix()));
            let records = records.filter_map(|tag| Tag::sanitized(tag));
            let others = records.filter(|tag| !own.contains(tag));
            for tag in others.take(MAX_COMPARED) {
                let Ok(Some(FoundRecord::Part(part))) = repository.record(&tag).await else {
                    continue;
                };
                if let [input] = plan.differing(&part.rules).as_slice() {
                    let platform = &part.platform;
                    remarks.insert(format!(
                        "a job of this run pushed {platform} with other `{input}`: `{name}:{tag}`"
                    ));
                }
            }
        }
        remarks
    }
}

impl Job<'_> {
    /// Why the part is not one of this image, which completes the sentence "it is ignored, because ...".
    fn difference(&self, platform: &str, part: &PartRecord) -> Option<String> {
        let plan = self.plan;
        if part.run != plan.run || part.platform != platform {
            return Some("it is the record of another part".to_owned());
        }
        if part.commit != plan.commit {
            return Some(format!("it is of the commit `{}`", part.commit));
        }
        if let Err(malformed) = part.digests() {
            return Some(format!("`{malformed}` is not a sha256 digest"));
        }
        let then = self.session.planned_at(part.created).ok()?;
        let tags = then.plan.part.map(|then| then.tags);
        (tags.as_ref() != Some(&part.tags)).then(|| "its job planned other tags".to_owned())
    }

    /// Refuses a second job that builds the same platform in the same attempt.
    pub(super) fn refuse_double(
        &self,
        own: &PartRecord,
        other: &PartRecord,
    ) -> Result<(), Problem> {
        let vars = &self.session.vars;
        // act numbers no runs and no attempts.
        let are_numbered = vars.in_actions() && !vars.is_true("ACT");
        if !are_numbered || own.attempt != other.attempt || own.manifests == other.manifests {
            return Ok(());
        }
        let what = format!(
            "two jobs of this run build {} of the same image",
            own.platform
        );
        let fix = "give each job other platforms in `part`, or other `tags` for another image";
        let other = other.manifests.first();
        let other = other.and_then(|image| image["digest"].as_str());
        let other = other.unwrap_or_default();
        Err(Problem::new(what, fix).because(format!("the other job pushed {other}")))
    }

    /// The index of this commit and run that a tag of the plan shows; the tag that does not move, if there is one.
    async fn shown_image(&self) -> Option<Manifest> {
        let session = self.session;
        let commit = session.context.named_commit().ok()?;
        let own = session.context.repository_facts().html_url;
        let tags = &session.plan.tags;
        let fixed = tags.iter().find(|planned| planned.motion == Motion::Fixed);
        let tag = &fixed.or(tags.first())?.tag;
        let name = names_in(self.registries, session).next()?;
        let repository = self.repository(name);
        let image = repository.manifest_of(tag).await.ok()??;
        let content = image.content().ok()?;
        let run = self.plan.run_annotation();
        let is_of_run = run.is_none_or(|(key, run)| content.annotations.get(&key) == Some(&run));
        if content.manifests.is_empty() || !is_of_run {
            return None;
        }
        let source = CopySource::Repository(repository);
        let identity = source.identity(&image, &own).await.ok()?;
        identity.is_of(commit).then_some(image)
    }
}

impl PartRecord {
    /// The newest part of a platform counts.
    fn age(&self) -> (u32, DateTime<Utc>) {
        (self.attempt, self.created)
    }
}

/// When the image was made.
fn created(image: &Manifest) -> Option<DateTime<Utc>> {
    let content = image.content().ok()?;
    let created = content
        .annotations
        .get("org.opencontainers.image.created")?;
    created.parse().ok()
}
