//! Versions that are read again and restored, and pull requests.

use expect_test::expect;
use ghcr_double::{Access, PullRequest, Repository, Visibility};

use super::*;
use crate::context::RepositoryName;
use crate::github::packages::restore::Restoration;

async fn restore(double: &Double, id: u64) -> String {
    let github = github(double);
    match github.restore_version(PACKAGE, id, deadline()).await {
        Restoration::Restored => "Restored".to_owned(),
        Restoration::NotFound(problem) => format!("NotFound: {}", shown(problem)),
        Restoration::Refused(problem) => format!("Refused: {}", shown(problem)),
    }
}

#[tokio::test]
async fn version_is_read_until_it_is_deleted() {
    let double = double();
    put(&double, 2);
    let id = double.version_id(NAME, "v1").unwrap();
    let read = async || github(&double).version(PACKAGE, id, deadline()).await;
    assert_eq!(read().await.unwrap().unwrap().tags, ["v1"]);
    assert_eq!(delete(&double, id).await, "Deleted");
    assert_eq!(read().await.unwrap(), None);
}

#[tokio::test]
async fn version_that_may_not_be_read_is_explained() {
    let account = Account::workflow("acme/widget").packages(Access::None);
    let double = builder(account).start().unwrap();
    put(&double, 1);
    let id = double.version_id(NAME, "v1").unwrap();
    let error = github(&double).version(PACKAGE, id, deadline()).await;
    let text = shown(error.unwrap_err().problem);
    assert!(text.contains("add `packages: write`"), "{text}");
}

#[tokio::test]
async fn deleted_version_is_restored_with_its_tags_once() {
    let double = double();
    put(&double, 2);
    let id = double.version_id(NAME, "v1").unwrap();
    assert_eq!(delete(&double, id).await, "Deleted");
    assert_eq!(restore(&double, id).await, "Restored");
    assert_eq!(listed(&double).await, ["v2", "v1"]);
    expect![[r#"
        NotFound: cannot restore version ID of `acme/widget/base`: GitHub's API answered 404 Package version not found.
          because: no deleted version of `acme/widget/base` has this id, it was deleted more than 30 days ago, its manifest was pushed again, or the repository does not have the role Admin for the package
          fix: check the id in the summary of the clean-up; if the package is not the repository's, add `--with images=NAME`"#]]
    .assert_eq(&restore(&double, id).await.replace(&id.to_string(), "ID"));
}

#[tokio::test]
async fn restoration_without_the_permission_is_explained() {
    let account = Account::workflow("acme/widget").packages(Access::Read);
    let double = builder(account).start().unwrap();
    let text = restore(&double, 1).await;
    assert!(text.starts_with("Refused: "), "{text}");
    assert!(text.contains("add `packages: write`"), "{text}");
}

async fn is_closed(account: Account, number: u64) -> Result<bool, String> {
    let repository = Repository::new("acme/widget")
        .visibility(Visibility::Private)
        .pull_request(1, PullRequest::Open)
        .pull_request(2, PullRequest::Closed);
    let double = builder(account).repository(repository).start().unwrap();
    let repository = RepositoryName {
        owner: "acme".to_owned(),
        name: "widget".to_owned(),
    };
    let github = github(&double);
    let closed = github.is_closed(&repository, number, deadline());
    closed.await.map_err(shown)
}

#[tokio::test]
async fn pull_request_is_closed_or_not() {
    let account = || Account::workflow("acme/widget");
    assert_eq!(is_closed(account(), 1).await, Ok(false));
    assert_eq!(is_closed(account(), 2).await, Ok(true));
    assert_eq!(is_closed(account(), 3).await, Ok(false));
    let refused = account().pull_requests(Access::None);
    expect![[r#"
        cannot tell whether pull request 2 is closed: GitHub's API answered 403 Resource not accessible by integration
          fix: add `pull-requests: read` to the job's `permissions:`"#]]
    .assert_eq(&is_closed(refused, 2).await.unwrap_err());
}

#[tokio::test]
async fn remaining_requests_are_those_of_the_last_answer() {
    let account = Account::workflow("acme/widget");
    let double = builder(account).requests_an_hour(7).start().unwrap();
    let github = github(&double);
    assert_eq!(github.remaining_requests(), None);
    github.versions(PACKAGE, deadline()).await.unwrap();
    assert_eq!(github.remaining_requests(), Some(6));
}
