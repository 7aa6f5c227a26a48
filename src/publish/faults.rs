//! Every kind of fault at every point of the protocol, for as long as it lasts. Time passes a hundred
//! times faster for us than for the clock, and so does the outage.
//!
//! `make faults` prints the tables. Uploads are the engine's: the tests with the real engine spoil those.

pub(crate) mod fixture;

use std::fmt::Write as _;
use std::time::Duration;

use expect_test::expect;
use futures_util::{StreamExt, stream};
use ghcr_double::{Denial, Endpoint, Fault};

use crate::error::Explanation;
use crate::publish::faults::fixture::{Fixture, Outcome, SPEED};

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

/// What GitHub's API does on a bad day, in its own words.
const API_PASSING: &[Kind] = &[
    kind("429", |fault| fault.answer(429)),
    kind("500", |fault| fault.answer(500)),
    kind("502", |fault| fault.answer(502)),
    kind("503", |fault| fault.answer(503)),
    kind("504", |fault| {
        fault.answer(504).body("text/html", "<!DOCTYPE html>")
    }),
    kind("200, a page of a proxy", |fault| {
        fault.answer(200).body("text/html", "<!DOCTYPE html>")
    }),
    kind("reset", Fault::reset),
    kind("EOF", Fault::close),
    kind("hang", |fault| fault.hang(Duration::from_secs(70) / SPEED)),
    kind("cut answer", Fault::cut_answer),
    kind("403 secondary limit", |fault| {
        let message = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        let limited = fault.answer(403).body("application/json", message);
        limited.header("retry-after", "5")
    }),
    kind("403 primary limit", |fault| {
        let message = r#"{"message":"API rate limit exceeded for installation."}"#;
        let limited = fault.answer(403).body("application/json", message);
        limited
            .header("x-ratelimit-remaining", "0")
            .header("date", "Fri, 20 Nov 2026 10:00:00 GMT")
            .header("x-ratelimit-reset", "1795168805")
    }),
];

const API_LASTING: &[Kind] = &[
    kind("401 bad credentials", |fault| {
        fault
            .answer(401)
            .body("application/json", r#"{"message":"Bad credentials"}"#)
    }),
    kind("403 not accessible", |fault| {
        let message = r#"{"message":"Resource not accessible by integration"}"#;
        fault.answer(403).body("application/json", message)
    }),
    kind("404 for every question", |fault| fault.answer(404)),
    kind("503", |fault| fault.answer(503)),
    kind("hang", |fault| fault.hang(Duration::from_secs(70) / SPEED)),
];

const API: &[(&str, Endpoint)] = &[("compare API", Endpoint::Api)];

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
    endpoints: &'static [(&str, Endpoint)],
    spells: &'static [Spell],
    parallel: usize,
    judge: fn(&Outcome) -> String,
) -> String {
    let cells = kinds.iter().flat_map(|kind| {
        endpoints.iter().map(move |(_, endpoint)| async move {
            let mut cell = Vec::new();
            for spell in spells {
                let fixture = Fixture::new();
                fixture.script(spell.limit((kind.spoil)(Fault::on(*endpoint))));
                cell.push(judge(&fixture.publish().await));
            }
            cell.join(" ")
        })
    });
    let cells: Vec<String> = stream::iter(cells).buffered(parallel).collect().await;
    let mut table = String::new();
    for (kind, row) in kinds.iter().zip(cells.chunks(endpoints.len())) {
        writeln!(table, "| {} | {} |", kind.name, row.join(" | ")).unwrap();
    }
    table
}

fn head(title: &str, endpoints: &[(&str, Endpoint)]) -> String {
    let names: Vec<&str> = endpoints.iter().map(|(name, _)| *name).collect();
    format!(
        "| {title} | {} |\n|---|{}\n",
        names.join(" | "),
        "---|".repeat(names.len())
    )
}

#[expect(clippy::print_stdout, reason = "a table for people: `make faults`")]
fn show(title: &str, endpoints: &[(&str, Endpoint)], rows: &str) {
    println!("{}{rows}", head(title, endpoints));
}

fn survival(outcome: &Outcome) -> String {
    let survived = outcome.error.is_none() && outcome.is_complete();
    if survived && outcome.report_is_true() {
        "ok".to_owned()
    } else {
        format!("FAILED {outcome:?}")
    }
}

#[tokio::test]
async fn transient_faults_are_survived() {
    for (kinds, endpoints) in [(PASSING, ENDPOINTS), (API_PASSING, API)] {
        let rows = matrix(kinds, endpoints, &SPELLS, PARALLEL, survival).await;
        show("once, three times, for 60 s", endpoints, &rows);
        assert!(!rows.contains("FAILED"), "{rows}");
    }
}

fn explanation(outcome: &Outcome) -> String {
    let explained = outcome.error.as_ref().is_none_or(|error| {
        let Explanation { fix, because, .. } = error;
        fix.is_some() && !because.is_empty()
    });
    let verdict = match &outcome.error {
        None if outcome.is_complete() => "does not matter",
        Some(_) if outcome.only_unanswered_stay() => "tags stay",
        Some(_) => "explained",
        None => "FAILED, unsettled",
    };
    if explained && outcome.report_is_true() && outcome.is_atomic() {
        verdict.to_owned()
    } else {
        format!("FAILED {outcome:?}")
    }
}

#[tokio::test]
async fn permanent_faults_are_explained_and_reported() {
    const ALWAYS: [Spell; 1] = [Spell::Always];
    let rows = matrix(LASTING, ENDPOINTS, &ALWAYS, 1, explanation).await;
    show("for good", ENDPOINTS, &rows);
    // A preflight is final only when it is a refusal.
    expect![[r#"
        | 403 write_package | explained | explained | tags stay | explained | explained |
        | 403 no installation | explained | explained | tags stay | explained | explained |
        | 400 MANIFEST_INVALID | explained | does not matter | tags stay | explained | explained |
        | 413 | explained | does not matter | tags stay | explained | explained |
    "#]]
    .assert_eq(&rows);
    let rows = matrix(API_LASTING, API, &ALWAYS, PARALLEL, explanation).await;
    show("for good", API, &rows);
    expect![[r#"
        | 401 bad credentials | tags stay |
        | 403 not accessible | tags stay |
        | 404 for every question | tags stay |
        | 503 | tags stay |
        | hang | tags stay |
    "#]]
    .assert_eq(&rows);
}

#[tokio::test]
async fn unreadable_tag_list_keeps_version_tags() {
    let fixture = Fixture::new();
    fixture.script(Fault::on(Endpoint::TagList).answer(503).always());
    let outcome = fixture.publish().await;
    assert!(outcome.only_unanswered_stay(), "{outcome:?}");
    let error = outcome.error.map(|error| error.to_string()).unwrap();
    let error = error
        .replace(&fixture.host(), "<registry>")
        .replace(&outcome.new, "<digest>");
    expect![[r#"
        cannot tell whether `1.2`, `1`, `latest` may move to `<registry>/acme/widget@<digest>`, which is pushed
          because: the list of tags could not be read: <registry> answered 503 Service Unavailable
          fix: run the job again when the registry responds; to move tags without asking, set `floating-tags: always`"#]]
    .assert_eq(&error);
}

#[tokio::test]
async fn any_failure_leaves_each_floating_tag_old_or_new() {
    let all = {
        let fixture = Fixture::new();
        let outcome = fixture.publish().await;
        assert!(outcome.is_complete(), "{outcome:?}");
        u32::try_from(fixture.requests().len()).unwrap()
    };
    let (mut rolled_back, mut complete, mut published) = (0, 0, 0);
    for request in 0..all {
        for fault in [
            Fault::on(Endpoint::Any).times(1),
            Fault::on(Endpoint::Any).always(),
        ] {
            let fixture = Fixture::new();
            fixture.script(fault.after(request).deny(&Denial::WritePackage));
            let outcome = fixture.publish().await;
            assert!(outcome.is_atomic(), "request {request}: {outcome:?}");
            if outcome.is_complete() {
                complete += 1;
            } else if outcome.only_unanswered_stay() {
                assert!(outcome.error.is_some(), "request {request}: {outcome:?}");
                published += 1;
            } else if outcome.is_rolled_back() {
                rolled_back += 1;
            }
        }
    }
    show(
        &format!("a refusal at each of {all} requests, once and from there on"),
        ENDPOINTS,
        &format!(
            "| all tags moved {complete}, all but those that nobody could judge {published}, all floating tags as before {rolled_back} | | | | | |\n"
        ),
    );
    assert!(rolled_back > all, "{rolled_back} of {all}");
}
