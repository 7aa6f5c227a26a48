//! The warnings of BuildKit's checks of the Dockerfile.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::buildx::progress::lines::clipped;
use crate::buildx::progress::messages::status;

/// The findings, none twice: each platform of a build repeats them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Warnings {
    list: Vec<Warning>,
    /// The number of warnings that were not kept.
    beyond: usize,
}

/// One finding (<https://docs.docker.com/reference/build-checks/>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    /// For example `FromAsCasing: 'as' and 'FROM' keywords' casing do not match`.
    pub(crate) text: String,
    pub(crate) detail: String,
    /// The page about the rule.
    pub(crate) url: String,
    /// Last name of the file, and the line.
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
}

const MAX_SHOWN: usize = 10;
const MAX_WARNINGS: usize = 200;
const MAX_TEXT: usize = 1000;

impl Warnings {
    pub(crate) fn add(&mut self, warning: &status::Warning<'_>) {
        let decoded = |text: &str| {
            let bytes = STANDARD.decode(text).unwrap_or_default();
            clipped(&String::from_utf8_lossy(&bytes), MAX_TEXT).into_owned()
        };
        let line = warning.range.first().map(|range| range.start.line);
        let text = decoded(&warning.short);
        let repeated = line.map(|line| format!(" (line {line})"));
        let text = repeated
            .and_then(|repeated| text.strip_suffix(&repeated))
            .unwrap_or(&text);
        let warning = Warning {
            text: text.to_owned(),
            detail: warning
                .detail
                .first()
                .map(|text| decoded(text))
                .unwrap_or_default(),
            url: clipped(&warning.url, MAX_TEXT).into_owned(),
            file: warning
                .source
                .as_ref()
                .map(|source| source.filename.clone()),
            line,
        };
        if warning.text.is_empty() || self.list.contains(&warning) {
            return;
        }
        if self.list.len() < MAX_WARNINGS {
            self.list.push(warning);
        } else {
            self.beyond += 1;
        }
    }

    /// The warnings that get an annotation.
    pub(crate) fn shown(&self) -> &[Warning] {
        &self.list[..self.list.len().min(MAX_SHOWN)]
    }

    /// The number of other warnings.
    pub(crate) fn more(&self) -> usize {
        self.list.len() - self.shown().len() + self.beyond
    }
}

impl Warning {
    /// The text, the detail and the URL, one per line.
    pub(crate) fn lines(&self) -> String {
        let parts = [&self.text, &self.detail, &self.url];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        parts.map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}
