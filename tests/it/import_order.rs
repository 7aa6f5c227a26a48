//! The order of the modules: ARCHITECTURE.md lists those of each crate from the ground up, and a module imports only what
//! is listed above it. A file and its child modules count as one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{Visit, visit_file};

/// A module: the names on the way from the root of the crate to it.
type Module = Vec<String>;

#[test]
fn a_module_imports_only_what_is_listed_above_it() {
    for (package, heading) in [(".", "### `src`"), ("ghcr-double", "### `ghcr-double`")] {
        let order = listed(heading);
        let sources = sources(package);
        let top: BTreeSet<&String> = sources.keys().filter_map(|module| module.first()).collect();
        let unlisted: Vec<_> = top.iter().filter(|name| !order.contains(**name)).collect();
        assert_eq!(
            unlisted, [&&""; 0],
            "not listed in ARCHITECTURE.md under {heading}"
        );
        assert_eq!(
            upward(&sources, &order),
            [""; 0],
            "imports that go up in {package}"
        );
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for package in [".", "ghcr-double", "testkit"] {
        assert_eq!(
            circles(imports(&sources(package))),
            Vec::<Module>::new(),
            "in {package}"
        );
    }
}

#[test]
fn no_module_is_a_file_of_another_directory() {
    for package in [".", "ghcr-double", "testkit"] {
        let named = sources(package)
            .into_values()
            .filter(|text| text.contains("#[path"));
        assert_eq!(named.count(), 0, "`#[path]` in {package}");
    }
}

#[test]
fn imports_are_found_everywhere_in_a_file() {
    let text = "use crate::{a::B, c}; fn f() -> crate::d::E { crate::g::h!(); super::i::j() } mod tests { use super::*; }";
    let found = paths(&["x".to_owned(), "y".to_owned()], text);
    let found: Vec<String> = found.iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["a::B", "c", "d::E", "g::h", "x::i::j", "x::y"]);
}

/// The modules in the block of code under a heading of ARCHITECTURE.md, from the ground up.
fn listed(heading: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, section) = text.split_once(heading).expect("the heading is there");
    let block = section
        .split("```")
        .nth(1)
        .expect("a block of code follows");
    let names = block
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

/// The text of each module of a package; the root and the program may import all others.
fn sources(package: &str) -> BTreeMap<Module, String> {
    let src = root().join(package).join("src");
    let mut sources = BTreeMap::new();
    let mut directories = vec![src.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let place = path.strip_prefix(&src).unwrap().with_extension("");
            let module: Module = place
                .iter()
                .map(|name| name.to_str().unwrap().to_owned())
                .collect();
            if !["lib", "main"].contains(&module[0].as_str()) {
                sources.insert(module, fs::read_to_string(path).unwrap());
            }
        }
    }
    sources
}

fn upward(sources: &BTreeMap<Module, String>, order: &[String]) -> Vec<String> {
    let place = |name: &String| order.iter().position(|listed| listed == name);
    let mut found = Vec::new();
    for (module, text) in sources {
        let up = paths(module, text).into_iter().filter(|path| {
            let target = path.first().map(place);
            target.is_none_or(|target| target.is_none() || target > place(&module[0]))
        });
        found.extend(up.map(|path| format!("{} -> {}", module.join("::"), path.join("::"))));
    }
    found
}

/// Which module imports which, without parents and children.
fn imports(sources: &BTreeMap<Module, String>) -> BTreeMap<&Module, BTreeSet<&Module>> {
    let imports = sources.iter().map(|(module, text)| {
        let targets = paths(module, text).into_iter().filter_map(|path| {
            let lengths = (1..=path.len()).rev();
            let target = lengths
                .filter_map(|length| sources.get_key_value(&path[..length]))
                .next();
            target
                .map(|(target, _)| target)
                .filter(|target| !target.starts_with(module) && !module.starts_with(target))
        });
        (module, targets.collect())
    });
    imports.collect()
}

/// What is left when modules that import nothing are taken away again and again.
fn circles(mut imports: BTreeMap<&Module, BTreeSet<&Module>>) -> Vec<Module> {
    loop {
        let leaves: BTreeSet<&Module> = imports
            .iter()
            .filter(|(_, targets)| targets.is_empty())
            .map(|(module, _)| *module)
            .collect();
        if leaves.is_empty() {
            return imports.into_keys().cloned().collect();
        }
        imports.retain(|module, _| !leaves.contains(module));
        imports
            .values_mut()
            .for_each(|targets| targets.retain(|target| !leaves.contains(target)));
    }
}

/// Every path of this crate that a module names, from the root of the crate; those of its unit tests too.
fn paths(module: &[String], text: &str) -> Vec<Module> {
    let mut found = Paths {
        module: module.to_vec(),
        found: Vec::new(),
    };
    visit_file(&mut found, &syn::parse_file(text).unwrap());
    found.found
}

struct Paths {
    module: Module,
    found: Vec<Module>,
}

impl Paths {
    /// Takes a path that begins with `crate` or `super`.
    fn take(&mut self, path: Vec<String>) {
        let parents = path.iter().take_while(|name| *name == "super").count();
        let start = match path[0].as_str() {
            "crate" => Vec::new(),
            "super" => self.module[..self.module.len() - parents].to_vec(),
            _ => return,
        };
        let rest = path
            .into_iter()
            .skip(parents.max(1))
            .filter(|name| name != "*" && name != "self");
        let path: Module = start.into_iter().chain(rest).collect();
        // `crate` alone is a visibility.
        if !path.is_empty() {
            self.found.push(path);
        }
    }

    fn take_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            syn::UseTree::Path(path) => self.take_tree(&with(path.ident.to_string()), &path.tree),
            syn::UseTree::Name(name) => self.take(with(name.ident.to_string())),
            syn::UseTree::Rename(rename) => self.take(with(rename.ident.to_string())),
            syn::UseTree::Glob(_) => self.take(with("*".to_owned())),
            syn::UseTree::Group(group) => group
                .items
                .iter()
                .for_each(|tree| self.take_tree(before, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        syn::visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.take_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.take(
            path.segments
                .iter()
                .map(|segment| segment.ident.to_string())
                .collect(),
        );
        syn::visit::visit_path(self, path);
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
