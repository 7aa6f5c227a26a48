//! A list input as Docker's actions read it: CSV, one entry a line, fields between commas.
//!
//! docker/metadata-action parses twice. The whole input goes through CSV first (comments and empty lines leave,
//! quoted fields lose their quotes, and the fields are joined by commas again), then each entry. The
//! first pass lets stray quotes stand; the second refuses them. We do the same, since a rule that
//! works there must give the same tag here. docker/build-push-action does the first pass, and buildx the
//! second where an entry has fields; inputs that are plain lists split at the commas. The crate `csv` takes every text for CSV, so whether the
//! quotes are sound is decided here, and unescaping is left to it.

use crate::error::{InputError, Problem};

/// One entry of a list input, with its input and line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    input: &'static str,
    line: usize,
    text: String,
}

/// How many characters of an entry an error repeats.
const SHOWN: usize = 200;

/// The entries of the input called `input`, without the white space around them.
pub(crate) fn entries(input: &'static str, text: &str) -> Result<Vec<Entry>, Problem> {
    let records = records(input, text).map_err(Entry::never_closed)?;
    let entries = records
        .into_iter()
        .map(|record| record.unquoted().trimmed());
    Ok(entries.filter(|entry| !entry.text.is_empty()).collect())
}

/// As [`entries`], with the white space of each line: a secret may begin or end with it.
pub(crate) fn untrimmed_entries(input: &'static str, text: &str) -> Result<Vec<Entry>, Problem> {
    let records = records(input, text).map_err(|entry| entry.private_problem(never_closed()))?;
    Ok(records.into_iter().map(Entry::unquoted).collect())
}

/// As [`entries`], with the quotes kept: the caller unquotes the entry.
pub(crate) fn quoted_entries(input: &'static str, text: &str) -> Result<Vec<Entry>, Problem> {
    let records = records(input, text).map_err(Entry::never_closed)?;
    Ok(records.into_iter().map(Entry::trimmed).collect())
}

/// Each field an entry of its own. A line that is one quoted field is split at its commas all the same,
/// as docker/build-push-action does.
pub(crate) fn comma_entries(input: &'static str, text: &str) -> Result<Vec<Entry>, Problem> {
    let mut entries = Vec::new();
    for record in records(input, text).map_err(Entry::never_closed)? {
        let fields = match quotes(&record.text) {
            Quotes::Sound => split(&record.text),
            Quotes::Stray | Quotes::Open => record.text.split(',').map(str::to_owned).collect(),
        };
        let fields = match fields.as_slice() {
            [only] => only.split(',').map(str::to_owned).collect(),
            _ => fields,
        };
        let fields = fields.iter().map(|field| field.trim());
        entries.extend(fields.filter(|field| !field.is_empty()).map(|field| Entry {
            input,
            line: record.line,
            text: field.to_owned(),
        }));
    }
    Ok(entries)
}

/// One record each, its quotes still there; or the one whose last quote is never closed.
fn records(input: &'static str, text: &str) -> Result<Vec<Entry>, Entry> {
    let mut records = Vec::new();
    let mut open: Option<Entry> = None;
    for (index, line) in text.lines().enumerate() {
        let record = match open.take() {
            Some(begun) => begun.continued(line),
            None if is_empty_or_comment(line) => continue,
            None => Entry {
                input,
                line: 1 + index,
                text: line.to_owned(),
            },
        };
        match quotes(&record.text) {
            Quotes::Open => open = Some(record),
            Quotes::Sound | Quotes::Stray => records.push(record),
        }
    }
    open.map_or(Ok(records), Err)
}

/// The keys of a cache stand among its other attributes.
const PRIVATE: [&str; 2] = ["cache-from", "cache-to"];

impl Entry {
    /// The number of the entry's first line in the input, counted from 1.
    pub(crate) fn line(&self) -> usize {
        self.line
    }

    pub(crate) fn input(&self) -> &'static str {
        self.input
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The fields between the commas, without the white space around them.
    pub(crate) fn fields(&self) -> Result<Vec<String>, InputError> {
        match quotes(&self.text) {
            Quotes::Open => Err(never_closed()),
            Quotes::Stray => Err(InputError::new(
                "a quote is in the middle of a field",
                "quote the whole field, from comma to comma, and write `\"\"` for a quote in it",
            )),
            Quotes::Sound => Ok(split(&self.text)
                .iter()
                .map(|field| field.trim().to_owned())
                .collect()),
        }
    }

    /// A warning about the entry, which names its line.
    pub(crate) fn warning(&self, text: &str) -> String {
        let Self { input, line, .. } = self;
        format!("line {line} of the input `{input}`: {text}")
    }

    /// The error of this entry, with its line, and with its text unless the input may hold a secret.
    pub(crate) fn problem(&self, error: InputError) -> Problem {
        let Self { input, line, text } = self;
        if PRIVATE.contains(input) {
            return self.private_problem(error);
        }
        let text = match text.char_indices().nth(SHOWN) {
            Some((end, _)) => &format!("{}…", &text[..end]),
            None => text,
        };
        let what = format!("invalid entry in the input `{input}`, line {line}: `{text}`");
        Problem::new(what, error.fix).because(error.because)
    }

    /// As [`Entry::problem`] for an entry that may hold a secret: its text is not shown.
    pub(crate) fn private_problem(&self, error: InputError) -> Problem {
        let Self { input, line, .. } = self;
        let what = format!("invalid entry in the input `{input}`, line {line}");
        Problem::new(what, error.fix).because(error.because)
    }

    fn never_closed(self) -> Problem {
        self.problem(never_closed())
    }

    fn continued(mut self, line: &str) -> Self {
        self.text.push('\n');
        self.text.push_str(line);
        self
    }

    /// Stray quotes stay, and with them all others of the line.
    fn unquoted(mut self) -> Self {
        if self.text.contains('"') && matches!(quotes(&self.text), Quotes::Sound) {
            self.text = split(&self.text).join(",");
        }
        self
    }

    fn trimmed(mut self) -> Self {
        self.text = self.text.trim().to_owned();
        self
    }
}

fn is_empty_or_comment(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

fn never_closed() -> InputError {
    InputError::new(
        "a quote is opened and never closed",
        "close it, or write `\"\"` for a quote inside quotes",
    )
}

/// How the double quotes of a CSV text stand.
enum Quotes {
    /// Around whole fields, or there are none.
    Sound,
    /// The last one is not closed.
    Open,
    /// One stands inside an unquoted field, or text follows a closing one.
    Stray,
}

fn quotes(text: &str) -> Quotes {
    let mut field = text;
    loop {
        let after = match field.strip_prefix('"') {
            None => {
                let end = field.find([',', '\n']).unwrap_or(field.len());
                if field[..end].contains('"') {
                    return Quotes::Stray;
                }
                &field[end..]
            }
            Some(quoted) => match after_closing_quote(quoted) {
                None => return Quotes::Open,
                Some(after) => after,
            },
        };
        match after.strip_prefix([',', '\n']) {
            Some(next) => field = next,
            None if after.is_empty() => return Quotes::Sound,
            None => return Quotes::Stray,
        }
    }
}

fn after_closing_quote(mut quoted: &str) -> Option<&str> {
    loop {
        let (_, after) = quoted.split_once('"')?;
        match after.strip_prefix('"') {
            Some(more) => quoted = more,
            None => return Some(after),
        }
    }
}

/// The fields of the first record in a text with sound quotes.
fn split(text: &str) -> Vec<String> {
    if !text.contains(['"', '\n']) {
        return text.split(',').map(str::to_owned).collect(); // a CSV reader is slow to set up
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let record = reader.records().next().and_then(Result::ok);
    let fields = record.iter().flat_map(|record| record.iter());
    fields.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explanation;

    #[track_caller]
    fn check(text: &str, expected: &[(usize, &[&str])]) {
        let entries = entries("tags", text).unwrap();
        let read: Vec<(usize, Vec<String>)> = entries
            .iter()
            .map(|entry| (entry.line(), entry.fields().unwrap()))
            .collect();
        let expected: Vec<(usize, Vec<String>)> = expected
            .iter()
            .map(|(line, fields)| (*line, fields.iter().map(ToString::to_string).collect()))
            .collect();
        assert_eq!(read, expected);
    }

    #[track_caller]
    fn refused(text: &str, what: &str, cause: &str) {
        let read = entries("tags", text).and_then(|entries| {
            let fields = |entry: &Entry| entry.fields().map_err(|error| entry.problem(error));
            entries.iter().try_for_each(|entry| fields(entry).map(drop))
        });
        let explanation = Explanation::of(&read.unwrap_err().into());
        assert_eq!(explanation.what, what);
        assert_eq!(explanation.because, [cause]);
    }

    #[test]
    fn comments_and_blank_lines_count_as_lines_only() {
        check(
            "\n# note\n a , b=c \r\n\n  # x\nd",
            &[(3, &["a", "b=c"]), (6, &["d"])],
        );
        check("\n", &[]);
    }

    #[test]
    fn quotes_are_removed_twice_as_metadata_action_does() {
        check(
            "type=match,\"pattern=a\"",
            &[(1, &["type=match", "pattern=a"])],
        );
        check("x,\"a,b\"", &[(1, &["x", "a", "b"])]);
        check("\"x,\"\"a,b\"\"\"", &[(1, &["x", "a,b"])]);
    }

    #[test]
    fn unbalanced_quotes_are_refused_with_their_line() {
        refused(
            "a\nb,\"c\nd",
            "invalid entry in the input `tags`, line 2: `b,\"c\nd`",
            "a quote is opened and never closed",
        );
        refused(
            "value=\"a\"",
            "invalid entry in the input `tags`, line 1: `value=\"a\"`",
            "a quote is in the middle of a field",
        );
        refused(
            "\"a\"b",
            "invalid entry in the input `tags`, line 1: `\"a\"b`",
            "a quote is in the middle of a field",
        );
    }
}
