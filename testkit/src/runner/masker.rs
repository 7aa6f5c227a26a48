//! What the runner hides: every registered value, and its encodings.
//!
//! After `SecretMasker` and `ValueEncoders` in `src/Sdk/DTLogging/Logging/`, the list of encoders in
//! `src/Runner.Common/HostContext.cs`, and `AddMaskCommandExtension` in
//! `src/Runner.Worker/ActionCommandManager.cs` of <https://github.com/actions/runner>, commit
//! 258d6c857db3519913f7deb6004b60172f8043ae. Not among them: hex, base64 for URLs, reversed, compressed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The texts that are hidden.
#[derive(Debug, Default)]
pub struct Masker {
    texts: Vec<String>,
}

type Encoder = fn(&str) -> String;

const ENCODERS: &[Encoder] = &[
    |value| STANDARD.encode(value),
    |value| shifted(value, 1),
    |value| shifted(value, 2),
    |value| value.replace('"', "\\\""),
    |value| value.replace('\'', "''"),
    json,
    uri,
    xml,
    without_quotes,
    |value| powershell(value).0,
    |value| powershell(value).1,
];

impl Masker {
    /// Hides the value and each of its lines, as `add-mask` does.
    pub fn add_lines(&mut self, value: &str) {
        if !value.trim().is_empty() {
            self.add(value);
            value
                .split(['\r', '\n'])
                .for_each(|line| self.add(line.trim()));
        }
    }

    fn add(&mut self, value: &str) {
        if value.is_empty() {
            return;
        }
        let encoded = ENCODERS.iter().map(|encoder| encoder(value));
        let texts = std::iter::once(value.to_owned()).chain(encoded);
        self.texts.extend(texts.filter(|text| !text.is_empty()));
    }

    /// `line` with everything hidden; what overlaps or touches is hidden as one.
    pub fn masked(&self, line: &str) -> String {
        let mut places: Vec<(usize, usize)> = Vec::new();
        for text in &self.texts {
            let mut from = 0;
            while let Some(at) = line[from..].find(text.as_str()).map(|at| from + at) {
                places.push((at, at + text.len()));
                from = at + line[at..].chars().next().map_or(1, char::len_utf8);
            }
        }
        places.sort_unstable();
        let (mut masked, mut end) = (String::new(), 0);
        let mut places = places.into_iter().peekable();
        while let Some((begin, mut until)) = places.next() {
            while let Some((_, next)) = places.next_if(|(next, _)| *next <= until) {
                until = until.max(next);
            }
            masked += &line[end..begin];
            masked += "***";
            end = until;
        }
        masked + &line[end..]
    }
}

fn shifted(value: &str, by: usize) -> String {
    STANDARD.encode(
        value
            .as_bytes()
            .get(by..)
            .filter(|rest| !rest.is_empty())
            .unwrap_or(value.as_bytes()),
    )
}

/// As Newtonsoft.Json writes a string, without the quotes around it.
fn json(value: &str) -> String {
    let escaped = value.chars().map(|c| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\0'..='\u{1f}' | '\u{85}' | '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", u32::from(c)),
        _ => c.to_string(),
    });
    escaped.collect()
}

fn uri(value: &str) -> String {
    let escaped = value.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    escaped.collect()
}

fn xml(value: &str) -> String {
    let value = value.replace('&', "&amp;").replace('<', "&lt;");
    let value = value.replace('>', "&gt;").replace('"', "&quot;");
    value.replace('\'', "&apos;")
}

fn without_quotes(value: &str) -> String {
    let inner = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    let inner = inner.filter(|_| value.encode_utf16().count() > 8);
    inner.unwrap_or_default().to_owned()
}

/// PowerShell colours the part of a command it does not understand, which splits a value at its last `&`,
/// or at its first `&+` and the character after it.
fn powershell(value: &str) -> (String, String) {
    let (before, after) = match (value.find("&+"), value.rfind('&')) {
        (Some(at), _) => {
            let (before, after) = value.split_at(at + 2);
            let coloured = after.chars().next().map_or(0, char::len_utf8);
            (before, &after[coloured..])
        }
        (None, Some(at)) => value.split_at(at + 1),
        (None, None) => ("", ""),
    };
    let long_enough = |part: &str| {
        if part.encode_utf16().count() >= 6 {
            part.to_owned()
        } else {
            String::new()
        }
    };
    (long_enough(before), long_enough(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(secret: &str, line: &str, expected: &str) {
        let mut masker = Masker::default();
        masker.add_lines(secret);
        assert_eq!(masker.masked(line), expected);
    }

    #[test]
    fn every_encoding_of_the_runner_is_hidden() {
        check("hunter2", "a hunter2hunter2 b", "a *** b");
        check("hunter2", &STANDARD.encode("hunter2"), "***");
        check("hunter2", &STANDARD.encode("x:hunter2")[4..], "***");
        check("hunter22", &STANDARD.encode("unter22"), "***");
        check(
            "a\"b\\c",
            "a\\\"b\\\\c a%22b%5Cc a&quot;b\\c",
            "*** *** ***",
        );
        check("it's", "it''s it&apos;s", "*** ***");
        check("\"password\"", "password", "***");
        check("secret&+xpassword", "secret&+ password", "*** ***");
        check("one line\nother line", "other line", "***");
    }

    #[test]
    fn what_the_runner_does_not_know_stays() {
        check(
            "hunter2",
            "68756e74657232 2retnuh hunter",
            "68756e74657232 2retnuh hunter",
        );
        check("", "a", "a");
    }
}
