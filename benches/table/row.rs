//! `Row`: one line of the table, and the figures in it.

use std::fmt;
use std::time::Duration;

use crate::world::World;

pub(crate) const HEADING: &str = "\
| What | Ours | Plain tool | Ours / plain | Usual actions | Ours / actions |
|---|--:|--:|--:|--:|--:|";

type Measure = Box<dyn Fn(&World) -> Vec<Row>>;

/// Rows that are measured together.
pub(crate) struct Group {
    /// What a word on the command line is looked for in.
    pub(crate) name: String,
    pub(crate) measure: Measure,
}

impl Group {
    pub(crate) fn new(
        name: impl Into<String>,
        measure: impl Fn(&World) -> Vec<Row> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            measure: Box::new(measure),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Figure {
    Time(Duration),
    Requests(u64),
    Bytes(u64),
    Text(String),
}

impl Figure {
    fn amount(&self) -> Option<f64> {
        match self {
            Self::Time(time) => Some(time.as_secs_f64()),
            Self::Requests(count) | Self::Bytes(count) => Some(*count as f64),
            Self::Text(_) => None,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) if time.as_millis() < 100 => {
                write!(out, "{:.1} ms", time.as_secs_f64() * 1000.0)
            }
            Self::Time(time) => write!(out, "{:.3} s", time.as_secs_f64()),
            Self::Requests(count) => write!(out, "{count}"),
            Self::Bytes(bytes) => write!(out, "{:.1} MiB", *bytes as f64 / f64::from(1 << 20)),
            Self::Text(text) => write!(out, "{text}"),
        }
    }
}

pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) ours: Figure,
    pub(crate) plain: Option<Figure>,
    pub(crate) actions: Option<Figure>,
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
    match (ours.amount(), other.amount()) {
        (Some(ours), Some(other)) if other > 0.0 => format!("{:.2}", ours / other),
        _ => String::new(),
    }
}
