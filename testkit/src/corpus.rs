//! What attackers write and bad days bring: the files under `corpus`, each entry with why it is there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const REFS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/refs.txt"));
const TEXT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/text.jsonl"));
const PATHS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/paths.jsonl"));

const EVENTS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/events.jsonl"));
const FAULTS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/faults.jsonl"));

/// Names of branches and tags.
pub fn refs() -> Vec<&'static str> {
    let lines = REFS.lines().filter(|line| !line.starts_with("# "));
    let refs = lines.map(|line| line.split_once('\t').expect("a tab, then a reason").0);
    refs.collect()
}

/// Events: name, ref, payload, and what is to be decided.
pub fn events() -> Vec<Value> {
    entries(EVENTS)
}

/// What a registry answers that means no good: redirects and bodies.
pub fn faults() -> Vec<Value> {
    entries(FAULTS)
}

/// Free text, as bytes: titles, descriptions, labels, logs, Dockerfiles.
pub fn bytes() -> Vec<Vec<u8>> {
    let entries = entries(TEXT).into_iter();
    let bytes = entries.map(
        |entry| match (entry["text"].as_str(), entry["base64"].as_str()) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, encoded) => STANDARD
                .decode(encoded.expect("text or base64"))
                .expect("base64"),
        },
    );
    bytes.collect()
}

/// The same as far as it is text; what is not UTF-8 is replaced.
pub fn texts() -> Vec<String> {
    let bytes = bytes().into_iter();
    bytes
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

/// Paths; those that name a link or a pipe mean the fixture of `sources::properties`.
pub fn paths() -> Vec<String> {
    let entries = entries(PATHS).into_iter();
    entries
        .map(|entry| entry["text"].as_str().expect("a path").to_owned())
        .collect()
}

/// The lines of a JSON Lines file.
fn entries(lines: &str) -> Vec<Value> {
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_says_why_it_is_there_and_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for entry in [events(), faults(), entries(TEXT), entries(PATHS)].concat() {
            assert!(
                entry["because"]
                    .as_str()
                    .is_some_and(|because| !because.is_empty()),
                "{entry}"
            );
        }
        assert!(bytes().into_iter().all(|bytes| seen.insert(bytes)));
        assert_eq!(texts().len(), seen.len());
        let mut seen = std::collections::BTreeSet::new();
        assert!(refs().into_iter().all(|name| seen.insert(name)));
        let mut seen = std::collections::BTreeSet::new();
        assert!(paths().into_iter().all(|path| seen.insert(path)));
    }
}
