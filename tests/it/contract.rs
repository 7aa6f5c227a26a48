//! `action.yml`, the code and the README speak of the same inputs and outputs.

use std::fs;
use std::path::Path;

use crate::support::{Action, TOKEN};

fn read(name: &str) -> String {
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
fn what_declares_the_action_is_yaml() {
    let action: serde_json::Value = serde_saphyr::from_str(&read("action.yml")).unwrap();
    for section in ["inputs", "outputs"] {
        let entries = action[section].as_object().unwrap();
        assert_eq!(
            entries.keys().collect::<Vec<_>>(),
            declared(section).iter().collect::<Vec<_>>()
        );
        let described = |entry: &serde_json::Value| entry["description"].is_string();
        assert!(entries.values().all(described), "{entries:?}");
    }
    // The runner starts the post step under this name: it must be in the image.
    let post = action["runs"]["post-entrypoint"].as_str().unwrap();
    assert!(read("Dockerfile").contains(&format!("ln -s ghcr-publish /image/own{post}")));
}

#[test]
fn every_declared_input_is_known_and_documented() {
    let inputs = declared("inputs");
    assert!(inputs.contains(&"github-token".to_owned()), "{inputs:?}");
    let action = Action::new().event("push_tag").arguments(&["plan"]);
    let run = inputs
        .iter()
        .fold(action, |action, name| action.input(name, ""))
        .run();
    assert!(!run.stdout.contains("there is no input"), "{}", run.stdout);
    let readme = read("README.md");
    for name in inputs {
        assert!(
            readme.contains(&format!("| `{name}` |")),
            "the README has no row for the input `{name}`"
        );
    }
}

#[test]
fn every_declared_output_is_written_and_documented() {
    let mut outputs = declared("outputs");
    outputs.sort();
    let run = Action::new()
        .event("push_tag")
        .input("github-token", TOKEN)
        .arguments(&["plan"])
        .run();
    assert_eq!(outputs, run.outputs.keys().cloned().collect::<Vec<_>>());
    let readme = read("README.md");
    for name in outputs {
        assert!(
            readme.contains(&format!("| `{name}` |")),
            "the README has no row for the output `{name}`"
        );
    }
}

#[test]
fn every_known_input_is_declared() {
    let known = Action::new()
        .event("push_tag")
        .input("no-such-input-x", "1")
        .arguments(&["plan"])
        .run();
    assert!(
        known.stdout.contains("there is no input `no-such-input-x`"),
        "{}",
        known.stdout
    );
    let text = read("src/inputs/names.rs");
    let list = text
        .split_once("NAMES: &[&str] = &[")
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
fn every_input_of_the_peers_has_its_place_here() {
    let readme = read("README.md");
    let table = readme.split_once("<!-- peer inputs -->\n").unwrap().1;
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
