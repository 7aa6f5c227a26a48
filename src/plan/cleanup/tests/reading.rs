//! What is read, and what cannot be read.

use std::collections::BTreeSet;

use expect_test::expect;

use super::{check, days};
use crate::plan::cleanup::package::{Package, now};
use crate::plan::cleanup::selection::Selection;
use crate::plan::cleanup::{Contents, Facts};

#[test]
fn only_what_may_matter_is_read() {
    let package = Package::new("delete=sha-*")
        .index("latest", "latest", 5, "latest-amd64")
        .image("latest-amd64", "", 5)
        .nested("outer", "1.0.0", 5, "inner")
        .index("inner", "", 5, "inner-amd64")
        .image("inner-amd64", "", 5)
        .index("tagged", "sha-1", 20, "own")
        .image("own", "", 20)
        .image("older", "", 21)
        .image("newer", "", 19);
    let expected = ["inner", "latest", "newer", "outer", "own", "tagged"];
    assert_eq!(package.read(), expected);
    assert_eq!(days("delete=pr-*", "sha-").read(), [""; 0]);
    let package = days("untagged,older-than=1h", "sha-").image("untagged", "", 6);
    assert_eq!(package.read(), [""; 0]);
}

#[test]
fn untagged_rule_does_not_read_children_of_what_stays() {
    let package = Package::new("untagged")
        .index("latest", "latest", 30, "amd64 arm64")
        .image("amd64", "", 30)
        .image("arm64", "", 30)
        .image("old", "", 20)
        .image("young", "", 2);
    assert_eq!(package.read(), ["latest", "old", "young"]);
    assert_eq!(package.going(), ["old"]);
}

#[test]
fn nothing_goes_before_everything_is_read() {
    let package = days("delete=sha-*", "sha-").image("latest", "latest", 0);
    let policy = package.policy();
    let none = BTreeSet::new();
    let facts = Facts {
        now: now(),
        own: &none,
        closed: &std::collections::BTreeMap::new(),
    };
    let selection = Selection::new(&package.versions, &policy, facts);
    let root = selection.decide(&Contents::new()).unwrap_err();
    assert_eq!(root.reason, "it was not read");
}

#[test]
fn unreadable_root_stops_everything() {
    let package = days("delete=sha-*", "sha-").unreadable("latest", "latest", 90);
    check(
        package.clone(),
        expect![[r#"
        nothing goes: latest cannot be read: 404
    "#]],
    );
    check(
        days("delete=sha-*", "sha-")
            .image("latest", "latest", 0)
            .unreadable("by-digest", "", 11),
        expect![[r#"
            nothing goes: by-digest cannot be read: 404
        "#]],
    );
    // Nothing would go anyway.
    let package = days("delete=pr-*", "sha-");
    assert_eq!(package.unreadable("latest", "latest", 0).going(), [""; 0]);
}

#[test]
fn unreadable_root_in_an_index_stops_everything() {
    check(
        days("delete=sha-*", "sha-")
            .nested("latest", "latest", 5, "inner")
            .unreadable("inner", "", 5),
        expect![[r#"
            nothing goes: inner cannot be read: 404
        "#]],
    );
}

#[test]
fn unreadable_candidate_stays_with_what_it_may_list() {
    check(
        Package::new("delete=sha-*")
            .image("older", "sha-0", 21)
            .unreadable("broken", "sha-1", 20)
            .index("index", "sha-2", 10, "unknown amd64")
            .unreadable("unknown", "", 10)
            .image("amd64", "", 10)
            .image("latest", "latest", 10),
        expect![[r#"
            index > amd64
            - older: `sha-1` cannot be read, and may list it
            - broken: its manifest cannot be read: 404
            - unknown: its manifest cannot be read: 404
            - latest: `latest` is protected: it is `latest`
        "#]],
    );
    check(
        Package::new("delete=sha-*")
            .nested("latest", "latest", 5, "shared")
            .nested("old", "sha-1", 9, "shared old-amd64")
            .image("old-amd64", "", 9)
            .unreadable("shared", "", 9),
        expect![[r#"
            - latest: `latest` is protected: it is `latest`
            - old: `sha256:a4d26868017c0ccffe2efe50944ef4211834660cca834c6e9f86dec6a88246fa` cannot be read, and may list it
            - old-amd64: `sha256:a4d26868017c0ccffe2efe50944ef4211834660cca834c6e9f86dec6a88246fa` cannot be read, and may list it
            - shared: its manifest cannot be read: 404
        "#]],
    );
}

#[test]
fn unreadable_child_of_an_image_that_stays_stops_nothing() {
    check(
        Package::new("delete=sha-*")
            .index("latest", "latest", 5, "shared")
            .index("old", "sha-1", 9, "shared old-amd64")
            .image("old-amd64", "", 9)
            .unreadable("shared", "", 9),
        expect![[r#"
            old > old-amd64
            - latest: `latest` is protected: it is `latest`
            - shared: its manifest cannot be read: 404
        "#]],
    );
}

#[test]
fn unreadable_child_of_an_untagged_image_that_stays_stops_nothing() {
    check(
        Package::new("untagged")
            .image("latest", "latest", 30)
            .image("old", "", 8)
            .unreadable("amd64", "", 10)
            .index("young", "", 2, "amd64"),
        expect![[r#"
            old
            - latest: `latest` is protected: it is `latest`
            - amd64: no rule selects this version without a tag
            - young: it or something that belongs to it changed in the last 7 days
        "#]],
    );
}
