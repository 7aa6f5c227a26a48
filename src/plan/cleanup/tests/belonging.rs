//! What stays although rules select it.

use expect_test::expect;

use super::{check, days};
use crate::plan::cleanup::package::Package;

#[test]
fn recent_versions_stay_with_what_belongs_to_them() {
    check(
        Package::new("delete=sha-*")
            .index("one", "sha-1", 0, "one-amd64 shared")
            .image("one-amd64", "", 0)
            .index("two", "sha-2", 5, "shared two-amd64")
            .image("two-amd64", "", 5)
            .image("shared", "", 9)
            .index("three", "sha-3", 9, "three-amd64")
            .image("three-amd64", "", 9)
            .changed(0)
            .index("four", "sha-4", 9, "four-amd64")
            .image("four-amd64", "", 9)
            .referrer("signature", "@four.sig", 0, "four"),
        expect![[r#"
            two > two-amd64
            - one: it or something that belongs to it changed in the last day
            - one-amd64: it belongs to `sha-1`
            - shared: it belongs to `sha-1`
            - three: it or something that belongs to it changed in the last day
            - three-amd64: it belongs to `sha-3`
            - four: it or something that belongs to it changed in the last day
            - four-amd64: it belongs to `sha-4`
            - signature: it belongs to `sha-4`
        "#]],
    );
}

#[test]
fn closed_pull_request_is_not_held_back_unless_others_share_it() {
    check(
        Package::new("delete=sha-*\ndelete=pr-*,when=closed")
            .closed(&[1])
            .index("pull", "pr-1", 0, "pull-amd64 young")
            .image("pull-amd64", "", 0)
            .image("young", "", 0)
            .index("old", "sha-1", 9, "young")
            .image("latest", "latest", 9),
        expect![[r#"
            pull > pull-amd64
            - young: it belongs to `sha-1`
            - old: it or something that belongs to it changed in the last day
            - latest: `latest` is protected: it is `latest`
        "#]],
    );
}

#[test]
fn untagged_index_that_stays_keeps_its_children() {
    check(
        Package::new("delete=sha-*")
            .index("tagged", "sha-1", 20, "shared own")
            .image("own", "", 20)
            .image("shared", "", 20)
            .index("by-digest", "", 10, "shared")
            .nested("nested", "", 9, "by-digest")
            .image("older", "", 30)
            .image("latest", "latest", 30),
        expect![[r#"
            tagged > own
            - shared: it belongs to `sha256:f4ab6f8cd6d519001f149b3750b36af387fb0dcc0e66fc7e6591b5076a0fe996`
            - by-digest: no rule selects this version without a tag
            - nested: no rule selects this version without a tag
            - older: no rule selects this version without a tag
            - latest: `latest` is protected: it is `latest`
        "#]],
    );
}

#[test]
fn last_tagged_version_stays() {
    check(
        Package::new("delete=*")
            .index("old", "sha-1", 20, "shared old-amd64")
            .image("old-amd64", "", 20)
            .image("shared", "", 20)
            .index("new", "sha-2", 10, "shared")
            .referrer("signature", "@new.sig", 10, "new"),
        expect![[r#"
            old > old-amd64
            - shared: it belongs to `sha-2`
            - new: no other version would have a tag, and GitHub keeps the last one
            - signature: it belongs to `sha-2`
        "#]],
    );
}

#[test]
fn tags_of_referrers_are_judged_with_their_subject() {
    check(
        Package::new("delete=*")
            .index("latest", "latest", 20, "amd64")
            .image("amd64", "", 20)
            .index("latest-referrers", "@latest", 20, "latest-sbom")
            .referrer("latest-sbom", "", 20, "latest")
            .referrer("amd64-signature", "@amd64.sig", 20, "amd64")
            .index("old", "sha-1", 20, "old-amd64")
            .image("old-amd64", "", 20)
            .index("old-referrers", "@old", 20, "old-sbom moved-sbom")
            .referrer("old-sbom", "", 20, "old")
            .referrer("moved-sbom", "", 20, "amd64")
            .referrer("old-signature", "@old-amd64.sig", 20, "old-amd64")
            .referrer("old-attestation", "@old-amd64.att", 20, "old-amd64")
            .referrer("orphan", "@gone.sbom", 20, "gone"),
        expect![[r#"
            old > old-amd64 > old-referrers > old-signature > old-attestation > old-sbom
            - latest: `latest` is protected: it is `latest`
            - amd64: it belongs to `latest`
            - latest-referrers: it belongs to `latest`
            - latest-sbom: it belongs to `latest`
            - amd64-signature: it belongs to `latest`
            - moved-sbom: it belongs to `latest`
            - orphan: no rule selects this version without a tag
        "#]],
    );
}

#[test]
fn tags_that_name_each_other_keep_or_lose_both() {
    let package = |tag: &str| {
        Package::new("delete=sha-*")
            .image("one", &format!("{tag} @two"), 20)
            .image("two", "@one", 20)
            .image("itself", "@itself", 20)
            .image("latest", "latest", 20)
    };
    assert_eq!(package("sha-1").going(), ["one", "two"]);
    assert_eq!(package("edge").going(), [""; 0]);
    assert_eq!(package("").going(), [""; 0]);
    let package = Package::new("delete=sha-*")
        .image("listed", "", 20)
        .index("index", "sha-1 @listed", 20, "listed")
        .image("latest", "latest", 20);
    assert_eq!(package.going(), ["index", "listed"]);
}

#[test]
fn record_that_stays_keeps_the_manifests_of_its_part() {
    check(
        Package::new("")
            .closed(&[1])
            .index("pull", "pr-1", 0, "same-amd64 own-arm64")
            .image("same-amd64", "", 0)
            .image("own-arm64", "", 0)
            .record("record", "part-7-0-linux-amd64", 0, "same-amd64")
            .image("latest", "latest", 20),
        expect![[r#"
            pull > own-arm64
            - same-amd64: it belongs to `part-7-0-linux-amd64`
            - record: it is not old enough for `records of parts, older-than=1d`
            - latest: `latest` is protected: it is `latest`
        "#]],
    );
}

#[test]
fn tag_on_two_versions_keeps_both() {
    check(
        Package::new("delete=sha-*")
            .image("before", "sha-1", 20)
            .image("after", "sha-1", 10)
            .image("other", "sha-2", 10),
        expect![[r#"
            other
            - before: GitHub lists the tag `sha-1` twice at the moment
            - after: GitHub lists the tag `sha-1` twice at the moment
        "#]],
    );
}

#[test]
fn version_that_is_listed_twice_stays() {
    let package = days("delete=sha-*", "sha-").image("d3", "", 3);
    let going = package.image("latest", "latest", 0).going();
    assert_eq!(going.len(), 11);
    assert!(!going.contains(&"d3".to_owned()), "{going:?}");
}

#[test]
fn images_of_this_run_stay() {
    let package = days("delete=*", "sha-").image("latest", "latest", 0);
    assert_eq!(package.going().len(), 12);
    let own = package.own("d12").own("d3");
    assert!(!own.going().contains(&"d12".to_owned()));
    assert_eq!(own.going().len(), 10);
}
