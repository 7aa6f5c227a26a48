//! Markdown for the comment on a pull request.

use std::fmt::Write as _;

use crate::image::name::ImageName;
use crate::publish::Published;
use crate::report::markdown::{block, code, without_any};
use crate::report::summary::{list, platforms, tags};
use crate::report::{Report, changes};

/// In bytes. GitHub accepts 65,536 characters (danger/danger#424).
const MAX_BODY: usize = 65_536;
/// What [`ends`] gives for a code block and several folded parts.
const MAX_ENDS: usize = 64;
const CUT: &str = "\n*The rest is omitted: the comment is too long.*\n";

/// The comment on the images of a run, with what changed since another image at its end.
///
/// Its first line is the marker: it names the first image of the plan, so that it stays the same when others are added.
///
/// # Errors
///
/// Why there is nothing to comment on; completes the sentence "no comment: ...".
pub(crate) fn body(report: &Report) -> Result<String, &'static str> {
    if let Some(reason) = obstacle(report) {
        return Err(reason);
    }
    let (Some(session), Some(first)) = (&report.session, report.verified().next()) else {
        return Err("no image was pushed");
    };
    let (_, image) = first;
    let text = [
        marker(&session.plan.images),
        headline(report),
        block("sh", &pulls(report)),
        rows(report),
        platforms(&image.platforms),
        changes::markdown(report).unwrap_or_default(),
    ];
    Ok(cut(without_any(text.concat(), session.inputs.secrets())))
}

fn obstacle(report: &Report) -> Option<&'static str> {
    if report.incomplete().is_some() {
        return Some("the job that completes the image writes it");
    }
    let moves = report.moves_later().filter(|_| report.is_pushed());
    moves.map(|_when| "the step that writes the tags writes it")
}

/// A name has no `>`, and of two hyphens the second one is encoded: nothing in it ends the HTML comment.
fn marker(images: &[ImageName]) -> String {
    let name = images.first().map(ToString::to_string).unwrap_or_default();
    let name = name.replace("--", "-%2D");
    format!("<!-- ghcr-publish: {name} -->\n")
}

fn headline(report: &Report) -> String {
    let names: Vec<&ImageName> = report.published().collect();
    format!("### 📦 {}\n\n", list(&names))
}

fn pulls(report: &Report) -> String {
    let references = report.digest().map(|digest| report.pullable(digest));
    let references = references.unwrap_or_default().into_iter();
    let commands = references.map(|reference| format!("docker pull {reference}"));
    commands.collect::<Vec<_>>().join("\n")
}

/// The digest, and the tags of each image.
fn rows(report: &Report) -> String {
    let published = report.done.published.iter();
    let published = published.filter(|one| one.verified.is_some());
    let published: Vec<&Published> = published.collect();
    let digest = report.digest().map(|digest| code(digest.as_str()));
    let digest = digest.unwrap_or_default();
    let mut text = format!("\n| | |\n|---|---|\n| Digest | {digest} |\n");
    for one in &published {
        let label = match published.len() {
            1 => "Tags".to_owned(),
            _ => code(&one.name.to_string()),
        };
        let _infallible = writeln!(text, "| {label} | {} |", tags(one.tags.iter()));
    }
    text + "\n"
}

/// As many whole lines as fit.
fn cut(text: String) -> String {
    if text.len() <= MAX_BODY {
        return text;
    }
    let room = text.floor_char_boundary(MAX_BODY - CUT.len() - MAX_ENDS);
    let kept = &text[..text[..room].rfind('\n').map_or(0, |end| end + 1)];
    kept.to_owned() + &ends(kept) + CUT
}

/// What closes the code block and the folded parts that are open after `lines`.
fn ends(lines: &str) -> String {
    let count = |start: &str| lines.lines().filter(|line| line.starts_with(start)).count();
    let fence = match count("```") % 2 {
        0 => "",
        _ => "```\n",
    };
    let open = count("<details").saturating_sub(count("</details>"));
    format!("{fence}{}", "\n</details>\n".repeat(open))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_cannot_end_its_marker() {
        let check = |name: &str, expected: &str| {
            let image = ImageName::parse(name, "ghcr.io").unwrap();
            let marker = marker(&[image]);
            assert_eq!(marker, format!("<!-- ghcr-publish: {expected} -->\n"));
        };
        check("acme/widget-x", "ghcr.io/acme/widget-x");
        check("acme/a--b", "ghcr.io/acme/a-%2Db");
        check("acme/a---b", "ghcr.io/acme/a-%2D-b");
    }

    #[test]
    fn long_comment_is_cut_at_whole_rows() {
        let head = "```sh\ndocker pull x\n```\n<details><summary>more</summary>\n\n";
        let row = format!("| é{} |\n", "x".repeat(90));
        let cut = cut(head.to_owned() + &row.repeat(1000));
        let rest = cut.strip_prefix(head).unwrap();
        let rest = rest.strip_suffix(&format!("\n</details>\n{CUT}")).unwrap();
        assert_eq!(rest, row.repeat(rest.len() / row.len()));
        let least = MAX_BODY - MAX_ENDS - row.len();
        assert!((least..=MAX_BODY).contains(&cut.len()));
    }

    #[test]
    fn code_block_is_closed_where_it_is_cut() {
        let cut = cut(format!("```sh\n{}```\n", "docker pull x\n".repeat(5000)));
        assert!(cut.ends_with(&format!("\ndocker pull x\n```\n{CUT}")));
    }

    #[test]
    fn comment_of_the_largest_size_stays_whole() {
        let line = "x".repeat(MAX_BODY);
        assert_eq!(cut(line.clone()), line);
        assert_eq!(cut(line + "x"), CUT);
    }
}
