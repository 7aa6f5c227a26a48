//! The files a step leaves for the runner: `GITHUB_OUTPUT`, `GITHUB_ENV`, `GITHUB_STATE`, the summary.
//!
//! After `EnvFileKeyValuePairs`, `SetEnvFileCommand` and `CreateStepSummaryCommand` in
//! `src/Runner.Worker/FileCommandManager.cs` of <https://github.com/actions/runner>, commit
//! 258d6c857db3519913f7deb6004b60172f8043ae, as they are compiled for Linux. How the runner reads:
//!
//! - Only LF ends a line. Bytes that are not UTF-8 become U+FFFD, and a byte order mark goes.
//! - `name=value` is a line of its own; the name may be empty.
//! - `name<<delimiter` begins a value of several lines; neither may be empty, and the line that is the
//!   delimiter ends it. The value keeps its line breaks but for the last.
//! - Whichever of `=` and `<<` comes first decides. A line with neither, or a value without its end, fails
//!   the step.
//! - The variable `NODE_OPTIONS` is refused.
//! - A summary of more than 1 MiB is dropped with an error.

/// Names and values in their order; an error fails the step.
pub fn pairs(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let (mut pairs, mut at) = (Vec::new(), 0);
    while let Some(line) = next_line(text, &mut at) {
        if line.text.is_empty() {
            continue;
        }
        let (equals, heredoc) = (line.text.find('='), line.text.find("<<"));
        pairs.push(match (equals, heredoc) {
            (Some(equals), heredoc) if heredoc.is_none_or(|heredoc| equals < heredoc) => {
                let (name, value) = line.text.split_at(equals);
                (name.to_owned(), value[1..].to_owned())
            }
            (_, Some(heredoc)) => {
                let (name, delimiter) = line.text.split_at(heredoc);
                let delimiter = &delimiter[2..];
                if name.is_empty() || delimiter.is_empty() {
                    return Err(format!("name or delimiter is empty in `{}`", line.text));
                }
                (name.to_owned(), value(text, &mut at, delimiter)?)
            }
            (_, None) => return Err(format!("neither `=` nor `<<` in `{}`", line.text)),
        });
    }
    Ok(pairs)
}

/// As [`pairs`], without the variable that the runner does not set.
pub fn variables(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    let mut pairs = pairs(bytes)?;
    pairs.retain(|(name, _)| !name.eq_ignore_ascii_case("NODE_OPTIONS"));
    Ok(pairs)
}

/// Whether the run page shows a summary.
pub fn shows_summary(bytes: &[u8]) -> bool {
    (1..=1024 * 1024).contains(&bytes.len())
}

struct Line<'a> {
    text: &'a str,
    is_ended: bool,
}

fn next_line<'a>(text: &'a str, at: &mut usize) -> Option<Line<'a>> {
    let rest = text.get(*at..).filter(|rest| !rest.is_empty())?;
    let end = rest.find('\n');
    *at += end.map_or(rest.len(), |end| end + 1);
    Some(Line {
        text: &rest[..end.unwrap_or(rest.len())],
        is_ended: end.is_some(),
    })
}

fn value(text: &str, at: &mut usize, delimiter: &str) -> Result<String, String> {
    let start = *at;
    let mut end = start;
    loop {
        let line = next_line(text, at).ok_or_else(|| format!("`{delimiter}` is missing"))?;
        if line.text == delimiter {
            return Ok(text[start..end].to_owned());
        }
        if !line.is_ended {
            return Err("the last line has no end".to_owned());
        }
        end = *at - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let pairs = pairs(text.as_bytes()).unwrap();
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(pairs, expected);
    }

    #[test]
    fn both_forms_are_read() {
        check("a=b=c\n\nd=", &[("a", "b=c"), ("d", "")]);
        check("a<<x\nb\n\r\n\nx\nc=d", &[("a", "b\n\r\n"), ("c", "d")]);
        check("a<<x\nx\n", &[("a", "")]);
        check("a<<x\n\nx", &[("a", "")]);
        check("a=b<<c\n=d", &[("a", "b<<c"), ("", "d")]);
        check("a<<b=c\nd\nb=c\n", &[("a", "d")]);
        check("\u{feff}a=\r\u{2028}b", &[("a", "\r\u{2028}b")]);
    }

    #[test]
    fn what_the_runner_refuses_is_an_error() {
        for text in ["a", "<<x\nx\n", "a<<\n\n", "a<<x\nb\n", "a<<x\nb", "a<<x"] {
            assert!(pairs(text.as_bytes()).is_err(), "{text:?}");
        }
        let kept = variables(b"node_options=x\na=b").unwrap();
        assert_eq!(kept, [("a".to_owned(), "b".to_owned())]);
        assert!(!shows_summary(b"") && !shows_summary(&[b'x'; 1024 * 1024 + 1]));
    }
}
