//! Two and three runs at once, every request in the order that a schedule says: the newest wins.
//!
//! The runs are the production code; a gate in the double lets their requests pass one at a time.

use std::cell::Cell;
use std::collections::BTreeMap;

use futures_util::future::join_all;
use ghcr_double::{Account, Conditions, Double, Gate, Package, Repository, Seen};

use crate::deadline::{Deadline, Pace};
use crate::error::Explanation;
use crate::publish::faults::fixture;
use crate::publish::preflight::connect;
use crate::publish::{
    Done, Published, PushedImage, Release, combine, preflight, verify_and_move_tags,
};

const NAME: &str = "acme/widget";
const TOKEN: &str = "ghs_of-the-races";

/// What the runs publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ordering {
    /// Releases, compared by version.
    Versions,
    /// Pushes to one branch, compared by history.
    Ancestry,
    /// The same, and the branch has no tag yet.
    NewBranch,
    /// Releases of one version, of different commits.
    OneVersion,
}

/// A run that races: its commit, and the git ref it was started by.
struct Racer {
    host: String,
    commit: String,
    git_ref: String,
    digest: String,
    /// Whether it is between question and write: it read another image than its own, and may write.
    asked: Cell<bool>,
    /// How many of its requests have passed.
    passed: Cell<u32>,
    has_ended: Cell<bool>,
}

struct Race {
    double: Double,
    gate: std::sync::Arc<Gate>,
    ordering: Ordering,
    racers: Vec<Racer>,
}

const RELEASES: [&str; 3] = ["1.2.9", "2.0.0", "2.1.0"];

fn commit(number: usize) -> String {
    format!("{number}").repeat(40)
}

impl Ordering {
    fn git_ref(self, number: usize) -> String {
        match self {
            Self::Versions => format!("refs/tags/v{}", RELEASES[number]),
            Self::Ancestry | Self::NewBranch => "refs/heads/main".to_owned(),
            Self::OneVersion => format!("refs/tags/v{}", RELEASES[0]),
        }
    }

    fn rules(self) -> &'static str {
        match self {
            Self::Versions => "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}",
            Self::Ancestry | Self::NewBranch => "type=ref,event=branch",
            Self::OneVersion => "type=semver,pattern={{version}}",
        }
    }

    /// What each tag shows in the end, as numbers of the runs.
    fn expected(self, runs: usize) -> BTreeMap<&'static str, usize> {
        match self {
            Self::Versions => BTreeMap::from([("latest", runs - 1), ("2", runs - 1), ("1", 0)]),
            Self::Ancestry | Self::NewBranch => BTreeMap::from([("main", runs - 1)]),
            Self::OneVersion => BTreeMap::new(),
        }
    }
}

impl Race {
    fn new(ordering: Ordering, runs: usize, conditions: Conditions) -> Self {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let date = "2026-11-20T10:00:00Z";
        let mut repository = Repository::new("acme/Widget").commit(&commit(9), &[], date);
        let mut parent = commit(9);
        for number in 0..runs {
            repository = repository.commit(&commit(number), &[&parent], date);
            parent = commit(number);
        }
        let double = Double::builder()
            .token(TOKEN, Account::workflow("acme/Widget"))
            .package(NAME, Package::of("acme/Widget"))
            .repository(repository)
            .conditions(conditions)
            .blobs_in_place()
            .start()
            .unwrap();
        let branch = (ordering != Ordering::NewBranch).then_some("main");
        for tag in ["latest", "1", "2"].into_iter().chain(branch) {
            image(&double, tag, &commit(9));
        }
        let racers = (0..runs).map(|number| Racer {
            host: double.listen_again().unwrap(),
            commit: commit(number),
            git_ref: ordering.git_ref(number),
            // PushedImage by digest: under a tag that is gone, as far as the runs can see.
            digest: image(&double, &format!("pushed-{number}"), &commit(number)),
            asked: Cell::new(false),
            passed: Cell::new(0),
            has_ended: Cell::new(false),
        });
        let racers = racers.collect();
        let gate = double.gate();
        Self {
            double,
            gate,
            ordering,
            racers,
        }
    }

    /// Runs all of them to their end.
    async fn ended(&self, seed: u64, is_fair: bool) -> Vec<anyhow::Result<()>> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let late = match is_fair {
            true => None,
            false => Some(Late::any(self.racers.len(), &mut rng)),
        };
        let mut schedule = Schedule {
            race: self,
            rng,
            late,
            is_fair,
        };
        let runs = join_all(self.racers.iter().map(|racer| self.publish(racer)));
        tokio::select! {
            ended = runs => ended,
            () = schedule.direct() => Vec::new(),
        }
    }

    /// Runs all of them to their end, and says what went wrong.
    async fn run(&self, seed: u64, is_fair: bool) -> Result<(), String> {
        let ended = self.ended(seed, is_fair).await;
        let errors = ended.into_iter().filter_map(Result::err);
        let errors: Vec<String> = errors
            .map(|error| Explanation::of(&error).to_string())
            .collect();
        let tags = self.double.tags(NAME);
        let runs = self.racers.len();
        let wrong = self
            .ordering
            .expected(runs)
            .into_iter()
            .filter(|(tag, run)| {
                let shows = tags.get(*tag);
                shows != Some(&self.racers[*run].digest)
            });
        let wrong: Vec<&str> = wrong.map(|(tag, _)| tag).collect();
        if errors.is_empty() && wrong.is_empty() {
            return Ok(());
        }
        Err(format!("wrong {wrong:?}, errors {errors:?}"))
    }

    /// All of a publication but the build.
    async fn publish(&self, racer: &Racer) -> anyhow::Result<()> {
        let api = format!("http://{}/api/v3", racer.host);
        let session = fixture::session(&[
            ("GITHUB_API_URL", &api),
            ("GITHUB_REF", &racer.git_ref),
            ("GITHUB_SHA", &racer.commit),
            ("INPUT_GITHUB-TOKEN", TOKEN),
            ("INPUT_REGISTRY", &racer.host),
            ("INPUT_TAGS", self.ordering.rules()),
        ]);
        let pace = Pace::waiting(200);
        let registries = connect(&session, pace).await?;
        preflight::before_build(&session, &registries).await?;
        let images = session.plan.images.iter().cloned();
        let mut done = Done {
            published: images.map(Published::new).collect(),
            ..Done::default()
        };
        let image = PushedImage {
            digest: racer.digest.parse()?,
            since: None,
            tag: None,
            commit: Ok(racer.commit.clone()),
            attester: None,
            release: Release::default(),
        };
        let deadline = Deadline::after(std::time::Duration::from_secs(36_000), pace);
        let moved =
            verify_and_move_tags(&session, &registries, &image, deadline, &mut done.published);
        let ended = combine(moved.await);
        racer.asked.set(false);
        racer.has_ended.set(true);
        ended
    }
}

/// The request that waits until all other runs have ended: a write that arrives late.
#[derive(Clone, Copy)]
enum Late {
    /// Whichever it is.
    Nth(usize, u32),
    /// The write of a floating tag.
    Write(usize),
}

impl Late {
    fn any(runs: usize, rng: &mut fastrand::Rng) -> Self {
        let racer = rng.usize(..runs);
        match rng.bool() {
            true => Self::Write(racer),
            false => Self::Nth(racer, rng.u32(..25)),
        }
    }
}

/// Which request passes next.
struct Schedule<'a> {
    race: &'a Race,
    rng: fastrand::Rng,
    late: Option<Late>,
    /// Whether a second look waits until nobody is between question and write, as it does when the runs are
    /// about as fast as each other.
    is_fair: bool,
}

impl Schedule<'_> {
    /// Lets requests pass for ever.
    async fn direct(&mut self) {
        loop {
            let waiting = self.race.gate.waiting();
            let ready: Vec<usize> = (0..waiting.len())
                .filter(|place| self.may_pass(&waiting[*place]))
                .collect();
            // Now and then a run that is about to ask something gets the time to do so.
            let lone = ready.len() < self.race.racers.len() && self.rng.u8(..3) == 0;
            if ready.is_empty() || lone {
                let limit = std::time::Duration::from_millis(1);
                let arrival = tokio::time::timeout(limit, self.race.gate.arrival()).await;
                if arrival.is_ok() || ready.is_empty() {
                    continue;
                }
            }
            let place = ready[self.rng.usize(..ready.len())];
            self.note(&waiting[place]);
            self.race.gate.pass(place).await;
        }
    }

    fn racer(&self, seen: &Seen) -> &Racer {
        let mut racers = self.race.racers.iter();
        racers.find(|racer| racer.host == seen.host).unwrap()
    }

    fn floating_tag(&self, seen: &Seen) -> Option<&'static str> {
        let tags = self.race.ordering.expected(self.race.racers.len());
        let tag = seen.path.rsplit_once("/manifests/")?.1;
        tags.into_keys().find(|known| *known == tag)
    }

    fn may_pass(&self, seen: &Seen) -> bool {
        let racer = self.racer(seen);
        let mut others = self.race.racers.iter();
        if self.is_late(seen, racer)
            && others.any(|other| other.host != racer.host && !other.has_ended.get())
        {
            return false;
        }
        let is_second_look = self
            .floating_tag(seen)
            .is_some_and(|tag| seen.method != "PUT" && self.shows_own(racer, tag));
        let mut racers = self.race.racers.iter();
        let another_writes = racers.any(|other| other.host != racer.host && other.asked.get());
        !(self.is_fair && is_second_look && another_writes)
    }

    fn is_late(&self, seen: &Seen, racer: &Racer) -> bool {
        let is = |number: usize| self.race.racers[number].host == racer.host;
        match self.late {
            Some(Late::Nth(number, nth)) => is(number) && racer.passed.get() == nth,
            Some(Late::Write(number)) => {
                is(number) && seen.method == "PUT" && self.floating_tag(seen).is_some()
            }
            None => false,
        }
    }

    fn shows_own(&self, racer: &Racer, tag: &str) -> bool {
        self.race.double.tags(NAME).get(tag) == Some(&racer.digest)
    }

    fn note(&self, seen: &Seen) {
        let racer = self.racer(seen);
        racer.passed.set(racer.passed.get() + 1);
        if let Some(tag) = self.floating_tag(seen) {
            let asks = seen.method != "PUT" && !self.shows_own(racer, tag);
            racer.asked.set(asks);
        }
    }
}

fn image(double: &Double, tag: &str, commit: &str) -> String {
    let annotations = [
        (
            "org.opencontainers.image.source",
            "https://github.com/acme/Widget",
        ),
        ("org.opencontainers.image.revision", commit),
    ];
    double.put_image(NAME, tag, &annotations)
}

/// Every schedule of the seeds ends with the newest.
async fn check(ordering: Ordering, conditions: Conditions, is_fair: bool) {
    const SEEDS: u64 = 52;
    for runs in [2, 3] {
        for seed in 0..SEEDS {
            let race = Race::new(ordering, runs, conditions);
            let ended = race.run(seed, is_fair).await;
            assert_eq!(
                ended,
                Ok(()),
                "{ordering:?} {conditions:?} {runs} runs, seed {seed}"
            );
        }
    }
}

#[tokio::test]
async fn versions_end_with_the_newest_whatever_the_order() {
    check(Ordering::Versions, Conditions::Ignored, false).await;
}

#[tokio::test]
async fn versions_end_with_the_newest_where_conditions_are_honoured() {
    check(Ordering::Versions, Conditions::Honoured, false).await;
}

#[tokio::test]
async fn versions_end_with_the_newest_where_entity_tags_are_weak() {
    check(Ordering::Versions, Conditions::Weak, false).await;
}

#[tokio::test]
async fn branches_end_with_the_newest_where_conditions_are_honoured() {
    check(Ordering::Ancestry, Conditions::Honoured, false).await;
}

#[tokio::test]
async fn new_branch_ends_with_the_newest_where_conditions_are_honoured() {
    check(Ordering::NewBranch, Conditions::Honoured, false).await;
}

/// Where conditions are ignored, a write that arrives after the other run's second look goes unnoticed: the
/// schedules are those of runs that are about as fast as each other.
#[tokio::test]
async fn branches_end_with_the_newest_where_conditions_are_ignored() {
    check(Ordering::Ancestry, Conditions::Ignored, true).await;
}

/// Whichever order the requests of two and three releases have, one creates the version, and the others fail.
#[tokio::test]
async fn one_of_the_releases_of_a_version_wins() {
    for (runs, seed) in [2, 3]
        .into_iter()
        .flat_map(|runs| (0..52).map(move |seed| (runs, seed)))
    {
        let race = Race::new(Ordering::OneVersion, runs, Conditions::Honoured);
        let ended = race.ended(seed, false).await;
        let shown = race.double.tags(NAME)[RELEASES[0]].clone();
        for (racer, ended) in race.racers.iter().zip(ended) {
            let error = ended.err().map(|error| Explanation::of(&error).to_string());
            let is_refused = |error: &String| error.contains(&format!("it shows {shown}"));
            assert_eq!(
                racer.digest == shown,
                error.is_none(),
                "seed {seed}: {error:?}"
            );
            assert!(
                error.as_ref().is_none_or(is_refused),
                "seed {seed}: {error:?}"
            );
        }
    }
}
