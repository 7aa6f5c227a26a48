//! What a clean-up deletes and keeps: summary, outputs, log.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::cleanup::{Cleanup, Outcome, PackageCleanup, PlannedDeletion};
use crate::console::Console;
use crate::error::Explanation;
use crate::image::version::Version;
use crate::report::github_output;
use crate::report::markdown::{block, code, prose};
use crate::report::result::cleanup::CleanupResult;
use crate::vars::Vars;

/// In bytes; the runner drops a summary of more than 1 MiB, and this one has two parts.
const MAX_PART: usize = 400 * 1024;
/// Rows of the table of what remains.
const MAX_LARGEST: usize = 5;

/// Writes every deletion to the summary and the outputs.
///
/// # Errors
///
/// If one of them cannot be written: nothing may be deleted then.
pub(crate) fn announce(cleanup: &Cleanup, vars: &Vars) -> anyhow::Result<()> {
    if let Some(path) = vars.path("GITHUB_OUTPUT") {
        github_output::append(path, &CleanupResult::of(cleanup, true).outputs())?;
    }
    let parts = cleanup.packages.iter();
    let text: String = parts.map(|package| planned(package, cleanup)).collect();
    write_summary(cleanup, &text, vars)
}

/// Tells how the clean-up ended; `failures` gets what could not be written.
pub(crate) fn tell(
    cleanup: &Cleanup,
    failures: &mut Vec<anyhow::Error>,
    vars: &Vars,
    console: Console,
) -> CleanupResult {
    for package in &cleanup.packages {
        console.answer(&line(package, cleanup));
        if let Some(text) = left(package) {
            console.notice(&text);
        }
    }
    let result = CleanupResult::of(cleanup, cleanup.is_dry_run);
    let output = vars.path("GITHUB_OUTPUT");
    let output = output.map_or(Ok(()), |path| {
        github_output::append(path, &result.outputs())
    });
    let summary = write_summary(cleanup, &self::result(cleanup, failures), vars);
    failures.extend([output, summary].into_iter().filter_map(Result::err));
    result
}

fn write_summary(cleanup: &Cleanup, text: &str, vars: &Vars) -> anyhow::Result<()> {
    let path = vars.path("GITHUB_STEP_SUMMARY");
    let Some(path) = path.filter(|_| cleanup.summary) else {
        return Ok(());
    };
    let fix = "set `GITHUB_STEP_SUMMARY` to a writable file, or unset it";
    github_output::append_text(path, text, "the summary", fix)
}

/// One line for each package.
fn line(package: &PackageCleanup, cleanup: &Cleanup) -> String {
    let kept = package.kept.len();
    let name = &package.name;
    if cleanup.is_dry_run {
        let count = package.deletions.len();
        return format!("`{name}`: would delete {}, keeps {kept}", versions(count));
    }
    let count = |is_counted: fn(&Outcome) -> bool| {
        let outcomes = package.deletions.iter();
        let outcomes = outcomes.filter_map(|deletion| deletion.outcome.as_ref());
        outcomes.filter(|outcome| is_counted(outcome)).count()
    };
    let deleted = count(|outcome| matches!(outcome, Outcome::Deleted | Outcome::Gone));
    let kept = kept + count(|outcome| matches!(outcome, Outcome::Kept(_)));
    let retained = count(|outcome| matches!(outcome, Outcome::Retained(_)));
    let deleted = versions(deleted);
    format!("`{name}`: deleted {deleted}, kept {kept}, retained by GitHub {retained}")
}

/// What the next run is left with.
fn left(package: &PackageCleanup) -> Option<String> {
    let name = &package.name;
    let untried = package.deletions.iter();
    let untried = untried
        .filter(|deletion| deletion.outcome.is_none())
        .count();
    let all = versions(untried + package.later);
    match (&package.stopped, package.later) {
        (Some(reason), _) => Some(format!(
            "the clean-up of `{name}` stopped: {reason}; {all} are left for the next run"
        )),
        (None, 0) => None,
        (None, later) => Some(format!(
            "the clean-up of `{name}` has reached `cleanup-budget`; {} are left for the next run",
            versions(later)
        )),
    }
}

/// `1 version`, `2 versions`
fn versions(count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} version{plural}")
}

/// The deletions of a package, before they are made.
fn planned(package: &PackageCleanup, cleanup: &Cleanup) -> String {
    let (name, count) = (code(&package.name.to_string()), package.deletions.len());
    let all = package.deletions.len() + package.later + package.kept.len();
    let verb = match cleanup.is_dry_run {
        true => "Dry run: would delete",
        false => "Deleting",
    };
    let mut text = format!("### 🧹 {verb} {count} of {} of {name}\n\n", versions(all));
    if count == 0 {
        return text;
    }
    text += "| Version | Tags | Digest | Reason |\n|--:|---|---|---|\n";
    for deletion in &package.deletions {
        let row = row(deletion);
        if text.len() + row.len() > MAX_PART {
            text += "\n*The rest is omitted: the output `deleted` has all.*\n";
            break;
        }
        text += &row;
    }
    text + "\n"
}

fn row(deletion: &PlannedDeletion) -> String {
    let PlannedDeletion {
        version, reason, ..
    } = deletion;
    let tags: Vec<String> = version.tags.iter().map(|tag| code(tag)).collect();
    let (tags, digest) = (tags.join(" "), code(version.digest.as_str()));
    format!(
        "| {} | {tags} | {digest} | {} |\n",
        version.id,
        prose(reason)
    )
}

fn result(cleanup: &Cleanup, failures: &[anyhow::Error]) -> String {
    let mut text = String::new();
    for failure in failures {
        let failure = Explanation::of(failure).to_string();
        let _infallible = writeln!(
            text,
            "### ❌ The clean-up failed\n\n{}",
            block("", &failure)
        );
    }
    for package in &cleanup.packages {
        let _infallible = writeln!(text, "{}\n", prose(&line(package, cleanup)));
        if let Some(left) = left(package) {
            let _infallible = writeln!(text, "{}.\n", prose(&left));
        }
        text += &by_rule(package);
        text += &others(package);
        text += &counted(
            "Kept",
            package.kept.iter().map(|kept| kept.kind.clone()),
            usize::MAX,
        );
        let remaining = package
            .kept
            .iter()
            .filter_map(|kept| kept.version.tags.first());
        text += &counted(
            "Largest remaining",
            remaining.map(|tag| family(tag)),
            MAX_LARGEST,
        );
    }
    text
}

/// How many versions each rule deletes.
fn by_rule(package: &PackageCleanup) -> String {
    let deleted = package.deletions.iter().filter(|deletion| {
        matches!(
            deletion.outcome,
            None | Some(Outcome::Deleted | Outcome::Gone)
        )
    });
    counted(
        "Rule",
        deleted.map(|deletion| format!("`{}`", deletion.rule)),
        usize::MAX,
    )
}

/// The versions that were to be deleted and stay, or that have selected tags beside others.
fn others(package: &PackageCleanup) -> String {
    let mut rows = String::new();
    let mut add = |version: &Version, reason: &str| {
        let (id, name) = (version.id, prose(&version.name()));
        let _infallible = writeln!(rows, "| {id} | {name} | {} |", prose(reason));
    };
    for deletion in &package.deletions {
        match &deletion.outcome {
            Some(Outcome::Kept(reason) | Outcome::Retained(reason) | Outcome::Failed(reason)) => {
                add(&deletion.version, reason);
            }
            None | Some(Outcome::Deleted | Outcome::Gone) => {}
        }
    }
    for kept in &package.kept {
        if !kept.selected_tags.is_empty() {
            let tags = kept.selected_tags.join("`, `");
            let reason = format!(
                "rules select `{tags}`, but a version goes only with all of its tags: {}",
                kept.reason
            );
            add(&kept.version, &reason);
        }
    }
    let cut = rows.floor_char_boundary(MAX_PART / 4);
    match rows.is_empty() {
        true => rows,
        false => format!(
            "| Version | Image | Not deleted |\n|--:|---|---|\n{}\n",
            &rows[..cut]
        ),
    }
}

/// A table of how often each text occurs, the most frequent first.
fn counted(title: &str, texts: impl Iterator<Item = String>, rows: usize) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    texts.for_each(|text| *counts.entry(text).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    if counts.is_empty() {
        return String::new();
    }
    let mut table = format!("| {title} | Versions |\n|---|--:|\n");
    for (text, count) in counts.iter().take(rows) {
        let _infallible = writeln!(table, "| {} | {count} |", prose(text));
    }
    table + "\n"
}

/// Tags that differ in numbers only: `sha-*`, `pr-*`, `v*`.
fn family(tag: &str) -> String {
    let head = match tag.split_once('-') {
        Some((head, _)) if !head.starts_with(|first: char| first.is_ascii_digit()) => {
            format!("{head}-")
        }
        _ => tag
            .chars()
            .take_while(|char| !char.is_ascii_digit())
            .collect(),
    };
    match head.is_empty() {
        true => "versions such as `1.2.3`".to_owned(),
        false if head == tag => format!("`{tag}`"),
        false => format!("`{head}*`"),
    }
}
