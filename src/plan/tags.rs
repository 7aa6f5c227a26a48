//! Rules + flavor + facts -> tags.

mod emitted;

#[cfg(test)]
mod tests;

use crate::context::facts::Facts;
use crate::context::{Context, GitRef};
use crate::error::{InputError, Problem};
use crate::image::tag::Tag;
use crate::inputs::destination::FixedTags;
use crate::inputs::tags::flavor::{Affix, Flavor, Latest};
use crate::inputs::tags::version::line::VersionLine;
use crate::inputs::tags::{TagRule, not_a_boolean};
use crate::plan::tags::emitted::{Emitted, Silent};

/// The tags of a run, and what became of every rule.
#[derive(Debug)]
pub(crate) struct Tags {
    /// The first tag; empty when there is none.
    pub(crate) version: String,
    /// In the order of the rules' priorities, `latest` last, none twice.
    pub(crate) tags: Vec<PlannedTag>,
    /// The same as docker/metadata-action lists them: `latest` twice when a rule and the flavor give it.
    pub(crate) names: Vec<Tag>,
    /// In the order the rules are written.
    pub(crate) outcomes: Vec<RuleOutcome>,
    /// Why `latest` is given, or not.
    pub(crate) latest: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedTag {
    pub(crate) tag: Tag,
    pub(crate) motion: Motion,
    /// The version it shows, when it shows one.
    pub(crate) line: Option<VersionLine>,
    /// Whether it holds the commit, or the first digits of it.
    pub(crate) names_commit: bool,
    /// Whether it is the full version in the git tag of this run.
    pub(crate) is_version: bool,
}

/// Whether a tag may point to another image later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Motion {
    /// One release, one commit, one pull request.
    Fixed,
    /// `latest`, a part of a version, a branch, a schedule.
    Floating,
}

/// What became of one rule on this event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuleOutcome {
    /// The rule's line in the input `tags`; a default rule has none.
    pub(crate) line: Option<usize>,
    pub(crate) rule: String,
    pub(crate) outcome: Outcome,
}

/// A tag, or the reason why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Tag(Tag),
    Nothing(String),
}

/// Applies the rules, those of higher priority first.
pub(crate) fn tags(rules: &[TagRule], flavor: &Flavor, facts: &Facts<'_>) -> Result<Tags, Problem> {
    let mut order: Vec<usize> = (0..rules.len()).collect();
    order.sort_by(|a, b| rules[*b].priority.total_cmp(&rules[*a].priority));
    let mut planned: Vec<PlannedTag> = Vec::new();
    let mut first: Option<Emitted> = None;
    let mut outcomes: Vec<(usize, RuleOutcome)> = Vec::new();
    for index in order {
        let rule = &rules[index];
        let result = apply(rule, flavor, facts)?.and_then(|(emitted, tag)| {
            first.get_or_insert_with(|| emitted.clone());
            if planned.iter().any(|other| other.tag == tag.tag) {
                return Err(format!("an earlier rule already gives `{}`", tag.tag));
            }
            planned.push(tag.clone());
            Ok(tag.tag)
        });
        let outcome = RuleOutcome {
            line: rule.line,
            rule: rule.text.clone(),
            outcome: result.map_or_else(Outcome::Nothing, Outcome::Tag),
        };
        outcomes.push((index, outcome));
    }
    outcomes.sort_by_key(|(index, _)| *index);
    let latest = latest(flavor, first.as_ref(), facts);
    let mut names: Vec<Tag> = planned.iter().map(|planned| planned.tag.clone()).collect();
    let version = names.first().map(Tag::to_string).unwrap_or_default();
    let latest = latest.map(|latest| {
        names.push(latest.tag.clone());
        if planned.iter().all(|other| other.tag != latest.tag) {
            planned.push(latest.clone());
        }
        latest.tag
    });
    Ok(Tags {
        version,
        tags: planned,
        names,
        outcomes: outcomes.into_iter().map(|(_, outcome)| outcome).collect(),
        latest: latest.map_or_else(Outcome::Nothing, Outcome::Tag),
    })
}

/// What one rule gives, or why it gives nothing.
fn apply(
    rule: &TagRule,
    flavor: &Flavor,
    facts: &Facts<'_>,
) -> Result<Result<(Emitted, PlannedTag), String>, Problem> {
    if !is_enabled(rule, facts)? {
        return Ok(Err("`enable` is `false`".to_owned()));
    }
    let emitted = match emitted::of_rule(rule, facts) {
        Ok(emitted) => Ok(emitted),
        Err(Silent::Nothing(reason)) => Err(reason),
        Err(Silent::Invalid(error)) => return Err(undecided(rule, error)),
    };
    let planned = emitted.and_then(|emitted| {
        let prefix = rule.prefix.as_ref().unwrap_or(&flavor.prefix.text);
        let suffix = rule.suffix.as_ref().unwrap_or(&flavor.suffix.text);
        let (before, after) = (prefix.whole_text(facts)?, suffix.whole_text(facts)?);
        let text = format!("{before}{}{after}", emitted.text);
        let tag = Tag::sanitized(&text).ok_or_else(|| nothing_left(&text))?;
        let names_commit =
            rule.kind.names_the_commit() || prefix.names_the_commit() || suffix.names_the_commit();
        let emitted = Emitted {
            line: emitted.line.map(|line| line.between(&before, &after)),
            motion: if names_commit {
                Motion::Fixed
            } else {
                emitted.motion
            },
            ..emitted
        };
        let planned = PlannedTag {
            tag,
            motion: emitted.motion,
            line: emitted.line.clone(),
            names_commit,
            is_version: emitted.is_version,
        };
        Ok((emitted, planned))
    });
    Ok(planned)
}

fn is_enabled(rule: &TagRule, facts: &Facts<'_>) -> Result<bool, Problem> {
    let enable = rule.enable.text(facts);
    enable
        .parse()
        .ok()
        .ok_or_else(|| undecided(rule, not_a_boolean(&enable)))
}

fn undecided(rule: &TagRule, error: InputError) -> Problem {
    let line = rule.line.unwrap_or_default();
    let what = format!(
        "cannot evaluate line {line} of the input `tags`: `{}`",
        rule.text
    );
    Problem::new(what, error.fix).because(error.because)
}

fn nothing_left(text: &str) -> String {
    if text.is_empty() {
        return "it gives an empty value".to_owned();
    }
    format!("`{text}` contains no character that a tag can start with")
}

/// `latest` goes with the first tag; its affixes are those the flavor puts on it too.
fn latest(
    flavor: &Flavor,
    first: Option<&Emitted>,
    facts: &Facts<'_>,
) -> Result<PlannedTag, String> {
    let first = first.ok_or("no rule gives a tag")?;
    match flavor.latest {
        Latest::Always => {}
        Latest::Never => return Err("the flavor says `latest=false`".to_owned()),
        Latest::Auto if first.is_release => {}
        Latest::Auto => return Err("the first tag is not a release version".to_owned()),
    }
    let affix = |affix: &Affix| match affix.on_latest {
        true => affix.text.whole_text(facts),
        false => Ok(String::new()),
    };
    let text = format!("{}latest{}", affix(&flavor.prefix)?, affix(&flavor.suffix)?);
    Ok(PlannedTag {
        tag: Tag::sanitized(&text).expect("the word `latest` is left of it"),
        motion: Motion::Floating,
        line: first.line.clone().map(VersionLine::of_all),
        names_commit: false,
        is_version: false,
    })
}

/// `sha-<first digits of the commit>`.
pub(crate) fn commit_tag(commit: &str, digits: usize) -> Tag {
    prefixed("sha", commit, digits)
}

fn prefixed(prefix: &str, commit: &str, digits: usize) -> Tag {
    let short = commit.get(..digits).unwrap_or(commit);
    valid(&format!("{prefix}-{short}"))
}

impl PlannedTag {
    /// Whether the tag is a version that is written once.
    pub(crate) fn is_once(&self, fixed: FixedTags) -> bool {
        self.is_version && fixed == FixedTags::Once
    }

    /// The tag of an image that no rule names.
    pub(crate) fn fallback(context: &Context) -> Self {
        Self {
            tag: own_tag(context, 7),
            motion: Motion::Fixed,
            line: None,
            names_commit: context.named_commit().is_ok(),
            is_version: false,
        }
    }
}

/// A tag that no other run writes: that of the commit with `digits` digits. Code whose commit may not be
/// named has its pull request, else the run.
pub(crate) fn own_tag(context: &Context, digits: usize) -> Tag {
    if let Ok(commit) = context.named_commit() {
        return commit_tag(commit, digits);
    }
    if context.uncommitted.is_some() {
        return prefixed("dirty", &context.commit, digits);
    }
    match &context.git_ref {
        GitRef::PullRequest(number) => valid(&format!("pr-{number}")),
        _ => run_tag(context),
    }
}

/// The tag of the attempt of this run.
pub(crate) fn run_tag(context: &Context) -> Tag {
    match &context.run {
        Some(run) => valid(&format!("run-{}-{}", run.id, run.attempt)),
        None => valid("run"),
    }
}

/// `tag` for the code of a pull request.
pub(crate) fn of_pull_request(number: u64, tag: &Tag) -> Tag {
    valid(&format!("pr-{number}-{tag}"))
}

fn valid(text: &str) -> Tag {
    Tag::sanitized(text).expect("it starts with a letter, so something valid is left")
}
