//! Attestations that are stored, refused, lost and read back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use expect_test::{Expect, expect};
use ghcr_double::{
    Access, Account, Builder, Double, Endpoint, Fault, Isolation, Repository, Server, Visibility,
};
use serde_json::json;

use super::*;
use crate::console::Console;
use crate::deadline::Pace;
use crate::error::Explanation;
use crate::secret::Secret;
use crate::tls::Trust;

const TOKEN: &str = "ghs_hunter2";
const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

fn name() -> RepositoryName {
    RepositoryName {
        owner: "acme".to_owned(),
        name: "app".to_owned(),
    }
}

fn digest() -> Digest {
    Digest::of(b"image")
}

fn bundle_of(subjects: usize) -> Box<RawValue> {
    let subject = json!({ "name": "ghcr.io/acme/app", "digest": { "sha256": digest().hex() } });
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": vec![subject; subjects],
        "predicateType": PROVENANCE,
        "predicate": {},
    });
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "certificate": { "rawBytes": "AA==" } },
        "dsseEnvelope": {
            "payload": STANDARD.encode(statement.to_string()),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{ "sig": "AA==" }],
        },
    });
    to_raw_value(&bundle).unwrap()
}

fn bundle() -> Box<RawValue> {
    bundle_of(1)
}

fn builder(repository: Repository) -> Builder {
    Double::builder()
        .token(TOKEN, Account::workflow("acme/app"))
        .repository(repository)
}

fn double() -> Double {
    builder(Repository::new("acme/app")).start().unwrap()
}

fn github(double: &Double, token: Option<&str>) -> GitHub {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let token = token.and_then(Secret::exact);
    GitHub::new(&double.api_url(), token, Trust::default(), Console::NOWHERE)
}

/// Fifteen minutes, a thousand times faster.
fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(900), Pace::waiting(1000))
}

async fn store(double: &Double, bundle: &RawValue) -> Result<u64, String> {
    let github = github(double, Some(TOKEN));
    let stored = github.store_attestation(&name(), bundle, deadline()).await;
    stored.map_err(|problem| Explanation::of(&problem.into()).to_string())
}

async fn read(
    double: &Double,
    token: Option<&str>,
    predicate_type: Option<&str>,
) -> Result<Vec<String>, String> {
    let github = github(double, token);
    let (name, digest) = (name(), digest());
    let found = github.attestations(&name, &digest, predicate_type, deadline());
    let found = found.await;
    found.map_err(|problem| Explanation::of(&problem.into()).to_string())
}

async fn refused(builder: Builder, bundle: &RawValue, expected: Expect) {
    let double = builder.start().unwrap();
    let error = store(&double, bundle).await.unwrap_err();
    expected.assert_eq(&error);
    assert!(!error.contains(TOKEN), "{error}");
    assert_eq!(double.count(Endpoint::AttestationPost), 1);
}

/// What the store answers once, and the error that comes of it.
async fn answered(status: u16, message: &str, expected: Expect) {
    let double = double();
    let body = json!({ "message": message }).to_string();
    let fault = Fault::on(Endpoint::AttestationPost).answer(status);
    double.script(fault.always().body("application/json", &body));
    let error = store(&double, &bundle()).await.unwrap_err();
    expected.assert_eq(&error);
    assert_eq!(double.count(Endpoint::AttestationPost), 1);
}

#[tokio::test]
async fn stored_attestation_is_read_back_with_and_without_a_token() {
    let double = double();
    let (first, second) = (bundle(), bundle());
    let id = store(&double, &first).await.unwrap();
    assert_ne!(store(&double, &second).await.unwrap(), id);
    let expected = vec![first.get().to_owned(); 2];
    for token in [Some(TOKEN), None] {
        for filter in [None, Some(PROVENANCE)] {
            assert_eq!(read(&double, token, filter).await, Ok(expected.clone()));
        }
        let other = read(&double, token, Some("https://spdx.dev/Document/v2.3&x=1")).await;
        assert_eq!(other, Ok(Vec::new()));
    }
    let queries = double.requests().into_iter().map(|seen| seen.query);
    let queries: Vec<String> = queries.filter(|query| query.contains("spdx")).collect();
    let query = "per_page=30&predicate_type=https%3A%2F%2Fspdx.dev%2FDocument%2Fv2.3%26x%3D1";
    assert_eq!(queries, [query; 2]);
}

#[tokio::test]
async fn unknown_digest_has_no_attestations() {
    assert_eq!(read(&double(), Some(TOKEN), None).await, Ok(Vec::new()));
}

#[tokio::test]
async fn bundles_that_github_leaves_out_are_skipped() {
    let double = double();
    let body =
        r#"{"attestations":[{"bundle":null,"bundle_url":"x"},{"bundle":{ "a" : 1.50 }},{}]}"#;
    let fault = Fault::on(Endpoint::AttestationGet).answer(200);
    double.script(fault.body("application/json", body));
    let found = read(&double, None, None).await;
    assert_eq!(found, Ok(vec![r#"{ "a" : 1.50 }"#.to_owned()]));
}

#[tokio::test]
async fn a_page_may_be_larger_than_other_answers() {
    let double = double();
    let bundle = format!(r#"{{"a":"{}"}}"#, "x".repeat(5 << 20));
    let body = format!(r#"{{"attestations":[{{"bundle":{bundle}}}]}}"#);
    let fault = Fault::on(Endpoint::AttestationGet).answer(200);
    double.script(fault.body("application/json", &body));
    assert!(read(&double, None, None).await == Ok(vec![bundle]));
}

#[tokio::test]
async fn refusal_of_the_token_names_the_permission() {
    let account = Account::workflow("acme/app").attestations(Access::Read);
    let builder = builder(Repository::new("acme/app")).token(TOKEN, account);
    refused(builder, &bundle(), expect![[r#"
        cannot store the attestation of `acme/app`: GitHub's API answered 403 Resource not accessible by integration
          because: the token may not store attestations of `acme/app`
          fix: add `attestations: write` to the job's `permissions:`; in a reusable workflow the caller grants it too"#]]).await;
    let account = Account::fine_grained("acme").attestations(Access::Read);
    let builder = Double::builder().token(TOKEN, account);
    let builder = builder.repository(Repository::new("acme/app"));
    refused(builder, &bundle(), expect![[r#"
        cannot store the attestation of `acme/app`: GitHub's API answered 403 Resource not accessible by personal access token
          because: the personal access token may not store attestations of `acme/app`
          fix: use the workflow's own token (no input is needed), or give the token the permission Attestations: Read and write"#]]).await;
    let builder = Double::builder().repository(Repository::new("acme/app"));
    refused(
        builder,
        &bundle(),
        expect![[r#"
        cannot store the attestation of `acme/app`: GitHub's API answered 401 Bad credentials
          fix: check the token in `github-token`"#]],
    )
    .await;
}

#[tokio::test]
async fn every_page_is_read_up_to_a_limit() {
    let double = double();
    for _attestation in 0..=PAGE {
        store(&double, &bundle()).await.unwrap();
    }
    let read = async || read(&double, Some(TOKEN), Some(PROVENANCE)).await.unwrap();
    assert_eq!(read().await.len(), PAGE + 1);
    let one = json!({ "attestations": [{ "bundle": {} }] }).to_string();
    let next = r#"<https://evil.example/x?after=1>; rel="next""#;
    let endless = Fault::on(Endpoint::AttestationGet).always().answer(200);
    let endless = endless.header("link", next).body("application/json", &one);
    double.script(endless);
    assert_eq!(read().await.len(), MAX_PAGES);
}

#[tokio::test]
async fn refusal_of_a_private_repository_names_its_owner() {
    let private = || Repository::new("acme/app").visibility(Visibility::Private);
    refused(builder(private()), &bundle(), expect![[r#"
        cannot store the attestation of `acme/app`: GitHub's API answered 403 Feature not available for user-owned private repositories. To enable this feature, please make this repository public.
          because: GitHub stores no attestations of private repositories that belong to a user
          fix: make `acme/app` public, or set `attest: false`"#]]).await;
    let organization = builder(private().without_attestations()).organization("acme");
    refused(organization, &bundle(), expect![[r#"
        cannot store the attestation of `acme/app`: GitHub's API answered 403 Feature not available for the acme organization. To enable this feature, please upgrade the billing plan, or make this repository public.
          because: the plan of `acme` includes attestations only of public repositories
          fix: make `acme/app` public, upgrade the plan of `acme`, or set `attest: false`"#]]).await;
}

#[tokio::test]
async fn refusal_of_a_bundle_says_what_is_wrong_with_it() {
    let public = || builder(Repository::new("acme/app"));
    refused(public(), &bundle_of(2), expect![[r#"
        cannot store the attestation of `acme/app`: GitHub's API answered 422 Invalid Argument - duplicate subject in statement
          because: the statement names one digest more than once
          fix: run the job again; if GitHub refuses it again, report the message with the debug log"#]]).await;
    refused(public(), &bundle_of(0), expect![[r#"
        cannot store the attestation of `acme/app`: GitHub's API answered 422 Invalid request.
          fix: run the job again; if GitHub refuses it again, report the message with the debug log"#]]).await;
    let message = "Invalid Argument - values do not match: https://github.com/acme != https://acme.ghe.com/acme";
    answered(422, message, expect![[r#"
        cannot store the attestation of `acme/app`: GitHub's API answered 422 Invalid Argument - values do not match: https://github.com/acme != https://acme.ghe.com/acme
          because: the certificate of the attestation is from another Sigstore instance than GitHub expects for `acme/app`
          fix: set `sigstore: public` if `acme/app` is public on github.com, else `sigstore: github`"#]]).await;
}

#[tokio::test]
async fn server_without_a_store_is_said_so() {
    let server = Server::ghes("127.0.0.1", Isolation::Off);
    let builder = builder(Repository::new("acme/app")).server(server);
    refused(builder, &bundle(), expect![[r#"
        cannot store the attestation of `acme/app`: GitHub's API answered 404 Not Found
          because: the token cannot see `acme/app`, or the server stores no attestations, such as GitHub Enterprise Server
          fix: use a token of `acme/app`; on GitHub Enterprise Server set `attest: registry`"#]]).await;
}

#[tokio::test]
async fn transient_errors_are_retried() {
    for fault in [
        Fault::on(Endpoint::AttestationPost).answer(503),
        Fault::on(Endpoint::AttestationPost).answer(429),
        Fault::on(Endpoint::AttestationPost).answer(408),
        Fault::on(Endpoint::AttestationPost)
            .answer(201)
            .body("text/html", "<html>"),
        Fault::on(Endpoint::AttestationPost).reset(),
        Fault::on(Endpoint::AttestationPost).close(),
    ] {
        let double = double();
        double.script(fault);
        store(&double, &bundle()).await.unwrap();
        assert_eq!(double.attestations("acme/app", digest().as_str()).len(), 1);
        double.script(Fault::on(Endpoint::AttestationGet).times(3).answer(502));
        assert_eq!(read(&double, None, None).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn bundle_whose_answer_is_lost_is_stored_again() {
    for lost in [
        Fault::on(Endpoint::AttestationPost).reset_after_serving(),
        Fault::on(Endpoint::AttestationPost).cut_answer(),
    ] {
        let double = double();
        double.script(lost);
        store(&double, &bundle()).await.unwrap();
        assert_eq!(double.attestations("acme/app", digest().as_str()).len(), 2);
    }
}

#[tokio::test]
async fn outage_ends_with_the_deadline() {
    let double = double();
    let outage = || Fault::on(Endpoint::Any).always();
    double.script(outage().answer(503));
    let error = store(&double, &bundle()).await.unwrap_err();
    expect![[r#"
        cannot store the attestation of `acme/app`: GitHub's API answered 503 Service Unavailable
          fix: run the job again when GitHub's API answers"#]]
    .assert_eq(&error);
    assert!(double.count(Endpoint::AttestationPost) > 10);
    let error = read(&double, Some(TOKEN), None).await.unwrap_err();
    assert!(!error.contains(TOKEN), "{error}");
    double.clear_script();
    let body = r#"{"message":"Server Error"}"#;
    double.script(outage().answer(500).body("application/json", body));
    let error = store(&double, &bundle()).await.unwrap_err();
    expect![[r#"
        cannot store the attestation of `acme/app`: GitHub's API answered 500 Server Error
          because: GitHub has an outage, or the attestation is too large
          fix: run the job again; if it fails again, publish without `sbom`"#]]
    .assert_eq(&error);
}

#[tokio::test]
async fn refused_read_names_the_permission() {
    let private = Repository::new("acme/app").visibility(Visibility::Private);
    let account = Account::workflow("acme/app").attestations(Access::None);
    let builder = Double::builder().repository(private).token(TOKEN, account);
    let double = builder.start().unwrap();
    let error = read(&double, Some(TOKEN), None).await.unwrap_err();
    expect![[r#"
        cannot read the attestations of `acme/app` for `sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d`: GitHub's API answered 403 Resource not accessible by integration
          fix: use a token with `attestations: read` of `acme/app`; for the token of a job, add it to `permissions:`"#]].assert_eq(&error);
    assert_eq!(read(&double, None, None).await, Ok(Vec::new()));
    let error = read(&double, Some("ghs_wrong"), None).await.unwrap_err();
    expect![[r#"
        cannot read the attestations of `acme/app` for `sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d`: GitHub's API answered 401 Bad credentials
          fix: check the token in `github-token`"#]].assert_eq(&error);
}

/// A kind of fault, and what it does to a request.
type Kind = (&'static str, fn(Fault) -> Fault);

const KINDS: [Kind; 5] = [
    ("429, Retry-After", |fault| {
        fault.answer(429).header("retry-after", "2")
    }),
    ("503, a page", |fault| {
        fault.answer(503).body("text/html", "<!DOCTYPE html>")
    }),
    ("reset", Fault::reset),
    ("reset after serving", Fault::reset_after_serving),
    ("cut answer", Fault::cut_answer),
];

/// What becomes of a fault of the store: once, three times, for 60 s, and for good.
async fn cell(endpoint: Endpoint, spoil: fn(Fault) -> Fault) -> String {
    let minute = Duration::from_millis(60);
    let spells = [
        spoil(Fault::on(endpoint)).times(1),
        spoil(Fault::on(endpoint)).times(3),
        spoil(Fault::on(endpoint)).lasting(minute),
        spoil(Fault::on(endpoint)).always(),
    ];
    let mut cell = Vec::new();
    for fault in spells {
        let double = double();
        double.script(fault);
        let stored = store(&double, &bundle()).await;
        let read = read(&double, Some(TOKEN), Some(PROVENANCE)).await;
        cell.push(match stored.map(drop).and(read) {
            Ok(found) if found.is_empty() => "FAILED".to_owned(),
            Ok(_) => "ok".to_owned(),
            Err(error) if error.contains("fix: ") => "explained".to_owned(),
            Err(error) => format!("FAILED {error}"),
        });
    }
    cell.join(" ")
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "a table for people: `make faults`")]
async fn outages_of_the_store_are_survived_until_the_deadline() {
    let mut table =
        "| once, three times, for 60 s, for good | store | read back |\n|---|---|---|\n".to_owned();
    for (name, spoil) in KINDS {
        let post = cell(Endpoint::AttestationPost, spoil).await;
        let get = cell(Endpoint::AttestationGet, spoil).await;
        table += &format!("| {name} | {post} | {get} |\n");
        assert_eq!(
            [post, get],
            ["ok ok ok explained", "ok ok ok explained"],
            "{name}"
        );
    }
    println!("{table}");
}
