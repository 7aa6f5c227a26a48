use std::sync::LazyLock;

use chrono::DateTime;
use expect_test::{Expect, expect};
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::{collection::vec, prop_assert_eq};
use regex::Regex;
use testkit::proof::{self, Proof};

use super::*;
use crate::context::Context;
use crate::context::facts::Facts;
use crate::error::Explanation;
use crate::inputs::tags::template::Expression;
use crate::plan::Plan;
use crate::vars::Vars;

const RELEASE: &str = "refs/tags/v1.2.3";
const BRANCH: &str = "refs/heads/Fix/a,\"b";

fn plan(git_ref: &str, inputs: &[(&str, &str)]) -> anyhow::Result<Plan> {
    let run = [
        ("GITHUB_REPOSITORY", "Acme/Widget"),
        ("GITHUB_REF", git_ref),
        ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
        ("INPUT_PASSWORD", "token-v1.2.3"),
    ];
    let vars = Vars::of(&[&run, inputs].concat());
    let context = Context::from_vars(&vars)?;
    let now = DateTime::from_timestamp_nanos(1_795_181_400_123_000_000);
    let inputs = Inputs::from_vars(&vars, &[])?;
    Ok(Plan::new(&inputs, &context, |_| true, now)?)
}

#[track_caller]
fn build_arg(git_ref: &str, text: &str, expected: &str) {
    let plan = plan(git_ref, &[("INPUT_BUILD-ARGS", &format!("A={text}"))]).unwrap();
    let [(_, value)] = plan.build.parameters.build_args.as_slice() else {
        panic!("{:?}", plan.build.parameters.build_args);
    };
    assert_eq!(value, expected);
}

#[track_caller]
fn spec(input: &str, git_ref: &str, text: &str, expected: &[(&str, &str)]) {
    let plan = plan(git_ref, &[(input, text)]).unwrap();
    let build = &plan.build;
    let specs = match input {
        "INPUT_CACHE-FROM" => &build.cache_from,
        "INPUT_CACHE-TO" => &build.cache_to,
        _ => &build.outputs,
    };
    let attributes = specs.last().unwrap().attributes().iter();
    let attributes: Vec<(&str, &str)> = attributes
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(attributes, expected);
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a snapshot is written where it is used"
)]
#[track_caller]
fn refused(git_ref: &str, input: &str, text: &str, expected: Expect) {
    let error = plan(git_ref, &[(input, text)]).unwrap_err();
    expected.assert_eq(&Explanation::of(&error).to_string());
}

#[test]
fn build_arguments_have_the_values_of_the_event() {
    build_arg(RELEASE, "{{meta.version}}", "v1.2.3");
    build_arg(RELEASE, "{{meta.image}}:x", "ghcr.io/acme/widget:x");
    build_arg(RELEASE, "{{meta.created}}", "2026-11-20T13:30:00.123Z");
    build_arg(RELEASE, "{{tag}}-{{sha}}-{{branch}}", "v1.2.3-0123456-");
    build_arg(RELEASE, "{{date 'YYYYMMDD' tz='Asia/Tokyo'}}", "20261120");
    build_arg(BRANCH, "{{branch}}", "Fix/a,\"b");
    build_arg(BRANCH, "{{tag}}", "");
    build_arg(BRANCH, "\\{{tag}}{{ .Tag }}", "{{tag}}{{ .Tag }}");
}

#[test]
fn labels_and_annotations_know_the_version() {
    let line = "a={{meta.version}} {{meta.image}} {{ .Foo }}";
    let plan = plan(
        RELEASE,
        &[("INPUT_LABELS", line), ("INPUT_ANNOTATIONS", line)],
    )
    .unwrap();
    let expected = (
        "a".to_owned(),
        "v1.2.3 ghcr.io/acme/widget {{ .Foo }}".to_owned(),
    );
    assert_eq!(
        (&plan.labels[0], &plan.annotations[0]),
        (&expected, &expected)
    );
}

#[test]
fn target_is_expanded() {
    let plan = plan(BRANCH, &[("INPUT_TARGET", "for-{{is_default_branch}}")]).unwrap();
    assert_eq!(plan.build.parameters.target.as_deref(), Some("for-false"));
}

#[test]
fn a_value_in_a_reference_is_a_valid_tag() {
    let bare = "GHCR.io/Acme/Cache:{{branch}}-{{date 'YYYY' tz='UTC'}}";
    for input in ["INPUT_CACHE-FROM", "INPUT_CACHE-TO"] {
        spec(
            input,
            BRANCH,
            bare,
            &[("ref", "ghcr.io/acme/cache:Fix-a-b-2026")],
        );
        spec(
            input,
            BRANCH,
            "type=registry,mode=max,ref={{meta.image}}/cache:{{branch}}",
            &[
                ("mode", "max"),
                ("ref", "ghcr.io/acme/widget/cache:Fix-a-b"),
            ],
        );
    }
}

#[test]
fn a_value_adds_no_key() {
    // A denial of the cache service fails no build.
    let scope = &[("scope", "x-Fix/a,\"b"), ("ignore-error", "true")];
    spec(
        "INPUT_CACHE-TO",
        BRANCH,
        "type=gha,scope=x-{{branch}}",
        scope,
    );
    let dest = &[("dest", "out/Fix/a,\"b")];
    spec(
        "INPUT_OUTPUTS",
        BRANCH,
        "type=local,dest=out/{{branch}}",
        dest,
    );
    spec("INPUT_OUTPUTS", BRANCH, "out/{{branch}}", dest);
}

#[test]
fn an_empty_value_is_refused_where_text_is_needed() {
    refused(
        BRANCH,
        "INPUT_TARGET",
        "{{tag}}",
        expect![[r#"
        the input `target` is empty on this event
          because: `{{tag}}` has no value here
          fix: use expressions that have a value on every event, or add text to them"#]],
    );
    refused(
        BRANCH,
        "INPUT_CACHE-TO",
        "type=gha,scope={{tag}}",
        expect![[r#"
            `scope` in the input `cache-to` is empty on this event
              because: `{{tag}}` has no value here
              fix: use expressions that have a value on every event, or add text to them"#]],
    );
    refused(
        BRANCH,
        "INPUT_CACHE-TO",
        "type=registry,ref={{meta.image}}:{{tag}}",
        expect![[r#"
            `ref` in the input `cache-to` is `ghcr.io/acme/widget:` on this event, which is not a reference
              because: no tag follows the `:`
              fix: change `{{meta.image}}:{{tag}}` so that it is a reference on every event: an expression without a value is empty"#]],
    );
    refused(
        BRANCH,
        "INPUT_OUTPUTS",
        "{{tag}}",
        expect![[r#"
        `dest` in the input `outputs` is empty on this event
          because: `{{tag}}` has no value here
          fix: use expressions that have a value on every event, or add text to them"#]],
    );
}

#[test]
fn an_invalid_expression_names_its_place() {
    refused(
        BRANCH,
        "INPUT_BUILD-ARGS",
        "A={{date 'x' tz='Mars'}}",
        expect![[r#"
            invalid expression in `A` in the input `build-args`: `{{date 'x' tz='Mars'}}`
              because: `Mars` is not a time zone
              fix: write an IANA name such as `UTC` or `Europe/Berlin`; did you mean `America/Sitka`? (for plain braces: `\{{`)"#]],
    );
    refused(
        "refs/heads/a\nb",
        "INPUT_BUILD-ARGS",
        "A={{branch}}",
        expect![[r#"
            the value of an expression in `A` in the input `build-args` has a line break or another control character
              because: it is `{{branch}}`
              fix: use an expression without one"#]],
    );
    refused(
        "refs/heads/-",
        "INPUT_OUTPUTS",
        "type=tar,dest={{branch}}",
        expect![[r#"
            invalid `type=tar` in the input `outputs`
              because: standard output is not available
              fix: write `type=tar,dest=path`"#]],
    );
}

#[test]
fn a_slip_is_a_notice() {
    let plan = plan(BRANCH, &[("INPUT_BUILD-ARGS", "A={{meta.verison}}")]).unwrap();
    let expected = "`A` in the input `build-args`: `{{meta.verison}}` is not an expression, so it stays as it is; did you mean `{{meta.version}}`?";
    assert!(
        plan.notices.iter().any(|notice| notice == expected),
        "{:?}",
        plan.notices
    );
}

#[test]
fn a_token_that_expressions_complete_is_refused() {
    refused(
        RELEASE,
        "INPUT_BUILD-ARGS",
        "A=token-{{tag}}",
        expect![[r#"
            the input `build-args` sets `A` to the token
              because: build arguments are visible in the image history and in the provenance
              fix: pass it as a secret: `secrets: A=…`, and `RUN --mount=type=secret,id=A` in the Dockerfile"#]],
    );
}

#[test]
fn secrets_and_keys_of_caches_are_not_expanded() {
    let inputs = [
        ("INPUT_SECRETS", "a={{tag}}"),
        ("INPUT_CACHE-FROM", "type=gha,token={{tag}}"),
    ];
    let plan = plan(RELEASE, &inputs).unwrap();
    let parameters = &plan.build.parameters;
    let secret = &parameters.secrets[0].content;
    let key = &parameters.cache_keys[0].value;
    assert!(
        matches!(secret, crate::inputs::secrets::SecretContent::Value(value) if value.expose() == "{{tag}}")
    );
    assert_eq!(key.expose(), "{{tag}}");
}

#[test]
fn a_plan_shows_the_build_arguments_with_expressions() {
    let plan = plan(
        RELEASE,
        &[("INPUT_BUILD-ARGS", "A=private\nV={{tag}}\nV=private")],
    )
    .unwrap();
    assert_eq!(plan.build.parameters.shown_args, ["A", "V=v1.2.3", "V"]);
}

/// Braces and words of templates.
fn other_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => select(vec![
            "{", "{{", "{{{", "}", "}}", "$", "${{", "\\", "'", "\"", ".", " ", "-", "#if ", "/if", "|", "&", "%}",
            "Foo", ".Version", "version", "meta", "tags", "range", "printf", "date_of", "sha", "tag", "date", "meta.version", "branch", "tz='UTC'",
        ])
        .prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    vec(word, 0..16).prop_map(|words| words.concat())
}

/// Whether one of our names follows braces as in an expression: `{{sha}}`, but not `{{ .sha }}` or `{{sha_1}}`.
fn may_be_ours(text: &str) -> bool {
    static OURS: LazyLock<Regex> = LazyLock::new(|| {
        let names = Known::NAMES.join("|").replace('.', "\\.");
        Regex::new(&format!(r#"\{{\{{[{{&]?\s*({names})[\s'"}}]"#)).unwrap()
    });
    OURS.is_match(text)
}

#[test]
fn text_without_our_expressions_is_untouched() {
    let mut proof = Proof::of("expressions: other text stays to the byte");
    let texts = other_text().prop_filter("may be ours", |text| !may_be_ours(text));
    let vars = Vars::of(&[
        ("GITHUB_REPOSITORY", "a/b"),
        ("GITHUB_REF", RELEASE),
        ("GITHUB_SHA", "01"),
    ]);
    let context = Context::from_vars(&vars).unwrap();
    let facts = Facts::new(&context, DateTime::UNIX_EPOCH, 7);
    let values = Values {
        facts: &facts,
        version: "1",
        image: None,
    };
    let base = Inputs::from_vars(&vars, &[]).unwrap();
    let check = |text: &str| {
        let mut inputs = base.clone();
        let parameters = &mut inputs.build.parameters;
        parameters.build_args = vec![("A".to_owned(), text.to_owned())];
        parameters.target = Some(text.to_owned());
        let spec = |kind| Spec::new(kind).with("dest", &format!("x{text}"));
        inputs.build.cache_from = vec![spec("gha")];
        inputs.build.cache_to = vec![spec("local")];
        inputs.build.outputs = vec![spec("tar")];
        let (expanded, _) = expanded(&inputs, &values).unwrap();
        let (before, after) = (&inputs.build, &expanded.build);
        prop_assert_eq!(&before.parameters.build_args, &after.parameters.build_args);
        prop_assert_eq!(&before.parameters.target, &after.parameters.target);
        prop_assert_eq!(&before.cache_from, &after.cache_from);
        prop_assert_eq!(&before.cache_to, &after.cache_to);
        prop_assert_eq!(&before.outputs, &after.outputs);
        Ok(())
    };
    proof.property(proof::cases().max(10_000), &texts, |text| check(&text));
    let corpus = testkit::corpus::texts();
    for text in corpus.iter().filter(|text| !may_be_ours(text)) {
        proof.case(check(text).map_err(|error| error.to_string()));
    }
    proof.end();
}
