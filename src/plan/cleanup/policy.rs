//! `Policy`: the rules for one package, and which of them judges a tag.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use crate::image::digest::Digest;
use crate::image::tag::Tag;
use crate::image::version::Version;
use crate::inputs::cleanup::CleanupInputs;
use crate::inputs::cleanup::pattern::TagPattern;
use crate::inputs::cleanup::rule::{self, RetentionRule, Target};
use crate::plan::cleanup::protection::Protections;
use crate::plan::part::RECORD_PREFIX;

/// What the inputs and the event say about versions.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(super) rules: Vec<RetentionRule>,
    protect: Vec<TagPattern>,
    default_branch: Option<Tag>,
    /// The pull request that the event closed.
    pub(super) closing: Option<u64>,
}

impl Policy {
    /// `closing` is the pull request that the event `pull_request` with the action `closed` is about.
    pub(crate) fn new(
        inputs: &CleanupInputs,
        default_branch: Option<&str>,
        closing: Option<u64>,
    ) -> Self {
        let rules = match (inputs.retention.as_slice(), closing) {
            ([], Some(number)) => of_pull_request(number),
            ([], None) => default_rules(),
            (written, _) => written.to_vec(),
        };
        Self {
            rules,
            protect: inputs.protect.clone(),
            default_branch: default_branch.and_then(Tag::sanitized),
            closing,
        }
    }

    /// The pull requests whose state decides about a tag, without the one that the event closed.
    pub(crate) fn pull_requests(&self, versions: &[Version]) -> BTreeSet<u64> {
        let protections = self.protections(versions);
        let tags = versions.iter().flat_map(|version| &version.tags);
        let judged = tags.filter(|tag| protections.of(tag).is_none());
        let numbers = judged.filter_map(|tag| {
            let rule = &self.rules[self.rule_for(tag)?];
            let is_asked = matches!(rule.target, Target::ClosedPullRequests(_));
            pull_request(tag).filter(|number| is_asked && self.closing != Some(*number))
        });
        numbers.collect()
    }

    pub(super) fn protections(&self, versions: &[Version]) -> Protections<'_> {
        let tags = versions.iter().flat_map(|version| &version.tags);
        let tags = tags.map(String::as_str);
        Protections::new(&self.protect, self.default_branch.as_ref(), tags)
    }

    /// The first rule whose target is `tag`.
    pub(super) fn rule_for(&self, tag: &str) -> Option<usize> {
        let is_target = |rule: &RetentionRule| match &rule.target {
            Target::Tags(pattern) => pattern.matches(tag),
            Target::ClosedPullRequests(pattern) => {
                pattern.matches(tag) && pull_request(tag).is_some()
            }
            Target::PartRecords => tag.starts_with(RECORD_PREFIX),
            Target::Untagged => false,
        };
        self.rules.iter().position(is_target)
    }

    pub(super) fn untagged_rule(&self) -> Option<usize> {
        let is_target = |rule: &RetentionRule| rule.target == Target::Untagged;
        self.rules.iter().position(is_target)
    }
}

fn of_pull_request(number: u64) -> Vec<RetentionRule> {
    let text = format!("delete=pr-{number},when=closed\ndelete=pr-{number}-sha-*,when=closed");
    rule::parse(&text).expect("both lines are rules")
}

fn default_rules() -> Vec<RetentionRule> {
    let mut rules = rule::parse("delete=pr-*,when=closed").expect("the line is a rule");
    rules.push(RetentionRule {
        text: "records of parts, older-than=1d".to_owned(),
        target: Target::PartRecords,
        older_than: Some(TimeDelta::days(1)),
        keep: 0,
    });
    rules
}

/// The pull request whose image has the tag `pr-<number>`, or `pr-<number>-sha-<commit>`, under which an image is pushed
/// first. A branch such as `pr-5-fix` gives neither.
pub(super) fn pull_request(tag: &str) -> Option<u64> {
    let rest = tag.strip_prefix("pr-")?;
    let (digits, commit) = match rest.split_once("-sha-") {
        Some((digits, commit)) => (digits, Some(commit)),
        None => (rest, None),
    };
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    let is_commit = |commit: &str| commit.len() == 40 && commit.bytes().all(is_hex);
    (is_number && commit.is_none_or(is_commit))
        .then(|| digits.parse().ok())
        .flatten()
}

/// The manifest that a tag such as `sha256-<hex>` or `sha256-<hex>.sig` belongs to
/// (<https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema>,
/// <https://github.com/sigstore/cosign/blob/v2.6.1/specs/SIGNATURE_SPEC.md>). Any ending counts.
pub(super) fn subject(tag: &str) -> Option<Digest> {
    let rest = tag.strip_prefix("sha256-")?;
    let (hex, ending) = rest.split_at_checked(64)?;
    let is_ending = ending.is_empty() || ending.starts_with(['.', '-']);
    let digest = format!("sha256:{hex}").parse().ok();
    digest.filter(|_| is_ending)
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tags_of_a_pull_request_have_its_number() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(pull_request("pr-5"), Some(5));
        assert_eq!(pull_request(&format!("pr-5-sha-{commit}")), Some(5));
        let upper = commit.to_uppercase();
        for tag in [
            "pr-",
            "pr-05",
            "pr-0",
            "pr-5-fix",
            "pr-5-sha-0123456",
            "pr-x",
            "PR-5",
            "my-pr-5",
            "pr-5-",
            "pr-+5",
            "pr-99999999999999999999",
            &format!("pr-5-sha-{commit}-x"),
            &format!("pr-5-sha-{upper}"),
            &format!("pr-5x-sha-{commit}"),
            &format!("pr--sha-{commit}"),
        ] {
            assert_eq!(pull_request(tag), None, "{tag}");
        }
    }

    #[test]
    fn tags_of_referrers_name_their_subject() {
        let digest = Digest::of(b"");
        let hex = digest.hex();
        for ending in ["", ".sig", ".att", ".sbom", ".vex", "-meta"] {
            assert_eq!(
                subject(&format!("sha256-{hex}{ending}")),
                Some(digest.clone())
            );
        }
        for tag in [
            "sha256-",
            "sha256-0123",
            &format!("sha256-{hex}0"),
            &format!("x-sha256-{hex}"),
            &format!("sha256:{hex}"),
            &format!("sha256-{}é", &hex[..62]),
        ] {
            assert_eq!(subject(tag), None, "{tag}");
        }
    }
}
