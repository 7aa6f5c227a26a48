//! `Figure`: a median with its quartiles, as the table shows it.

use std::fmt;

const MEBIBYTE: f64 = (1 << 20) as f64;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Requests,
    Bytes,
}

#[derive(Clone, Debug)]
pub(crate) enum Figure {
    Measured {
        unit: Unit,
        median: f64,
        /// The first and the third, if it was measured more than once.
        quartiles: Option<[f64; 2]>,
    },
    /// Why there is no number.
    Text(&'static str),
}

impl Figure {
    /// Of all runs: for an even number of them, the greater of the two values in the middle.
    pub(crate) fn of(unit: Unit, mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let last = values.len() - 1;
        let at = |quarters: usize| values[(last * quarters).div_ceil(4)];
        Self::Measured {
            unit,
            median: at(2),
            quartiles: Some([values[last / 4], at(3)]),
        }
    }

    /// Of something that has one value.
    pub(crate) fn one(unit: Unit, value: f64) -> Self {
        Self::Measured {
            unit,
            median: value,
            quartiles: None,
        }
    }

    pub(crate) fn median(&self) -> Option<f64> {
        match self {
            Self::Measured { median, .. } => Some(*median),
            Self::Text(_) => None,
        }
    }

    /// Without the quartiles.
    pub(crate) fn brief(&self) -> String {
        match self {
            Self::Measured { unit, median, .. } => Self::one(*unit, *median).to_string(),
            Self::Text(text) => (*text).to_owned(),
        }
    }

    /// The same in each run, with `more` of the unit.
    pub(crate) fn plus(&self, more: f64) -> Self {
        match self {
            Self::Text(_) => self.clone(),
            Self::Measured {
                unit,
                median,
                quartiles,
            } => Self::Measured {
                unit: *unit,
                median: median + more,
                quartiles: quartiles.map(|quartiles| quartiles.map(|value| value + more)),
            },
        }
    }
}

/// `0.288 s [0.281–0.301]`: the quartiles have the scale of the median, and are left out if they look the same.
impl fmt::Display for Figure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, median, quartiles) = match self {
            Self::Text(text) => return write!(out, "{text}"),
            Self::Measured {
                unit,
                median,
                quartiles,
            } => (unit, median, quartiles),
        };
        let scale = unit.scale(*median);
        let number = |value: &f64| format!("{:.*}", scale.digits, value / scale.factor);
        write!(out, "{}{}", number(median), scale.suffix)?;
        match quartiles.map(|quartiles| quartiles.map(|value| number(&value))) {
            Some([first, third]) if first != third => write!(out, " [{first}–{third}]"),
            _ => Ok(()),
        }
    }
}

/// With a comma from ten thousand on.
pub(crate) fn grouped(number: usize) -> String {
    let [thousands, rest] = [number / 1000, number % 1000];
    if thousands < 10 {
        number.to_string()
    } else {
        format!("{thousands},{rest:03}")
    }
}

/// How numbers of one size are written.
struct Scale {
    factor: f64,
    digits: usize,
    suffix: &'static str,
}

impl Unit {
    /// What a picture counts in, and its sign.
    pub(crate) fn drawn(self) -> (f64, &'static str) {
        match self {
            Self::Seconds => (1.0, " s"),
            Self::Requests => (1.0, ""),
            Self::Bytes => (MEBIBYTE, " MiB"),
        }
    }

    fn scale(self, value: f64) -> Scale {
        let (factor, digits, suffix) = match self {
            Self::Seconds if value < 0.1 => (0.001, 1, " ms"),
            Self::Seconds if value < 10.0 => (1.0, 3, " s"),
            Self::Seconds => (1.0, 1, " s"),
            Self::Requests => (1.0, 0, ""),
            Self::Bytes => (MEBIBYTE, 1, " MiB"),
        };
        Scale {
            factor,
            digits,
            suffix,
        }
    }
}
