//! The arguments that reach the child: exactly the request, for any text in the inputs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::test_runner::TestCaseError;

use crate::buildx::command::arguments::context;
use crate::buildx::command::*;
use crate::context::Context;
use crate::context::event::Event;
use crate::inputs::Inputs;
use crate::inputs::spec::Spec;
use crate::plan::Plan;
use crate::plan::build::context_source::ContextSource;
use crate::vars::Vars;
use testkit::{corpus, proof, proof::Proof};

const TOKEN: &str = "ghs_canary.of-the-child";

/// Inputs whose text goes to the engine, with the text before the hostile part.
const INPUTS: &[(&str, &str)] = &[
    ("add-hosts", "a:"),
    ("allow", ""),
    ("annotations", "k="),
    ("attests", "type=sbom,generator="),
    ("build-args", "A="),
    ("build-contexts", "a="),
    ("build-contexts", ""),
    ("cache-from", ""),
    ("cache-from", "type=gha,scope="),
    ("cache-to", "type=registry,ref="),
    ("cgroup-parent", ""),
    ("context", ""),
    ("file", ""),
    ("images", ""),
    ("labels", "k="),
    ("labels", ""),
    ("network", ""),
    ("no-cache-filters", ""),
    ("outputs", "type=image,compression="),
    ("outputs", "type=local,dest="),
    ("outputs", ""),
    ("platforms", ""),
    ("secrets", "a="),
    ("secrets", ""),
    ("shm-size", ""),
    ("ssh", ""),
    ("tags", "type=raw,value="),
    ("target", ""),
    ("ulimit", ""),
];

/// The request an author's inputs come to, in a repository whose description says the same.
pub(crate) fn request(inputs: &[(&str, String)], description: &str) -> Option<BuildRequest> {
    let run = [
        ("GITHUB_REPOSITORY", "Acme/Widget"),
        ("GITHUB_REF", "refs/tags/v1"),
        ("GITHUB_SHA", "0123456789abcdef"),
        ("GITHUB_TOKEN", TOKEN),
    ];
    // No environment holds a zero byte, and a payload does.
    let with = inputs
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.replace('\0', "")));
    let with: Vec<(String, String)> = with.collect();
    let vars = Vars::of(&run);
    let inputs = Inputs::from_vars(&vars, &with).ok()?;
    let payload = serde_json::json!({"repository": {"name": "widget", "description": description}});
    let event = Event::from_payload(&payload);
    let context = Context {
        event,
        ..Context::from_vars(&vars).unwrap()
    };
    let plan = Plan::new(&inputs, &context, |_| true, chrono::DateTime::UNIX_EPOCH).ok()?;
    Some(plan.build)
}

fn arguments(request: &BuildRequest, settings: &Settings<'_>) -> Vec<String> {
    let secrets = request.parameters.secrets.iter().enumerate();
    let files = Files {
        metadata: PathBuf::from("/run/x/metadata.json"),
        secrets: secrets
            .map(|(at, secret)| {
                (
                    secret.id.clone(),
                    PathBuf::from(format!("/run/x/secret-{at}")),
                )
            })
            .collect(),
        layout: None,
    };
    build_arguments(request, &files, settings)
}

/// The values of each flag, read back from the arguments as buildx's parser of flags reads them.
fn flags(arguments: &[String]) -> Result<BTreeMap<String, Vec<String>>, String> {
    let mut flags: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for argument in arguments {
        let flag = argument
            .strip_prefix("--")
            .ok_or(format!("`{argument}` is no flag"))?;
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        flags
            .entry(name.to_owned())
            .or_default()
            .push(value.to_owned());
    }
    Ok(flags)
}

/// The fields of a value that buildx reads as CSV; an error when it would see more than one line.
fn fields(value: &str) -> Result<Vec<String>, String> {
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(value.as_bytes());
    let records: Vec<_> = reader.records().collect();
    match records.as_slice() {
        [Ok(record)] => Ok(record.iter().map(str::to_owned).collect()),
        other => Err(format!("{} lines in {value:?}", other.len())),
    }
}

fn spec_fields(spec: &Spec) -> Vec<String> {
    let attributes = spec.attributes().iter();
    let attributes = attributes.map(|(key, value)| format!("{key}={value}"));
    [format!("type={}", spec.kind())]
        .into_iter()
        .chain(attributes)
        .collect()
}

/// Every part of the request is one argument, and there is no other argument.
fn says_exactly(request: &BuildRequest, settings: &Settings<'_>) -> Result<(), String> {
    let arguments = arguments(request, settings);
    if let Some(argument) = arguments.iter().find(|argument| argument.contains('\0')) {
        return Err(format!("no program takes {argument:?}"));
    }
    let [build, progress, inner @ .., dashes, last] = arguments.as_slice() else {
        return Err(format!("{arguments:?}"));
    };
    let fixed = (build.as_str(), progress.as_str(), dashes.as_str());
    if fixed != ("build", "--progress=rawjson", "--") || *last != context(&request.context) {
        return Err(format!("{arguments:?}"));
    }
    let mut flags = flags(inner)?;
    let mut same = |name: &str, expected: Vec<String>| match flags.remove(name).unwrap_or_default()
    {
        found if found == expected => Ok(()),
        found => Err(format!("--{name}: {found:?} instead of {expected:?}")),
    };
    let pairs = |pairs: &[(String, String)]| {
        pairs
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect()
    };
    let sandbox = &request.parameters.sandbox;
    let switch = |is_on: bool| {
        if is_on {
            vec![String::new()]
        } else {
            Vec::new()
        }
    };
    let file = match (&request.context, &request.parameters.file) {
        (ContextSource::Directory(_), _) => Some(request.dockerfile()),
        (_, file) => file.clone(),
    };
    let contexts = request.contexts.iter();
    let contexts = contexts
        .map(|(name, place)| format!("{name}={}", context(place)))
        .collect();
    same("build-context", contexts)?;
    same("file", file.into_iter().collect())?;
    same(
        "target",
        request.parameters.target.iter().cloned().collect(),
    )?;
    same("platform", request.parameters.platforms.clone())?;
    same("build-arg", pairs(&request.parameters.build_args))?;
    same(
        "no-cache-filter",
        request.parameters.no_cache_filters.clone(),
    )?;
    same("no-cache", switch(request.parameters.no_cache))?;
    same("pull", switch(request.parameters.pull))?;
    same("label", pairs(&request.labels))?;
    same("annotation", request.annotations.clone())?;
    let tags = request.names.iter().map(ToString::to_string);
    let by_digest = settings.naming == Naming::Digest;
    same("tag", tags.filter(|_| !by_digest).collect())?;
    same(
        "builder",
        settings.builder.map(str::to_owned).into_iter().collect(),
    )?;
    same("network", sandbox.network.iter().cloned().collect())?;
    same("allow", sandbox.allow.clone())?;
    same("ssh", sandbox.ssh.clone())?;
    same("shm-size", sandbox.shm_size.iter().cloned().collect())?;
    same("ulimit", sandbox.ulimits.clone())?;
    same(
        "cgroup-parent",
        sandbox.cgroup_parent.iter().cloned().collect(),
    )?;
    same("metadata-file", vec!["/run/x/metadata.json".to_owned()])?;
    let mut same_fields = |name: &str, expected: Vec<Vec<String>>| {
        let found = flags.remove(name).unwrap_or_default();
        let found: Vec<_> = found
            .iter()
            .map(|value| fields(value))
            .collect::<Result<_, _>>()?;
        (found == expected)
            .then_some(())
            .ok_or(format!("--{name}: {found:?} instead of {expected:?}"))
    };
    let specs = |specs: &[Spec]| specs.iter().map(spec_fields).collect();
    let mut names: Vec<String> = request
        .names
        .iter()
        .map(|name| name.name.to_string())
        .collect();
    names.sort();
    names.dedup();
    let mut outputs: Vec<Vec<String>> = specs(&request.outputs);
    for fields in outputs
        .iter_mut()
        .filter(|fields| by_digest && fields[0] == "type=image")
    {
        fields.push(format!("name={}", names.join(",")));
        fields.extend([
            "push-by-digest=true".to_owned(),
            "name-canonical=true".to_owned(),
        ]);
    }
    same_fields("output", outputs)?;
    same_fields("cache-from", specs(&request.cache_from))?;
    same_fields("cache-to", specs(&request.cache_to))?;
    same_fields("attest", specs(&request.attestations))?;
    same_fields(
        "add-host",
        sandbox
            .add_hosts
            .iter()
            .map(|host| vec![host.clone()])
            .collect(),
    )?;
    let secrets = request.parameters.secrets.iter().enumerate();
    let secrets = secrets.map(|(at, secret)| {
        vec![
            format!("id={}", secret.id),
            format!("src=/run/x/secret-{at}"),
        ]
    });
    same_fields("secret", secrets.collect())?;
    if flags.is_empty() {
        Ok(())
    } else {
        Err(format!("nobody asked for {flags:?}"))
    }
}

/// Everything else of an image that is pushed is ours to say.
fn has_one_image(request: &BuildRequest) -> Result<(), String> {
    let images: Vec<_> = request
        .outputs
        .iter()
        .filter(|output| output.kind() == "image")
        .collect();
    let named = images.iter().any(|image| image.get("name").is_some());
    (images.len() <= 1 && !named)
        .then_some(())
        .ok_or(format!("{images:?}"))
}

fn tried(inputs: &[(&str, String)], description: &str) -> Result<(), String> {
    let Some(request) = request(inputs, description) else {
        return Ok(());
    };
    has_one_image(&request)?;
    for (builder, naming) in [(None, Naming::Tag), (Some("own"), Naming::Digest)] {
        let settings = Settings {
            builder,
            store: ImageDestination::Engine,
            naming,
            is_policy_strict: false,
        };
        says_exactly(&request, &settings)?;
        let all = arguments(&request, &settings).join("\n");
        if all.contains(TOKEN) {
            return Err("the token is an argument".to_owned());
        }
    }
    Ok(())
}

fn hostile_text() -> impl Strategy<Value = String> {
    let words = vec![
        "--load",
        "--",
        "-",
        ",",
        "=",
        "\"",
        "\"\"",
        "\n",
        "\r",
        "push=true",
        "name=ghcr.io/evil/x",
        "type=image",
        "dest=",
        "src=",
        "a",
        " ",
        ":",
        "/",
        "..",
        "\0",
        "#",
    ];
    let near = vec(select(words), 0..8).prop_map(|words| words.concat());
    prop_oneof![2 => near, 1 => any::<String>(), 1 => select(corpus::texts())]
}

#[test]
fn the_arguments_are_exactly_the_request() {
    let mut proof = Proof::of("child: its arguments are exactly the request");
    let inputs = vec((select(INPUTS), hostile_text()), 1..4);
    proof.property(
        2 * proof::cases(),
        &(inputs, hostile_text()),
        |(inputs, description)| {
            let inputs: Vec<(&str, String)> = inputs
                .into_iter()
                .map(|((name, before), text)| (name, format!("{before}{text}")))
                .collect();
            tried(&inputs, &description).map_err(TestCaseError::fail)
        },
    );
    for text in corpus::texts()
        .iter()
        .map(String::as_str)
        .chain(corpus::refs())
    {
        for (name, before) in INPUTS {
            let outcome = tried(&[(name, format!("{before}{text}"))], text);
            proof.case(outcome.map_err(|error| format!("{name}: {error}")));
        }
    }
    proof.end();
}
