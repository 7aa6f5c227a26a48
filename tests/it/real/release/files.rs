//! Files that one job of the release hands to the next.

use std::fs;

use super::failure_of;
use crate::real::world::{output_of, repository_file};
use crate::support::process;

#[test]
fn files_of_another_job_count_only_with_their_checksums() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join("out").join(name);
    fs::create_dir_all(file("assets")).unwrap();
    fs::write(file("action.yml"), "name: x\n").unwrap();
    fs::write(file("assets/program"), "one").unwrap();
    let checksums = |arguments: &[&str]| {
        let mut script = process("bash");
        script
            .arg(repository_file("release/checksums"))
            .args(arguments);
        script.current_dir(directory.path());
        script
    };
    let made = output_of(&mut checksums(&["out"]));
    assert_eq!(made.lines().count(), 2, "{made}");
    assert_eq!(output_of(&mut checksums(&["out", &made])), made);

    let refused = |what: &str| {
        let said = failure_of(&mut checksums(&["out", &made]));
        assert!(
            said.contains("does not hold the files that were made"),
            "{what}: {said}"
        );
    };
    fs::write(file("assets/program"), "two").unwrap();
    refused("a changed file");
    fs::write(file("assets/program"), "one").unwrap();
    fs::write(file("assets/another"), "").unwrap();
    refused("a file more");
    fs::remove_file(file("assets/another")).unwrap();
    fs::remove_file(file("action.yml")).unwrap();
    refused("a file less");
}
