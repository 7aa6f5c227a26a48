//! What holds for every input: tags are valid, decisions repeat, nothing panics.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use proptest::{prop_assert, prop_assert_eq};

use crate::context::Context;
use crate::error::Explanation;
use crate::image::tag::Tag;
use crate::inputs::Inputs;
use crate::plan::Plan;
use crate::vars::Vars;
use testkit::{corpus, proof, proof::Proof};

/// The grammar of the OCI distribution specification.
fn is_valid(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let rest = |byte: u8| word(byte) || byte == b'.' || byte == b'-';
    let first = tag.bytes().next();
    first.is_some_and(word) && tag.bytes().all(rest) && tag.len() <= 128
}

fn any_text() -> impl Strategy<Value = String> {
    let bytes = vec(any::<u8>(), 0..300);
    prop_oneof![
        bytes.prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        "[-._/A-Za-z0-9+@#é日]{0,200}",
    ]
}

/// Names `git check-ref-format` takes, under every namespace that starts a workflow.
fn git_ref() -> impl Strategy<Value = String> {
    let component =
        "[^\\x00-\\x20\\x7f~^:?*\\[\\\\/.@]{1,20}(\\.[^\\x00-\\x20\\x7f~^:?*\\[\\\\/.@]{1,9})?";
    let name = vec(component, 1..8).prop_map(|parts| parts.join("/"));
    let legal = name.prop_filter("a component may not end in .lock", |name| {
        !name.contains(".lock")
    });
    let namespace = prop_oneof![
        Just("refs/heads/"),
        Just("refs/tags/"),
        Just("refs/pull/"),
        Just("refs/heads/gh-readonly-queue/"),
        Just("refs/notes/"),
    ];
    (namespace, legal).prop_map(|(namespace, name)| format!("{namespace}{name}"))
}

/// A flavor with any text before each tag.
fn affix() -> impl Strategy<Value = String> {
    let unusual = ['\n', '\r', ',', '"', '{'];
    any_text().prop_map(move |text| format!("latest=true,prefix={}", text.replace(unusual, "")))
}

/// Texts near the language of rules: its words, in any order, with noise between them.
fn near_rules() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        6 => select(WORDS).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
    ];
    vec(word, 0..12).prop_map(|words| words.concat())
}

const WORDS: &[&str] = &[
    "\n",
    "\n",
    "\n",
    ",",
    ",",
    "=",
    "type=semver,pattern={{version}}",
    "type=",
    "schedule",
    "semver",
    "pep440",
    "match",
    "edge",
    "ref",
    "raw",
    "sha",
    "type=ref,event=tag",
    "event=branch",
    "event=pr",
    "pattern={{major}}",
    "{{raw}}",
    "pattern=",
    "(.*)",
    "/v(\\d)/i",
    "group=1",
    "value={{branch}}",
    "value=",
    "{{",
    "}}",
    "{{{",
    "{{sha}}",
    "{{date 'YYYYMMDD'}}",
    "{{commit_date '[w]Wo LT\\Z' tz='Asia/Tokyo'}}",
    "tz='x'",
    "\"",
    "\"\"",
    "'",
    "\\",
    "#",
    " ",
    "priority=1e400",
    "priority=-1",
    "enable=false",
    "enable={{is_default_branch}}",
    "enable=",
    "prefix=",
    "suffix=-é",
    "latest=true",
    "latest=false",
    "onlatest=true",
    "name=ghcr.io/a/b",
    "ghcr.io/a/B",
    "1.2.3",
    "v",
    "1!2.0rc1+x.1",
    "match=v(.*)",
    "format=long",
    "branch=main",
];

fn vars(git_ref: &str, event: &str, inputs: &[(&str, &str)]) -> Vars {
    let env = [
        ("GITHUB_REPOSITORY", "Acme/Widget"),
        ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
        ("GITHUB_EVENT_NAME", event),
        ("GITHUB_REF", git_ref),
    ];
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let variables = env.iter().chain(inputs).map(owned);
    Vars::new(variables, PathBuf::from("/nowhere"))
}

fn plan(vars: &Vars) -> anyhow::Result<Plan> {
    let now = DateTime::<Utc>::from_timestamp_nanos(1_795_181_400_000_000_000);
    let inputs = Inputs::from_vars(vars, &[])?;
    let context = Context::from_vars(vars)?;
    Ok(Plan::new(&inputs, &context, |_| false, now)?)
}

fn shown(plan: &anyhow::Result<Plan>) -> String {
    match plan {
        Ok(plan) => format!("{plan:?}"),
        Err(error) => Explanation::of(error).to_string(),
    }
}

fn every_tag_is_valid(plan: &Plan) -> Result<(), TestCaseError> {
    let tags = plan.tags.iter().map(|planned| &planned.tag);
    for tag in tags.chain(&plan.tag_names).chain([&plan.primary]) {
        prop_assert!(is_valid(tag.as_str()), "`{tag}` is not a valid tag");
        let again = Tag::sanitized(tag.as_str());
        prop_assert_eq!(again.as_ref(), Some(tag));
    }
    Ok(())
}

fn every_name_is_valid(plan: &Plan) -> Result<(), TestCaseError> {
    for image in &plan.images {
        let path = image.repository();
        let is_part = |part: &str| {
            let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            let other = |c: char| matches!(c, '.' | '_' | '-');
            part.starts_with(word)
                && part.ends_with(word)
                && part.chars().all(|c| word(c) || other(c))
        };
        prop_assert!(
            path.len() <= 255 && path.split('/').all(is_part),
            "`{path}` is no name"
        );
    }
    every_tag_is_valid(plan)
}

#[test]
fn any_text_gives_no_tag_or_a_valid_one() {
    let mut proof = Proof::of("tags: any text gives a valid one or none");
    proof.property(proof::cases(), &any_text(), |text| {
        if let Some(tag) = Tag::sanitized(&text) {
            prop_assert!(is_valid(tag.as_str()));
            prop_assert_eq!(Tag::sanitized(tag.as_str()), Some(tag));
        }
        Ok(())
    });
    for text in corpus::texts() {
        let tag = Tag::sanitized(&text);
        proof.case(match tag {
            Some(tag) if !is_valid(tag.as_str()) => Err(format!("`{tag}`")),
            _ => Ok(()),
        });
    }
    proof.end();
}

#[test]
fn any_git_ref_gives_valid_tags() {
    let events = select(vec!["push", "schedule", "create"]);
    let flavors = prop_oneof![Just(String::new()), affix()];
    let mut proof = Proof::of("tags: any git ref, any flavor");
    proof.property(
        proof::cases(),
        &(git_ref(), events, flavors),
        |(git_ref, event, flavor)| {
            let vars = vars(&git_ref, event, &[("INPUT_FLAVOR", &flavor)]);
            every_name_is_valid(&plan(&vars).unwrap())
        },
    );
    for (name, namespace) in refs_everywhere() {
        let git_ref = format!("{namespace}{name}");
        let outcome = plan(&vars(&git_ref, "push", &[("INPUT_TAGS", EVERY_RULE)]));
        let outcome = outcome.map_err(|error| format!("{git_ref}: {error:#}"));
        proof.case(outcome.and_then(|plan| {
            let valid = every_name_is_valid(&plan);
            valid.map_err(|error| format!("{git_ref}: {error}"))
        }));
    }
    proof.end();
}

/// A rule of each kind, so that a name meets them all.
const EVERY_RULE: &str = "type=ref,event=branch\ntype=ref,event=tag\ntype=ref,event=pr\ntype=semver,pattern={{version}}\n\
    type=pep440,pattern={{version}}\ntype=match,pattern=(.*)\ntype=raw,value={{branch}}-{{tag}}\ntype=sha\ntype=edge\ntype=schedule";

fn refs_everywhere() -> impl Iterator<Item = (&'static str, &'static str)> {
    let namespaces = ["refs/heads/", "refs/tags/", "refs/pull/", "refs/notes/", ""];
    let everywhere = move |name| namespaces.map(|namespace| (name, namespace));
    let refs = corpus::refs().into_iter().flat_map(everywhere);
    refs.filter(|(name, namespace)| !name.is_empty() || !namespace.is_empty())
}

#[test]
fn no_input_panics_and_equal_inputs_give_equal_plans() {
    let inputs = select(vec![
        "TAGS",
        "TAGS",
        "FLAVOR",
        "IMAGES",
        "LABELS",
        "ANNOTATIONS",
    ]);
    let mut proof = Proof::of("names and tags: any text as rules, images, flavor, labels");
    proof.property(
        proof::cases(),
        &(git_ref(), inputs, near_rules()),
        |(git_ref, input, text)| equal_plans(&git_ref, input, &text),
    );
    for text in corpus::texts()
        .iter()
        .map(String::as_str)
        .chain(corpus::refs())
    {
        for input in ["TAGS", "FLAVOR", "IMAGES", "LABELS", "ANNOTATIONS"] {
            let outcome = equal_plans("refs/heads/main", input, text);
            proof.case(outcome.map_err(|error| format!("{input} {text:?}: {error}")));
        }
    }
    proof.end();
}

fn equal_plans(git_ref: &str, input: &str, text: &str) -> Result<(), TestCaseError> {
    let vars = vars(git_ref, "push", &[(&format!("INPUT_{input}"), text)]);
    let (one, other) = (plan(&vars), plan(&vars));
    prop_assert_eq!(shown(&one), shown(&other));
    one.map_or(Ok(()), |plan| every_name_is_valid(&plan))
}
