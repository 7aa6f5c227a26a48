//! `action.yml`, the code and the reference speak of the same inputs and outputs.

use std::fs;
use std::path::Path;

use expect_test::expect_file;
use serde_json::Value;

use crate::support::{Action, TOKEN};

pub(crate) fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The keys one level below `section` in `action.yml`.
fn declared(section: &str) -> Vec<String> {
    let text = read("action.yml");
    let body = text
        .lines()
        .skip_while(|line| *line != format!("{section}:"))
        .skip(1);
    let body = body.take_while(|line| line.is_empty() || line.starts_with(' '));
    let keys = body.filter(|line| {
        line.starts_with("  ") && !line.starts_with("   ") && !line.starts_with("  #")
    });
    keys.map(|line| line.trim().trim_end_matches(':').to_owned())
        .collect()
}

#[test]
fn action_yml_is_valid_yaml() {
    let action: Value = serde_saphyr::from_str(&read("action.yml")).unwrap();
    for section in ["inputs", "outputs"] {
        let entries = action[section].as_object().unwrap();
        assert_eq!(
            entries.keys().collect::<Vec<_>>(),
            declared(section).iter().collect::<Vec<_>>()
        );
        let described = |entry: &Value| entry["description"].is_string();
        assert!(entries.values().all(described), "{entries:?}");
        // The runner evaluates them, and refuses contexts that an action has not there.
        let is_plain = |entry: &Value| !entry["description"].as_str().unwrap().contains("${{");
        assert!(entries.values().all(is_plain), "{entries:?}");
    }
    // The runner starts the post step under this name: it must be in the image.
    let post = action["runs"]["post-entrypoint"].as_str().unwrap();
    assert!(read("Dockerfile").contains(&format!("ln -s ghcr-publish /image/own{post}")));
    // The program trusts this variable to say that a recent buildx is there.
    assert!(read("Dockerfile").contains("GHCR_PUBLISH_IMAGE=true"));
}

#[test]
fn every_declared_input_is_known() {
    let inputs = declared("inputs");
    assert!(inputs.contains(&"github-token".to_owned()), "{inputs:?}");
    let action = Action::new().event("push_tag").arguments(&["plan"]);
    let run = inputs
        .iter()
        .fold(action, |action, name| action.input(name, ""))
        .run();
    assert!(!run.stdout.contains("the unknown input"), "{}", run.stdout);
}

#[test]
fn every_declared_output_is_written() {
    let mut outputs = declared("outputs");
    outputs.sort();
    let run = Action::new()
        .event("push_tag")
        .input("github-token", TOKEN)
        .arguments(&["plan"])
        .run();
    assert_eq!(outputs, run.outputs.keys().cloned().collect::<Vec<_>>());
}

/// On a laptop nobody reads `action.yml`, so its defaults have to be the program's own.
#[test]
fn declared_defaults_change_nothing() {
    let plan = |defaults: &[(String, String)]| {
        let action = Action::new()
            .event("push_tag")
            .arguments(&["plan", "--json"]);
        let run = defaults
            .iter()
            .fold(action, |action, (name, value)| action.input(name, value))
            .run();
        assert!(run.succeeded, "{}", run.stderr);
        run.stdout
    };
    let action: Value = serde_saphyr::from_str(&read("action.yml")).unwrap();
    let entries = action["inputs"].as_object().unwrap().iter();
    let defaults: Vec<(String, String)> = entries
        .filter_map(|(name, entry)| Some((name.clone(), entry["default"].as_str()?.to_owned())))
        .filter(|(_, value)| !value.contains("${{"))
        .collect();
    assert!(defaults.len() > 10, "{defaults:?}");
    let decisive = [("push".to_owned(), "false".to_owned())];
    assert_ne!(plan(&decisive), plan(&[]), "an input changes the plan");
    assert_eq!(plan(&defaults), plan(&[]));
}

/// Where an input or output has more to say than its row.
const SECTIONS: &[(&str, &str)] = &[
    ("builder", "#builders"),
    ("cache", "#cache"),
    ("build-args", "#expressions-in-other-inputs"),
    ("target", "#expressions-in-other-inputs"),
    ("cache-from", "#expressions-in-other-inputs"),
    ("cache-to", "#expressions-in-other-inputs"),
    ("outputs", "#expressions-in-other-inputs"),
    ("comment", "recipes.md#comment-on-the-pull-request"),
    ("candidate", "#promoting-an-existing-image"),
    ("changes", "#what-changed"),
    ("compare-with", "#what-changed"),
    ("digest", "recipes.md#attest"),
    ("floating-tags", "#tags-only-move-forward"),
    ("fixed-tags", "#versions-are-written-once"),
    ("max-growth", "#what-changed"),
    ("push-timeout", "#retries-and-timeouts"),
    ("registry", "registries.md"),
    ("secrets", "#secrets"),
    ("tags", "#tags"),
];

/// A row of the reference, from the entry of `action.yml`: its `default:`, or the words after `Default:` where only
/// the program knows it.
fn row(section: &str, name: &str, entry: &Value) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let description = entry["description"].as_str().unwrap();
    let (meaning, own) = description
        .split_once(". Default: ")
        .unwrap_or((description, ""));
    let more = SECTIONS.iter().find(|(named, _)| *named == name);
    let more = more.map(|(_, place)| format!(" ([more]({place}))"));
    let meaning = cell(meaning) + &more.unwrap_or_default();
    if section == "outputs" {
        return format!("| `{name}` | {meaning} |\n");
    }
    let default = match entry["default"].as_str() {
        Some(default) => format!("`{default}`"),
        None => cell(own),
    };
    format!("| `{name}` | {default} | {meaning} |\n").replace("|  |", "| |")
}

fn table(section: &str) -> String {
    let action: Value = serde_saphyr::from_str(&read("action.yml")).unwrap();
    let entries = action[section].as_object().unwrap();
    let head = match section {
        "inputs" => "| Input | Default | Meaning |\n|---|---|---|\n",
        _ => "| Output | Value |\n|---|---|\n",
    };
    // In the order of the file, which is that of a run.
    let names = declared(section);
    let rows = names.iter().map(|name| row(section, name, &entries[name]));
    head.to_owned() + &rows.collect::<String>()
}

/// `document` with the text between the comments `name` and `/name` replaced by `text`.
pub(crate) fn with_part(document: &str, name: &str, text: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = document.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}{text}{end}{after}")
}

/// `action.yml` is the source: `UPDATE_EXPECT=1 cargo test --test it contract` writes the tables anew.
#[test]
fn the_reference_says_what_is_declared() {
    let reference = read("docs/reference.md");
    let reference = with_part(&reference, "inputs", &table("inputs"));
    let reference = with_part(&reference, "outputs", &table("outputs"));
    expect_file!["../../docs/reference.md"].assert_eq(&reference);
}

#[test]
fn every_known_input_is_declared() {
    let known = Action::new()
        .event("push_tag")
        .input("no-such-input-x", "1")
        .arguments(&["plan"])
        .run();
    known.assert_log("the unknown input `no-such-input-x` is ignored");
    let text = read("src/inputs/raw.rs");
    let list = text
        .split_once("INPUTS: &[(&str, Form, Subject)] = &[")
        .unwrap()
        .1
        .split_once(']')
        .unwrap()
        .0;
    let mut names: Vec<String> = list
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    let mut inputs = declared("inputs");
    names.sort();
    inputs.sort();
    assert_eq!(names, inputs);
}

/// What the peers can be asked, by their own `action.yml`.
const PEERS: &[(&str, &str)] = &[
    (
        "docker/build-push-action",
        "add-hosts allow annotations attests build-args build-contexts builder cache-from cache-to call cgroup-parent context file github-token labels load network no-cache no-cache-filters outputs platforms provenance pull push sbom secret-envs secret-files secrets shm-size ssh tags target ulimit",
    ),
    (
        "docker/setup-buildx-action",
        "append buildkitd-config buildkitd-config-inline buildkitd-flags cache-binary cleanup driver driver-opts endpoint keep-state name platforms use version",
    ),
    (
        "docker/setup-qemu-action",
        "cache-image image platforms reset",
    ),
    (
        "docker/login-action",
        "ecr logout password registry registry-auth scope username",
    ),
    (
        "docker/metadata-action",
        "annotations bake-target context flavor github-token images labels sep-annotations sep-labels sep-tags tags",
    ),
];

#[test]
fn every_input_of_dockers_actions_is_covered() {
    let reference = read("docs/reference.md");
    let table = reference.split_once("<!-- peer inputs -->\n").unwrap().1;
    let table = table.split_once("<!-- /peer inputs -->").unwrap().0;
    let rows: Vec<(String, &str)> = table
        .lines()
        .skip(2)
        .map(|row| row.trim_matches(['|', ' ']).rsplit_once(" | ").unwrap())
        .map(|(input, here)| (input.to_owned(), here))
        .collect();
    let listed: Vec<&str> = rows.iter().map(|(input, _)| input.as_str()).collect();
    let expected: Vec<String> = PEERS
        .iter()
        .flat_map(|(peer, inputs)| {
            inputs
                .split(' ')
                .map(move |input| format!("{peer} | `{input}`"))
        })
        .collect();
    assert_eq!(listed, expected);
    let inputs = declared("inputs");
    for (input, here) in rows {
        assert!(
            here.contains('`') || here.starts_with("not ") || here.starts_with("always"),
            "{input}"
        );
        for name in here
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| *name != "auto")
        {
            let is_known = inputs.iter().any(|input| input == name);
            assert!(
                is_known,
                "{input} is said to be `{name}`, and there is no such input"
            );
        }
    }
}
