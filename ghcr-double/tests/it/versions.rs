//! The versions of packages in the GitHub API.

use ghcr_double::{Access, Account, Builder, Double, Endpoint, Fault, Isolation, Package, Server};
use serde_json::Value;
use std::time::Duration;

use crate::client::{NAME, Reply, TOKEN, ask, send};

const VERSIONS: &str = "orgs/acme/packages/container/widget/versions";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn builder(account: Account, package: Package) -> Builder {
    Double::builder()
        .token(TOKEN, account)
        .organization("acme")
        .package(NAME, package)
}

fn start() -> Double {
    builder(Account::workflow("acme/widget"), Package::of("acme/widget"))
        .start()
        .unwrap()
}

fn call(double: &Double, method: &str, path: &str) -> Reply {
    let target = format!("/api/v3/{path}");
    let authorization = format!("Bearer {TOKEN}");
    let headers = [("authorization", authorization.as_str())];
    send(double, method, &target, &headers, b"").unwrap()
}

/// The status and the message of an error.
fn refusal(double: &Double, method: &str, path: &str) -> (u16, String) {
    let reply = call(double, method, path);
    let message = reply.json()["message"].as_str().unwrap().to_owned();
    (reply.status, message)
}

fn list(double: &Double, query: &str) -> Vec<Value> {
    let reply = call(double, "GET", &format!("{VERSIONS}?{query}"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json().as_array().unwrap().clone()
}

/// The tags of the versions in a list.
fn tags(list: &[Value]) -> Vec<String> {
    let tags = |version: &Value| version["metadata"]["container"]["tags"].to_string();
    list.iter().map(tags).collect()
}

fn path(double: &Double, reference: &str) -> String {
    format!("{VERSIONS}/{}", double.version_id(NAME, reference).unwrap())
}

fn put(double: &Double, tag: &str) -> String {
    double.put_image(NAME, tag, &[("version", tag)])
}

#[test]
fn version_has_digest_tags_and_times() {
    let double = start();
    double.set_time(Duration::from_secs(1_795_168_800));
    let digest = put(&double, "v1");
    double.set_time(Duration::from_secs(1_795_168_860));
    double.put_image(NAME, "latest", &[("version", "v1")]);
    let version = call(&double, "GET", &path(&double, "v1")).json();
    assert_eq!(list(&double, ""), std::slice::from_ref(&version));
    assert_eq!(version["name"], digest);
    assert_eq!(version["created_at"], "2026-11-20T10:00:00Z");
    assert_eq!(version["updated_at"], "2026-11-20T10:01:00Z");
    assert_eq!(tags(&[version]), [r#"["latest","v1"]"#]);
}

#[test]
fn untagged_manifest_is_a_version_and_a_new_tag_moves() {
    let double = start();
    let child = double.put_platform_image(NAME, "linux/arm64");
    put(&double, "v1");
    double.put_index(NAME, "v1", &[("linux/arm64", &child)], &[]);
    assert_eq!(tags(&list(&double, "")), [r#"["v1"]"#, "[]", "[]"]);
}

#[test]
fn pages_are_linked_and_shift_after_a_deletion() {
    let double = start();
    for number in 1..=5 {
        put(&double, &format!("v{number}"));
    }
    let first = call(&double, "GET", &format!("{VERSIONS}?per_page=2&page=1"));
    let base = format!("https://api.github.com/{VERSIONS}?per_page=2");
    let next = format!(r#"<{base}&page=2>; rel="next", <{base}&page=3>; rel="last""#);
    assert_eq!(first.header("link"), Some(next.as_str()));
    assert_eq!(
        tags(first.json().as_array().unwrap()),
        [r#"["v5"]"#, r#"["v4"]"#]
    );
    let last = call(&double, "GET", &format!("{VERSIONS}?per_page=2&page=3"));
    let previous = format!(r#"<{base}&page=2>; rel="prev", <{base}&page=1>; rel="first""#);
    assert_eq!(last.header("link"), Some(previous.as_str()));
    assert_eq!(call(&double, "DELETE", &path(&double, "v5")).status, 204);
    assert_eq!(
        tags(&list(&double, "per_page=2&page=2")),
        [r#"["v2"]"#, r#"["v1"]"#]
    );
    assert_eq!(list(&double, "page=9"), [Value::Null; 0]);
}

#[test]
fn deleted_version_is_gone_from_the_registry_and_can_be_restored() {
    let double = start();
    put(&double, "v1");
    let digest = put(&double, "v2");
    let path = path(&double, "v2");
    assert_eq!(call(&double, "DELETE", &path).status, 204);
    for reference in [digest.as_str(), "v2"] {
        let read = ask(&double, "GET", &format!("manifests/{reference}"), b"").unwrap();
        assert_eq!(
            (read.status, read.error().0.as_str()),
            (404, "MANIFEST_UNKNOWN")
        );
    }
    let unknown = (404, "Package version not found.".to_owned());
    assert_eq!(refusal(&double, "DELETE", &path), unknown);
    assert_eq!(refusal(&double, "GET", &path), unknown);
    let deleted = list(&double, "state=deleted");
    assert_eq!(deleted[0]["name"], digest);
    assert!(deleted[0]["deleted_at"].is_string());
    double.set_time(double.time() + DAY * 29);
    assert_eq!(
        call(&double, "POST", &format!("{path}/restore")).status,
        204
    );
    assert_eq!(double.tags(NAME)["v2"], digest);
    assert_eq!(call(&double, "GET", &path).status, 200);
}

#[test]
fn deleted_version_is_lost_after_30_days_or_a_new_push() {
    let double = start();
    put(&double, "v1");
    for (days, pushed_again) in [(31, false), (0, true)] {
        put(&double, "v2");
        let path = path(&double, "v2");
        call(&double, "DELETE", &path);
        double.set_time(double.time() + DAY * days);
        if pushed_again {
            put(&double, "v2");
        }
        let unknown = (404, "Package version not found.".to_owned());
        assert_eq!(
            refusal(&double, "POST", &format!("{path}/restore")),
            unknown
        );
    }
}

#[test]
fn restored_version_does_not_take_tags_of_others() {
    let double = start();
    put(&double, "keep");
    double.put_image(NAME, "v1", &[("a", "1")]);
    let path = path(&double, "v1");
    call(&double, "DELETE", &path);
    let newer = double.put_image(NAME, "v1", &[("a", "2")]);
    assert_eq!(
        call(&double, "POST", &format!("{path}/restore")).status,
        204
    );
    assert_eq!(double.tags(NAME)["v1"], newer);
}

#[test]
fn last_tagged_and_popular_versions_stay() {
    let public = || Package::of("acme/widget").public();
    let double = builder(Account::workflow("acme/widget"), public());
    let double = double.start().unwrap();
    let digest = put(&double, "v1");
    let untagged = double.put_platform_image(NAME, "linux/arm64");
    let last = "You cannot delete the last tagged version of a package. You must delete the package instead.";
    let v1 = path(&double, "v1");
    assert_eq!(refusal(&double, "DELETE", &v1), (400, last.to_owned()));
    assert_eq!(
        call(&double, "DELETE", &path(&double, &untagged)).status,
        204
    );
    put(&double, "v2");
    double.set_downloads(NAME, &digest, 5001);
    let popular = "Publicly visible package versions with more than 5000 downloads cannot be deleted. Contact GitHub support for further assistance.";
    assert_eq!(refusal(&double, "DELETE", &v1), (400, popular.to_owned()));
    double.set_downloads(NAME, &digest, 5000);
    assert_eq!(call(&double, "DELETE", &v1).status, 204);
}

/// Lists with this token, deletes with it, and checks the messages; empty if it may.
#[track_caller]
fn check(account: Account, package: Package, listed: &str, deleted: &str) {
    let double = builder(account, package).start().unwrap();
    put(&double, "v1");
    put(&double, "v2");
    let message = |reply: Reply| {
        let json: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let text = json["message"].as_str().unwrap_or_default().to_owned();
        if reply.status < 300 {
            text
        } else {
            format!("{} {text}", reply.status)
        }
    };
    let path = path(&double, "v1");
    assert_eq!(message(call(&double, "GET", VERSIONS)), listed);
    assert_eq!(message(call(&double, "DELETE", &path)), deleted);
    let restore = format!("{path}/restore");
    assert_eq!(message(call(&double, "POST", &restore)), deleted);
}

#[test]
fn deletion_needs_permission_and_the_role_admin() {
    let (own, workflow) = (Package::of("acme/widget"), Account::workflow("acme/widget"));
    let (integration, unknown) = (
        "403 Resource not accessible by integration",
        "404 Package not found.",
    );
    let reader = workflow.clone().packages(Access::Read);
    check(workflow.clone(), own.clone(), "", "");
    check(reader, own.clone(), "", integration);
    check(
        workflow.clone().packages(Access::None),
        own.clone(),
        integration,
        integration,
    );
    check(workflow.clone(), Package::unlinked(), unknown, unknown);
    check(
        workflow,
        Package::unlinked().writer("acme/widget"),
        "",
        unknown,
    );
    check(Account::app("acme"), own.clone(), integration, integration);
    let personal = "403 Resource not accessible by personal access token";
    check(Account::fine_grained("acme"), own, personal, personal);
}

#[test]
fn classic_token_needs_its_own_scope_to_delete() {
    let own = || Package::of("acme/widget");
    let scopes = "403 You need at least delete:packages and read:packages scopes to delete a package version.";
    check(Account::classic("acme"), own(), "", scopes);
    check(Account::classic("acme").delete_packages(), own(), "", "");
    let none = Account::classic("acme").packages(Access::None);
    let scope = "403 You need at least read:packages scope to get a package's versions.";
    check(none, own(), scope, scopes);
}

#[test]
fn owners_have_three_paths() {
    let status = |account: Account, path: &str| {
        let builder = builder(account, Package::of("acme/widget"));
        let builder = builder.package("acme/a/b", Package::of("acme/widget"));
        let double = builder.start().unwrap();
        call(&double, "GET", path).status
    };
    let workflow = || Account::workflow("acme/widget");
    assert_eq!(
        status(workflow(), "users/acme/packages/container/widget/versions"),
        200
    );
    assert_eq!(
        status(workflow(), "orgs/Acme/packages/container/a%2Fb/versions"),
        200
    );
    assert_eq!(
        status(workflow(), "orgs/acme/packages/container/a/b/versions"),
        404
    );
    assert_eq!(
        status(workflow(), "orgs/alice/packages/container/x/versions"),
        404
    );
    let own = "user/packages/container/widget/versions";
    assert_eq!(status(workflow(), own), 403);
    assert_eq!(status(Account::classic("acme"), own), 200);
}

#[test]
fn scripted_list_lags_behind_and_shows_moved_tags_twice() {
    let double = start();
    put(&double, "v1");
    double.script(Fault::on(Endpoint::VersionList).stale().times(2));
    put(&double, "v2");
    call(&double, "DELETE", &path(&double, "v1"));
    for _lag in 0..2 {
        assert_eq!(tags(&list(&double, "")), [r#"["v1"]"#]);
    }
    assert_eq!(tags(&list(&double, "")), [r#"["v2"]"#]);
    double.put_image(NAME, "v2", &[("a", "newer")]);
    double.script(Fault::on(Endpoint::VersionList).moved_tags_twice());
    assert_eq!(tags(&list(&double, "")), [r#"["v2"]"#, r#"["v2"]"#]);
    assert_eq!(tags(&list(&double, "")), [r#"["v2"]"#, "[]"]);
}

#[test]
fn rate_limit_is_announced_and_ends_after_an_hour() {
    let account = Account::workflow("acme/widget");
    let builder = builder(account, Package::of("acme/widget")).requests_an_hour(2);
    let double = builder.start().unwrap();
    let reply = call(&double, "GET", VERSIONS);
    assert_eq!(reply.header("x-ratelimit-remaining"), Some("1"));
    let reset: u64 = reply.header("x-ratelimit-reset").unwrap().parse().unwrap();
    call(&double, "GET", VERSIONS);
    let limit = "API rate limit exceeded for installation ID 1.";
    assert_eq!(refusal(&double, "GET", VERSIONS), (403, limit.to_owned()));
    double.set_time(Duration::from_secs(reset));
    assert_eq!(call(&double, "GET", VERSIONS).status, 200);
    double.script(
        Fault::on(Endpoint::VersionList)
            .secondary_limit()
            .header("retry-after", "60"),
    );
    let (status, message) = refusal(&double, "GET", VERSIONS);
    assert_eq!(status, 403);
    assert!(message.contains("secondary rate limit"), "{message}");
}

#[test]
fn ghes_has_no_rate_limit() {
    let account = Account::workflow("acme/widget");
    let builder = builder(account, Package::of("acme/widget"));
    let server = Server::ghes("127.0.0.1", Isolation::Off);
    let double = builder.server(server).start().unwrap();
    let reply = call(&double, "GET", VERSIONS);
    assert_eq!(
        (reply.status, reply.header("x-ratelimit-limit")),
        (200, None)
    );
}
