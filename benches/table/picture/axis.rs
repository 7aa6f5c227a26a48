//! `Axis`: where a value is drawn, and the values that are written beside it.

/// If the greatest value is more than this many times the least one, the axis is logarithmic.
const LINEAR: f64 = 100.0;
/// About so many values are written beside a linear axis.
const TICKS: f64 = 4.0;

pub(super) struct Axis {
    /// The values at both ends.
    values: [f64; 2],
    /// Where the ends are drawn.
    pixels: [f64; 2],
    is_logarithmic: bool,
}

impl Axis {
    /// Of positive values: from zero, or from a power of ten to another.
    pub(super) fn over(values: &[f64], pixels: [f64; 2]) -> Self {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let is_logarithmic = greatest > LINEAR * least;
        let values = if is_logarithmic {
            [power_below(least), power_above(greatest)]
        } else {
            [0.0, greatest * 1.05]
        };
        Self {
            values,
            pixels,
            is_logarithmic,
        }
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        let [start, end] = self.values;
        let share = if self.is_logarithmic {
            (value / start).log10() / (end / start).log10()
        } else {
            (value - start) / (end - start)
        };
        let [first, last] = self.pixels;
        first + share * (last - first)
    }

    /// Round values, with their places.
    pub(super) fn ticks(&self) -> Vec<(f64, f64)> {
        let [start, end] = self.values;
        let values: Vec<f64> = if self.is_logarithmic {
            let powers = std::iter::successors(Some(start), |value| Some(value * 10.0));
            powers.take_while(|value| *value <= end * 1.01).collect()
        } else {
            let step = step(end);
            let multiples = (0_u8..).map(|count| f64::from(count) * step);
            multiples.take_while(|value| *value <= end).collect()
        };
        let places = values.into_iter().map(|value| (value, self.place(value)));
        places.collect()
    }
}

/// 1, 2 or 5 times a power of ten.
fn step(end: f64) -> f64 {
    let power = power_below(end / TICKS);
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let enough = steps.iter().find(|step| end / **step <= TICKS + 1.0);
    *enough.unwrap_or(&power)
}

fn power_below(value: f64) -> f64 {
    10_f64.powf(value.log10().floor())
}

fn power_above(value: f64) -> f64 {
    10_f64.powf(value.log10().ceil())
}
