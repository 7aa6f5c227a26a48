//! The table in the README: every row with the whole price, the worst ones included, and the largest memory.

use std::fs;
use std::path::Path;

use crate::figure::Figure;
use crate::row::{Role, Row, Section};
use crate::trial::WHOLE_PRICE;

const BEGIN: &str = "<!-- measured -->\n";
const END: &str = "<!-- /measured -->";
const HEADING: &str = "\
| | This action | `buildx build --push`, `crane` | The usual actions |
|---|--:|--:|--:|
";

/// Replaces the text between the two comments.
pub(crate) fn update(path: &Path, rows: &[(Section, Row)], date: &str) {
    let readme = fs::read_to_string(path).unwrap();
    let (before, rest) = readme
        .split_once(BEGIN)
        .expect("the README has the comment");
    let (_, after) = rest
        .split_once(END)
        .expect("the README has the second comment");
    let text = format!("{before}{BEGIN}{}{END}{after}", text(rows, date));
    fs::write(path, text).unwrap();
}

fn text(rows: &[(Section, Row)], date: &str) -> String {
    let shown = |(section, row): &&(Section, Row)| {
        matches!(section, Section::Delayed | Section::Other) && row.role == Role::WholePrice
    };
    let lines = rows.iter().filter(shown).map(|(_, row)| {
        let what = row
            .what
            .trim_end_matches(WHOLE_PRICE)
            .trim_end_matches([':', ' ']);
        line(
            what,
            [Some(&row.ours), row.plain.as_ref(), row.actions.as_ref()],
        )
    });
    let lines: String = lines.collect();
    let preface = include_str!("readme.md").replace("DATE", date);
    format!("{preface}\n{HEADING}{lines}{}", memory(rows))
}

/// The largest of each column, in the rows with a registry far away.
fn memory(rows: &[(Section, Row)]) -> String {
    let wanted = |(section, row): &&(Section, Row)| {
        *section == Section::Delayed && row.role == Role::PeakMemory
    };
    let rows: Vec<&Row> = rows.iter().filter(wanted).map(|(_, row)| row).collect();
    let ours = rows.iter().map(|row| &row.ours);
    let plain = rows.iter().filter_map(|row| row.plain.as_ref());
    let actions = rows.iter().filter_map(|row| row.actions.as_ref());
    let columns = [largest(ours), largest(plain), largest(actions)];
    line(
        "Peak memory, the largest of the publications with 50 ms",
        columns,
    )
}

fn largest<'a>(figures: impl Iterator<Item = &'a Figure>) -> Option<&'a Figure> {
    figures.max_by(|a, b| {
        let [a, b] = [a, b].map(|figure| figure.median().unwrap_or_default());
        a.total_cmp(&b)
    })
}

fn line(what: &str, columns: [Option<&Figure>; 3]) -> String {
    let (first, rest) = what.split_at(1);
    let cells = columns.map(|figure| figure.map(Figure::brief).unwrap_or_default());
    format!(
        "| {}{rest} | {} |\n",
        first.to_uppercase(),
        cells.join(" | ")
    )
}
