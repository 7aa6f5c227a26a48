//! Makes the deletions of one package, in batches: the images of a batch, then a new list of the package, then what
//! belonged to them alone.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::cleanup::pace::{Points, READ, WRITE};
use crate::cleanup::read::Inventory;
use crate::cleanup::{
    Cleaner, KeptVersion, Outcome, PackageCleanup, PlannedDeletion, package_of, read,
};
use crate::error::{Explanation, Problem};
use crate::github::packages::{NoAnswer, VersionDeletion};
use crate::image::name::ImageName;
use crate::image::version::Version;

/// Of a deletion that was sent.
const UNANSWERED: &str = "the run ended before GitHub answered: it may be deleted";
/// How many requests are left to the other jobs of the repository, which share the rate limit.
const RESERVE: u64 = 100;
/// The least number of deletions in a batch.
const BATCH: usize = 100;
/// A batch has more deletions if the list has many pages: at least this many for each, so that lists take a small part of
/// the requests.
const PER_PAGE: usize = 4;
const PAGE: usize = 100;

/// Why a deletion is the last one of this run.
enum Stop {
    /// The next run goes on.
    Limit(String),
    Failure(anyhow::Error),
}

/// The deletions of one package while they are made.
struct Deleting<'a> {
    cleaner: &'a Cleaner,
    name: &'a ImageName,
    inventory: &'a mut Inventory,
    deletions: &'a mut [PlannedDeletion],
    points: &'a mut Points,
    /// What goes by the newest facts.
    going: BTreeSet<u64>,
}

impl Stop {
    fn of(no_answer: NoAnswer) -> Self {
        match no_answer.is_limit {
            true => Self::Limit(no_answer.problem.to_string()),
            false => Self::Failure(no_answer.problem.into()),
        }
    }
}

impl Cleaner {
    /// # Errors
    ///
    /// If GitHub refuses a deletion or does not answer until the deadline. What follows is not tried.
    pub(super) async fn delete_in(
        &self,
        package: &mut PackageCleanup,
        points: &mut Points,
    ) -> anyhow::Result<()> {
        if package.deletions.is_empty() {
            return Ok(());
        }
        let going = package.deletions.iter().map(|deletion| deletion.version.id);
        let mut deleting = Deleting {
            cleaner: self,
            name: &package.name,
            going: going.collect(),
            inventory: &mut package.inventory,
            deletions: &mut package.deletions,
            points,
        };
        let stop = deleting.run().await.err();
        self.update_kept(package);
        match stop {
            None => Ok(()),
            Some(Stop::Failure(error)) => Err(error),
            Some(Stop::Limit(reason)) => {
                package.stopped = Some(reason);
                Ok(())
            }
        }
    }

    /// What stays by the newest facts, without what was to be deleted.
    fn update_kept(&self, package: &mut PackageCleanup) {
        let Ok(decision) = package.inventory.decide(self.now) else {
            return;
        };
        let planned = package.deletions.iter().map(|deletion| deletion.version.id);
        let planned: BTreeSet<u64> = planned.collect();
        let kept = decision.kept.iter();
        let kept = kept.filter(|kept| !planned.contains(&kept.version.id));
        package.kept = kept.map(KeptVersion::of).collect();
    }

    /// Whether the rest of the rate limit is for others.
    pub(super) fn is_limited(&self) -> bool {
        let remaining = self.github.remaining_requests();
        remaining.is_some_and(|remaining| remaining < RESERVE)
    }
}

impl Deleting<'_> {
    async fn run(&mut self) -> Result<(), Stop> {
        for batch in self.batches() {
            let is_image =
                |deletion: &PlannedDeletion| deletion.is_image && !deletion.version.tags.is_empty();
            let (images, rest): (Vec<usize>, Vec<usize>) =
                batch.partition(|index| is_image(&self.deletions[*index]));
            for index in images {
                self.delete(index).await?;
            }
            if !rest.is_empty() {
                self.list_again().await?;
            }
            for index in rest {
                self.delete(index).await?;
            }
        }
        Ok(())
    }

    /// Whole images with what belongs to them.
    fn batches(&self) -> Vec<Range<usize>> {
        let pages = self.inventory.versions.len().div_ceil(PAGE);
        let size = BATCH.max(pages * PER_PAGE);
        let mut batches = Vec::new();
        let mut start = 0;
        for (index, deletion) in self.deletions.iter().enumerate() {
            if deletion.is_image && index - start >= size {
                batches.push(start..index);
                start = index;
            }
        }
        batches.push(start..self.deletions.len());
        batches
    }

    async fn delete(&mut self, index: usize) -> Result<(), Stop> {
        let version = self.deletions[index].version.clone();
        if !self.going.contains(&version.id) {
            let reason = "something that stays needs it, by the newest list of versions";
            self.deletions[index].outcome = Some(Outcome::Kept(reason.to_owned()));
            return Ok(());
        }
        self.stop_at_limit()?;
        let outcome = self.try_to_delete(index, &version).await;
        match &outcome {
            Err(Stop::Failure(error)) => {
                self.deletions[index].outcome = Some(Outcome::Failed(error.to_string()));
            }
            Err(Stop::Limit(_)) => self.deletions[index].outcome = None,
            Ok(_) => {}
        }
        let outcome = outcome?;
        if self.deletions[index].is_image {
            self.say(index, &outcome);
        }
        let stays = !matches!(outcome, Outcome::Deleted | Outcome::Gone);
        self.deletions[index].outcome = Some(outcome);
        if stays {
            self.hold(&version)?;
        }
        Ok(())
    }

    fn stop_at_limit(&self) -> Result<(), Stop> {
        let reason =
            format!("fewer than {RESERVE} requests are left of the rate limit of GitHub's API");
        match self.cleaner.is_limited() {
            true => Err(Stop::Limit(reason)),
            false => Ok(()),
        }
    }

    async fn try_to_delete(&mut self, index: usize, version: &Version) -> Result<Outcome, Stop> {
        if let Some(outcome) = self.new_state(version).await? {
            return Ok(outcome);
        }
        // What is known if the run ends before the answer comes.
        self.deletions[index].outcome = Some(Outcome::Failed(UNANSWERED.to_owned()));
        self.send(version).await
    }

    /// Why a version with tags is not deleted, if it is no longer as it was listed. Versions without tags are judged by
    /// the list.
    async fn new_state(&mut self, listed: &Version) -> Result<Option<Outcome>, Stop> {
        if listed.tags.is_empty() {
            return Ok(None);
        }
        self.points.spend(READ).await;
        let cleaner = self.cleaner;
        let package = package_of(self.name);
        let now = cleaner
            .github
            .version(package, listed.id, cleaner.deadline());
        let now = now.await.map_err(Stop::of)?;
        Ok(match now {
            None => Some(Outcome::Gone),
            Some(now) if is_as_listed(&now, listed) => None,
            Some(now) => Some(Outcome::Kept(format!(
                "it changed after it was listed, at {}, and has the tags `{}`",
                now.changed_at().format("%Y-%m-%dT%H:%M:%SZ"),
                now.tags.join("` `")
            ))),
        })
    }

    async fn send(&mut self, version: &Version) -> Result<Outcome, Stop> {
        self.points.spend(WRITE).await;
        let cleaner = self.cleaner;
        let package = package_of(self.name);
        let deleted = cleaner
            .github
            .delete_version(package, version.id, cleaner.deadline());
        Ok(match deleted.await {
            VersionDeletion::Deleted => Outcome::Deleted,
            VersionDeletion::Gone => Outcome::Gone,
            VersionDeletion::Retained(problem) => Outcome::Retained(in_one_line(problem)),
            VersionDeletion::Limited(problem) => return Err(Stop::Limit(problem.to_string())),
            VersionDeletion::Refused(problem) => return Err(Stop::Failure(problem.into())),
        })
    }

    /// Keeps what `version` refers to: it was selected, and stays.
    fn hold(&mut self, version: &Version) -> Result<(), Stop> {
        self.inventory.held.insert(version.digest.clone());
        self.decide_again()
    }

    /// A publication may need what was to be deleted: lists and reads what is new, and decides again.
    async fn list_again(&mut self) -> Result<(), Stop> {
        self.stop_at_limit()?;
        let listed = self.cleaner.list(self.name).await;
        let listed = listed.map_err(Stop::of)?;
        let done = self
            .deletions
            .iter()
            .filter(|deletion| matches!(deletion.outcome, Some(Outcome::Deleted | Outcome::Gone)));
        let done: BTreeSet<u64> = done.map(|deletion| deletion.version.id).collect();
        self.inventory.update(listed, &done);
        let complete = self.cleaner.complete(self.name, self.inventory);
        complete.await.map_err(Stop::Failure)?;
        self.decide_again()
    }

    fn decide_again(&mut self) -> Result<(), Stop> {
        let decision = self.inventory.decide(self.cleaner.now);
        let decision =
            decision.map_err(|root| Stop::Failure(read::unreadable(self.name, &root).into()))?;
        let groups = decision.groups.iter();
        let going = groups.flat_map(|group| &group.deletions);
        self.going = going.map(|deletion| deletion.version.id).collect();
        Ok(())
    }

    /// One line for each image.
    fn say(&self, index: usize, outcome: &Outcome) {
        let deletion = &self.deletions[index];
        let after = self.deletions[index + 1..].iter();
        let others = after.take_while(|deletion| !deletion.is_image);
        let text = line(self.name, deletion, others.count(), outcome);
        self.cleaner.console.say(&text);
    }
}

fn is_as_listed(now: &Version, listed: &Version) -> bool {
    let tags = |version: &Version| version.tags.iter().cloned().collect::<BTreeSet<String>>();
    tags(now) == tags(listed) && now.changed_at() <= listed.changed_at()
}

fn line(name: &ImageName, deletion: &PlannedDeletion, others: usize, outcome: &Outcome) -> String {
    let (verb, why) = match outcome {
        Outcome::Deleted if others > 0 => (
            "deleted",
            format!("{}; then {others} that belong to it", deletion.reason),
        ),
        Outcome::Deleted => ("deleted", deletion.reason.clone()),
        Outcome::Gone => ("gone", "somebody else deleted it".to_owned()),
        Outcome::Kept(reason) => ("kept", reason.clone()),
        Outcome::Retained(reason) => ("retained", reason.clone()),
        Outcome::Failed(reason) => ("failed", reason.clone()),
    };
    let version = &deletion.version;
    format!(
        "{verb:<9} {name} {} (version {}): {why}",
        version.name(),
        version.id
    )
}

fn in_one_line(problem: Problem) -> String {
    let explanation = Explanation::of(&problem.into());
    match explanation.because.is_empty() {
        true => explanation.what,
        false => explanation.because.join(": "),
    }
}
