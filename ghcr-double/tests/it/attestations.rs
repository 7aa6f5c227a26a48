//! The attestation store of the GitHub API.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ghcr_double::{
    Access, Account, Builder, Double, Endpoint, Fault, Isolation, Repository, Server, Visibility,
};
use serde_json::{Value, json};
use std::io::ErrorKind;

use crate::client::{Reply, TOKEN, send};

const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

fn digest(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}

fn subject(name: &str, digit: char) -> Value {
    json!({ "name": name, "digest": { "sha256": digit.to_string().repeat(64) } })
}

/// A bundle whose certificate and signature nothing checks.
fn bundle(subjects: &[Value], predicate_type: &str) -> Value {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": predicate_type,
        "predicate": {},
    });
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "certificate": { "rawBytes": "AA==" } },
        "dsseEnvelope": {
            "payload": STANDARD.encode(statement.to_string()),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{ "sig": "AA==" }],
        },
    })
}

fn provenance() -> Value {
    bundle(&[subject("ghcr.io/acme/widget", 'a')], PROVENANCE)
}

fn builder(account: Account, repository: Repository) -> Builder {
    Double::builder()
        .token(TOKEN, account)
        .repository(repository)
}

fn double() -> Double {
    let account = Account::workflow("Acme/Widget");
    builder(account, Repository::new("Acme/Widget"))
        .start()
        .unwrap()
}

fn private() -> Repository {
    Repository::new("Acme/Widget").visibility(Visibility::Private)
}

const STORE: &str = "/api/v3/repos/acme/widget/attestations";

fn request(
    double: &Double,
    method: &str,
    target: &str,
    token: Option<&str>,
    body: &str,
) -> std::io::Result<Reply> {
    let authorization = token.map(|token| format!("Bearer {token}"));
    let header = |value| ("authorization", value);
    let headers: Vec<_> = authorization.as_deref().map(header).into_iter().collect();
    send(double, method, target, &headers, body.as_bytes())
}

fn post_as(double: &Double, token: Option<&str>, bundle: &Value) -> std::io::Result<Reply> {
    let body = json!({ "bundle": bundle }).to_string();
    request(double, "POST", STORE, token, &body)
}

/// Stores a bundle; returns the status and the id or the message.
fn post(double: &Double, bundle: &Value) -> (u16, Value) {
    let reply = post_as(double, Some(TOKEN), bundle).unwrap();
    let mut json = reply.json();
    let key = if reply.status == 201 { "id" } else { "message" };
    (reply.status, json[key].take())
}

fn get(double: &Double, token: Option<&str>, rest: &str) -> Reply {
    request(double, "GET", &format!("{STORE}/{rest}"), token, "").unwrap()
}

/// The bundles in a list.
fn bundles(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let json = reply.json();
    let list = json["attestations"].as_array().unwrap();
    list.iter().map(|entry| entry["bundle"].clone()).collect()
}

#[test]
fn stored_attestation_is_found_by_each_digest() {
    let double = double();
    let name = "ghcr.io/acme/widget";
    let stored = bundle(&[subject(name, 'a'), subject(name, 'b')], PROVENANCE);
    let (status, id) = post(&double, &stored);
    assert_eq!((status, id.is_u64()), (201, true));
    for digit in ['a', 'b'] {
        let found = bundles(&get(&double, Some(TOKEN), &digest(digit)));
        assert_eq!(found, std::slice::from_ref(&stored));
        assert_eq!(double.attestations("acme/widget", &digest(digit)), found);
    }
    let other = get(&double, Some(TOKEN), &digest('c'));
    assert_eq!(
        (other.status, &other.json()["message"]),
        (404, &json!("Not Found"))
    );
}

#[test]
fn newest_come_first_and_can_be_filtered() {
    let double = double();
    let sbom = bundle(&[subject("x", 'a')], "https://spdx.dev/Document/v2.3");
    post(&double, &provenance());
    post(&double, &sbom);
    let list = |query: &str| {
        bundles(&get(
            &double,
            Some(TOKEN),
            &format!("{}?{query}", digest('a')),
        ))
    };
    assert_eq!(list("per_page=30"), [sbom.clone(), provenance()]);
    assert_eq!(list("per_page=1"), [sbom]);
    let encoded = PROVENANCE.replace(':', "%3A").replace('/', "%2F");
    assert_eq!(list(&format!("predicate_type={encoded}")), [provenance()]);
    assert!(list("predicate_type=other").is_empty());
}

#[test]
fn public_store_is_readable_without_a_token() {
    let double = double();
    post(&double, &provenance());
    assert_eq!(bundles(&get(&double, None, &digest('a'))).len(), 1);
    assert_eq!(get(&double, Some("wrong"), &digest('a')).status, 401);
    let anonymous = post_as(&double, None, &provenance()).unwrap();
    assert_eq!(anonymous.status, 401);
}

#[test]
fn private_store_is_readable_with_the_permission() {
    let status = |account: Account, token| {
        let double = builder(account, private()).start().unwrap();
        get(&double, token, &digest('a')).status
    };
    let account = || Account::workflow("Acme/Widget");
    assert_eq!(status(account(), None), 404);
    assert_eq!(status(Account::workflow("other/x"), Some(TOKEN)), 404);
    assert_eq!(
        status(account().attestations(Access::None), Some(TOKEN)),
        403
    );
    assert_eq!(
        status(account().attestations(Access::Read), Some(TOKEN)),
        404
    );
}

#[track_caller]
fn check_refused(builder: Builder, bundle: &Value, expected: (u16, &str)) {
    let double = builder.start().unwrap();
    assert_eq!(post(&double, bundle), (expected.0, json!(expected.1)));
    assert!(double.attestations("acme/widget", &digest('a')).is_empty());
}

#[test]
fn a_token_needs_the_permission_in_this_repository() {
    let refused = |account, message| {
        let builder = builder(account, Repository::new("Acme/Widget"));
        check_refused(builder, &provenance(), (403, message));
    };
    let account = Account::workflow("acme/widget").attestations(Access::Read);
    refused(account, "Resource not accessible by integration");
    let account = Account::workflow("acme/other");
    refused(account, "Resource not accessible by integration");
    let account = Account::fine_grained("someone");
    refused(account, "Resource not accessible by personal access token");
}

#[test]
fn private_repositories_need_an_organization_with_a_plan() {
    let of_user = builder(Account::workflow("acme/widget"), private());
    let message = "Feature not available for user-owned private repositories. To enable this feature, please make this \
                   repository public.";
    check_refused(of_user, &provenance(), (403, message));
    let organization =
        |repository| builder(Account::workflow("acme/widget"), repository).organization("acme");
    let message = "Feature not available for the Acme organization. To enable this feature, please upgrade the billing \
                   plan, or make this repository public.";
    check_refused(
        organization(private().without_attestations()),
        &provenance(),
        (403, message),
    );
    let included = organization(private()).start().unwrap();
    assert_eq!(post(&included, &provenance()).0, 201);
    let public = organization(Repository::new("acme/widget").without_attestations());
    assert_eq!(post(&public.start().unwrap(), &provenance()).0, 201);
}

#[test]
fn one_digest_is_not_a_subject_twice() {
    let message = "Invalid Argument - duplicate subject in statement";
    for names in [["x", "x"], ["x", "y"]] {
        let subjects = names.map(|name| subject(name, 'a'));
        let builder = builder(
            Account::workflow("acme/widget"),
            Repository::new("acme/widget"),
        );
        check_refused(builder, &bundle(&subjects, PROVENANCE), (422, message));
    }
}

#[test]
fn a_bundle_has_a_statement_with_subjects() {
    let double = double();
    let changed = |pointer: &str, value: Value| {
        let mut bundle = provenance();
        *bundle.pointer_mut(pointer).unwrap() = value;
        bundle
    };
    let broken_digest = json!({ "name": "x", "digest": { "sha256": "A".repeat(64) } });
    for bundle in [
        Value::Null,
        json!({}),
        changed("/mediaType", json!("application/json")),
        changed("/verificationMaterial", Value::Null),
        changed("/dsseEnvelope/payloadType", json!("text/plain")),
        changed("/dsseEnvelope/payload", json!("%")),
        changed("/dsseEnvelope/payload", json!(STANDARD.encode("{}"))),
        bundle(&[], PROVENANCE),
        bundle(&[broken_digest], PROVENANCE),
    ] {
        assert_eq!(
            post(&double, &bundle),
            (422, json!("Invalid request.")),
            "{bundle}"
        );
    }
    let reply = request(&double, "POST", STORE, Some(TOKEN), "{").unwrap();
    assert_eq!(reply.status, 400);
}

#[test]
fn enterprise_server_has_no_store() {
    let builder = builder(
        Account::workflow("acme/widget"),
        Repository::new("acme/widget"),
    );
    let server = Server::ghes("127.0.0.1", Isolation::Off);
    let double = builder.server(server).start().unwrap();
    assert_eq!(post(&double, &provenance()), (404, json!("Not Found")));
    assert_eq!(get(&double, Some(TOKEN), &digest('a')).status, 404);
}

#[test]
fn faults_apply_to_the_store() {
    let double = double();
    let send = || post_as(&double, Some(TOKEN), &provenance());
    double.script(Fault::on(Endpoint::AttestationPost).answer(503));
    double.script(Fault::on(Endpoint::AttestationPost).reset_after_serving());
    double.script(Fault::on(Endpoint::AttestationGet).answer(502));
    assert_eq!(send().unwrap().status, 503);
    assert_eq!(send().unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(send().unwrap().status, 201);
    assert_eq!(double.attestations("acme/widget", &digest('a')).len(), 2);
    assert_eq!(get(&double, None, &digest('a')).status, 502);
    assert_eq!(bundles(&get(&double, None, &digest('a'))).len(), 2);
    assert_eq!(double.count(Endpoint::AttestationPost), 3);
}
