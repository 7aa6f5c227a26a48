//! The rows of the growth as a picture (SVG, <https://www.w3.org/TR/SVG11/>), readable on a light and a dark background.

mod axis;

use std::fmt::Write as _;

use axis::Axis;

use crate::figure::{Figure, Unit, grouped};
use crate::row::{Point, Row};

/// In pixels, as all lengths here.
const PANEL: [f64; 2] = [280.0, 190.0];
const COLUMNS: usize = 3;
/// Where the lines are drawn, inside a panel: left, top, right, bottom.
const FRAME: [f64; 4] = [48.0, 30.0, 256.0, 160.0];
const LEGEND: f64 = 28.0;
/// Has enough contrast with white and with black.
const GREY: &str = "#7a7f87";

/// The columns, in the order in which they are drawn: ours on top.
const COLUMNS_OF_A_ROW: [Column; 3] = [
    Column {
        words: "usual actions",
        color: "#d4761c",
        figure: |row| row.actions.as_ref(),
    },
    Column {
        words: "plain tool",
        color: GREY,
        figure: |row| row.plain.as_ref(),
    },
    Column {
        words: "this action",
        color: "#2f81f7",
        figure: |row| Some(&row.ours),
    },
];

struct Column {
    words: &'static str,
    color: &'static str,
    figure: fn(&Row) -> Option<&Figure>,
}

/// `None` if no row has a place in the picture.
pub(crate) fn svg(rows: &[Row]) -> Option<String> {
    let panels = panels(rows);
    let lines = panels.len().div_ceil(COLUMNS);
    let [width, height] = PANEL;
    let (width_of_all, height_of_all) = (width * COLUMNS as f64, LEGEND + height * lines as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width_of_all}\" height=\"{height_of_all}\" \
         viewBox=\"0 0 {width_of_all} {height_of_all}\" font-family=\"sans-serif\" font-size=\"11\" fill=\"{GREY}\">\n\
         <title>Time and memory of a run as its work grows</title>\n{}",
        legend()
    );
    for (number, panel) in panels.iter().enumerate() {
        let (column, line) = (number % COLUMNS, number / COLUMNS);
        let (x, y) = (column as f64 * width, LEGEND + line as f64 * height);
        let _ = write!(
            svg,
            "<g transform=\"translate({x},{y})\">\n{}</g>\n",
            panel.svg()
        );
    }
    svg.push_str("</svg>\n");
    (!panels.is_empty()).then_some(svg)
}

fn legend() -> String {
    let [left, ..] = FRAME;
    let entries = COLUMNS_OF_A_ROW.iter().rev().enumerate();
    let entry = |(number, column): (usize, &Column)| {
        let x = left + number as f64 * 110.0;
        let Column { words, color, .. } = column;
        format!(
            "<circle cx=\"{x}\" cy=\"14\" r=\"4\" fill=\"{color}\"/><text x=\"{}\" y=\"18\">{words}</text>\n",
            x + 9.0
        )
    };
    entries.map(entry).collect()
}

/// The rows that are drawn together.
struct Panel<'a> {
    unit: Unit,
    title: &'static str,
    rows: Vec<(f64, &'a Row)>,
}

/// In the order of the rows.
fn panels(rows: &[Row]) -> Vec<Panel<'_>> {
    let mut panels: Vec<Panel<'_>> = Vec::new();
    for row in rows {
        let (Some(point), Figure::Measured { unit, .. }) = (row.point, &row.ours) else {
            continue;
        };
        let Point { panel, amount } = point;
        let known = panels
            .iter_mut()
            .find(|known| (known.unit, known.title) == (*unit, panel));
        match known {
            Some(known) => known.rows.push((amount, row)),
            None => panels.push(Panel {
                unit: *unit,
                title: panel,
                rows: vec![(amount, row)],
            }),
        }
    }
    panels
}

impl Panel<'_> {
    fn svg(&self) -> String {
        let [left, top, right, bottom] = FRAME;
        let amounts = self.rows.iter().map(|(amount, _)| *amount);
        let across = Axis::over(&amounts.collect::<Vec<_>>(), [left, right]);
        let medians = self.columns().flat_map(|(_, points)| points);
        let up = Axis::over(
            &medians.map(|(_, median)| median).collect::<Vec<_>>(),
            [bottom, top],
        );
        let mut svg = format!(
            "<text x=\"{left}\" y=\"16\" font-weight=\"bold\">{}</text>\n",
            self.words()
        );
        let (_, sign) = self.unit.drawn();
        for (value, y) in up.ticks() {
            let _ = writeln!(
                svg,
                "<path d=\"M{left} {y:.1}H{right}\" stroke=\"{GREY}\" stroke-opacity=\"0.3\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}{sign}</text>",
                left - 5.0,
                y + 4.0,
                short(value)
            );
        }
        for (value, x) in across.ticks() {
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 16.0,
                short(value)
            );
        }
        for (column, points) in self.columns() {
            let places = points
                .iter()
                .map(|(amount, median)| [across.place(*amount), up.place(*median)]);
            svg.push_str(&line(column.color, &places.collect::<Vec<_>>()));
        }
        svg
    }

    fn words(&self) -> String {
        let of = match self.unit {
            Unit::Seconds => "Time",
            Unit::Requests => "Requests",
            Unit::Bytes => "Memory",
        };
        format!("{of} by {}", self.title)
    }

    /// Amount and median of each row that has a figure in the column.
    fn columns(&self) -> impl Iterator<Item = (&'static Column, Vec<(f64, f64)>)> {
        let (one, _) = self.unit.drawn();
        COLUMNS_OF_A_ROW.iter().map(move |column| {
            let median = |row| Some((column.figure)(row)?.median()? / one);
            let rows = self.rows.iter();
            let points = rows.filter_map(|(amount, row)| Some((*amount, median(row)?)));
            (column, points.collect())
        })
    }
}

/// Without zeros at the end.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.parse()
        .map_or_else(|_fraction| text.to_owned(), grouped)
}

fn line(color: &str, places: &[[f64; 2]]) -> String {
    let points = places.iter().map(|[x, y]| format!("{x:.1},{y:.1}"));
    let points = points.collect::<Vec<_>>().join(" ");
    let dots = places
        .iter()
        .map(|[x, y]| format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"{color}\"/>"));
    format!(
        "<polyline points=\"{points}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.8\"/>{}\n",
        dots.collect::<String>()
    )
}
