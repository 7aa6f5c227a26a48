//! Comments on pull requests in the GitHub API.

use ghcr_double::{Access, Account, Double, Endpoint, PullRequest, Repository, Visibility};
use serde_json::{Value, json};

use crate::client::{Reply, TOKEN, send};

fn double(account: Account) -> Double {
    let repository = Repository::new("acme/widget")
        .visibility(Visibility::Private)
        .pull_request(7, PullRequest::Open);
    let builder = Double::builder().token(TOKEN, account);
    builder.repository(repository).start().unwrap()
}

fn writer() -> Account {
    Account::workflow("acme/widget").pull_requests(Access::Write)
}

fn call(double: &Double, method: &str, path: &str, body: &Value) -> Reply {
    let authorization = format!("Bearer {TOKEN}");
    let headers = [("authorization", authorization.as_str())];
    let target = format!("/api/{path}");
    send(
        double,
        method,
        &target,
        &headers,
        body.to_string().as_bytes(),
    )
    .unwrap()
}

fn comment(double: &Double, method: &str, path: &str, body: &str) -> Reply {
    let path = format!("v3/repos/acme/widget/issues/{path}");
    call(double, method, &path, &json!({ "body": body }))
}

#[test]
fn comment_is_created_updated_and_listed_with_its_author() {
    let double = double(writer());
    let created = comment(&double, "POST", "7/comments", "one");
    assert_eq!(created.status, 201);
    let id = created.json()["id"].as_u64().unwrap();
    assert_eq!(created.json()["user"]["login"], "github-actions[bot]");
    let other = double.add_comment("acme/widget", 7, "joe", "two");
    assert!(other > id);
    let path = format!("comments/{other}");
    assert_eq!(comment(&double, "PATCH", &path, "three").status, 200);
    let listed = comment(&double, "GET", "7/comments", "").json();
    let shown = |at: usize| {
        let comment = &listed[at];
        (comment["user"]["type"].clone(), comment["body"].clone())
    };
    assert_eq!(shown(0), (json!("Bot"), json!("one")));
    assert_eq!(shown(1), (json!("User"), json!("three")));
    let counted = [
        Endpoint::CommentPost,
        Endpoint::CommentPatch,
        Endpoint::CommentList,
    ];
    assert_eq!(counted.map(|endpoint| double.count(endpoint)), [1, 1, 1]);
    assert_eq!(double.comments("Acme/Widget", 7).len(), 2);
}

#[test]
fn either_permission_lets_a_token_write() {
    let account = || Account::workflow("acme/widget");
    let refused = "Resource not accessible by integration";
    for (account, expected) in [
        (account().pull_requests(Access::Write), Value::Null),
        (account().issues(Access::Write), Value::Null),
        (account(), json!(refused)),
        (
            Account::workflow("acme/other").issues(Access::Write),
            json!(refused),
        ),
        (Account::workflow("other/x"), json!("Not Found")),
        (
            Account::fine_grained("acme"),
            json!("Resource not accessible by personal access token"),
        ),
    ] {
        let double = double(account);
        let reply = comment(&double, "POST", "7/comments", "one");
        assert_eq!(reply.json()["message"], expected);
    }
    let none = account().pull_requests(Access::None).issues(Access::None);
    let reply = comment(&double(none), "GET", "7/comments", "");
    assert_eq!(
        (reply.status, &reply.json()["message"]),
        (403, &json!(refused))
    );
}

#[test]
fn what_does_not_exist_is_not_found() {
    let double = double(writer());
    for (method, path) in [
        ("GET", "8/comments"),
        ("POST", "8/comments"),
        ("POST", "x/comments"),
        ("PATCH", "comments/8"),
        ("DELETE", "comments/8"),
    ] {
        assert_eq!(comment(&double, method, path, "one").status, 404, "{path}");
    }
}

#[test]
fn body_has_a_length() {
    let double = double(writer());
    let longest = "é".repeat(65_536);
    assert_eq!(comment(&double, "POST", "7/comments", &longest).status, 201);
    for (body, expected) in [
        (
            format!("{longest}x"),
            "Body is too long (maximum is 65536 characters)",
        ),
        (String::new(), "Body cannot be blank"),
    ] {
        let reply = comment(&double, "POST", "7/comments", &body);
        assert_eq!(reply.status, 422);
        assert_eq!(reply.json()["errors"][0]["message"], expected);
    }
}

#[test]
fn page_has_at_most_100_comments_and_names_the_next_one() {
    let double = double(writer());
    for number in 0..101 {
        double.add_comment("acme/widget", 7, "joe", &format!("{number}"));
    }
    let page = |query: &str| comment(&double, "GET", &format!("7/comments?{query}"), "");
    let first = page("per_page=1000");
    assert_eq!(first.json().as_array().unwrap().len(), 100);
    let link = first.header("link").unwrap();
    assert!(
        link.contains("/issues/7/comments?per_page=1000&page=2>; rel=\"next\""),
        "{link}"
    );
    let second = page("per_page=1000&page=2");
    assert_eq!(second.json()[0]["body"], "100");
    assert!(!second.header("link").unwrap().contains("next"));
    assert_eq!(page("").json().as_array().unwrap().len(), 30);
}

#[test]
fn viewer_is_the_holder_of_the_token() {
    let query = json!({ "query": "{ viewer { login } }" });
    let login = |account: Account| {
        let reply = call(&double(account), "POST", "graphql", &query).json();
        reply["data"]["viewer"]["login"].clone()
    };
    assert_eq!(login(writer()), "github-actions[bot]");
    assert_eq!(login(Account::classic("joe")), "joe");
    let other = json!({ "query": "{ viewer { email } }" });
    let reply = call(&double(writer()), "POST", "graphql", &other);
    assert_eq!((reply.status, reply.json()["data"].is_null()), (200, true));
}
