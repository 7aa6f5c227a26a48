//! The memory of a program and of the programs that it has started, as `/proc` shows it.

use std::fs;
use std::path::PathBuf;

/// The sum of the largest resident sets so far (`VmHWM`) of the processes of the tree that exist now, in bytes.
///
/// A copy of its parent that has not started its own program yet shares the memory of the parent, and is not counted.
pub(crate) fn of_tree(process: u32) -> u64 {
    let own = high_water(process).unwrap_or(0);
    let program = program(process);
    let started = children(process).into_iter();
    let started = started.filter(|child| self::program(*child) != program);
    own + started.map(of_tree).sum::<u64>()
}

fn program(process: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{process}/exe")).ok()
}

/// <https://man7.org/linux/man-pages/man5/proc_tid_children.5.html>: each thread has a list of its own.
fn children(process: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else {
        return Vec::new();
    };
    let lists = threads
        .flatten()
        .map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    let numbers = |list: String| -> Vec<u32> {
        let words = list.split_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    };
    lists.flat_map(numbers).collect()
}

fn high_water(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}
