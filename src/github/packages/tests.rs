//! Versions that are listed, found and deleted.

mod outages;
mod refusals;
mod restore;

use std::time::Duration;

use ghcr_double::{Account, Builder, Double, Endpoint, Fault, Package};

use super::*;
use crate::console::Console;
use crate::deadline::Pace;
use crate::error::Explanation;
use crate::secret::Secret;
use crate::tls::Trust;

const TOKEN: &str = "ghs_hunter2";
const NAME: &str = "acme/widget/base";
const PACKAGE: PackageName<'static> = PackageName {
    owner: "acme",
    kind: OwnerKind::Organization,
    name: "widget/base",
};

fn builder(account: Account) -> Builder {
    Double::builder()
        .token(TOKEN, account)
        .organization("acme")
        .package(NAME, Package::of("acme/widget").public())
}

fn double() -> Double {
    builder(Account::workflow("acme/widget")).start().unwrap()
}

fn github(double: &Double) -> GitHub {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let token = Secret::exact(TOKEN);
    GitHub::new(&double.api_url(), token, Trust::default(), Console::NOWHERE)
}

/// Five minutes, a thousand times faster.
fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(300), Pace::waiting(1000))
}

fn shown(problem: Problem) -> String {
    let text = Explanation::of(&problem.into()).to_string();
    assert!(!text.contains(TOKEN), "{text}");
    text
}

async fn list(double: &Double) -> Result<Vec<Version>, String> {
    let listed = github(double).versions(PACKAGE, deadline()).await;
    listed.map_err(|none| shown(none.problem))
}

/// The tag of each listed version.
async fn listed(double: &Double) -> Vec<String> {
    let versions = list(double).await.unwrap().into_iter();
    versions.map(|version| version.tags.join(" ")).collect()
}

async fn find(double: &Double, tag: &str) -> Option<Version> {
    let has_tag = |version: &Version| version.tags.iter().any(|known| known == tag);
    let github = github(double);
    let found = github.find_version(PACKAGE, has_tag, deadline()).await;
    found.unwrap()
}

/// `Deleted`, `Gone`, or why not.
async fn delete(double: &Double, id: u64) -> String {
    let deleted = github(double).delete_version(PACKAGE, id, deadline()).await;
    match deleted {
        VersionDeletion::Deleted => "Deleted".to_owned(),
        VersionDeletion::Gone => "Gone".to_owned(),
        VersionDeletion::Retained(problem) => format!("Retained: {}", shown(problem)),
        VersionDeletion::Limited(problem) => format!("Limited: {}", shown(problem)),
        VersionDeletion::Refused(problem) => format!("Refused: {}", shown(problem)),
    }
}

/// Versions `v1`, `v2`, …
fn put(double: &Double, count: usize) {
    for number in 1..=count {
        let tag = format!("v{number}");
        double.put_image(NAME, &tag, &[("version", &tag)]);
    }
}

fn queries(double: &Double) -> Vec<String> {
    let seen = double.requests().into_iter();
    let lists = seen.filter(|seen| seen.endpoint == Endpoint::VersionList);
    lists.map(|seen| seen.query).collect()
}

#[tokio::test]
async fn version_has_digest_tags_and_times() {
    let double = double();
    double.set_time(Duration::from_secs(1_795_168_800));
    let digest = double.put_image(NAME, "v1", &[]);
    double.set_time(Duration::from_secs(1_795_168_860));
    double.put_image(NAME, "latest", &[]);
    let expected = Version {
        id: double.version_id(NAME, "v1").unwrap(),
        digest: digest.parse().unwrap(),
        tags: vec!["latest".to_owned(), "v1".to_owned()],
        created_at: "2026-11-20T10:00:00Z".parse().unwrap(),
        updated_at: "2026-11-20T10:01:00Z".parse().unwrap(),
    };
    assert_eq!(list(&double).await, Ok(vec![expected]));
    let paths: Vec<String> = double
        .requests()
        .into_iter()
        .map(|seen| seen.path)
        .collect();
    let path = "/api/v3/orgs/acme/packages/container/widget%2Fbase/versions";
    assert_eq!(paths, [path]);
}

#[tokio::test]
async fn package_of_a_user_has_its_own_path() {
    let path = |kind| PackageName { kind, ..PACKAGE }.path();
    assert_eq!(
        path(OwnerKind::User),
        "/users/acme/packages/container/widget%2Fbase"
    );
    assert_eq!(
        path(OwnerKind::Organization),
        "/orgs/acme/packages/container/widget%2Fbase"
    );
}

#[tokio::test]
async fn all_pages_are_read_once() {
    let double = double();
    put(&double, 250);
    let expected: Vec<String> = (1..=250).rev().map(|number| format!("v{number}")).collect();
    assert_eq!(listed(&double).await, expected);
    let mut seen = queries(&double);
    seen.sort();
    let pages = [1, 2, 3].map(|page| format!("state=active&per_page=100&page={page}"));
    assert_eq!(seen, pages);
}

/// Lists while the requests wait at a gate: whenever none has arrived for 50 ms, calls `observe` with their number and
/// lets one pass.
async fn list_gated(double: &Double, mut observe: impl FnMut(usize)) -> Vec<Version> {
    let gate = double.gate();
    let reading = list(double);
    tokio::pin!(reading);
    loop {
        tokio::select! {
            listed = &mut reading => return listed.unwrap(),
            () = gate.arrival() => {}
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                let waiting = gate.waiting().len();
                if waiting > 0 {
                    observe(waiting);
                    gate.pass(0).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn at_most_ten_pages_are_read_at_once() {
    let double = double();
    put(&double, 1301);
    let mut most = 0;
    let versions = list_gated(&double, |waiting| most = most.max(waiting)).await;
    assert_eq!((versions.len(), most), (1301, 10));
}

#[tokio::test]
async fn version_that_is_pushed_while_pages_are_read_moves_none_out_of_the_list() {
    let double = double();
    put(&double, 200);
    let mut passed = 0;
    let push_after_first = |_waiting| {
        passed += 1;
        if passed == 2 {
            double.put_image(NAME, "newest", &[]);
        }
    };
    let versions = list_gated(&double, push_after_first).await;
    assert_eq!(versions.len(), 200);
    assert_eq!(versions.last().unwrap().tags, ["v1"]);
    assert_eq!(double.count(Endpoint::VersionList), 3);
}

#[tokio::test]
async fn list_without_a_last_page_is_followed() {
    let double = double();
    put(&double, 250);
    let next = r#"<https://api.github.com/x?page=7>; rel="next""#;
    let fault = Fault::on(Endpoint::VersionList).times(2);
    double.script(fault.header("link", next));
    assert_eq!(listed(&double).await.len(), 250);
    assert_eq!(double.count(Endpoint::VersionList), 3);
}

#[tokio::test]
async fn recent_version_is_found_on_the_first_page() {
    let double = double();
    put(&double, 250);
    let found = find(&double, "v240").await.unwrap();
    assert_eq!(Some(found.id), double.version_id(NAME, "v240"));
    assert_eq!(double.count(Endpoint::VersionList), 1);
    assert_eq!(find(&double, "v1").await.unwrap().tags, ["v1"]);
    assert_eq!(double.count(Endpoint::VersionList), 4);
    assert_eq!(find(&double, "unknown").await, None);
}

#[tokio::test]
async fn list_may_lag_and_show_a_moved_tag_twice() {
    let double = double();
    put(&double, 1);
    double.script(Fault::on(Endpoint::VersionList).stale());
    let digest = double.put_image(NAME, "v1", &[("a", "newer")]);
    let lagging = find(&double, "v1").await.unwrap();
    assert_ne!(lagging.digest.as_str(), digest);
    double.script(Fault::on(Endpoint::VersionList).moved_tags_twice());
    assert_eq!(listed(&double).await, ["v1", "v1"]);
    assert_eq!(listed(&double).await, ["v1", ""]);
}

#[tokio::test]
async fn deleted_version_is_gone_and_its_neighbours_stay() {
    let double = double();
    put(&double, 3);
    let id = double.version_id(NAME, "v2").unwrap();
    assert_eq!(delete(&double, id).await, "Deleted");
    assert_eq!(delete(&double, id).await, "Gone");
    assert_eq!(listed(&double).await, ["v3", "v1"]);
    assert_eq!(double.tags(NAME).len(), 2);
}
