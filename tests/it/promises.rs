//! SECURITY.md names tests that exist.

use std::fs;
use std::path::Path;

/// The text of every Rust file below a folder.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let texts = entries.map(|path| match path.extension() {
        _ if path.is_dir() => sources(&path),
        Some(ending) if ending == "rs" => fs::read_to_string(&path).unwrap(),
        _ => String::new(),
    });
    texts.collect()
}

#[test]
fn every_promise_names_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let code: String = ["src", "tests"]
        .map(|folder| sources(&root.join(folder)))
        .concat();
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let promises = text
        .split("| Promise | Shown by |")
        .nth(1)
        .expect("the table stands there");
    let rows = promises
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let mut named = 0;
    for row in rows {
        let tests = row.rsplit('|').nth(1).unwrap();
        for test in tests.split('`').skip(1).step_by(2) {
            assert!(
                code.contains(&format!("#[test]\nfn {test}()"))
                    || code.contains(&format!("#[test]\n    fn {test}()")),
                "{test} is no test"
            );
            named += 1;
        }
    }
    assert!(named > 20, "only {named} tests are named");
}
