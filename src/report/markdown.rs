//! Text from anywhere -> Markdown in which it stays text.

use crate::secret::Secret;
use crate::workflow::colourless;

/// A code span that its text cannot end, on one line and inside a table cell.
pub(super) fn code(text: &str) -> String {
    let mut code = String::from("`");
    let mut backslashes = 0;
    for c in one_line(text).replace('`', "'").chars() {
        if c == '|' {
            // As many again, so that they escape each other and the last one escapes the bar.
            code.extend(std::iter::repeat_n('\\', backslashes + 1));
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        code.push(c);
    }
    if code.len() == 1 {
        code.push(' ');
    }
    code + "`"
}

/// A fenced block whose fence is longer than any run of backticks in it.
pub(super) fn block(language: &str, text: &str) -> String {
    let lines: Vec<_> = text.lines().map(colourless).collect();
    let text = lines.join("\n");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

/// Text in which Markdown and HTML find nothing of their own, on one line.
pub(super) fn escape(text: &str) -> String {
    let special = |c: char| "\\`*_{}[]<>()#+-!|&~@$:=".contains(c);
    one_line(text)
        .chars()
        .flat_map(|c| special(c).then_some('\\').into_iter().chain([c]))
        .collect()
}

/// `markdown` without `secrets` in the forms that they take here: the runner hides them as they are.
pub(super) fn without<'a>(markdown: String, secrets: impl Iterator<Item = &'a Secret>) -> String {
    let lines = secrets.flat_map(|secret| secret.expose().lines());
    let forms = lines.map(str::trim).flat_map(|line| {
        let forms = [escape(line), code(line).trim_matches(['`', ' ']).to_owned()];
        forms
            .into_iter()
            .filter(move |form| form != line && !form.is_empty())
    });
    forms.fold(markdown, |text, form| text.replace(&form, "***"))
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
    fn text_cannot_leave_its_block_or_cell() {
        assert_eq!(block("", "a ```` b"), "`````\na ```` b\n`````\n");
        assert_eq!(code("a`|b\nc"), "`a'\\|b c`");
        assert_eq!(escape("<img> *x*\n# y"), "\\<img\\> \\*x\\* \\# y");
        assert_eq!(code("\u{1b}[31mred\u{1b}[0m\0"), "`red␀`");
    }

    #[test]
    fn a_backslash_does_not_open_a_cell() {
        assert_eq!(code("a\\|<img>"), "`a\\\\\\|<img>`");
        assert_eq!(code(""), "` `");
    }

    #[test]
    fn only_a_plain_address_becomes_a_link() {
        assert_eq!(link("rule", "https://a.b/c-d/"), "[rule](https://a.b/c-d/)");
        assert_eq!(link("rule", "https://a.b/)![x](https://e"), "");
        assert_eq!(link("rule", "javascript:alert(1)"), "");
    }
}

#[cfg(test)]
mod proofs {
    use proptest::collection::vec;
    use proptest::prelude::{Strategy, any, prop_oneof};
    use proptest::sample::select;

    use super::*;
    use crate::corpus;
    use crate::proof::{self, Proof};

    fn near_markdown() -> impl Strategy<Value = String> {
        let words = "` ``` | \\ \\| <img> </details> * _ [x](y) # ~ \n \r \n\n &lt; @a $ - + ! a";
        let word = select(words.split(' ').collect::<Vec<_>>());
        prop_oneof![
            any::<String>(),
            vec(word, 0..12).prop_map(|words| words.concat())
        ]
    }

    /// Reads a cell of a table as cmark-gfm does, which takes pairs of a backslash and what it escapes;
    /// others look only at what stands before the bar.
    fn stays_in_its_cell(cell: &str) -> bool {
        let (mut is_escaped, mut before) = (false, None);
        for c in cell.chars() {
            if c == '|' && (!is_escaped || before != Some('\\')) {
                return false;
            }
            is_escaped = c == '\\' && !is_escaped;
            before = Some(c);
        }
        !cell.contains(['\n', '\r'])
    }

    fn is_one_span(code: &str) -> bool {
        let inner = code
            .strip_prefix('`')
            .and_then(|code| code.strip_suffix('`'));
        inner.is_some_and(|inner| !inner.is_empty() && !inner.contains('`'))
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
        let whole = is_one_span(&code)
            && stays_in_its_cell(&code)
            && stays_in_its_cell(&escaped)
            && is_plain(&escaped)
            && is_one_block(&block);
        let visible = ![&code, &block, &escaped]
            .iter()
            .any(|text| text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')));
        (whole && visible)
            .then_some(())
            .ok_or_else(|| format!("{text:?}: {code} {escaped} {block}"))
    }

    #[test]
    fn text_stays_text_in_the_summary() {
        let mut proof = Proof::of("summary: text stays text in spans, cells and blocks");
        proof.property(proof::cases(), &near_markdown(), |text| {
            stays_text(&text).map_err(proptest::test_runner::TestCaseError::fail)
        });
        corpus::texts()
            .iter()
            .for_each(|text| proof.case(stays_text(text)));
        proof.end();
    }
}
