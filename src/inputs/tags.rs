//! The `tags` input -> `Vec<TagRule>`.
//!
//! The language is that of docker/metadata-action v6
//! (<https://github.com/docker/metadata-action#tags-input>). A rule that parsed is complete: every
//! template, pattern, number and choice in it is known to be right.

mod attributes;
pub(crate) mod date_format;
pub(crate) mod flavor;
pub(crate) mod images;
pub(crate) mod pattern;
pub(crate) mod template;
pub(crate) mod version;

use crate::error::{InputError, Problem};
use crate::inputs::list;
use crate::inputs::tags::attributes::Attributes;
use crate::inputs::tags::pattern::Pattern;
use crate::inputs::tags::template::Template;
use crate::inputs::tags::template::global::Global;
use crate::inputs::tags::version::{Part, Scheme};

/// One line of the input: when it applies, and which tag it gives.
#[derive(Clone, Debug)]
pub(crate) struct TagRule {
    /// Its line in the input; a default rule has none.
    pub(crate) line: Option<usize>,
    pub(crate) text: String,
    pub(crate) kind: RuleKind,
    /// Gives `true` or `false`.
    pub(crate) enable: Template<Global>,
    /// Rules of a higher priority come first.
    pub(crate) priority: f64,
    /// Set, even to nothing, it replaces the flavor's.
    pub(crate) prefix: Option<Template<Global>>,
    pub(crate) suffix: Option<Template<Global>>,
    /// What a person should hear although it stops nothing.
    pub(crate) warnings: Vec<String>,
}

/// What a rule looks at.
#[derive(Clone, Debug)]
pub(crate) enum RuleKind {
    /// The event `schedule`.
    Schedule {
        pattern: Template<Global>,
    },
    /// The git tag, or a given value, as a version.
    Version(VersionRule),
    /// The git tag, or a given value, as a text with something to find in it.
    Match {
        pattern: Pattern,
        group: usize,
        value: Option<Template<Global>>,
    },
    /// A branch, the default one when none is named.
    Edge {
        branch: Option<String>,
    },
    Ref(RefEvent),
    Raw {
        value: Template<Global>,
    },
    Sha(ShaFormat),
}

/// `type=semver` and `type=pep440`.
#[derive(Clone, Debug)]
pub(crate) struct VersionRule {
    pub(crate) scheme: Scheme,
    pub(crate) pattern: Template<Part>,
    pub(crate) value: Option<Template<Global>>,
    /// Its first group is the version.
    pub(crate) within: Option<Pattern>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefEvent {
    Branch,
    Tag,
    PullRequest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShaFormat {
    Short,
    Long,
}

pub(crate) const TYPES: &[&str] = &[
    "schedule", "semver", "pep440", "match", "edge", "ref", "raw", "sha",
];
const DEFAULT_RULES: &[&str] = &[
    "type=schedule",
    "type=ref,event=branch",
    "type=ref,event=tag",
    "type=ref,event=pr",
];

/// The rules in the order they are written; the default ones when none are.
pub(crate) fn parse(text: &str) -> Result<Vec<TagRule>, Problem> {
    let written = list::entries("tags", text)?;
    if !written.is_empty() {
        return written.iter().map(TagRule::parse).collect();
    }
    let defaults = list::entries("tags", &DEFAULT_RULES.join("\n"))?;
    let rules = defaults.iter().map(|entry| {
        let line = None;
        Ok(TagRule {
            line,
            ..TagRule::parse(entry)?
        })
    });
    rules.collect()
}

impl TagRule {
    fn parse(entry: &list::Entry) -> Result<Self, Problem> {
        Self::read(entry).map_err(|error| entry.problem(error))
    }

    fn read(entry: &list::Entry) -> Result<Self, InputError> {
        let mut attributes = Attributes::new(entry.fields()?);
        let kind_name = attributes.take("type").unwrap_or_else(|| "raw".to_owned());
        let (kind, priority, default_prefix) = RuleKind::read(&kind_name, &mut attributes)?;
        let mut rule = Self {
            line: Some(entry.line()),
            text: entry.text().to_owned(),
            kind,
            enable: attributes
                .template("enable")?
                .map_or_else(|| Template::parse("true"), Ok)?,
            priority: attributes.number("priority")?.unwrap_or(priority),
            prefix: match attributes.template("prefix")? {
                None => default_prefix.map(Template::parse).transpose()?,
                given => given,
            },
            suffix: attributes.template("suffix")?,
            warnings: Vec::new(),
        };
        let warnings = attributes.warnings.iter();
        rule.warnings = warnings.map(|warning| entry.warning(warning)).collect();
        attributes.nothing_left(&kind_name)?;
        match rule.enable.literal() {
            None | Some("true" | "false") => Ok(rule),
            Some(other) => Err(not_a_boolean(other)),
        }
    }
}

/// `enable` gave something else than a boolean.
pub(crate) fn not_a_boolean(enable: &str) -> InputError {
    let because = format!("`enable` is `{enable}`");
    InputError::not_one_of(because, enable, &["true", "false"])
}

impl RuleKind {
    /// Whether the tag differs from commit to commit.
    pub(crate) fn names_the_commit(&self) -> bool {
        let given =
            |text: &Option<Template<Global>>| text.as_ref().is_some_and(Template::names_the_commit);
        match self {
            Self::Sha(_) => true,
            Self::Schedule { pattern: text } | Self::Raw { value: text } => text.names_the_commit(),
            Self::Version(VersionRule { value, .. }) | Self::Match { value, .. } => given(value),
            Self::Edge { .. } | Self::Ref(_) => false,
        }
    }

    /// The kind with its priority and its prefix where the rule does not say them.
    fn read(
        name: &str,
        attributes: &mut Attributes,
    ) -> Result<(Self, f64, Option<&'static str>), InputError> {
        Ok(match name {
            "schedule" => {
                let pattern = attributes.template("pattern")?;
                let pattern = pattern.map_or_else(|| Template::parse("nightly"), Ok)?;
                (Self::Schedule { pattern }, 1000.0, None)
            }
            "semver" => (version_rule(Scheme::Semver, name, attributes)?, 900.0, None),
            "pep440" => (version_rule(Scheme::Pep440, name, attributes)?, 900.0, None),
            "match" => (match_rule(attributes)?, 800.0, None),
            "edge" => {
                let branch = attributes.filled("branch");
                (Self::Edge { branch }, 700.0, None)
            }
            "ref" => match ref_event(attributes)? {
                RefEvent::PullRequest => (Self::Ref(RefEvent::PullRequest), 600.0, Some("pr-")),
                event => (Self::Ref(event), 600.0, None),
            },
            "raw" => {
                let value = attributes.required("value", name, "value=stable")?;
                let value = attributes.parse(&value)?;
                (Self::Raw { value }, 200.0, None)
            }
            "sha" => (Self::Sha(sha_format(attributes)?), 100.0, Some("sha-")),
            other => return Err(unknown_type(other)),
        })
    }
}

fn version_rule(
    scheme: Scheme,
    name: &str,
    attributes: &mut Attributes,
) -> Result<RuleKind, InputError> {
    let pattern = attributes.required("pattern", name, "pattern={{version}}")?;
    let within = attributes
        .filled("match")
        .map(|text| Pattern::with_group(&text));
    Ok(RuleKind::Version(VersionRule {
        scheme,
        pattern: attributes.parse(&pattern)?,
        value: attributes.filled_template("value")?,
        within: within.transpose()?,
    }))
}

fn match_rule(attributes: &mut Attributes) -> Result<RuleKind, InputError> {
    let pattern = attributes.required("pattern", "match", "pattern=v(.*),group=1")?;
    let group = attributes.take("group");
    Ok(RuleKind::Match {
        pattern: Pattern::parse(&pattern)?,
        group: group.map_or(Ok(0), |group| group_number(&group))?,
        value: attributes.filled_template("value")?,
    })
}

fn group_number(text: &str) -> Result<usize, InputError> {
    let fix = "write the number of a group of the pattern, `0` for the whole match";
    let number = text.parse().ok();
    number.ok_or_else(|| InputError::new(format!("`group` is `{text}`"), fix))
}

fn ref_event(attributes: &mut Attributes) -> Result<RefEvent, InputError> {
    let event = attributes.required("event", "ref", "event=branch")?;
    match event.as_str() {
        "branch" => Ok(RefEvent::Branch),
        "tag" => Ok(RefEvent::Tag),
        "pr" => Ok(RefEvent::PullRequest),
        other => {
            let because = format!("there is no event `{other}` for the type `ref`");
            Err(InputError::not_one_of(
                because,
                other,
                &["branch", "tag", "pr"],
            ))
        }
    }
}

fn sha_format(attributes: &mut Attributes) -> Result<ShaFormat, InputError> {
    match attributes.take("format").as_deref() {
        None | Some("short") => Ok(ShaFormat::Short),
        Some("long") => Ok(ShaFormat::Long),
        Some(other) => {
            let because = format!("there is no format `{other}` for the type `sha`");
            Err(InputError::not_one_of(because, other, &["short", "long"]))
        }
    }
}

fn unknown_type(name: &str) -> InputError {
    InputError::not_one_of(format!("there is no tag type `{name}`"), name, TYPES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let rules = parse(text).unwrap();
        assert_eq!(format!("{:?}", rules[0].kind), expected);
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a snapshot is written where it is used"
    )]
    #[track_caller]
    fn refused(text: &str, expected: Expect) {
        let problem = parse(text).unwrap_err();
        expected.assert_eq(&Explanation::of(&problem.into()).to_string());
    }

    #[test]
    fn each_type_has_its_own_fields() {
        check("type=edge", "Edge { branch: None }");
        check("type=edge,branch=dev", "Edge { branch: Some(\"dev\") }");
        check("type=ref,event=pr", "Ref(PullRequest)");
        check("TYPE = sha , Format=long", "Sha(Long)");
        check(
            "stable",
            "Raw { value: Template { pieces: [Text(\"stable\")], warnings: [] } }",
        );
        check(
            "=a=b",
            "Raw { value: Template { pieces: [Text(\"=a=b\")], warnings: [] } }",
        );
    }

    #[test]
    fn no_rule_means_the_default_rules() {
        for text in ["", "\n", "# only a comment"] {
            let rules = parse(text).unwrap();
            let read: Vec<_> = rules
                .iter()
                .map(|rule| (rule.line, rule.text.as_str()))
                .collect();
            let expected: Vec<_> = DEFAULT_RULES.iter().map(|text| (None, *text)).collect();
            assert_eq!(read, expected);
        }
    }

    #[track_caller]
    fn warned(text: &str, expected: &[&str]) {
        let rules = parse(text).unwrap();
        let warnings: Vec<_> = rules.into_iter().flat_map(|rule| rule.warnings).collect();
        assert_eq!(warnings, expected);
    }

    #[test]
    fn of_several_bare_values_the_last_counts_and_the_others_are_warned_about() {
        check(
            "v1,v2",
            "Raw { value: Template { pieces: [Text(\"v2\")], warnings: [] } }",
        );
        warned(
            "type=sha\n\nv1,v2",
            &[
                "line 3 of the input `tags`: a line is one rule, and only its last value counts: `v1` has no effect; write one rule per line",
            ],
        );
        warned(
            "v1, =a ,type=raw,enable=true,value=v3",
            &[
                "line 1 of the input `tags`: a line is one rule, and only its last value counts: `v1`, `=a` have no effect; write one rule per line",
            ],
        );
        warned(
            "v1,",
            &[
                "line 1 of the input `tags`: a line is one rule, and only its last value counts: `v1` has no effect; write one rule per line",
            ],
        );
        warned(
            "\"v1,v2\"",
            &[
                "line 1 of the input `tags`: a line is one rule, and only its last value counts: `v1` has no effect; write one rule per line",
            ],
        );
    }

    #[test]
    fn usual_rules_give_no_warning() {
        warned(
            "v1\nv2\nv3,enable=true\n,v4\npriority=1,v5,prefix=a-\nvalue=v6,value=v7\ntype=raw,value=v7,suffix=\n\
             type=semver,pattern={{version}},value=1.2.3\ntype=raw,value={{date 'YYYY' tz='UTC'}}\ntype=sha",
            &[],
        );
    }

    #[test]
    fn an_option_that_does_not_exist_is_ignored_wherever_a_rule_has_a_template() {
        let option = |text: &str, call: &str, has: &str| {
            let warning = format!(
                "line 1 of the input `tags`: the option `x` of `{{{{{call}}}}}` has no effect: `{call}` has {has}"
            );
            warned(text, &[&warning]);
        };
        let (tz, none) = ("only the option `tz`", "no option");
        option("type=raw,value={{date 'YYYY' x='UTC'}}", "date", tz);
        option(
            "type=raw,value={{commit_date 'YYYY' x='UTC'}}",
            "commit_date",
            tz,
        );
        option("v1,prefix={{branch x='y'}}", "branch", none);
        option("v1,suffix={{sha x='y'}}", "sha", none);
        option(
            "v1,enable={{is_default_branch x='y'}}",
            "is_default_branch",
            none,
        );
        option("type=schedule,pattern={{date 'YYYY' x='y'}}", "date", tz);
        option("type=semver,pattern={{version x='y'}}", "version", none);
        option("type=match,pattern=v,value={{tag x='y'}}", "tag", none);
    }

    #[test]
    fn an_error_names_the_line_the_attribute_and_what_is_allowed() {
        refused(
            "type=sha\n\ntype=rev,event=tag",
            expect![[r#"
            line 3 of the input `tags` is not understood: `type=rev,event=tag`
              because: there is no tag type `rev`
              fix: write `schedule`, `semver`, `pep440`, `match`, `edge`, `ref`, `raw` or `sha`; did you mean `ref`?"#]],
        );
        refused(
            "type=ref",
            expect![[r#"
            line 1 of the input `tags` is not understood: `type=ref`
              because: a rule of the type `ref` needs the attribute `event`
              fix: add it, for example `type=ref,event=branch`"#]],
        );
        refused(
            "type=semver,patern={{version}}",
            expect![[r#"
                line 1 of the input `tags` is not understood: `type=semver,patern={{version}}`
                  because: a rule of the type `semver` needs the attribute `pattern`, and has `patern`
                  fix: write `pattern` instead of `patern`"#]],
        );
        refused(
            "type=ref,event=brnach",
            expect![[r#"
            line 1 of the input `tags` is not understood: `type=ref,event=brnach`
              because: there is no event `brnach` for the type `ref`
              fix: write `branch`, `tag` or `pr`; did you mean `branch`?"#]],
        );
        refused(
            "type=sha,format=medium",
            expect![[r#"
            line 1 of the input `tags` is not understood: `type=sha,format=medium`
              because: there is no format `medium` for the type `sha`
              fix: write `short` or `long`"#]],
        );
        refused(
            "type=semver,pattern={{version}},patern=x",
            expect![[r#"
            line 1 of the input `tags` is not understood: `type=semver,pattern={{version}},patern=x`
              because: a rule of the type `semver` has no attribute `patern`
              fix: write `enable`, `match`, `pattern`, `prefix`, `priority`, `suffix`, `type` or `value`; did you mean `pattern`?"#]],
        );
        refused(
            "type=sha,stable",
            expect![[r#"
            line 1 of the input `tags` is not understood: `type=sha,stable`
              because: a rule of the type `sha` has no value, and `stable` is one
              fix: write `enable`, `format`, `prefix`, `priority`, `suffix` or `type`"#]],
        );
        refused(
            "type=semver",
            expect![[r#"
            line 1 of the input `tags` is not understood: `type=semver`
              because: a rule of the type `semver` needs the attribute `pattern`
              fix: add it, for example `type=semver,pattern={{version}}`"#]],
        );
        refused(
            "type=semver,pattern={{versoin}}",
            expect![[r#"
            line 1 of the input `tags` is not understood: `type=semver,pattern={{versoin}}`
              because: `{{versoin}}` is not known here
              fix: write `raw`, `version`, `major`, `minor`, `patch`, `prerelease` or `build`; did you mean `version`?"#]],
        );
        refused(
            "type=semver,pattern={{version}},match=v.*",
            expect![[r#"
            line 1 of the input `tags` is not understood: `type=semver,pattern={{version}},match=v.*`
              because: the expression `v.*` has no group
              fix: put the part that is the version in parentheses"#]],
        );
        refused(
            "type=match,pattern=a,group=x",
            expect![[r#"
            line 1 of the input `tags` is not understood: `type=match,pattern=a,group=x`
              because: `group` is `x`
              fix: write the number of a group of the pattern, `0` for the whole match"#]],
        );
        refused(
            "type=match,pattern=a(",
            expect![[r#"
            line 1 of the input `tags` is not understood: `type=match,pattern=a(`
              because: invalid regular expression `a(`: a `(` is not closed
              fix: write it as in JavaScript; a special character needs a `\` before it"#]],
        );
        refused(
            "type=match,pattern=/a/q",
            expect![[r#"
            line 1 of the input `tags` is not understood: `type=match,pattern=/a/q`
              because: the expression `/a/q` has no flag `q` to take
              fix: write each of the flags `g`, `i`, `m`, `s`, `u` at most once"#]],
        );
        refused(
            "type=raw",
            expect![[r#"
            line 1 of the input `tags` is not understood: `type=raw`
              because: a rule of the type `raw` needs the attribute `value`
              fix: add it, for example `type=raw,value=stable`"#]],
        );
        refused(
            "type=raw,value=x,priority=high",
            expect![[r#"
            line 1 of the input `tags` is not understood: `type=raw,value=x,priority=high`
              because: `priority` is `high`
              fix: write a number, for example `900`"#]],
        );
        refused(
            "type=raw,value=x,enable=yes",
            expect![[r#"
            line 1 of the input `tags` is not understood: `type=raw,value=x,enable=yes`
              because: `enable` is `yes`
              fix: write `true` or `false`"#]],
        );
        refused(
            "type=raw,value={{date 'YYYY' tz='Europe/Berlim'}}",
            expect![[r#"
                line 1 of the input `tags` is not understood: `type=raw,value={{date 'YYYY' tz='Europe/Berlim'}}`
                  because: `Europe/Berlim` is not a time zone
                  fix: write an IANA name such as `UTC` or `Europe/Berlin`; did you mean `Europe/Berlin`?"#]],
        );
        refused(
            "type=raw,value=\"x",
            expect![[r#"
            line 1 of the input `tags` is not understood: `type=raw,value="x`
              because: a quote stands in the middle of a field
              fix: quote the whole field, from comma to comma, and write `""` for a quote in it"#]],
        );
    }
}
