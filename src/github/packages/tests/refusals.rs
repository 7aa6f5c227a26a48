//! What a refusal of the API means.

use expect_test::{Expect, expect};
use ghcr_double::Access;
use serde_json::json;

use super::*;
use crate::image::digest::Digest;

async fn not_deleted(builder: Builder, expected: Expect) {
    let double = builder.start().unwrap();
    put(&double, 2);
    let id = double.version_id(NAME, "v1").unwrap();
    let said = delete(&double, id).await.replace(&id.to_string(), "ID");
    expected.assert_eq(&said);
    assert_eq!(double.count(Endpoint::VersionDelete), 1);
}

#[tokio::test]
async fn token_that_may_not_delete_is_told_what_it_lacks() {
    let workflow = || Account::workflow("acme/widget");
    let reader = builder(workflow().packages(Access::Read));
    not_deleted(reader, expect![[r#"
        Refused: cannot delete version ID of `acme/widget/base`: GitHub's API answered 403 Resource not accessible by integration
          because: the token may not delete versions of `acme/widget/base`
          fix: add `packages: write` to the job's `permissions:`, and give the repository the role Admin in the settings of the package, under Manage Actions access"#]]).await;
    let writer = builder(workflow()).package(NAME, Package::unlinked().writer("acme/widget"));
    not_deleted(writer, expect![[r#"
        Refused: cannot delete version ID of `acme/widget/base`: GitHub's API answered 404 Package not found.
          because: `acme/widget/base` does not exist, or the repository does not have the role Admin for it
          fix: give the repository the role Admin in the settings of the package, under Manage Actions access"#]]).await;
    not_deleted(builder(Account::classic("acme")), expect![[r#"
        Refused: cannot delete version ID of `acme/widget/base`: GitHub's API answered 403 You need at least delete:packages and read:packages scopes to delete a package version.
          because: the personal access token may not delete packages
          fix: give the token the scope `delete:packages`"#]]).await;
    not_deleted(builder(Account::fine_grained("acme")), expect![[r#"
        Refused: cannot delete version ID of `acme/widget/base`: GitHub's API answered 403 Resource not accessible by personal access token
          because: a fine-grained personal access token cannot delete versions of `acme/widget/base`
          fix: use the workflow's own token (no input is needed), or a classic token with `delete:packages`"#]]).await;
    let unknown = Double::builder().package(NAME, Package::unlinked());
    not_deleted(unknown, expect![[r#"
        Refused: cannot delete version ID of `acme/widget/base`: GitHub's API answered 401 Bad credentials
          fix: check the token in `github-token`"#]]).await;
}

#[tokio::test]
async fn version_that_github_keeps_is_no_refusal_of_the_token() {
    let double = double();
    put(&double, 1);
    let id = double.version_id(NAME, "v1").unwrap();
    let said = async || delete(&double, id).await.replace(&id.to_string(), "ID");
    expect![[r#"
        Retained: cannot delete version ID of `acme/widget/base`: GitHub's API answered 400 You cannot delete the last tagged version of a package. You must delete the package instead.
          because: no other version of `acme/widget/base` has a tag, and GitHub deletes the last tagged one only with the whole package
          fix: keep this version, or delete the package on its page, which deletes its settings too"#]].assert_eq(&said().await);
    put(&double, 2);
    let digest = double.tags(NAME)["v1"].clone();
    double.set_downloads(NAME, &digest, 5001);
    expect![[r#"
        Retained: cannot delete version ID of `acme/widget/base`: GitHub's API answered 400 Publicly visible package versions with more than 5000 downloads cannot be deleted. Contact GitHub support for further assistance.
          because: GitHub keeps versions of public packages that were downloaded more than 5000 times
          fix: keep this version, or ask GitHub's support to delete it"#]].assert_eq(&said().await);
}

#[tokio::test]
async fn unknown_refusal_is_reported() {
    let double = double();
    let body = json!({ "message": "Invalid argument." }).to_string();
    let fault = Fault::on(Endpoint::VersionDelete).answer(400);
    double.script(fault.body("application/json", &body));
    expect![[r#"
        Refused: cannot delete version 7 of `acme/widget/base`: GitHub's API answered 400 Invalid argument.
          fix: run the job again; if GitHub refuses it again, report the message with the debug log"#]].assert_eq(&delete(&double, 7).await);
    let fault = Fault::on(Endpoint::VersionDelete).answer(404);
    double.script(fault.body("text/html", "<!DOCTYPE html>"));
    expect![[r#"
        Refused: cannot delete version 7 of `acme/widget/base`: GitHub's API answered 404 Not Found
          because: `acme/widget/base` does not exist, or the repository does not have the role Admin for it
          fix: give the repository the role Admin in the settings of the package, under Manage Actions access"#]].assert_eq(&delete(&double, 7).await);
}

#[tokio::test]
async fn list_that_is_refused_names_the_permission() {
    let refused = async |builder: Builder| list(&builder.start().unwrap()).await.unwrap_err();
    let none = Account::workflow("acme/widget").packages(Access::None);
    expect![[r#"
        cannot list the versions of `acme/widget/base`: GitHub's API answered 403 Resource not accessible by integration
          fix: add `packages: read` to the job's `permissions:`; a classic token needs `read:packages`"#]].assert_eq(&refused(builder(none)).await);
    let elsewhere = builder(Account::workflow("acme/widget")).package(NAME, Package::unlinked());
    expect![[r#"
        cannot list the versions of `acme/widget/base`: GitHub's API answered 404 Package not found.
          because: `acme/widget/base` does not exist, or the token may not read it
          fix: give the repository access in the settings of the package, under Manage Actions access"#]].assert_eq(&refused(elsewhere).await);
    expect![[r#"
        cannot list the versions of `acme/widget/base`: GitHub's API answered 401 Bad credentials
          fix: check the token in `github-token`"#]]
    .assert_eq(&refused(Double::builder()).await);
}

/// What comes of a list that is this JSON.
async fn answered(body: &str) -> String {
    let double = double();
    let fault = Fault::on(Endpoint::VersionList).always().answer(200);
    double.script(fault.body("application/json", body));
    list(&double).await.unwrap_err()
}

#[tokio::test]
async fn version_without_what_is_needed_is_an_error_that_names_it() {
    let complete = json!({
        "id": 1,
        "name": Digest::of(b"image").to_string(),
        "created_at": "2026-11-20T10:00:00Z",
        "updated_at": "2026-11-20T10:00:00Z",
        "metadata": { "container": { "tags": [] } },
        "unknown": { "future": true },
    });
    for key in ["id", "name", "created_at", "updated_at", "metadata"] {
        let mut version = complete.clone();
        version.as_object_mut().unwrap().remove(key);
        let error = answered(&json!([version]).to_string()).await;
        let expected = format!("in an unknown form: missing field `{key}`");
        assert!(error.contains(&expected), "{error}");
    }
    let mut version = complete.clone();
    version["metadata"] = json!({ "package_type": "npm" });
    let error = answered(&json!([complete, version]).to_string()).await;
    expect![[r#"
        cannot list the versions of `acme/widget/base`: GitHub's API describes one in an unknown form: missing field `container`
          fix: run the job again; if GitHub refuses it again, report the message with the debug log"#]].assert_eq(&error);
    version["metadata"] = complete["metadata"].clone();
    version["name"] = "1.0.0".into();
    expect![[r#"
        cannot list the versions of `acme/widget/base`: GitHub's API describes one in an unknown form: `1.0.0` is not a sha256 digest
          fix: run the job again; if GitHub refuses it again, report the message with the debug log"#]].assert_eq(&answered(&json!([version]).to_string()).await);
}
