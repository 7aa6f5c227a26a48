//! Markdown for the run page.

mod build;

use std::fmt::Write as _;

use crate::console::size;
use crate::image::digest::Digest;
use crate::image::name::ImageName;
use crate::image::tag::Tag;
use crate::inputs::staged::Staged;
use crate::plan::Plan;
use crate::publish::part::PartDone;
use crate::publish::{Published, Skipped};
use crate::registry::verify::PlatformImage;
use crate::report::markdown::{block, code, prose, without};
use crate::report::{Report, attestations, changes, tag_changes};

/// In bytes; the runner drops a summary of more than 1 MiB.
const MAX_SUMMARY: usize = 256 * 1024;
const MAX_FAILURE: usize = 32 * 1024;
/// Names in a headline.
const MAX_NAMED: usize = 3;
const CUT: &str = "*The rest is omitted: the summary is too long.*\n";

/// The summary of a run, in the order of the reader's questions: the result, the images, how to use them, where did
/// the time go.
pub(crate) fn markdown(report: &Report) -> String {
    let mut sections = vec![headline(report)];
    let published = report.done.published.iter();
    sections.extend(published.map(|published| image(published, report)));
    sections.extend(changes::markdown(report));
    if let Some(digest) = report.digest() {
        sections.push(if report.is_pushed() {
            usage(report, digest)
        } else {
            format!(
                "| | |\n|---|---|\n| Digest | {} |\n\n",
                code(digest.as_str())
            )
        });
    }
    sections.push(other_references(report));
    sections.push(origin(&report.done.published_from));
    sections.push(build::warnings(&report.done.record));
    sections.push(build::timeline(&report.done.record));
    let secrets = report
        .session
        .iter()
        .flat_map(|session| session.inputs.secrets());
    without(whole_sections(sections), secrets)
}

/// As many whole sections as fit.
fn whole_sections(sections: Vec<String>) -> String {
    let mut text = String::new();
    for section in sections {
        if text.len() + section.len() + CUT.len() > MAX_SUMMARY {
            return text + CUT;
        }
        text += &section;
    }
    text
}

fn headline(report: &Report) -> String {
    let missing = report.missing();
    let images = match report.plan() {
        _ if !missing.is_empty() => missing.clone(),
        Some(plan) => plan.images.iter().collect(),
        None => Vec::new(),
    };
    let (names, is, was) = match images.len() {
        0 | 1 => (list(&images), "is", "was"),
        _ => (list(&images), "are", "were"),
    };
    match (&report.failure, report.not_pushed()) {
        (Some(failure), _) => {
            let verdict = if report.is_pushed() && missing.is_empty() {
                format!("{is} pushed, but publishing did not finish")
            } else {
                format!("{was} not published")
            };
            let text = failure.to_string();
            let text = &text[..text.floor_char_boundary(MAX_FAILURE)];
            format!("### ❌ {names} {verdict}\n\n{}\n", block("", text))
        }
        (None, Some(reason)) => {
            let is_built = report.digest().is_some();
            let verdict = if report.plan().is_some_and(Plan::is_promotion) || !is_built {
                format!("⏸ {names} {is} not published")
            } else {
                format!("🔨 {names} {was} built, not pushed")
            };
            format!("### {verdict}\n\nReason: {}.\n\n", prose(reason))
        }
        (None, None) if let Some(part) = report.incomplete() => incomplete(&names, part, report),
        (None, None) if report.moves_later().is_some() => {
            format!("### 📦 {names} {is} pushed and verified, not tagged yet\n\n")
        }
        (None, None) if report.done.reused => {
            let text = "The version exists for this commit: nothing was built.";
            format!("### 📦 {names} {is} published already\n\n{text}\n\n")
        }
        (None, None) => format!("### 📦 {names} {is} published\n\n"),
    }
}

/// An image that got no tag, because the job `how`.
pub(crate) fn not_tagged(staged: &Staged, how: &str) -> String {
    let names: Vec<String> = staged.images.iter().map(|name| code(name)).collect();
    let tags: Vec<String> = staged.tags.iter().map(|tag| code(&tag.tag)).collect();
    format!(
        "### ⏸ {} built and verified, not tagged: the job {how}\n\n| | |\n|---|---|\n| Digest | {} |\n| Not moved | {} |\n\n",
        names.join(", "),
        code(staged.digest.as_str()),
        tags.join(" ")
    )
}

/// An image of which this job pushed a part.
fn incomplete(names: &str, part: &PartDone, report: &Report) -> String {
    let own = own_platforms(report);
    let digest = report.part_digest().map(Digest::as_str).unwrap_or_default();
    let (verdict, rest) = match part.is_of_other_job {
        true => (
            "the image is complete",
            "Another job of this run completed it.".to_owned(),
        ),
        false => (
            "the image is not complete",
            format!(
                "Missing: {}. The job that pushes the last part completes the image.",
                prose(&part.missing.join(", "))
            ),
        ),
    };
    let digest = code(digest);
    format!(
        "### 🧩 {names}: {own} pushed, {verdict}\n\n{rest}\n\n| | |\n|---|---|\n| Part | {digest} |\n\n"
    )
}

fn own_platforms(report: &Report) -> String {
    let plan = report.plan().and_then(|plan| plan.part.as_ref());
    plan.map(|part| prose(&part.own.join(", ")))
        .unwrap_or_default()
}

/// The names in a headline; too many of them are counted.
pub(super) fn list(images: &[&ImageName]) -> String {
    let names: Vec<String> = images.iter().map(|name| code(&name.to_string())).collect();
    match names.as_slice() {
        [] => "the image".to_owned(),
        [first @ .., last] if !first.is_empty() && names.len() <= MAX_NAMED => {
            format!("{} and {last}", first.join(", "))
        }
        [only] => only.clone(),
        _ => format!("{} images", names.len()),
    }
}

fn image(published: &Published, report: &Report) -> String {
    let Some(verified) = &published.verified else {
        return String::new();
    };
    let mut text = format!(
        "| | |\n|---|---|\n| Image | {} |\n| Digest | {} |\n| Tags | {} |\n",
        code(&published.name.to_string()),
        code(verified.manifest.digest.as_str()),
        changed_tags(published)
    );
    let planned = report.plan().into_iter().flat_map(|plan| &plan.tags);
    let is_skipped = |tag: &Tag| published.skipped.iter().any(|skipped| skipped.tag == *tag);
    let mut missing = planned
        .map(|planned| &planned.tag)
        .filter(|tag| !published.tags.contains(tag) && !is_skipped(tag))
        .peekable();
    if missing.peek().is_some() {
        let name = report
            .moves_later()
            .map_or("Not moved".to_owned(), |when| format!("Tags that {when}"));
        let _infallible = writeln!(text, "| {} | {} |", prose(&name), tags(missing));
    }
    text += &attestations::rows(published, report);
    text.push('\n');
    for skipped in &published.skipped {
        let tag = code(skipped.tag.as_str());
        let reason = prose(&skipped.reason);
        let place = tag_changes::place(skipped, code);
        let _infallible = writeln!(text, "Kept {tag} {place} because {reason}.\n");
    }
    text + &platforms(&verified.platforms)
}

/// References that no rule gives; a reader finds them in the registry.
fn other_references(report: &Report) -> String {
    let others = report.other_references();
    if others.is_empty() {
        return String::new();
    }
    let others: Vec<String> = others.iter().map(|reference| code(reference)).collect();
    format!("Also written: {}.\n\n", others.join(", "))
}

/// The tags that show the image, each with what became of it.
fn changed_tags(published: &Published) -> String {
    let tags = published.tags.iter().map(|tag| {
        let change = tag_changes::text(published, tag, code);
        let change = change.map(|text| format!(" {text}"));
        code(tag.as_str()) + &change.unwrap_or_default()
    });
    let tags: Vec<String> = tags.collect();
    if tags.is_empty() {
        return "none".to_owned();
    }
    tags.join("<br>")
}

pub(super) fn tags<'a>(tags: impl Iterator<Item = &'a Tag>) -> String {
    let tags: Vec<String> = tags.map(|tag| code(tag.as_str())).collect();
    if tags.is_empty() {
        return "none".to_owned();
    }
    tags.join(" ")
}

pub(super) fn platforms(images: &[PlatformImage]) -> String {
    if images.is_empty() {
        return String::new();
    }
    let row = |image: &PlatformImage| {
        let (platform, digest) = (code(&image.platform), code(image.digest.as_str()));
        format!("| {platform} | {} | {digest} |\n", size(image.size))
    };
    let rows: String = images.iter().map(row).collect();
    format!("| Platform | Size | Digest |\n|---|--:|---|\n{rows}\n")
}

fn usage(report: &Report, digest: &Digest) -> String {
    let pulls = report.pullable(digest);
    let pulls: Vec<String> = pulls.iter().map(|it| format!("docker pull {it}")).collect();
    let pull = block("sh", &pulls.join("\n"));
    format!("{pull}{}\n", attestations::commands(report))
}

/// The result as the last lines of the log.
pub(crate) fn text(report: &Report) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: &str| {
        let _infallible = writeln!(text, "{name:<8} {value}");
    };
    if let (Some(digest), Some(part)) = (report.part_digest(), report.incomplete()) {
        row("part", &format!("{digest} ({})", own_platforms(report)));
        match part.is_of_other_job {
            true => row("image", "completed by another job of this run"),
            false => row("missing", &part.missing.join(", ")),
        }
        return text;
    }
    let Some(digest) = report.digest() else {
        return text;
    };
    let others = report.other_references();
    if let Some(reason) = report.not_pushed() {
        row("built", digest.as_str());
        others.iter().for_each(|reference| row("also", reference));
        row("pushed", &format!("no: {reason}"));
        return text;
    }
    for source in &report.done.published_from {
        row("from", source);
    }
    let published = report.done.published.iter();
    for published in published.filter(|published| published.verified.is_some()) {
        let name = &published.name;
        row("image", &name.to_string());
        row("digest", digest.as_str());
        if let Some(comparison) = &published.comparison {
            row("size", &changes::text(comparison));
        }
        for tag in &published.tags {
            let change = tag_changes::text(published, tag, str::to_owned);
            let change = change.map(|text| format!(" ({text})"));
            row(
                "tag",
                &format!("{name}:{tag}{}", change.unwrap_or_default()),
            );
        }
        if let Some(when) = report.moves_later() {
            row("tags", when);
        }
        for skipped in &published.skipped {
            let Skipped { tag, reason, .. } = skipped;
            let place = tag_changes::place(skipped, str::to_owned);
            row("kept", &format!("{name}:{tag} {place} because {reason}"));
        }
    }
    others.iter().for_each(|reference| row("also", reference));
    text
}

/// Where an image comes from that was not built.
fn origin(sources: &[String]) -> String {
    let names: Vec<String> = sources.iter().map(|source| code(source)).collect();
    match names.as_slice() {
        [] => String::new(),
        [only] => format!("Published unchanged from {only}.\n\n"),
        several => format!("Merged from {}.\n\n", several.join(" and ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_names_up_to_three_images() {
        let check = |count: usize, expected: &str| {
            let names = ["a", "b", "c", "d"].map(|name| ImageName::parse(name, "x.io").unwrap());
            let names: Vec<&ImageName> = names.iter().take(count).collect();
            assert_eq!(list(&names), expected);
        };
        check(0, "the image");
        check(1, "`x.io/a`");
        check(3, "`x.io/a`, `x.io/b` and `x.io/c`");
        check(4, "4 images");
    }

    #[test]
    fn a_summary_ends_before_it_is_too_long() {
        let sections: Vec<String> = (0..10).map(|_| "x".repeat(60 * 1024)).collect();
        let text = whole_sections(sections);
        assert_eq!(text.len(), 4 * 60 * 1024 + CUT.len());
        assert!(text.ends_with(CUT) && text.len() <= MAX_SUMMARY);
    }
}
