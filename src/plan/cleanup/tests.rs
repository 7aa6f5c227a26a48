//! What goes and what stays, in packages that show one thing each.

mod belonging;
mod order;
mod reading;
mod rules;

use expect_test::Expect;

use super::package::Package;

#[expect(
    clippy::needless_pass_by_value,
    reason = "a snapshot is written where it is used"
)]
#[track_caller]
fn check(package: Package, expected: Expect) {
    expected.assert_eq(&package.outcome());
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Images of pull requests 4 and 5, and `latest`.
fn pull_requests(retention: &str) -> Package {
    Package::new(retention)
        .index("latest", "latest main", 30, "base amd64")
        .image("amd64", "", 30)
        .image("base", "", 60)
        .index("four", "pr-4", 3, "base four-amd64")
        .image("four-amd64", "", 3)
        .index("five", "pr-5", 0, "base five-amd64")
        .image("five-amd64", "", 0)
        .index(
            "carrier",
            &format!("pr-5-sha-{COMMIT}"),
            0,
            "base carrier-amd64",
        )
        .image("carrier-amd64", "", 0)
        .image("fix", "pr-5-fix", 30)
}

/// One image for each of twelve days, the newest first.
fn days(retention: &str, prefix: &str) -> Package {
    (1..=12).fold(Package::new(retention), |package, day| {
        package.image(&format!("d{day}"), &format!("{prefix}{day}"), day)
    })
}
