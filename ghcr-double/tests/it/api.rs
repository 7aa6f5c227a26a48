//! The GitHub API.

use crate::client::{Reply, TOKEN, send};
use ghcr_double::{Account, Double, Package, Repository, Visibility};

fn ask(path: &str, authorization: &str) -> Reply {
    let date = "2026-11-20T16:00:00Z";
    let repository = Repository::new("Acme/Widget")
        .description("Makes widgets")
        .license("MIT")
        .commit("1111111111111111111111111111111111111111", &[], date)
        .commit(
            "2222222222222222222222222222222222222222",
            &["1111111111111111111111111111111111111111"],
            date,
        )
        .branch("main", "2222222222222222222222222222222222222222");
    let double = Double::builder()
        .token(TOKEN, Account::workflow("Acme/Widget"))
        .organization("Acme")
        .user("alice")
        .repository(repository)
        .repository(Repository::new("other/secret").visibility(Visibility::Private))
        .package("acme/widget/base", Package::of("Acme/Widget"))
        .package("acme/closed", Package::unlinked())
        .start()
        .unwrap();
    let headers = [("authorization", authorization)];
    send(&double, "GET", &format!("/api/v3/{path}"), &headers, b"").unwrap()
}

#[track_caller]
fn check(path: &str, pointer: &str, expected: &str) {
    let reply = ask(path, &format!("Bearer {TOKEN}"));
    let json = reply.json();
    let value = json.pointer(pointer).unwrap_or(&serde_json::Value::Null);
    assert_eq!(value.to_string(), expected, "{path} {json}");
}

#[test]
fn repository() {
    check("repos/acme/widget", "/full_name", r#""Acme/Widget""#);
    check("repos/acme/widget", "/name", r#""Widget""#);
    check("repos/acme/widget", "/owner/login", r#""Acme""#);
    check("repos/acme/widget", "/description", r#""Makes widgets""#);
    check("repos/acme/widget", "/license/spdx_id", r#""MIT""#);
    check("repos/acme/widget", "/default_branch", r#""main""#);
    check("repos/acme/widget", "/private", "false");
    check("repos/acme/widget", "/visibility", r#""public""#);
    check("repos/other/secret", "/message", r#""Not Found""#);
}

#[test]
fn commits_and_comparisons() {
    let date = r#""2026-11-20T16:00:00Z""#;
    check(
        "repos/acme/widget/commits/1111111",
        "/commit/committer/date",
        date,
    );
    check(
        "repos/acme/widget/commits/main",
        "/parents/0/sha",
        r#""1111111111111111111111111111111111111111""#,
    );
    check(
        "repos/acme/widget/compare/1111111...main",
        "/status",
        r#""ahead""#,
    );
    check(
        "repos/acme/widget/compare/main...1111111",
        "/status",
        r#""behind""#,
    );
    check(
        "repos/acme/widget/compare/main...main",
        "/status",
        r#""identical""#,
    );
    check(
        "repos/acme/widget/compare/main...9999999",
        "/message",
        r#""Not Found""#,
    );
}

#[test]
fn packages_and_owners() {
    let package = "orgs/Acme/packages/container/widget%2Fbase";
    check(package, "/visibility", r#""private""#);
    check(package, "/repository/full_name", r#""Acme/Widget""#);
    check(
        package,
        "/html_url",
        r#""https://github.com/orgs/Acme/packages/container/package/widget%2Fbase""#,
    );
    check(
        "users/Acme/packages/container/widget%2Fbase",
        "/message",
        r#""Not Found""#,
    );
    check(
        "orgs/acme/packages/container/closed",
        "/message",
        r#""Not Found""#,
    );
    check("users/acme", "/type", r#""Organization""#);
    check("users/alice", "/type", r#""User""#);
}

#[test]
fn authorization() {
    let status = |authorization: &str| ask("repos/acme/widget", authorization).status;
    assert_eq!(status(&format!("token {TOKEN}")), 200);
    assert_eq!(status("Bearer wrong"), 401);
    assert_eq!(status(&format!("Basic {TOKEN}")), 401);
}
