//! Thousands of packages, rules and publications at the same time, against the double: nothing that stays ever lacks
//! anything.

mod world;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use fastrand::Rng;
use futures_util::{StreamExt as _, stream};

use super::*;
use crate::cleanup::tests::world::World;

const NAME: &str = "acme/widget";
const TOKEN: &str = "ghs_of-the-test";
const RULES: &[&str] = &[
    "",
    "delete=pr-*,when=closed",
    "delete=sha-*,older-than=3d,keep=1",
    "delete=sha-*\nuntagged",
    "delete=pr-*\nuntagged,older-than=10d",
    "delete=*\nuntagged",
    "delete=*,keep=1",
    "delete=pr-*,when=closed\nuntagged,keep=1",
    "untagged",
];

/// What the runs did, so that a test of nothing is noticed.
#[derive(Default)]
struct Seen {
    deleted: Cell<usize>,
    published: Cell<usize>,
    clean: Cell<usize>,
}

fn add(cell: &Cell<usize>, count: usize) {
    cell.set(cell.get() + count);
}

/// One clean-up of a package with random rules.
struct Run {
    world: World,
    random: Rng,
    retention: &'static str,
    /// Before it.
    tags: BTreeMap<String, String>,
    cleanup: Cleanup,
}

/// What happens before a request of a clean-up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    /// Somebody publishes.
    Publication,
    /// The run is killed; the request may arrive.
    Kill,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let world = World::new(&mut random);
        Self {
            retention: random.choice(RULES).unwrap(),
            tags: world.double.tags(NAME),
            cleanup: Cleanup::default(),
            world,
            random,
        }
    }

    fn vars(&self) -> Vars {
        let (host, api) = (self.world.double.host(), self.world.double.api_url());
        Vars::of(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REPOSITORY", "acme/Widget"),
            ("GITHUB_EVENT_NAME", "schedule"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
            ("GITHUB_API_URL", &api),
            ("INPUT_REGISTRY", &host),
            ("INPUT_GITHUB-TOKEN", TOKEN),
            ("INPUT_RETENTION", self.retention),
        ])
    }

    /// Runs to the end, in which `event` happens before the request number `moment`. Returns what failed and was published;
    /// nothing if it was killed.
    async fn carry_out(
        &mut self,
        event: Event,
        moment: usize,
    ) -> Option<(Vec<anyhow::Error>, Vec<String>)> {
        let vars = self.vars();
        let now = DateTime::<Utc>::from(std::time::UNIX_EPOCH + self.world.double.time());
        let gate = self.world.double.gate();
        let (cleanup, world, random) = (&mut self.cleanup, &mut self.world, &mut self.random);
        let run = async {
            let cleaner = Cleaner::new(&[], &vars, now, Console::NOWHERE)
                .await
                .unwrap();
            let mut failures = cleaner.decide(cleanup).await;
            failures.extend(cleaner.delete(cleanup).await);
            failures
        };
        let mut published = Vec::new();
        let director = async {
            let mut passed = 0;
            loop {
                let waiting = gate.waiting().len();
                if waiting == 0 {
                    gate.arrival().await;
                    continue;
                }
                if passed == moment && event == Event::Publication {
                    published.push(world.publish(random));
                }
                if passed == moment && event == Event::Kill {
                    return;
                }
                gate.pass(random.usize(..waiting)).await;
                passed += 1;
            }
        };
        let failures = tokio::select! {
            failures = run => Some(failures),
            () = director => None,
        };
        Some((failures?, published))
    }

    fn deleted(&self) -> usize {
        let packages = self.cleanup.packages.iter();
        let deletions = packages.flat_map(|package| &package.deletions);
        let made = deletions.filter(|deletion| deletion.outcome == Some(Outcome::Deleted));
        made.count()
    }

    fn took_along(&self) -> bool {
        let mut packages = self.cleanup.packages.iter();
        let is_made = |it: &&PlannedDeletion| it.outcome == Some(Outcome::Deleted);
        packages.any(|package| {
            let made: Vec<_> = package.deletions.iter().filter(is_made).collect();
            let mut pairs = made.windows(2);
            pairs.any(|pair| {
                let is_image = pair[0].is_image && !pair[0].version.tags.is_empty();
                is_image && !pair[1].is_image && pair[1].version.tags.is_empty()
            })
        })
    }

    /// What is missing, with what says how to see it again.
    fn broken(&self, text: &str, published: &[String]) -> Option<String> {
        let missing = self.world.missing(&self.tags, published);
        let retention = self.retention;
        (!missing.is_empty()).then(|| format!("{text}, rules {retention:?}: lacks {missing:?}"))
    }
}

/// One clean-up; before its request number `moment`, somebody publishes.
async fn clean_up(seed: u64, seen: &Seen) -> Option<String> {
    let mut run = Run::new(seed);
    let moment = run.random.usize(..60);
    let ended = run.carry_out(Event::Publication, moment).await;
    let (failures, published) = ended.expect("nobody kills it");
    add(&seen.published, published.len());
    add(&seen.clean, usize::from(failures.is_empty()));
    add(&seen.deleted, run.deleted());
    let mut text = format!("seed {seed}, moment {moment}");
    for failure in failures {
        write!(text, ", {failure:#}").unwrap();
    }
    run.broken(&text, &published)
}

/// A clean-up that is killed before its request number `moment`, and then another one.
struct Killed {
    has_ended: bool,
    /// Whether it had deleted an image with a tag together with what belonged to it.
    took_along: bool,
    /// After the second one.
    tags: BTreeMap<String, String>,
}

async fn killed_and_repeated(seed: u64, moment: usize) -> Killed {
    let mut run = Run::new(seed);
    let ended = run.carry_out(Event::Kill, moment).await;
    let text = format!("seed {seed}, killed at {moment}");
    assert_eq!(run.broken(&text, &[]), None);
    let has_ended = ended.is_some();
    let took_along = run.took_along();
    run.cleanup = Cleanup::default();
    let (failures, _) = run.carry_out(Event::Kill, usize::MAX).await.unwrap();
    assert!(failures.is_empty(), "{text}: {failures:?}");
    assert_eq!(run.broken(&text, &[]), None);
    Killed {
        has_ended,
        took_along,
        tags: run.world.double.tags(NAME),
    }
}

#[tokio::test]
async fn nothing_that_stays_is_broken() {
    const SEEDS: u64 = 2000;
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let seen = Seen::default();
    let runs = (0..SEEDS).map(|seed| clean_up(seed, &seen));
    let broken: Vec<Option<String>> = stream::iter(runs).buffer_unordered(8).collect().await;
    let broken: Vec<String> = broken.into_iter().flatten().collect();
    assert!(
        broken.is_empty(),
        "{}: {:#?}",
        broken.len(),
        &broken[..broken.len().min(5)]
    );
    // Else the rules select nothing, or nobody publishes meanwhile.
    let counts = [&seen.deleted, &seen.published, &seen.clean].map(Cell::get);
    assert!(
        counts[0] > 2000 && counts[1] > 500 && counts[2] > 1900,
        "{counts:?}"
    );
}

#[tokio::test]
async fn kill_at_every_request_breaks_nothing_and_the_next_run_continues() {
    const PACKAGES: usize = 3;
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let (mut seed, mut packages) = (0, 0);
    while packages < PACKAGES {
        seed += 1;
        let whole = killed_and_repeated(seed, usize::MAX).await;
        if !whole.took_along {
            continue;
        }
        packages += 1;
        for moment in 0.. {
            let killed = killed_and_repeated(seed, moment).await;
            // No rule selects what was attached to an image that is gone by now.
            let mut tags = killed.tags;
            tags.retain(|tag, _| whole.tags.contains_key(tag) || !tag.starts_with("sha256-"));
            assert_eq!(tags, whole.tags, "seed {seed}, killed at {moment}");
            if killed.has_ended {
                break;
            }
        }
    }
}
