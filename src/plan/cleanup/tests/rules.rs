//! Which tags and versions a rule selects.

use std::collections::BTreeSet;

use expect_test::expect;

use super::{check, days, pull_requests};
use crate::plan::cleanup::package::Package;

#[test]
fn closed_event_deletes_the_images_of_its_pull_request() {
    check(
        pull_requests("").closing(5),
        expect![[r#"
            five > five-amd64
            carrier > carrier-amd64
            - latest: `latest` is protected: it is `latest`
            - amd64: it belongs to `latest`
            - base: it belongs to `latest`
            - four: no rule matches `pr-4`
            - four-amd64: it belongs to `pr-4`
            - fix: no rule matches `pr-5-fix`
        "#]],
    );
}

#[test]
fn default_rules_delete_images_of_closed_pull_requests_and_old_records() {
    let package = pull_requests("").closed(&[4]).open(5);
    check(
        package
            .record("old-record", "part-7-0-linux-amd64", 2, "part-amd64")
            .record("new-record", "part-8-0-linux-amd64", 0, "part-arm64")
            .image("part-like", "part-9", 30)
            .image("part-amd64", "", 2)
            .image("part-arm64", "", 0)
            .image("untagged", "", 300),
        expect![[r#"
            four > four-amd64
            old-record
            - latest: `latest` is protected: it is `latest`
            - amd64: it belongs to `latest`
            - base: it belongs to `latest`
            - five: `pr-5`: pull request 5 is not closed
            - five-amd64: it belongs to `pr-5`
            - carrier: `pr-5-sha-0123456789abcdef0123456789abcdef01234567`: pull request 5 is not closed
            - carrier-amd64: it belongs to `pr-5-sha-0123456789abcdef0123456789abcdef01234567`
            - fix: no rule matches `pr-5-fix`
            - new-record: it is not old enough for `records of parts, older-than=1d`
            - part-like: `part-9` is not the record of a part
            - part-amd64: no rule selects this version without a tag
            - part-arm64: it belongs to `part-8-0-linux-amd64`
            - untagged: no rule selects this version without a tag
        "#]],
    );
}

#[test]
fn written_rules_replace_the_default_ones() {
    let package = pull_requests("delete=sha-*").closing(5).closed(&[4]);
    assert_eq!(package.going(), [""; 0]);
    let package = pull_requests("delete=pr-*,when=closed").closing(5);
    assert_eq!(
        package.going(),
        ["five", "five-amd64", "carrier", "carrier-amd64"]
    );
}

#[test]
fn only_closed_pull_requests_that_a_rule_reaches_are_asked_for() {
    let asked = |retention: &str| {
        let package = pull_requests(retention)
            .image("six", "pr-6 pr-7-fix", 3)
            .image("seven", "pr-7", 3)
            .protect("pr-7");
        package.policy().pull_requests(&package.versions)
    };
    assert_eq!(asked(""), BTreeSet::from([4, 5, 6]));
    assert_eq!(asked("delete=pr-?,when=closed"), BTreeSet::from([4, 5, 6]));
    assert_eq!(asked("delete=*5*,when=closed"), BTreeSet::from([5]));
    assert_eq!(
        asked("delete=*5\ndelete=pr-*,when=closed"),
        BTreeSet::from([4, 5, 6])
    );
    assert_eq!(asked("delete=pr-*"), BTreeSet::new());
    let package = pull_requests("").closing(5);
    assert_eq!(
        package.policy().pull_requests(&package.versions),
        BTreeSet::new()
    );
}

#[test]
fn older_than_and_keep_both_hold() {
    let going = |retention| days(retention, "sha-").going().join(" ");
    assert_eq!(going("delete=sha-*,older-than=10d"), "d12 d11 d10");
    assert_eq!(going("delete=sha-*,keep=10"), "d12 d11");
    assert_eq!(going("delete=sha-*,older-than=11d,keep=10"), "d12 d11");
    assert_eq!(going("delete=sha-*,older-than=4d,keep=10"), "d12 d11");
    assert_eq!(going("delete=sha-*,older-than=2w,keep=10"), "");
    assert_eq!(going("delete=sha-*,older-than=264h"), "d12 d11");
    assert_eq!(going("delete=sha-1?"), "d12 d11 d10");
}

#[test]
fn older_than_looks_at_the_later_of_both_times() {
    let package = days("delete=sha-*,older-than=10d", "sha-").image("touched", "sha-0", 50);
    assert_eq!(
        package.clone().changed(10).going(),
        ["touched", "d12", "d11", "d10"]
    );
    assert_eq!(package.changed(9).going(), ["d12", "d11", "d10"]);
}

#[test]
fn keep_counts_by_creation() {
    let package = Package::new("delete=sha-*,keep=1")
        .image("touched", "sha-1", 20)
        .changed(2)
        .image("new", "sha-2", 10)
        .image("latest", "latest", 1);
    assert_eq!(package.going(), ["touched"]);
}

#[test]
fn first_rule_that_matches_a_tag_decides() {
    check(
        Package::new(
            "delete=sha-1*,older-than=30d\ndelete=sha-*\ndelete=pr-*,when=closed\ndelete=pr-*",
        )
        .image("one", "sha-10", 20)
        .image("two", "sha-20", 20)
        .image("open", "pr-5", 20)
        .image("fix", "pr-5-fix", 20),
        expect![[r#"
            two
            fix
            - one: it is not old enough for `delete=sha-1*,older-than=30d`
            - open: `pr-5`: the next run asks whether pull request 5 is closed
        "#]],
    );
}

#[test]
fn version_goes_only_with_all_of_its_tags() {
    check(
        Package::new("delete=sha-*\ndelete=pr-*,when=closed")
            .closed(&[1, 2, 3])
            .image("merged", "pr-1 sha-1 main", 20)
            .image("two-rules", "pr-2 sha-2", 20)
            .image("young", "pr-3 sha-3", 0)
            .image("other", "sha-4 edge", 20),
        expect![[r#"
            two-rules
            - merged: `main` is protected: it is the tag of the default branch; selected: `pr-1`; selected: `sha-1`
            - young: it or something that belongs to it changed in the last day
            - other: no rule matches `edge`; selected: `sha-4`
        "#]],
    );
}

#[test]
fn standing_protections_hold_against_a_rule_that_matches_everything() {
    check(
        Package::new("delete=*")
            .protect("lts,*-alpine")
            .image("release", "1.2.3 1.2 1 latest", 300)
            .image("v-release", "v0.9.0", 400)
            .image("branch", "main", 20)
            .image("candidate", "2.0.0-rc.2", 20)
            .image("old-candidate", "2.0.0-rc.1", 20)
            .image("lts", "lts", 20)
            .image("alpine", "1.2.3-alpine", 20)
            .image("sha", "sha-1", 20)
            .image("nightly", "20240131", 20)
            .image("untagged", "", 20),
        expect![[r#"
            old-candidate
            sha
            nightly
            - release: `1.2.3` is protected: it is a version without a pre-release part
            - v-release: `v0.9.0` is protected: it is a version without a pre-release part
            - branch: `main` is protected: it is the tag of the default branch
            - candidate: `2.0.0-rc.2` is protected: it is the newest version
            - lts: `lts` is protected: `lts` in the input `protect`
            - alpine: `1.2.3-alpine` is protected: `*-alpine` in the input `protect`
            - untagged: no rule selects this version without a tag
        "#]],
    );
}

#[test]
fn untagged_versions_go_only_by_a_rule_for_them() {
    let package = |retention: &str| {
        Package::new(retention)
            .index("latest", "latest", 30, "amd64")
            .image("amd64", "", 30)
            .index("orphan", "", 20, "orphan-amd64 amd64")
            .image("orphan-amd64", "", 20)
            .image("old", "", 10)
            .image("young", "", 6)
            .referrer("signature", "@gone.sig", 20, "gone")
            .referrer("attestation", "", 20, "amd64")
    };
    assert_eq!(package("delete=*").going(), [""; 0]);
    check(
        package("untagged"),
        expect![[r#"
            orphan > orphan-amd64
            signature
            old
            - latest: `latest` is protected: it is `latest`
            - amd64: it belongs to `latest`
            - young: it or something that belongs to it changed in the last 7 days
            - attestation: it belongs to `latest`
        "#]],
    );
    check(
        package("untagged,older-than=15d"),
        expect![[r#"
            orphan > orphan-amd64
            signature
            - latest: `latest` is protected: it is `latest`
            - amd64: it belongs to `latest`
            - old: it is not old enough for `untagged,older-than=15d`
            - young: it or something that belongs to it changed in the last 7 days
            - attestation: it belongs to `latest`
        "#]],
    );
    check(
        package("untagged,older-than=1h,keep=2"),
        expect![[r#"
            orphan > orphan-amd64
            signature
            - latest: `latest` is protected: it is `latest`
            - amd64: it belongs to `latest`
            - old: it is one of the newest 2 of `untagged,older-than=1h,keep=2`
            - young: it is one of the newest 2 of `untagged,older-than=1h,keep=2`
            - attestation: it belongs to `latest`
        "#]],
    );
}
