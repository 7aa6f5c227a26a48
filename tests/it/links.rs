//! Every link of the documentation to a file of this repository leads somewhere, also to the heading it names.

use std::fs;
use std::path::{Path, PathBuf};

/// The documents that people read.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/recipes.md",
    "docs/reference.md",
    "docs/registries.md",
    "docs/troubleshooting.md",
];

/// What stands between `](` and `)`, outside of code blocks.
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
