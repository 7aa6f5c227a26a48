//! Markdown for the run page.

use std::fmt::Write as _;

use super::Report;
use crate::plan::Plan;
use crate::publish::Held;
use crate::registry::PlatformImage;

/// The summary of a run, in the order a reader asks: did it work, what is there, how do I use it.
pub(crate) fn markdown(report: &Report) -> String {
    let mut text = String::new();
    headline(&mut text, report);
    for held in &report.done.held {
        held_image(&mut text, held);
    }
    if let (Some(plan), Some(digest), true) = (report.plan(), report.digest(), report.is_pushed()) {
        usage(&mut text, plan, digest.as_str());
    }
    text
}

fn headline(text: &mut String, report: &Report) {
    let image = report
        .plan()
        .and_then(|plan| plan.images.first())
        .map_or_else(|| "the image".to_owned(), |name| code(&name.to_string()));
    let _infallible = match (&report.failure, report.not_pushed()) {
        (Some(failure), _) => {
            let verdict = if report.is_pushed() {
                "is pushed, but not all of it is in place"
            } else {
                "was not published"
            };
            let details = failure
                .details()
                .iter()
                .map(|line| format!("\n{line}"))
                .collect::<String>();
            writeln!(
                text,
                "### ❌ {image} {verdict}\n\n{}",
                block("", &format!("{}{details}", failure.what))
            )
        }
        (None, Some(reason)) => writeln!(
            text,
            "### 🔨 {image} was built, not pushed\n\nBecause {}.\n",
            escape(reason)
        ),
        (None, None) => writeln!(text, "### 📦 {image} is published\n"),
    };
}

fn held_image(text: &mut String, held: &Held) {
    let Some(proof) = &held.proof else { return };
    let tags = held
        .tags
        .iter()
        .map(|tag| code(tag.as_str()))
        .collect::<Vec<_>>()
        .join(" ");
    let tags = if tags.is_empty() {
        "none".to_owned()
    } else {
        tags
    };
    let _infallible = writeln!(
        text,
        "| | |\n|---|---|\n| Image | {} |\n| Digest | {} |\n| Tags | {tags} |\n",
        code(&held.name.to_string()),
        code(proof.manifest.digest.as_str())
    );
    for skipped in &held.skipped {
        let tag = code(skipped.tag.as_str());
        let _infallible = writeln!(
            text,
            "{tag} stays where it is, since {}.\n",
            escape(&skipped.reason)
        );
    }
    platforms(text, &proof.platforms);
}

fn platforms(text: &mut String, images: &[PlatformImage]) {
    if images.is_empty() {
        return;
    }
    let rows: String = images
        .iter()
        .map(|image| {
            format!(
                "| {} | {} | {} |\n",
                code(&image.platform),
                megabytes(image.size),
                code(image.digest.as_str())
            )
        })
        .collect();
    let _infallible = writeln!(text, "| Platform | Size | Digest |\n|---|--:|---|\n{rows}");
}

fn usage(text: &mut String, plan: &Plan, digest: &str) {
    let Some(image) = plan.images.first() else {
        return;
    };
    let _infallible = writeln!(
        text,
        "{}\n{}",
        block("sh", &format!("docker pull {image}@{digest}")),
        attest(&image.to_string(), digest)
    );
}

/// The result as the last lines of the log.
pub(crate) fn text(report: &Report, plan: &Plan) -> String {
    let mut text = String::new();
    let Some(digest) = report.digest() else {
        return text;
    };
    let mut row = |name: &str, value: &str| {
        let _infallible = writeln!(text, "{name:<8} {value}");
    };
    if let Some(reason) = report.not_pushed() {
        row("built", digest.as_str());
        row("pushed", &format!("no: {reason}"));
        return text;
    }
    for held in report.done.held.iter().filter(|held| held.proof.is_some()) {
        row("image", &held.name.to_string());
        row("digest", digest.as_str());
        held.tags
            .iter()
            .for_each(|tag| row("tag", &format!("{}:{tag}", held.name)));
        for skipped in &held.skipped {
            let (name, tag, reason) = (&held.name, &skipped.tag, &skipped.reason);
            row("left", &format!("{name}:{tag}, since {reason}"));
        }
    }
    if let (None, Some(image)) = (&report.failure, plan.images.first()) {
        let _infallible = writeln!(
            text,
            "\nto attest it, add the step\n\n{}",
            attest_step(&image.to_string(), digest.as_str())
        );
    }
    text
}

/// A step that attests what was just pushed.
fn attest(image: &str, digest: &str) -> String {
    let step = attest_step(image, digest);
    format!(
        "<details><summary>Attest it</summary>\n\n{}\n</details>\n",
        block("yaml", &step)
    )
}

fn attest_step(image: &str, digest: &str) -> String {
    format!(
        "- uses: actions/attest@v4\n  with:\n    subject-name: {image}\n    subject-digest: {digest}"
    )
}

/// Bytes as decimal megabytes, the unit of GitHub's package pages.
fn megabytes(bytes: u64) -> String {
    let tenths = (bytes + 50_000) / 100_000;
    if tenths == 0 {
        format!("{:.1} kB", bytes as f64 / 1000.0)
    } else {
        format!("{}.{} MB", tenths / 10, tenths % 10)
    }
}

/// A code span that its text cannot end, on one line and inside a table cell.
fn code(text: &str) -> String {
    let text = text
        .replace('`', "'")
        .replace(['\n', '\r'], " ")
        .replace('|', "\\|");
    format!("`{text}`")
}

/// A fenced block whose fence is longer than any run of backticks in it.
fn block(language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

/// Text in which Markdown and HTML find nothing of their own.
fn escape(text: &str) -> String {
    let special = |c: char| "\\`*_{}[]<>()#+-!|&~".contains(c);
    text.chars()
        .flat_map(|c| special(c).then_some('\\').into_iter().chain([c]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_block_or_cell() {
        assert_eq!(block("", "a ```` b"), "`````\na ```` b\n`````\n");
        assert_eq!(code("a`|b\n"), "`a'\\|b `");
        assert_eq!(escape("<img> *x*"), "\\<img\\> \\*x\\*");
    }

    #[test]
    fn sizes_read_like_on_the_package_page() {
        assert_eq!(
            [512, 99_000, 1_234_567].map(megabytes),
            ["0.5 kB", "1.0 MB".replace("1.0", "0.1").as_str(), "1.2 MB"]
        );
    }
}
