//! One table of what a run costs, beside the plain tools and, with `PEERS=`, the usual actions: medians of alternating
//! rounds in one run. Prints; asserts no time. `cargo bench -- plan` prints the rows whose name has that word.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement, printed for people"
)]

mod actions;
mod attested;
mod bare;
mod cleanup;
mod machine;
mod merge;
mod meter;
mod once;
mod ours;
mod plan;
mod promotion;
mod publish;
mod row;
mod runner;
mod sizes;
mod world;

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
    let world = World::start();
    println!("{}", include_str!("preface.md"));
    println!("{}\n", machine::described(&world));
    println!("{HEADING}");
    for group in groups().iter().filter(|group| wanted(group)) {
        for row in (group.measure)(&world) {
            println!("{row}");
        }
    }
    println!("\n{}", machine::load("at the end"));
}

fn groups() -> Vec<Group> {
    [
        publish::groups(),
        once::groups(),
        attested::groups(),
        plan::groups(),
        promotion::groups(),
        merge::groups(),
        cleanup::groups(),
        sizes::groups(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
