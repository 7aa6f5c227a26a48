//! A tag is kept if it is not known whether it may move: a request has no answer, or the list is truncated.

use expect_test::{Expect, expect};
use ghcr_double::{Denial, Double, Endpoint, Fault};
use serde_json::json;

use super::{FUTURE, NAME, OURS, PAST, double, image, publication, skipped};
use crate::publication::PUSHED;
use crate::support::Run;

/// Prepares the double, and runs a push to `main` that leaves the tag `main` where it is and fails.
#[track_caller]
fn stays_for_want_of_an_answer(shown: &str, fault: Fault, expected: &Expect) {
    let double = double();
    let before = image(&double, "main", shown);
    let ours = image(&double, &format!("sha-{OURS}"), OURS);
    double.script(fault);
    let action = publication("push_branch", &double, &ours).input("push-timeout", "1s");
    let run = action.run();
    assert!(!run.succeeded, "{}", run.stdout);
    assert_eq!(double.tags(NAME)["main"], before);
    assert_eq!((run.output("pushed"), run.output("tags")), ("true", ""));
    assert_eq!(skipped(&run)[0]["tag"], "main");
    let error = run
        .stable(&run.stderr, double.host())
        .replace(&ours, "<digest>");
    expected.assert_eq(&error.replace("%0A", "\n"));
}

#[test]
fn branch_is_kept_when_compare_api_fails() {
    let refused = |status: u16, message: &str| {
        let body = json!({ "message": message }).to_string();
        let fault = Fault::on(Endpoint::Api).always().answer(status);
        fault.body("application/json", &body)
    };
    let forbidden = refused(403, "Resource not accessible by integration");
    stays_for_want_of_an_answer(
        PAST,
        forbidden,
        &expect![[r#"
        ::error title=ghcr-publish::cannot tell whether `main` may move to `<registry>/acme/widget@<digest>`, which is pushed
          because: it shows the commit `1111111`, and GitHub did not say whether that is newer than `0123456`: its API answered 403 Resource not accessible by integration
          fix: add `contents: read` to the job's `permissions:`; to move tags without asking, set `floating-tags: always`
    "#]],
    );
    let no_permission = refused(404, "Not Found");
    stays_for_want_of_an_answer(
        PAST,
        no_permission,
        &expect![[r#"
        ::error title=ghcr-publish::cannot tell whether `main` may move to `<registry>/acme/widget@<digest>`, which is pushed
          because: it shows the commit `1111111`, and GitHub did not say whether that is newer than `0123456`: its API answered 404 Not Found
          fix: add `contents: read` to the job's `permissions:`; to move tags without asking, set `floating-tags: always`
    "#]],
    );
    let outage = Fault::on(Endpoint::Api).always().answer(503);
    stays_for_want_of_an_answer(
        PAST,
        outage,
        &expect![[r#"
        ::error title=ghcr-publish::cannot tell whether `main` may move to `<registry>/acme/widget@<digest>`, which is pushed
          because: it shows the commit `1111111`, and GitHub did not say whether that is newer than `0123456`: its API answered 503 Service Unavailable
          fix: run the job again when GitHub's API answers; to move tags without asking, set `floating-tags: always`
    "#]],
    );
}

#[test]
fn branch_is_kept_when_its_image_is_unreadable() {
    let fault = || Fault::on(Endpoint::ManifestRead).path("/manifests/main");
    let outage = fault().always().answer(503);
    stays_for_want_of_an_answer(
        PAST,
        outage,
        &expect![[r#"
            ::error title=ghcr-publish::cannot tell whether `main` may move to `<registry>/acme/widget@<digest>`, which is pushed
              because: its image could not be read: <registry> answered 503 Service Unavailable
              fix: run the job again when the registry responds
        "#]],
    );
    let denied = fault().always().deny(&Denial::WritePackage);
    stays_for_want_of_an_answer(
        PAST,
        denied,
        &expect![[r#"
            ::error title=ghcr-publish::cannot tell whether `main` may move to `<registry>/acme/widget@<digest>`, which is pushed
              because: its image could not be read: <registry> answered 403 DENIED: permission_denied: write_package
              fix: open https://github.com/orgs/acme/packages/container/widget/settings → Manage Actions access → add acme/Widget with role Write; if it is listed there, add `packages: write` to the job's `permissions:`
        "#]],
    );
}

/// An image of this repository that says which version it is.
fn version(double: &Double, tag: &str, commit: &str, version: &str) -> String {
    let annotations = [
        (
            "org.opencontainers.image.source",
            "https://github.com/acme/Widget",
        ),
        ("org.opencontainers.image.revision", commit),
        ("org.opencontainers.image.version", version),
    ];
    double.put_image(NAME, tag, &annotations)
}

/// A push of the tag v1.2.3 with one rule, and `latest`.
fn push_of_version(double: &Double, pattern: &str) -> Run {
    let ours = image(double, PUSHED, OURS);
    let action = publication("push_tag", double, &ours);
    let action = action.input("tags", format!("type=semver,pattern={pattern}"));
    action.input("push-timeout", "1s").run()
}

/// Every page of the list leads to a further one.
fn endless_list(double: &Double) {
    let next = r#"</v2/acme/widget/tags/list?last=0&n=1000>; rel="next""#;
    let list = Fault::on(Endpoint::TagList).always();
    double.script(list.header("link", next));
}

fn reasons(run: &Run) -> Vec<String> {
    let skipped = skipped(run);
    let reasons = skipped.as_array().unwrap().iter();
    reasons
        .map(|skipped| skipped["reason"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn truncated_tag_list_is_not_complete() {
    let double = double();
    endless_list(&double);
    let newer = version(&double, "latest", FUTURE, "v2.0.0");
    let run = push_of_version(&double, "v{{version}}");
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    let reason = "it shows the version `v2.0.0`, which is newer than `v1.2.3`";
    assert_eq!(reasons(&run), [reason]);
    assert_eq!(double.tags(NAME)["latest"], newer);
    version(&double, "latest", PAST, "v1.2.2");
    let run = push_of_version(&double, "v{{version}}");
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(double.tags(NAME)["latest"], run.output("digest"));
}

#[test]
fn truncated_tag_list_keeps_tag_of_unversioned_image() {
    let double = double();
    endless_list(&double);
    let before = double.put_image(NAME, "latest", &[]);
    let run = push_of_version(&double, "v{{version}}");
    assert!(!run.succeeded);
    assert_eq!(double.tags(NAME)["latest"], before);
    let error = run.stable(&run.stderr, double.host());
    let error = error.replace(run.output("digest"), "<digest>");
    expect![[r#"
        ::error title=ghcr-publish::cannot tell whether `latest` may move to `<registry>/acme/widget@<digest>`, which is pushed
          because: the registry has more tags than the 100,000 that are read, and its image names no version
          fix: delete tags that nobody needs, then run the job again; to move tags without asking, set `floating-tags: always`
    "#]].assert_eq(&error.replace("%0A", "\n"));
}

#[test]
fn tag_is_read_directly_when_list_is_empty() {
    let double = double();
    let unknown = Fault::on(Endpoint::TagList).always();
    double.script(unknown.error(404, "NAME_UNKNOWN", "repository name not known"));
    let newer = version(&double, "latest", FUTURE, "v2.0.0");
    let run = push_of_version(&double, "v{{version}}");
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(double.tags(NAME)["latest"], newer);
    double.put_image(NAME, "latest", &[]);
    let run = push_of_version(&double, "v{{version}}");
    assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
    assert_eq!(double.tags(NAME)["latest"], run.output("digest"));
}

#[test]
fn version_label_decides_without_full_version_tags() {
    let check = |commit: &str, shown: &str, expected: Option<&str>| {
        let double = double();
        version(&double, "1.2", commit, shown);
        let run = push_of_version(&double, "{{major}}.{{minor}}");
        assert!(run.succeeded, "{}{}", run.stdout, run.stderr);
        let reasons = reasons(&run);
        assert_eq!(reasons.first().map(String::as_str), expected);
    };
    let newer = "it shows the version `1.2.4`, which is newer than `v1.2.3`";
    check(PAST, "1.2.4", Some(newer));
    check(FUTURE, "1.2.2", None);
    let newer = "it shows the commit `3333333`, which is newer";
    check(FUTURE, "1.2", Some(newer));
    check(PAST, "1.2", None);
}
