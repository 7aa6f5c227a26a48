//! Faults of the four services: once, three times, for a minute, and for good. `make faults` prints the table.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use futures_util::{StreamExt as _, stream};

use super::*;

const SERVICES: [(&str, Endpoint); 4] = [
    ("OIDC", Endpoint::IdToken),
    ("Fulcio", Endpoint::SigningCertificate),
    ("Rekor", Endpoint::LogEntryPost),
    ("timestamp", Endpoint::Timestamp),
];

/// A kind of fault, and what it does to a request.
type Kind = (&'static str, fn(Fault) -> Fault);

const KINDS: [Kind; 9] = [
    ("429, Retry-After", |fault| {
        fault.answer(429).header("retry-after", "2")
    }),
    ("500", |fault| fault.answer(500)),
    ("503, a page", |fault| {
        fault.answer(503).body("text/html", "<!DOCTYPE html>")
    }),
    ("200, plain text", |fault| {
        fault.answer(200).body("text/plain", "unknown error")
    }),
    ("200, other JSON", |fault| {
        fault.answer(200).body("application/json", "{}")
    }),
    ("reset", Fault::reset),
    ("EOF", Fault::close),
    ("reset after serving", Fault::reset_after_serving),
    ("cut answer", Fault::cut_answer),
];

/// How often a fault strikes.
const SPELLS: [fn(Fault) -> Fault; 3] = [
    |fault| fault.times(1),
    |fault| fault.times(3),
    |fault| fault.lasting(Duration::from_secs(60) / SPEED),
];
/// How many cells wait at once. Time is short in them, so few of them may compute.
const PARALLEL: usize = 18;

/// Signs as a run does, with the token, for this many seconds at most.
async fn run_for(seconds: u64, fault: Fault) -> (Fixture, anyhow::Result<Bundle>) {
    let fixture = Fixture::new();
    fixture.double.script(fault);
    let deadline = fixture.deadline(seconds);
    let token = match fixture.request.send(&fixture.http, deadline).await {
        Ok(token) => token,
        Err(error) => return (fixture, Err(error)),
    };
    let statement = Statement::provenance(NAME, &[digest("index")], &token.claims, "https://x");
    let instance = fixture.instance(Profile::Both, &token);
    let (http, request) = (fixture.http.clone(), fixture.request.clone());
    let mut signer = Signer::new(http, request, token, instance);
    let bundle = signer.sign(&statement, deadline).await;
    (fixture, bundle)
}

/// What becomes of a fault at an endpoint: each spell, and for good.
async fn cell(endpoint: Endpoint, spoil: fn(Fault) -> Fault) -> String {
    let mut cell = Vec::new();
    for spell in SPELLS {
        let (fixture, bundle) = run_for(900, spell(spoil(Fault::on(endpoint)))).await;
        let verified =
            bundle.map(|bundle| verify(&fixture.root(Profile::Both), &bundle.to_json(), &policy()));
        cell.push(match verified {
            Ok(Ok(_)) => "ok".to_owned(),
            Ok(Err(refusal)) => format!("FAILED {refusal}"),
            Err(error) => format!("FAILED {}", explained(&error)),
        });
    }
    let (fixture, bundle) = run_for(240, spoil(Fault::on(endpoint)).always()).await;
    let error = bundle.map_err(|error| explained(&error)).err();
    let is_explained = error.is_some_and(|error| error.contains("fix: run the job again when"));
    let is_retried = fixture.double.count(endpoint) > 1;
    let outcome = if is_explained && is_retried {
        "explained"
    } else {
        "FAILED"
    };
    cell.push(outcome.to_owned());
    cell.join(" ")
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "a table for people: `make faults`")]
async fn outages_are_survived_until_the_deadline() {
    let cells = KINDS
        .iter()
        .flat_map(|(_, spoil)| SERVICES.map(|(_, endpoint)| cell(endpoint, *spoil)));
    let cells: Vec<String> = stream::iter(cells).buffered(PARALLEL).collect().await;
    let names = SERVICES.map(|(name, _)| name).join(" | ");
    let mut table =
        format!("| once, three times, for 60 s, for good | {names} |\n|---|---|---|---|---|\n");
    for ((name, _), row) in KINDS.iter().zip(cells.chunks(SERVICES.len())) {
        writeln!(table, "| {name} | {} |", row.join(" | ")).unwrap();
    }
    println!("{table}");
    assert!(!table.contains("FAILED"), "{table}");
}

/// The error, with the address of the double as `HOST`.
async fn failed(fault: Fault) -> (Fixture, String) {
    let (fixture, bundle) = run_for(60, fault).await;
    let error = explained(&bundle.unwrap_err());
    let host = fixture.double.url().replace("http://", "");
    let error = error.replace(&host, "HOST");
    (fixture, error)
}

async fn check(fault: Fault, expected: Expect) {
    expected.assert_eq(&failed(fault).await.1);
}

#[tokio::test]
async fn outages_for_good_fail_at_the_deadline() {
    let down = |endpoint| Fault::on(endpoint).answer(503).always();
    check(
        down(Endpoint::IdToken),
        expect![[r#"
        cannot get an OIDC token for Sigstore
          because: the OIDC token endpoint at HOST answered 503 Service Unavailable
          fix: run the job again when the service responds, or set a longer `push-timeout`"#]],
    )
    .await;
    check(
        down(Endpoint::SigningCertificate),
        expect![[r#"
        cannot get a signing certificate
          because: Fulcio at HOST answered 503 Service Unavailable
          fix: run the job again when the service responds, or set a longer `push-timeout`"#]],
    )
    .await;
    check(
        down(Endpoint::LogEntryPost),
        expect![[r#"
        cannot record when the attestation was signed
          because: Rekor at HOST answered 503 Service Unavailable
          fix: run the job again when the service responds, or set a longer `push-timeout`"#]],
    )
    .await;
    check(
        down(Endpoint::Timestamp),
        expect![[r#"
        cannot record when the attestation was signed
          because: the timestamp authority at HOST answered 503 Service Unavailable
          fix: run the job again when the service responds, or set a longer `push-timeout`"#]],
    )
    .await;
}

#[tokio::test]
async fn refusals_are_not_retried() {
    let message = r#"{"code":3,"message":"There was an error processing the identity token"}"#;
    let refused = |endpoint, status| {
        let fault = Fault::on(endpoint).answer(status).always();
        fault.body("application/json", message)
    };
    check(refused(Endpoint::IdToken, 403), expect![[r#"
        cannot get an OIDC token for Sigstore
          because: the OIDC token endpoint at HOST answered 403 There was an error processing the identity token
          fix: add `id-token: write` to the job's `permissions:`"#]]).await;
    check(refused(Endpoint::SigningCertificate, 400), expect![[r#"
        cannot get a signing certificate
          because: Fulcio at HOST answered 400 There was an error processing the identity token
          fix: check the inputs `sigstore` and `fulcio-url`: the instance must accept tokens of https://token.actions.githubusercontent.com"#]]).await;
    check(
        refused(Endpoint::LogEntryPost, 400),
        expect![[r#"
        cannot record when the attestation was signed
          because: Rekor at HOST answered 400 There was an error processing the identity token
          fix: check the inputs `sigstore`, `rekor-url` and `timestamp-url`"#]],
    )
    .await;
    check(refused(Endpoint::Timestamp, 404), expect![[r#"
        cannot record when the attestation was signed
          because: the timestamp authority at HOST answered 404 There was an error processing the identity token
          fix: check the inputs `sigstore`, `rekor-url` and `timestamp-url`"#]]).await;
    for (_, endpoint) in SERVICES {
        let (fixture, _) = failed(refused(endpoint, 400)).await;
        assert_eq!(fixture.double.count(endpoint), 1, "{endpoint:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let moved = Fault::on(Endpoint::SigningCertificate).answer(307).always();
    let (fixture, error) = failed(moved.header("location", "/api/v1/timestamp")).await;
    assert!(error.contains("answered 307"), "{error}");
    assert_eq!(fixture.double.count(Endpoint::Timestamp), 0);
}

#[tokio::test]
async fn an_entry_whose_answer_was_lost_is_read() {
    let fault = Fault::on(Endpoint::LogEntryPost).reset_after_serving();
    let (fixture, bundle) = run_for(60, fault).await;
    assert_eq!(bundle.unwrap().log_index(), Some("4242"));
    let requests = [Endpoint::LogEntryPost, Endpoint::LogEntryGet];
    assert_eq!(
        requests.map(|endpoint| fixture.double.count(endpoint)),
        [2, 1]
    );
}

#[tokio::test]
async fn a_silent_service_is_asked_again() {
    let fixture = Fixture::at(Pace::times(20));
    let fault = Fault::on(Endpoint::Timestamp).hang(Duration::from_secs(2));
    fixture.double.script(fault);
    fixture.sign(Profile::Timestamp).await.unwrap();
    assert!(fixture.double.count(Endpoint::Timestamp) > 1);
}

#[tokio::test]
async fn one_certificate_signs_all_statements_for_nine_minutes() {
    let fixture = Fixture::at(Pace::waiting(200));
    let mut signer = fixture.signer(Profile::Timestamp).await;
    let statement = fixture.statement().await;
    let mut certificates = Vec::new();
    for minutes in [0, 1, 9] {
        fixture.pace.sleep(Duration::from_secs(60 * minutes)).await;
        signer
            .sign(&statement, fixture.deadline(600))
            .await
            .unwrap();
        certificates.push(fixture.double.count(Endpoint::SigningCertificate));
    }
    assert_eq!(certificates, [1, 1, 2]);
}

#[tokio::test]
async fn an_outage_longer_than_a_certificate_ends_with_a_new_one() {
    let fixture = Fixture::at(Pace::waiting(1000));
    let outage = Fault::on(Endpoint::LogEntryPost).answer(503);
    let outage = outage.lasting(Duration::from_secs(15 * 60) / 1000);
    fixture.double.script(outage);
    let mut signer = fixture.signer(Profile::Log).await;
    let statement = fixture.statement().await;
    let bundle = signer
        .sign(&statement, fixture.deadline(3600))
        .await
        .unwrap();
    assert!(fixture.double.count(Endpoint::SigningCertificate) > 1);
    verify(&fixture.root(Profile::Log), &bundle.to_json(), &policy()).unwrap();
}

#[tokio::test]
async fn an_outage_longer_than_a_token_ends_with_a_new_one() {
    let fixture = Fixture::at(Pace::waiting(1000));
    let outage = Fault::on(Endpoint::SigningCertificate).answer(503);
    let outage = outage.lasting(Duration::from_secs(6 * 60) / 1000);
    fixture.double.script(outage);
    let mut signer = fixture.signer(Profile::Timestamp).await;
    let statement = Statement::new(NAME, &[digest("index")], PROVENANCE, json!({}));
    signer
        .sign(&statement, fixture.deadline(3600))
        .await
        .unwrap();
    assert!(fixture.double.count(Endpoint::IdToken) > 1);
}

#[tokio::test]
async fn no_secret_is_in_an_error() {
    for (_, endpoint) in SERVICES {
        let fault = Fault::on(endpoint).answer(400).always();
        let (_, error) = failed(fault.body("text/plain", Sigstore::REQUEST_TOKEN)).await;
        let shown = endpoint != Endpoint::IdToken;
        assert_eq!(error.contains(Sigstore::REQUEST_TOKEN), shown, "{error}");
    }
    let fixture = Fixture::new();
    let token = fixture.token().await;
    let debug = format!("{token:?} {:?}", fixture.request);
    assert!(!debug.contains(Sigstore::REQUEST_TOKEN), "{debug}");
    assert!(!debug.contains(token.jwt.expose()), "{debug}");
}
