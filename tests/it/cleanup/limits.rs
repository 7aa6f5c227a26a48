//! Limits of GitHub: what it retains, refuses, and how many requests it accepts.

use ghcr_double::{Access, Endpoint, Fault, Visibility};

use super::*;

#[test]
fn last_tagged_version_is_not_tried() {
    let double = builder().start().unwrap();
    days_ago(&double, 40, |double| put_index(double, "pr-1"));
    days_ago(&double, 30, |double| put_index(double, "pr-3"));
    let run = succeeded(action(&double).run());
    assert_eq!(tags(&double), ["pr-3"]);
    assert_eq!(run.output("retained"), "[]");
    assert_eq!(
        listed(&run, "kept"),
        ["pr-3", "untagged", "untagged", "untagged"]
    );
    is_whole(&double);
}

#[test]
fn version_that_became_the_last_tagged_one_is_retained_with_its_children() {
    let double = start();
    // Somebody deletes all others after the list.
    let message = "You cannot delete the last tagged version of a package. You must delete the package instead.";
    let body = format!(r#"{{"message":"{message}"}}"#);
    double.script(
        Fault::on(Endpoint::VersionDelete)
            .answer(400)
            .body("application/json", &body),
    );
    let run = succeeded(action(&double).run());
    assert_eq!(listed(&run, "retained"), ["pr-1"]);
    assert_eq!(
        tags(&double),
        ["1.2.3", "main", "pr-1", "pr-2", "sha-0123456"]
    );
    is_whole(&double);
    assert_eq!(listed(&run, "deleted").len(), 4);
    run.assert_log("retained  ");
}

#[test]
fn popular_version_is_retained_with_its_children() {
    let double = start();
    let popular = double.tags(NAME)["pr-1"].clone();
    double.set_downloads(NAME, &popular, 5001);
    let run = succeeded(action(&double).run());
    assert_eq!(listed(&run, "retained"), ["pr-1"]);
    assert!(
        run.output("retained")
            .contains("downloaded more than 5000 times")
    );
    assert_eq!(
        tags(&double),
        ["1.2.3", "main", "pr-1", "pr-2", "sha-0123456"]
    );
    is_whole(&double);
}

#[test]
fn child_of_two_images_stays_with_the_one_that_is_retained() {
    let double = builder().start().unwrap();
    put_index(&double, "main");
    let (first, second) = days_ago(&double, 40, |double| {
        let shared = double.put_platform_image(NAME, "linux/arm64/shared");
        let put =
            |tag: &str| double.put_index(NAME, tag, &[("linux/arm64", &shared)], &[("of", tag)]);
        (put("pr-1"), put("pr-3"))
    });
    double.set_downloads(NAME, &first, 5001);
    let run = succeeded(action(&double).run());
    assert_eq!(listed(&run, "retained"), ["pr-1"]);
    assert!(!double.manifests(NAME).contains(&second));
    is_whole(&double);
}

#[test]
fn token_that_may_not_delete_gets_the_advice_and_stops_at_the_first_refusal() {
    let double = start();
    let message = "Resource not accessible by integration";
    let body = format!(r#"{{"message":"{message}"}}"#);
    let refused = Fault::on(Endpoint::VersionDelete)
        .answer(403)
        .body("application/json", &body);
    double.script(refused.always());
    let run = action(&double).run();
    assert!(!run.succeeded);
    run.assert_error("add `packages: write` to the job's `permissions:`");
    assert_eq!(deletions(&double), 1);
    assert_eq!(listed(&run, "failed"), ["pr-1"]);
    assert_eq!(run.output("deleted"), "[]");
    is_whole(&double);
}

#[test]
fn repository_without_the_role_admin_gets_the_advice() {
    let double = start();
    let package = Package::unlinked().writer("acme/Widget");
    double.set_package(NAME, package);
    let run = action(&double).run();
    assert!(!run.succeeded);
    run.assert_error("give the repository the role Admin in the settings of the package");
    assert_eq!(tags(&double).len(), 6);
}

#[test]
fn token_that_may_not_read_the_package_is_explained() {
    let account = Account::workflow("acme/Widget").packages(Access::None);
    let double = builder().token(TOKEN, account).start().unwrap();
    fill(&double);
    let run = action(&double).run();
    assert!(!run.succeeded);
    run.assert_error("cannot list the versions of `acme/widget`");
    run.assert_error("add `packages: read`");
}

#[test]
fn private_repository_needs_the_permission_for_pull_requests() {
    let account = Account::workflow("acme/Widget").pull_requests(Access::None);
    let repository = Repository::new("acme/Widget")
        .visibility(Visibility::Private)
        .pull_request(1, PullRequest::Closed);
    let double = Double::builder()
        .token(TOKEN, account)
        .organization("acme")
        .package(NAME, Package::of("acme/Widget"))
        .repository(repository)
        .start()
        .unwrap();
    fill(&double);
    let run = action(&double).run();
    assert!(!run.succeeded);
    run.assert_error("add `pull-requests: read`");
    assert_eq!(deletions(&double), 0);
}

#[test]
fn package_of_another_owner_and_other_registries_are_refused_before_any_deletion() {
    let double = start();
    let other = format!("{}/other/app", double.host());
    let run = action(&double).input("images", other).run();
    assert!(!run.succeeded);
    run.assert_error("the package belongs to `other`, and the token of a workflow in `acme/Widget` is for packages of `acme`");
    let run = action(&double)
        .input("images", "registry.example.com/acme/widget")
        .run();
    assert!(!run.succeeded);
    run.assert_error("cannot clean up `registry.example.com/acme/widget`");
    run.assert_error("name images of `ghcr.io` in `images`");
    let local = action(&double).without("GITHUB_ACTIONS");
    let run = local.arguments(&["cleanup"]).run();
    assert!(!run.succeeded);
    run.assert_error("is not its container registry");
    assert_eq!(deletions(&double), 0);
}

#[test]
fn clean_up_stops_when_few_requests_are_left_and_the_next_run_continues() {
    // A page, two pull requests, a read and a deletion, and the reserve.
    let double = builder().requests_an_hour(106).start().unwrap();
    fill(&double);
    let run = succeeded(action(&double).run());
    run.assert_log("::notice");
    run.assert_log("fewer than 100 requests are left of the rate limit of GitHub's API");
    let left = double.tags(NAME).len();
    assert!((4..6).contains(&left), "{left}");
    is_whole(&double);
    assert!(!listed(&run, "deleted").is_empty());
    double.set_time(double.time() + Duration::from_secs(3600));
    succeeded(action(&double).run());
    is_whole(&double);
}

#[test]
fn rate_limits_are_waited_for() {
    let double = start();
    double.script(
        Fault::on(Endpoint::VersionDelete)
            .secondary_limit()
            .header("retry-after", "1"),
    );
    double.script(
        Fault::on(Endpoint::VersionList)
            .answer(429)
            .header("retry-after", "1"),
    );
    succeeded(action(&double).run());
    assert_eq!(tags(&double), ["1.2.3", "main", "pr-2", "sha-0123456"]);
    is_whole(&double);
}

#[test]
fn rate_limit_that_is_longer_than_the_deadline_ends_the_run_without_an_error() {
    let double = start();
    let limit = Fault::on(Endpoint::VersionDelete)
        .after(1)
        .secondary_limit();
    double.script(limit.always().header("retry-after", "3600"));
    let run = succeeded(action(&double).run());
    run.assert_log("secondary rate limit");
    run.assert_log("are left for the next run");
    is_whole(&double);
    assert_eq!(listed(&run, "deleted"), ["pr-1"]);
}

#[test]
fn rate_limit_of_a_read_ends_the_run_without_an_error() {
    for (endpoint, after) in [(Endpoint::VersionGet, 1), (Endpoint::VersionList, 1)] {
        let double = start();
        let limit = Fault::on(endpoint).after(after).secondary_limit();
        double.script(limit.header("retry-after", "3600"));
        let run = succeeded(action(&double).run());
        run.assert_log("secondary rate limit");
        run.assert_log("for the next run");
        is_whole(&double);
        assert!(!listed(&run, "deleted").is_empty(), "{endpoint:?}");
        succeeded(action(&double).run());
        assert_eq!(tags(&double), ["1.2.3", "main", "pr-2", "sha-0123456"]);
    }
}

/// Pages, manifests, and nothing else beside deletions, what is read again before them, and the last check.
#[test]
fn requests_are_counted() {
    let double = builder().start().unwrap();
    put_index(&double, "main");
    for number in 0..300 {
        let days = 40 + number / 10;
        days_ago(&double, days, |double| {
            put_index(double, &format!("sha-{number:07}"))
        });
    }
    days_ago(&double, 400, |double| {
        for number in 0..8796 {
            double.put_platform_image(NAME, &format!("linux/amd64/{number}"));
        }
    });
    double.clear_requests();
    let run = weekly(&double, "delete=sha-*,older-than=30d,keep=290").run();
    let run = succeeded(run);
    assert_eq!(listed(&run, "deleted").len(), 40);
    is_whole(&double);
    let count = |endpoint| double.count(endpoint);
    // Every page twice, before the first deletion and before what has no tag; the newest page at the end.
    assert_eq!(count(Endpoint::VersionList), 201);
    assert_eq!(count(Endpoint::VersionGet), 10);
    assert_eq!(deletions(&double), 40);
    let (answered, others): (Vec<_>, Vec<_>) = double
        .requests()
        .into_iter()
        .partition(|seen| seen.endpoint == Endpoint::ManifestRead && seen.status == Some(200));
    let (gets, heads): (Vec<_>, Vec<_>) =
        answered.into_iter().partition(|seen| seen.method == "GET");
    // 301 versions with tags, and 30 children of those that go.
    assert_eq!(gets.len(), 331);
    assert_eq!(heads.len(), 3 * 291);
    // The ten first questions of a connection are asked without a token.
    let logins = others.len() - 201 - 10 - 40;
    assert!(logins <= 2 * 2 * 10, "{logins}");
}
