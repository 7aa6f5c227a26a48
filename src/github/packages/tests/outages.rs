//! Outages and rate limits while versions are listed, found and deleted.

use expect_test::expect;

use super::*;

#[tokio::test]
async fn page_that_fails_is_read_again() {
    for fault in [
        Fault::on(Endpoint::VersionList).answer(500).times(3),
        Fault::on(Endpoint::VersionList)
            .after(1)
            .answer(502)
            .times(3),
        Fault::on(Endpoint::VersionList).cut_answer(),
        Fault::on(Endpoint::VersionList).after(2).reset(),
        Fault::on(Endpoint::VersionList)
            .answer(200)
            .body("text/html", "<html>"),
    ] {
        let double = double();
        put(&double, 250);
        double.script(fault);
        assert_eq!(listed(&double).await.len(), 250);
    }
}

#[tokio::test]
async fn deletion_whose_answer_is_lost_is_gone() {
    let double = double();
    put(&double, 2);
    let id = double.version_id(NAME, "v1").unwrap();
    double.script(Fault::on(Endpoint::VersionDelete).reset_after_serving());
    assert_eq!(delete(&double, id).await, "Gone");
    assert_eq!(double.tags(NAME).len(), 1);
}

#[tokio::test]
async fn secondary_limit_is_waited_out() {
    let limit = || Fault::on(Endpoint::VersionDelete).secondary_limit();
    for (fault, wait) in [(limit(), 60), (limit().header("retry-after", "90"), 90)] {
        let double = double();
        put(&double, 2);
        let id = double.version_id(NAME, "v1").unwrap();
        double.script(fault);
        assert_eq!(delete(&double, id).await, "Deleted");
        let seen = double.requests();
        let waited = seen[1].at - seen[0].at;
        assert!(waited >= Duration::from_millis(wait), "{waited:?}");
    }
}

#[tokio::test]
async fn primary_limit_is_waited_out_within_the_deadline() {
    let account = Account::workflow("acme/widget");
    let builder = builder(account).requests_an_hour(1).speed(1000);
    let double = builder.start().unwrap();
    put(&double, 2);
    let id = double.version_id(NAME, "v1").unwrap();
    assert_eq!(listed(&double).await.len(), 2);
    expect![[r#"
        Limited: cannot delete version ID of `acme/widget/base`: GitHub's API answered 403 API rate limit exceeded for installation ID 1.
          fix: run the job again when GitHub's API answers"#]].assert_eq(&delete(&double, id).await.replace(&id.to_string(), "ID"));
    assert_eq!(double.count(Endpoint::VersionDelete), 1);
    let long = Deadline::after(Duration::from_secs(2 * 3600), Pace::waiting(1000));
    let deleted = github(&double).delete_version(PACKAGE, id, long).await;
    assert!(matches!(deleted, VersionDeletion::Deleted), "{deleted:?}");
    assert_eq!(double.count(Endpoint::VersionDelete), 3);
}

/// A kind of fault, and what it does to a request.
type Kind = (&'static str, fn(Fault) -> Fault);

const KINDS: [Kind; 6] = [
    ("429, Retry-After", |fault| {
        fault.answer(429).header("retry-after", "2")
    }),
    ("403, secondary limit", |fault| {
        fault.secondary_limit().header("retry-after", "2")
    }),
    ("503, a page", |fault| {
        fault.answer(503).body("text/html", "<!DOCTYPE html>")
    }),
    ("reset", Fault::reset),
    ("reset after serving", Fault::reset_after_serving),
    ("cut answer", Fault::cut_answer),
];

/// What becomes of a fault: once, three times, for 60 s, and for good.
async fn cell(endpoint: Endpoint, spoil: fn(Fault) -> Fault) -> String {
    let minute = Duration::from_millis(60);
    let spells = [
        spoil(Fault::on(endpoint)).times(1),
        spoil(Fault::on(endpoint)).times(3),
        spoil(Fault::on(endpoint)).lasting(minute),
        spoil(Fault::on(endpoint)).always(),
    ];
    let mut cell = Vec::new();
    for fault in spells {
        let double = double();
        put(&double, 2);
        double.script(fault);
        cell.push(outcome(&double).await);
    }
    cell.join(" ")
}

/// Lists the versions and deletes the oldest.
async fn outcome(double: &Double) -> &'static str {
    let oldest = match list(double).await {
        Ok(versions) => versions.last().unwrap().id,
        Err(error) if error.contains("fix: ") => return "explained",
        Err(_unexplained) => return "FAILED",
    };
    let deleted = delete(double, oldest).await;
    let is_gone = !double.tags(NAME).contains_key("v1");
    match deleted.as_str() {
        "Deleted" | "Gone" if is_gone => "ok",
        error if error.contains("fix: ") => "explained",
        _ => "FAILED",
    }
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "a table for people: `make faults`")]
async fn outages_of_the_packages_api_are_survived_until_the_deadline() {
    let mut table =
        "| once, three times, for 60 s, for good | list | delete |\n|---|---|---|\n".to_owned();
    for (name, spoil) in KINDS {
        let list = cell(Endpoint::VersionList, spoil).await;
        let delete = cell(Endpoint::VersionDelete, spoil).await;
        table += &format!("| {name} | {list} | {delete} |\n");
        // The answer to a deletion has no body that could be cut.
        let lost = name == "cut answer";
        let last = if lost {
            "ok ok ok ok"
        } else {
            "ok ok ok explained"
        };
        assert_eq!(
            [list.as_str(), delete.as_str()],
            ["ok ok ok explained", last],
            "{name}"
        );
    }
    println!("{table}");
}
