//! `RuleKind`: the attribute `type` of a tag rule, and the attributes that only this type has.

use crate::error::InputError;
use crate::inputs::tags::Attributes;
use crate::inputs::tags::pattern::Pattern;
use crate::inputs::tags::template::{Global, Template};
use crate::inputs::tags::version::{Part, Scheme};

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

impl RuleKind {
    /// Whether the tag differs from commit to commit.
    pub(crate) fn names_the_commit(&self) -> bool {
        let given = |text: &Option<Template<Global>>| {
            text.as_ref()
                .is_some_and(Template::<Global>::names_the_commit)
        };
        match self {
            Self::Sha(_) => true,
            Self::Schedule { pattern: text } | Self::Raw { value: text } => text.names_the_commit(),
            Self::Version(VersionRule { value, .. }) | Self::Match { value, .. } => given(value),
            Self::Edge { .. } | Self::Ref(_) => false,
        }
    }

    /// The kind with its priority and its prefix where the rule does not say them.
    pub(super) fn read(
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
            let because = format!("unknown event `{other}` for the type `ref`");
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
            let because = format!("unknown format `{other}` for the type `sha`");
            Err(InputError::not_one_of(because, other, &["short", "long"]))
        }
    }
}

fn unknown_type(name: &str) -> InputError {
    InputError::not_one_of(format!("unknown tag type `{name}`"), name, TYPES)
}

#[cfg(test)]
mod tests {
    use crate::error::Explanation;
    use crate::inputs::tags::parse;
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
    fn an_error_names_the_line_the_attribute_and_what_is_allowed() {
        refused(
            "type=sha\n\ntype=rev,event=tag",
            expect![[r#"
            invalid entry in the input `tags`, line 3: `type=rev,event=tag`
              because: unknown tag type `rev`
              fix: write `schedule`, `semver`, `pep440`, `match`, `edge`, `ref`, `raw` or `sha`; did you mean `ref`?"#]],
        );
        refused(
            "type=ref",
            expect![[r#"
            invalid entry in the input `tags`, line 1: `type=ref`
              because: a rule of the type `ref` needs the attribute `event`
              fix: add it, for example `type=ref,event=branch`"#]],
        );
        refused(
            "type=semver,patern={{version}}",
            expect![[r#"
                invalid entry in the input `tags`, line 1: `type=semver,patern={{version}}`
                  because: a rule of the type `semver` needs the attribute `pattern`, but has `patern`
                  fix: write `pattern` instead of `patern`"#]],
        );
        refused(
            "type=ref,event=brnach",
            expect![[r#"
            invalid entry in the input `tags`, line 1: `type=ref,event=brnach`
              because: unknown event `brnach` for the type `ref`
              fix: write `branch`, `tag` or `pr`; did you mean `branch`?"#]],
        );
        refused(
            "type=sha,format=medium",
            expect![[r#"
            invalid entry in the input `tags`, line 1: `type=sha,format=medium`
              because: unknown format `medium` for the type `sha`
              fix: write `short` or `long`"#]],
        );
        refused(
            "type=semver,pattern={{version}},patern=x",
            expect![[r#"
            invalid entry in the input `tags`, line 1: `type=semver,pattern={{version}},patern=x`
              because: a rule of the type `semver` has no attribute `patern`
              fix: write `enable`, `match`, `pattern`, `prefix`, `priority`, `suffix`, `type` or `value`; did you mean `pattern`?"#]],
        );
        refused(
            "type=sha,stable",
            expect![[r#"
            invalid entry in the input `tags`, line 1: `type=sha,stable`
              because: a rule of the type `sha` takes no value, but has `stable`
              fix: write `enable`, `format`, `prefix`, `priority`, `suffix` or `type`"#]],
        );
        refused(
            "type=semver",
            expect![[r#"
            invalid entry in the input `tags`, line 1: `type=semver`
              because: a rule of the type `semver` needs the attribute `pattern`
              fix: add it, for example `type=semver,pattern={{version}}`"#]],
        );
        refused(
            "type=semver,pattern={{versoin}}",
            expect![[r#"
            invalid entry in the input `tags`, line 1: `type=semver,pattern={{versoin}}`
              because: unknown expression `{{versoin}}`
              fix: write `raw`, `version`, `major`, `minor`, `patch`, `prerelease` or `build`; did you mean `version`?"#]],
        );
        refused(
            "type=semver,pattern={{version}},match=v.*",
            expect![[r#"
            invalid entry in the input `tags`, line 1: `type=semver,pattern={{version}},match=v.*`
              because: the expression `v.*` has no group
              fix: put the part that is the version in parentheses"#]],
        );
        refused(
            "type=match,pattern=a,group=x",
            expect![[r#"
            invalid entry in the input `tags`, line 1: `type=match,pattern=a,group=x`
              because: `group` is `x`
              fix: write the number of a group of the pattern, `0` for the whole match"#]],
        );
        refused(
            "type=match,pattern=a(",
            expect![[r#"
            invalid entry in the input `tags`, line 1: `type=match,pattern=a(`
              because: invalid regular expression `a(`: a `(` is not closed
              fix: write it as in JavaScript; a special character needs a `\` before it"#]],
        );
        refused(
            "type=match,pattern=/a/q",
            expect![[r#"
            invalid entry in the input `tags`, line 1: `type=match,pattern=/a/q`
              because: unknown flag `q` in the expression `/a/q`
              fix: write each of the flags `g`, `i`, `m`, `s`, `u` at most once"#]],
        );
        refused(
            "type=raw",
            expect![[r#"
            invalid entry in the input `tags`, line 1: `type=raw`
              because: a rule of the type `raw` needs the attribute `value`
              fix: add it, for example `type=raw,value=stable`"#]],
        );
        refused(
            "type=raw,value=x,priority=high",
            expect![[r#"
            invalid entry in the input `tags`, line 1: `type=raw,value=x,priority=high`
              because: `priority` is `high`
              fix: write a number, for example `900`"#]],
        );
        refused(
            "type=raw,value=x,enable=yes",
            expect![[r#"
            invalid entry in the input `tags`, line 1: `type=raw,value=x,enable=yes`
              because: `enable` is `yes`
              fix: write `true` or `false`"#]],
        );
        refused(
            "type=raw,value={{date 'YYYY' tz='Europe/Berlim'}}",
            expect![[r#"
                invalid entry in the input `tags`, line 1: `type=raw,value={{date 'YYYY' tz='Europe/Berlim'}}`
                  because: `Europe/Berlim` is not a time zone
                  fix: write an IANA name such as `UTC` or `Europe/Berlin`; did you mean `Europe/Berlin`?"#]],
        );
        refused(
            "type=raw,value=\"x",
            expect![[r#"
            invalid entry in the input `tags`, line 1: `type=raw,value="x`
              because: a quote is in the middle of a field
              fix: quote the whole field, from comma to comma, and write `""` for a quote in it"#]],
        );
    }
}
