//! Two writers attach to one image at once; a gate lets their requests pass in the order of a schedule.

use std::cell::Cell;
use std::sync::Arc;

use ghcr_double::{Gate, Seen};

use super::*;

/// A writer, by the host that it uses.
struct Writer {
    registry: Registry,
    host: String,
    text: &'static str,
    /// Whether it has read the index and may write it.
    has_read: Cell<bool>,
    has_written: Cell<bool>,
    has_ended: Cell<bool>,
}

struct Race {
    double: Double,
    gate: Arc<Gate>,
    subject: Manifest,
    writers: [Writer; 2],
}

impl Race {
    /// Two writers; the index exists already, with another artifact, or does not.
    async fn new(conditions: Conditions, exists: bool) -> Self {
        let (double, subject) = with_image(builder().conditions(conditions).blobs_in_place());
        if exists {
            let registry = registry(&double.host());
            attach(&registry, &subject, "there").await.unwrap();
        }
        let writers = ["one", "two"].map(|text| {
            let host = double.listen_again().unwrap();
            Writer {
                registry: registry(&host),
                host,
                text,
                has_read: Cell::default(),
                has_written: Cell::default(),
                has_ended: Cell::default(),
            }
        });
        let gate = double.gate();
        Self {
            double,
            gate,
            subject,
            writers,
        }
    }

    /// Both attach; `may_pass` says whether a request of a writer, next to the other, may pass now.
    async fn attach(
        &self,
        seed: u64,
        may_pass: impl Fn(&Writer, &Writer, &Seen) -> bool,
    ) -> [Digest; 2] {
        let publish = async |writer: &Writer| {
            let attached = attach(&writer.registry, &self.subject, writer.text);
            let digest = attached.await.unwrap().digest;
            writer.has_read.set(false);
            writer.has_ended.set(true);
            digest
        };
        let [one, two] = &self.writers;
        let both = async { tokio::join!(publish(one), publish(two)) };
        tokio::select! {
            (one, two) = both => [one, two],
            () = self.direct(seed, may_pass) => unreachable!("it never ends"),
        }
    }

    /// Lets requests pass for ever, in an order that the seed decides.
    async fn direct(&self, seed: u64, may_pass: impl Fn(&Writer, &Writer, &Seen) -> bool) {
        let mut rng = fastrand::Rng::with_seed(seed);
        loop {
            let waiting = self.gate.waiting();
            let ready: Vec<usize> = (0..waiting.len())
                .filter(|place| {
                    let (own, other) = self.writers_of(&waiting[*place]);
                    may_pass(own, other, &waiting[*place])
                })
                .collect();
            // Now and then a writer that is about to ask something gets the time to do so.
            let lone = ready.len() < 2 && rng.u8(..3) == 0;
            if ready.is_empty() || lone {
                let limit = Duration::from_millis(1);
                let arrival = tokio::time::timeout(limit, self.gate.arrival()).await;
                if arrival.is_ok() || ready.is_empty() {
                    continue;
                }
            }
            let place = ready[rng.usize(..ready.len())];
            self.note(&waiting[place]);
            self.gate.pass(place).await;
        }
    }

    /// The writer that sent the request, and the other one.
    fn writers_of(&self, seen: &Seen) -> (&Writer, &Writer) {
        let [one, two] = &self.writers;
        if seen.host == one.host {
            (one, two)
        } else {
            (two, one)
        }
    }

    fn note(&self, seen: &Seen) {
        let (own, _) = self.writers_of(seen);
        if is_index(seen) {
            let writes = seen.method == "PUT";
            own.has_read.set(!writes);
            own.has_written.set(writes || own.has_written.get());
        }
    }

    /// Every entry, whoever wrote it last.
    fn assert_all(&self, digests: &[Digest; 2], others: usize, what: &str) {
        let listed = listed(&self.double, &self.subject);
        let is_listed = |digest: &Digest| listed.iter().any(|one| one == digest.as_str());
        assert!(digests.iter().all(is_listed), "{what}: {listed:?}");
        assert_eq!(listed.len(), 2 + others, "{what}");
    }

    /// The end of the run of the first writer.
    async fn keep_listed(&self, digests: &[Digest; 2]) {
        let repository = repository(&self.writers[0].registry);
        let kept = repository.keep_listed(&self.subject.digest, &digests[..1]);
        tokio::select! {
            kept = kept => kept.unwrap(),
            () = self.direct(0, |_, _, _| true) => unreachable!("it never ends"),
        }
    }
}

/// Whether the request concerns the index under the tag.
fn is_index(seen: &Seen) -> bool {
    seen.path.contains("/manifests/sha256-")
}

/// The schedules of writers that are about as fast as each other: none looks whether its entry stayed while the other
/// one is between its read and its write.
fn is_fair(own: &Writer, other: &Writer, seen: &Seen) -> bool {
    let is_second_read = is_index(seen) && seen.method == "GET" && own.has_written.get();
    !(is_second_read && other.has_read.get())
}

async fn check(conditions: Conditions) {
    const SEEDS: u64 = 24;
    for seed in 0..SEEDS {
        let others = usize::from(seed % 2 == 1);
        let race = Race::new(conditions, others == 1).await;
        let digests = race.attach(seed, is_fair).await;
        race.assert_all(&digests, others, &format!("{conditions:?}, seed {seed}"));
    }
}

#[tokio::test]
async fn both_entries_stay_where_conditions_are_honoured() {
    check(Conditions::Honoured).await;
}

#[tokio::test]
async fn both_entries_stay_where_conditions_are_ignored() {
    check(Conditions::Ignored).await;
}

#[tokio::test]
async fn both_entries_stay_where_entity_tags_are_weak() {
    check(Conditions::Weak).await;
}

/// The second writer reads the index at once, and writes it when the first one has ended.
fn writes_late(own: &Writer, other: &Writer, seen: &Seen) -> bool {
    let is_second = own.text == "two";
    match (is_index(seen), seen.method.as_str()) {
        (true, "PUT") if is_second => other.has_ended.get(),
        (true, "GET") if !is_second => other.has_read.get() || other.has_ended.get(),
        _ => true,
    }
}

#[tokio::test]
async fn late_write_over_another_entry_is_refused_where_conditions_are_honoured() {
    for exists in [true, false] {
        let race = Race::new(Conditions::Honoured, exists).await;
        let digests = race.attach(1, writes_late).await;
        race.assert_all(&digests, usize::from(exists), "late write");
    }
}

#[tokio::test]
async fn entry_that_a_late_write_dropped_is_added_again() {
    for exists in [true, false] {
        let race = Race::new(Conditions::Ignored, exists).await;
        let digests = race.attach(1, writes_late).await;
        let listed = listed(&race.double, &race.subject);
        assert!(!listed.contains(&digests[0].to_string()), "{listed:?}");
        race.keep_listed(&digests).await;
        race.assert_all(&digests, usize::from(exists), "late write");
    }
}
