//! What a run costs, beside the plain tools and, with `PEERS=`, the usual actions: medians of alternating rounds in one
//! run. Writes the page `docs/measured.md`; asserts no time. `cargo bench -- plan` measures the rows whose name has that
//! word.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement, printed for people"
)]

mod actions;
mod attested;
mod bare;
mod checkout;
mod cleanup;
mod denial;
mod description;
mod figure;
mod growth;
mod image;
mod machine;
mod memory;
mod merge;
mod meter;
mod network;
mod once;
mod ours;
mod page;
mod picture;
mod plan;
mod price;
mod promotion;
mod publish;
mod readme;
mod row;
mod runner;
mod trial;
mod usual;
mod work;
mod world;

use std::path::Path;

use page::Page;
use row::{Group, HEADING};
use world::World;

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let wanted = |group: &Group| {
        words.is_empty() || words.iter().any(|word| group.name.contains(word.as_str()))
    };
    let warning = machine::warning().unwrap_or_default();
    let world = World::start();
    let start = machine::described(&world);
    println!("{warning}{start}\n\n{HEADING}");
    let mut rows = Vec::new();
    for group in groups().iter().filter(|group| wanted(group)) {
        for row in (group.measure)(&world) {
            println!("{row}");
            rows.push((group.section, row));
        }
    }
    let end = machine::load("at the end");
    let circumstances = format!("{warning}{start}\n{end}\n");
    let page = Page {
        circumstances,
        rows,
    };
    println!("{end}\n");
    let has_all_rows = words.is_empty() && world.has_peers();
    write(&page, has_all_rows && trial::rounds() >= trial::ROUNDS);
}

/// The documentation gets all rows, measured in enough rounds.
fn write(page: &Page, is_complete: bool) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = if is_complete {
        readme::update(&root.join("README.md"), &page.rows, &machine::date());
        root.join("docs")
    } else {
        Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned()
    };
    page.write(&directory);
    println!("written to {}", directory.display());
}

fn groups() -> Vec<Group> {
    [
        publish::groups(),
        price::groups(),
        once::groups(),
        attested::groups(),
        denial::groups(),
        plan::groups(),
        promotion::groups(),
        merge::groups(),
        cleanup::groups(),
        growth::groups(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
