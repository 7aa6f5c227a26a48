//! Text from anywhere -> Markdown in which it stays text.

use std::fmt::Write as _;

use crate::console::sanitize::colourless;
use crate::secret::{SHORT, Secret};

/// Code that its text cannot end, on one line, inside a table cell and outside. Within code a backslash is shown as
/// it is, so nothing is escaped with one: a bar, which would end a cell, is an HTML entity.
pub(super) fn code(text: &str) -> String {
    let text = one_line(text);
    if text.is_empty() {
        return "` `".to_owned();
    }
    if text.contains('|') {
        return format!("<code>{}</code>", entities(&text));
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    let is_edge = |c: char| c == '`' || c == ' ';
    let has_edge = text.starts_with(is_edge) || text.ends_with(is_edge);
    let room = if has_edge && !text.trim().is_empty() {
        " "
    } else {
        ""
    };
    format!("{fence}{room}{text}{room}{fence}")
}

/// Text of ours with names in backticks: they become code, and the rest stays text.
pub(super) fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) || text.contains("``") {
        return escape(text);
    }
    let parts = parts.iter().enumerate().map(|(at, part)| match at % 2 {
        0 => escape(part),
        _ => code(part),
    });
    parts.collect()
}

/// Special characters as entities, which are text everywhere.
fn entities(text: &str) -> String {
    let mut entities = String::new();
    for c in text.chars() {
        if is_special(c) {
            let _infallible = write!(entities, "&#{};", u32::from(c));
        } else {
            entities.push(c);
        }
    }
    entities
}

fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or(0)
}

/// A fenced block whose fence is longer than any run of backticks in it.
pub(super) fn block(language: &str, text: &str) -> String {
    let lines: Vec<_> = text.lines().map(colourless).collect();
    let text = lines.join("\n");
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

/// Text in which Markdown and HTML find nothing of their own, on one line.
pub(super) fn escape(text: &str) -> String {
    one_line(text)
        .chars()
        .flat_map(|c| is_special(c).then_some('\\').into_iter().chain([c]))
        .collect()
}

/// What may mean something to Markdown or HTML.
fn is_special(c: char) -> bool {
    "\\`*_{}[]<>()#+-!|&~@$:=".contains(c)
}

/// `markdown` without `secrets` in the forms that they take here: the runner hides them as they are.
pub(super) fn without<'a>(markdown: String, secrets: impl Iterator<Item = &'a Secret>) -> String {
    let lines = secrets.flat_map(|secret| secret.expose().lines());
    let forms = lines.map(str::trim).flat_map(|line| {
        let forms = [escape(line), entities(line), prose(line)];
        forms
            .into_iter()
            .filter(move |form| form != line && !form.is_empty())
    });
    forms.fold(markdown, |text, form| text.replace(&form, "***"))
}

/// `markdown` without `secrets` in any form, for a place where no runner hides them.
pub(super) fn without_any<'a>(
    markdown: String,
    secrets: impl Iterator<Item = &'a Secret>,
) -> String {
    let secrets: Vec<&Secret> = secrets.collect();
    let lines = secrets.iter().flat_map(|secret| secret.expose().lines());
    let lines = lines.map(str::trim).filter(|line| !line.is_empty());
    let text = lines.fold(markdown, |text, line| match line.len() <= SHORT {
        true => without_word(&text, line),
        false => text.replace(line, "***"),
    });
    without(text, secrets.into_iter())
}

/// `text` with `***` for each `word` that no letter or digit adjoins: a part of a digest stays.
fn without_word(text: &str, word: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(word) {
        kept.push_str(before);
        let is_inner =
            kept.ends_with(char::is_alphanumeric) || after.starts_with(char::is_alphanumeric);
        kept.push_str(if is_inner { word } else { "***" });
        rest = after;
    }
    kept + rest
}

/// A link, when `url` is a plain one; else nothing.
pub(super) fn link(text: &str, url: &str) -> String {
    let is_plain = url.starts_with("https://")
        && url
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/:.-_#".contains(c));
    if is_plain {
        format!("[{}]({url})", escape(text))
    } else {
        String::new()
    }
}

fn one_line(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(colourless).collect();
    lines.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_secret_is_hidden_as_a_word_and_no_digest_is_broken() {
        let secrets = ["80", "a-b"].map(|text| Secret::new(text).unwrap());
        let hidden = |text: &str| without_any(text.to_owned(), secrets.iter());
        assert_eq!(hidden("port 80, `80`"), "port ***, `***`");
        assert_eq!(
            hidden("@sha256:d480a8 180 80a a-b"),
            "@sha256:d480a8 180 80a ***"
        );
    }

    #[test]
    fn text_cannot_leave_its_block_or_cell() {
        assert_eq!(block("", "a ```` b"), "`````\na ```` b\n`````\n");
        assert_eq!(code("a`b\nc"), "``a`b c``");
        assert_eq!(code("`a` "), "`` `a`  ``");
        assert_eq!(escape("<img> *x*\n# y"), "\\<img\\> \\*x\\* \\# y");
        assert_eq!(code("\u{1b}[31mred\u{1b}[0m\0"), "`red␀`");
    }

    #[test]
    fn a_bar_does_not_open_a_cell() {
        let bar = "<code>a&#92;&#124;&#60;img&#62;</code>";
        assert_eq!(code("a\\|<img>"), bar);
        assert_eq!(code(""), "` `");
    }

    #[test]
    fn names_in_backticks_become_code() {
        assert_eq!(prose("the fork `a/b` *x*"), "the fork `a/b` \\*x\\*");
        assert_eq!(prose("a ` b"), "a \\` b");
        assert_eq!(prose("`a``b`"), "\\`a\\`\\`b\\`");
    }

    #[test]
    fn a_secret_is_hidden_in_every_form_it_takes() {
        let secret = Secret::new("a|b`c*d").unwrap();
        for shown in [escape, code, prose] {
            let text = shown(secret.expose());
            let hidden = without(text, std::iter::once(&secret));
            assert!(hidden.contains("***"), "{hidden}");
            let raw = format!("see {} {}", secret.expose(), shown(secret.expose()));
            assert_eq!(
                without_any(raw, std::iter::once(&secret))
                    .matches("***")
                    .count(),
                2
            );
        }
    }

    #[test]
    fn only_a_plain_address_becomes_a_link() {
        assert_eq!(link("rule", "https://a.b/c-d/"), "[rule](https://a.b/c-d/)");
        assert_eq!(link("rule", "https://a.b/)![x](https://e"), "");
        assert_eq!(link("rule", "javascript:alert(1)"), "");
    }
}

#[cfg(test)]
mod properties {
    use proptest::collection::vec;
    use proptest::prelude::{Strategy, any, prop_oneof};
    use proptest::sample::select;

    use super::*;
    use testkit::corpus;
    use testkit::{proof, proof::Proof};

    fn near_markdown() -> impl Strategy<Value = String> {
        let words = "` ``` | \\ \\| <img> </details> * _ [x](y) # ~ \n \r \n\n &lt; @a $ - + ! a";
        let word = select(words.split(' ').collect::<Vec<_>>());
        prop_oneof![
            any::<String>(),
            vec(word, 0..12).prop_map(|words| words.concat())
        ]
    }

    /// No mark of Markdown or HTML stands without a backslash that is its own.
    fn is_plain(text: &str) -> bool {
        let mut is_escaped = false;
        text.chars().all(|c| {
            let is_mark = "`*_{}[]<>#!|&~@$".contains(c);
            let is_live = is_mark && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            !is_live
        })
    }

    /// The text that GitHub shows for a piece of Markdown with one cell of a table, or one paragraph. comrak
    /// is a port of GitHub's own parser.
    fn shown(markdown: &str, open: &str, close: &str) -> Option<String> {
        let mut options = comrak::Options::default();
        options.extension.table = true;
        options.extension.strikethrough = true;
        options.extension.autolink = true;
        options.extension.tasklist = true;
        options.extension.footnotes = true;
        options.render.r#unsafe = true;
        let html = comrak::markdown_to_html(markdown, &options);
        let (_, html) = html.split_once(open)?;
        let (html, rest) = html.rsplit_once(close)?;
        let text = ["&lt;", "&gt;", "&quot;", "&amp;"]
            .into_iter()
            .zip(["<", ">", "\"", "&"])
            .fold(html.to_owned(), |html, (name, c)| html.replace(name, c));
        (!html.contains('<') && rest.trim_end().lines().count() <= 4).then_some(text)
    }

    /// What is shown in each place is the text itself: nothing is added, least of all a backslash.
    fn is_shown_as_it_is(text: &str) -> Result<(), String> {
        let expected = one_line(text);
        let (code, escaped) = (code(text), escape(text));
        let cell = |inner: &str| format!("| a |\n|---|\n| {inner} |\n");
        let places = [
            (format!("see {code}\n"), "<p>see <code>", "</code></p>"),
            (cell(&code), "<td><code>", "</code></td>"),
            (format!("see.{escaped}.\n"), "<p>see.", ".</p>"),
            (cell(&format!(".{escaped}.")), "<td>.", ".</td>"),
        ];
        for (markdown, open, close) in places {
            let shown = shown(&markdown, open, close);
            let is_empty_code = expected.is_empty() && open.ends_with("<code>");
            let expected = if is_empty_code { " " } else { &expected };
            if shown.as_deref() != Some(expected) {
                return Err(format!("{text:?} is shown as {shown:?}: {markdown}"));
            }
        }
        Ok(())
    }

    fn is_one_block(block: &str) -> bool {
        let lines: Vec<&str> = block.lines().collect();
        let Some(([open, inner @ ..], close)) =
            lines.split_last().map(|(last, rest)| (rest, *last))
        else {
            return false;
        };
        let ends = |line: &str| line.trim_start().starts_with(close);
        *open == close && close.len() >= 3 && !inner.iter().any(|line| ends(line))
    }

    fn stays_text(text: &str) -> Result<(), String> {
        let (code, block, escaped) = (code(text), block("", text), escape(text));
        let whole = is_plain(&escaped) && is_one_block(&block);
        let visible = ![&code, &block, &escaped]
            .iter()
            .any(|text| text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')));
        (whole && visible)
            .then_some(())
            .ok_or_else(|| format!("{text:?}: {code} {escaped} {block}"))?;
        is_shown_as_it_is(text)
    }

    #[test]
    fn text_stays_text_in_the_summary() {
        let mut proof = Proof::of("summary: text stays text in spans, cells and blocks");
        proof.property(proof::cases(), &near_markdown(), |text| {
            stays_text(&text).map_err(proptest::test_runner::TestCaseError::fail)
        });
        let near = [
            r"grep 'a\|b'",
            "a|b",
            "a`b",
            "`a`",
            " a ",
            "`` a",
            r"\\",
            "#1",
            "1. x",
        ];
        let texts = corpus::texts().into_iter().chain(near.map(str::to_owned));
        texts.for_each(|text| proof.case(stays_text(&text)));
        proof.end();
    }
}
