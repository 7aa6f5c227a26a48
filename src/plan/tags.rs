//! Rules + flavor + facts -> tags.

mod emitted;

use crate::context::facts::Facts;
use crate::context::{Context, GitRef};
use crate::error::{InputError, Problem};
use crate::image::tag::Tag;
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
    /// Why there is `latest`, or why not.
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
}

/// Whether a tag is meant to point to other images later.
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

/// A tag, or in words why there is none.
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
                return Err(format!("an earlier rule gives `{}` already", tag.tag));
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
        "line {line} of the input `tags` cannot be decided: `{}`",
        rule.text
    );
    Problem::new(what, error.fix).because(error.because)
}

fn nothing_left(text: &str) -> String {
    if text.is_empty() {
        return "it gives an empty text".to_owned();
    }
    format!("nothing a tag may begin with is left of `{text}`")
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
        Latest::Auto => return Err("the first tag is no release".to_owned()),
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
    })
}

/// `sha-<first digits of the commit>`.
pub(crate) fn commit_tag(commit: &str, digits: usize) -> Tag {
    prefixed("sha", commit, digits)
}

fn prefixed(prefix: &str, commit: &str, digits: usize) -> Tag {
    let short = commit.get(..digits).unwrap_or(commit);
    Tag::sanitized(&format!("{prefix}-{short}"))
        .expect("it starts with a letter, so something valid is left")
}

impl PlannedTag {
    /// The tag of an image that no rule names.
    pub(crate) fn fallback(context: &Context) -> Self {
        Self {
            tag: own_tag(context, 7),
            motion: Motion::Fixed,
            line: None,
            names_commit: context.named_commit().is_ok(),
        }
    }
}

/// A tag that no other run has: that of the commit with so many `digits`. Code whose commit may not be
/// named has its pull request, else the run.
pub(crate) fn own_tag(context: &Context, digits: usize) -> Tag {
    if let Ok(commit) = context.named_commit() {
        return commit_tag(commit, digits);
    }
    if context.uncommitted.is_some() {
        return prefixed("dirty", &context.commit, digits);
    }
    let text = match (&context.git_ref, &context.run) {
        (GitRef::PullRequest(number), _) => format!("pr-{number}"),
        (_, Some(run)) => format!("run-{}-{}", run.id, run.attempt),
        (_, None) => "run".to_owned(),
    };
    Tag::sanitized(&text).expect("it starts with a letter, so something valid is left")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::event::Event;
    use crate::inputs::tags;
    use crate::inputs::tags::flavor;
    use crate::vars::Vars;
    use serde_json::json;

    fn context(event_name: &str, git_ref: GitRef) -> Context {
        let variables = [
            ("GITHUB_REPOSITORY", "acme/widget"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", "0123456789abcdef"),
        ];
        Context {
            event_name: event_name.to_owned(),
            git_ref,
            event: Event::from_payload(&json!({
                "repository": {"name": "widget", "default_branch": "main"},
                "pull_request": {"head": {"ref": "feat/x"}, "base": {"ref": "main"}},
            })),
            ..Context::from_vars(&Vars::of(&variables)).unwrap()
        }
    }

    fn decided(context: &Context, rules: &str, flavor: &str) -> Result<Tags, Problem> {
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let facts = Facts::new(context, now, 7);
        tags(&tags::parse(rules)?, &flavor::parse(flavor)?, &facts)
    }

    #[track_caller]
    fn check(context: &Context, rules: &str, flavor: &str, expected: &[(&str, Motion)]) {
        let tags = decided(context, rules, flavor).unwrap().tags;
        let tags: Vec<_> = tags
            .iter()
            .map(|tag| (tag.tag.as_str(), tag.motion))
            .collect();
        assert_eq!(tags, expected);
    }

    fn push_of_tag(name: &str) -> Context {
        context("push", GitRef::Tag(name.to_owned()))
    }

    fn push_of_branch(name: &str) -> Context {
        context("push", GitRef::Branch(name.to_owned()))
    }

    use Motion::{Fixed, Floating};

    #[test]
    fn default_rules_give_what_users_know() {
        let pull_request = context("pull_request", GitRef::PullRequest(2));
        check(&pull_request, "", "", &[("pr-2", Fixed)]);
        check(
            &push_of_branch("releases/v1"),
            "",
            "",
            &[("releases-v1", Floating)],
        );
        check(
            &push_of_tag("v1.2.3"),
            "",
            "",
            &[("v1.2.3", Fixed), ("latest", Floating)],
        );
        let beta = [("v2.0.8-beta.67", Fixed), ("latest", Floating)];
        check(&push_of_tag("v2.0.8-beta.67"), "", "", &beta);
        let nightly = context("schedule", GitRef::Branch("main".to_owned()));
        check(
            &nightly,
            "",
            "",
            &[("nightly", Floating), ("main", Floating)],
        );
    }

    #[test]
    fn a_tag_moves_unless_it_names_one_version_or_commit() {
        let versions = "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}.{{minor}}\n\
                        type=semver,pattern={{major}}\ntype=semver,pattern=v{{major}}.{{minor}}.{{patch}}";
        let expected = [
            ("1.2.3", Fixed),
            ("1.2", Floating),
            ("1", Floating),
            ("v1.2.3", Fixed),
            ("latest", Floating),
        ];
        check(&push_of_tag("v1.2.3"), versions, "", &expected);
        check(
            &push_of_tag("v1.2.3-rc.1"),
            versions,
            "",
            &[("1.2.3-rc.1", Fixed)],
        );
        let main = push_of_branch("main");
        check(&main, "type=edge", "", &[("edge", Floating)]);
        check(
            &main,
            "stable\nx-{{sha}}",
            "",
            &[("stable", Floating), ("x-0123456", Fixed)],
        );
        check(
            &main,
            "type=ref,event=branch,suffix=-{{sha}}",
            "",
            &[("main-0123456", Fixed)],
        );
        check(
            &main,
            "type=sha,format=long",
            "",
            &[("sha-0123456789abcdef", Fixed)],
        );
        let found = [("1", Floating), ("latest", Floating)];
        check(
            &push_of_tag("v1.2"),
            "type=match,pattern=v(\\d+),group=1",
            "",
            &found,
        );
    }

    #[test]
    fn the_flavor_surrounds_every_tag_that_does_not_say_otherwise() {
        let main = push_of_branch("main");
        let rules = "type=edge\nstable,suffix=\ntype=sha,prefix=g";
        let flavor = "latest=true\nprefix={{branch}}-,onlatest=true\nsuffix=-slim";
        let expected = [
            ("main-edge-slim", Floating),
            ("main-stable", Floating),
            ("g0123456-slim", Fixed),
            ("main-latest", Floating),
        ];
        check(&main, rules, flavor, &expected);
        check(&push_of_tag("v1"), "", "latest=false", &[("v1", Fixed)]);
    }

    #[test]
    fn latest_is_pushed_once_and_listed_as_often_as_the_peer_lists_it() {
        let tags = decided(&push_of_branch("main"), "latest\nlatest", "latest=true").unwrap();
        assert_eq!(tags.tags.len(), 1);
        assert_eq!(tags.names.len(), 2);
    }

    #[test]
    fn the_branch_of_a_pull_request_is_its_head() {
        let pull_request = context("pull_request", GitRef::PullRequest(2));
        let rules = "{{branch}}-on-{{base_ref}}";
        check(&pull_request, rules, "", &[("feat-x-on-main", Floating)]);
    }

    #[test]
    fn a_floating_version_knows_its_line() {
        let tags = decided(
            &push_of_tag("v1.2.3"),
            "type=semver,pattern={{major}}",
            "suffix=-slim",
        );
        let tags = tags.unwrap().tags;
        let line = |index: usize| tags[index].line.as_ref().unwrap();
        assert!(line(0).version_of("1.9.0-slim").is_some());
        assert!(line(0).version_of("2.0.0-slim").is_none());
        assert_eq!(tags[1].tag.as_str(), "latest");
        assert!(line(1).version_of("2.0.0-slim").is_some());
    }

    #[track_caller]
    fn reasons(context: &Context, rules: &str, latest: &str, expected: &[(usize, &str)]) {
        let tags = decided(context, rules, "").unwrap();
        let reasons = tags
            .outcomes
            .iter()
            .filter_map(|outcome| match &outcome.outcome {
                Outcome::Nothing(reason) => Some((outcome.line.unwrap(), reason.as_str())),
                Outcome::Tag(_) => None,
            });
        assert_eq!(reasons.collect::<Vec<_>>(), expected);
        assert_eq!(tags.latest, Outcome::Nothing(latest.to_owned()));
    }

    #[test]
    fn a_rule_that_gives_nothing_says_why() {
        let rules = "type=sha\n\ntype=schedule\ntype=semver,pattern={{version}}\ntype=edge,branch=dev\n\
                     type=ref,event=pr\nstable,enable=false\n{{tag}}\n日本\nsha-{{sha}}\n\
                     type=semver,pattern={{raw}},value=1.2\ntype=match,pattern=(x)|y,group=1,value=y";
        let expected = [
            (3, "the event is `push`, not `schedule`"),
            (4, "the ref is the branch `main`, not a tag"),
            (5, "the branch is `main`, not `dev`"),
            (6, "the ref is the branch `main`, not a pull request"),
            (7, "`enable` is `false`"),
            (8, "it gives an empty text"),
            (9, "nothing a tag may begin with is left of `日本`"),
            (1, "an earlier rule gives `sha-0123456` already"),
            (11, "`1.2` is not a semantic version (https://semver.org)"),
            (12, "`(x)|y` has no group 1 in `y`"),
        ];
        let mut expected = expected.to_vec();
        expected.sort_by_key(|(line, _)| *line);
        reasons(
            &push_of_branch("main"),
            rules,
            "the first tag is no release",
            &expected,
        );
    }

    #[test]
    fn enable_must_give_a_boolean() {
        let problem = decided(&push_of_branch("main"), "\nx,enable={{branch}}", "").unwrap_err();
        let expected = "line 2 of the input `tags` cannot be decided: `x,enable={{branch}}`";
        assert_eq!(problem.to_string(), expected);
    }
}
