//! Every kind of fault at every point of the protocol, for as long as it lasts. Time passes a hundred
//! times faster for us than for the clock, and so does the outage.
//!
//! `make faults` prints the tables. Uploads are the engine's: the tests with the real engine spoil those.

mod world;

use std::fmt::Write as _;
use std::time::Duration;

use expect_test::expect;
use futures_util::{StreamExt, stream};
use ghcr_double::{Denial, Endpoint, Fault};

use crate::problem::Explanation;
use world::{Outcome, SPEED, World};

/// A kind of fault, and what it does to a request.
struct Kind {
    name: &'static str,
    spoil: fn(Fault) -> Fault,
}

const fn kind(name: &'static str, spoil: fn(Fault) -> Fault) -> Kind {
    Kind { name, spoil }
}

const PASSING: &[Kind] = &[
    kind("429", |fault| fault.answer(429)),
    kind("429, hint in the message", |fault| {
        fault.deny(&Denial::TooManyRequests)
    }),
    kind("429, Retry-After in seconds", |fault| {
        fault.answer(429).header("retry-after", "5")
    }),
    kind("429, Retry-After as a date", |fault| {
        fault
            .answer(429)
            .header("date", "Fri, 20 Nov 2026 10:00:00 GMT")
            .header("retry-after", "Fri, 20 Nov 2026 10:00:05 GMT")
    }),
    kind("500", |fault| fault.answer(500)),
    kind("502", |fault| fault.answer(502)),
    kind("503", |fault| fault.answer(503)),
    kind("504", |fault| {
        fault.answer(504).body("text/html", "<!DOCTYPE html>")
    }),
    kind("reset", Fault::reset),
    kind("reset after serving", Fault::reset_after_serving),
    kind("EOF", Fault::close),
    kind("hang", |fault| fault.hang(Duration::from_secs(70) / SPEED)),
    kind("BLOB_UPLOAD_UNKNOWN", |fault| {
        fault.error(
            404,
            "BLOB_UPLOAD_UNKNOWN",
            "blob upload unknown to registry",
        )
    }),
    kind("MANIFEST_BLOB_UNKNOWN", |fault| {
        fault.error(
            400,
            "MANIFEST_BLOB_UNKNOWN",
            "manifest blob unknown to registry",
        )
    }),
    kind("DIGEST_INVALID", |fault| {
        fault.error(
            400,
            "DIGEST_INVALID",
            "provided digest did not match uploaded content",
        )
    }),
    kind("403 rate limit", |fault| {
        fault.deny(&Denial::SecondaryRateLimit)
    }),
    kind("wrong digest header", Fault::lie_about_digest),
    kind("stale read", Fault::stale),
    kind("not there yet", Fault::missing),
];

const LASTING: &[Kind] = &[
    kind("403 write_package", |fault| {
        fault.deny(&Denial::WritePackage)
    }),
    kind("403 no installation", |fault| {
        fault.deny(&Denial::InstallationDoesNotExist)
    }),
    kind("400 MANIFEST_INVALID", |fault| {
        fault.error(400, "MANIFEST_INVALID", "manifest invalid")
    }),
    kind("413", |fault| fault.answer(413)),
];

const ENDPOINTS: &[(&str, Endpoint)] = &[
    ("token", Endpoint::Token),
    ("blob POST", Endpoint::BlobPost),
    ("tag list", Endpoint::TagList),
    ("tag PUT", Endpoint::TagPut),
    ("read, read-back", Endpoint::ManifestRead),
];

/// How often a fault strikes.
#[derive(Clone, Copy)]
enum Spell {
    Once,
    Thrice,
    Minute,
    Always,
}

impl Spell {
    fn limit(self, fault: Fault) -> Fault {
        match self {
            Self::Once => fault.times(1),
            Self::Thrice => fault.times(3),
            Self::Always => fault.always(),
            Self::Minute => fault.lasting(Duration::from_secs(60) / SPEED),
        }
    }
}

const SPELLS: [Spell; 3] = [Spell::Once, Spell::Thrice, Spell::Minute];
/// How many cells wait at once. Time is short in them, so few of them may compute.
const PARALLEL: usize = 16;

/// The outcome of each kind at each endpoint, as rows of a table.
async fn matrix(
    kinds: &'static [Kind],
    spells: &'static [Spell],
    parallel: usize,
    judge: fn(&Outcome) -> String,
) -> String {
    let cells = kinds.iter().flat_map(|kind| {
        ENDPOINTS.iter().map(move |(_, endpoint)| async move {
            let mut cell = Vec::new();
            for spell in spells {
                let world = World::new();
                world.script(spell.limit((kind.spoil)(Fault::on(*endpoint))));
                cell.push(judge(&world.publish().await));
            }
            cell.join(" ")
        })
    });
    let cells: Vec<String> = stream::iter(cells).buffered(parallel).collect().await;
    let mut table = String::new();
    for (kind, row) in kinds.iter().zip(cells.chunks(ENDPOINTS.len())) {
        writeln!(table, "| {} | {} |", kind.name, row.join(" | ")).unwrap();
    }
    table
}

fn head(title: &str) -> String {
    let names: Vec<&str> = ENDPOINTS.iter().map(|(name, _)| *name).collect();
    format!(
        "| {title} | {} |\n|---|{}\n",
        names.join(" | "),
        "---|".repeat(names.len())
    )
}

#[expect(clippy::print_stdout, reason = "a table for people: `make faults`")]
fn show(title: &str, rows: &str) {
    println!("{}{rows}", head(title));
}

#[tokio::test]
async fn what_passes_is_survived() {
    let rows = matrix(PASSING, &SPELLS, PARALLEL, |outcome| {
        let survived = outcome.error.is_none() && outcome.is_complete();
        if survived && outcome.report_is_true() {
            "ok".to_owned()
        } else {
            format!("FAILED {outcome:?}")
        }
    });
    let rows = rows.await;
    show("once, three times, for 60 s", &rows);
    assert!(!rows.contains("FAILED"), "{rows}");
}

#[tokio::test]
async fn what_lasts_is_explained_and_reported_as_it_is() {
    const ALWAYS: [Spell; 1] = [Spell::Always];
    let rows = matrix(LASTING, &ALWAYS, 1, |outcome| {
        let explained = outcome.error.as_ref().is_none_or(|error| {
            let Explanation { fix, because, .. } = error;
            fix.is_some() && !because.is_empty()
        });
        let verdict = match &outcome.error {
            None if outcome.is_complete() => "does not matter",
            Some(_) => "explained",
            None => "FAILED, incomplete",
        };
        if explained && outcome.report_is_true() && outcome.is_atomic() {
            verdict.to_owned()
        } else {
            format!("FAILED {outcome:?}")
        }
    });
    let rows = rows.await;
    show("for good", &rows);
    // A preflight is final only when it is a refusal, and without a list of tags a version moves as an
    // unknown one does.
    expect![[r#"
        | 403 write_package | explained | explained | does not matter | explained | explained |
        | 403 no installation | explained | explained | does not matter | explained | explained |
        | 400 MANIFEST_INVALID | explained | does not matter | does not matter | explained | explained |
        | 413 | explained | does not matter | does not matter | explained | explained |
    "#]].assert_eq(&rows);
}

#[tokio::test]
async fn wherever_it_breaks_each_floating_tag_shows_old_or_new() {
    let all = {
        let world = World::new();
        let outcome = world.publish().await;
        assert!(outcome.is_complete(), "{outcome:?}");
        u32::try_from(world.requests()).unwrap()
    };
    let (mut rolled_back, mut complete) = (0, 0);
    for request in 0..all {
        for fault in [
            Fault::on(Endpoint::Any).times(1),
            Fault::on(Endpoint::Any).always(),
        ] {
            let world = World::new();
            world.script(fault.after(request).deny(&Denial::WritePackage));
            let outcome = world.publish().await;
            assert!(outcome.is_atomic(), "request {request}: {outcome:?}");
            if outcome.is_complete() {
                complete += 1;
            } else if outcome.is_rolled_back() {
                rolled_back += 1;
            }
        }
    }
    show(
        &format!("a refusal at each of {all} requests, once and from there on"),
        &format!(
            "| all tags moved {complete}, all floating tags as before {rolled_back} | | | | | |\n"
        ),
    );
    assert!(rolled_back > all, "{rolled_back} of {all}");
}
