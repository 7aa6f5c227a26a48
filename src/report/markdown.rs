//! Text from anywhere -> Markdown in which it stays text.

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
