//! The errors with which GHCR refuses a push.

use crate::client::{TOKEN, bearer, send};
use ghcr_double::{Access, Account, Double, Package};

/// Starts an upload to `name` and checks the status, the code and the message.
#[track_caller]
fn check(account: Account, name: &str, status: u16, code: &str, message: &str) {
    let double = Double::builder()
        .token(TOKEN, account)
        .organization("acme")
        .organization("other")
        .package("acme/widget", Package::of("acme/widget"))
        .package("acme/laptop", Package::unlinked())
        .start()
        .unwrap();
    let bearer = bearer(&double, TOKEN, name);
    let target = format!("/v2/{name}/blobs/uploads/");
    let headers = [("authorization", bearer.as_str())];
    let reply = send(&double, "POST", &target, &headers, b"").unwrap();
    assert_eq!(reply.status, status);
    assert_eq!(reply.error(), (code.to_owned(), message.to_owned()));
}

#[test]
fn refusals_of_a_workflow() {
    let account = || Account::workflow("acme/widget");
    check(
        account(),
        "acme/laptop",
        403,
        "DENIED",
        "permission_denied: write_package",
    );
    check(
        account().packages(Access::Read),
        "acme/new",
        403,
        "DENIED",
        "installation not allowed to Create organization package",
    );
    check(
        account().packages(Access::Read),
        "acme/widget",
        403,
        "DENIED",
        "installation not allowed to Write organization package",
    );
    check(
        account(),
        "other/widget",
        403,
        "DENIED",
        "permission_denied: The requested installation does not exist",
    );
    check(
        account(),
        "ghost/widget",
        404,
        "DENIED",
        "not_found: owner not found",
    );
    check(
        account(),
        "widget",
        400,
        "NAME_INVALID",
        "invalid repository name",
    );
}

#[test]
fn refusals_of_other_tokens() {
    check(
        Account::classic("alice").packages(Access::Read),
        "alice/x",
        403,
        "DENIED",
        "permission_denied: The token provided does not match expected scopes",
    );
    check(
        Account::classic("alice"),
        "acme/new",
        403,
        "DENIED",
        "permission_denied: create_package",
    );
    check(
        Account::app("acme"),
        "acme/widget",
        403,
        "DENIED",
        "installation not allowed to Write organization package",
    );
}
