//! Thousands of packages and rules: nothing that stays lacks anything, and everything else is gone.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::prop_assert_eq;
use proptest::sample::{Index, select, subsequence};

use super::package::{Package, digest, listing, now};
use super::policy::subject;
use super::rest::every_rest_has_a_reason;
use super::walker::{Walker, every_prefix_is_whole};
use crate::plan::cleanup::links::{Child, Content, Links};
use testkit::proof::{self, Proof};

/// A manifest, in terms of those that were pushed before it.
#[derive(Clone, Debug)]
struct Node {
    kind: Kind,
    tags: Vec<&'static str>,
    /// Hours since the one before it was pushed.
    gap: i64,
    /// Hours after it was pushed.
    changed: i64,
    is_hidden: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    Image,
    /// Also of indexes.
    Index(Vec<Index>),
    Referrer(Index),
    /// An index of referrers, or a signature, under the tag of its subject.
    Attached(Index, &'static str, Vec<Index>),
    Record(Vec<Index>),
}

/// Tags; `#` becomes the number of the manifest.
const TAGS: &[&str] = &[
    "latest",
    "main",
    "1.0.0",
    "1.0",
    "1",
    "3.0.0-rc.#",
    "pr-1",
    "pr-2",
    "pr-#",
    "pr-1-fix",
    "sha-#",
    "sha-#",
    "sha-#",
    "edge",
    "lts",
    "part-#",
    "20240#",
];

/// Rules; at most one of each line is chosen, in any order of the lines.
const RULES: &[&[&str]] = &[
    &[
        "delete=pr-*,when=closed",
        "delete=pr-*,when=closed,keep=1",
        "delete=pr-1,when=closed",
    ],
    &[
        "delete=sha-*",
        "delete=sha-*,older-than=3d",
        "delete=sha-*,keep=2",
        "delete=sha-*,older-than=2d,keep=1",
    ],
    &[
        "untagged",
        "untagged,older-than=10d",
        "untagged,keep=2",
        "untagged,older-than=1h,keep=1",
    ],
    &["delete=*-rc.*,keep=1", "delete=part-*", "delete=edge"],
    &["delete=*", "delete=*,keep=2", "delete=*,older-than=5d"],
];

fn kind() -> impl Strategy<Value = Kind> {
    let some = || vec(any::<Index>(), 0..4);
    let endings = select(vec!["", "", ".sig", ".att", ".sbom"]);
    prop_oneof![
        3 => Just(Kind::Image),
        4 => some().prop_map(Kind::Index),
        1 => any::<Index>().prop_map(Kind::Referrer),
        1 => (any::<Index>(), endings, some()).prop_map(|(subject, ending, listed)| Kind::Attached(subject, ending, listed)),
        1 => some().prop_map(Kind::Record),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let tags = prop_oneof![
        3 => Just(Vec::new()),
        3 => vec(select(TAGS), 1..2),
        1 => vec(select(TAGS), 1..4),
    ];
    let changed = prop_oneof![4 => Just(0), 1 => 0..900_i64];
    let gap = prop_oneof![1 => Just(0), 3 => 0..72_i64];
    let is_hidden = prop_oneof![30 => Just(false), 1 => Just(true)];
    (kind(), tags, gap, changed, is_hidden).prop_map(|(kind, tags, gap, changed, is_hidden)| Node {
        kind,
        tags,
        gap,
        changed,
        is_hidden,
    })
}

fn rules() -> impl Strategy<Value = String> {
    let lines = subsequence(RULES.to_vec(), 0..=RULES.len()).prop_shuffle();
    (lines, any::<Index>()).prop_map(|(lines, choice)| {
        let rules = lines.iter().map(|line| line[choice.index(line.len())]);
        rules.collect::<Vec<_>>().join("\n")
    })
}

fn package() -> impl Strategy<Value = Package> {
    let nodes = vec(node(), 1..24);
    let closed = subsequence(vec![1, 2, 3, 5, 8], 0..=5);
    let own = vec(any::<Index>(), 0..2);
    let newest = prop_oneof![0..30_i64, 0..400_i64];
    (nodes, rules(), closed, own, newest).prop_map(|(nodes, rules, closed, own, newest)| {
        let mut package = Package::new(&rules).closed(&closed).protect("lts");
        let mut hours = newest + nodes.iter().map(|node| node.gap).sum::<i64>();
        for (number, node) in nodes.iter().enumerate() {
            hours -= node.gap;
            package = add(package, number, node, hours);
        }
        let own = own.iter().map(|index| index.index(nodes.len()));
        own.fold(package, |package, number| package.own(&number.to_string()))
    })
}

fn add(package: Package, number: usize, node: &Node, hours: i64) -> Package {
    let earlier = |index: &Index| (number > 0).then(|| index.index(number).to_string());
    let names = |indices: &[Index]| {
        let names: Vec<String> = indices.iter().filter_map(earlier).collect();
        names.join(" ")
    };
    // `pr-2` and `pr-#` can be the same tag.
    let numbered = node.tags.iter();
    let unique: BTreeSet<String> = numbered
        .map(|tag| tag.replace('#', &number.to_string()))
        .collect();
    let mut tags: Vec<String> = unique.into_iter().collect();
    let links = match &node.kind {
        Kind::Image => Links::default(),
        Kind::Index(children) => typed(&package, listing(&names(children), true)),
        Kind::Record(parts) => Links {
            is_part_record: true,
            ..listing(&names(parts), false)
        },
        Kind::Referrer(subject) => Links {
            subject: earlier(subject).map(|name| digest(&name)),
            ..Links::default()
        },
        Kind::Attached(subject, ending, listed) => {
            tags.extend(earlier(subject).map(|name| format!("@{name}{ending}")));
            typed(&package, listing(&names(listed), true))
        }
    };
    let mut package = package.version(
        &number.to_string(),
        &tags.join(" "),
        0,
        Content::Read(links),
    );
    let version = package.versions.last_mut().unwrap();
    version.created_at = now() - TimeDelta::hours(hours);
    version.updated_at = (version.created_at + TimeDelta::hours(node.changed)).min(now());
    let package = without_circles(package);
    match node.is_hidden {
        true => package.hidden(),
        false => package,
    }
}

/// Without the tag of a last version that lists what its tag names.
fn without_circles(mut package: Package) -> Package {
    let last = package.versions.last().unwrap();
    let needed = Walker::new(&package).needed(&last.digest);
    let is_circle = |tag: &String| subject(tag).is_some_and(|digest| needed.contains(&digest));
    let tags: Vec<String> = last
        .tags
        .iter()
        .filter(|tag| !is_circle(tag))
        .cloned()
        .collect();
    package.versions.last_mut().unwrap().tags = tags;
    package
}

/// The media types of the children, as an index has them.
fn typed(package: &Package, links: Links) -> Links {
    let children = links.children.into_iter().map(|child| {
        let Content::Read(links) = &package.contents[&child.digest] else {
            unreachable!("the truth is always readable");
        };
        Child {
            is_plain: links.children.is_empty(),
            ..child
        }
    });
    Links {
        children: children.collect(),
        ..links
    }
}

#[test]
fn nothing_that_stays_lacks_anything() {
    let mut proof = Proof::of("clean-up: what stays is whole after every deletion");
    proof.property(proof::cases() * 8, &package(), |package| {
        prop_assert_eq!(every_prefix_is_whole(&package), Ok(()));
        Ok(())
    });
    proof.end();
}

#[test]
fn whatever_nothing_protects_is_gone() {
    let mut proof = Proof::of("clean-up: what stays has a reason to stay");
    proof.property(proof::cases() * 8, &package(), |package| {
        every_rest_has_a_reason(&package)
    });
    proof.end();
}
