//! Publishers that race for one floating tag, in a model of a registry without conditional writes: each
//! asks, writes a little later, looks again, and puts back what it knows to be newer.

use std::time::Duration;

use fastrand::Rng;

use super::{Answer, MOST_ROUNDS, Relation, Standing, second_look};
use crate::plan::version::line::{Level, VersionLine};
use crate::plan::version::{Scheme, Version};

/// How the publishers of a world are ordered; number 3 is newer than number 2.
#[derive(Clone, Copy, Debug)]
enum Order {
    Versions,
    Commits,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Writes the tag of its own, which announces its version, and then asks.
    Ask,
    Write,
    Look,
}

struct Publisher {
    number: u64,
    next: Option<(u64, Step)>,
    gap: u64,
    rounds: u32,
}

struct World {
    order: Order,
    /// Microseconds a question and a write are apart, at least; four times that, at most.
    pace: u64,
    announced: Vec<String>,
    latest: Option<u64>,
}

impl World {
    fn standing(&self, ours: u64) -> Standing {
        match (self.order, self.latest) {
            (Order::Versions, _) => {
                let version = Version::parse(&tag(ours), Scheme::Semver).unwrap();
                Standing::by_version(&VersionLine::new(version, Level::Any), &self.announced)
            }
            (Order::Commits, None) => Standing::Newer,
            (Order::Commits, Some(shown)) => {
                let relation = match ours.cmp(&shown) {
                    std::cmp::Ordering::Less => Relation::Behind,
                    std::cmp::Ordering::Equal => Relation::Same,
                    std::cmp::Ordering::Greater => Relation::Ahead,
                };
                Standing::by_ancestry(relation, &shown.to_string())
            }
        }
    }

    fn step(&mut self, publisher: &mut Publisher, rng: &mut Rng) {
        let Some((now, step)) = publisher.next.take() else {
            return;
        };
        match step {
            Step::Ask => {
                self.announced.push(tag(publisher.number));
                if !matches!(self.standing(publisher.number), Standing::Older(_)) {
                    self.write_soon(publisher, now, rng);
                }
            }
            Step::Write => {
                self.latest = Some(publisher.number);
                let wait = second_look(Duration::from_micros(publisher.gap));
                publisher.next = Some((now + wait.as_micros() as u64, Step::Look));
            }
            Step::Look if self.latest == Some(publisher.number) => {}
            Step::Look => {
                let answer = self.standing(publisher.number).after_a_race();
                if answer == Answer::PutBack && publisher.rounds < MOST_ROUNDS {
                    publisher.rounds += 1;
                    self.write_soon(publisher, now, rng);
                }
            }
        }
    }

    fn write_soon(&self, publisher: &mut Publisher, now: u64, rng: &mut Rng) {
        publisher.gap = rng.u64(self.pace..self.pace * 4);
        publisher.next = Some((now + publisher.gap, Step::Write));
    }
}

fn tag(number: u64) -> String {
    format!("v1.{number}.0")
}

/// The number that `latest` shows in the end, and how many published.
fn race(order: Order, seed: u64) -> (Option<u64>, u64) {
    let mut rng = Rng::with_seed(seed);
    let count = rng.u64(2..=5);
    let pace = rng.u64(1_000..300_000);
    let mut world = World {
        order,
        pace,
        announced: Vec::new(),
        latest: None,
    };
    // Close together, where it is hard: most start within two of the gaps.
    let mut publishers: Vec<Publisher> = (1..=count)
        .map(|number| Publisher {
            number,
            next: Some((rng.u64(0..pace * 8), Step::Ask)),
            gap: 0,
            rounds: 0,
        })
        .collect();
    loop {
        let next = publishers
            .iter_mut()
            .filter(|publisher| publisher.next.is_some())
            .min_by_key(|publisher| publisher.next.map(|(at, _)| at));
        match next {
            Some(publisher) => world.step(publisher, &mut rng),
            None => return (world.latest, count),
        }
    }
}

#[test]
fn a_thousand_races_end_with_the_newest() {
    for order in [Order::Versions, Order::Commits] {
        for seed in 0..1_000 {
            let (latest, newest) = race(order, seed);
            assert_eq!(latest, Some(newest), "{order:?}, seed {seed}");
        }
    }
}

/// The second look is what does it: without one, some of the same races end with an older image.
#[test]
fn without_a_second_look_the_older_one_wins_at_times() {
    let lost = (0..1_000).filter(|seed| {
        let mut rng = Rng::with_seed(*seed);
        let (older, newer) = (rng.u64(0..100), rng.u64(0..100));
        let (older_writes, newer_writes) = (older + rng.u64(1..100), newer + rng.u64(1..100));
        let older_saw_newer = older > newer_writes;
        !older_saw_newer && older_writes > newer_writes
    });
    assert!(lost.count() > 100);
}
