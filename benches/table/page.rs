//! `Page`: what a run of the bench has measured, as `docs/measured.md` and `docs/measured.svg`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::picture;
use crate::row::{HEADING, Row, Section};

const TEXT: &str = "measured.md";
const PICTURE: &str = "measured.svg";

pub(crate) struct Page {
    /// When and where, and how busy the machine was.
    pub(crate) circumstances: String,
    pub(crate) rows: Vec<(Section, Row)>,
}

/// In the order of the page, with what a reader has to know of the rows.
const SECTIONS: [(Section, &str, &str); 5] = [
    (
        Section::Delayed,
        "50 ms before each answer",
        "As between a runner of GitHub and ghcr.io: the registry and the API wait 50 ms before each answer.",
    ),
    (
        Section::Loopback,
        "Registry on loopback",
        "Without any latency: what the programs themselves take.",
    ),
    (
        Section::Price,
        "Download and start",
        "What a job pays besides the work, as the rows `whole price` count it.",
    ),
    (
        Section::Other,
        "Other work, on loopback",
        "A parenthesis names what the other columns are.",
    ),
    (
        Section::Growth,
        "Cost as work grows",
        "Publications with 50 ms before each answer; logs and clean-ups without.",
    ),
];

impl Page {
    /// Writes both files to a directory.
    pub(crate) fn write(&self, directory: &Path) {
        let rows: Vec<Row> = self.rows.iter().map(|(_, row)| row.clone()).collect();
        let picture = picture::svg(&rows);
        if let Some(picture) = &picture {
            fs::write(directory.join(PICTURE), picture).unwrap();
        }
        let sections = SECTIONS.iter();
        let sections = sections.map(|(section, title, text)| self.section(*section, title, text));
        let (preface, closing) = (include_str!("preface.md"), include_str!("closing.md"));
        let sections: String = sections.collect();
        let page = format!("{preface}\n{}\n{sections}{closing}", self.circumstances);
        fs::write(directory.join(TEXT), page).unwrap();
    }

    /// Empty if it has no rows.
    fn section(&self, section: Section, title: &str, text: &str) -> String {
        let rows = self.rows.iter().filter(|(other, _)| *other == section);
        let rows: Vec<_> = rows.map(|(_, row)| row).collect();
        if rows.is_empty() {
            return String::new();
        }
        let mut written = format!("## {title}\n\n{text}\n\n");
        if rows.iter().any(|row| row.point.is_some()) {
            let _ = writeln!(written, "![Time and memory as the work grows]({PICTURE})\n");
        }
        let _ = writeln!(written, "{HEADING}");
        for row in rows {
            let _ = writeln!(written, "{row}");
        }
        written.push('\n');
        written
    }
}
