//! `Row`: one line of a table, and `Group`: the rows that are measured together.

use std::fmt;

use crate::figure::Figure;
use crate::world::World;

pub(crate) const HEADING: &str = "\
| What | Ours | Plain tool | Ours / plain | Usual actions | Ours / actions |
|---|--:|--:|--:|--:|--:|";

/// The tables of the page, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Delayed,
    Loopback,
    Price,
    Other,
    Growth,
}

type Measure = Box<dyn Fn(&World) -> Vec<Row>>;

/// Rows that are measured together.
pub(crate) struct Group {
    pub(crate) section: Section,
    /// What a word on the command line is looked for in.
    pub(crate) name: String,
    pub(crate) measure: Measure,
}

impl Group {
    pub(crate) fn new(
        section: Section,
        name: impl Into<String>,
        measure: impl Fn(&World) -> Vec<Row> + 'static,
    ) -> Self {
        Self {
            section,
            name: name.into(),
            measure: Box::new(measure),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) ours: Figure,
    pub(crate) plain: Option<Figure>,
    pub(crate) actions: Option<Figure>,
    pub(crate) role: Role,
    /// Where the picture shows it, if it does.
    pub(crate) point: Option<Point>,
}

/// What the README takes from the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing.
    Detail,
    /// A row of its table.
    WholePrice,
    /// The largest of them.
    PeakMemory,
}

/// A place in the picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    /// The title of the part of the picture.
    pub(crate) panel: &'static str,
    /// How much work it was.
    pub(crate) amount: f64,
}

impl Row {
    /// A row with one figure.
    pub(crate) fn alone(what: impl Into<String>, ours: Figure) -> Self {
        Self {
            what: what.into(),
            ours,
            plain: None,
            actions: None,
            role: Role::Detail,
            point: None,
        }
    }

    pub(crate) fn with(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// Shows it in the picture too.
    pub(crate) fn at(mut self, panel: &'static str, amount: f64) -> Self {
        self.point = Some(Point { panel, amount });
        self
    }
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "| {} | {} |", self.what, self.ours)?;
        for other in [&self.plain, &self.actions] {
            match other {
                Some(figure) => write!(out, " {figure} | {} |", ratio(&self.ours, figure))?,
                None => write!(out, " | |")?,
            }
        }
        Ok(())
    }
}

fn ratio(ours: &Figure, other: &Figure) -> String {
    match (ours.median(), other.median()) {
        (Some(ours), Some(other)) if other > 0.0 => format!("{:.2}", ours / other),
        _ => String::new(),
    }
}
