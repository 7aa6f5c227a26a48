//! Manifests and tags: pushes, reads, lists, and the package that the first push creates.

use crate::client::{NAME, TOKEN, ask, bearer, double, send};
use ghcr_double::{Account, Conditions, Double, Package, Repository, Visibility};
use serde_json::json;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// An index without manifests, so that nothing has to be pushed before it.
fn index(note: &str) -> String {
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [], "annotations": { "note": note } })
        .to_string()
}

fn new_name(account: Account) -> Double {
    Double::builder()
        .token(TOKEN, account)
        .repository(Repository::new("acme/widget").visibility(Visibility::Public))
        .start()
        .unwrap()
}

#[test]
fn put_then_read_by_tag_and_digest() {
    let double = double();
    let body = index("one");
    let put = ask(&double, "PUT", "manifests/v1", body.as_bytes()).unwrap();
    assert_eq!((put.status, put.header("oci-subject")), (201, None));
    let digest = put.header("docker-content-digest").unwrap();
    assert_eq!(double.tags(NAME)["v1"], digest);
    for reference in ["v1", digest] {
        let get = ask(&double, "GET", &format!("manifests/{reference}"), b"").unwrap();
        assert_eq!((get.status, get.text()), (200, body.clone()));
        assert_eq!(get.header("content-type"), Some(INDEX));
        assert_eq!(get.header("docker-content-digest"), Some(digest));
    }
    let head = ask(&double, "HEAD", "manifests/v1", b"").unwrap();
    assert_eq!((head.status, head.body.len()), (200, 0));
}

/// The statuses of three pushes to `v1`: with the current entity tag, with an old one, and without one.
fn writes(conditions: Conditions) -> [u16; 3] {
    let double = Double::builder()
        .token(TOKEN, Account::workflow("acme/widget"))
        .package(NAME, Package::of("acme/widget"))
        .conditions(conditions)
        .start()
        .unwrap();
    let write = |note: &str, etag: Option<&str>| {
        let authorization = bearer(&double, TOKEN, NAME);
        let mut headers = vec![
            ("authorization", authorization.as_str()),
            ("content-type", INDEX),
        ];
        headers.extend(etag.map(|etag| ("if-match", etag)));
        let target = format!("/v2/{NAME}/manifests/v1");
        let reply = send(&double, "PUT", &target, &headers, index(note).as_bytes());
        reply.unwrap().status
    };
    assert_eq!(write("one", None), 201);
    let read = ask(&double, "GET", "manifests/v1", b"").unwrap();
    let etag = read.header("etag").unwrap();
    [
        write("two", Some(etag)),
        write("three", Some(etag)),
        write("four", None),
    ]
}

#[test]
fn condition_is_ignored_or_honoured_or_never_true() {
    assert_eq!(writes(Conditions::Ignored), [201, 201, 201]);
    assert_eq!(writes(Conditions::Honoured), [201, 412, 201]);
    assert_eq!(writes(Conditions::Weak), [412, 412, 201]);
}

#[test]
fn request_waits_at_the_gate_until_the_test_lets_it_pass() {
    let double = double();
    let authorization = bearer(&double, TOKEN, NAME);
    let target = format!("/v2/{NAME}/manifests/v1");
    let gate = double.gate();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let headers = [
                ("authorization", authorization.as_str()),
                ("content-type", INDEX),
            ];
            send(&double, "PUT", &target, &headers, index("one").as_bytes())
        });
        runtime.block_on(gate.arrival());
        let waiting: Vec<String> = gate.waiting().into_iter().map(|seen| seen.path).collect();
        assert_eq!(waiting, std::slice::from_ref(&target));
        assert!(double.tags(NAME).is_empty());
        runtime.block_on(gate.pass(0));
        assert_eq!(double.tags(NAME).len(), 1);
        assert_eq!(client.join().unwrap().unwrap().status, 201);
    });
}

#[track_caller]
fn check_refused(reference: &str, body: &str, status: u16, code: &str) {
    let reply = ask(
        &double(),
        "PUT",
        &format!("manifests/{reference}"),
        body.as_bytes(),
    )
    .unwrap();
    assert_eq!((reply.status, reply.error().0.as_str()), (status, code));
}

#[test]
fn invalid_manifests_are_refused() {
    let absent = format!("sha256:{}", "a".repeat(64));
    let child = json!({ "mediaType": INDEX, "manifests": [{ "digest": absent }] }).to_string();
    let layer = json!({ "mediaType": INDEX, "layers": [{ "digest": absent }] }).to_string();
    check_refused(&absent, &index("one"), 400, "DIGEST_INVALID");
    check_refused("a!b", &index("one"), 400, "TAG_INVALID");
    check_refused("v1", "no json", 400, "MANIFEST_INVALID");
    check_refused("v1", &child, 404, "MANIFEST_UNKNOWN");
    check_refused("v1", &layer, 400, "MANIFEST_BLOB_UNKNOWN");
    check_refused(
        "v1",
        &index(&"x".repeat(4 * 1024 * 1024)),
        413,
        "MANIFEST_INVALID",
    );
}

#[test]
fn layers_with_urls_need_not_be_pushed() {
    let absent = format!("sha256:{}", "a".repeat(64));
    let layer = json!({ "digest": absent, "urls": ["https://example.com/layer"] });
    let body = json!({ "mediaType": INDEX, "layers": [layer] }).to_string();
    let reply = ask(&double(), "PUT", "manifests/v1", body.as_bytes()).unwrap();
    assert_eq!(reply.status, 201);
}

#[test]
fn unknown_manifests_and_unsupported_methods() {
    let double = double();
    let unknown = ("MANIFEST_UNKNOWN".to_owned(), "manifest unknown".to_owned());
    let get = ask(&double, "GET", "manifests/v1", b"").unwrap();
    assert_eq!((get.status, get.error()), (404, unknown.clone()));
    let referrers = format!("referrers/sha256:{}", "a".repeat(64));
    let get = ask(&double, "GET", &referrers, b"").unwrap();
    assert_eq!((get.status, get.error()), (404, unknown));
    let delete = ask(&double, "DELETE", "manifests/v1", b"").unwrap();
    assert_eq!(delete.status, 405);
}

#[test]
fn first_push_of_a_workflow_inherits_from_its_repository() {
    let double = new_name(Account::workflow("acme/widget"));
    let unknown = ask(&double, "GET", "tags/list", b"").unwrap();
    assert_eq!(
        (unknown.status, unknown.error().0.as_str()),
        (404, "NAME_UNKNOWN")
    );
    ask(&double, "PUT", "manifests/v1", index("one").as_bytes()).unwrap();
    let listed = ask(&double, "GET", "tags/list", b"").unwrap();
    assert_eq!(listed.json(), json!({ "name": NAME, "tags": ["v1"] }));
    let package = Package::of("acme/widget").public();
    assert_eq!(double.package(NAME), Some(package));
}

#[test]
fn first_push_of_a_person_gives_workflows_no_access() {
    let double = new_name(Account::classic("alice").owner("acme"));
    ask(&double, "PUT", "manifests/v1", index("one").as_bytes()).unwrap();
    assert_eq!(double.package(NAME), Some(Package::unlinked()));
}

#[test]
fn source_links_a_new_package_but_grants_no_access() {
    let double = new_name(Account::classic("alice").owner("acme"));
    let source = "https://github.com/acme/widget";
    let annotations = json!({ "org.opencontainers.image.source": source });
    let body = json!({ "mediaType": INDEX, "manifests": [], "annotations": annotations });
    ask(&double, "PUT", "manifests/v1", body.to_string().as_bytes()).unwrap();
    let package = double.package(NAME).unwrap();
    assert_eq!(package, Package::unlinked().linked("acme/widget"));
}

#[test]
fn tags_are_listed_in_pages() {
    let double = double();
    for tag in ["a", "b", "c"] {
        double.put_image(NAME, tag, &[]);
    }
    let first = ask(&double, "GET", "tags/list?n=2", b"").unwrap();
    assert_eq!(first.json()["tags"], json!(["a", "b"]));
    let link = first.header("link").unwrap();
    assert_eq!(
        link,
        r#"</v2/acme/widget/tags/list?last=b&n=2>; rel="next""#
    );
    let last = ask(&double, "GET", "tags/list?last=b&n=2", b"").unwrap();
    assert_eq!(
        (last.json()["tags"].clone(), last.header("link")),
        (json!(["c"]), None)
    );
}

#[test]
fn seeded_image_can_be_pushed_again() {
    let double = double();
    let digest = double.put_image(NAME, "v1", &[("org.opencontainers.image.revision", "abc")]);
    let (media_type, bytes) = double.manifest(NAME, &digest).unwrap();
    let bearer = bearer(&double, TOKEN, NAME);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", &media_type),
    ];
    let target = format!("/v2/{NAME}/manifests/v2");
    let reply = send(&double, "PUT", &target, &headers, &bytes).unwrap();
    assert_eq!(reply.status, 201);
    assert_eq!(double.tags(NAME)["v2"], digest);
}

#[test]
fn write_of_a_tag_that_must_not_exist_is_refused_where_conditions_are_honoured() {
    for (conditions, again) in [
        (Conditions::Ignored, 201),
        (Conditions::Honoured, 412),
        (Conditions::Weak, 412),
    ] {
        let account = Account::workflow("acme/widget");
        let builder = Double::builder().token(TOKEN, account);
        let double = builder.conditions(conditions).start().unwrap();
        let put = |body: &str| {
            let bearer = bearer(&double, TOKEN, NAME);
            let headers = [
                ("authorization", bearer.as_str()),
                ("content-type", INDEX),
                ("if-none-match", "*"),
            ];
            let target = format!("/v2/{NAME}/manifests/v1");
            let reply = send(&double, "PUT", &target, &headers, body.as_bytes());
            reply.unwrap().status
        };
        assert_eq!((put(&index("one")), put(&index("two"))), (201, again));
    }
}
