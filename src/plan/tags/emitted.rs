//! `Emitted`: what a rule says before prefix and suffix come around it.

use crate::context::GitRef;
use crate::context::facts::Facts;
use crate::error::InputError;
use crate::inputs::tags::TagRule;
use crate::inputs::tags::kind::{RefEvent, RuleKind, ShaFormat, VersionRule};
use crate::inputs::tags::pattern::Pattern;
use crate::inputs::tags::template::Global;
use crate::inputs::tags::template::Template;
use crate::inputs::tags::version::line::{Level, VersionLine};
use crate::inputs::tags::version::{Scheme, Version};
use crate::plan::tags::Motion;

#[derive(Clone, Debug)]
pub(super) struct Emitted {
    pub(super) text: String,
    pub(super) motion: Motion,
    pub(super) line: Option<VersionLine>,
    /// Whether `latest=auto` follows it when it comes first.
    pub(super) is_release: bool,
    /// Whether it is a full version that comes from the git tag of this run.
    pub(super) is_version: bool,
}

impl Emitted {
    fn new(text: impl Into<String>, motion: Motion) -> Self {
        Self {
            text: text.into(),
            motion,
            line: None,
            is_release: false,
            is_version: false,
        }
    }

    /// A git tag, or what a pattern found in one: it may be a version although no rule says so.
    fn of_git_tag(text: &str, motion: Motion) -> Self {
        let version = Version::parse(text, Scheme::Semver);
        Self {
            line: version.map(|version| VersionLine::new(version, Level::Exact)),
            is_release: true,
            is_version: Version::is_full_text(text),
            ..Self::new(text, motion)
        }
    }
}

/// Why a rule gives no tag.
pub(super) enum Silent {
    /// On this event it has none to give; in words.
    Nothing(String),
    /// The author of the workflow has to fix it.
    Invalid(InputError),
}

impl From<String> for Silent {
    fn from(reason: String) -> Self {
        Self::Nothing(reason)
    }
}

/// What the rule gives on this event.
pub(super) fn of_rule(rule: &TagRule, facts: &Facts<'_>) -> Result<Emitted, Silent> {
    match &rule.kind {
        RuleKind::Schedule { pattern } => match facts.event_name() {
            event if event.contains("schedule") => {
                Ok(Emitted::new(pattern.whole_text(facts)?, motion_of(pattern)))
            }
            event => Err(format!("the event is `{event}`, not `schedule`").into()),
        },
        RuleKind::Version(rule) => of_version(rule, facts),
        RuleKind::Match {
            pattern,
            group,
            value,
        } => {
            let emitted = of_match(pattern, *group, &value_or_tag(value.as_ref(), facts)?)?;
            Ok(Emitted {
                is_version: emitted.is_version && is_git_tag(value.as_ref()),
                ..emitted
            })
        }
        RuleKind::Edge { branch } => Ok(of_edge(branch.as_deref(), facts)?),
        RuleKind::Ref(event) => Ok(of_ref(*event, facts.git_ref())?),
        RuleKind::Raw { value } => Ok(Emitted::new(value.whole_text(facts)?, motion_of(value))),
        RuleKind::Sha(ShaFormat::Short) => Ok(Emitted::new(facts.short_sha()?, Motion::Fixed)),
        RuleKind::Sha(ShaFormat::Long) => Ok(Emitted::new(facts.commit()?, Motion::Fixed)),
    }
}

/// A text that names the commit or the git tag is as fixed as they are.
fn motion_of(text: &Template<Global>) -> Motion {
    let fixed = text
        .expressions()
        .any(|expression| matches!(expression, Global::Sha | Global::Tag));
    if fixed {
        Motion::Fixed
    } else {
        Motion::Floating
    }
}

/// Whether [`value_or_tag`] gives the git tag of this run.
fn is_git_tag(value: Option<&Template<Global>>) -> bool {
    value.is_none_or(|value| matches!(value.single(), Some(Global::Tag)))
}

fn value_or_tag(value: Option<&Template<Global>>, facts: &Facts<'_>) -> Result<String, String> {
    match value {
        Some(value) => value.whole_text(facts),
        None => facts
            .tag()
            .map(str::to_owned)
            .ok_or_else(|| not_a("tag", facts.git_ref())),
    }
}

fn of_version(rule: &VersionRule, facts: &Facts<'_>) -> Result<Emitted, Silent> {
    let value = value_or_tag(rule.value.as_ref(), facts)?;
    let text = match &rule.within {
        None => value.as_str(),
        // docker/metadata-action uses the whole text when the expression finds nothing.
        Some(pattern) => match pattern.captures(&value).map_err(Silent::Invalid)? {
            None => value.as_str(),
            Some(groups) => groups.get(1).copied().flatten().ok_or_else(|| {
                format!(
                    "the group of `{}` does not match in `{value}`",
                    pattern.text()
                )
            })?,
        },
    };
    let text = text.replace('/', "-");
    let version = Version::parse(&text, rule.scheme).ok_or_else(|| match rule.scheme {
        Scheme::Semver => format!("`{text}` is not a semantic version (https://semver.org)"),
        Scheme::Pep440 => format!("`{text}` is not a version by PEP 440"),
    })?;
    let level = Level::shown(&rule.pattern, &version);
    let is_version = is_git_tag(rule.value.as_ref()) && version.is_shown_in_full(&rule.pattern);
    Ok(Emitted {
        text: version.fill(&rule.pattern),
        motion: if level == Level::Exact {
            Motion::Fixed
        } else {
            Motion::Floating
        },
        is_release: version.is_final(),
        line: Some(VersionLine::new(version, level)),
        is_version,
    })
}

fn of_match(pattern: &Pattern, group: usize, value: &str) -> Result<Emitted, Silent> {
    let expression = pattern.text();
    let groups = pattern
        .captures(value)
        .map_err(Silent::Invalid)?
        .ok_or_else(|| format!("`{expression}` does not match `{value}`"))?;
    let text = groups
        .get(group)
        .copied()
        .flatten()
        .ok_or_else(|| format!("`{expression}` has no group {group} in `{value}`"))?;
    let whole = text == value || Version::is_full_text(text);
    let motion = if whole {
        Motion::Fixed
    } else {
        Motion::Floating
    };
    Ok(Emitted::of_git_tag(text, motion))
}

fn of_edge(branch: Option<&str>, facts: &Facts<'_>) -> Result<Emitted, String> {
    let GitRef::Branch(name) = facts.git_ref() else {
        return Err(not_a("branch", facts.git_ref()));
    };
    let wanted = branch.or_else(|| facts.default_branch());
    match wanted {
        Some(wanted) if wanted == name => Ok(Emitted::new("edge", Motion::Floating)),
        Some(wanted) => Err(format!("the branch is `{name}`, not `{wanted}`")),
        None => Err("the event does not say which branch is the default one".to_owned()),
    }
}

fn of_ref(event: RefEvent, git_ref: &GitRef) -> Result<Emitted, String> {
    match (event, git_ref) {
        (RefEvent::Branch, GitRef::Branch(name)) => Ok(Emitted::new(name, Motion::Floating)),
        (RefEvent::Tag, GitRef::Tag(name)) => Ok(Emitted::of_git_tag(name, Motion::Fixed)),
        (RefEvent::PullRequest, GitRef::PullRequest(number)) => {
            Ok(Emitted::new(number.to_string(), Motion::Fixed))
        }
        (RefEvent::Branch, _) => Err(not_a("branch", git_ref)),
        (RefEvent::Tag, _) => Err(not_a("tag", git_ref)),
        (RefEvent::PullRequest, _) => Err(not_a("pull request", git_ref)),
    }
}

fn not_a(wanted: &str, git_ref: &GitRef) -> String {
    match git_ref {
        GitRef::Branch(name) => format!("the ref is the branch `{name}`, not a {wanted}"),
        GitRef::Tag(name) => format!("the ref is the tag `{name}`, not a {wanted}"),
        GitRef::PullRequest(number) => format!("the ref is pull request {number}, not a {wanted}"),
        GitRef::Other(full_ref) => format!("the ref is `{full_ref}`, not a {wanted}"),
    }
}
