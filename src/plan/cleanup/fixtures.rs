//! Packages that clean-up tools have broken, with what goes here. Each case names the issue that reports it.

use crate::plan::cleanup::package::Package;
use crate::plan::cleanup::walker::every_prefix_is_whole;

/// What goes, in order; whatever the case is, nothing that stays may lack anything.
#[track_caller]
fn check(issue: &str, package: &Package, going: &str) {
    assert_eq!(package.going().join(" "), going, "{issue}");
    assert_eq!(every_prefix_is_whole(package), Ok(()), "{issue}");
}

fn multi_arch(retention: &str) -> Package {
    Package::new(retention)
        .image("amd64", "", 40)
        .image("arm64", "", 40)
        .index("release", "2.6", 40, "amd64 arm64")
        .image("orphan", "", 20)
}

#[test]
fn untagged_children_of_a_tagged_index_stay() {
    let issues = "actions/delete-package-versions#90 actions/delete-package-versions#162 \
        snok/container-retention-policy#63 snok/container-retention-policy#97 vlaurin/action-ghcr-prune#76 \
        chizkiyahu/delete-untagged-ghcr-action#45 some-natalie/kubernoodles#664 centauri/WeatherNode#24";
    for issue in issues.split_whitespace() {
        check(issue, &multi_arch("untagged"), "orphan");
    }
    check(issues, &multi_arch("untagged,keep=1"), "");
}

#[test]
fn attestation_without_a_platform_stays_with_its_index() {
    let package = |retention: &str| {
        Package::new(retention)
            .image("amd64", "", 20)
            .image("unknown-unknown", "", 20)
            .index("index", "sha-1", 20, "amd64 unknown-unknown")
            .image("main", "main", 20)
    };
    for issue in [
        "dataaxiom/ghcr-cleanup-action#13",
        "snok/container-retention-policy#95",
    ] {
        check(issue, &package("untagged\ndelete=pr-*"), "");
        check(
            issue,
            &package("delete=sha-*"),
            "index amd64 unknown-unknown",
        );
    }
}

#[test]
fn platform_that_a_protected_tag_shares_with_an_old_one_stays() {
    let package = Package::new("delete=????????????,older-than=7d")
        .image("amd64", "", 30)
        .image("old-arm64", "", 30)
        .index("old", "0123456789ab", 30, "amd64 old-arm64")
        .image("arm64", "", 3)
        .index("development", "development", 3, "amd64 arm64");
    check(
        "snok/container-retention-policy#43",
        &package,
        "old old-arm64",
    );
}

#[test]
fn children_of_two_indexes_go_after_the_last_one() {
    let package = |second: &str| {
        Package::new("delete=sha-*")
            .image("shared", "", 30)
            .image("one-amd64", "", 30)
            .index("one", "sha-1", 30, "shared one-amd64")
            .index("two", second, 20, "shared")
            .image("main", "main", 10)
    };
    for issue in [
        "dataaxiom/ghcr-cleanup-action#19",
        "dataaxiom/ghcr-cleanup-action#91",
    ] {
        check(issue, &package("edge"), "one one-amd64");
        check(issue, &package("sha-2"), "one one-amd64 two shared");
    }
}

#[test]
fn referrers_of_images_that_stay_stay() {
    let package = Package::new("untagged\ndelete=sha-*")
        .image("amd64", "", 30)
        .index("release", "1.0.0", 30, "amd64")
        .referrer("release-sbom", "", 30, "release")
        .referrer("amd64-provenance", "", 30, "amd64")
        .referrer("signature-of-sbom", "", 30, "release-sbom")
        .image("old-amd64", "", 20)
        .index("old", "sha-1", 20, "old-amd64")
        .referrer("old-sbom", "", 20, "old");
    let going = "old old-amd64 old-sbom";
    check("dataaxiom/ghcr-cleanup-action#104", &package, going);
    check("dataaxiom/ghcr-cleanup-action#114", &package, going);
}

#[test]
fn referrers_of_a_deleted_image_leave_no_orphans() {
    let package = Package::new("delete=sha-*")
        .image("main", "main", 30)
        .image("amd64", "", 20)
        .index("old", "sha-1", 20, "amd64")
        .referrer("provenance", "", 20, "old")
        .index("referrers", "@old", 20, "provenance");
    check(
        "teslamate-org/teslamate#5622",
        &package,
        "old amd64 referrers provenance",
    );
}

#[test]
fn cosign_tags_stay_and_go_with_their_image() {
    let package = Package::new("delete=*")
        .image("release", "1.0.0", 30)
        .image("release-signature", "@release.sig", 30)
        .image("nightly", "nightly", 20)
        .image("nightly-signature", "@nightly.sig", 20)
        .image("nightly-attestation", "@nightly.att", 20)
        .image("nightly-sbom", "@nightly.sbom", 20);
    let going = "nightly nightly-signature nightly-attestation nightly-sbom";
    check("bsherman/bos#8", &package, going);
}

#[test]
fn version_that_disappears_is_no_reason_to_guess() {
    let package = |hidden_tag: &str| {
        multi_arch("delete=sha-*")
            .image("old", "sha-1", 30)
            .unreadable("gone", hidden_tag, 10)
            .image("new", "sha-3", 5)
    };
    for number in [71, 72, 100, 121] {
        let issue = format!("dataaxiom/ghcr-cleanup-action#{number}");
        check(&issue, &package("sha-2"), "new");
        package("edge").decide(|decision, _| {
            assert_eq!(decision.unwrap_err().version.tags, ["edge"], "{issue}");
        });
    }
}

#[test]
fn protected_patterns_are_compared_with_tags() {
    let package = Package::new("delete=*")
        .protect("stable-*")
        .image("stable", "stable-7", 30)
        .image("edge", "edge", 30);
    check("actions/delete-package-versions#104", &package, "edge");
}

#[test]
fn manifests_that_wait_for_their_index_stay() {
    let package = Package::new("delete=pr-*,when=closed\nuntagged")
        .closed(&[286])
        .image("main", "main", 30)
        .image("old-amd64", "", 2)
        .index("pull", "pr-286", 2, "old-amd64")
        .image("just-pushed-amd64", "", 0)
        .image("just-pushed-arm64", "", 0);
    check(
        "telekom/das-schiff-network-operator#286",
        &package,
        "pull old-amd64",
    );
}

#[test]
fn staging_tags_whose_manifests_an_index_lists_stay() {
    let package = Package::new("delete=*-staging-*")
        .image("amd64", "1.0.0-staging-amd64", 20)
        .image("arm64", "1.0.0-staging-arm64", 20)
        .index("release", "1.0.0", 20, "amd64 arm64")
        .image("unused", "0.9.0-staging-amd64", 20);
    check("nfrastack/db-backup#575", &package, "unused");
}

#[test]
fn staging_tags_whose_manifests_an_index_without_a_tag_lists_stay() {
    let package = Package::new("delete=*-staging-*")
        .image("main", "main", 30)
        .image("amd64", "1.0.0-staging-amd64", 20)
        .index("by-digest", "", 20, "amd64")
        .image("unused", "0.9.0-staging-amd64", 20);
    check("nfrastack/db-backup#575", &package, "unused");
}

#[test]
fn last_tagged_version_is_not_tried() {
    let package = Package::new("delete=pr-*,when=closed")
        .closed(&[1, 2])
        .image("one", "pr-1", 20)
        .image("two", "pr-2", 10)
        .image("untagged", "", 10);
    for issue in ["kairos-io/kairos#4723", "kairos-io/kairos#4724"] {
        check(issue, &package, "one");
    }
}

#[test]
fn children_of_deleted_indexes_go_in_the_same_run() {
    // The tools above keep them for the next run, since they protect the children of all tagged indexes.
    let package = Package::new("delete=sha-*\nuntagged")
        .image("main", "main", 30)
        .image("amd64", "", 20)
        .index("inner", "", 20, "amd64")
        .nested("outer", "sha-1", 20, "inner");
    check("kairos-io/kairos#4723", &package, "outer inner amd64");
}

#[test]
fn tags_of_one_digest_go_together_or_not_at_all() {
    let package = Package::new("delete=harbor-rc\ndelete=harbor-1.8\ndelete=old-*")
        .image("one", "harbor-1.8 harbor-release harbor-rc", 20)
        .image("two", "old-1 old-2", 20);
    check("goharbor/harbor#9215", &package, "two");
}
