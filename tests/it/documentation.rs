//! What the documentation tells people to do works: its links lead somewhere, its commands run, and the program
//! takes the inputs of its workflows. testbed/lint-workflows checks everything else about those.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::publication::PUSHED;
use crate::publication::registry_with_image;
use crate::support::{Action, TOKEN};

/// The documents that people read.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/modes.md",
    "docs/recipes.md",
    "docs/reference.md",
    "docs/registries.md",
    "docs/troubleshooting.md",
];

/// The text between `](` and `)`, outside of code blocks.
fn links(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    prose
        .flat_map(|part| part.split("](").skip(1))
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.contains("://"))
        .collect()
}

/// The anchors GitHub gives to the headings of a document.
fn anchors(text: &str) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).collect();
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut followed = 0;
    for document in DOCUMENTS {
        let path = root.join(document);
        let text = fs::read_to_string(&path).unwrap();
        for link in links(&text) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target: PathBuf = match file {
                "" => path.clone(),
                _ => path.parent().unwrap().join(file),
            };
            assert!(target.exists(), "{document}: nothing is at `{link}`");
            if !anchor.is_empty() {
                let there = anchors(&fs::read_to_string(&target).unwrap());
                let is_there = there.iter().any(|known| known == anchor);
                assert!(is_there, "{document}: `{link}` is none of {there:?}");
            }
            followed += 1;
        }
    }
    assert!(followed > 50, "only {followed} links were found");
}

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The code blocks of a document in a language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let blocks = text.split("```").skip(1).step_by(2);
    blocks
        .filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'))
        .collect()
}

#[test]
fn every_command_of_the_program_runs() {
    let mut count = 0;
    for name in ["README.md", "docs/modes.md", "docs/reference.md"] {
        let text = document(name);
        let lines = blocks(&text, "sh").into_iter().flat_map(str::lines);
        for line in lines.filter_map(|line| line.strip_prefix("ghcr-publish ")) {
            let (double, digest) = registry_with_image(PUSHED);
            let image = format!("{}/acme/widget:{PUSHED}", double.host());
            let words = line.split_whitespace();
            let words = words.take_while(|word| !["#", "|"].contains(word));
            let arguments: Vec<&str> = words
                .map(|word| match word.starts_with("ghcr.io/") {
                    true => image.as_str(),
                    false => word,
                })
                .collect();
            let run = Action::new()
                .event("push_tag")
                .buildx_pushes(&digest)
                .env("GITHUB_API_URL", double.api_url())
                .input("github-token", TOKEN)
                .input("registry", double.host())
                .without("GITHUB_ACTIONS")
                .arguments(&arguments)
                .run();
            // The image has no attestation.
            let is_as_expected = match arguments.first() {
                Some(&"verify") => run.stderr.contains("does not say which repository"),
                _ => run.succeeded,
            };
            assert!(is_as_expected, "{line}: {}{}", run.stdout, run.stderr);
            count += 1;
        }
    }
    assert!(count >= 6, "only {count} commands were found");
}

/// Without the name of the package, `cargo install --git` stops: several packages of the repository have programs.
#[test]
fn installation_by_cargo_names_the_package() {
    for name in ["README.md", "docs/reference.md"] {
        let text = document(name);
        let mut commands = text
            .split('`')
            .filter(|code| code.starts_with("cargo install "));
        let words: Vec<&str> = commands.next().unwrap().split_whitespace().collect();
        assert_eq!(words.last(), Some(&env!("CARGO_PKG_NAME")), "{name}");
        assert!(commands.next().is_none(), "{name}");
    }
}

/// The `with:` of every step that uses this action, at any depth.
fn own_steps<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    let is_ours = value["uses"]
        .as_str()
        .is_some_and(|uses| uses.contains("ghcr-publish@"));
    match value {
        Value::Object(entries) if is_ours => found.extend(entries.get("with")),
        Value::Object(entries) => entries.values().for_each(|entry| own_steps(entry, found)),
        Value::Array(entries) => entries.iter().for_each(|entry| own_steps(entry, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A value as the runner passes it: each expression is replaced by text.
fn evaluated(value: &str) -> String {
    let mut parts = value.split("${{");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (expression, rest) = part.split_once("}}").unwrap();
        text += match expression.trim() {
            "github.repository" => "acme/Widget",
            "vars.COMPANY_CA" => "",
            _ => "evaluated",
        };
        text += rest;
    }
    text
}

#[test]
fn every_input_of_the_workflows_is_taken() {
    let mut count = 0;
    for name in DOCUMENTS {
        let text = document(name);
        for block in blocks(&text, "yaml") {
            let Ok(workflow) = serde_saphyr::from_str::<Value>(block) else {
                panic!("{name}: {block}");
            };
            let mut steps = Vec::new();
            match block.starts_with("    ") {
                // Inputs alone, at the place they have under `with:`.
                true => steps.push(&workflow),
                false => own_steps(&workflow, &mut steps),
            }
            for inputs in steps.iter().filter_map(|with| with.as_object()) {
                let action = Action::new()
                    .event("push_branch")
                    .arguments(&["plan"])
                    .input("job-status", "success")
                    .input("github-token", TOKEN);
                // A bare image name is one of the repository's on the older registry of an Enterprise Server.
                let action = if block.contains("older Docker registry") {
                    action
                        .env("GITHUB_SERVER_URL", "https://ghes.example")
                        .input("registry", "docker.ghes.example")
                } else {
                    action
                };
                let run = inputs.iter().fold(action, |action, (name, value)| {
                    let text = value.as_str().map_or_else(|| value.to_string(), evaluated);
                    action.input(name, &text)
                });
                let run = run.run();
                assert!(run.succeeded, "{block}{}{}", run.stdout, run.stderr);
                count += 1;
            }
        }
    }
    assert!(count >= 15, "only {count} steps were found");
}

/// The source of every file below `directory`, as one text.
fn sources(directory: &Path) -> String {
    let entries = fs::read_dir(directory).unwrap();
    let texts = entries.map(|entry| {
        let path = entry.unwrap().path();
        match path.extension().is_some_and(|extension| extension == "rs") {
            true => fs::read_to_string(&path).unwrap(),
            false if path.is_dir() => sources(&path),
            false => String::new(),
        }
    });
    texts.collect()
}

#[test]
fn every_test_that_security_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = sources(&root.join("src")) + &sources(&root.join("tests"));
    let text = document("SECURITY.md");
    let (_, section) = text.split_once("## Guarantees and their tests").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let tests = section
        .lines()
        .filter_map(|row| row.strip_suffix("` |")?.rsplit_once(" | `"))
        .flat_map(|(_, tests)| tests.split("`, `"));
    let (known, unknown): (Vec<&str>, Vec<&str>) =
        tests.partition(|test| sources.contains(&format!("fn {test}(")));
    assert_eq!(unknown, [""; 0]);
    assert!(known.len() > 30, "only {} tests were found", known.len());
}

#[test]
fn every_path_in_the_architecture_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = document("ARCHITECTURE.md");
    let prose: String = text.split("```").step_by(2).collect();
    let names = prose.split('`').skip(1).step_by(2);
    let mut count = 0;
    for path in names.filter(|name| name.contains('/') && !name.starts_with('/')) {
        let is_path = |c: char| c.is_ascii_alphanumeric() || "/_.-".contains(c);
        let first = path.split('/').next().unwrap();
        let is_module = root.join("src").join(first).exists();
        if !path.chars().all(is_path) || !(is_module || root.join(first).exists()) {
            continue;
        }
        let in_source = root.join("src").join(path);
        let exists = root.join(path).exists()
            || in_source.exists()
            || in_source.with_extension("rs").exists();
        assert!(
            exists,
            "ARCHITECTURE.md names `{path}`, which does not exist"
        );
        count += 1;
    }
    assert!(count >= 20, "only {count} paths were found");
}
