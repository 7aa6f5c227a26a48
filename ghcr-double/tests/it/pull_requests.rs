//! Pull requests in the GitHub API, and the secondary limit of the API.

use ghcr_double::{Access, Account, Double, Endpoint, Isolation, PullRequest};
use ghcr_double::{Builder, Repository, Server, Visibility};

use crate::client::{Reply, TOKEN, send};

fn builder(account: Account, visibility: Visibility) -> Builder {
    let repository = Repository::new("acme/widget")
        .visibility(visibility)
        .pull_request(1, PullRequest::Open)
        .pull_request(2, PullRequest::Closed);
    Double::builder()
        .token(TOKEN, account)
        .organization("acme")
        .repository(repository)
}

fn call(double: &Double, method: &str, path: &str) -> Reply {
    let target = format!("/api/v3/repos/{path}");
    let authorization = format!("Bearer {TOKEN}");
    let headers = [("authorization", authorization.as_str())];
    send(double, method, &target, &headers, b"").unwrap()
}

/// The state, or the status and the message of the error.
fn state(account: Account, visibility: Visibility, number: &str) -> String {
    let double = builder(account, visibility).start().unwrap();
    let reply = call(&double, "GET", &format!("acme/widget/pulls/{number}"));
    assert_eq!(double.count(Endpoint::PullRequestGet), 1);
    let json = reply.json();
    match json["state"].as_str() {
        Some(state) => state.to_owned(),
        None => format!("{} {}", reply.status, json["message"].as_str().unwrap()),
    }
}

#[test]
fn pull_request_is_open_closed_or_unknown() {
    let account = || Account::workflow("acme/widget");
    for (number, expected) in [
        ("1", "open"),
        ("2", "closed"),
        ("3", "404 Not Found"),
        ("x", "404 Not Found"),
    ] {
        assert_eq!(state(account(), Visibility::Private, number), expected);
    }
}

#[test]
fn pull_request_of_a_private_repository_needs_the_permission() {
    let account = || Account::workflow("acme/widget").pull_requests(Access::None);
    assert_eq!(state(account(), Visibility::Public, "2"), "closed");
    let refused = "403 Resource not accessible by integration";
    assert_eq!(state(account(), Visibility::Private, "2"), refused);
    let other = Account::workflow("other/widget");
    assert_eq!(state(other, Visibility::Private, "2"), "404 Not Found");
}

#[test]
fn too_many_points_a_minute_are_refused_except_on_ghes() {
    let account = || Account::workflow("acme/widget");
    let limited = builder(account(), Visibility::Public).points_a_minute(6);
    let double = limited.start().unwrap();
    let path = "acme/widget/pulls/1";
    assert_eq!(call(&double, "DELETE", path).status, 404);
    assert_eq!(call(&double, "GET", path).status, 200);
    let reply = call(&double, "GET", path);
    assert_eq!(reply.status, 403);
    let message = reply.json()["message"].to_string();
    assert!(message.contains("secondary rate limit"), "{message}");
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((50..=60).contains(&wait), "{wait}");
    double.set_time(double.time() + std::time::Duration::from_secs(60));
    assert_eq!(call(&double, "GET", path).status, 200);
    let ghes = Server::ghes("127.0.0.1", Isolation::On);
    let free = builder(account(), Visibility::Public).server(ghes);
    let double = free.points_a_minute(0).start().unwrap();
    assert_eq!(call(&double, "GET", path).status, 200);
}
