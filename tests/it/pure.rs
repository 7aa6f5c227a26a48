//! `image`, `plan` and the language of tags are functions of their arguments: their source names nothing that spawns, waits, reads or prints.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What the source of `plan` may name of the standard library, of the dependencies and of this crate. A clock, a
/// thread, a process, a file or a socket is in none of them.
const STANDARD: &[&str] = &[
    "cmp",
    "collections",
    "fmt",
    "iter",
    "mem",
    "ops",
    "path",
    "str",
];
/// Values of other parts of the standard library: the processor that the program was built for, a value that is made
/// once, and a span of time.
const VALUES: &[&str] = &["env::consts::", "sync::LazyLock", "time::Duration"];
/// The one kind of static: an expression that is compiled when it is first needed.
const EXPRESSION: &str = ": LazyLock<Regex> =";
const DEPENDENCIES: &[&str] = &[
    "anyhow",
    "chrono",
    "fancy_regex",
    "jiff",
    "pep440_rs",
    "regex",
    "semver",
    "serde",
    "serde_json",
    "sha2",
    "strsim",
];
const OWN: &[&str] = &["context", "error", "image", "inputs", "plan"];
const KEYWORDS: &[&str] = &["async", "await", "static", "unsafe", "extern"];
const MACROS: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

/// The dependencies as a source names them.
fn dependencies() -> BTreeSet<String> {
    let manifest = include_str!("../../Cargo.toml");
    let (_, rest) = manifest.split_once("\n[dependencies]\n").unwrap();
    let (section, _) = rest.split_once("\n[").unwrap();
    let names = section.lines().filter_map(|line| line.split_once(" = "));
    names.map(|(name, _)| name.replace('-', "_")).collect()
}

/// What `source` names beyond what it may.
fn beyond(source: &str, dependencies: &BTreeSet<String>) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_:!'".contains(c);
    let code = source.lines().map(|line| line.split("//").next().unwrap());
    let code = code.filter(|line| !line.contains(EXPRESSION));
    let words = code.flat_map(|line| line.split(|c| !is_part(c)));
    let is_beyond = |word: &&str| {
        let Some((root, rest)) = word.split_once("::") else {
            let is_macro = |name| *word == format!("{name}!");
            return KEYWORDS.contains(word) || MACROS.iter().any(is_macro);
        };
        let next = rest.split("::").next().unwrap();
        match root {
            "std" => {
                !STANDARD.contains(&next) && !VALUES.iter().any(|value| rest.starts_with(value))
            }
            "crate" => !OWN.contains(&next),
            "core" | "alloc" => true,
            _ => dependencies.contains(root) && !DEPENDENCIES.contains(&root),
        }
    };
    words.filter(is_beyond).map(str::to_owned).collect()
}

/// The source without the tests at its end, and the modules that are for tests only.
fn without_tests(source: &str) -> (&str, Vec<&str>) {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let modules = code.split("#[cfg(test)]\nmod ").skip(1);
    let names = modules.map(|rest| rest.split(';').next().unwrap());
    (code, names.collect())
}

/// Calls `each` with the files of a module and of those below it, but for tests.
fn visit(file: &Path, each: &mut impl FnMut(&Path, &str)) {
    let source = fs::read_to_string(file).unwrap();
    let (code, for_tests) = without_tests(&source);
    each(file, code);
    let modules = code.lines().filter_map(|line| {
        let line = line
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub(super) ");
        line.strip_prefix("mod ")?.strip_suffix(';')
    });
    for module in modules.filter(|module| !for_tests.contains(module)) {
        visit(&file.with_extension("").join(format!("{module}.rs")), each);
    }
}

#[test]
fn plan_names_nothing_that_spawns_waits_reads_or_prints() {
    let dependencies = dependencies();
    assert!(dependencies.contains("tokio") && dependencies.contains("fancy_regex"));
    let mut files = Vec::<PathBuf>::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for root in ["image.rs", "inputs/tags.rs", "plan.rs"] {
        visit(&src.join(root), &mut |file, code| {
            let found = beyond(code, &dependencies);
            assert!(found.is_empty(), "{}: {found:?}", file.display());
            files.push(file.to_owned());
        });
    }
    assert!(
        files
            .iter()
            .any(|file| file.ends_with("inputs/tags/pattern.rs")),
        "{files:?}"
    );
}

#[test]
fn what_spawns_waits_reads_or_prints_is_found() {
    let dependencies = dependencies();
    for line in [
        "use std::thread;",
        "use std::{fmt, process};",
        "    std::time::Instant::now();",
        "use tokio::time::sleep;",
        "use crate::buildx::Engine;",
        "async fn wait() {",
        "static STATE: Mutex<u8> = Mutex::new(0);",
        "    println!(\"x\");",
    ] {
        assert_eq!(beyond(line, &dependencies).len(), 1, "{line}");
    }
    assert!(beyond("use std::fmt; // std::thread", &dependencies).is_empty());
}
